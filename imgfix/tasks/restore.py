"""Restoration of a still picture: arrays in, arrays out.

The kinds of damage are undone one after the other, in the reverse of the order in which they come about: a scene seen
through haze and rain, blurred by the lens or the hand, taken in too little light, with the noise of the sensor, saved
as a JPEG. So JPEG first, then noise, light, blur, rain, haze. Each step is a network over the whole picture; what it
gives is the input of the next. Nothing is rounded in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from imgfix.degradations import NOISE_SEEN, QUALITY_SEEN, TABLE, UNDONE, level_of_quality, share_of_quality
from imgfix.errors import ModelError, UsageError
from imgfix.runtime import tiling
from imgfix.runtime.engine import Engine
from imgfix.runtime.rows import Below
from imgfix.tasks import estimate, noise_meter, wide
from imgfix.tasks.alpha import bleed_alpha
from imgfix.tasks.estimate import Damage
from imgfix.tasks.noise_meter import NoiseMeter
from imgfix.tasks.samples import LUMA, to_floats, to_samples

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform
    from imgfix.media.picture import JpegSettings
    from imgfix.tasks.fading import Fading

QUALITY_WRITTEN = 95
"""Of a JPEG whose artefacts were undone; encoded as before it would have them again."""
FACES = "faces"
"""The one kind of damage that is not undone in the whole picture."""
_ROWS = 256  # of a picture that no network sees, handed on at once
_CROP = 640  # side of the crops that a large picture is judged by; a multiple of 8, or the blocks of a JPEG are lost

EngineFor = Callable[[str], Engine]
"""The engine for a kind of damage (of `imgfix.degradations.UNDONE`, or `noise-level`); or raises ModelError."""


@dataclass(frozen=True)
class RestoreOptions:
    """What is to be undone. With nothing named, `auto` for noise and JPEG."""

    denoise: float | Literal["auto"] | None = None
    """Standard deviation of the noise, of 255; `auto`: found in the picture."""
    jpeg: int | Literal["auto"] | None = None
    """Quality of the JPEG that the picture is or was, 1 to 100; `auto`: found."""
    deblur: bool = False
    light: bool = False
    """Brighten."""
    derain: bool = False
    dehaze: bool = False
    retouch: bool = False
    color: bool = False
    """Make colours for a grey picture; one with a single channel has to be given three."""
    faces: bool = False
    """Restore faces, each for itself, when all else is done: `imgfix.tasks.faces` does that."""
    other: bool = False
    """Whatever the model that is named undoes, where it does not say."""
    strength: float = 1.0
    """Share of the result in what comes out, 0 to 1; the rest is the input."""
    tile: int | None = None
    """Side of the windows that the models are given, overlap included; `None`: from free memory."""

    def __post_init__(self) -> None:
        for name, given in (("denoise", self.denoise), ("jpeg", self.jpeg)):
            if isinstance(given, np.number):
                object.__setattr__(self, name, given.item())
            elif given is not None and given != "auto" and not isinstance(given, int | float):
                raise UsageError(f"{name} = {given!r} is no level", hint="give a number, 'auto' or nothing")
        if isinstance(self.denoise, int | float) and not 0 < self.denoise <= 100:
            raise UsageError(f"`denoise` {self.denoise:g} is out of range", hint="give auto, off, or above 0 up to 100")
        if isinstance(self.jpeg, int) and not 1 <= self.jpeg <= 100:
            raise UsageError(f"`jpeg` {self.jpeg} is out of range", hint="give auto, off, or a quality from 1 to 100")
        if not 0 <= self.strength <= 1:
            raise UsageError("`strength` is a share from 0 to 1")

    @property
    def flags(self) -> dict[str, bool]:
        """The kinds of damage that are not estimated, and whether each is asked for."""
        return {row.name: getattr(self, row.option) for row in TABLE if row.option and not row.level}

    @property
    def estimates(self) -> bool:
        """Whether anything has to be found in the picture first."""
        return "auto" in (self.denoise, self.jpeg)

    @property
    def named(self) -> set[str]:
        """Every kind of damage that is asked for, `auto` included."""
        levels = {"noise": self.denoise, "jpeg": self.jpeg}
        return {job for job, on in self.flags.items() if on} | {job for job in levels if levels[job] is not None}

    def filled(self, own: Collection[str] | None = None, off: Collection[str] = ()) -> RestoreOptions:
        """The same where something is named; else with `auto` for noise and JPEG, or with all that a model is for.

        own: the kinds of damage of the model that is to be used; None for any. off: what is left alone in any case.
        """
        if self.named:
            return self
        if own is not None and "other" in own:
            return replace(self, other=True)
        jobs = (set(own) if own is not None else {"noise", "jpeg"}) - set(off)
        wanted: dict[str, Any] = {
            row.option: "auto" if row.name in jobs else None for row in TABLE if row.level and row.option
        }
        wanted |= {row.option: row.name in jobs for row in TABLE if row.option and not row.level}
        return replace(self, **wanted)

    def until_light(self) -> RestoreOptions:
        """The part that has to be done before anything else is looked for: noise shows in the light."""
        return RestoreOptions(jpeg=self.jpeg, light=self.light, strength=self.strength, tile=self.tile)

    def after_light(self) -> RestoreOptions:
        """The rest."""
        return replace(self, jpeg=None, light=False)

    def check(self, name: str, own: Collection[str]) -> None:
        """Raise UsageError when a model that is for other damage (`own`) is named for what is asked for."""
        if self.named and not self.named & set(own):
            raise UsageError(
                f"{name} is for {' and '.join(own)}, which is not asked for",
                hint="leave the model out, or name what it is for",
            )

    def degradations(self, found: Damage | None) -> list[str]:
        """What is to be undone, in order; found: what `auto` is decided by."""
        wanted = self.flags
        wanted["jpeg"] = isinstance(self.jpeg, int) or (
            self.jpeg == "auto" and found is not None and found.jpeg is not None and found.jpeg < QUALITY_SEEN
        )
        wanted["noise"] = isinstance(self.denoise, int | float) or (
            self.denoise == "auto" and found is not None and found.noise >= NOISE_SEEN
        )
        return [job for job in UNDONE if wanted[job]]


@dataclass(frozen=True)
class RestoreStep:
    """One run of a network over the picture."""

    undoes: tuple[str, ...]
    """What it undoes, of `imgfix.degradations.UNDONE`."""
    engine: Engine
    level: float | None = None
    """What a network is told that has to be: the noise, of 255, or the quality of the JPEG, of 100, 0 if not known."""
    share: float = 1.0
    """Share of what the network makes; the rest is what it was given."""

    def in_words(self) -> str:
        """`JPEG and noise by ffdnet-color (level 16)`."""
        word = "quality" if tells_quality(self.engine) else "level"
        known = self.level if word == "level" else self.level or None
        level = f" ({word} {known:.0f})" if known is not None else ""
        jobs = " and ".join("JPEG" if job == "jpeg" else job for job in self.undoes)
        blended = f", {100 * self.share:.0f} % blended in" if self.share < 1 else ""
        return f"{jobs} by {self.engine.descriptor.name}{level}{blended}"


def find(
    pixels: np.ndarray,
    colour: ColourTransform | None = None,
    file: JpegSettings | None = None,
    meter: NoiseMeter | None = None,
) -> Damage:
    """Estimate the noise and the JPEG quality of a picture of any size.

    Args:
        pixels: (H, W, C) uint8 or uint16.
        colour: converts the file's colours to sRGB, in which noise is measured.
        file: how the file is encoded, where it is a JPEG.
        meter: reads the noise of developed photos, which is correlated; without it only white noise is found.
    """
    height, width = pixels.shape[:2]
    found, readings = [], []
    for y in _places(height):
        for x in _places(width):
            crop = pixels[y : y + _CROP, x : x + _CROP]
            rgb = to_floats(crop, colour)
            # The blocks of a JPEG are in the values as they are stored.
            stored = to_floats(crop) if crop.shape[2] in (1, 3) else None
            found.append(estimate.damage(rgb, file, stored))
            if meter is not None and (reading := meter.read(rgb)) is not None:
                readings.append(reading)
    noise = float(np.median([one.noise for one in found]))
    if readings:
        noise = noise_meter.level(noise_meter.typical(readings), noise)
    inside = sorted(one.jpeg for one in found if one.jpeg is not None and one.seen_in == "pixels")
    if 2 * len(inside) >= len(found) and inside:
        return Damage(noise, inside[len(inside) // 2], "pixels")
    return Damage(noise, file.quality if file else None, "file" if file else "")


def _places(length: int) -> list[int]:
    """Where up to three crops of a side begin."""
    if length <= _CROP * 3 // 2:
        return [0] if length <= _CROP else [(length - _CROP) // 16 * 8]
    return [0, (length - _CROP) // 16 * 8, (length - _CROP) // 8 * 8]


def steps(options: RestoreOptions, found: Damage | None, engine_for: EngineFor) -> tuple[list[RestoreStep], list[str]]:
    """The runs over the picture that undo what was asked for and found, and what has to be left (a sentence each).

    Raises ModelError when there is no model for what was asked for by name, or for anything that was found.
    """
    made: list[RestoreStep] = []
    missing: list[ModelError] = []
    for job in options.degradations(found):
        if job == FACES:
            continue
        last = made[-1] if made else None
        if last is not None and _joins(last, job, options):  # one run of a network that undoes both
            engine = _for_both(last, job, engine_for)
            levels = [_level(options, done, found, engine) for done in (*last.undoes, job)]
            level = max((level for level in levels if level is not None), default=None)
            made[-1] = RestoreStep((*last.undoes, job), engine, level)
            continue
        try:
            engine = _engine(options, job, engine_for)
        except ModelError as error:
            if not _automatic(options, job):
                raise
            missing.append(error)
            continue
        made.append(
            RestoreStep((job,), engine, _level(options, job, found, engine), _share(options, job, found, engine))
        )
    if missing and not made:
        raise missing[0]
    return [step for step in made if step.share > 0], [
        f"{error.message}; left as it is ({error.hint})" for error in missing
    ]


def _share(options: RestoreOptions, job: str, found: Damage | None, engine: Engine) -> float:
    """How much of a run is blended in, 0 for none of it."""
    if job != "jpeg" or not _automatic(options, job) or found is None or found.jpeg is None or tells_quality(engine):
        return 1.0
    return share_of_quality(found.jpeg)


def quality_to_write(made: Sequence[RestoreStep], file: JpegSettings | None) -> int | None:
    """The quality at which a JPEG is written whose artefacts were undone; None where its own does."""
    undone = any("jpeg" in step.undoes for step in made)
    return QUALITY_WRITTEN if undone and file is not None and file.quality < QUALITY_WRITTEN else None


def _joins(last: RestoreStep, job: str, options: RestoreOptions) -> bool:
    both = {*last.undoes, job} <= {"jpeg", "noise"} and job in last.engine.descriptor.jobs
    return both and (takes_level(last.engine) or _told(options, job) is None)


def _for_both(last: RestoreStep, job: str, engine_for: EngineFor) -> Engine:
    """The engine that undoes `job` too: a blind one is taken in the form that is told the level, where it has one."""
    engine = engine_for(job)
    return engine if engine.descriptor.name == last.engine.descriptor.name else last.engine


def _told(options: RestoreOptions, job: str) -> float | None:
    """The level the user gave for a job."""
    given = {"jpeg": options.jpeg, "noise": options.denoise}.get(job)
    return float(given) if isinstance(given, int | float) else None


def _automatic(options: RestoreOptions, job: str) -> bool:
    return {"jpeg": options.jpeg, "noise": options.denoise}.get(job) == "auto"


def _engine(options: RestoreOptions, job: str, engine_for: EngineFor) -> Engine:
    if job == "noise" and _told(options, job) is not None:
        return noise_engine(engine_for)
    return engine_for(job)


def noise_engine(engine_for: EngineFor) -> Engine:
    """The engine for noise of a level that is known: one that can be told it is better than one that guesses."""
    try:
        return engine_for("noise-level")
    except ModelError:
        return engine_for("noise")


def _level(options: RestoreOptions, job: str, found: Damage | None, engine: Engine) -> float | None:
    if not takes_level(engine):
        return None
    told = _told(options, job)
    if job == "noise":
        return told if told is not None else found.noise if found else 0.0
    seen = float(found.jpeg) if found is not None and found.jpeg is not None else None
    quality = told if told is not None else seen
    if tells_quality(engine):
        return quality or 0.0
    return level_of_quality(100.0 if quality is None else quality)


def takes_level(engine: Engine) -> bool:
    """Whether a network is told something in its last channel: the noise, or the quality of a JPEG."""
    return engine.descriptor.in_channels == engine.descriptor.out_channels + 1


def tells_quality(engine: Engine) -> bool:
    """Whether what a network is told is the quality of a JPEG."""
    return takes_level(engine) and engine.descriptor.last_channel == "quality"


def restore(
    pixels: np.ndarray,
    made: Sequence[RestoreStep],
    options: RestoreOptions | None = None,
    *,
    alpha: np.ndarray | None = None,
    colour: ColourTransform | None = None,
    progress: tiling.Progress | None = None,
    still: bool = True,
) -> np.ndarray:
    """Restore a picture.

    Args:
        pixels: (H, W, C) uint8 or uint16; C is what `colour` takes, 1 or 3 without it. Not changed.
        made: the runs, from `steps`; none gives the picture back as it is.
        options: strength and tile are read here.
        alpha: (H, W) of the same type; what is wholly transparent keeps its colour and does not leak.
        colour: converts the file's colours; `None`: they are sRGB or grey already.
        progress: told (done, total) tiles.
        still: as of `imgfix.tasks.upscale.upscale`.

    Returns:
        An array like `pixels`.
    """
    if not made:
        return pixels
    work = Restore(pixels, made, options or RestoreOptions(), alpha=alpha, colour=colour, still=still)
    out = np.empty_like(pixels)
    at = 0
    for band in work.bands(progress):
        out[at : at + len(band)] = band
        at += len(band)
    return out


class Restore:
    """One restoration, planned; its rows come when asked for. Arguments as of `restore`."""

    def __init__(
        self,
        pixels: np.ndarray,
        made: Sequence[RestoreStep],
        options: RestoreOptions,
        *,
        alpha: np.ndarray | None = None,
        colour: ColourTransform | None = None,
        still: bool = True,
        fading: Fading | None = None,
    ) -> None:
        """fading: undone after everything else; with it there may be no runs at all."""
        self.fading = fading
        self.original = pixels
        self.pixels = pixels if alpha is None else bleed_alpha(pixels, alpha)
        self.hidden = None if alpha is None else alpha == 0
        self.steps = [replace(step, engine=step.engine.for_samples(pixels.dtype)) if still else step for step in made]
        self.options = options
        self.colour = colour
        self.height, self.width = pixels.shape[:2]

    def plans(self) -> list[tiling.Plan | None]:
        """The tiles of every step; `None` for one that sees the picture as a whole."""
        return [
            tiling.plan_for(step.engine, self.height, self.width, self.options.tile)
            if step.engine.descriptor.tiling
            else None
            for step in self.steps
        ]

    @property
    def tiles(self) -> int:
        """Runs of networks in all."""
        return sum(plan.tiles if plan is not None else 1 for plan in self.plans())

    def seconds(self) -> float:
        """Time it will take, roughly; measures the models on small pictures, a second or two each."""
        total = 0.0
        for step, plan in zip(self.steps, self.plans(), strict=True):
            if plan is None:
                width, height = wide.working_size(step.engine, self.width, self.height)
                total += width * height * step.engine.cost.seconds_per_pixel
            else:
                total += plan.pixels * step.engine.cost.seconds_per_pixel
        return total

    def bands(self, progress: tiling.Progress | None = None) -> Iterator[np.ndarray]:
        """Yield the result's rows, (h, W, C) of the input's type, top to bottom."""
        share = np.float32(self.options.strength)
        y = 0
        for band in self._floats(progress):
            rows = slice(y, y + len(band))
            if self.fading is not None:
                band = self.fading.undone(band)
            if share < 1:
                band = self._window(rows.start, rows.stop) * (1 - share) + band * share
            out = to_samples(np.clip(band, 0, 1), self.pixels[rows], self.colour)
            if self.hidden is not None:
                out = np.where(self.hidden[rows, :, None], self.original[rows], out)
            y = rows.stop
            yield np.ascontiguousarray(out)

    def _floats(self, progress: tiling.Progress | None) -> Iterator[np.ndarray]:
        plans, total, done = self.plans(), self.tiles, 0

        def count(_done: int, _total: int) -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done, total)

        read: tiling.Read = self._window
        bands: Iterator[np.ndarray] = (
            self._window(y, min(y + _ROWS, self.height)) for y in range(0, 0 if self.steps else self.height, _ROWS)
        )
        for step, plan in zip(self.steps, plans, strict=True):
            if plan is None:
                bands = _counted(wide.bands(step.engine, read, self.height, self.width), count)
                read = Below(bands, keep=self.height)
            else:
                bands = _tiled(step, read, self.height, self.width, plan, count)
                later_whole = any(other is None for other in plans)
                read = Below(bands, keep=self.height if later_whole else 2 * plan.overlap + 2 * plan.rows.window)
        return bands

    def _window(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> np.ndarray:
        return to_floats(self.pixels[y0:y1, x0:x1], self.colour)


def _tiled(
    step: RestoreStep, read: tiling.Read, height: int, width: int, plan: tiling.Plan, count: tiling.Progress
) -> Iterator[np.ndarray]:
    """One network over the picture in tiles; (h, W, 3) rows. A grey network changes the brightness alone."""
    engine = step.engine
    grey = engine.descriptor.out_channels == 1

    def window(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        part = read(y0, y1, x0, x1)
        if grey:
            part = part @ LUMA[:, None]
        if takes_level(engine):
            told = (step.level or 0) / (100 if tells_quality(engine) else 255)
            part = np.concatenate([part, np.full((*part.shape[:2], 1), told, np.float32)], axis=2)
        return part

    y = 0
    for band in tiling.bands(engine, window, height, width, plan, progress=count):
        if grey:
            before = read(y, y + len(band), 0, width)
            band = before + (band - before @ LUMA[:, None])
        if step.share < 1:
            before = read(y, y + len(band), 0, width)
            band = before + np.float32(step.share) * (band - before)
        y += len(band)
        yield band


def _counted(bands: Iterator[np.ndarray], count: tiling.Progress) -> Iterator[np.ndarray]:
    for number, band in enumerate(bands):
        if number == 0:
            count(1, 1)
        yield band
