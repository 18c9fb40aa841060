"""A checkpoint brings everything back, or is refused; a kill never spoils it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn, optim

from stream.errors import UserError
from training.learning import checkpoint
from training.learning.checkpoint import load_checkpoint, require_finite, save_checkpoint


def network(seed: int, width: int = 6) -> nn.Sequential:
    """Trained and frozen parameters, and buffers."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.Linear(width, 3))
    model[0].requires_grad_(False)
    return model


OPTIMIZERS = {
    "adamw": lambda parameters: optim.AdamW(parameters, lr=0.05),
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
}
each_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def trained(model: nn.Module) -> list[Tensor]:
    """Parameters that learn."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def step(model: nn.Module, optimizer: optim.Optimizer, seed: int) -> None:
    """One update on random data."""
    inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    model(inputs).square().sum().backward()
    optimizer.step()


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """All state that a checkpoint is responsible for is equal."""
    for (name, value), (_, expected) in zip(
        one[1:].state_dict().items(), other[1:].state_dict().items(), strict=True
    ):
        assert torch.equal(value, expected), name


@each_optimizer
def test_training_goes_on_as_if_never_interrupted(tmp_path: Path, make: type) -> None:
    """Weights, running means and the optimizer's moments: the next steps are the same."""
    model = network(1)
    optimizer = make(trained(model))
    for seed in range(3):
        step(model, optimizer, seed)
    path = tmp_path / "deep" / "last.safetensors"
    save_checkpoint(path, {"net": model}, optimizer, {"epoch": 2, "best": 0.5, "note": "é"})
    resumed = network(1)
    with torch.no_grad():
        for parameter in trained(resumed):
            parameter.add_(1)
    resumed_optimizer = make(trained(resumed))
    progress = load_checkpoint(path, {"net": resumed}, resumed_optimizer)
    assert progress == {"epoch": 2, "best": 0.5, "note": "é"}
    assert_same(resumed, model)
    for seed in range(3, 6):
        step(model, optimizer, seed)
        step(resumed, resumed_optimizer, seed)
    assert_same(resumed, model)


def test_several_modules_share_a_file(tmp_path: Path) -> None:
    """Each gets its own state back, and names may begin alike."""
    one, other = network(1), network(2)
    path = tmp_path / "last.safetensors"
    optimizer = optim.AdamW(trained(one) + trained(other))
    save_checkpoint(path, {"net": one, "network": other}, optimizer, {})
    fresh = {"net": network(3), "network": network(4)}
    assert load_checkpoint(path, fresh) == {}
    assert_same(fresh["net"], one)
    assert_same(fresh["network"], other)


def test_a_frozen_base_is_not_copied(tmp_path: Path) -> None:
    """A base model of gigabytes is not written at every checkpoint."""
    model = network(1)
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, {"net": model}, optim.AdamW(trained(model)), {})
    assert "net/2.weight" in load_file(path)
    assert "net/1.running_mean" in load_file(path)
    assert "net/0.weight" not in load_file(path)


def test_a_tied_base_is_not_copied_either(tmp_path: Path) -> None:
    """SmolLM2's embeddings are its output layer too: frozen under both names."""
    model = nn.ModuleDict({name: nn.Linear(4, 4) for name in ("embed", "head", "lora")})
    model["head"].weight = model["embed"].weight
    for name in ("embed", "head"):
        model[name].requires_grad_(False)
    path = tmp_path / "last.safetensors"
    optimizer = optim.AdamW(trained(model))
    save_checkpoint(path, {"net": model}, optimizer, {})
    assert set(load_file(path)) == {"net/lora.weight", "net/lora.bias"}
    assert load_checkpoint(path, {"net": model}, optimizer) == {}


class Quantized(nn.Linear):
    """Frozen, and with scales in its state that are no buffers, as bitsandbytes has them."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.requires_grad_(False)

    def _save_to_state_dict(
        self, destination: dict[str, Tensor], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "weight.absmax"] = torch.ones(2)


def test_nor_is_what_quantises_it(tmp_path: Path) -> None:
    """The scales of a 4-bit base come with the base."""
    model = nn.ModuleDict({"base": Quantized(), "lora": nn.Linear(4, 4)})
    path = tmp_path / "last.safetensors"
    optimizer = optim.AdamW(trained(model))
    save_checkpoint(path, {"net": model}, optimizer, {})
    assert set(load_file(path)) == {"net/lora.weight", "net/lora.bias"}
    assert load_checkpoint(path, {"net": model}, optimizer) == {}


def test_another_owner_is_refused(tmp_path: Path) -> None:
    """State of another recipe fits by its shapes, and is not taken for one's own."""
    path = tmp_path / "last.safetensors"
    model = network(1)
    save_checkpoint(path, {"net": model}, optim.AdamW(trained(model)), {}, owner="one")
    with pytest.raises(UserError, match=r"last\.safetensors .*give another --runs, or delete it"):
        load_checkpoint(path, {"net": network(2)}, owner="other")
    assert load_checkpoint(path, {"net": network(2)}, owner="one") == {}


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None], ids=["empty", "text", "cut"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """One line that names the file and what to do."""
    path = tmp_path / "last.safetensors"
    model = network(1)
    save_checkpoint(path, {"net": model}, optim.AdamW(trained(model)), {})
    path.write_bytes(path.read_bytes()[:200] if content is None else content)
    with pytest.raises(UserError, match=r"last\.safetensors is no checkpoint .*delete it"):
        load_checkpoint(path, {"net": model})


def test_a_full_disk_keeps_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was computed is not lost, and the message says what to do."""
    path = tmp_path / "last.safetensors"
    model = network(1)
    optimizer = optim.AdamW(trained(model))
    save_checkpoint(path, {"net": model}, optimizer, {"epoch": 1})

    def full(tensors: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full)
        with pytest.raises(UserError, match=r"No space left.*make room.*goes on"):
            save_checkpoint(path, {"net": model}, optimizer, {"epoch": 2})
    assert list(tmp_path.iterdir()) == [path]
    assert load_checkpoint(path, {"net": model}) == {"epoch": 1}


def test_a_process_that_does_not_write(tmp_path: Path) -> None:
    """It takes part in gathering, and leaves the file to another."""
    model = network(1)
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, {"net": model}, optim.AdamW(trained(model)), {}, write=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", [network(1, width=7), nn.Linear(4, 3), nn.Sequential()])
def test_another_shape_is_refused(tmp_path: Path, other: nn.Module) -> None:
    """Other sizes or other layers: an error that says what to delete, and nothing is loaded."""
    path = tmp_path / "last.safetensors"
    model = network(1)
    save_checkpoint(path, {"net": model}, optim.AdamW(trained(model)), {})
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(UserError, match=r"last\.safetensors .*net of another shape; delete it"):
        load_checkpoint(path, {"net": other})
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


def test_a_kill_while_writing_leaves_the_last_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file lies beside the checkpoint, which is still that of the epoch before."""
    path = tmp_path / "last.safetensors"
    model = network(1)
    optimizer = optim.AdamW(trained(model))
    save_checkpoint(path, {"net": model}, optimizer, {"epoch": 1})

    def killed(tensors: object, file: Path, metadata: object) -> None:
        file.write_bytes(path.read_bytes()[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", killed)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(path, {"net": network(2)}, optimizer, {"epoch": 2})
    assert len(list(tmp_path.iterdir())) == 2
    fresh = network(3)
    assert load_checkpoint(path, {"net": fresh}) == {"epoch": 1}
    assert_same(fresh, model)
    save_checkpoint(path, {"net": model}, optimizer, {"epoch": 2})
    assert load_checkpoint(path, {"net": fresh}) == {"epoch": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_weights_that_are_no_numbers_are_no_result() -> None:
    """They are named; whole numbers and finite ones pass."""
    fine = {"a": torch.ones(3), "b": torch.tensor([1, 2])}
    require_finite("the speech encoder", fine)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(UserError, match=r"the speech encoder has not learned: .*\(c\)"):
            require_finite("the speech encoder", {**fine, "c": torch.tensor([0.0, bad])})
