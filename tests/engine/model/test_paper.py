"""The `paper` spec end to end: everything at its real size but the language model's depth."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from tiny_model import llama_tokenizer, spoken, talk_frames
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from engine.dialogue import Turn
from engine.model.calibration import Calibration
from engine.model.densenet import DenseNet
from engine.model.encoders import Encoders, SpeechEncoder
from engine.model.fusion import audio_features, video_features
from engine.model.model import EmotionModel, add_lora, load_base
from engine.model.recognizer import Recognizer
from engine.model.spec import ModelSpec, paper
from stream.media import Utterance
from training.smoke import write_tiny_llama


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """Paper's, on a LLaMA of two layers with a tokenizer of its family."""
    tokenizer, base = (tmp_path_factory.mktemp(name) for name in ("tokenizer", "base"))
    llama_tokenizer().save_pretrained(tokenizer)
    write_tiny_llama(base, tokenizer, layers=2, width=256)
    full = paper()
    llm = dataclasses.replace(full.llm, base=str(base), hidden_size=256, lora_rank=4)
    return dataclasses.replace(full, llm=llm)


@pytest.mark.slow
def test_forward_and_backward(spec: ModelSpec) -> None:
    """64 frames of 336x336 and ComParE windows become a recognition, then a gradient step."""
    torch.manual_seed(0)
    llm, tokenizer = load_base(Path(spec.llm.base))
    model = EmotionModel(spec, add_lora(llm, spec.llm), tokenizer)
    densenet = DenseNet(spec.video.densenet)
    speech = SpeechEncoder.of(spec.audio, len(spec.labels))
    recognizer = Recognizer(model, Encoders(spec, densenet, speech), None, Calibration())
    utterance = Utterance(
        id="1",
        participant="Ann",
        start=0.0,
        end=3.0,
        frames=talk_frames(spec.video.frames),
        audio=spoken(3.0),
        text="Someone is at the door.",
    )
    result = recognizer.recognize(utterance, [Turn("Ben", "Oh really?")])
    assert set(result.contributions) == {"text", "audio", "video"}
    assert sum(result.probabilities.values()) == pytest.approx(1, abs=1e-5)
    turn = result.inputs
    assert turn is not None
    assert turn.video is not None
    assert turn.audio is not None
    assert turn.video.shape == (spec.video.tokens, video_features(spec)) == (8, 2048)
    assert turn.audio.shape == (2, audio_features(spec)) == (2, 6373)
    assert torch.isfinite(turn.video).all()
    assert torch.isfinite(turn.audio).all()

    model.train()
    loss = functional.cross_entropy(model([[turn, turn]]), torch.tensor([1, 4]))
    loss.backward()
    assert torch.isfinite(loss)
    names = {name for name, p in model.named_parameters() if p.grad is not None}
    assert all("lora_" in name or name.startswith("fusion.") for name in names)
    for part in ("adapters.video", "adapters.audio", "lora_A", "lora_B"):
        gradients = [p.grad for n, p in model.named_parameters() if part in n]
        assert all(gradient is not None for gradient in gradients), part
        if part != "lora_A":  # LoRA's A learns once B has left zero
            assert all(gradient.abs().sum() > 0 for gradient in gradients), part
    assert len([name for name in names if "lora_B" in name]) == 2 * len(spec.llm.lora_targets)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 1e-2 * parameter.grad / (parameter.grad.norm() + 1e-9)
        after = functional.cross_entropy(model([[turn, turn]]), torch.tensor([1, 4]))
    assert after < loss


def test_the_real_vicuna_shape_takes_lora() -> None:
    """Its 32 layers, made without memory, have every layer that the spec names."""
    spec = paper()
    with torch.device("meta"):
        llm = add_lora(LlamaForCausalLM(LlamaConfig()), spec.llm)
    assert llm.config.hidden_size == spec.llm.hidden_size
    trained = [name for name, parameter in llm.named_parameters() if parameter.requires_grad]
    assert len(trained) == 2 * 32 * len(spec.llm.lora_targets)
