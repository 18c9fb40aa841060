"""Tests of unpacking a GGUF model: a real two-layer model in a real file."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from export.gguf import dequantize

WIDTH, HIDDEN, HEADS = 32, 64, 4
TOKENS = [*(chr(code) for code in range(33, 127)), "Ġ", "he", "<|endoftext|>"]


def write_gguf(path: Path) -> dict[str, np.ndarray]:
    """A one-layer LLaMA with Q8_0 feed-forward weights; returns its float tensors."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([1] * (len(TOKENS) - 1) + [3])
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(len(TOKENS) - 1)
    writer.add_eos_token_id(len(TOKENS) - 1)
    shapes = {
        "token_embd.weight": (len(TOKENS), WIDTH),
        "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.ffn_norm.weight": (WIDTH,),
        "blk.0.ffn_down.weight": (WIDTH, HIDDEN),
        **{f"blk.0.attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")},
        **{f"blk.0.ffn_{name}.weight": (HIDDEN, WIDTH) for name in ("gate", "up")},
    }
    random = np.random.default_rng(0)
    tensors = {
        name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()
    }
    for name, tensor in tensors.items():
        if "ffn_up" in name:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_packed_model_becomes_plain_safetensors(tmp_path: Path) -> None:
    """The folder has unpacked bfloat16 weights and a tokenizer, and loads without GGUF."""
    source = tmp_path / "source"
    source.mkdir()
    tensors = write_gguf(source / "tiny.gguf")
    folder = tmp_path / "ready"
    dequantize(source / "tiny.gguf", folder)

    config = json.loads((folder / "config.json").read_text())
    assert config["dtype"] == "bfloat16"
    assert "quantization_config" not in config
    model = AutoModelForCausalLM.from_pretrained(folder)
    up = model.model.layers[0].mlp.up_proj.weight.float().detach().numpy()
    np.testing.assert_allclose(up, tensors["blk.0.ffn_up.weight"], atol=0.05)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("he").input_ids == [TOKENS.index("he")]
    assert not list(folder.glob("*.bin"))
