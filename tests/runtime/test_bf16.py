"""A CPU computes in bf16 where that was measured to be quicker on it, and goes on to do so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from imgfix.errors import UsageError
from imgfix.pipelines.doctor import machine
from imgfix.pipelines.doctor.check import Check
from imgfix.runtime import bf16, device
from imgfix.runtime.engine import Engine
from imgfix.train.placement import place
from imgfix.zoo.descriptor import Descriptor, Model
from tests.runtime.nets import Shuffle

TINY = Descriptor(name="tiny", task="upscale", net="tiny", scale=2, receptive_field=3)
FP32_ALONE = Descriptor(name="exact", task="upscale", net="tiny", precisions=("fp32",))


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """What a test pretends about the processor is not remembered in the next one."""
    for known in (device.cpu_has_bf16, device.cpu_gain_of_bf16):
        known.cache_clear()
    yield
    for known in (device.cpu_has_bf16, device.cpu_gain_of_bf16):
        known.cache_clear()


class Measured:
    """Stands in for the measurement: how much quicker bf16 is, and how often that was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: float, **capabilities: bool) -> None:
        self.times, self.count = times, 0
        self.able = capabilities or {"avx512_bf16": True}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: self.able, raising=False)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
        monkeypatch.setattr(bf16, "measure", self)

    def __call__(self) -> dict[str, float]:
        self.count += 1
        return {"fp32": self.times, "bf16": 1.0}

    def again(self) -> str:
        """What `auto` is in the next process."""
        forget_all()
        return device.select("cpu").precision


def forget_all() -> None:
    device.cpu_has_bf16.cache_clear()
    device.cpu_gain_of_bf16.cache_clear()


@pytest.mark.parametrize(
    ("times", "expected"), [(2.0, "bf16"), (1.16, "bf16"), (1.14, "fp32"), (1.0, "fp32"), (0.55, "fp32")]
)
def test_auto_takes_bf16_only_where_it_was_measured_clearly_quicker(
    monkeypatch: pytest.MonkeyPatch, times: float, expected: str
) -> None:
    Measured(monkeypatch, times)
    assert device.select("cpu").precision == expected
    assert device.precisions(torch.device("cpu"))[0] == expected
    assert Engine(Model(TINY, Shuffle(2)), "cpu").placement.precision == expected
    assert device.select("cpu", "bf16").why == "as asked"


def test_what_was_measured_first_counts_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Measured(monkeypatch, 2.0)
    assert found.again() == "bf16"
    found.times = 0.5  # a busy minute
    assert found.again() == "bf16" and found.count == 1


def test_another_machine_and_another_torch_measure_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Measured(monkeypatch, 2.0)
    assert found.again() == "bf16"
    found.times = 0.5
    found.able = {"avx512_bf16": True, "avx512_fp16": True}
    assert found.again() == "fp32"
    monkeypatch.setattr(bf16, "processor", lambda: "another one")
    assert found.again() == "fp32"
    monkeypatch.setattr(torch, "__version__", "9.9")
    assert found.again() == "fp32" and found.count == 4


def test_of_two_processes_that_measure_at_once_both_go_by_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Measured(monkeypatch, 0.5)

    def overtaken() -> dict[str, float]:
        bf16.place().parent.mkdir(parents=True)
        bf16.place().write_text(json.dumps({"seconds": {"fp32": 2.0, "bf16": 1.0}}))
        return found()

    monkeypatch.setattr(bf16, "measure", overtaken)
    assert found.again() == "bf16" and found.count == 1


@pytest.mark.parametrize("text", ["", "[]", '{"seconds": {"fp32": 1}}', '{"seconds": {"fp32": 1, "bf16": 0}}', "{"])
def test_figures_that_cannot_be_read_are_measured_again(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    found = Measured(monkeypatch, 2.0)
    bf16.place().parent.mkdir(parents=True)
    bf16.place().write_text(text)
    assert found.again() == "bf16"
    assert found.again() == "bf16" and found.count == 1


def test_where_nothing_can_be_kept_it_is_fp32_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMGFIX_HOME", str(tmp_path / "file"))
    found = Measured(monkeypatch, 2.0)
    assert found.again() == "fp32" and found.again() == "fp32"
    assert "cannot be kept" in device.cpu_gain_of_bf16().words


def test_amx_is_known_to_be_quicker_and_nothing_is_measured_where_it_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Measured(monkeypatch, 0.5, avx512_bf16=True, amx_bf16=True)
    assert found.again() == "bf16"
    found.able = {"avx2": True}
    assert found.again() == "fp32"
    found.able = {"avx512_bf16": True}
    forget_all()
    assert device.select("cpu", "fp32").precision == device.select("cpu", "auto", FP32_ALONE).precision == "fp32"
    assert device.select("cpu", "bf16").precision == "bf16"
    assert device.select_for("openvino", "cpu", "bf16", TINY).precision == "bf16"
    assert found.count == 0


@pytest.mark.parametrize(("times", "expected"), [(2.0, "bf16"), (0.5, "fp32")])
def test_another_engine_computes_in_the_same_format(
    monkeypatch: pytest.MonkeyPatch, times: float, expected: str
) -> None:
    Measured(monkeypatch, times)
    facts = TINY
    assert device.select_for("openvino", "cpu", "auto", facts).precision == expected
    assert device.select_for("onnx", "cpu", "auto", facts).precision == "fp32"


@pytest.mark.parametrize("times", [2.0, 0.5])
def test_a_training_on_a_cpu_is_in_fp32_by_itself_and_in_bf16_when_asked(
    monkeypatch: pytest.MonkeyPatch, times: float
) -> None:
    found = Measured(monkeypatch, times)
    assert place("cpu").precision == "fp32" and place("cpu", "bf16").precision == "bf16"
    with pytest.raises(UsageError):
        place("cpu", "fp16")
    assert found.count == 0


def test_a_real_measurement_gives_seconds_and_leaves_the_threads_as_they_were() -> None:
    threads = torch.get_num_threads()
    assert all(seconds > 0 for seconds in bf16.measure().values())
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("times", "words", "state"),
    [
        (2.0, "2.00 times as fast as fp32, measured; bf16 is used", "ok"),
        (0.55, "0.55 times as fast as fp32, measured; fp32 is used", "ok"),
    ],
)
def test_doctor_says_what_was_measured(monkeypatch: pytest.MonkeyPatch, times: float, words: str, state: str) -> None:
    Measured(monkeypatch, times)
    checks: list[Check] = []
    cpu = machine.devices(checks)[-1]
    (told,) = [check for check in checks if check.name == "bf16 on the CPU"]
    assert (told.words, told.state, cpu["bf16_gain"]) == (words, state, times)


def test_doctor_says_how_bf16_can_be_had_where_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMGFIX_HOME", str(tmp_path / "file"))
    Measured(monkeypatch, 2.0)
    checks: list[Check] = []
    assert machine.devices(checks)[-1]["bf16_gain"] is None
    (told,) = [check for check in checks if check.name == "bf16 on the CPU"]
    assert told.state == "missing" and "IMGFIX_HOME" in (told.remedy or "")
