"""A tiny Qwen2-VL with random weights, in the files that the hub's have: its local double."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AddedToken,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)

END, IMAGE, VIDEO = "<|im_end|>", "<|image_pad|>", "<|video_pad|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
SPECIAL = ("<|im_start|>", IMAGE, VIDEO, VISION_START, VISION_END)
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WIDTH = 32


def write_tiny_qwen(folder: Path, answer: str | None = None) -> Path:
    """Write model, tokenizer and processor.

    Args:
        folder: Is made.
        answer: What the model always says; None: what its random weights say.
    """
    folder.mkdir(parents=True)
    tokenizer = _tokenizer(answer)
    model = _model(tokenizer)
    if answer is not None:
        _always_say(model, tokenizer, answer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = {
        "processor_class": "Qwen2VLProcessor",
        "image_processor_type": "Qwen2VLImageProcessor",
        "min_pixels": 3136,
        "max_pixels": 12845056,
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    # As the authors' own settings do, ask for sampling: a teacher must not follow them.
    generation = {"do_sample": True, "temperature": 5.0, "eos_token_id": model.config.eos_token_id}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


def _tokenizer(answer: str | None) -> PreTrainedTokenizerFast:
    """One token per byte, the control tokens, and the answer as a whole."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=END,
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL),
        chat_template=TEMPLATE,
    )
    if answer is not None:
        tokenizer.add_tokens([AddedToken(answer, normalized=False)])
    return tokenizer


def _model(tokenizer: PreTrainedTokenizerFast) -> Qwen2VLForConditionalGeneration:
    image, video, start, end = tokenizer.convert_tokens_to_ids(
        [IMAGE, VIDEO, VISION_START, VISION_END]
    )
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {"depth": 2, "embed_dim": WIDTH, "hidden_size": WIDTH, "num_heads": 2, "mlp_ratio": 2}
    torch.manual_seed(0)
    model = Qwen2VLForConditionalGeneration(
        Qwen2VLConfig(
            text_config=text,
            vision_config=vision,
            image_token_id=image,
            video_token_id=video,
            vision_start_token_id=start,
            vision_end_token_id=end,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    with torch.no_grad():  # at the usual scale such small layers hardly look at the prompt
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
    return model


def _always_say(
    model: Qwen2VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, answer: str
) -> None:
    """Set weights by hand: the line end of the prompt leads to the answer, and that to the end.

    Without attention and MLPs each token's embedding alone decides the next token.
    """
    for layer in model.model.language_model.layers:
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
        torch.nn.init.zeros_(layer.mlp.down_proj.weight)
    (line_end,) = tokenizer.encode("\n")
    whole = tokenizer.convert_tokens_to_ids(answer)
    embedding = model.get_input_embeddings().weight
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.weight[whole] = embedding[line_end]
        model.lm_head.weight[tokenizer.eos_token_id] = embedding[whole]
