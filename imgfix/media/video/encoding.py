"""How the pictures of a result are encoded: container, codec, sample layout, and the settings of the encoder."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av

from imgfix.errors import InputError, UsageError
from imgfix.media.video import repeatable
from imgfix.media.video.colour import Colour
from imgfix.media.video.containers import CONTAINERS, with_article
from imgfix.media.video.header import Header, Pixels, pixels_of
from imgfix.media.video.scheduling import ordinary_scheduling

_X264 = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip


@dataclass(frozen=True)
class Encoder:
    """What is known of an encoder."""

    name: str
    family: str
    """The codec that comes out."""
    crf: float | None = None
    """Quality that is taken when none is given; `None`: the encoder has no such scale."""
    crf_range: tuple[float, float] = (0, 51)
    preset_option: str = "preset"
    presets: tuple[str, ...] = ()
    preset: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    lossless: bool = False
    least: int = 1
    """Shortest side; libx265 damages its own memory below 64, with smaller blocks too."""
    even: bool = True
    """Sides must be multiples of the chroma subsampling."""


ENCODERS: tuple[Encoder, ...] = (
    Encoder("libx264", "h264", 17, presets=_X264, preset="medium"),
    Encoder("libx264rgb", "h264", 17, presets=_X264, preset="medium", even=False),
    Encoder("libx265", "hevc", 19, presets=_X264, preset="medium", options={"x265-params": "log-level=error"},
            least=64),
    Encoder("libsvtav1", "av1", 22, (0, 63), presets=tuple(map(str, range(14))), preset="7"),
    Encoder("libaom-av1", "av1", 20, (0, 63), "cpu-used", tuple(map(str, range(9))), "6", {"row-mt": "1"}),
    Encoder("libvpx-vp9", "vp9", 20, (0, 63), "cpu-used", tuple(map(str, range(-8, 9))), "3", {"row-mt": "1"},
            even=False),
    Encoder("prores_ks", "prores"),
    Encoder("ffv1", "ffv1", options={"level": "3", "slices": "4", "slicecrc": "1"}, lossless=True, even=False),
    Encoder("png", "png", lossless=True, even=False),
    Encoder("qtrle", "qtrle", lossless=True, even=False),
    Encoder("mpeg2video", "mpeg2video", options={"qmin": "1", "qmax": "4", "b": "60M", "maxrate": "80M"}),
    Encoder("mpeg4", "mpeg4", options={"qmin": "1", "qmax": "3", "b": "60M"}),
    Encoder("mjpeg", "mjpeg", options={"qmin": "1", "qmax": "2", "b": "200M"}, even=False),
)  # fmt: skip
_ALIASES = {"h265": "hevc", "x264": "h264", "x265": "hevc", "avc": "h264", "mpeg2": "mpeg2video", "svtav1": "av1"}
_LOSSLESS_SOURCES = {"ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "magicyuv", "wrapped_avframe", "v210", "png",
                     "qtrle", "zlib"}  # fmt: skip
_KEPT = {"h264", "hevc", "av1", "vp9", "prores", "mpeg2video", "png", "qtrle"}
_HOLD_VPX_ALPHA = ("webm", "matroska")
# What a container holds that everyone can play, the first that fits; None: whatever the others say.
_HOLDS: dict[str, tuple[str, ...]] = {
    "mp4": ("h264", "hevc", "av1", "vp9", "mpeg4"),
    "mov": ("h264", "hevc", "prores", "av1", "mpeg4", "mjpeg", "png", "qtrle"),
    "webm": ("vp9", "av1"),
    "avi": ("h264", "mpeg4", "mjpeg", "ffv1", "mpeg2video"),
    "mpegts": ("h264", "hevc", "mpeg2video"),
    "mpeg": ("mpeg2video",),
    "vob": ("mpeg2video",),
    "asf": ("h264", "mpeg4"),
    "flv": ("h264",),
    "3gp": ("h264", "mpeg4"),
}


@dataclass(frozen=True)
class EncoderOptions:
    """What the user asked of the encoding."""

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pixels: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoding:
    """Everything an encoder is told."""

    container: str
    encoder: Encoder
    pixels: Pixels
    options: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    @property
    def multiple(self) -> tuple[int, int]:
        """What width and height of the pictures must be multiples of."""
        return self.pixels.multiple if self.encoder.even else (1, 1)

    @property
    def segment_container(self) -> str:
        """What keeps packets as they come from the encoder.

        NUT; Matroska for what that does not hold, such as the alpha of VP9; MOV for what neither does.
        """
        if self.pixels.alpha and self.encoder.family == "vp9":
            return "matroska"
        return next((name for name in ("nut", "matroska") if _fits(name, self.encoder.name)), "mov")

    def stream(
        self, container: Any, width: int, height: int, rate: Fraction, aspect: Fraction, colour: Colour, threads: int
    ) -> Any:
        """A stream of an output container with its encoder, opened. Raises UsageError: it refuses the settings."""
        if min(width, height) < self.encoder.least:
            raise UsageError(
                f"{self.encoder.name} takes no pictures of {width}x{height}, only from {self.encoder.least} pixels on",
                hint="choose `codec` h264",
            )
        options = dict(self.options)
        if self.encoder.name == "ffv1":
            options["slices"] = _slices(width, height, self.pixels.name, self.options)
        if self.encoder.name == "libx265":
            _put_before(options, "x265-params", repeatable.x265_params(width, height))
        stream = container.add_stream(self.encoder.name, rate=rate)
        encoder = stream.codec_context
        encoder.width, encoder.height = width, height
        encoder.pix_fmt = self.pixels.name
        encoder.time_base = 1 / rate
        encoder.sample_aspect_ratio = aspect
        encoder.thread_count = threads
        if colour.matrix:
            encoder.colorspace = colour.matrix
            encoder.color_range = 2 if colour.full else 1
        encoder.color_primaries = colour.primaries
        encoder.color_trc = colour.transfer
        encoder.options = options
        if colour.siting is not None and "chroma_sample_location" not in encoder.options:
            encoder.options |= {"chroma_sample_location": colour.siting}
        try:
            with ordinary_scheduling():
                container.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            raise UsageError(
                f"{self.encoder.name} does not take these settings ({error}): {self.words(width, height)}",
                hint="leave out `encoder_option`, `preset` or `pix_fmt`, or choose another `codec`",
            ) from error
        return stream

    def rehearse(self, width: int, height: int, rate: Fraction, aspect: Fraction, colour: Colour) -> None:
        """Open the encoder once, before any work. Raises UsageError as `stream` does."""
        across, down = self.multiple
        with av.open(Nowhere(), "w", format=self.segment_container) as container:
            self.stream(container, width + -width % across, height + -height % down, rate, aspect, colour, 1)

    def words(self, width: int, height: int) -> str:
        """For messages: `libx264 yuv420p 1280x720`."""
        return f"{self.encoder.name} {self.pixels.name} {width}x{height}"


def container_of(target: Path) -> str:
    """The muxer for a target's name. Raises UsageError for a name that says no container we write."""
    found = CONTAINERS.get(target.suffix.lower())
    if found is None:
        raise UsageError(
            f"{target}: '{target.suffix}' is not a video container that can be written",
            hint=f"use one of {' '.join(CONTAINERS)}",
        )
    return found


def check(wanted: EncoderOptions) -> None:
    """Whether the names that were given exist. Raises UsageError with the nearest ones."""
    if wanted.codec is not None:
        _encoder_named(wanted.codec)
    if wanted.pixels is not None:
        try:
            av.VideoFormat(wanted.pixels)
        except ValueError:
            raise UsageError(
                f"there is no pixel format '{wanted.pixels}'",
                hint=_near(
                    wanted.pixels, ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")
                ),
            ) from None
    if wanted.codec is not None:
        encoder = _encoder_named(wanted.codec)
        _settings(encoder, wanted)
    elif wanted.preset is not None and not any(wanted.preset in encoder.presets for encoder in ENCODERS):
        raise UsageError(f"there is no preset '{wanted.preset}'", hint=_near(wanted.preset, _X264))


def choose(header: Header, container: str, wanted: EncoderOptions) -> Encoding:
    """Settle how the pictures of a clip are encoded.

    Raises UsageError: settings that do not exist or do not fit. InputError: HDR that the result could not hold.
    """
    notes: list[str] = []
    encoder = _encoder(header, container, wanted, notes)
    pixels = _pixels(header, encoder, container, wanted, notes)
    if header.hdr and pixels.bits < 10:
        raise InputError(
            f"{header.path} is HDR ({header.hdr}), and {encoder.name} in {pixels.name} has 8 bits, too few for it",
            hint="use `codec` hevc, or convert the clip to SDR first",
        )
    options = dict(_settings(encoder, wanted))
    if encoder.family == "vp9" and pixels.alpha:
        options.setdefault("auto-alt-ref", "0")  # with it libvpx refuses transparency
    if encoder.name == "libx265" and header.light:
        options["x265-params"] += f":{header.light}:hdr10=1"
    if encoder.name.startswith("libx264"):
        _put_before(options, "x264-params", repeatable.x264_params(pixels.bits))
    if container == "avi" and encoder.family == "h264":
        options.setdefault("bf", "0")  # AVI has no times, so that frames have to come in the order they are shown
    return Encoding(container, encoder, pixels, tuple(sorted(options.items())), tuple(notes))


def _put_before(options: dict[str, str], key: str, params: str) -> None:
    """Add to a list of parameters, of which the user's come last and so overrule."""
    joined = ":".join(part for part in (params, options.get(key)) if part)
    if joined:
        options[key] = joined


def _encoder(header: Header, container: str, wanted: EncoderOptions, notes: list[str]) -> Encoder:
    if wanted.codec is not None:
        encoder = _encoder_named(wanted.codec)
        if not _fits(container, encoder.name):
            allowed = ", ".join(name for name in _HOLDS.get(container, ())) or "another codec"
            raise UsageError(
                f"{with_article(container)} file does not hold {encoder.family}", hint=f"it holds: {allowed}"
            )
        return encoder
    holds = _HOLDS.get(container)
    wish = [header.codec] if header.codec in _KEPT else []
    if header.codec in _LOSSLESS_SOURCES and (holds is None or "ffv1" in holds):
        wish.append("ffv1")
    if header.hdr:
        wish.append("hevc")
    for family in (*wish, *(holds or ("h264",))):
        if holds is not None and family not in holds:
            continue
        found = next((each for each in available() if each.family == family and _suits(each, header)), None)
        if found is None or not _fits(container, found.name):
            continue
        if header.hdr and not any(_deep(name) for name in _formats(found.name)):
            continue
        if header.codec != found.family and header.codec in _KEPT:
            notes.append(f"{header.codec} becomes {found.family}, which {with_article(container)} file holds")
        return found
    raise UsageError(
        f"no encoder for {with_article(container)} file is here",
        hint="choose another `output`, or `codec`; imgfix doctor",
    )


def _suits(encoder: Encoder, header: Header) -> bool:
    """Whether it is the one of its family for such samples: H.264 has one encoder for RGB and one for all else."""
    if encoder.family != "h264" or "libx264rgb" not in {each.name for each in available()}:
        return True
    rgb = header.codec == "h264" and header.pixels.chroma == "rgb" and header.pixels.bits == 8
    return (encoder.name == "libx264rgb") == rgb


@cache
def _slices(width: int, height: int, pixels: str, options: tuple[tuple[str, str], ...]) -> str:
    """Into how many parts FFV1 divides a picture: not every number goes with every odd size."""
    asked = dict(options)
    for count in (asked["slices"], "9", "12", "6", "16", "2", "1"):
        try:
            with av.open(Nowhere(), "w", format="nut") as out:
                stream = out.add_stream("ffv1", rate=25, options={**asked, "slices": count})
                stream.width, stream.height, stream.pix_fmt = width, height, pixels
                out.start_encoding()
        except (av.FFmpegError, ValueError):
            continue
        return count
    return asked["slices"]


@cache
def available() -> tuple[Encoder, ...]:
    """The encoders of the table that this PyAV has."""
    return tuple(encoder for encoder in ENCODERS if encoder.name in av.codecs_available and _formats(encoder.name))


@cache
def _formats(name: str) -> tuple[str, ...]:
    try:
        return tuple(format.name for format in av.Codec(name, "w").video_formats or ())
    except (av.FFmpegError, ValueError):
        return ()


def _deep(name: str) -> bool:
    return pixels_of(av.VideoFormat(name)).bits >= 10


@cache
def _fits(container: str, encoder: str) -> bool:
    try:
        with av.open(Nowhere(), "w", format=container) as out:
            out.add_stream(encoder)
    except (av.FFmpegError, ValueError, OSError):
        return False
    return True


class Nowhere:
    """A file that keeps nothing."""

    name = "nowhere"

    def write(self, data: bytes) -> int:
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def tell(self) -> int:
        return 0


def _encoder_named(name: str) -> Encoder:
    key = _ALIASES.get(name.lower(), name.lower())
    for encoder in available():
        if key in (encoder.family, encoder.name):
            return encoder
    if _formats(key) and av.Codec(key, "w").type == "video":  # one that we know nothing special about
        codec = av.Codec(key, "w")
        return Encoder(key, codec.canonical_name)
    names = sorted({encoder.family for encoder in available()} | {encoder.name for encoder in available()})
    raise UsageError(f"there is no video codec '{name}' here", hint=_near(name, names))


def _near(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name.lower(), list(names), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"


def _settings(encoder: Encoder, wanted: EncoderOptions) -> dict[str, str]:
    options = dict(encoder.options)
    if wanted.crf is not None and encoder.crf is None:
        raise UsageError(f"{encoder.name} has no `crf`", hint="set its own options with `encoder_option` key=value")
    crf = wanted.crf if wanted.crf is not None else encoder.crf
    if wanted.crf is None and {"qp", "b", "q", "global_quality", "lossless"} & set(wanted.options):
        crf = None  # the user has chosen another way to say how good it should be
    if crf is not None:
        low, high = encoder.crf_range
        if not low <= crf <= high:
            raise UsageError(f"`crf` {crf:g} is out of range for {encoder.name}", hint=f"choose {low:g} to {high:g}")
        options["crf"] = f"{crf:g}"
        if encoder.name.startswith("libvpx") or encoder.name.startswith("libaom"):
            options["b"] = "0"
    if wanted.preset is not None:
        if not encoder.presets and encoder in ENCODERS:
            raise UsageError(
                f"{encoder.name} has no `preset`", hint="set its own options with `encoder_option` key=value"
            )
        if encoder.presets and wanted.preset not in encoder.presets:
            raise UsageError(
                f"{encoder.name} has no preset '{wanted.preset}'", hint=_near(wanted.preset, encoder.presets)
            )
    preset = wanted.preset or encoder.preset
    if preset is not None:
        options[encoder.preset_option] = preset
    known = _option_names(encoder.name)
    for key, value in wanted.options.items():
        if known and key not in known:
            raise UsageError(f"{encoder.name} has no option '{key}'", hint=_near(key, sorted(known)))
        if key == "x265-params" and key in options:
            value = f"{options[key]}:{value}"
        options[key] = value
    return options


@cache
def _option_names(encoder: str) -> frozenset[str]:
    context = av.CodecContext.create(encoder, "w")
    known = context.supported_options
    return frozenset(option.name for option in (*known.generic, *known.private))


def _pixels(header: Header, encoder: Encoder, container: str, wanted: EncoderOptions, notes: list[str]) -> Pixels:
    names = _formats(encoder.name)
    holds_alpha = encoder.family != "vp9" or container in _HOLD_VPX_ALPHA
    if wanted.pixels is not None:
        if wanted.pixels not in names:
            raise UsageError(f"{encoder.name} does not take {wanted.pixels}", hint=f"it takes: {', '.join(names)}")
        return pixels_of(av.VideoFormat(wanted.pixels))
    given = header.pixels
    if header.codec == "gif":  # its colours come from a palette: full chroma would only keep it from playing
        given = replace(given, chroma="420")
    # Formats marked as full range by their name are outdated: the range stands in a tag.
    known = [pixels_of(av.VideoFormat(name)) for name in names if not name.startswith(("yuvj", "nv", "p0", "p2"))]
    known = known or [pixels_of(av.VideoFormat(name)) for name in names]
    known = [each for each in known if holds_alpha or not each.alpha]
    best = min(known, key=lambda each: _distance(given, each))
    if best.bits < given.bits:
        notes.append(f"{given.bits} bits become {best.bits}: {encoder.name} has no more")
    if given.alpha and not best.alpha:
        # Whether a GIF has any is not known before its last frame.
        what = "transparency, if it has any," if header.codec == "gif" else "transparency"
        where = f"{encoder.name} has none" if holds_alpha else f"{with_article(container)} file does not hold it"
        notes.append(f"{what} is dropped: {where}")
    if given.chroma not in (best.chroma, "rgb") and _RICHNESS[best.chroma] < _RICHNESS[given.chroma]:
        notes.append(f"chroma {given.chroma} becomes {best.chroma}: {encoder.name} has no more")
    return best


_RICHNESS = {"gray": 0, "410": 1, "411": 2, "420": 2, "440": 3, "422": 3, "444": 4, "rgb": 5}


def _distance(given: Pixels, other: Pixels) -> tuple[int, ...]:
    """Smaller is nearer: nothing lost first, then nothing added."""
    have, want = _RICHNESS[other.chroma], _RICHNESS[given.chroma]
    bits = other.bits - given.bits
    return (
        int(given.alpha and not other.alpha),
        max(0, -bits),
        int(given.chroma == "rgb" and other.chroma not in ("rgb", "444")),
        max(0, want - have) if given.chroma != "rgb" else 0,
        int(given.chroma != "rgb" and other.chroma == "rgb"),
        int(other.alpha and not given.alpha),
        max(0, have - want),
        max(0, bits),
        int(other.chroma != given.chroma),
        int(other.name.endswith("0")),
    )


# Where chroma may lie in what an encoder makes; the first is where it lies in a stream that does not say so.
_SITINGS: dict[str, tuple[str, ...]] = {
    "h264": ("left", "center", "topleft", "top"),
    "hevc": ("left", "center", "topleft", "top"),
    "av1": ("left", "topleft"),
    "mjpeg": ("center",),
    "mpeg2video": ("left",),
    "mpeg4": ("left",),
}


def _siting(given: str | None, encoding: Encoding) -> str | None:
    """Where the result's chroma lies: where the source's does, if the codec can say so, else where it always does."""
    if encoding.pixels.chroma in ("444", "gray", "rgb"):
        return None
    able = _SITINGS.get(encoding.encoder.family)
    if able is None or given in able:
        return given
    return None if given is None and able[0] == "left" else able[0]


def as_written(header: Header, encoding: Encoding) -> Colour:
    """The colour tags of the result: the source's, with the matrix named even where the source leaves it open.

    A player guesses an unnamed matrix by the size of the picture, and the result has another size.
    """
    colour = replace(header.colour, siting=_siting(header.colour.siting, encoding))
    if encoding.pixels.chroma == "rgb":
        return replace(colour, matrix=0, full=True)
    if colour.matrix == 0:  # RGB into planes
        return replace(colour, matrix=1, full=False)
    return colour
