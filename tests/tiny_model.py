"""Small real things that the tests of the model make: turns, tokenizers, clips."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import sentencepiece
import soundfile
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizer,
    PreTrainedTokenizerFast,
)

from engine.model.fusion import audio_features, video_features
from engine.model.model import EmotionModel, TurnInputs, add_lora, load_base
from engine.model.spec import MELD_LABELS, ModelSpec, PromptSpec, flat_instruction
from stream.media import SAMPLE_RATE, Samples, VideoFrame
from training.describe.description import Description
from training.script import Job
from training.smoke import WORDS
from training.sources import DESCRIPTIONS

TESTS = Path(__file__).parent
CLIP = TESTS.parent / "demo" / "talk.mp4"
INSTRUCTION_LINES = (
    flat_instruction(MELD_LABELS).strip(),
    PromptSpec().behaviour_instruction.strip(),
)


@functools.cache
def talk_frames(count: int = 64) -> tuple[VideoFrame, ...]:
    """The first pictures of a talking face, 640x360 at 24 a second."""
    frames: list[VideoFrame] = []
    with av.open(str(CLIP)) as container:
        for frame in container.decode(video=0):
            frames.append(VideoFrame(float(frame.time or 0.0), frame.to_ndarray(format="rgb24")))
            if len(frames) == count:
                break
    assert len(frames) == count
    return tuple(frames)


@functools.cache
def spoken(seconds: float = 3.0) -> Samples:
    """Real speech without the silence before it, at most 3.4 s, shape (N,)."""
    samples, rate = soundfile.read(TESTS / "assets" / "speech.wav", dtype="float32")
    assert rate == SAMPLE_RATE
    start = round(0.6 * rate)
    return np.asarray(samples[start : start + round(seconds * rate)], np.float32)


def as_after_training(spec: ModelSpec) -> EmotionModel:
    """A model of a tiny base whose LoRA and adapters do something."""
    torch.manual_seed(0)
    llm, tokenizer = load_base(Path(spec.llm.base))
    model = EmotionModel(spec, add_lora(llm, spec.llm), tokenizer)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def random_turn(
    spec: ModelSpec,
    seed: int,
    speaker: str = "Ann",
    text: str | None = "what a lovely day",
    windows: int = 3,
    video: bool = True,
) -> TurnInputs:
    """A turn with features of the right shapes; without sound where `windows` is 0."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    emotions = len(spec.labels)
    return TurnInputs(
        speaker,
        text,
        video=draw(spec.video.tokens, video_features(spec)) if video else None,
        audio=draw(windows, audio_features(spec)) if windows else None,
        video_scores=draw(emotions).log_softmax(0) if video else None,
        audio_scores=draw(emotions).log_softmax(0) if windows else None,
    )


def random_dialogues(spec: ModelSpec) -> list[list[TurnInputs]]:
    """Three dialogues of different lengths, in which every modality is absent once."""
    return [
        [
            random_turn(spec, 1, "Ann"),
            random_turn(spec, 2, "Ben", "oh", windows=0),
            random_turn(spec, 3, "Ann", None),
            random_turn(spec, 4, "Cid", "get out of my way, all of you, at once", video=False),
        ],
        [random_turn(spec, 5, "Ben", None, windows=0, video=False)],
        [
            random_turn(spec, 6, "Ann", "so?", windows=1),
            random_turn(spec, 7, "Ben", "someone is at the door", windows=0, video=False),
        ],
    ]


def llama_tokenizer() -> LlamaTokenizer:
    """A small tokenizer of LLaMA's own class: byte-pair encoding over a space mark."""
    vocabulary, merges = _byte_pairs()
    return LlamaTokenizer(vocab=vocabulary, merges=merges)


def older_llama_tokenizer() -> PreTrainedTokenizerFast:
    """The same as older tokenizer.json files have it: a space mark before every text."""
    vocabulary, merges = _byte_pairs()
    backend = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


@functools.cache
def _byte_pairs() -> tuple[dict[str, int], list[tuple[str, str]]]:
    reserved = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=reserved,
        initial_alphabet=list("ABCDEFGHIJKLMNOPQRSTUVWXYZ:->"),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"{label} -> {text}" for label, text in WORDS.items()], trainer)
    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [(left, right) for left, right in model["merges"]]


def sentencepiece_model() -> bytes:
    """A small `tokenizer.model`, as LLaMA's first models and Vicuna have it."""
    lines = [f"{text} -> {label} => raises the brows" for label, text in WORDS.items()]
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, *INSTRUCTION_LINES]),
        model_writer=written,
        model_type="bpe",
        vocab_size=420,
        required_chars="ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        byte_fallback=True,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    return written.getvalue()


def sentencepiece_tokenizer() -> Any:
    """What transformers reads of it."""
    with tempfile.TemporaryDirectory() as folder:
        _write_tokenizer(Path(folder))
        return AutoTokenizer.from_pretrained(folder)


def write_vicuna_like(folder: Path) -> Path:
    """A tiny LLaMA as Vicuna's repository has it: pickled weights, `tokenizer.model` alone."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=500,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=2048,
        architectures=["LlamaForCausalLM"],
    )
    config.save_pretrained(folder)
    torch.save(LlamaForCausalLM(config).state_dict(), folder / "pytorch_model.bin")
    _write_tokenizer(folder)
    return folder


def _write_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.model").write_bytes(sentencepiece_model())
    told = {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "legacy": False,
        "tokenizer_class": "LlamaTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(told))


def write_descriptions(job: Job) -> None:
    """One description for every utterance of train and dev."""
    job.runs.mkdir(parents=True, exist_ok=True)
    lines = []
    for split, dialogues in job.open_corpus().splits.items():
        for dialogue in dialogues:
            for one in dialogue.utterances:
                record = {
                    "corpus": "meld", "split": split, "dialogue": dialogue.id,
                    "utterance": one.utterance_id, "model": "none", "prompt_version": "1",
                    "frames": "0" * 64, "attempts": 1, "created": "2026-01-01T00:00:00Z",
                    "description": dataclasses.asdict(Description("raises the brows", "nods", "")),
                }  # fmt: skip
                lines.append(json.dumps(record))
    (job.runs / DESCRIPTIONS).write_text("\n".join(lines) + "\n")
