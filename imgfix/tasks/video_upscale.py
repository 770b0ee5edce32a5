"""Super-resolution of clips by models that look at several frames.

A causal model (`Streaming`) makes each frame as it comes and carries a memory. One that looks both ways (`Windowed`) is
run on windows of frames with some frames of the past and the future around them. Neither carries anything across a cut,
and a frame that equals the one before is not shown to the model again: it brings nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from imgfix.errors import ModelError, UsageError
from imgfix.runtime.engine import Engine
from imgfix.runtime.recurrent import SMALLEST_TILE, Recurrent
from imgfix.runtime.scene_cuts import CutFinder
from imgfix.tasks import resample
from imgfix.tasks.alpha import bleed_alpha
from imgfix.tasks.colour_fix import colour_fix
from imgfix.tasks.sequence import Division, Estimate, FrameResult, Restart, SequenceTask
from imgfix.tasks.upscale import UpscaleOptions, quantised, target_size

CORE, AROUND = 16, 6
"""Frames that a window makes, and frames it sees before and after them."""
FEATURE_BYTES = 2 << 30
"""Features of a window's frames may take this much; windows of large frames are shorter."""
RESTART_EVERY = 16
"""Frames between two places where a causal model can be taken up: its memory is as large as a frame of the result."""
_PROCESS_BYTES = 400 << 20


def open_sequence(engine: Engine, options: UpscaleOptions) -> SequenceTask:
    """What upscales a clip by a model that looks at several frames.

    Args:
        engine: a model with `frames` = 0.
        options: the size, as for a picture; where it is not the model's own scale, its result is resampled.

    Raises:
        UsageError: `tta` is asked for, or a tile that is too small.
        ModelError: a kind of model that cannot be run here.
    """
    if options.tta:
        raise UsageError("`tta` is for single pictures", hint=f"leave it out with {engine.descriptor.name}")
    if engine.descriptor.frames != 0:
        raise ModelError(f"{engine.descriptor.name} is not a model for sequences", hint="it takes single pictures")
    if options.tile is not None and options.tile < SMALLEST_TILE:
        hint = f"use `tile` {SMALLEST_TILE} or more"
        raise UsageError(f"tiles of {options.tile} pixels are too small for video", hint=hint)
    return Streaming(engine, options) if engine.descriptor.causal else Windowed(engine, options)


class _Sequence:
    """What both kinds share: sizes, the model, and how a result becomes a frame."""

    bytes_per_pixel = 0.0

    def __init__(self, engine: Engine, options: UpscaleOptions) -> None:
        self.engine, self.options = engine, options
        self.repeated = 0
        """Frames that equalled the one before and were not computed."""
        self.cuts = 0
        """Scene cuts found."""
        self.model = Recurrent(engine, self.bytes_per_pixel, options.tile)
        fix = options.color_fix
        self.color_fix = engine.descriptor.gan_trained if fix is None else fix
        self._checked = False

    @property
    def fills_cpu(self) -> bool:
        """See `imgfix.tasks.sequence.SequenceTask`."""
        return self.engine.placement.on_cpu

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what comes out."""
        return target_size(width, height, self.options, self.engine.scale)

    def _state(self) -> dict[str, np.ndarray]:
        """How the model is run, which memory and numbers may have decided."""
        return {"tile": np.array(self.model.tile), "fp32": np.array(self.model.placement.precision == "fp32")}

    def _take_up(self, restart: Restart) -> None:
        """Run it as it was run before the interruption."""
        if restart.state:
            self.model.tile = int(restart.state["tile"])
            if bool(restart.state["fp32"]) and self.model.placement.precision != "fp32":
                self.model.fall_back(f"{self.engine.descriptor.name} ran in fp32 before the interruption")

    def _tensor(self, frame: np.ndarray) -> Tensor:
        """(H, W, 3 or 4) to (1, 3, H, W) in [0, 1]; hidden colours are replaced by visible ones nearby."""
        colours = frame[..., :3]
        if frame.shape[2] == 4:
            colours = bleed_alpha(np.ascontiguousarray(colours), np.ascontiguousarray(frame[..., 3]))
        values = colours.astype(np.float32) / np.float32(np.iinfo(frame.dtype).max)
        return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]

    def _finished(self, result: Tensor, frame: np.ndarray) -> np.ndarray:
        """(1, 3, H * scale, W * scale) and the frame it was made of to the frame that is given back."""
        height, width = frame.shape[:2]
        scale, target = self.engine.scale, self.size(width, height)
        made = np.ascontiguousarray(result[0].permute(1, 2, 0).cpu().numpy())
        top = np.float32(np.iinfo(frame.dtype).max)
        if self.color_fix:

            def read(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
                return frame[y0:y1, x0:x1, :3].astype(np.float32) / top

            made = np.concatenate(list(colour_fix(iter([made]), read, width, height, scale)))
        share, size = np.float32(self.options.blend), (width, height)
        if (made.shape[1], made.shape[0]) != target:
            made = _resized(made, target, resample.LANCZOS)
        if share > 0:
            plain = _resized(frame[..., :3].astype(np.float32) / top, target, resample.LANCZOS)
            made = made * (1 - share) + plain * share
        pixels = quantised(made, frame.dtype)
        if frame.shape[2] == 3:
            return pixels
        alpha = frame[..., 3:].astype(np.float32) / top
        wide = _resized(alpha, target, resample.BICUBIC) if size != target else alpha
        return np.concatenate((pixels, quantised(wide, frame.dtype)), axis=2)

    def _estimate(self, width: int, height: int, seconds_per_pixel: float, held: int) -> Estimate:
        plan = self.model.plan(height, width)
        out_width, out_height = self.size(width, height)
        window = plan.rows.window * plan.columns.window
        device = round(self.bytes_per_pixel * window)
        on_host = self.engine.placement.on_cpu
        host = _PROCESS_BYTES + held + 40 * out_width * out_height
        return Estimate(
            tiles=plan.tiles,
            tile=(plan.columns.window, plan.rows.window),
            seconds=seconds_per_pixel * plan.pixels,
            host_bytes=host + (device if on_host else 0),
            device_bytes=0 if on_host else device,
        )


class Streaming(_Sequence):
    """Runs a causal model: one frame in, one frame out."""

    held = 1
    bytes_per_pixel = 4096.0

    def estimate(self, width: int, height: int, dtype: type = np.uint8, channels: int = 3) -> Estimate:
        """What one frame takes; measures the model on small frames, a second or two the first time."""
        carried = 4 * width * height * (64 + 6 * self.engine.scale**2)
        return self._estimate(width, height, self._seconds_per_pixel(), carried)

    def division(self, width: int, height: int) -> Division:
        """See `SequenceTask.division`: what is remembered goes back to the first frame of the scene."""
        return Division(RESTART_EVERY)

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """Work on a clip; every 16th frame of a scene, and the first, is a place to begin."""
        self._check()
        finder = CutFinder()
        before: np.ndarray | None = None
        memory: list[Tensor] | None = None
        made: np.ndarray | None = None
        since = 0
        if restart is not None:
            before, memory, made, since = self._taken_up(restart)
            if before is not None:
                finder.is_cut(before)
        for number, frame in enumerate(frames, start=restart.first_input if restart is not None else 0):
            cut = finder.is_cut(frame)
            if cut:
                self.cuts += 1
                memory, before, since = None, None, 0
            place = self._place(number, memory, before, made, since) if since % RESTART_EVERY == 0 else None
            if made is not None and before is not None and np.array_equal(before, frame):
                self.repeated += 1
            else:
                result, memory = self._step(self._tensor(frame), memory)
                made = self._finished(result, frame)
            before, since = frame, since + 1
            yield FrameResult(made, place, frozenset((cut,)))

    def _step(self, frame: Tensor, memory: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        scale = self.engine.scale

        def part(net: nn.Module, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
            kept = type(net).memory(*inputs[1:]) if len(inputs) > 1 else None  # type: ignore[attr-defined]
            result, after = net.step(inputs[0], kept)  # type: ignore[operator]
            return result, after.features

        result, features = self.model.run(part, [frame, *(memory or [])], (scale, 1))
        return result, [frame, features, result]

    def _place(
        self,
        number: int,
        memory: list[Tensor] | None,
        before: np.ndarray | None,
        made: np.ndarray | None,
        since: int,
    ) -> Restart:
        if memory is None or before is None or made is None:
            return Restart(number, number)
        names = ("frame", "features", "result")
        state = {name: tensor.cpu().numpy() for name, tensor in zip(names, memory, strict=True)}
        more = {"before": before, "made": made, "since": np.array(since)}
        return Restart(number, number, state | more | self._state())

    def _taken_up(self, restart: Restart) -> tuple[np.ndarray | None, list[Tensor] | None, np.ndarray | None, int]:
        state = restart.state
        if not state:
            return None, None, None, 0
        self._take_up(restart)
        memory = [torch.from_numpy(np.ascontiguousarray(state[name])) for name in ("frame", "features", "result")]
        return state["before"], memory, state["made"], int(state["since"])

    def _check(self) -> None:
        if not self._checked:
            self._checked = True
            self.model.check(self._sample)

    def _sample(self) -> Tensor:
        """A small moving clip through the model."""
        memory: list[Tensor] | None = None
        results = []
        for frame in probe_clip(5, 64):
            result, memory = self._step(frame, memory)
            results.append(result)
        return torch.cat(results)

    def _seconds_per_pixel(self) -> float:
        import time

        clip = probe_clip(3, 96)
        _, memory = self._step(clip[0], None)
        began = time.perf_counter()
        for frame in clip[1:]:
            _, memory = self._step(frame, memory)
        return (time.perf_counter() - began) / 2 / 96**2


@dataclass
class _Window:
    """Frames of one scene around those that are made."""

    past: list[np.ndarray]
    core: list[np.ndarray]
    future: list[np.ndarray]


class Windowed(_Sequence):
    """Runs a model that looks both ways, window by window.

    Windows follow one another from the last cut on. Each makes `CORE` frames (fewer of large frames), and sees
    `AROUND` frames on either side; a scene's last window takes what is left, however little.
    """

    held = CORE + AROUND
    bytes_per_pixel = 24576.0

    def estimate(self, width: int, height: int, dtype: type = np.uint8, channels: int = 3) -> Estimate:
        """What one frame takes; measures the model on small frames, some seconds the first time."""
        core, around = lengths(height, width)
        carried = 4 * 64 * height * width * (core + around)
        return self._estimate(width, height, self._seconds_per_pixel() * (core + around) / core, carried)

    def division(self, width: int, height: int) -> Division:
        """See `SequenceTask.division`: windows begin at the same places, and see a few frames before them."""
        core, around = lengths(height, width)
        return Division(core, core, around, left=around)

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """Work on a clip; the first frame of each window is a place to begin."""
        if not self._checked:
            self._checked = True
            self.model.check(self._sample)
        finder = CutFinder()
        number = restart.first_input if restart is not None else 0
        window = _Window([], [], [])
        following: np.ndarray | None = None  # first frame of the next scene
        if restart is not None:
            self._take_up(restart)
            for _ in range(restart.index - restart.first_input):
                frame = next(frames)
                finder.is_cut(frame)
                window.past.append(frame)
            number = restart.index
        core = around = 0
        ended = new_scene = False
        waiting: list[np.ndarray] = []
        while True:
            while not ended and following is None and (not core or len(waiting) < core + around):
                taken = next(frames, None)
                if taken is None:
                    ended = True
                elif finder.is_cut(taken):
                    self.cuts += 1
                    following = taken
                else:
                    waiting.append(taken)
                    core, around = lengths(*taken.shape[:2])
            if waiting:
                scene_over = ended or following is not None
                count = len(waiting) if scene_over else core
                window.core, window.future = waiting[:count], waiting[count:]
                place: Restart | None = Restart(number, number - len(window.past), self._state())
                for made in self._made(window):
                    yield FrameResult(made, place, frozenset((new_scene,)))
                    place, number, new_scene = None, number + 1, False
                window.past = [*window.past, *window.core][-around:]
                waiting = window.future
            if not waiting and following is not None:
                waiting, following, window.past, new_scene = [following], None, [], True
            elif not waiting and ended:
                return

    def _made(self, window: _Window) -> Iterator[np.ndarray]:
        """The frames of the middle, finished; equal neighbours are one frame to the model."""
        everything = [*window.past, *window.core, *window.future]
        distinct: list[np.ndarray] = []
        numbers = []
        for frame in everything:
            if not distinct or not np.array_equal(distinct[-1], frame):
                distinct.append(frame)
            numbers.append(len(distinct) - 1)
        wanted = numbers[len(window.past) : len(window.past) + len(window.core)]
        results = self._results([self._tensor(frame) for frame in distinct], wanted[0], wanted[-1])
        at, result = -1, None
        for index, frame in zip(wanted, window.core, strict=True):
            if index == at:
                self.repeated += 1
            else:
                result, at = self._finished(next(results), frame), index
            assert result is not None
            yield result

    def _results(self, clip: Sequence[Tensor], first: int, last: int) -> Iterator[Tensor]:
        """Results `first` to `last` of a clip of different frames, (1, 3, H * scale, W * scale) each."""

        def carry(name: str, carried: Tensor | None, index: int, other: int) -> Tensor:
            def part(net: nn.Module, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
                return (getattr(net, name)(inputs[0], *(inputs[1:] or (None, None))),)

            inputs = [clip[index]] if carried is None else [clip[index], clip[other], carried]
            return self.model.run(part, inputs, (1,))[0]

        def enlarge(net: nn.Module, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
            return (net.enlarge(*inputs),)  # type: ignore[operator]

        if hasattr(self.engine.model.net, "clean"):
            clip = [self.model.run(_clean, [frame], (1,))[0] for frame in clip]
        later: dict[int, Tensor] = {}
        carried: Tensor | None = None
        for index in range(len(clip) - 1, first - 1, -1):
            carried = carry("backward_step", carried, index, index + 1)
            if index <= last:
                later[index] = carried
        carried = None
        for index in range(last + 1):
            carried = carry("forward_step", carried, index, index - 1)
            if index >= first:
                yield self.model.run(enlarge, [clip[index], later.pop(index), carried], (self.engine.scale,))[0]

    def _sample(self) -> Tensor:
        """A small moving clip through the model."""
        return torch.cat(list(self._results(probe_clip(5, 64), 0, 4)))

    def _seconds_per_pixel(self) -> float:
        import time

        clip = probe_clip(2, 64)
        list(self._results(clip, 0, 0))
        began = time.perf_counter()
        list(self._results(clip, 0, 1))
        return (time.perf_counter() - began) / 2 / 64**2


def _clean(net: nn.Module, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A frame without noise and compression, for networks that clean first."""
    return (net.clean(inputs[0]),)  # type: ignore[operator]


def lengths(height: int, width: int) -> tuple[int, int]:
    """Frames that a window makes and frames it sees on either side, which follow from the size of a frame alone.

    So the same clip is cut into the same windows wherever and however often it is run.
    """
    room = FEATURE_BYTES // (4 * 64 * height * width)
    around = min(AROUND, max(2, room // 3))
    return min(CORE, max(2, room - around)), around


def probe_clip(count: int, side: int) -> list[Tensor]:
    """Small frames of a pattern that moves by a pixel and a half a frame, the same every time; (1, 3, side, side)."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, side // 4 + 8, side // 4 + 8, generator=generator)
    plane = torch.nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic").clamp(0, 1)
    plane = torch.nn.functional.avg_pool2d(plane, 2)
    return [plane[..., t : t + side, 2 * t : 2 * t + side].contiguous() for t in range(count)]


def _resized(values: np.ndarray, target: tuple[int, int], by: resample.Filter) -> np.ndarray:
    size = values.shape[1], values.shape[0]
    return resample.rows(lambda y0, y1: values[y0:y1], size, target, 0, target[1], by)
