"""Predictions on dev during training, shared between processes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from training.evaluation.metrics import scores
from training.learning.batching import make_batches, share
from training.learning.objectives import Objectives
from training.learning.runtime import Runtime
from training.learning.sequences import DescribedSequence, TrainingSequence

DEV_BATCH_TOKENS = 1400


@torch.no_grad()  # not inference mode: shards that are gathered in it cannot be trained after
def dev_weighted_f1(
    wrapped: nn.Module,
    objectives: Objectives,
    sequences: Sequence[TrainingSequence],
    runtime: Runtime,
) -> float:
    """Weighted F1 over all turns with a target; each process scores its share."""
    found: list[Any] = []
    batches = make_batches(sequences, objectives.length, DEV_BATCH_TOKENS, random.Random(0))
    for batch in share(batches, runtime.process, runtime.processes):
        predicted = wrapped(batch or batches[0], scores_only=True).softmax(1).float().cpu()
        targets = torch.cat([sequence.targets for sequence in batch or batches[0]])
        known = targets.sum(1) > 0
        if batch:
            found += zip(targets[known].argmax(1).tolist(), predicted[known].tolist(), strict=True)
    truth, probabilities = zip(*runtime.gather(found), strict=True)
    return scores(objectives.model.spec.labels, truth, probabilities).weighted_f1


@torch.no_grad()  # not inference mode: shards that are gathered in it cannot be trained after
def dev_log_likelihood(
    wrapped: nn.Module,
    objectives: Objectives,
    sequences: Sequence[DescribedSequence],
    runtime: Runtime,
) -> float:
    """Mean log-likelihood of a token of the descriptions; higher is better."""
    loss = count = 0.0
    batches = make_batches(sequences, objectives.length, DEV_BATCH_TOKENS, random.Random(0))
    for batch in share(batches, runtime.process, runtime.processes):
        _, value = wrapped(batch or batches[0]).tolist()
        if batch:
            loss, count = loss + value, count + float(objectives.counts(batch)[1])
    return -runtime.total(loss) / max(1.0, runtime.total(count))
