"""Running the command line inside the test process and as a process of its own, and a tiny model to run."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgfix import cli

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """What a run of the command line gave."""

    code: int
    data: bytes
    err: str

    @property
    def out(self) -> str:
        return self.data.decode()

    @property
    def items(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Result]


@pytest.fixture
def imgfix(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `imgfix ARGUMENTS` in this process: quick, and the same path as the real command but for the interpreter."""

    def run(*arguments: object, stdin: bytes = b"") -> Result:
        out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = cli.run([str(argument) for argument in arguments])
        out.flush()
        return Result(int(code), out.buffer.getvalue(), err.getvalue())

    return run


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[bytes]]:
    """Start `imgfix ARGUMENTS` as a process of its own, with pipes; `script`: a file to run instead of the module."""

    def begin(*arguments: object, script: Path | None = None, **options: Any) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **options.pop("env", {})}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        program = ["-m", "imgfix"] if script is None else [str(script)]
        command = [sys.executable, *program, *(str(argument) for argument in arguments)]
        return subprocess.Popen(command, env=environment, **{**pipes, **options})

    return begin


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upscaling model of a few hundred weights, x2, random."""
    return _save_tiny(tmp_path_factory.mktemp("weights") / "tiny-x2.safetensors")


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a last layer of zeros: it doubles every pixel exactly, so that what comes out can be foretold."""
    return _save_tiny(tmp_path_factory.mktemp("weights") / "plain-x2.safetensors", silent=True)


def _save_tiny(path: Path, silent: bool = False) -> Path:
    import torch

    from imgfix import zoo
    from imgfix.nets.srvgg import SRVGG

    torch.manual_seed(0)
    config = {"scale": 2, "features": 8, "convs": 1}
    state = SRVGG(**config).state_dict()
    if silent:
        last = max((name for name in state if name.endswith("weight")), key=lambda name: int(name.split(".")[1]))
        for name in (last, last.replace("weight", "bias")):
            state[name] = torch.zeros_like(state[name])
    return zoo.save(path, "srvgg", config, state, task="upscale", name=path.stem, licence="CC0-1.0")


@pytest.fixture(scope="session")
def lighter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for noise and JPEG that makes everything a tenth lighter, so that one sees whether it ran."""
    import torch

    from imgfix import zoo
    from imgfix.nets.dncnn import DnCNN

    path = tmp_path_factory.mktemp("weights") / "lighter.safetensors"
    config = {"channels": 3, "features": 4, "convolutions": 3}
    state = {name: torch.zeros_like(tensor) for name, tensor in DnCNN(**config).state_dict().items()}
    state["layers.2.bias"] -= 0.1
    return zoo.save(path, "dncnn", config, state, task="restore", name="lighter", licence="CC0-1.0")


@pytest.fixture
def installed(lighter: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """That model is the best on this machine for everything; the kinds of damage it was wanted for."""
    from imgfix.errors import ModelError
    from imgfix.zoo import auto

    wanted: list[str] = []

    def resolve(task: str, scale: int | None = None, job: str | None = None) -> tuple[str, str | None]:
        if task != "restore":
            raise ModelError("no model for it", hint="pull one")
        wanted.append(str(job))
        return str(lighter), None

    monkeypatch.setattr(auto, "resolve", resolve)
    return wanted


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small PNG."""
    return save_photo(tmp_path / "photo.png")


def save_photo(path: Path, seed: int = 0, size: tuple[int, int] = (32, 24)) -> Path:
    """Write a small smooth picture in the format of the path's extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    y, x = np.mgrid[:height, :width] / 16
    waves = [np.sin(2 * x + seed + channel) * np.cos(3 * y + channel) for channel in range(3)]
    Image.fromarray((127.5 + 90 * np.stack(waves, -1)).round().astype(np.uint8)).save(path)
    return path


def litter(folder: Path) -> list[str]:
    """Temporary files that should not be there."""
    return [path.name for path in folder.rglob("*") if ".part" in path.name or path.name.startswith(".imgfix")]
