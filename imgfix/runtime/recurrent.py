"""Runs the parts of a recurrent video model: on its device, watched, in tiles where memory asks for it.

What is carried from frame to frame is kept whole, not a piece for each tile: at every step a tile reads what its
neighbours made of the frame before. Tiles therefore cannot drift apart, and their size may change on the way.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from imgfix.errors import MemoryExhaustedError, ModelError, out_of_memory
from imgfix.runtime import memory, tiling
from imgfix.runtime.engine import LOWEST_PSNR, Engine, stoppable

Part = Callable[[nn.Module, Sequence[Tensor]], Sequence[Tensor]]
"""A step of a network: (1, C, h, w) of any resolution in, (1, C', h', w') of any resolution out."""

OVERLAP = 48
"""Input pixels around a tile: motion is looked for that far, and features see that far."""
MULTIPLE = 32
"""Tiles begin at multiples of this: pyramids of motion then halve the same pixels together as in the whole frame."""
LARGEST_TILE = 640
SMALLEST_TILE = 2 * (OVERLAP + MULTIPLE) + MULTIPLE


class Recurrent:
    """A recurrent model, ready to be stepped.

    Args:
        engine: gives model, device and precision; is told what turns out otherwise than planned.
        bytes_per_pixel: what a step takes at its highest point, for each input pixel.
        tile: side of the windows; `None`: from free memory.
    """

    def __init__(self, engine: Engine, bytes_per_pixel: float, tile: int | None = None) -> None:
        self.engine = engine
        self.placement = engine.placement
        self.tile = tile if tile is not None else self._fitting(bytes_per_pixel)
        self._net: nn.Module | None = None
        self._plans: dict[tuple[int, int, int], tiling.Plan] = {}

    @property
    def net(self) -> nn.Module:
        """The network, on its device."""
        if self._net is None:
            net = copy.deepcopy(self.engine.model.net).eval().requires_grad_(False).to(self.placement.device)
            if self.placement.channels_last:
                net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._net = stoppable(net)
        return self._net

    def fall_back(self, reason: str) -> None:
        """Go on in fp32."""
        self.engine.note(f"{reason}; the rest runs in fp32")
        self.placement = replace(self.placement, precision="fp32", why=reason)

    def check(self, clip: Callable[[], Tensor]) -> None:
        """Run a small clip in fp32 and as planned, and fall back where the results differ too much."""
        if self.placement.precision == "fp32":
            return
        planned = self.placement
        self.placement = replace(planned, precision="fp32")
        truth = clip()
        self.placement = planned
        error = float((clip().clamp(0, 1) - truth.clamp(0, 1)).square().mean())
        if not error < 10 ** (-LOWEST_PSNR / 10):
            self.fall_back(f"{self.engine.descriptor.name} loses too much in {planned.precision}")

    def run(self, part: Part, inputs: Sequence[Tensor], factors: Sequence[int]) -> list[Tensor]:
        """Run one step of the network over a whole frame.

        Args:
            part: the step.
            inputs: (1, C, H * f, W * f), f a whole number for each; the first has the size of the frame (f = 1).
            factors: output pixels per input pixel of each output.

        Returns:
            float32, (1, C', H * factor, W * factor) for each factor, where the inputs were.

        Raises:
            MemoryExhaustedError: even the smallest tiles do not fit.
            ModelError: a result is not a number even in fp32.
        """
        while True:
            try:
                found = self._over(part, inputs, factors)
            except memory.OutOfMemory:
                memory.release(self.placement.device)
                if self.tile <= SMALLEST_TILE:
                    raise
                self.tile = max(SMALLEST_TILE, min(self.tile, max(inputs[0].shape[-2:])) // 2)
                self.engine.note(f"out of memory; going on with tiles of {self.tile} pixels")
                continue
            if all(math.isfinite(float(x.sum())) or bool(torch.isfinite(x).all()) for x in found):
                return found
            if self.placement.precision == "fp32":
                name = self.engine.descriptor.name
                raise ModelError(
                    f"{name} returned values that are not numbers",
                    hint=f"its weights may be damaged: imgfix weights verify {name}",
                )
            self.fall_back(f"{self.engine.descriptor.name} gave no usable result in {self.placement.precision}")

    def plan(self, height: int, width: int) -> tiling.Plan:
        """How a frame is covered with tiles."""
        key = height, width, self.tile
        if key not in self._plans:
            sides = (self.tile, self.tile)
            fade = OVERLAP // 2
            self._plans[key] = tiling.plan(height, width, tile=sides, overlap=OVERLAP, fade=fade, multiple=MULTIPLE)
        return self._plans[key]

    def _over(self, part: Part, inputs: Sequence[Tensor], factors: Sequence[int]) -> list[Tensor]:
        height, width = inputs[0].shape[-2:]
        plan = self.plan(height, width)
        if plan.tiles == 1:
            return self._guarded(part, inputs)
        sheets: list[Tensor] = []
        for row in range(len(plan.rows)):
            for column in range(len(plan.columns)):
                top, bottom, y0, y1 = plan.rows.bounds(row)
                left, right, x0, x1 = plan.columns.bounds(column)
                windows = []
                for x in inputs:
                    f = x.shape[-2] // height
                    windows.append(x[..., top * f : bottom * f, left * f : right * f].contiguous())
                results = self._guarded(part, windows)
                if not sheets:
                    sheets = [
                        result.new_zeros(1, result.shape[1], height * f, width * f)
                        for result, f in zip(results, factors, strict=True)
                    ]
                ya, yb = max(0, y0 - plan.fade), min(height, y1 + plan.fade)
                xa, xb = max(0, x0 - plan.fade), min(width, x1 + plan.fade)
                for sheet, result, f in zip(sheets, results, factors, strict=True):
                    down = torch.from_numpy(tiling.shares(ya, yb, y0, y1, height, plan.fade, f))
                    across = torch.from_numpy(tiling.shares(xa, xb, x0, x1, width, plan.fade, f))
                    share = (down[:, None] * across[None, :]).to(sheet.device)
                    kept = result[..., (ya - top) * f : (yb - top) * f, (xa - left) * f : (xb - left) * f]
                    sheet[..., ya * f : yb * f, xa * f : xb * f] += kept * share
        return sheets

    def _guarded(self, part: Part, inputs: Sequence[Tensor]) -> list[Tensor]:
        place, home = self.placement, inputs[0].device
        try:
            with (
                torch.inference_mode(),
                torch.autocast(place.device.type, place.dtype, enabled=place.precision != "fp32"),
            ):
                placed = [x.to(place.device) for x in inputs]
                if place.channels_last:
                    placed = [x.contiguous(memory_format=torch.channels_last) for x in placed]
                return [x.float().to(home) for x in part(self.net, placed)]
        except Exception as failure:  # libraries have classes of their own for it
            if not out_of_memory(failure):
                raise
        height, width = inputs[0].shape[-2:]
        raise memory.OutOfMemory(
            f"{self.engine.descriptor.name} does not fit into the memory of {place.device} at {width}x{height} pixels",
            hint="close other programs, or use a smaller `tile` or another `device`",
        )

    def _fitting(self, bytes_per_pixel: float) -> int:
        room = memory.budget(self.placement.device) / bytes_per_pixel
        side = int(min(math.sqrt(room), LARGEST_TILE))
        if side < SMALLEST_TILE // 2:
            raise MemoryExhaustedError(
                f"not enough memory on {self.placement.device} for {self.engine.descriptor.name}, even in the smallest"
                " tiles",
                hint="close other programs, or use `device` cpu or a smaller model",
            )
        return max(side, SMALLEST_TILE)
