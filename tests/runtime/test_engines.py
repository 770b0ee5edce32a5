"""Other engines than torch compute the same pictures, or are refused; `auto` takes what was measured quickest."""

from __future__ import annotations

import importlib.util
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imgfix.errors import MissingExtraError, ModelError, UsageError
from imgfix.runtime import device, engines, prefetch, tiling
from imgfix.runtime import engine as engine_module
from imgfix.runtime.engine import Engine
from imgfix.runtime.engines import choice
from imgfix.zoo import exported
from imgfix.zoo.descriptor import Descriptor, Model
from tests.runtime.nets import Shuffle, pretend_bf16

HERE = [name for name in (engines.OPENVINO, engines.ONNX) if engines.is_installed(name)]


def model(strength: float = 0.2, **facts: Any) -> Model:
    torch.manual_seed(0)
    described = {"name": "tiny", "task": "upscale", "net": "tiny", "scale": 2, "receptive_field": 3, **facts}
    return Model(Descriptor(**described), Shuffle(2, strength=strength).eval().requires_grad_(False))


def picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(3))


@pytest.fixture(params=HERE)
def name(request: pytest.FixtureRequest) -> str:
    """Each engine that is installed besides torch."""
    return str(request.param)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Tensor, str], Tensor]], list[str]]:
    """Puts a function of picture and precision in the place of OpenVINO; gives the precisions it was made ready in."""

    def put(run: Callable[[Tensor, str], Tensor]) -> list[str]:
        made: list[str] = []

        def compile_network(name: str, file: Path, precision: str, threads: int) -> Callable[[Tensor], Tensor]:
            made.append(precision)
            return lambda x: run(x, precision)

        monkeypatch.setattr(engines, "installed", lambda: ["torch", "openvino"])
        monkeypatch.setattr(engines, "version", lambda name: f"{name} 1")
        monkeypatch.setattr(engines, "compile_network", compile_network)
        monkeypatch.setattr(exported, "file_for", lambda model: Path("network.onnx"))
        return made

    return put


# -- what they compute -------------------------------------------------------------------------------------------------


def test_another_engine_gives_the_same_picture_at_any_size_and_in_tiles(name: str) -> None:
    plain, other = Engine(model(), "cpu", "fp32"), Engine(model(), "cpu", "fp32", engine=name)
    for size in ((24, 24), (33, 17), (2, 3), (24, 24)):
        torch.testing.assert_close(other.run(picture(*size)), plain.run(picture(*size)), atol=1e-5, rtol=1e-4)
    pixels = picture(60, 50)[0].permute(1, 2, 0).numpy()
    rows: list[Any] = []
    tiling.run_tiled(other, lambda a, b, c, d: pixels[a:b, c:d], 60, 50, rows.append, tile=32)
    whole = plain.run(picture(60, 50))[0].permute(1, 2, 0)
    torch.testing.assert_close(torch.cat([torch.from_numpy(row) for row in rows]), whole, atol=1e-5, rtol=1e-4)
    assert str(other.placement) == f"cpu, fp32, {name}"


def test_a_result_stays_what_it_was_when_the_next_is_computed(name: str) -> None:
    other = Engine(model(), "cpu", "fp32", engine=name)
    first = other.run(picture(16, 16))
    before = first.clone()
    other.run(1 - picture(16, 16))
    assert torch.equal(first, before)


def test_a_network_is_written_once_and_found_by_its_weights(name: str) -> None:
    Engine(model(), "cpu", "fp32", engine=name).prepare()
    (file,) = exported.folder().glob("*.onnx")
    written = file.stat().st_mtime_ns
    Engine(model(), "cpu", "fp32", engine=name).prepare()
    assert [(each, each.stat().st_mtime_ns) for each in exported.folder().glob("*.onnx")] == [(file, written)]
    Engine(model(strength=0.1), "cpu", "fp32", engine=name)
    assert exported.key(model()) != exported.key(_changed(model()))


def _changed(given: Model) -> Model:
    with torch.no_grad():
        next(given.net.parameters()).mul_(1.001)
    return given


def test_a_file_of_another_network_is_refused(name: str) -> None:
    right, wrong = exported.file_for(model()), exported.file_for(_changed_much(model()))
    right.write_bytes(wrong.read_bytes())
    with pytest.raises(ModelError, match=f"tiny gives other pictures in {name} than in torch"):
        Engine(model(), "cpu", "fp32", engine=name).run(picture(8, 8))


def _changed_much(given: Model) -> Model:
    with torch.no_grad():
        for parameter in given.net.parameters():
            parameter.add_(0.3)
    return given


def test_a_damaged_file_is_a_clear_error(name: str) -> None:
    exported.file_for(model()).write_bytes(b"nothing of that kind")
    with pytest.raises(ModelError, match=f"tiny does not run in {name}"):
        Engine(model(), "cpu", "fp32", engine=name).prepare()


def test_a_run_ends_when_it_is_no_longer_wanted(name: str) -> None:
    other = Engine(model(), "cpu", "fp32", engine=name)
    other.run(picture(8, 8))
    begun = threading.Event()

    def items() -> Iterator[int]:
        while True:
            yield 1
            begun.set()
            other.run(picture(64, 64))

    steps = prefetch.prefetch(items())
    next(steps)
    assert begun.wait(60)
    steps.close()  # waits until the thread is gone
    assert other.run(picture(8, 8)).shape == (1, 3, 16, 16)


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_too_large_a_difference_in_bf16_means_fp32(
    stand_in: Callable[[Callable[[Tensor, str], Tensor]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_bf16(monkeypatch)
    given, told = model(), []
    made = stand_in(lambda x, precision: given.net(x) + (0.02 if precision == "bf16" else 0))
    other = Engine(given, "cpu", "auto", told.append, "openvino")
    other.prepare()
    assert made == ["bf16", "fp32"] and other.placement.precision == "fp32"
    assert told == [told[0]] and "tiny loses too much in bf16 with openvino" in told[0]


def test_too_large_a_difference_in_fp32_is_an_error(
    stand_in: Callable[[Callable[[Tensor, str], Tensor]], list[str]],
) -> None:
    given = model()
    stand_in(lambda x, precision: given.net(x) + 0.01)
    with pytest.raises(ModelError, match=r"tiny gives other pictures in openvino than in torch: 4[01]") as caught:
        Engine(given, "cpu", "fp32", engine="openvino").prepare()
    assert caught.value.hint == "use engine torch"


def test_a_result_that_is_no_number_is_computed_again_in_fp32(
    stand_in: Callable[[Callable[[Tensor, str], Tensor]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_bf16(monkeypatch)
    given = model()
    stand_in(lambda x, p: given.net(x) * (math.nan if p == "bf16" and x.shape[-1] == 9 else 1))
    other = Engine(given, "cpu", "auto", engine="openvino")
    assert torch.isfinite(other.run(picture(9, 9))).all()
    assert (other.placement.precision, other.placement.engine) == ("fp32", "openvino")


def test_engines_that_cannot_do_it_are_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="unknown engine 'abacus'"):
        Engine(model(), "cpu", engine="abacus")
    with pytest.raises(UsageError, match="tiny is run by torch alone"):
        Engine(model(frames=0), "cpu", engine="openvino")
    with pytest.raises(UsageError, match="engine onnx does not compute in bf16"):
        Engine(model(), "cpu", "bf16", engine="onnx")
    monkeypatch.setattr(device, "available", lambda: ["mps", "cpu"])
    with pytest.raises(UsageError, match="engine openvino computes on the CPU"):
        Engine(model(), "mps", engine="openvino")
    assert Engine(model(), "auto", "fp32", engine="openvino").placement.on_cpu


def test_an_engine_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else find(name))
    assert engines.OPENVINO not in engines.installed()
    with pytest.raises(MissingExtraError) as caught:
        engines.compile_network("openvino", tmp_path / "network.onnx", "fp32", 1)
    assert caught.value.hint == "pip install 'imgfix[openvino]'"


# -- which one `auto` takes --------------------------------------------------------------------------------------------


def test_another_engine_is_taken_when_it_gains_enough() -> None:
    assert choice.quickest({"torch": 1.0, "openvino": 0.8, "onnx": 2.0}) == "openvino"
    assert choice.quickest({"torch": 1.0, "openvino": 0.99}) == "torch"
    assert choice.quickest({"torch": 1.0, "openvino": math.inf}) == "torch"


def test_auto_takes_what_was_measured_at_that_size_and_torch_elsewhere(
    stand_in: Callable[[Callable[[Tensor, str], Tensor]], list[str]],
) -> None:
    given, said = model(), []
    made = stand_in(lambda x, precision: given.net(x))
    auto = Engine(given, "cpu", "fp32", engine="auto")
    assert auto.for_pixels(1000 * 1000) is auto
    choice.keep(given, "fp32", 1000 * 1000, {"torch": 3.0, "openvino": 1.0})
    other = auto.for_pixels(2000 * 1000, say=said.append)
    assert other.placement.engine == "openvino" and made == ["fp32"]
    assert said == ["tiny runs in openvino, 3.0 times as fast as in torch here"]
    assert auto.for_pixels(2000 * 1000, say=said.append) is other and len(said) == 1
    assert auto.for_pixels(64 * 64) is auto
    assert Engine(given, "cpu", "fp32").for_pixels(2000 * 1000).placement.engine == "torch"


def test_what_was_measured_counts_for_the_same_circumstances_alone(
    stand_in: Callable[[Callable[[Tensor, str], Tensor]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = model()
    stand_in(lambda x, precision: given.net(x))
    choice.keep(given, "fp32", 1000 * 1000, {"torch": 3.0, "openvino": 1.0})
    assert choice.kept(given, "fp32", 1000 * 1000)
    assert not choice.kept(given, "bf16", 1000 * 1000)
    assert not choice.kept(_changed(model()), "fp32", 1000 * 1000)
    monkeypatch.setattr(choice, "processor", lambda: "another one")
    assert not choice.kept(given, "fp32", 1000 * 1000)
    monkeypatch.undo()
    monkeypatch.setattr(engines, "installed", lambda: ["torch", "openvino", "onnx"])  # a new one, not measured
    monkeypatch.setattr(engines, "version", lambda name: f"{name} 1")
    assert not choice.kept(given, "fp32", 1000 * 1000)


def test_auto_measures_when_the_work_is_long_and_keeps_what_it_found(
    stand_in: Callable[[Callable[[Tensor, str], Tensor]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, said = model(), []
    stand_in(lambda x, precision: given.net(x))
    monkeypatch.setattr(choice, "measure", lambda runs: {"torch": 2.0, "openvino": 1.0})
    auto = Engine(given, "cpu", "fp32", engine="auto")
    auto.__dict__["cost"] = engine_module.Cost(1000, 1e-6)
    assert auto.for_pixels(10**6, say=said.append) is auto and not said  # a second of work
    assert auto.for_pixels(10**9, measure=False, say=said.append) is auto and not said  # a plan
    assert auto.for_pixels(10**9, say=said.append).placement.engine == "openvino"
    assert said[0] == "measuring which engine is quickest for tiny; this is done once"
    again = Engine(given, "cpu", "fp32", engine="auto")
    assert again.for_pixels(10**6).placement.engine == "openvino"


def test_auto_goes_on_with_torch_when_the_quicker_engine_fails(
    stand_in: Callable[[Callable[[Tensor, str], Tensor]], list[str]],
) -> None:
    given, told = model(), []
    stand_in(lambda x, precision: given.net(x) + 0.5)
    choice.keep(given, "fp32", 10**6, {"torch": 3.0, "openvino": 1.0})
    auto = Engine(given, "cpu", "fp32", told.append, "auto")
    assert auto.for_pixels(10**6) is auto
    assert told == [told[0]] and told[0].endswith("torch does the work")


def test_measuring_lets_engines_take_turns() -> None:
    order: list[str] = []
    found = choice.measure({"one": lambda: order.append("one"), "two": lambda: order.append("two")})
    assert order[:4] == ["one", "two", "one", "two"] and set(found) == {"one", "two"}


def test_engines_are_compared_by_what_they_take_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [0.0]
    monkeypatch.setattr("time.process_time", lambda: taken[0])
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def work(seconds: float) -> Callable[[], None]:
        def run() -> None:
            taken[0] += seconds

        return run

    assert choice.measure({"one": work(2.0), "two": work(0.5)}) == {"one": 1.0, "two": 0.25}


def test_pictures_above_8_bits_are_computed_in_fp32_by_the_same_engine(
    stand_in: Callable[[Callable[[Tensor, str], Tensor]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    pretend_bf16(monkeypatch)
    given = model()
    made = stand_in(lambda x, precision: given.net(x))
    exact = Engine(given, "cpu", engine="openvino").for_samples(np.dtype(np.uint16))
    exact.prepare()
    assert made == ["fp32"] and exact.placement.engine == "openvino"


def test_memory_is_reckoned_as_of_torch_in_fp32(
    stand_in: Callable[[Callable[[Tensor, str], Tensor]], list[str]],
) -> None:
    given = model()
    stand_in(lambda x, precision: given.net(x))
    other = Engine(given, "cpu", "fp32", engine="openvino")
    assert other.bytes_per_pixel == Engine(given, "cpu", "fp32").bytes_per_pixel > 0


def test_figures_that_cannot_be_read_are_measured_again(own_home: Path) -> None:
    given: Model = model()
    exported.remember(given, "here", {"torch": 1.0})
    (file,) = exported.folder().glob("*.json")
    assert exported.recall(given) == {"here": {"torch": 1.0}}
    for content in ("{", "[]", '{"here": 3}'):
        file.write_text(content)
        assert exported.recall(given) == {}
    assert isinstance(given.net, nn.Module)
