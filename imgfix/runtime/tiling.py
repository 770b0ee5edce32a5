"""Large pictures through a network in tiles: read from host memory, joined without seams, handed on row by row.

Along each side the picture is covered by windows of one and the same length, evenly spaced, that overlap by at least
twice the context that a pixel needs. Two neighbours meet in the middle of their overlap. Where windows carry the whole
receptive field, a tiled result equals an untiled one and the windows are simply cut there; where that field is too
large to carry (or has no bound), they are cross-faded.

The same picture, model, device, precision and tile size give the same bytes. Another tile size may change the last bit
of an exact model, and a little more near the joints of a model whose field is not carried whole. Where no tile size is
given it follows from the free memory, but only when there is little of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from imgfix.errors import MemoryExhaustedError, UsageError
from imgfix.runtime import memory
from imgfix.runtime.engine import Engine

Read = Callable[[int, int, int, int], np.ndarray]
"""(y0, y1, x0, x1) -> (y1 - y0, x1 - x0, C) float32 in [0, 1]; asked for from the top to the bottom."""
Progress = Callable[[int, int], None]
"""(done, total) tiles."""

SHEET_BYTES = 384 << 20  # a row of tiles waits in host memory until its last is done; it is made lower to stay in this
SLICE_BYTES = 32 << 20  # finished rows are handed on in pieces, so that no later step needs much memory


class Runner(Protocol):
    """What the tiling needs of an engine; a self-ensemble is another."""

    def run(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H * scale, W * scale)."""


@dataclass(frozen=True)
class Axis:
    """How one side of the picture is covered.

    Window i is `starts[i] : starts[i] + window`; of it, `cuts[i] : cuts[i + 1]` is kept.
    """

    length: int
    window: int
    starts: tuple[int, ...]
    cuts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def bounds(self, index: int) -> tuple[int, int, int, int]:
        """Start and end of a window inside the picture, and of the part kept of it."""
        start = self.starts[index]
        return start, min(self.length, start + self.window), self.cuts[index], self.cuts[index + 1]


@dataclass(frozen=True)
class Plan:
    """A grid of windows over a picture."""

    rows: Axis
    columns: Axis
    overlap: int
    fade: int

    @property
    def tiles(self) -> int:
        """Runs of the network."""
        return len(self.rows) * len(self.columns)

    @property
    def pixels(self) -> int:
        """Input pixels that the network sees, overlaps counted as often as they are computed."""
        return self.tiles * self.rows.window * self.columns.window


def cover(length: int, tile: int, overlap: int, multiple: int = 1) -> Axis:
    """Cover one side with windows of one length, at most `tile` long, that overlap by twice `overlap` or more.

    Args:
        length: of the side, in pixels.
        tile: longest window, overlap included.
        overlap: context that a kept pixel has on each side, but at the border of the picture.
        multiple: windows start, and but for the last end, at multiples of this.
    """
    overlap += multiple - 1  # what rounding to the multiple may take away
    if length <= tile:
        return Axis(length, length, (0,), (0, length))
    step = max(multiple, tile // multiple * multiple - 2 * overlap)
    count = max(2, math.ceil((length - 2 * overlap) / step))
    window = math.ceil((length + (count - 1) * 2 * overlap) / count)
    window += -window % multiple
    last = math.ceil(max(0, length - window) / multiple) * multiple
    starts = tuple(sorted({round(i * last / (count - 1) / multiple) * multiple for i in range(count)}))
    cuts = [0]
    cuts += [(after + min(length, before + window)) // 2 for before, after in pairwise(starts)]
    return Axis(length, window, starts, (*cuts, length))


def plan(height: int, width: int, *, tile: tuple[int, int], overlap: int, fade: int = 0, multiple: int = 1) -> Plan:
    """Cover a picture with near-equal windows of at most `tile` (height, width) pixels, overlap included."""
    rows, columns = cover(height, tile[0], overlap, multiple), cover(width, tile[1], overlap, multiple)
    return Plan(rows, columns, overlap, fade)


def plan_for(engine: Engine, height: int, width: int, tile: int | None = None) -> Plan:
    """The plan that an engine's model, device and free memory ask for; `tile` sets the side of the windows instead.

    Raises:
        UsageError: `tile` leaves nothing of a window beside its overlap.
    """
    facts = engine.descriptor
    overlap, fade = engine.overlap, (0 if engine.exact_overlap else engine.overlap // 2)
    least = 2 * (overlap + facts.size_multiple - 1) + max(16, facts.size_multiple)
    if tile is not None:
        if tile < least:
            raise UsageError(
                f"tiles of {tile} pixels are too small for {facts.name}", hint=f"use `tile` {least} or more"
            )
        sides = (tile, tile)
    else:
        sides = window_size(engine, height, width, least)
    whole = tile is None and facts.whole_first and height * width <= _room(engine)
    if not facts.tiling or whole:
        sides = (height, width)
    return plan(height, width, tile=sides, overlap=overlap, fade=fade, multiple=facts.size_multiple)


def window_size(engine: Engine, height: int, width: int, least: int) -> tuple[int, int]:
    """Height and width of windows that fit the memory of the device and are quick on it."""
    room = _room(engine)
    side = int(min(math.sqrt(room), engine.preferred_tile))
    row_bytes = width * engine.scale**2 * engine.descriptor.out_channels * 4
    sheet = min(SHEET_BYTES, memory.budget("cpu") // 4)
    low = max(least, min(side, sheet // row_bytes))
    return low, max(least, side)


def _room(engine: Engine) -> float:
    """Pixels of the input that fit into the memory of the device at once."""
    return memory.budget(engine.placement.device) / engine.bytes_per_pixel


def run_tiled(
    engine: Engine,
    read: Read,
    height: int,
    width: int,
    emit: Callable[[np.ndarray], None],
    tile: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Run a picture through an engine and hand finished rows on.

    `emit` gets (h, W * scale, C') float32, top to bottom; other arguments and errors are as of `bands` and `plan_for`.
    """
    for band in bands(engine, read, height, width, plan_for(engine, height, width, tile), progress=progress):
        emit(band)


def bands(
    engine: Engine,
    read: Read,
    height: int,
    width: int,
    grid: Plan,
    *,
    runner: Runner | None = None,
    skip_constant: bool = False,
    progress: Progress | None = None,
) -> Iterator[np.ndarray]:
    """Yield finished rows, (h * scale, W * scale, C') float32, top to bottom, each exactly once.

    Args:
        engine: gives scale, channels and size rule, and runs.
        read: gives windows of the input.
        height, width: of the input.
        grid: the windows.
        runner: runs instead of the engine (a self-ensemble of it).
        skip_constant: windows of one value are filled with it instead of being run; for alpha, most of which is.
        progress: told after each window.

    Raises:
        MemoryExhaustedError: even the smallest window does not fit.
    """
    work = _Tiles(engine, runner or engine, read, grid, skip_constant)
    s, fade = engine.scale, grid.fade
    done = 0
    carry: np.ndarray | None = None  # rows below the last cut that the next row of tiles still adds to
    for i in range(len(grid.rows)):
        top, bottom, y0, y1 = grid.rows.bounds(i)
        first, last = max(0, y0 - fade), min(height, y1 + fade)
        sheet = np.zeros(((last - first) * s, width * s, engine.descriptor.out_channels), np.float32)
        if carry is not None:
            sheet[: len(carry)] = carry
        for j in range(len(grid.columns)):
            left, right, x0, x1 = grid.columns.bounds(j)
            work.add(sheet, first, (top, bottom, left, right), (y0, y1, x0, x1))
            done += 1
            if progress is not None:
                progress(done, grid.tiles)
        final = (height if y1 == height else y1 - fade) - first
        carry = sheet[final * s :].copy() if y1 < height else None
        step = max(1, SLICE_BYTES // (width * s * s * sheet.shape[2] * 4)) * s
        for y in range(0, final * s, step):
            yield sheet[y : min(y + step, final * s)]


class _Tiles:
    """Runs windows and adds them to the sheet of finished rows; remembers how large a window may be."""

    def __init__(self, engine: Engine, runner: Runner, read: Read, grid: Plan, skip_constant: bool) -> None:
        self.engine = engine
        self.runner = runner
        self.read = read
        self.grid = grid
        self.skip_constant = skip_constant
        self.limit = math.inf  # pixels of a window that did not fit

    def add(
        self, sheet: np.ndarray, origin: int, window: tuple[int, int, int, int], core: tuple[int, int, int, int]
    ) -> None:
        """Run one window and add the part kept of it; `origin` is the input row at which the sheet begins."""
        top, bottom, left, right = window
        if (bottom - top) * (right - left) < self.limit:
            patch = np.ascontiguousarray(self.read(top, bottom, left, right).transpose(2, 0, 1), dtype=np.float32)
            flat = self._constant(patch)
            if flat is not None:
                self._join(sheet, origin, window, core, flat)
                return
            try:
                out = self.runner.run(torch.from_numpy(patch)[None])
            except memory.OutOfMemory:
                self.limit = (bottom - top) * (right - left)
                self.engine.note(f"out of memory at {right - left}x{bottom - top} pixels; going on with smaller tiles")
            else:
                self._join(sheet, origin, window, core, out[0].permute(1, 2, 0).cpu().numpy())
                return
        for part in self._quarters(core):
            self.add(sheet, origin, self._window(part), part)

    def _constant(self, patch: np.ndarray) -> np.ndarray | None:
        if not self.skip_constant or patch.min() != patch.max():
            return None
        s = self.engine.scale
        shape = (patch.shape[1] * s, patch.shape[2] * s, self.engine.descriptor.out_channels)
        return np.broadcast_to(patch[0, 0, 0], shape)

    def _quarters(self, core: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
        y0, y1, x0, x1 = core
        least = max(8, self.engine.descriptor.size_multiple)
        rows = [(y0, y1)] if y1 - y0 < 2 * least else [(y0, (y0 + y1) // 2), ((y0 + y1) // 2, y1)]
        columns = [(x0, x1)] if x1 - x0 < 2 * least else [(x0, (x0 + x1) // 2), ((x0 + x1) // 2, x1)]
        if len(rows) == len(columns) == 1 or not self.engine.descriptor.tiling:
            raise MemoryExhaustedError(
                f"not enough memory on {self.engine.placement.device} for {self.engine.descriptor.name}, even in the"
                " smallest tiles" if self.engine.descriptor.tiling else
                f"not enough memory on {self.engine.placement.device} for {self.engine.descriptor.name}, which cannot"
                " be run in tiles",
                hint="close other programs, or use `device` cpu or a smaller model",
            )  # fmt: skip
        return [(a, b, c, d) for a, b in rows for c, d in columns]

    def _window(self, core: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        y0, y1, x0, x1 = core
        top, bottom = self._reach(y0, y1, self.grid.rows.length)
        left, right = self._reach(x0, x1, self.grid.columns.length)
        return top, bottom, left, right

    def _reach(self, start: int, end: int, length: int) -> tuple[int, int]:
        multiple = self.engine.descriptor.size_multiple
        low = max(0, start - self.grid.overlap)
        high = min(length, end + self.grid.overlap)
        return low - low % multiple, min(length, high + -high % multiple)

    def _join(
        self,
        sheet: np.ndarray,
        origin: int,
        window: tuple[int, int, int, int],
        core: tuple[int, int, int, int],
        out: np.ndarray,
    ) -> None:
        s, fade = self.engine.scale, self.grid.fade
        top, _, left, _ = window
        y0, y1, x0, x1 = core
        height, width = self.grid.rows.length, self.grid.columns.length
        ya, yb, xa, xb = max(0, y0 - fade), min(height, y1 + fade), max(0, x0 - fade), min(width, x1 + fade)
        part = out[(ya - top) * s : (yb - top) * s, (xa - left) * s : (xb - left) * s]
        target = sheet[(ya - origin) * s : (yb - origin) * s, xa * s : xb * s]
        if fade == 0:
            target[...] = part
            return
        weights = shares(ya, yb, y0, y1, height, fade, s)[:, None, None]
        target += part * weights * shares(xa, xb, x0, x1, width, fade, s)[None, :, None]


def shares(start: int, end: int, low: int, high: int, length: int, fade: int, scale: int) -> np.ndarray:
    """Share of a window in the output pixels from `start` to `end`: the shares of all windows add up to one."""
    at = start + (np.arange((end - start) * scale, dtype=np.float64) + 0.5) / scale

    def ramp(cut: int) -> np.ndarray:
        if cut <= 0:
            return np.ones_like(at)
        if cut >= length:
            return np.zeros_like(at)
        return np.clip((at - cut + fade) / (2 * fade), 0, 1)

    # A difference of two ramps: summed over neighbours it telescopes, however a window was split on the way.
    weights: np.ndarray = (ramp(low) - ramp(high)).astype(np.float32)
    return weights
