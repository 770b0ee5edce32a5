"""Foreign checkpoint files: every usual nesting is read, nothing in them is ever run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix.errors import ModelError
from imgfix.zoo import checkpoint
from tests.zoo.helpers import TINY, tiny_net

WEIGHTS = {"a.weight": torch.arange(4.0), "a.bias": torch.ones(2)}
OTHER = {"a.weight": torch.zeros(4), "a.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"params": WEIGHTS},
        {"params_ema": WEIGHTS, "params": OTHER},
        {"params": OTHER, "params_ema": WEIGHTS},
        {"state_dict": WEIGHTS, "epoch": 3},
        {"model": {"params_ema": WEIGHTS}},
        {"state_dict": {f"module.{name}": tensor for name, tensor in WEIGHTS.items()}},
        {"G_ema": WEIGHTS, "step": torch.tensor(3)},
    ],
)
def test_the_weights_are_found_however_deep_they_lie(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pth")
    state = checkpoint.read(tmp_path / "x.pth").state
    assert state.keys() == WEIGHTS.keys()
    assert all(torch.equal(state[name], WEIGHTS[name]) for name in WEIGHTS)


class Trap:
    """Leaves a file behind when it is unpickled by a careless reader."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("by_torch", [True, False])
def test_code_in_a_checkpoint_is_refused_and_not_run(by_torch: bool, tmp_path: Path) -> None:
    path, mark = tmp_path / "x.pth", tmp_path / "it-ran"
    content = {"params": WEIGHTS, "more": Trap(mark)}
    if by_torch:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(ModelError, match="refused") as caught:
        checkpoint.read(path)
    assert str(path) in caught.value.message
    assert not mark.exists()


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "x.pth")
    with pytest.raises(ModelError, match="refused") as caught:
        checkpoint.read(tmp_path / "x.pth")
    assert "state_dict" in (caught.value.hint or "")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 broken", bytes(1000)])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_file_is_refused_by_name(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.(pth|safetensors): not a"):
        checkpoint.read(path)


def test_a_cut_off_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"x\.pth"):
        checkpoint.read(path)


@pytest.mark.parametrize("content", [{}, {"params": {}}, [1, 2], {"params": {"a": 1}}, torch.ones(3)])
def test_a_file_without_weights_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="no state dictionary"):
        checkpoint.read(tmp_path / "x.pth")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_tensors_of_a_torchscript_file_are_read_but_not_its_program(tmp_path: Path) -> None:
    net = tiny_net()
    torch.jit.trace(net, torch.rand(1, 3, 8, 8)).save(tmp_path / "x.pt")
    state = checkpoint.read(tmp_path / "x.pt").state
    assert state.keys() == net.state_dict().keys()
    found = checkpoint.recognise(state)
    assert found is not None and found[1] == TINY
