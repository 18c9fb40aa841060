"""Loading the processor of an image-text model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_qwen import write_tiny_qwen
from transformers import LlamaConfig, Qwen2VLProcessor
from transformers.utils import is_torchvision_available

from stream.errors import UserError
from training.describe import processor as module
from training.describe.processor import load_processor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a tiny Qwen2-VL, in the hub's files."""
    return write_tiny_qwen(tmp_path / "model")


def test_a_processor_for_pictures_is_loaded(folder: Path) -> None:
    """With or without torchvision; it pads on the left, as generation needs it."""
    processor = load_processor(folder)
    assert isinstance(processor, Qwen2VLProcessor)
    assert processor.tokenizer.padding_side == "left"
    assert processor.image_processor.merge_size == 2
    assert hasattr(processor, "video_processor") == is_torchvision_available()


def test_the_part_for_videos_can_be_left_out(folder: Path) -> None:
    """What is loaded where torchvision is missing is the same processor but for videos."""
    kind = module._pictures_only(Qwen2VLProcessor)
    processor = kind.from_pretrained(folder)
    assert kind.get_attributes() == ["image_processor", "tokenizer"]
    assert processor.chat_template == load_processor(folder).chat_template
    assert processor.image_token_id == load_processor(folder).image_token_id


def test_a_tokenizer_without_padding_pads_with_its_end(folder: Path) -> None:
    """Batches need some token for it, which the mask hides."""
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    del settings["pad_token"]
    path.write_text(json.dumps(settings))
    tokenizer = load_processor(folder).tokenizer
    assert tokenizer.pad_token == tokenizer.eos_token


def test_a_model_of_text_alone_is_refused(folder: Path) -> None:
    """A tokenizer is no processor for pictures."""
    (folder / "preprocessor_config.json").unlink()
    LlamaConfig().save_pretrained(folder)
    with pytest.raises(UserError, match=r"no image-text model.*--model"):
        load_processor(folder)


def test_a_base_model_without_a_chat_template_is_refused(folder: Path) -> None:
    """It would not answer a question."""
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match="no chat template"):
        load_processor(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
def test_damaged_files_are_said(folder: Path, name: str) -> None:
    """One line with the folder and the flag."""
    (folder / name).write_text("{")
    with pytest.raises(UserError, match="--model") as raised:
        load_processor(folder)
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value)
