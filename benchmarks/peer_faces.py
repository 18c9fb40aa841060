"""ONNX face models, and the faces of a bundle, on FER2013's PublicTest split.

Letters in shapes: N pictures, S side, H height, W width, K channels, C classes of a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.peer_labels import Floats, as_probabilities, map_labels
from benchmarks.peer_onnx import DTYPES, OnnxClassifier
from benchmarks.peer_results import TIMED, Result, Truths, measure, score_all, timed
from engine.model.inputs import fit_picture, picture_tensor
from engine.model.recognizer import Recognizer, read_spec
from export.models import resolve
from stream.errors import UserError
from training.datasets.fer2013 import Fer2013
from training.evaluation import examples
from training.evaluation.predict import probabilities

LAYOUTS = ("NCHW", "NHWC")
"""Channels before or after height and width."""
RANGES = {"0..1": (255.0, 0.0), "0..255": (1.0, 0.0), "-1..1": (127.5, 1.0)}
"""Pixels 0 to 255 are divided by the first number, and the second is subtracted."""


@dataclass(frozen=True)
class FaceOptions:
    """What the file of a model does not say; None is read from it, or assumed and said."""

    size: int | None = None
    """Side S of its pictures."""
    channels: int | None = None
    """1 for grey, 3 for RGB."""
    layout: str | None = None
    """Of `LAYOUTS`."""
    range: str | None = None
    """Of `RANGES`, before mean and deviation."""
    mean: tuple[float, ...] = (0.0,)
    """One, or one for each channel; subtracted."""
    std: tuple[float, ...] = (1.0,)
    """Likewise; divided by."""
    output: str | None = None
    """Name of the output with the classes."""
    kind: str | None = None
    """Of `peer_labels.KINDS`."""


class FaceModel:
    """An ONNX that takes one picture of a face."""

    def __init__(self, path: Path, options: FaceOptions) -> None:
        """Open a file and settle how its pictures are to look.

        Raises:
            UserError: The file cannot be used, or does not say enough of its input, or says
                something else than the options.
        """
        self.onnx = OnnxClassifier(path, options.output)
        node = _only_input(self.onnx)
        self._name = str(node.name)
        self.layout, self.channels, self.size = _shape(node.shape, options, path)
        self._dtype = _dtype(node.type, path)
        whole = self._dtype == np.uint8
        self.range = options.range or ("0..255" if whole else "0..1")
        if whole and self.range != "0..255":
            raise UserError(f"--range {self.range}: {path} takes whole numbers, so only 0..255")
        self._mean, self._std = (
            _per_channel(flag, values, self.channels)
            for flag, values in (("--mean", options.mean), ("--std", options.std))
        )
        if not self._std.all():
            raise UserError("--std: must not be 0")
        assumed = "" if options.range or whole else " (assumed: --range says another)"
        self.note = (
            f"input {self.size}x{self.size}x{self.channels} {self.layout}, "
            f"pixels {self.range}{assumed}"
        )

    def __call__(self, picture: NDArray[np.uint8]) -> Floats:
        """(48, 48) grey -> (C,)."""
        return self.onnx.run({self._name: self.prepare(picture)})

    def prepare(self, picture: NDArray[np.uint8]) -> NDArray[Any]:
        """(H, W) grey -> (1, K, S, S) or (1, S, S, K) as the model takes it."""
        pixels = fit_picture(picture, self.size, self.channels).astype(np.float32)
        divisor, less = RANGES[self.range]
        values = (pixels / np.float32(divisor) - np.float32(less) - self._mean) / self._std
        if self.layout == "NCHW":
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values[None]).astype(self._dtype)


def face_truths(data: Fer2013) -> Truths:
    """Both annotations of the pictures, and the second where annotators agree."""
    return {
        "FER2013 label": data.labels.tolist(),
        "FERPlus majority of 7": data.majority.tolist(),
        "FERPlus, more than half agree": data.agreed_majority.tolist(),
    }


def score_face_model(
    path: Path, names: Sequence[str], options: FaceOptions, data: Fer2013
) -> Result:
    """Score an ONNX.

    Args:
        path: The file.
        names: Of its classes, as `map_labels` takes them.
        options: What the file does not say.
        data: The pictures.

    Raises:
        UserError: Model, labels and options do not go together.
    """
    labels = map_labels(names)
    model = FaceModel(path, options)
    numbers, milliseconds = measure(list(data.images), model, labels, path.name)
    given, kind = as_probabilities(numbers, options.kind)
    found = score_all(face_truths(data), labels.to_meld(given))
    notes = (f"{model.note}; its numbers are read as {kind}",)
    return Result(path.name, labels, found, milliseconds, model.onnx.megabytes, notes=notes)


def score_bundle_faces(bundle: Path, data: Fer2013, base_model: str | None = None) -> Result:
    """Score a bundle on faces alone, on one thread, as `training.evaluate` does.

    Raises:
        UserError: The bundle cannot be loaded, or has other labels.
    """
    base = resolve(base_model or read_spec(bundle).llm.base)
    loaded = Recognizer.load(bundle, base_model=base, face_detector=None, threads=1)
    labels = map_labels(loaded.labels)
    request = examples.Request(bundle, loaded.encoders, loaded.labels, cache=bundle)
    chosen = examples.faces(request, data)
    given = labels.to_meld(probabilities(loaded, chosen.dialogues).double().numpy())

    @torch.inference_mode()
    def look(picture: NDArray[np.uint8]) -> None:
        loaded.encoders.video(picture_tensor(picture[None], loaded.spec.video))

    _, milliseconds = timed(list(data.images[:TIMED]), look, f"timing {bundle.name}")
    return Result(
        bundle.name,
        labels,
        score_all(face_truths(data), given),
        milliseconds,
        (bundle / "face.safetensors").stat().st_size / 1e6,
        sum(one.numel() for one in loaded.encoders.densenet.parameters()),
        (f"{bundle}: its face network, weighted and calibrated as for a turn of pictures alone",),
    )


def _only_input(onnx: OnnxClassifier) -> Any:
    if len(onnx.inputs) != 1:
        names = ", ".join(node.name for node in onnx.inputs)
        raise UserError(
            f"{onnx.path} has the inputs {names}: export a model that takes the picture alone"
        )
    return onnx.inputs[0]


def _dtype(name: str, path: Path) -> type[np.generic]:
    found = DTYPES.get(name)
    if found is None or found in (np.int32, np.int64):
        raise UserError(f"{path} takes {name}, no pixels: export it with float or uint8 input")
    return found


def _shape(shape: Sequence[Any], options: FaceOptions, path: Path) -> tuple[str, int, int]:
    """Layout, channels and side; a size that is free in the file is a name or None there."""
    dims = [size if isinstance(size, int) and size > 0 else None for size in shape]
    takes = f"{path} takes {_written(shape)}"
    if len(dims) != 4 or dims[0] not in (None, 1):
        raise UserError(
            f"{takes}, not a batch of pictures with channels, height and width: export it with "
            "four dimensions and a batch of 1 or a free one"
        )
    layout = options.layout or _layout(dims)
    if layout is None:
        raise UserError(f"{takes}: say with --layout whether that is NCHW or NHWC")
    height, width, colours = dims[1:] if layout == "NHWC" else (dims[2], dims[3], dims[1])
    channels = _agree("--channels", colours, options.channels, takes)
    size = _agree("--size", height, options.size, takes)
    if width not in (None, size):
        raise UserError(f"{takes}: only square pictures are compared; export it with square ones")
    if channels not in (1, 3):
        raise UserError(f"{takes}: {channels} channels as {layout}; say another --layout")
    return layout, channels, size


def _layout(dims: Sequence[int | None]) -> str | None:
    first, last = dims[1] in (1, 3), dims[3] in (1, 3)
    if first == last:
        return None
    return "NCHW" if first else "NHWC"


def _agree(flag: str, own: int | None, said: int | None, takes: str) -> int:
    if own is None and said is None:
        raise UserError(f"{takes}: say with {flag} what is free there")
    if own is not None and said is not None and own != said:
        raise UserError(f"{flag} {said}: {takes}; leave {flag} out, or check --layout")
    return int(own if own is not None else said or 0)


def _per_channel(flag: str, values: Sequence[float], channels: int) -> NDArray[np.float32]:
    if len(values) not in (1, channels):
        raise UserError(f"{flag}: {len(values)} numbers for {channels} channels; give 1 or that")
    return np.array(values, np.float32)


def _written(shape: Sequence[Any]) -> str:
    return "x".join(str(size) if isinstance(size, int) else "?" for size in shape)
