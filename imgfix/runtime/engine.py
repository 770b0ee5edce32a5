"""Runs a model: on its device, in its precision, on sizes it can take, and watched."""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.errors import ImgfixError, ModelError, out_of_memory
from imgfix.runtime import device as devices
from imgfix.runtime import engines, memory, precision, prefetch
from imgfix.runtime.engines import choice
from imgfix.runtime.processor import processor
from imgfix.zoo import exported
from imgfix.zoo.descriptor import Descriptor, Model
from imgfix.zoo.export import probe

UNBOUNDED_OVERLAP = 24  # input pixels around a tile, for networks that look further than is worth computing
EXACT_LIMIT = 48  # up to this receptive field tiles carry all of it, and tiled equals untiled
PLENTY = 0.5  # of what a run may take at all; a CPU gets large windows when they take no more than this
LOWEST_LIKENESS = 45.0  # dB between another engine and torch in fp32; below it the engine is refused
LOWEST_PSNR = 38.0  # dB between low precision and fp32 on the probe; below it the model runs in fp32


_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Cost:
    """What a model takes on its device, per input pixel, as measured on a small picture."""

    bytes_per_pixel: float
    seconds_per_pixel: float


class Engine:
    """One model, ready to run.

    Args:
        model: descriptor and network, which stays as it is.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`, `xpu`.
        precision: `auto`, `fp32`, `bf16`, `fp16`.
        engine: what computes: `torch`, `openvino`, `onnx`; `auto`: torch, unless `for_pixels` finds a quicker one.
        note: told in one sentence when something turns out otherwise than planned.

    Raises:
        UsageError: the device is not there, or the engine is not installed or does not compute there.
    """

    def __init__(
        self,
        model: Model,
        device: str = "auto",
        precision: str = "auto",
        note: Callable[[str], None] | None = None,
        engine: str = engines.TORCH,
    ) -> None:
        self.model = model
        engines.check_name(engine)
        self._open = engine == engines.AUTO
        self.placement = devices.select_for(
            engines.TORCH if self._open else engine, device, precision, model.descriptor
        )
        self._others: dict[str, Engine] = {}
        self.note = note or (lambda text: None)
        self._chosen = precision == "auto"
        self._exact: Engine | None = None
        if self.placement.on_cpu:
            memory.keep_pages()
            devices.respect_quota()
        self._net: Callable[[Tensor], Tensor] | None = None
        self._autocast = False
        self._flat_checked = False
        self._bytes_per_pixel: float | None = None

    @property
    def descriptor(self) -> Descriptor:
        """What the model says of itself."""
        return self.model.descriptor

    @property
    def scale(self) -> int:
        """Output pixels per input pixel along one side."""
        return self.descriptor.scale

    @property
    def _channels_last(self) -> bool:
        return self.placement.channels_last and self.descriptor.channels_last

    @property
    def overlap(self) -> int:
        """Input pixels of context that a tile has on each side."""
        if self.descriptor.overlap is not None:
            return self.descriptor.overlap
        field = self.descriptor.receptive_field
        return field if field is not None and field <= EXACT_LIMIT else UNBOUNDED_OVERLAP

    @property
    def exact_overlap(self) -> bool:
        """Whether tiles carry the whole receptive field, so that a tiled result equals an untiled one."""
        field = self.descriptor.receptive_field
        return field is not None and field <= self.overlap

    @property
    def preferred_tile(self) -> int:
        """Side of a window that the device works quickly with, in one of two sizes so that it seldom changes.

        The larger the windows, the less is computed twice: at 1024 instead of 512, a picture of one megapixel took 0.70
        of the time on a CPU. Its memory has to be plentiful for that: the picture, its result and others need some too.
        """
        if self.descriptor.receptive_field is None or not self.placement.on_cpu:
            return 1024
        return 1024 if self.bytes_per_pixel * 1024**2 <= PLENTY * memory.budget("cpu") else 512

    def for_samples(self, dtype: np.dtype) -> Engine:
        """The engine for a picture of such samples: above 8 bits one in fp32, unless a precision was asked for.

        Half precision leaves 9 to 10 bits of a result (64 to 71 dB against fp32): more than 8 bits show, fewer than a
        file of 16 holds. fp32 takes two to three times as long.
        """
        if dtype.itemsize == 1 or not self._chosen or self.placement.precision == "fp32":
            return self
        if self._exact is None:
            where = self.placement
            self._exact = Engine(self.model, str(where.device), "fp32", lambda text: self.note(text), where.engine)
        return self._exact

    def for_pixels(self, pixels: int, *, measure: bool = True, say: Callable[[str], None] | None = None) -> Engine:
        """The engine for a picture or a clip of so many input pixels; itself, unless `auto` was asked for.

        Where all engines of this machine were measured with this network, precision and class of sizes, the quickest.
        Where they were not, they are if the work is long enough for it to pay, and `measure`.

        say: told in a sentence what is measured, and which engine does the work.
        """
        say = say or (lambda text: None)
        others = [name for name in engines.installed() if name != engines.TORCH]
        facts, where = self.descriptor, self.placement
        if not (self._open and others and where.on_cpu and facts.frames == 1 and facts.in_channels):
            return self
        seconds = choice.kept(self.model, where.precision, pixels)
        if not seconds and measure and self.cost.seconds_per_pixel * pixels > choice.WORTH:
            say(f"measuring which engine is quickest for {facts.name}; this is done once")
            seconds = self._measure_engines(others, pixels)
        best = choice.quickest(seconds) if seconds else engines.TORCH
        return self if best == engines.TORCH else self._other(best, seconds, say)

    def _other(self, name: str, seconds: Mapping[str, float], say: Callable[[str], None]) -> Engine:
        if name not in self._others:
            precision = "auto" if self._chosen else self.placement.precision
            made = Engine(self.model, str(self.placement.device), precision, lambda text: self.note(text), name)
            try:
                made.prepare()
            except ImgfixError as failure:
                self.note(f"{failure.message}; torch does the work")
                made = self
            else:
                times = seconds[engines.TORCH] / seconds[name]
                say(f"{self.descriptor.name} runs in {name}, {times:.1f} times as fast as in torch here")
            self._others[name] = made
        return self._others[name]

    def _measure_engines(self, others: Iterable[str], pixels: int) -> dict[str, float]:
        """Seconds of each engine for the same picture; what cannot run the network takes for ever."""
        side = self.descriptor.native_size or 64
        while self.descriptor.native_size is None and side < 512 and (2 * side) ** 2 <= pixels:
            if self.cost.seconds_per_pixel * (2 * side) ** 2 > 1:
                break
            side *= 2
        probe = self._probe_picture(side)
        runs: dict[str, Callable[[], object]] = {engines.TORCH: lambda: self.run(probe)}
        seconds = {}
        for name in others:
            made = Engine(
                self.model,
                str(self.placement.device),
                self.placement.precision if name != engines.ONNX else "fp32",
                engine=name,
            )
            try:
                made.prepare()
            except ImgfixError:
                seconds[name] = math.inf
            else:
                runs[name] = functools.partial(made.run, probe)
        seconds |= choice.measure(runs)
        choice.keep(self.model, self.placement.precision, pixels, seconds)
        return seconds

    # -- running -------------------------------------------------------------------------------------------------------

    def run(self, x: Tensor) -> Tensor:
        """Run the network once.

        Args:
            x: (N, C, H, W) float32 in [0, 1], any size, on the CPU or the device.

        Returns:
            (N, C', H * scale, W * scale) float32, not clipped, where `x` was.

        Raises:
            OutOfMemory: it did not fit; nothing is left behind on the device.
            ModelError: the result is not a number even in fp32.
        """
        self.prepare()
        out = self._attempt(x)
        if self._sound(x, out):
            return out
        if self.placement.precision != "fp32":
            self._fall_back(f"{self.descriptor.name} gave no usable result in {self.placement.precision}")
            out = self._attempt(x)
        if not bool(torch.isfinite(out).all()):
            raise ModelError(
                f"{self.descriptor.name} returned values that are not numbers",
                hint=f"its weights may be damaged: imgfix weights verify {self.descriptor.name}",
            )
        return out

    def _attempt(self, x: Tensor) -> Tensor:
        return self._guarded(lambda: self._forward(x), x)

    def _guarded(self, call: Callable[[], _Result], x: Tensor) -> _Result:
        """Call, and give every way of running out of memory one name."""
        try:
            return call()
        except Exception as failure:  # libraries have classes of their own for it
            if not out_of_memory(failure):
                raise
        # Outside the handler, so that the traceback no longer keeps the failed run's tensors.
        memory.release(self.placement.device)
        raise memory.OutOfMemory(
            f"{self.descriptor.name} does not fit into the memory of {self.placement.device}"
            f" at {x.shape[-1]}x{x.shape[-2]} pixels",
            hint="close other programs, or use a smaller `tile` or another `device`",
        )

    def _forward(self, x: Tensor) -> Tensor:
        net = self._net
        assert net is not None
        target = self.placement.device
        height, width = x.shape[-2:]
        with torch.inference_mode():
            y = pad_to_rule(x.to(target), self.descriptor.size_multiple, self.descriptor.size_minimum)
            if self._channels_last:
                y = y.contiguous(memory_format=torch.channels_last)
            with torch.autocast(target.type, self.placement.dtype, enabled=self._autocast):
                y = net(y)
            made: Tensor = y[..., : height * self.scale, : width * self.scale].to(x.device).float()
            return made

    def _sound(self, x: Tensor, out: Tensor) -> bool:
        # One sum shows a NaN or an infinity anywhere, and is cheap enough for every tile.
        if not math.isfinite(float(out.sum())):
            return bool(torch.isfinite(out).all())  # a sum may overflow on its own
        if self._flat_checked:
            return True
        spread = float(x.std()) if x.numel() > 1 else 0.0
        if spread < 0.01:
            return True  # a flat picture may well give a flat result: the next tile will tell
        self._flat_checked = True
        return float(out.std()) > 1e-3 * spread

    def likeness(self) -> float:
        """PSNR in dB between what comes out here and out of torch in fp32, on small test pictures."""
        self.prepare()
        return likeness(self.model, self.run)

    # -- preparing -----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the network ready, which the first run would do else.

        Raises:
            ModelError: the engine that was asked for gives other pictures than torch, or cannot run this network.
        """
        if self._net is not None:
            return
        if self.placement.engine != engines.TORCH:
            self._net = self._compiled()
            return
        if self.placement.precision == "fp32":
            self._net = self._plain()
            return
        probe = self._probe_picture(32)
        truth, first, last = self._guarded(lambda: precision.observed(self.model.net, probe), probe)
        try:
            self._net = self._place(precision.converted(self.model.net, self.placement.dtype, first, last))
            result = self._attempt(probe)
        except (RuntimeError, TypeError):  # out of memory is neither
            # The network mixes formats in a way that cannot be converted layer by layer: torch casts as it goes.
            self._net = self._plain(fold=False)
            self._autocast = True
            result = self._attempt(probe)
        error = float((result.clamp(0, 1) - truth.clamp(0, 1)).square().mean())
        if not error < 10 ** (-LOWEST_PSNR / 10):
            self._fall_back(f"{self.descriptor.name} loses too much in {self.placement.precision}")

    def _compiled(self) -> engines.Compiled:
        """The network in another engine than torch, compared with it."""
        place, name = self.placement, self.descriptor.name
        checked = f"{processor()}, {engines.version(place.engine)}, {place.precision}"
        try:
            network = engines.compile_network(
                place.engine, exported.file_for(self.model), place.precision, torch.get_num_threads()
            )
            psnr = exported.recall(self.model).get(checked, {}).get("psnr")
            if psnr is None:
                psnr = self._guarded(lambda: likeness(self.model, network), torch.empty(1, 1, 32, 32))
                exported.remember(self.model, checked, {"psnr": psnr})
        except RuntimeError as failure:
            if out_of_memory(failure):
                raise
            raise ModelError(
                f"{name} does not run in {place.engine} ({' '.join(str(failure).split())[:200]})",
                hint="use `engine` torch",
            ) from failure
        if psnr >= LOWEST_LIKENESS:
            return network
        if place.precision != "fp32":
            reason = f"{name} loses too much in {place.precision} with {place.engine} ({psnr:.1f} dB)"
            self.note(f"{reason}; it runs in fp32")
            self.placement = replace(place, precision="fp32", why=reason)
            return self._compiled()
        raise ModelError(
            f"{name} gives other pictures in {place.engine} than in torch: {psnr:.1f} dB, not {LOWEST_LIKENESS:g}",
            hint="use `engine` torch",
        )

    def _plain(self, fold: bool = True) -> nn.Module:
        """The network in fp32; `fold`: with what it can simplify where it will run in nothing else."""
        net = copy.deepcopy(self.model.net).eval().requires_grad_(False)
        gains = getattr(net, "fold_gains", None)
        if fold and callable(gains):
            gains()
        return self._place(net)

    def _place(self, net: nn.Module) -> nn.Module:
        net = net.to(self.placement.device)
        if self._channels_last:
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return stoppable(net)

    def _fall_back(self, reason: str) -> None:
        self.note(f"{reason}; the rest runs in fp32")
        self.placement = replace(self.placement, precision="fp32", why=reason)
        self._autocast = False
        self._bytes_per_pixel = None
        self._net = self._plain() if self.placement.engine == engines.TORCH else self._compiled()

    def _probe_picture(self, side: int) -> Tensor:
        """A small picture with edges, a slope and fine grain, the same every time; (1, C, side, side)."""
        side = max(side, self.descriptor.size_minimum)
        side += -side % self.descriptor.size_multiple
        generator = torch.Generator().manual_seed(1)
        slope = torch.linspace(0.1, 0.9, side)
        picture = (slope[None, :] + slope[:, None]) / 2
        picture = picture + 0.3 * ((torch.arange(side) // 8 % 2)[None, :] - 0.5)
        grain = 0.05 * torch.randn(1, self.descriptor.in_channels, side, side, generator=generator)
        return (picture + grain).clamp(0, 1)

    # -- cost ----------------------------------------------------------------------------------------------------------

    @property
    def bytes_per_pixel(self) -> float:
        """Bytes on the device per input pixel at the highest point of a run, measured on a small picture."""
        if self._bytes_per_pixel is None:
            self.prepare()
            if self.placement.engine != engines.TORCH:
                # What it allocates is not seen from here; no engine needs more than torch does in fp32.
                twin = Engine(self.model, str(self.placement.device), "fp32")
                self._bytes_per_pixel = twin.bytes_per_pixel
                return self._bytes_per_pixel
            gpu = not self.placement.on_cpu
            probe = self._probe_picture(128 if gpu else 32).to(self.placement.device)
            self._attempt(probe)  # what a first run sets up once is not counted
            _, held = memory.with_peak_bytes(lambda: self._forward(probe), self.placement.device)
            self._bytes_per_pixel = held / (probe.shape[-1] * probe.shape[-2])
        return self._bytes_per_pixel

    @cached_property
    def cost(self) -> Cost:
        """Memory and time per input pixel, from runs on small pictures (a second or two)."""
        held = self.bytes_per_pixel
        side, seconds = 32, 0.0
        # A quick model is timed on a larger picture: on a small one it seems slower than it is.
        while seconds < 0.15 and side < 512:
            side *= 2
            probe = self._probe_picture(side).to(self.placement.device)
            seconds = min(self._timed(probe) for _ in range(2))
        return Cost(held, seconds / (probe.shape[-1] * probe.shape[-2]))

    def _timed(self, x: Tensor) -> float:
        start = time.perf_counter()
        self._attempt(x).cpu()
        return time.perf_counter() - start


def likeness(model: Model, network: Callable[[Tensor], Tensor]) -> float:
    """PSNR in dB between what another engine makes of test pictures of two sizes and what torch makes in fp32.

    Values are clipped to [0, 1] first, as in a file; infinite when they are equal.
    """
    squares, count = 0.0, 0
    for larger in (False, True) if model.descriptor.native_size is None else (False,):
        picture = probe(model.descriptor, larger=larger)
        with torch.inference_mode():
            difference = network(picture).clamp(0, 1) - model.net(picture).clamp(0, 1)
        squares += float(difference.double().square().sum())
        count += difference.numel()
    return math.inf if squares == 0 else -10 * math.log10(squares / count)


def stoppable(net: nn.Module) -> nn.Module:
    """The same network, which a thread that is no longer wanted leaves at its next layer.

    A run over a large tile may take half a minute, and nothing but the network itself can end it.
    """
    for module in net.modules():
        if not any(True for _ in module.children()):
            module.register_forward_pre_hook(lambda *_: prefetch.check())
    return net


def pad_to_rule(x: Tensor, multiple: int, minimum: int) -> Tensor:
    """Extend a picture at the right and the bottom to a size that the network takes; (N, C, H, W) -> (N, C, H', W').

    Mirrored where the picture is large enough for it, else its border is repeated.
    """
    height, width = x.shape[-2:]
    need_y = max(minimum, height) + -max(minimum, height) % multiple - height
    need_x = max(minimum, width) + -max(minimum, width) % multiple - width
    if need_y == 0 and need_x == 0:
        return x
    mode = "reflect" if need_y < height and need_x < width else "replicate"
    return F.pad(x, (0, need_x, 0, need_y), mode=mode)
