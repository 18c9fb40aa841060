"""ONNX face models of every usual shape are given the same pictures, and mistakes are explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx_double import ByBrightness, export
from torch import Tensor, nn

from benchmarks.peer_faces import (
    FaceModel,
    FaceOptions,
    score_bundle_faces,
    score_face_model,
)
from engine.model.inputs import picture_tensor
from engine.model.recognizer import Recognizer
from stream.errors import UserError
from training.datasets.fer2013 import Fer2013
from training.datasets.labels import MELD_LABELS
from training.evaluation import examples
from training.evaluation.scoring import score
from training.face import evaluate
from training.smoke import Smoke

SIDE = 48


def striped(labels: list[int]) -> Fer2013:
    """Grey pictures, each with a bright stripe at the place of its label."""
    images = np.full((len(labels), SIDE, SIDE), 40, np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[round(label * SIDE / 7) : round((label + 1) * SIDE / 7)] = 200
    votes = np.eye(7, dtype=np.float32)[labels]
    majority = np.array(labels, np.int64)
    return Fer2013(images, majority, votes, majority, np.ones(len(labels), bool))


DATA = striped([0, 1, 2, 3, 4, 5, 6, 0])


@pytest.mark.parametrize(
    ("shape", "last", "dtype"),
    [
        ((1, 1, 48, 48), False, torch.float32),
        ((1, 3, 56, 56), False, torch.float32),
        ((1, 48, 48, 1), True, torch.float32),
        ((1, 48, 48, 3), True, torch.uint8),
    ],
)
@pytest.mark.parametrize("free", [None, {}])
def test_shape_layout_and_type_are_read(
    tmp_path: Path,
    shape: tuple[int, ...],
    last: bool,
    dtype: torch.dtype,
    free: dict[str, list[int]] | None,
) -> None:
    """Grey or RGB, channels first or last, float or uint8, batch free or 1: all are right."""
    picture = torch.zeros(shape, dtype=dtype)
    path = export(ByBrightness(7, last), picture, tmp_path / "m.onnx", free=free)
    result = score_face_model(path, MELD_LABELS, FaceOptions(), DATA)
    assert result.figures["FER2013 label"].accuracy == 1
    assert result.figures["FERPlus majority of 7"].n == 8
    assert result.megabytes == pytest.approx(path.stat().st_size / 1e6)
    assert ("assumed" in result.notes[0]) == (dtype == torch.float32)


@pytest.mark.parametrize(
    ("options", "low", "high"),
    [
        (FaceOptions(), 40 / 255, 200 / 255),
        (FaceOptions(range="0..255"), 40, 200),
        (FaceOptions(range="-1..1"), 40 / 127.5 - 1, 200 / 127.5 - 1),
        (FaceOptions(mean=(0.5,), std=(0.25,)), (40 / 255 - 0.5) * 4, (200 / 255 - 0.5) * 4),
    ],
)
def test_pixels_are_scaled_as_said(
    tmp_path: Path, options: FaceOptions, low: float, high: float
) -> None:
    """Range first, then mean and deviation."""
    path = export(ByBrightness(7), torch.zeros(1, 1, 48, 48), tmp_path / "m.onnx")
    given = FaceModel(path, options).prepare(DATA.images[0])
    assert given.shape == (1, 1, 48, 48)
    assert (given.min(), given.max()) == (pytest.approx(low), pytest.approx(high))


def test_mean_and_deviation_may_differ_by_channel(tmp_path: Path) -> None:
    """ImageNet's, say; a wrong number of them is refused."""
    path = export(ByBrightness(7), torch.zeros(1, 3, 48, 48), tmp_path / "m.onnx")
    given = FaceModel(path, FaceOptions(mean=(0.1, 0.2, 0.3))).prepare(DATA.images[0])
    np.testing.assert_allclose(given[0, :, 0, 0], 200 / 255 - np.array([0.1, 0.2, 0.3]), rtol=1e-5)
    with pytest.raises(UserError, match="--std: 2 numbers for 3 channels"):
        FaceModel(path, FaceOptions(std=(1.0, 2.0)))


def test_a_contempt_class_is_left_out(tmp_path: Path) -> None:
    """Eight classes in another order, of which one is always the surest."""

    class WithContempt(ByBrightness):
        def forward(self, image: Tensor) -> Tensor:
            seven = super().forward(image)
            return torch.cat([10 + 0 * seven[:, :1], seven], 1)

    path = export(WithContempt(7), torch.zeros(1, 1, 48, 48), tmp_path / "m.onnx")
    result = score_face_model(path, ["contempt", *MELD_LABELS], FaceOptions(), DATA)
    assert result.labels.left_out == ("contempt",)
    assert result.figures["FER2013 label"].accuracy == 1


def test_our_own_network_as_onnx_has_our_own_figures(
    smoke: Smoke, tiny_bundle: Path, tiny_recognizer: Recognizer, tmp_path: Path
) -> None:
    """What `training.face` and `training.evaluate` say of the DenseNet, the ONNX says too."""
    network, spec = tiny_recognizer.encoders.densenet, tiny_recognizer.spec.video
    data = examples.read_dev_faces(smoke.data / "fer2013")
    path = export(network, torch.zeros(1, 1, spec.size, spec.size), tmp_path / "own.onnx")
    options = FaceOptions(mean=(spec.mean,), std=(spec.std,))
    result = score_face_model(path, tiny_recognizer.labels, options, data)
    plus = result.figures["FERPlus majority of 7"]
    assert plus.accuracy == evaluate(network, data, spec)
    picture = data.images[:1]
    np.testing.assert_array_equal(
        FaceModel(path, options).prepare(picture[0]), picture_tensor(picture, spec).numpy()
    )
    request = examples.Request(
        smoke.data / "fer2013", tiny_recognizer.encoders, tiny_recognizer.labels, tmp_path
    )
    whole = score(
        tiny_recognizer.model, tiny_recognizer.calibration, examples.read("fer2013", request)
    )
    bundle = score_bundle_faces(tiny_bundle, data, smoke.spec.llm.base)
    own = bundle.figures["FER2013 label"]
    expected = whole.predictions.scores()
    assert (own.accuracy, own.macro_f1, own.ece) == pytest.approx(
        (expected.accuracy, expected.macro_f1, expected.ece)
    )
    ferplus = bundle.figures["FERPlus majority of 7"]
    assert ferplus.accuracy == whole.extra["ferplus_accuracy"]
    assert ferplus.n == whole.extra["ferplus_n"]
    agreed = bundle.figures["FERPlus, more than half agree"]
    assert agreed.accuracy == whole.extra["ferplus_agreed_accuracy"]
    assert agreed.n == whole.extra["ferplus_agreed_n"]


def test_pictures_without_a_majority_count_for_fer2013_alone(tmp_path: Path) -> None:
    """And none with one at all is an error that says so."""
    path = export(ByBrightness(7), torch.zeros(1, 1, 48, 48), tmp_path / "m.onnx")
    data = replace(DATA, majority=np.array([0, -1, 2, 3, 4, 5, 6, -1]), agreed=np.arange(8) < 4)
    result = score_face_model(path, MELD_LABELS, FaceOptions(), data)
    assert [one.n for one in result.figures.values()] == [8, 6, 3]
    with pytest.raises(UserError, match="none of the 1 examples has a FERPlus"):
        score_face_model(
            path,
            MELD_LABELS,
            FaceOptions(),
            data.choose(slice(1, 2)),
        )


class Two(nn.Module):
    """Two outputs, of which the second has the classes; or two inputs."""

    def forward(self, image: Tensor, other: Tensor | None = None) -> tuple[Tensor, Tensor] | Tensor:
        """Valence, and classes."""
        classes = ByBrightness(7)(image)
        return (classes[:, :1], classes) if other is None else classes + other


def test_of_several_outputs_one_is_named(tmp_path: Path) -> None:
    """Without a name the message has them all."""
    names = ("valence", "classes")
    path = export(Two(), torch.zeros(1, 1, 48, 48), tmp_path / "m.onnx", outputs=names)
    with pytest.raises(UserError, match="outputs valence, classes: say with --output"):
        FaceModel(path, FaceOptions())
    with pytest.raises(UserError, match=r"--output nothing: .* has the outputs"):
        FaceModel(path, FaceOptions(output="nothing"))
    result = score_face_model(path, MELD_LABELS, FaceOptions(output="classes"), DATA)
    assert result.figures["FER2013 label"].accuracy == 1


def test_several_inputs_are_refused(tmp_path: Path) -> None:
    """A model that wants more than a picture cannot be asked."""
    both = (torch.zeros(1, 1, 48, 48), torch.zeros(1, 7))
    path = export(Two(), both, tmp_path / "m.onnx", names=("image", "landmarks"))
    with pytest.raises(UserError, match="inputs image, landmarks: export a model"):
        FaceModel(path, FaceOptions())


@pytest.mark.parametrize(
    ("shape", "free", "options", "message"),
    [
        ((1, 2304), None, FaceOptions(), r"takes \?x2304, not a batch of pictures"),
        ((8, 1, 48, 48), {}, FaceOptions(), "takes 8x1x48x48, not a batch of pictures"),
        ((1, 1, 48, 48), {"image": [1, 2, 3]}, FaceOptions(), "say with --layout"),
        (
            (1, 1, 48, 48),
            {"image": [1, 2, 3]},
            FaceOptions(layout="NCHW", channels=1),
            "say with --size",
        ),
        ((1, 1, 48, 48), None, FaceOptions(size=64), "--size 64: .*1x48x48; leave --size out"),
        ((1, 1, 48, 56), None, FaceOptions(), "only square pictures"),
        ((1, 5, 48, 48), None, FaceOptions(), "say with --layout"),
        ((1, 5, 48, 48), None, FaceOptions(layout="NCHW"), "5 channels as NCHW"),
        ((1, 1, 48, 48), None, FaceOptions(std=(0.0,)), "--std: must not be 0"),
    ],
)
def test_an_input_that_cannot_be_filled_is_explained(
    tmp_path: Path,
    shape: tuple[int, ...],
    free: dict[str, list[int]] | None,
    options: FaceOptions,
    message: str,
) -> None:
    """What the file says, and which flag or export helps."""

    class Any2d(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.flatten(1)[:, :7] + 0

    path = export(Any2d(), torch.zeros(shape), tmp_path / "m.onnx", free=free)
    with pytest.raises(UserError, match=message):
        FaceModel(path, options)


def test_free_sizes_are_filled_by_what_is_said(tmp_path: Path) -> None:
    """A file that says nothing of its input works with three flags."""
    path = export(
        ByBrightness(7),
        torch.zeros(1, 1, 48, 48),
        tmp_path / "m.onnx",
        free={"image": [0, 1, 2, 3]},
    )
    options = FaceOptions(size=48, channels=1, layout="NCHW")
    result = score_face_model(path, MELD_LABELS, options, DATA)
    assert result.figures["FER2013 label"].accuracy == 1


def test_uint8_has_no_other_range(tmp_path: Path) -> None:
    """Whole numbers cannot lie between 0 and 1."""
    path = export(
        ByBrightness(7), torch.zeros(1, 1, 48, 48, dtype=torch.uint8), tmp_path / "m.onnx"
    )
    with pytest.raises(UserError, match=r"only 0\.\.255"):
        FaceModel(path, FaceOptions(range="0..1"))


def test_words_are_no_pixels(tmp_path: Path) -> None:
    """A model of whole numbers of 64 bits is none of faces."""
    path = export(
        ByBrightness(7), torch.zeros(1, 1, 48, 48, dtype=torch.int64), tmp_path / "m.onnx"
    )
    with pytest.raises(UserError, match=r"tensor\(int64\), no pixels"):
        FaceModel(path, FaceOptions())


class Broken(nn.Module):
    """Fits 48 pixels alone, though its file says any; or gives what is no class."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, image: Tensor) -> Tensor:
        """A map, NaN, or a failure."""
        if self.how == "map":
            return image[:, 0]
        if self.how == "nan":
            return torch.log(-1 - image.flatten(1)[:, :7])
        return image.reshape(1, 2304)[:, :7]


@pytest.mark.parametrize(
    ("how", "options", "message"),
    [
        ("map", FaceOptions(size=48), r"shape \(1, 48, 48\) for one example"),
        ("nan", FaceOptions(size=48), "not finite: check .*--range"),
        ("size", FaceOptions(size=64), r"fails on an input image \(1, 1, 64, 64\)"),
    ],
)
def test_a_model_that_fails_is_explained(
    tmp_path: Path, how: str, options: FaceOptions, message: str
) -> None:
    """Its own error does not end in a traceback."""
    path = export(
        Broken(how), torch.zeros(1, 1, 48, 48), tmp_path / "m.onnx", free={"image": [2, 3]}
    )
    with pytest.raises(UserError, match=message):
        score_face_model(path, MELD_LABELS, options, DATA)


def test_a_wrong_number_of_labels_is_explained(tmp_path: Path) -> None:
    """Both numbers are in the message."""
    path = export(ByBrightness(8), torch.zeros(1, 1, 48, 48), tmp_path / "m.onnx")
    with pytest.raises(UserError, match="has 8 classes, and there are 7 labels"):
        score_face_model(path, MELD_LABELS, FaceOptions(), DATA)
