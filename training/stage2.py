"""Stage 2 of BeMERC, MERC tuning: the emotion that is expressed, scored at the cue of every turn.

    python -m training.stage2 compact --data FOLDER
    accelerate launch --config_file training/recipes/fsdp.yaml -m training.stage2 bemerc-meld ...

The placeholders of stage 1 give way to real video and audio tokens; LoRA and adapters are
trained, the encoders (`training.encoders`) stay as they are. A dialogue is one sequence
with a loss at every turn's cue. A recipe has up to three kinds of epoch, in this order:

    text       words alone, with the other modalities absent
    composed   a turn gets a face and a voice with its label from other corpora
               (`training.composition.compose`), and modalities are dropped at random
    clips      a turn has its own pictures and sound, as in the paper
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from engine.arguments import run_command
from stream.errors import UserError
from training import distil
from training.clips.trainable import TrainableClips
from training.datasets.corpus import Corpus
from training.encoders import face_weights, load_encoders, speech_weights
from training.learning import members
from training.learning.dev import dev_weighted_f1
from training.learning.learner import LORA, build_learner, lora_parameters, owner, save_learned
from training.learning.loop import Epoch
from training.learning.objectives import Objectives, balanced_weights
from training.learning.provenance import require_finished
from training.learning.runtime import Runtime
from training.learning.schedule import Group
from training.learning.sequences import AnySequence
from training.learning.shipped import publish
from training.learning.stage import Stage, run_stage
from training.plan import print_plan
from training.pretune import pretuned
from training.script import Job, run_script, script_parser
from training.settings import Stage2Training
from training.sources import Sources


def train(job: Job) -> None:
    """Train stage 2 of a recipe, from what stage 1 left below `runs` if it has one."""
    start = stage1_result(job)
    if member := getattr(job.options, "member", None):
        trained = members.trained_member(job, member, start, tune)
        if (out := getattr(job.options, "out", None)) is not None:
            publish(trained, members.member_job(job, member).recipe.spec, out)
        return
    if job.recipe.settings.stage2.members:
        start = members.average(job, start, tune)
    tune(job, start)


def tune(job: Job, start: Path | None, *, member: bool = False) -> None:
    """Train the epochs of one model, from the LoRA in a folder or from the beginning."""
    recipe, settings, out = job.recipe, job.recipe.settings.stage2, job.runs / "stage2"
    corpus = job.open_corpus()  # a wrong folder is found before a large model is loaded
    unknown = unknown_emotions(corpus, job.spec.labels)
    begin = start or pretuned(job)
    if recipe.settings.distils and not settings.members:  # else a member learned the words
        distil.train(job)
    torch.manual_seed(job.seed)
    runtime = Runtime(recipe.settings.trainer, out)
    if unknown:
        names = ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items()))
        runtime.say(f"context alone, since the recipe has no such label: {names}")
    objectives = build_learner(recipe, start=begin, rank_dropout=settings.rank_dropout)
    objectives.placeholders.requires_grad_(settings.joint)  # else real tokens take their place
    if settings.encoder_learning_rate:
        encoders = load_encoders(job.spec, job.runs, frozen=False)
        objectives.trainable_clips = TrainableClips(encoders, job.cache)
    sources = Sources(job, corpus, objectives.model.prompt, runtime)
    if settings.class_weights == "balanced":
        objectives.class_weights = balanced_weights(sources.words("train"))
    dev_sequences = sources.clips("dev") if settings.clip_epochs else sources.words("dev")

    def dev(wrapped: nn.Module, runtime: Runtime) -> float:
        return dev_weighted_f1(wrapped, objectives, dev_sequences, runtime)

    stage = Stage(
        name="stage2",
        objectives=objectives,
        groups=groups_of(objectives, settings),
        epochs=epochs_of(settings, sources),
        dev=dev,
        save=lambda write: save(objectives, out, write=write),
        start=start,
        words_alone=member,
        average_decay=settings.member_average if member else 0.0,
    )
    run_stage(job, stage, runtime)


def unknown_emotions(corpus: Corpus, labels: Sequence[str]) -> Counter[str]:
    """How often train and dev have emotions that are none of the labels.

    Raises:
        UserError: a split has no utterance with a label, so nothing is learned or chosen by it.
    """
    unknown: Counter[str] = Counter()
    for split in ("train", "dev"):
        emotions = Counter(one.emotion for one in corpus.utterances(split) if one.emotion)
        others = Counter({name: n for name, n in emotions.items() if name not in labels})
        if others == emotions:
            found = ", ".join(sorted(others)) or "no emotion"
            raise UserError(
                f"the {split} split has {found}, none of the recipe's labels "
                f"({', '.join(labels)}): name those of the corpus in the recipe"
            )
        unknown += others
    return unknown


def save(objectives: Objectives, out: Path, *, write: bool) -> None:
    """Write what stage 2 trained, the encoders too where they were."""
    save_learned(objectives, out, write=write)
    if objectives.trainable_clips is not None:
        objectives.trainable_clips.save(face_weights(out), speech_weights(out), write=write)


def start_of(job: Job) -> Path | None:
    """Folder of the LoRA that the last training of stage 2 began with; None for the base's.

    Raises:
        UserError: it is not there.
    """
    if job.recipe.settings.stage2.members:
        folder = job.runs / members.FOLDER
        if not (folder / LORA).exists():
            raise UserError(
                f"{folder / LORA} is missing: run python -m training.stage2 {job.recipe.name} first"
            )
        return folder
    return stage1_result(job)


def stage1_result(job: Job) -> Path | None:
    """Folder of the LoRA to go on with; None where the recipe has no stage 1.

    Raises:
        UserError: the recipe has a stage 1 that was not run to its end, or run otherwise.
    """
    if not job.recipe.has_stage1:
        return None
    folder = job.runs / "stage1"
    if not (folder / LORA).exists():
        raise UserError(
            f"{folder / LORA} is missing: run python -m training.stage1 {job.recipe.name} first, "
            "or leave stage 1 out with --set stage1.epochs=0"
        )
    require_finished(folder, owner(job.recipe, "stage1", job.seed))
    return folder


def groups_of(objectives: Objectives, stage: Stage2Training) -> list[Group]:
    """LoRA from the start; adapters and evidence from the first epoch that has modalities."""
    fusion = objectives.model.fusion
    evidence = list(fusion.evidence_weights.parameters())
    known = {id(parameter) for parameter in evidence}
    averaged = stage.members > 0
    # Words are learned beside the absent tokens: after that these move as slowly as LoRA.
    absent = list(fusion.absent.parameters()) if averaged else []
    known |= {id(parameter) for parameter in absent}
    adapters = [p for p in fusion.parameters() if id(p) not in known]
    begin = 0.0 if averaged else stage.text_epochs / stage.epochs
    peak, decay = (
        stage.averaged_learning_rate if averaged else stage.learning_rate,
        stage.weight_decay,
    )
    groups = [
        Group([*lora_parameters(objectives), *absent], peak, weight_decay=decay),
        Group(adapters, stage.adapter_learning_rate, begin, decay),
        Group(evidence, stage.evidence_learning_rate, begin),
    ]
    if objectives.trainable_clips is not None:
        encoders = list(objectives.trainable_clips.parameters())
        groups.append(Group(encoders, stage.encoder_learning_rate, begin, decay))
    if stage.joint:
        placeholders = list(objectives.placeholders.parameters())
        groups.append(Group(placeholders, stage.learning_rate))
    return groups


def epochs_of(stage: Stage2Training, sources: Sources) -> list[Epoch]:
    """Text, then composed, then clips; the best of the last kind is kept."""
    kinds: list[tuple[str, int, Callable[[random.Random], Sequence[AnySequence]]]] = [
        ("words", 0 if stage.members else stage.text_epochs, sources.heard_words),
        ("composed", stage.composed_epochs, sources.composed),
        ("clips", stage.clip_epochs, sources.dropped_clips),
    ]
    present = [kind for kind in kinds if kind[1]]
    return [
        Epoch(
            name=f"stage 2, {name} {number}/{count}",
            sequences=_joined(make, sources) if stage.joint else make,
            batch_tokens=stage.batch_tokens,
            frozen_inputs=name == "words" and not stage.joint,
            candidate=name == present[-1][0],
        )
        for name, count, make in present
        for number in range(1, count + 1)
    ]


def _joined(
    make: Callable[[random.Random], Sequence[AnySequence]], sources: Sources
) -> Callable[[random.Random], Sequence[AnySequence]]:
    """Emotions and descriptions in one epoch."""
    return lambda rng: [*make(rng), *sources.described("train")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train, or print the plan."""
    needs = "the recipe's corpus; for composed epochs FER2013 and speech corpora"
    parser = script_parser("training.stage2", __doc__, needs=needs, plan=True)
    parser.add_argument("--descriptions", type=Path, help="of the teacher, for joint training")
    parser.add_argument(
        "--member",
        type=int,
        metavar="N",
        help="train only member N of stage2.members: two side by side keep two cores busy",
    )
    parser.add_argument("--out", type=Path, help="of --member: also write it here, sealed")
    return run_script(parser, arguments, train, plan=print_plan)


if __name__ == "__main__":
    run_command(main)
