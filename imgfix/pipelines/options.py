"""What is asked of a verb, as it was given: by the words of a command line or by the keywords of Python.

A number may come as text (`"1.5"`, `"0:10"`), as a command line gives it. Each record checks itself when it is made and
raises UsageError; nothing heavy is imported here, so that a help page can be made from these records.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from imgfix.errors import UsageError

if TYPE_CHECKING:
    from imgfix.media.video.pacing import Pacing
    from imgfix.pipelines.moving.clip import Settings
    from imgfix.pipelines.shards import Shard
    from imgfix.tasks.restore import RestoreOptions
    from imgfix.tasks.upscale import UpscaleOptions

DEINTERLACE = ("auto", "on", "off")
CLASSICAL = ("telea", "ns")
"""Methods that fill holes and need no weights."""
SMOOTHING = ("flow",)
"""Methods that make frames between frames and need no weights."""
MOST_VARIANTS = 8
"""Ways in which a picture can lie before a network that fills it."""
RESAMPLING = ("nearest", "bicubic", "lanczos")
"""Methods that enlarge and need no weights."""


@dataclass(frozen=True)
class Reading:
    """How inputs are found and read."""

    recursive: bool = False
    max_pixels: int | None = None
    """Larger pictures are refused; 0 takes any, None the usual limit."""
    shard: str | None = None
    """`3/8`: only the third of eight parts of the inputs; see `imgfix.pipelines.shards.Shard`."""

    def __post_init__(self) -> None:
        self.part  # noqa: B018  what makes no sense is refused before any work

    @property
    def part(self) -> Shard:
        """The part of the inputs that is worked on. Raises UsageError."""
        from imgfix.pipelines.shards import Shard

        return Shard.parse(self.shard)

    @property
    def limit(self) -> int | None:
        """The largest number of pixels, None for any."""
        from imgfix.media.image import DEFAULT_MAX_PIXELS

        return DEFAULT_MAX_PIXELS if self.max_pixels is None else self.max_pixels or None


@dataclass(frozen=True)
class Saving:
    """How results are written."""

    output: Any = None
    """A file, a folder, a template, or `-`; None: beside the input."""
    format: str | None = None
    quality: int | None = None
    overwrite: bool = False
    skip_existing: bool = False
    record: bool = True
    """Whether the result says how it was made."""

    def __post_init__(self) -> None:
        if self.overwrite and self.skip_existing:
            raise UsageError("`overwrite` and `skip_existing` contradict each other", hint="give one of them")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UsageError(f"`quality` {self.quality} is out of range", hint="choose 1 to 100")

    @property
    def for_pictures(self) -> Saving:
        """The same for the pictures of a batch, of which `format` mp4 says nothing."""
        from imgfix.media.video.containers import CONTAINERS

        if self.format is not None and f".{self.format.lower().lstrip('.')}" in CONTAINERS:
            return replace(self, format=None)
        return self


@dataclass(frozen=True)
class Machine:
    """Which model runs, and where."""

    model: Any = "auto"
    """A name, a weights file, `auto`; in Python also what `load` gave, or an `Engine`."""
    device: str = "auto"
    precision: str = "auto"
    tile: str | int | None = "auto"
    offline: bool = False
    engine: str = "auto"
    """What computes the networks: `torch`, `openvino`, `onnx`, or `auto`, the one that was measured quickest."""

    def __post_init__(self) -> None:
        self.side  # noqa: B018  (raises)

    @property
    def side(self) -> int | None:
        """The side of a tile in pixels; None for `auto`."""
        if self.tile in (None, "auto"):
            return None
        if not str(self.tile).isdecimal() or int(self.tile) < 1:
            raise UsageError(
                f"`tile` {self.tile}: not a tile size", hint="give auto, or a number of pixels such as 256"
            )
        return int(self.tile)


@dataclass(frozen=True)
class ClipOptions:
    """How videos, animated pictures and folders of frames are read and written."""

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    encoder_option: Sequence[str] | Mapping[str, Any] | None = None
    """`key=value`, any number of them; in Python also a mapping."""
    start: str | float | None = None
    """Seconds, or `h:m:s`."""
    end: str | float | None = None
    audio: bool = True
    fps: str | float | Fraction | None = None
    deinterlace: str = "auto"
    frames: bool = False
    """Take a folder as one clip of numbered pictures."""
    resume: bool = False
    smooth: str | int | None = None
    """Make so many frames of each, 2 to 8; `auto`: as many as `fps` asks for."""
    smooth_model: Any = "auto"
    """What makes them: a name, a weights file, `flow` (optical flow, without weights), or `auto`."""

    def __post_init__(self) -> None:
        self.encoder_options  # noqa: B018  (raises)
        start, end = self.seconds
        if end is not None and end <= (start or 0):
            words = f"`end` {self.end} is not behind `start` {self.start or 0}"
            raise UsageError(words, hint="choose a later `end`")
        if self.deinterlace not in DEINTERLACE:
            raise UsageError(
                f"`deinterlace` {self.deinterlace}: no such choice", hint=f"choose {', '.join(DEINTERLACE)}"
            )
        self.rate  # noqa: B018  (raises)
        self.pacing  # noqa: B018  (raises)

    @property
    def encoder_options(self) -> dict[str, str]:
        """Key and value of each."""
        given = self.encoder_option or ()
        if isinstance(given, Mapping):
            return {str(key): str(value) for key, value in given.items()}
        pairs = {}
        for word in given:
            key, equals, value = word.partition("=")
            if not (key and equals):
                raise UsageError(f"`encoder_option` {word}: not KEY=VALUE", hint="for example: tune=animation")
            pairs[key] = value
        return pairs

    @property
    def seconds(self) -> tuple[float | None, float | None]:
        """Where the part begins and ends."""
        return _seconds("start", self.start), _seconds("end", self.end)

    @property
    def rate(self) -> Fraction | None:
        """Frames per second asked for."""
        return _rate(self.fps)

    @property
    def pacing(self) -> Pacing:
        """Which frames are made between frames. Raises UsageError."""
        from imgfix.media.video.pacing import Pacing

        if self.smooth is None:
            if self.smooth_model != "auto":
                raise UsageError("`smooth_model` says what makes the frames of `smooth`", hint="add `smooth` 2")
            return Pacing()
        if self.smooth == "auto":
            if self.rate is None:
                raise UsageError("`smooth` auto makes as many frames as `fps` asks for", hint="add `fps` 60")
            return Pacing(rate=self.rate)
        if not str(self.smooth).isdecimal() or not 2 <= int(self.smooth) <= 8:
            raise UsageError(f"`smooth` {self.smooth}: no such factor", hint="give 2 to 8, or auto with `fps` 60")
        if self.rate is not None:
            raise UsageError("`smooth` and `fps` each say how many frames there are", hint="give `smooth` auto")
        return Pacing(int(self.smooth))

    def check(self) -> None:
        """Whether codec, preset and pixel format exist; imports PyAV. Raises UsageError."""
        if any((self.codec, self.crf is not None, self.preset, self.pix_fmt, self.encoder_option)):
            from imgfix.media.video import encoding

            encoding.check(self.settings().encoder)

    def settings(self, overwrite: bool = False) -> Settings:
        """As a clip takes them."""
        from imgfix.media.video.encoding import EncoderOptions
        from imgfix.media.video.reader import TimeRange
        from imgfix.pipelines.moving.clip import Settings

        return Settings(
            time_range=TimeRange(*self.seconds, self.rate if self.smooth is None else None),
            encoder=EncoderOptions(self.codec, self.crf, self.preset, self.pix_fmt, self.encoder_options),
            audio=self.audio,
            deinterlace=self.deinterlace,
            pacing=self.pacing,
            resume=self.resume,
            overwrite=overwrite,
        )


Several = str | Sequence[Any] | None
"""One value or any number of them."""


@dataclass(frozen=True)
class Choosing:
    """What is chosen in a picture by what it is; `&` in front of a value keeps only what is in it too, `-` takes it
    away."""

    point: Several = None
    """`x,y` in pixels or percent, on it; in Python also pairs of numbers."""
    not_point: Several = None
    """The same, not on it."""
    box_object: Several = None
    """`x,y,w,h` around it; in Python also four numbers."""
    object: Several = None
    """`NAME`, or `NAME:N` for one of them, counted from left to right."""
    text: Several = None
    """What is written, `*` for all writing."""
    subject: bool = False
    background: bool = False
    """All but the main subject."""
    overlay: bool = False
    """What was laid over the picture: dates, captions, subtitles, logos, stickers, frames."""
    score: float | None = None
    """How sure the detector has to be, 0 to 1; None: 0.4 of an object, 0.9 of an overlay."""
    dilate: str | float = "auto"
    """Pixels by which what is found is widened; `auto`: so that no halo of it stays."""

    _LEAST_DILATION: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if self.score is not None and not 0 < self.score < 1:
            raise UsageError(f"`score` {self.score:g} is out of range", hint="choose between 0 and 1")
        if self._listed("not_point") and not (self._listed("point") or self._listed("box_object")):
            raise UsageError(
                "`not_point` says what a click does not mean, and there is none",
                hint="give a `point` on it, or a `box_object` around it",
            )
        self.reach  # noqa: B018  (raises)

    @property
    def reach(self) -> float | None:
        """`dilate` as a number; None for `auto`."""
        if self.dilate == "auto":
            return None
        try:
            found = float(self.dilate)
        except ValueError:
            found = math.nan
        if not self._LEAST_DILATION <= found <= 10000:
            raise UsageError(f"`dilate` {self.dilate}: not a width", hint="give auto, or a number of pixels")
        return found

    @property
    def chooses(self) -> bool:
        """Whether anything is chosen."""
        return self.subject or self.background or self.overlay or any(
            self._listed(name) for name in ("point", "not_point", "box_object", "object", "text")
        )  # fmt: skip

    def _listed(self, name: str) -> list[Any]:
        value = getattr(self, name)
        if value is None:
            return []
        single = isinstance(value, str) or (len(value) > 0 and all(isinstance(part, int | float) for part in value))
        return [value] if single else list(value)

    def spelled(self, name: str) -> list[str]:
        """The values of a field as a command line has them."""
        return [
            one if isinstance(one, str) else ",".join(f"{float(part):.10g}" for part in one)
            for one in self._listed(name)
        ]  # fmt: skip


@dataclass(frozen=True)
class SelectRequest(Choosing):
    """What a mask is made of."""

    dilate: str | float = 0.0
    invert: bool = False
    preview: str | Path | None = None
    """Where the picture is written with the chosen part marked."""


@dataclass(frozen=True)
class CutoutRequest(Choosing):
    """What is cut out, the main subject if nothing is said, and what is put behind it."""

    dilate: str | float = 0.0
    behind: str | Sequence[int] | None = None
    """A colour, a picture's file, or `blur`; transparent without it."""
    save_mask: str | Path | None = None


@dataclass(frozen=True)
class Regional(Choosing):
    """A region: masks, boxes, a colour, what is transparent, and what is chosen by what it is, all joined; `dilate` is
    for all of it, a negative one erodes."""

    _LEAST_DILATION: ClassVar[float] = -10000.0

    detector: Any = "auto"
    """The model that finds what is chosen by what it is."""
    mask: Any = None
    """A file or a folder; in Python also an array."""
    boxes: Sequence[str | Sequence[float]] | None = None
    """`x,y,w,h` in pixels or percent; in Python also numbers."""
    color: str | Sequence[int] | None = None
    tolerance: float = 12.0
    alpha: bool = False
    feather: float | None = 0.0
    """Pixels over which the region fades out beyond its edge."""
    invert: bool = False
    fit_mask: bool = False
    at: str | float | None = None
    """Seconds into a clip, or `h:m:s`: where it is chosen."""
    save_mask: str | Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.moment is not None and not self.chooses:
            raise UsageError(
                "`at` says in which moment of a clip something is chosen, and nothing is",
                hint="add `point` x,y, `object` NAME or the like",
            )
        if not 0 <= self.tolerance <= 255:
            raise UsageError(f"`tolerance` {self.tolerance:g} is out of range", hint="choose 0 to 255")
        if self.feather is not None and not self.feather >= 0:
            raise UsageError(f"`feather` {self.feather:g} is out of range", hint="choose 0 or more")

    @property
    def moment(self) -> float | None:
        """`at` in seconds. Raises UsageError."""
        return _seconds("at", self.at)

    @property
    def has_region(self) -> bool:
        """Whether anything says where it is."""
        return self.chooses or self.mask is not None or bool(self.boxes) or self.color is not None or self.alpha


@dataclass(frozen=True)
class InpaintRequest(Regional):
    """Which part is filled, and how."""

    expand: str | None = None
    tta: bool | None = None
    grain: bool = True
    """Whether a fill gets the grain of its surroundings."""
    variants: int = 1
    """How many fills of each picture are made to choose from, ranked; see `imgfix.pipelines.variants`."""
    sheet: str | Path | None = None
    """Where they are shown side by side."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.variants <= MOST_VARIANTS:
            raise UsageError(f"`variants` {self.variants} is out of range", hint=f"choose 1 to {MOST_VARIANTS}")
        if self.tta and self.variants > 1:
            raise UsageError("`tta` merges runs into one fill, `variants` keeps them apart", hint="give one of them")
        if self.sheet is not None and self.variants == 1:
            raise UsageError("`sheet` shows variants side by side, and there is one", hint="add `variants` 4")


@dataclass(frozen=True)
class PartRequest(Regional):
    """Whether all of a picture is worked on, a region only, or all but a region."""

    dilate: str | float = 0.0
    feather: float | None = None
    """None: so much that the edge is not seen."""
    only: bool = False
    """Work on the region alone."""
    except_: bool = False
    """Work on all but the region."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.only and self.except_:
            raise UsageError("`only` and `except_` contradict each other", hint="give one of them")
        if (self.only or self.except_) and not self.has_region:
            word = "only" if self.only else "except_"
            raise UsageError(
                f"`{word}` says how a region is meant, and there is none",
                hint="give `mask`, `boxes`, `point`, `object`, `subject`, `text`, `overlay`, `color` or `alpha`",
            )
        if self.has_region and not (self.only or self.except_):
            raise UsageError(
                "a region is given, and nothing says what it is for",
                hint="`only` works on it alone, `except_` on all the rest",
            )


@dataclass(frozen=True)
class UpscaleRequest(PartRequest):
    """Size and look of an upscaled picture, the part that the model draws, and what is done before."""

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    long_side: int | None = None
    megapixels: float | None = None
    tta: bool = False
    color_fix: bool | None = None
    blend: float = 0.0
    restore: bool = False
    """First take away the noise and the JPEG artefacts that are found, as `imgfix restore` does."""
    steady: bool | None = None
    """Average what a network for pictures makes of each frame along the motion; None: of videos and of frames."""

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers(self, "scale", "megapixels", "blend")
        if self.save_mask is not None and not self.has_region:
            raise UsageError("`save_mask` writes a region, and there is none", hint="add one, with `only` or `except_`")

    def options(self, tile: int | None) -> UpscaleOptions:
        """As the task takes them. Raises UsageError."""
        from imgfix.tasks.upscale import UpscaleOptions

        names = {field.name for field in fields(UpscaleOptions)} - {"tile"}
        return UpscaleOptions(**{name: getattr(self, name) for name in names}, tile=tile)


@dataclass(frozen=True)
class RestoreRequest(PartRequest):
    """What is to be undone, and where."""

    denoise: str | float | None = None
    """Standard deviation of the noise, of 255; `auto`, `off`."""
    jpeg: str | int | None = None
    """Quality of the JPEG, 1 to 100; `auto`, `off`."""
    deblur: bool = False
    low_light: bool = False
    derain: bool = False
    dehaze: bool = False
    colorize: bool = False
    faces: bool = False
    """Find faces and restore them, after everything else."""
    fidelity: float = 0.0
    """Share of the input in a restored face, 0 to 1."""
    old: bool = False
    """What old prints suffer, as far as it is found: scratches, fading, noise and JPEG artefacts."""
    scratches: bool | None = None
    """None: with `old`, or where there is a mask."""
    scratch_mask: Any = None
    """What is filled as a scratch, instead of what is found: a file or a folder; in Python also an array."""
    fading: bool | None = None
    """None: with `old`."""
    deflicker: bool = False
    """Even out the brightness from frame to frame, of clips."""
    steady: bool | None = None
    """Average the restored frames along the motion; None: of videos and of folders of frames."""
    strength: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers(self, "strength", "fidelity")
        if not 0 <= self.fidelity <= 1:
            raise UsageError(f"`fidelity` {self.fidelity:g} is out of range", hint="choose 0 to 1")
        if self.save_mask is not None and not (self.fills or self.has_region):
            raise UsageError(
                "`save_mask` writes what `scratches` finds, or the region of `only` and `except_`",
                hint="add `scratches`, or a region",
            )
        if self.scratch_mask is not None and self.scratches is False:
            raise UsageError("`scratch_mask` is filled, and `scratches` is off", hint="leave one of them out")

    @property
    def fills(self) -> bool:
        """Whether scratches are filled."""
        return (self.old or self.scratch_mask is not None) if self.scratches is None else self.scratches

    @property
    def fades(self) -> bool:
        """Whether fading is undone."""
        return self.old if self.fading is None else self.fading

    @property
    def off(self) -> list[str]:
        """The kinds of damage that are to be left alone."""
        return [job for job, given in (("noise", self.denoise), ("jpeg", self.jpeg)) if given == "off"]

    def options(self, tile: int | None) -> RestoreOptions:
        """As the task takes them, nothing filled in. Raises UsageError."""
        from imgfix.tasks.restore import RestoreOptions

        return RestoreOptions(
            denoise=_level(self._unless_old(self.denoise)), jpeg=_jpeg_quality(self._unless_old(self.jpeg)),
            light=self.low_light,
            deblur=self.deblur, derain=self.derain, dehaze=self.dehaze, color=self.colorize,
            faces=self.faces, strength=self.strength, tile=tile,
        )  # fmt: skip

    def _unless_old(self, given: Any) -> Any:
        return "auto" if given is None and self.old else given


@dataclass(frozen=True)
class GenerateRequest:
    """What is drawn, how often, and by which settings."""

    prompts: Sequence[str] | None = None
    prompt_file: Path | None = None
    label: str | None = None
    """Name of a class."""
    sound: Path | None = None
    image: Path | None = None
    strength: float | None = None
    like: Path | None = None
    """An old picture, of which what is not said is taken."""
    interpolate: tuple[str, str] | None = None
    frames: int = 60
    count: int = 1
    seed: int | None = None
    seeds: str | Sequence[int] | None = None
    """`0-35` or `3,7,20-29`; in Python also numbers."""
    truncation: float | None = None
    grid: Path | None = None
    upscale: float | None = None
    upscale_model: Any = "auto"
    steps: int | None = None
    guidance: float | None = None
    negative: str | None = None
    width: int | None = None
    height: int | None = None
    low_memory: bool = False

    def __post_init__(self) -> None:
        numbers(self, "strength", "truncation", "upscale", "guidance")
        for name in ("strength", "truncation", "upscale", "guidance"):  # 2 and 2.0 are noted alike
            if getattr(self, name) is not None:
                object.__setattr__(self, name, float(getattr(self, name)))
        if self.upscale is not None and not 1 <= self.upscale <= 16:
            raise UsageError(f"`upscale` {self.upscale:g} is out of range", hint="choose 1 to 16")

    @property
    def diffusion(self) -> dict[str, Any]:
        """What only diffusion models understand."""
        names = ("steps", "guidance", "negative", "width", "height", "low_memory")
        return {name: getattr(self, name) for name in names}


_NUMBER = re.compile(r"(-?\d+(?:\.\d*)?|-?\.\d+)\s*(%|x|mp|m|px)?", re.IGNORECASE)


def number(value: str | float) -> float:
    """A number as people write it: `1.5`, `4x`, `x4`, `80%` (0.8), `12m` or `12MP` (of pixels), `200px`.

    Raises UsageError.
    """
    if not isinstance(value, str):
        return float(value)
    text = value.strip()
    found = _NUMBER.fullmatch(text[1:] + text[:1] if text[:1] in "xX" else text)
    if found is None:
        try:
            return float(text)
        except ValueError:
            raise UsageError(f"'{value}' is no number", hint="give one such as 2, 1.5, 4x or 80%") from None
    return float(found[1]) / (100 if found[2] == "%" else 1)


def numbers(record: Any, *names: str) -> None:
    """Read what may be written as text in some fields of a record. Raises UsageError naming the field."""
    for name in names:
        given = getattr(record, name)
        if isinstance(given, str):
            try:
                object.__setattr__(record, name, number(given))
            except UsageError as error:
                raise UsageError(f"`{name}`: {error.message}", hint=error.hint) from None


def values_of(record: Any) -> dict[str, Any]:
    """The fields of a record by name, one level deep."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def given(record: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a record that say something: name and value of those that differ from their defaults."""
    for field in fields(record):
        value = getattr(record, field.name)
        several = isinstance(value, list | tuple | Mapping) or hasattr(value, "shape")  # a mask is no truth value
        if value is not field.default and (several or value != field.default):
            yield field.name, value


def _seconds(field: str, value: str | float | None) -> float | None:
    """`90`, `1:30`, `0:01:30.5` as seconds. Raises UsageError."""
    if value is None:
        return None
    text = f"{value:.6f}" if isinstance(value, float) else str(value)
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text):
        raise UsageError(f"`{field}` {value}: not a time", hint="give seconds, or minutes:seconds, such as 1:30.5")
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


def _rate(value: str | float | Fraction | None) -> Fraction | None:
    """`30`, `29.97`, `30000/1001`. Raises UsageError."""
    if value is None:
        return None
    try:
        rate = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"`fps` {value}: not a frame rate", hint="for example 25, 29.97 or 30000/1001") from None
    for exact in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)):
        if abs(rate - exact) < Fraction(1, 200):
            rate = exact
    if not 0 < rate <= 1000:
        raise UsageError(f"`fps` {value} is out of range", hint="choose above 0, up to 1000")
    return rate


def _level(value: Any) -> float | Literal["auto"] | None:
    """`denoise`: a number, `auto`, or None for `off` and nothing."""
    if value in (None, "off"):
        return None
    if value == "auto":
        return "auto"
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"`denoise` {value} is no level", hint="give auto, off, or a number such as 15") from None


def _jpeg_quality(value: Any) -> int | Literal["auto"] | None:
    """`jpeg`: a number, `auto`, or None for `off` and nothing."""
    if value in (None, "off"):
        return None
    if value == "auto":
        return "auto"
    if not str(value).isdecimal():
        raise UsageError(f"`jpeg` {value}: not a quality", hint="give auto, off, or a number from 1 to 100")
    return int(value)
