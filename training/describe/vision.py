"""A teacher that runs here: any image-text model of transformers (paper: Qwen2-VL)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from transformers import AutoModelForImageTextToText, GenerationConfig

from export.models import resolve
from stream.errors import UserError
from training.describe.answers import parse_answer
from training.describe.description import Description
from training.describe.pictures import fit
from training.describe.processor import load_processor
from training.describe.prompt import PROMPT_VERSION, write_prompt
from training.describe.teacher import Failure, Request, TeacherDownError
from training.device import make_room, training_device

MAX_NEW_TOKENS = 300
RETRY_TEMPERATURE = 0.7
"""Of the second and later attempts; the first is greedy."""
LONGEST_STRIP = 100
"""Widest proportion of a picture's sides: image processors refuse a line of pixels."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class VisionTeacher:
    """A `Teacher` of transformers; `load` makes one."""

    name: str
    """As it was asked for: a name on the hub or a path."""
    model: Any
    """A `PreTrainedModel` for image and text to text."""
    processor: Any
    """Its `ProcessorMixin`, which pads on the left."""
    batch: int = 8
    """Utterances at once; halved when memory does not suffice, and then kept so."""
    max_new_tokens: int = MAX_NEW_TOKENS
    prompt_version: str = field(default=PROMPT_VERSION)

    @classmethod
    def load(cls, name: str, batch: int = 8, device: str | None = None) -> VisionTeacher:
        """Load a model.

        Args:
            name: On the Hugging Face hub, or a path.
            batch: Utterances at once.
            device: Of torch; by default the GPU where there is one. Weights are bf16 there
                and fp32 on a CPU.

        Raises:
            UserError: There is no such model or device, or it is no image-text model.
        """
        where = _existing(device) if device else str(training_device())
        folder = resolve(name)
        make_room()
        processor = load_processor(folder)
        try:
            model = AutoModelForImageTextToText.from_pretrained(
                folder,
                dtype=torch.float32 if where == "cpu" else torch.bfloat16,
                device_map=where,
                local_files_only=True,
                use_safetensors=True,
            )
        except (OSError, ValueError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{name} cannot be loaded as an image-text model ({reason}): "
                "give another one with --model"
            ) from error
        # Sampling settings of the model's authors would make the first attempt random.
        model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
            eos_token_id=model.generation_config.eos_token_id,
            pad_token_id=processor.tokenizer.pad_token_id,
        )
        model.train(False)
        return cls(name, model, processor, batch)

    def describe(self, requests: Sequence[Request]) -> list[Description | Failure]:
        """Generate in batches that fit into memory; see `Teacher`."""
        answers, self.batch = in_batches(requests, self.batch, self._describe)
        return answers

    def _describe(self, requests: Sequence[Request]) -> list[Description | Failure]:
        shown = [request for request in requests if not _is_strip(request)]
        answers = iter(self.generate(shown) if shown else [])
        return [
            Failure("a picture is too narrow for the model", final=True)
            if _is_strip(request)
            else parse_answer(next(answers))
            for request in requests
        ]

    def inputs(self, requests: Sequence[Request]) -> Mapping[str, torch.Tensor]:
        """What the model reads: `input_ids` (B, T), pixels, and whatever else its kind needs."""
        inputs: Mapping[str, torch.Tensor] = self.processor.apply_chat_template(
            [_conversation(request) for request in requests],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            # Control tokens in the corpus's words would be read as such.
            sanitize_control_tokens=True,
            processor_kwargs={"padding": True},
        ).to(self.model.device, dtype=self.model.dtype)
        return inputs

    def generate(self, requests: Sequence[Request]) -> list[str]:
        """What the model answers to some requests, as one batch."""
        inputs = self.inputs(requests)
        attempt = requests[0].attempt
        sampling: dict[str, Any] = {"do_sample": False}
        if attempt > 1:
            sampling = {"do_sample": True, "temperature": RETRY_TEMPERATURE}
        with torch.inference_mode(), torch.random.fork_rng(_gpus_of(self.model)):
            torch.manual_seed(attempt)
            tokens = self.model.generate(**inputs, max_new_tokens=self.max_new_tokens, **sampling)
        new = tokens[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = self.processor.tokenizer.batch_decode(new, skip_special_tokens=True)
        return texts


def _existing(device: str) -> str:
    """The device, if this machine has it."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        count = torch.cuda.device_count()
        known = ", ".join(["cpu", *(f"cuda:{number}" for number in range(count))])
        raise UserError(f"--device {device}: this machine has {known}") from error
    return device


def in_batches(
    items: Sequence[Item], size: int, work: Callable[[Sequence[Item]], list[Result]]
) -> tuple[list[Result], int]:
    """Work on items in batches, halving them whenever memory does not suffice.

    Args:
        items: What to work on.
        size: Of a batch, to begin with.
        work: Gives a result for each item of a batch.

    Returns:
        The results in order, and the size that memory sufficed for.

    Raises:
        TeacherDownError: Memory does not suffice for one item. It has what was worked out before.
    """
    done: list[Result] = []
    while len(done) < len(items):
        try:
            done += work(items[len(done) : len(done) + size])
            continue
        except torch.OutOfMemoryError as error:
            if size == 1:
                known: Any = dict(enumerate(done))
                raise TeacherDownError(
                    "the model does not fit into memory with a single utterance: "
                    "give fewer --frames or a smaller --model",
                    known,
                ) from error
        # Only here, where the error and with it the batch's tensors are gone, is there room.
        size //= 2
        torch.cuda.empty_cache()
    return done, size


def _gpus_of(model: Any) -> list[int]:
    """The GPU that a model is on; saving the state of the others would make a context on each."""
    device = model.device
    if device.type != "cuda":
        return []
    return [torch.cuda.current_device() if device.index is None else device.index]


def _conversation(request: Request) -> list[dict[str, Any]]:
    pictures = [{"type": "image", "image": fit(frame.image)} for frame in request.frames]
    content = [*pictures, {"type": "text", "text": write_prompt(request)}]
    return [{"role": "user", "content": content}]


def _is_strip(request: Request) -> bool:
    sides = [sorted(frame.image.shape[:2]) for frame in request.frames]
    return any(long > LONGEST_STRIP * short for short, long in sides)
