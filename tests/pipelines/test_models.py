"""Which model a pipeline takes, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imgfix.errors import ModelError
from imgfix.pipelines.models import Listener, ModelChoice, Models, devices
from imgfix.pipelines.options import Machine
from imgfix.runtime import device
from imgfix.zoo import auto


@pytest.fixture
def heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best model is much slower than the next."""
    monkeypatch.setattr(auto, "resolve", lambda task, scale=None, job=None: ("rich", None))
    monkeypatch.setattr(auto, "quicker", lambda name, task, scale=None: ("quick", auto.Slower("rich", 14.0)))


@pytest.mark.parametrize(
    ("devices", "asked", "taken"),
    [(["cpu"], "auto", "quick"), (["cuda", "cpu"], "auto", "rich"), (["cuda", "cpu"], "cpu", "quick")],
)
def test_auto_waits_for_a_heavy_model_only_where_there_is_an_accelerator(
    heavy: None, monkeypatch: pytest.MonkeyPatch, devices: list[str], asked: str, taken: str
) -> None:
    monkeypatch.setattr(device, "available", lambda: devices)
    choice = Models(Machine(device=asked)).choose("upscale")
    assert choice.name == taken
    assert choice.slower == (auto.Slower("rich", 14.0) if taken == "quick" else None)


@pytest.mark.parametrize(
    ("here", "asked", "found"),
    [
        (["cuda", "cpu"], "auto", ["cuda:0", "cuda:1", "cuda:2"]), (["cuda", "cpu"], "cuda:1", ["cuda:1"]),
        (["cuda", "cpu"], "cpu", ["cpu"]), (["cpu"], "auto", ["auto"]),
    ],
)  # fmt: skip
def test_work_is_spread_over_every_gpu_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, here: list[str], asked: str, found: list[str]
) -> None:
    import torch

    monkeypatch.setattr(device, "available", lambda: here)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert devices(asked) == found


def test_a_model_that_is_named_is_taken_however_slow(heavy: None, tmp_path: Path) -> None:
    (tmp_path / "rich.pth").touch()
    assert Models(Machine(model=str(tmp_path / "rich.pth"))).choose("upscale") == ModelChoice(
        str(tmp_path / "rich.pth")
    )


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ModelError, match="dict is no model"):
        Models(Machine(model={"weights": 1})).choose("upscale")


def test_a_model_is_announced_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    from imgfix import zoo
    from imgfix.nets.srvgg import SRVGG

    config = {"scale": 2, "features": 4, "convs": 1}
    torch.manual_seed(0)
    file = zoo.save(tmp_path / "a.safetensors", "srvgg", config, SRVGG(**config).state_dict(), task="upscale", name="a")
    heard: list[Any] = []

    class Ears(Listener):
        def announced(self, model: Any, placement: Any, choice: ModelChoice) -> None:
            heard.append((model.name, choice.name))

    models = Models(Machine(model=str(file), device="cpu"), Ears())
    choice = models.choose("upscale")
    assert models.open(choice, "upscale") is models.open(choice, "upscale")
    assert heard == [("a", str(file))]
