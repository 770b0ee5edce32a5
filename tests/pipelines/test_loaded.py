"""Models that stay loaded: taken again by the next pipeline, bounded, loaded once by many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imgfix import zoo
from imgfix.media.picture import Picture
from imgfix.nets.srvgg import SRVGG
from imgfix.pipelines.generate import GeneratePipeline
from imgfix.pipelines.inpaint import InpaintPipeline
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.options import GenerateRequest, InpaintRequest, Machine, Saving, UpscaleRequest
from imgfix.pipelines.upscale import UpscalePipeline
from tests.making import generator_file

CONFIG = {"scale": 2, "features": 4, "convs": 1}


def model_file(path: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    return zoo.save(path, "srvgg", CONFIG, SRVGG(**CONFIG).state_dict(), task="upscale", name="a")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that were read from disk."""
    from imgfix.zoo import loader

    found: list[str] = []
    load: Callable[..., Any] = loader.load

    def counted(name: Any, **more: Any) -> Any:
        found.append(str(name))
        return load(name, **more)

    monkeypatch.setattr(zoo, "load", counted, raising=False)
    return found


def upscaled(file: Path, loaded: Loaded | None, **machine: Any) -> np.ndarray:
    pipeline = UpscalePipeline(UpscaleRequest(), machine=Machine(str(file), device="cpu", **machine), loaded=loaded)
    picture = pipeline.run(Picture(np.full((16, 16, 3), 99, np.uint8)), keep=True).picture
    assert picture is not None
    return picture.pixels


def test_the_next_pipeline_takes_the_model_that_is_there(tmp_path: Path, reads: list[str]) -> None:
    file, loaded = model_file(tmp_path / "a.safetensors"), Loaded()
    first = upscaled(file, loaded)
    times = len(reads)
    assert np.array_equal(upscaled(file, loaded), first)
    assert len(loaded) == 1 and loaded.bytes > 0
    again = [name for name in reads[times:] if name == str(file)]
    alone = len(reads)
    upscaled(file, None)
    assert len(again) < len(reads) - alone  # a file's scale is asked for each time, its network is not built again


def test_another_precision_and_other_weights_under_the_same_name_are_other_models(tmp_path: Path) -> None:
    file, loaded = model_file(tmp_path / "a.safetensors"), Loaded()
    first = upscaled(file, loaded)
    upscaled(file, loaded, precision="fp32")
    assert len(loaded) == 2
    file.unlink()
    model_file(file, seed=1)
    assert not np.array_equal(upscaled(file, loaded), first)
    assert len(loaded) == 3


def test_generators_stay_loaded_too(tmp_path: Path) -> None:
    file, loaded = generator_file(tmp_path / "g.safetensors"), Loaded()

    def drawer() -> Any:
        machine = Machine(str(file), device="cpu")
        pipeline = GeneratePipeline(GenerateRequest(["cat"]), Saving("-"), machine, loaded=loaded)
        return pipeline._ready().generator  # type: ignore[attr-defined]

    assert drawer() is drawer()


def test_a_warning_goes_to_the_run_that_it_is_about(tmp_path: Path) -> None:
    file, loaded = model_file(tmp_path / "a.safetensors"), Loaded()
    heard: list[tuple[int, str]] = []
    for number in (1, 2):
        pipeline = UpscalePipeline(UpscaleRequest(), machine=Machine(str(file), device="cpu"), loaded=loaded)
        pipeline.listener.warned = lambda text, number=number: heard.append((number, text))  # type: ignore[misc]
        pipeline.prepare(["image"])
        pipeline._upscaler(pipeline.choice("image")).note("slower")
    assert heard == [(1, "slower"), (2, "slower")]


def test_the_least_recently_used_goes_first() -> None:
    loaded = Loaded(most=25)
    made: list[str] = []

    def of(name: str) -> str:
        return loaded.get(name, lambda: (made.append(name) or name, 10))

    for name in ("a", "b", "a", "c", "a", "b"):
        of(name)
    assert made == ["a", "b", "c", "b"]
    assert len(loaded) == 2 and loaded.bytes == 20


def test_one_that_is_larger_than_the_limit_stays_until_the_next() -> None:
    loaded = Loaded(most=5)
    assert loaded.get("a", lambda: ("a", 10)) == "a" and len(loaded) == 1
    assert loaded.get("b", lambda: ("b", 10)) == "b" and len(loaded) == 1


def test_many_threads_load_a_model_once() -> None:
    loaded, made, go = Loaded(), [], threading.Barrier(8)

    def slow() -> tuple[object, int]:
        made.append(1)
        threading.Event().wait(0.05)
        return object(), 1

    found: list[object] = []

    def ask() -> None:
        go.wait()
        found.append(loaded.get("a", slow))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(set(map(id, found))) == 1


def test_what_could_not_be_loaded_is_tried_again() -> None:
    loaded = Loaded()

    def broken() -> tuple[str, int]:
        raise ValueError("no such file")

    for _ in range(2):
        with pytest.raises(ValueError, match="no such file"):
            loaded.get("a", broken)
    assert loaded.get("a", lambda: ("a", 1)) == "a"


def test_records_call_files_what_the_caller_calls_them(tmp_path: Path) -> None:
    from imgfix.media import image

    source, mask = tmp_path / "7f3a.png", tmp_path / "9b1c.png"
    image.write(source, Picture(np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)))
    white = np.zeros((32, 32, 1), np.uint8)
    white[8:12, 8:12] = 255
    image.write(mask, Picture(white))
    pipeline = InpaintPipeline(InpaintRequest(mask=mask), Saving(), machine=Machine("telea"))
    pipeline.names = {str(source): "photo.png", str(mask): "hole.png"}
    pipeline.run(source, tmp_path / "out.png")
    record = image.read_record(tmp_path / "out.png")
    assert record is not None
    assert record["command"] == "imgfix inpaint photo.png --model telea --mask hole.png"


def test_the_denoiser_in_a_blind_one_is_made_once_for_all_pipelines(tmp_path: Path) -> None:
    from imgfix.nets.ffdnet import BlindFFDNet
    from imgfix.pipelines.models import DamageModels, ModelChoice, Models

    torch.manual_seed(0)
    config = {"features": 8, "convolutions": 4}
    net = BlindFFDNet(**config)
    net.hint.weight.data.zero_()
    file = zoo.save(tmp_path / "b.safetensors", "blindffdnet", config, net.state_dict(), task="restore", name="b")
    loaded, choice = Loaded(), ModelChoice(str(file))

    def noise_engine() -> Any:
        return DamageModels(Models(Machine(str(file), device="cpu"), loaded=loaded), choice)("noise")

    first = noise_engine()
    assert first.descriptor.net == "ffdnet" and noise_engine() is first


def test_a_restorer_that_is_named_is_taken_for_noise_of_a_known_level_too(tmp_path: Path) -> None:
    from imgfix.nets.gateunet import GateUNet
    from imgfix.pipelines.models import DamageModels, ModelChoice, Models

    config = {"widths": [8, 8, 8], "blocks": [1, 1, 1]}
    net = GateUNet((8, 8, 8), (1, 1, 1))
    file = zoo.save(
        tmp_path / "own.safetensors", "gateunet", {**config, "merged": False}, net.state_dict(),
        task="restore", name="own", facts={"jobs": ["noise"]},
    )  # fmt: skip
    named = DamageModels(Models(Machine(str(file), device="cpu")), ModelChoice(str(file)))
    assert named("noise-level").descriptor.name == "own"
    assert DamageModels(Models(Machine(device="cpu")))("noise-level").descriptor.name != "own"
