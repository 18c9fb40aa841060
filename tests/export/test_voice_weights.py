"""Tests of turning the checkpoint of a voice network into ONNX: torch and onnxruntime agree."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from export.onnx_graph import Node, onnx_bytes
from export.voice_weights import VOICE_FILE, voice_network


def run(file: Path | bytes, **inputs: np.ndarray) -> list[np.ndarray]:
    """What onnxruntime computes with a file."""
    source = file if isinstance(file, bytes) else str(file)
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@pytest.mark.parametrize(("batch", "frames"), [(1, 12), (3, 5)])
def test_a_checkpoint_becomes_the_same_network(tmp_path: Path, batch: int, frames: int) -> None:
    """Any number of windows of any length give what torch gives."""
    torch.manual_seed(0)
    lstm, linear = nn.LSTM(4, 6, 3, batch_first=True), nn.Linear(6, 5)
    state = {f"lstm.{name}": value for name, value in lstm.state_dict().items()}
    state |= {f"linear.{name}": value for name, value in linear.state_dict().items()}
    state["similarity_weight"] = torch.ones(1)
    torch.save({"model_state": state, "step": 7}, tmp_path / "pretrained.pt")
    voice_network(tmp_path / "pretrained.pt", tmp_path / "ready")

    mel = torch.rand(batch, frames, 4)
    with torch.no_grad():
        expected = linear(lstm(mel)[1][0][-1]).relu().numpy()
    (found,) = run(tmp_path / "ready" / VOICE_FILE, mel=mel.numpy())
    assert [path.name for path in (tmp_path / "ready").iterdir()] == [VOICE_FILE]
    assert expected.any()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_checkpoint_never_runs_code(tmp_path: Path) -> None:
    """A pickle that calls something is refused, and nothing is called."""

    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harmed"),)

    torch.save({"model_state": Harm()}, tmp_path / "pretrained.pt")
    with pytest.raises(pickle.UnpicklingError):
        voice_network(tmp_path / "pretrained.pt", tmp_path / "ready")
    assert not (tmp_path / "harmed").exists()


def test_a_network_is_written_as_onnx() -> None:
    """Weights of several bytes of length, settings and a free dimension are read back."""
    weights = np.arange(600, dtype=np.float32).reshape(3, 200)
    nodes = [Node("Gemm", ["x", "w"], ["y"]), Node("Transpose", ["y"], ["z"], {"perm": (1, 0)})]
    file = onnx_bytes(nodes, {"w": weights}, {"x": ("batch", 3)}, {"z": (200, "batch")})
    given = np.eye(3, dtype=np.float32)[:2]
    (found,) = run(file, x=given)
    np.testing.assert_array_equal(found, weights[:2].T)
