"""Measure how the scores of frames should become those of an utterance.

    python -m training.measure_pooling FER2013 FACE_WEIGHTS [--videos 420] [--seed 0]

An expression comes and goes: videos are made of two pictures, one of a label and a neutral
one, as a webcam would show them (`training.augment`), with the expression in some share of
the frames. The truth is the label, which may be neutral: then no frame shows anything else.
Prints, for each `video.peak`, the unweighted accuracy at each share, and the recall of
neutral alone, which is what too high a peak costs. On PublicTest, which is dev.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.arguments import Parser, run_command
from engine.model.densenet import DenseNet
from engine.model.encoders import utterance_scores
from engine.model.inputs import normalised
from engine.model.spec import compact
from stream.errors import UserError
from training.augment import augment_faces
from training.datasets.fer2013 import Fer2013, read_fer2013
from training.datasets.labels import MELD_INDEX
from training.measure_neutral import CLEAR_SHARE
from training.progress import progress_bar

FRAMES = 16
SHARES = (1.0, 0.5, 0.25, 0.125)
"""Of the frames, that show the expression."""
PEAKS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)


def make_videos(
    data: Fer2013, densenet: DenseNet, count: int, seed: int
) -> list[tuple[int, dict[float, Tensor]]]:
    """Label of each video, and logits (F, E) of its frames for each share of the expression."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    clear = data.usable & (data.votes.max(1) > CLEAR_SHARE)
    rows = {
        label: np.flatnonzero(clear & (data.majority == label)) for label in MELD_INDEX.values()
    }
    present = [label for label, own in rows.items() if len(own)]
    neutral = MELD_INDEX["neutral"]
    videos = []
    with progress_bar() as bar:
        task = bar.add_task("videos", total=count, note="")
        for number in range(count):
            label = present[number % len(present)]
            shown = _views(data, densenet, rng.choice(rows[label]), generator)
            rest = _views(data, densenet, rng.choice(rows[neutral]), generator)
            mixed = {}
            for share in SHARES:
                frames = round(FRAMES * share)
                mixed[share] = torch.cat([shown[:frames], rest[frames:]])
            videos.append((label, mixed))
            bar.update(task, advance=1)
    return videos


@torch.inference_mode()
def _views(data: Fer2013, densenet: DenseNet, row: int, generator: torch.Generator) -> Tensor:
    spec = compact().video
    picture = torch.from_numpy(data.images[row])[None, None] / 255
    frames = augment_faces(picture.repeat(FRAMES, 1, 1, 1), generator)
    return densenet(normalised(frames, spec))  # type: ignore[no-any-return]


def recalls(
    videos: Sequence[tuple[int, dict[float, Tensor]]], share: float, peak: float
) -> dict[int, float]:
    """Share of the videos of each label that is recognised."""
    right: dict[int, list[bool]] = {}
    for label, mixed in videos:
        predicted = int(utterance_scores(mixed[share], peak).argmax())
        right.setdefault(label, []).append(predicted == label)
    return {label: float(np.mean(own)) for label, own in right.items()}


def report(videos: Sequence[tuple[int, dict[float, Tensor]]]) -> Iterator[str]:
    """Lines of the table."""
    heads = (*(f"{share:.0%}" for share in SHARES), "mean", "neutral")
    yield f"{'peak':>6}" + "".join(f"{head:>9}" for head in heads)
    for peak in PEAKS:
        found = [recalls(videos, share, peak) for share in SHARES]
        accuracies = [float(np.mean(list(own.values()))) for own in found]
        neutral = found[0].get(MELD_INDEX["neutral"], 0.0)
        figures = (*accuracies, float(np.mean(accuracies)), neutral)
        yield f"{peak:>6g}" + "".join(f"{100 * figure:>9.1f}" for figure in figures)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    parser = Parser(
        prog="python -m training.measure_pooling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("fer2013", type=Path, help="folder of FER2013 with FERPlus")
    parser.add_argument("weights", type=Path, help="face.safetensors of a compact bundle")
    parser.add_argument("--videos", type=int, default=420)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        data = read_fer2013(options.fer2013, "PublicTest")
        densenet = DenseNet(compact().video.densenet).eval()
        try:
            densenet.load_state_dict(load_file(options.weights))
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{options.weights}: no weights of compact's DenseNet ({reason}): give "
                "bundles/compact/face.safetensors, or train with python -m training.face"
            ) from error
        videos = make_videos(data, densenet, options.videos, options.seed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("unweighted accuracy in %, by share of the frames with the expression")
    print("\n".join(report(videos)))
    return 0


if __name__ == "__main__":
    run_command(main)
