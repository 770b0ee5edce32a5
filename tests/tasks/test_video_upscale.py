"""Clips through recurrent models: in windows, streaming, in tiles, over cuts, taken up again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from imgfix.errors import ImgfixError, ModelError, UsageError
from imgfix.runtime.engine import Engine
from imgfix.runtime.recurrent import Recurrent
from imgfix.tasks import video_upscale
from imgfix.tasks.sequence import FrameResult, Restart
from imgfix.tasks.upscale import UpscaleOptions
from imgfix.tasks.video_upscale import Streaming, Windowed, open_sequence
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.building import describe
from imgfix.zoo.descriptor import Model

CONFIGS: dict[str, dict[str, Any]] = {
    "basicvsr": {"features": 6, "blocks": 1},
    "videogate": {"channels": 8, "blocks": 1, "convolutions": 1},
    "realbasicvsr": {"features": 6, "blocks": 1, "cleaning": 1},
}
KINDS = ["basicvsr", "videogate"]


def engine_for(key: str, precision: str = "fp32", **facts: Any) -> Engine:
    torch.manual_seed(3)
    spec, config = ARCHITECTURES[key], CONFIGS[key]
    net = spec.build(config).eval().requires_grad_(False)
    return Engine(Model(describe(spec, config, name=key, task="video", **facts), net), "cpu", precision)


def sequence_for(key: str, notes: list[str] | None = None, **options: Any) -> Any:
    engine = engine_for(key)
    engine.note = (notes if notes is not None else []).append
    return open_sequence(engine, UpscaleOptions(**options))


def moving(count: int, seed: int = 0, height: int = 36, width: int = 44, channels: int = 3) -> list[np.ndarray]:
    """Frames that pan over a picture of their own."""
    random = np.random.default_rng(seed)
    base = random.integers(0, 256, 3)
    cells = np.clip(random.normal(base, 60, (24, 40, 3)), 0, 255).astype(np.float32)
    plane = cv2.resize(cells, (width + 2 * count + 8, height + 8), interpolation=cv2.INTER_CUBIC)
    plane = np.clip(plane, 0, 255).astype(np.uint8)
    frames = [plane[4 : 4 + height, 2 * t : 2 * t + width] for t in range(count)]
    if channels == 4:
        frames = [np.dstack((f, np.full(f.shape[:2], 200, np.uint8))) for f in frames]
    return [np.ascontiguousarray(frame) for frame in frames]


def made(task: Any, frames: list[np.ndarray], restart: Restart | None = None) -> list[FrameResult]:
    first = restart.first_input if restart is not None else 0
    return list(task.run(iter(frames[first:]), restart))


def tensors(frames: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None].float() / 255


def as_bytes(values: Tensor) -> np.ndarray:
    return (values.clamp(0, 1) * 255 + 0.5).floor().byte().permute(0, 2, 3, 1).numpy()


def largest(one: np.ndarray, two: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - two.astype(int)).max())


@pytest.mark.parametrize("key", KINDS)
def test_a_short_clip_equals_the_network_run_on_all_of_it(key: str) -> None:
    frames = moving(5)
    task = sequence_for(key)
    results = np.stack([m.frame for m in made(task, frames)])
    with torch.inference_mode():
        expected = as_bytes(task.engine.model.net(tensors(frames))[0])
    assert largest(results, expected) <= 1
    assert task.size(44, 36) == (176, 144)


def test_frames_are_cleaned_before_they_are_upscaled() -> None:
    frames = moving(4)
    task = sequence_for("realbasicvsr", color_fix=False)
    results = np.stack([m.frame for m in made(task, frames)])
    net = task.engine.model.net
    with torch.inference_mode():
        expected = as_bytes(net(tensors(frames))[0])
        cleaned = net.clean(tensors(frames)[0])
    assert largest(results, expected) <= 1
    assert largest(as_bytes(cleaned), np.stack(frames)) > 4, "nothing was cleaned"


def test_every_frame_comes_back_in_order_when_windows_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_upscale, "CORE", 4)
    monkeypatch.setattr(video_upscale, "AROUND", 2)
    frames = moving(15, height=24, width=24)
    results = made(sequence_for("basicvsr"), frames)
    assert len(results) == 15
    for frame, result in zip(frames, results, strict=True):
        small = cv2.resize(result.frame, (24, 24), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(float) - frame).mean() < 25  # an untrained net adds little to its input


def test_windows_are_close_to_the_whole_and_the_closer_the_more_they_see(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = moving(14, height=24, width=24)
    whole = np.stack([m.frame for m in made(sequence_for("basicvsr"), frames)]).astype(float)
    errors = []
    for around in (1, 5):
        monkeypatch.setattr(video_upscale, "CORE", 3)
        monkeypatch.setattr(video_upscale, "AROUND", around)
        cut = np.stack([m.frame for m in made(sequence_for("basicvsr"), frames)]).astype(float)
        errors.append(np.abs(cut - whole).mean())
    assert errors[1] <= errors[0] < 2


@pytest.mark.parametrize("key", KINDS)
def test_work_is_taken_up_at_every_restart_with_the_same_bytes(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CORE", 4), ("AROUND", 2), ("RESTART_EVERY", 3)):
        monkeypatch.setattr(video_upscale, name, value)
    frames = moving(9, height=24, width=20) + moving(6, seed=9, height=24, width=20)
    frames.insert(4, frames[4])  # a repeated frame in the middle
    straight = made(sequence_for(key), frames)
    places = [m.restart for m in straight if m.restart is not None]
    assert len(places) >= 4
    assert [p.index for p in places] == [n for n, m in enumerate(straight) if m.restart is not None]
    for place in places:
        again = made(sequence_for(key), frames, place)
        assert len(again) == len(frames) - place.index
        for one, two in zip(again, straight[place.index :], strict=True):
            assert np.array_equal(one.frame, two.frame)
        assert [m.restart is None for m in again] == [m.restart is None for m in straight[place.index :]]


@pytest.mark.parametrize("key", KINDS)
def test_nothing_is_carried_over_a_cut(key: str) -> None:
    first, second = moving(4, seed=1), moving(4, seed=7)
    task = sequence_for(key)
    joined = [m.frame for m in made(task, first + second)]
    assert task.cuts == 1
    apart = [m.frame for part in (first, second) for m in made(sequence_for(key), part)]
    assert all(np.array_equal(one, two) for one, two in zip(joined, apart, strict=True))


@pytest.mark.parametrize("key", KINDS)
def test_a_repeated_frame_is_computed_once_and_changes_nothing(key: str) -> None:
    frames = moving(4, height=24, width=24)
    doubled = [frame.copy() for frame in frames for _ in range(2)]
    task = sequence_for(key)
    results = [m.frame for m in made(task, doubled)]
    assert task.repeated == 4
    plain = [m.frame for m in made(sequence_for(key), frames)]
    for number, frame in enumerate(plain):
        assert np.array_equal(results[2 * number], frame)
        assert np.array_equal(results[2 * number + 1], frame)


@pytest.mark.parametrize("key", KINDS)
def test_tiles_leave_no_seam_and_do_not_drift_apart(key: str) -> None:
    frames = moving(4, height=64, width=384)
    whole = np.stack([m.frame for m in made(sequence_for(key), frames)])
    tiled_task = sequence_for(key, tile=320)
    assert tiled_task.model.plan(64, 384).tiles == 2
    tiled = np.stack([m.frame for m in made(tiled_task, frames)])
    assert largest(whole, tiled) <= 2


def test_a_step_that_does_not_fit_is_repeated_in_smaller_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    frames = moving(2, height=64, width=416)
    expected = np.stack([m.frame for m in made(sequence_for("videogate"), frames)])
    task = sequence_for("videogate", notes)
    step = type(task.engine.model.net).step

    def tight(self: Any, frame: Tensor, memory: Any) -> Any:
        if frame.shape[-1] > 330:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return step(self, frame, memory)

    monkeypatch.setattr(type(task.engine.model.net), "step", tight)
    results = np.stack([m.frame for m in made(task, frames)])
    assert any("tiles of" in note for note in notes)
    assert np.abs(results.astype(float) - expected).mean() < 0.2


def test_what_never_fits_ends_in_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    task = sequence_for("videogate")

    def never(self: Any, frame: Tensor, memory: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(type(task.engine.model.net), "step", never)
    with pytest.raises(ImgfixError, match="memory") as caught:
        made(task, moving(1))
    assert caught.value.hint


def test_values_that_are_not_numbers_end_in_a_clear_error() -> None:
    engine = engine_for("videogate")
    with torch.no_grad():
        engine.model.net.tail.bias.fill_(math.nan)  # type: ignore[union-attr,operator]
    with pytest.raises(ModelError, match="not numbers"):
        made(open_sequence(engine, UpscaleOptions()), moving(1))


def test_a_low_precision_that_loses_too_much_is_left() -> None:
    notes: list[str] = []
    engine = engine_for("videogate")
    engine.note = notes.append
    model = Recurrent(engine, 1.0, tile=640)
    model.placement = Engine(engine.model, "cpu", "bf16").placement
    values = iter((torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)))
    model.check(lambda: next(values))
    assert model.placement.precision == "fp32"
    assert "loses too much" in notes[0]


@pytest.mark.parametrize("key", KINDS)
def test_low_precision_runs_and_stays_near(key: str) -> None:
    """What touches pictures and motion keeps fp32: nothing falls back, and no frame is off by more than a few codes."""
    frames, told = moving(5), []
    low = engine_for(key, "bf16")
    low.note = told.append
    exact = made(sequence_for(key), frames)
    near = made(open_sequence(low, UpscaleOptions()), frames)
    assert told == []
    assert max(largest(one.frame, two.frame) for one, two in zip(exact, near, strict=True)) <= 4
    assert {"fp32", "bf16"} <= set(low.descriptor.precisions)


@pytest.mark.parametrize("key", KINDS)
def test_another_size_is_resampled(key: str) -> None:
    frames = moving(2)
    assert [m.frame.shape for m in made(sequence_for(key, scale=2), frames)] == [(72, 88, 3)] * 2
    assert [m.frame.shape for m in made(sequence_for(key, width=100, height=60), frames)] == [(60, 100, 3)] * 2
    assert sequence_for(key, scale=6).size(44, 36) == (264, 216)
    assert made(sequence_for(key, scale=6), frames)[1].frame.shape == (216, 264, 3)


def test_blend_of_one_is_plain_resampling() -> None:
    frames = moving(2)
    results = made(sequence_for("videogate", blend=1.0), frames)
    planes = [
        Image.fromarray(np.float32(frames[1][..., c])).resize((176, 144), Image.Resampling.LANCZOS) for c in range(3)
    ]
    plain = np.clip(np.dstack([np.asarray(plane) for plane in planes]) + 0.5, 0, 255).astype(np.uint8)
    assert largest(results[1].frame, plain) <= 1


@pytest.mark.parametrize("key", KINDS)
def test_alpha_travels_beside_the_colours(key: str) -> None:
    frames = moving(3, channels=4)
    frames[1][:18, :, 3] = 0
    results = [m.frame for m in made(sequence_for(key), frames)]
    assert all(frame.shape == (144, 176, 4) for frame in results)
    assert int(results[0][..., 3].min()) == int(results[0][..., 3].max()) == 200
    assert int(results[1][:60, :, 3].max()) == 0
    assert int(results[1][80:, :, 3].min()) == 200


def test_sixteen_bits_stay_sixteen_bits() -> None:
    frames = [frame.astype(np.uint16) * 257 for frame in moving(2)]
    results = made(sequence_for("videogate"), frames)
    assert results[0].frame.dtype == np.uint16
    assert len(np.unique(results[1].frame)) > 1000


def test_colours_of_an_adversarial_model_are_held() -> None:
    engine = engine_for("videogate", gan_trained=True)
    with torch.no_grad():
        engine.model.net.tail.bias.add_(0.1)  # type: ignore[union-attr,operator]
        engine.model.net.gate.bias.fill_(-1.0)  # type: ignore[union-attr,operator]  # open, it would undo the drift
    frames = moving(2)
    fixed = made(open_sequence(engine, UpscaleOptions()), frames)[1].frame
    drifted = made(open_sequence(engine, UpscaleOptions(color_fix=False)), frames)[1].frame
    assert abs(float(fixed.mean()) - float(frames[1].mean())) < 2
    assert float(drifted.mean()) > float(frames[1].mean()) + 8


@pytest.mark.parametrize("key", KINDS)
def test_no_more_frames_wait_than_was_promised(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_upscale, "CORE", 4)
    monkeypatch.setattr(video_upscale, "AROUND", 2)
    monkeypatch.setattr(Windowed, "held", 6)
    task = sequence_for(key)
    taken = given = 0
    most = 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal taken
        for frame in moving(14, height=16, width=16):
            taken += 1
            yield frame

    for _ in task.run(frames()):
        most = max(most, taken - given)
        given += 1
    assert given == 14
    assert most <= task.held


def test_windows_of_large_frames_are_shorter_and_never_empty() -> None:
    sizes = [video_upscale.lengths(h, w) for h, w in ((180, 320), (720, 1280), (2160, 3840), (9000, 9000))]
    assert sizes[0] == (video_upscale.CORE, video_upscale.AROUND)
    assert all(core >= 2 and around >= 2 for core, around in sizes)
    assert [sum(size) for size in sizes] == sorted((sum(size) for size in sizes), reverse=True)


@pytest.mark.parametrize("key", KINDS)
def test_an_estimate_names_tiles_time_and_memory(key: str) -> None:
    found = sequence_for(key, tile=192).estimate(400, 300)
    assert found.tiles > 1
    assert found.seconds > 0
    assert found.host_bytes > 400 << 20


def test_the_kind_of_model_decides_how_it_is_run() -> None:
    assert isinstance(sequence_for("videogate"), Streaming)
    assert isinstance(sequence_for("basicvsr"), Windowed)
    with pytest.raises(UsageError, match="tta"):
        sequence_for("basicvsr", tta=True)
    with pytest.raises(UsageError, match="too small"):
        sequence_for("basicvsr", tile=64)


@pytest.mark.parametrize("key", KINDS)
def test_an_empty_clip_gives_nothing(key: str) -> None:
    assert made(sequence_for(key), []) == []
