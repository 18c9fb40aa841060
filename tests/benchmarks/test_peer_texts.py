"""Text classifiers of transformers and ONNX read MELD's utterances, with or without the past."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx_double import export
from text_double import NAMES, Spotter, word_tokenizer, write_bert, write_spotter
from transformers import BertForSequenceClassification

from benchmarks.peer_texts import (
    OnnxTextModel,
    TextOptions,
    TransformersModel,
    open_text_model,
    read_texts,
    score_bundle_texts,
    score_text_model,
    texts_with_past,
)
from engine.model.recognizer import Recognizer
from stream.errors import UserError
from training.datasets.labels import MELD_LABELS
from training.evaluation import examples
from training.evaluation.scoring import score
from training.smoke import Smoke


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT with seven classes, saved as transformers saves it."""
    return write_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def spotter(tmp_path: Path) -> Path:
    """An ONNX in the layout of the hub, that knows the synthesised corpus's words."""
    return write_spotter(tmp_path)


def test_a_folder_of_transformers_is_scored(smoke: Smoke, folder: Path) -> None:
    """By its config's labels; the figures are those of its own logits."""
    conversations = read_texts(smoke.data)
    result = score_text_model(str(folder), (), TextOptions(), conversations)
    assert result.labels.names == NAMES
    assert result.parameters == sum(
        one.numel() for one in BertForSequenceClassification.from_pretrained(folder).parameters()
    )
    model = TransformersModel(folder)
    right = [
        NAMES[int(model(utterance.text).argmax())] == utterance.emotion
        for dialogue in conversations.dialogues
        for utterance in dialogue.utterances
    ]
    assert result.figures["MELD dev"].accuracy == pytest.approx(np.mean(right))
    assert result.milliseconds > 0


def test_an_onnx_with_its_tokenizer_is_scored(smoke: Smoke, spotter: Path) -> None:
    """Given as a folder or as the file; words that name the emotion are all understood."""
    conversations = read_texts(smoke.data)
    result = score_text_model(str(spotter), (), TextOptions(), conversations)
    assert result.figures["MELD dev"].accuracy == 1
    assert result.parameters is None
    with pytest.raises(UserError, match=r"has no tokenizer.json: put"):
        open_text_model(str(spotter / "onnx" / "model.onnx"))
    (spotter / "onnx" / "tokenizer.json").write_bytes((spotter / "tokenizer.json").read_bytes())
    again = score_text_model(
        str(spotter / "onnx" / "model.onnx"), NAMES, TextOptions(), conversations
    )
    assert again.figures["MELD dev"].accuracy == 1
    with pytest.raises(UserError, match="fewer than two"):
        score_text_model(str(spotter / "onnx" / "model.onnx"), (), TextOptions(), conversations)


def test_the_past_stands_before_the_utterance(smoke: Smoke) -> None:
    """Of the same dialogue alone, and only as much as is asked for."""
    conversations = read_texts(smoke.data)
    words = [utterance.text for utterance in conversations.dialogues[0].utterances]
    joined = texts_with_past(conversations, 1, " / ")
    assert joined[0] == words[0]
    assert joined[2] == f"{words[1]} / {words[2]}"
    assert joined[len(words)] == conversations.dialogues[1].utterances[0].text
    assert texts_with_past(conversations, 0, " / ")[2] == words[2]


def test_the_past_is_cut_where_a_model_cannot_read_so_much(folder: Path) -> None:
    """The utterance itself is kept: it stands last."""
    model = TransformersModel(folder)
    own = "what a lovely day"
    long = "get out of my way " * 30
    assert model(long + own).shape == (7,)
    np.testing.assert_allclose(model("oh " * 9 + long + own), model(long + own))


def test_a_limit_keeps_whole_dialogues(smoke: Smoke) -> None:
    """Context is never cut in two."""
    every = read_texts(smoke.data)
    few = read_texts(smoke.data, 5)
    assert few.dialogues == every.dialogues[:2]


def test_the_bundle_has_the_figures_of_evaluate(
    smoke: Smoke, tiny_bundle: Path, tiny_recognizer: Recognizer, tmp_path: Path
) -> None:
    """Both score the same words with the same past."""
    path = smoke.data / "meld" / "dev_sent_emo.csv"
    request = examples.Request(path, tiny_recognizer.encoders, tiny_recognizer.labels, tmp_path)
    expected = score(
        tiny_recognizer.model, tiny_recognizer.calibration, examples.read("meld", request)
    ).predictions.scores()
    result = score_bundle_texts(tiny_bundle, read_texts(smoke.data), smoke.spec.llm.base)
    found = result.figures["MELD dev"]
    assert found.n == expected.n
    assert (found.weighted_f1, found.ece) == pytest.approx((expected.weighted_f1, expected.ece))
    assert tuple(found.per_class) == MELD_LABELS


def test_a_name_is_looked_for_on_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch, smoke: Smoke
) -> None:
    """`org/name` goes through the project's own download, which takes safe files alone."""
    asked = []

    def snapshot(name: str, *, offline: bool = False) -> Path:
        asked.append(name)
        return folder

    monkeypatch.setattr("export.models.snapshot", snapshot)
    conversations = read_texts(smoke.data, 4)
    result = score_text_model("org/some-emotions", (), TextOptions(), conversations)
    assert asked == ["org/some-emotions"]
    assert result.name == "some-emotions"


def test_a_multi_label_model_is_read_so(folder: Path, tmp_path: Path) -> None:
    """Its config says that classes do not exclude each other."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config["problem_type"] = "multi_label_classification"
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert TransformersModel(tmp_path).kind == "sigmoid"
    assert TransformersModel(folder).kind is None


def test_foreign_code_is_never_run(folder: Path, tmp_path: Path) -> None:
    """A config that asks for a Python file beside it is refused, and the file not imported."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "foreign", "auto_map": {"AutoConfig": "foreign.ForeignConfig"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "foreign.py").write_text("raise SystemExit('this code was run')")
    with pytest.raises(UserError, match="without foreign code"):
        TransformersModel(tmp_path)


def test_a_base_model_is_no_classifier(smoke: Smoke) -> None:
    """Its classifier would be random, and the figures chance."""
    with pytest.raises(UserError, match=r"no weights for .*: it is a base model"):
        TransformersModel(Path(smoke.spec.llm.base))


def test_pickled_weights_are_not_loaded(folder: Path, tmp_path: Path) -> None:
    """A folder with pytorch_model.bin alone is refused."""
    for path in folder.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"not read")
    with pytest.raises(UserError, match="safetensors weights"):
        TransformersModel(tmp_path)


def test_a_broken_tokenizer_is_explained(spotter: Path) -> None:
    """And so is an input that no text gives."""
    (spotter / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer.json or config.json cannot be read"):
        open_text_model(str(spotter))
    word_tokenizer().save(str(spotter / "tokenizer.json"))
    given = torch.ones(1, 5, dtype=torch.int64)
    both = ("input_ids", "speaker")
    file = export(Spotter(), (given, given), spotter / "model.onnx", both)
    with pytest.raises(UserError, match="has the inputs speaker: a text model takes"):
        OnnxTextModel(spotter, file, None)
