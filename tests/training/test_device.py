"""Encoders are trained, and models scored, on the GPU where there is one."""

from __future__ import annotations

import pytest
import torch

from training import device


@pytest.mark.parametrize(("there", "kind"), [(True, "cuda"), (False, "cpu")])
def test_work_goes_to_the_gpu_where_there_is_one(
    there: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all encoders, and of scoring; without one the CPU does it in fp32."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device.training_device() == torch.device(kind)
    scored, dtype = device.scoring_device()
    assert scored == torch.device(kind)
    assert dtype == (torch.bfloat16 if there else torch.float32)


def test_half_precision_is_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each device says for itself; what the other can do does not matter."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(device, "has_fast_bf16", lambda: False)
    assert device.has_bf16(torch.device("cuda"))
    assert not device.has_bf16(torch.device("cpu"))
