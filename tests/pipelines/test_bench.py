"""A model is measured in processes of their own; what it says follows from turns."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from imgfix import zoo
from imgfix.errors import ExitCode, ImgfixError, ModelError, UsageError
from imgfix.nets.srvgg import SRVGG
from imgfix.pipelines import bench
from imgfix.pipelines.bench import Bench, BenchRequest, Measured
from imgfix.pipelines.options import Machine
from imgfix.runtime import ceiling
from imgfix.tasks.speed import Stand, Turn


def measured(engine: str, *seconds: float, threads: int = 1, operations: float | None = 1e9) -> Measured:
    turns = tuple(Turn(3 * each, each, 2e9) for each in seconds)
    stand = Stand(engine, "cpu", "fp32", operations, 5 << 20, math.inf)
    return Measured("tiny", 1000, 500, threads, stand, turns, 2e9)


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    torch.manual_seed(0)
    small = {"scale": 2, "features": 4, "convs": 1}
    return str(zoo.save(tmp_path / "tiny.safetensors", "srvgg", small, SRVGG(**small).state_dict(), task="upscale"))


def test_a_model_is_measured_with_its_memory_and_its_share_of_the_ceiling(tiny: str) -> None:
    told: list[tuple[int, int]] = []
    machine = Machine(model=tiny, device="cpu", precision="fp32", engine="torch")
    (found,) = Bench(BenchRequest("40x24", rounds=2), machine).run(lambda done, total: told.append((done, total)))
    assert (found.model, found.width, found.height, len(found.turns)) == ("tiny", 40, 24, 2)
    assert told == [(1, 3), (2, 3), (3, 3)]
    facts = found.facts(found)
    assert facts["engine"] == "torch" and facts["times_as_fast"] == 1
    assert facts["seconds"] > 0 and facts["megapixels_per_second"] > 0
    # Multiply-adds of its convolutions, twice.
    assert facts["operations"] == 2 * 40 * 24 * (3 * 4 * 9 + 4 * 4 * 9 + 4 * 12 * 9)
    assert 0 < facts["share_of_ceiling"] < 2 and facts["ceiling"] > 1e8
    assert facts["peak_bytes"] is None or facts["peak_bytes"] > 10 << 20
    assert facts["psnr"] is None or facts["psnr"] > 100


def test_the_ratio_is_of_neighbouring_turns_in_the_seconds_of_the_process() -> None:
    torch_, other = measured("torch", 1.0, 10.0, 2.0), measured("openvino", 0.5, 5.0, 2.0)
    assert bench.ratio(other, torch_) == 2
    assert torch_.seconds == 6 and torch_.cpu_seconds == 2
    assert torch_.megapixels_per_second == pytest.approx(0.5 / 6)


def test_the_share_of_the_ceiling_is_of_what_the_process_was_given() -> None:
    assert measured("torch", 1.0).share == pytest.approx(0.5)
    assert measured("torch", 2.0, threads=2).share == pytest.approx(0.5)
    assert measured("torch", 1.0, operations=None).share is None


@pytest.mark.parametrize("size", ["", "12", "12x", "0x4", "axb", "1x2x3", "99999x99999"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    with pytest.raises(UsageError, match="size"):
        BenchRequest(size)


def test_too_few_rounds_are_refused() -> None:
    with pytest.raises(UsageError, match="rounds 0"):
        BenchRequest(rounds=0)


def test_what_cannot_be_measured_is_refused_with_the_reason() -> None:
    with pytest.raises(ModelError, match=r"video-x4\.light is a model for 'video'"):
        Bench(BenchRequest(), Machine(model="video-x4.light"))
    with pytest.raises(UsageError, match="unknown engine"):
        Bench(BenchRequest(), Machine(model="photo-x4", engine="abacus"))


def test_the_failure_of_the_only_engine_reaches_the_caller(tiny: str) -> None:
    with pytest.raises(ImgfixError, match="does not compute in bf16") as caught:
        Bench(BenchRequest("8x8"), Machine(model=tiny, device="cpu", precision="bf16", engine="onnx")).run()
    assert caught.value.exit_code == ExitCode.USAGE


def test_the_ceiling_of_a_cpu_is_measured() -> None:
    assert ceiling.measure(torch.device("cpu"), torch.float32) > 1e8
