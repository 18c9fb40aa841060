"""The processor of an image-text model, with or without torchvision.

Processors such as Qwen2-VL's also take videos, and transformers prepares those with
torchvision alone. A teacher is shown pictures one by one, which Pillow prepares as well, so
where torchvision is missing the processor is loaded without its part for videos.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from stream.errors import UserError

_VIDEO = "video_processor"


def load_processor(folder: Path) -> Any:
    """The processor in a folder, which pads on the left as generation needs it.

    Raises:
        UserError: There is none, it needs more than Pillow, or it has no chat template.
    """
    try:
        processor = _load(folder)
    except ImportError as error:
        raise UserError(
            f"the processor in {folder} needs a package that is missing "
            f"({_one_line(error)}): install it, or choose another model"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{folder} has no processor for pictures and text ({_one_line(error)}): "
            "give an image-text model with --model"
        ) from error
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None or not hasattr(processor, "image_processor"):
        raise UserError(f"{folder} is no image-text model: give another one with --model")
    if not (getattr(processor, "chat_template", None) or tokenizer.chat_template):
        raise UserError(f"{folder} has no chat template: give an instruction-tuned model")
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return processor


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _load(folder: Path) -> Any:
    try:
        processor: Any = AutoProcessor
        return processor.from_pretrained(folder, local_files_only=True)
    except ImportError:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        kind: Any = PROCESSOR_MAPPING[type(config)]
        if _VIDEO not in kind.get_attributes():
            raise
        return _pictures_only(kind).from_pretrained(folder, local_files_only=True)


def _pictures_only(kind: Any) -> Any:
    """A processor's class without the part that prepares videos."""

    def get_attributes(cls: Any) -> list[str]:
        return [name for name in kind.get_attributes() if name != _VIDEO]

    return type(kind.__name__, (kind,), {"get_attributes": classmethod(get_attributes)})
