"""One place for every number, read back exactly or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.model.densenet import DenseNet
from engine.model.encoders import SpeechEncoder
from engine.model.fusion import Fusion
from engine.model.spec import SPECS, AudioSpec, ModelSpec, compact, paper
from training.smoke import smoke_recipe

MAKERS = [*SPECS.values(), lambda: smoke_recipe(Path("base")).spec]


@pytest.mark.parametrize("make", MAKERS, ids=["compact", "paper", "smoke"])
def test_survives_json(make: Callable[[], ModelSpec]) -> None:
    """What a bundle stores is what is read back, lists becoming tuples again."""
    spec = make()
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize("make", MAKERS, ids=["compact", "paper", "smoke"])
def test_can_be_built(make: Callable[[], ModelSpec]) -> None:
    """Encoders, adapters and absent tokens exist in the sizes that the spec says."""
    spec = make()
    densenet = DenseNet(spec.video.densenet)
    assert densenet.classifier.in_features == spec.video.densenet.features
    fusion = Fusion(spec)
    assert fusion.absent["text"].shape == (spec.llm.hidden_size,)
    assert fusion.adapters["audio"].gain.shape == (spec.llm.hidden_size,)
    if spec.audio.hidden:
        encoder = SpeechEncoder.of(spec.audio, len(spec.labels))
        assert encoder.layers[-1].out_features == len(spec.labels)


def test_paper_has_the_sizes_of_the_paper() -> None:
    """64 whole frames of 336x336 in DenseNet-121, ComParE 2016 per two seconds, Vicuna-7B."""
    spec = paper()
    assert (spec.video.source, spec.video.frames, spec.video.size) == ("frame", 64, 336)
    assert spec.video.densenet.block_layers == (6, 12, 24, 16)
    assert (spec.audio.features, spec.audio.window_seconds) == (6373, 2.0)
    assert (spec.llm.base, spec.llm.hidden_size) == ("lmsys/vicuna-7b-v1.5", 4096)


def changed(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """The compact spec as JSON values, with one of them replaced or added."""
    document: dict[str, Any] = json.loads(json.dumps(compact().to_dict()))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (("colour",), "colour"),
        (("video", "siez"), "spec.video: unknown key siez"),
        (("video", "densenet", "growth"), "spec.video.densenet: unknown key growth"),
        (("llm", "lora_dropout"), "spec.llm: unknown key lora_dropout"),
    ],
)
def test_an_unknown_key_is_refused(path: tuple[str, ...], named: str) -> None:
    """A misspelt key is an error that names it, and not a silent default."""
    with pytest.raises(ValueError, match=named):
        ModelSpec.from_dict(changed(path, 1))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), 3),
        (("evidence",), 1),
        (("evidence",), "yes"),
        (("labels",), "joy"),
        (("labels",), ["joy", 1]),
        (("video",), [48]),
        (("video", "size"), "48"),
        (("video", "size"), 48.5),
        (("video", "size"), True),
        (("video", "mean"), "half"),
        (("video", "mean"), False),
        (("video", "densenet"), None),
        (("video", "densenet", "block_layers"), 3),
        (("video", "densenet", "block_layers"), [3, "6"]),
        (("llm", "lora_rank"), "16"),
        (("llm", "lora_targets"), {"q_proj": 1}),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(path: tuple[str, ...], value: object) -> None:
    """The message names the key with its path."""
    with pytest.raises(ValueError, match=".".join(("spec", *path))):
        ModelSpec.from_dict(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("version",), 2, "version 2"),
        (("labels",), ["joy"], "labels"),
        (("labels",), ["joy", "joy"], "labels"),
        (("video", "source"), "hand", "video.source 'hand'"),
        (("video", "size"), 8, "video.size 8"),
        (("video", "tokens"), 0, "video.tokens 0"),
        (("video", "tokens"), 65, "video.tokens 65"),
        (("video", "std"), 0.0, "video.std"),
        (("video", "std"), float("nan"), "video.std"),
        (("video", "face_scale"), 0, "video.face_scale"),
        (("video", "densenet", "stem"), "huge", "stem"),
        (("video", "densenet", "growth_rate"), 0, "growth_rate=0"),
        (("video", "densenet", "in_channels"), 2, "in_channels"),
        (("audio", "feature_set"), "mfcc", "audio.feature_set"),
        (("audio", "hop_seconds"), 0.0, "audio.hop_seconds"),
        (("audio", "hop_seconds"), 2.5, "audio.hop_seconds"),
        (("audio", "max_windows"), 0, "audio.max_windows"),
        (("audio", "selected"), 89, "audio.selected 89: 0 to 88"),
        (("audio", "selected"), -1, "audio.selected -1"),
        (("prompt", "max_text_tokens"), 0, "prompt.max_text_tokens"),
        (("prompt", "context_tokens"), 0, "prompt.context_tokens"),
        (("llm", "hidden_size"), 0, "llm.hidden_size"),
        (("llm", "lora_rank"), -1, "llm.lora_rank"),
        (("llm", "lora_first_layer"), -1, "llm.lora_first_layer"),
    ],
)
def test_a_value_out_of_range_is_refused(path: tuple[str, ...], value: object, named: str) -> None:
    """The message names the key."""
    with pytest.raises(ValueError, match=named):
        ModelSpec.from_dict(changed(path, value))


def test_a_selection_needs_a_network() -> None:
    """Its training chooses; functionals that are only standardised are all kept."""
    document = changed(("audio", "selected"), 20)
    document["audio"]["hidden"] = 0
    with pytest.raises(ValueError, match=r"audio\.selected.*audio\.hidden"):
        ModelSpec.from_dict(document)


def test_a_spec_of_an_older_bundle_is_read() -> None:
    """Without the keys that came later it is what it was."""
    document = compact().to_dict()
    del document["audio"]["selected"], document["audio"]["speaker_normalised"]
    audio = ModelSpec.from_dict(document).audio
    assert (audio.kept, audio.width, audio.speaker_normalised) == (88, 88, False)


def test_what_the_network_reads_follows_the_keys() -> None:
    """Those that are kept, and as many relative to the speaker."""
    audio = AudioSpec(feature_set="ComParE_2016", selected=300, speaker_normalised=True)
    assert (audio.features, audio.kept, audio.width) == (6373, 300, 600)


def test_a_spec_without_a_name_is_refused() -> None:
    """Only `name` has no default; a spec without it is a ValueError like any other mistake."""
    document = compact().to_dict()
    del document["name"]
    with pytest.raises(ValueError, match="name"):
        ModelSpec.from_dict(document)


def test_whole_numbers_serve_where_a_fraction_is_meant() -> None:
    """JSON writes 2.0 as 2 in many languages."""
    spec = ModelSpec.from_dict(changed(("audio", "window_seconds"), 2))
    assert spec == compact()
    assert isinstance(spec.audio.window_seconds, float)


def test_a_scale_is_one_number_or_one_of_each_channel() -> None:
    """Both survive JSON; a bundle with one number keeps it, and two of three are refused."""
    spec = paper()
    assert spec.video.mean == (0.485, 0.456, 0.406)
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    older = spec.to_dict()
    older["video"] |= {"mean": 0.45, "std": 0.225}
    assert ModelSpec.from_dict(older).video.mean == 0.45
    for name in ("mean", "std"):
        values = spec.to_dict()
        values["video"][name] = [0.4, 0.4]
        with pytest.raises(ValueError, match=f"video.{name}: one number, or 3, one of each chan"):
            ModelSpec.from_dict(values)
    values = spec.to_dict()
    values["video"]["std"] = [0.2, 0.0, 0.2]
    with pytest.raises(ValueError, match=r"video\.std: positive"):
        ModelSpec.from_dict(values)
