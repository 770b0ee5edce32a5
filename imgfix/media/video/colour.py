"""Between the planes of a video frame and RGB: the matrix and the range are always named, never left to a guess.

8 bits: libswscale, with flags under which limited-range planes come back exactly and full-range ones within one code
(without the flags chroma is repeated, and luma is off by up to two). Above 8 bits its matrix is off by up to 3 codes of
1023 and takes grey for full-range, so that the matrix is our own. Subsampling is never left to it: it believes in
another place of the chroma samples on the way back than on the way there (see `imgfix.media.video.chroma`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from imgfix.errors import InputError
from imgfix.media.video import chroma

_FLAGS = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
_UNSPECIFIED = 2
# Matrix coefficients of ITU-T H.273 -> the name of libswscale.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
# Weights of red and blue in luma; that of green is what is left.
_LUMA = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087),
         9: (0.2627, 0.0593)}  # fmt: skip
_WORDS = {0: "RGB", 8: "YCgCo", 10: "BT.2020 constant luminance", 11: "SMPTE 2085", 14: "ICtCp"}
_LIMITED, _FULL = 1, 2


@dataclass(frozen=True)
class Colour:
    """Colour tags of a clip, numbers as in ITU-T H.273."""

    matrix: int
    """1 BT.709, 5 and 6 BT.601, 9 BT.2020; 0 for RGB."""
    full: bool
    """Samples use their whole range (JPEG), not 16-235."""
    primaries: int
    transfer: int
    assumed: bool = False
    """The file does not name its matrix: it is what players take at its size."""
    siting: str | None = None
    """Where subsampled chroma lies, one of `chroma.SITINGS`; `None`: the file does not say."""

    @classmethod
    def of(cls, frame: Any, codec: Any, width: int, height: int, siting: str | None = None) -> Colour:
        """The tags of a decoded frame; what is missing is filled in as players do: BT.709 from 720 lines on."""
        rgb = frame.format.is_rgb or frame.format.has_palette
        full = rgb or frame.format.name.startswith("yuvj") or int(frame.color_range) == _FULL
        full = full or int(codec.color_range) == _FULL
        matrix = _given(frame.colorspace, codec.colorspace)
        primaries = _given(frame.color_primaries, codec.color_primaries)
        transfer = _given(frame.color_trc, codec.color_trc)
        assumed = False
        if rgb:
            matrix = 0
        elif matrix in (0, _UNSPECIFIED):
            assumed = True
            if primaries == 9:
                matrix = 9
            elif height >= 720 or width >= 1280 or primaries == 1:
                matrix = 1
            else:
                matrix = 5 if height == 576 or primaries == 5 else 6
        return cls(matrix, full, primaries, transfer, assumed, siting)

    @property
    def chroma(self) -> chroma.Siting:
        """Where subsampled chroma lies."""
        return chroma.SITINGS[self.siting] if self.siting else chroma.USUAL

    def check(self, path: object) -> None:
        """Raises InputError for a matrix that cannot be converted."""
        if self.matrix and self.matrix not in _MATRICES:
            words = _WORDS.get(self.matrix, f"number {self.matrix}")
            raise InputError(
                f"{path}: its colour matrix ({words}) cannot be converted", hint="convert it to BT.709 or BT.2020 first"
            )


def _given(*values: int) -> int:
    return next((int(value) for value in values if int(value) not in (_UNSPECIFIED, 0)), _UNSPECIFIED)


class ToRgb:
    """Frames of one clip to arrays: (H, W, 3) or, with alpha, (H, W, 4); uint8, or uint16 above 8 bits."""

    def __init__(self, colour: Colour, bits: int, alpha: bool) -> None:
        self._colour = colour
        self._bits = bits
        self._alpha = alpha
        self._name = _packed(bits > 8, alpha)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Any) -> np.ndarray:
        """Convert a frame."""
        if self._colour.matrix and (self._bits > 8 or frame.format.name == "gray"):
            return self._own(frame)
        layout = Layout.of(frame.format)
        if layout is not None and self._colour.matrix:
            planes = layout.whole(frame, self._reformatter, self._colour)
            given = frame
            frame = av.VideoFrame(given.width, given.height, f"yuv{'a' if layout.alpha else ''}444p")
            for number, values in enumerate(planes):
                _fill(frame, number, np.clip(values + np.float32(0.5), 0, 255) if values.dtype != np.uint8 else values)
        out = _reformatted(self._reformatter, frame, self._name, self._colour, into_rgb=True)
        array = out.to_ndarray()
        # A frame whose format is already the wanted one comes back as it is, its memory owned by the decoder.
        return array.copy() if out is frame else array

    def _own(self, frame: Any) -> np.ndarray:
        name = frame.format.name
        if name.startswith("gray"):
            return _own_rgb([_plane(frame, 0)] * 3, None, self._colour, self._bits, grey=True)
        layout = Layout.of(frame.format)
        if layout is not None:
            planes = layout.whole(frame, self._reformatter, self._colour)
        else:
            whole = f"yuv{'a' if self._alpha else ''}444p{self._bits}le"
            if name != whole:
                frame = _rearranged(self._reformatter, frame, whole, self._colour)
            planes = [_plane(frame, number) for number in range(4 if self._alpha else 3)]
        return _own_rgb(planes[:3], planes[3] if self._alpha else None, self._colour, self._bits)


class FromRgb:
    """Arrays to frames of one pixel format."""

    def __init__(self, colour: Colour, format: str) -> None:
        self._colour = colour
        self._format = format
        self._bits = max(component.bits for component in av.VideoFormat(format).components)
        self._layout = Layout.of(av.VideoFormat(format)) if colour.matrix else None
        self._reformatter = VideoReformatter()

    def __call__(self, array: np.ndarray) -> Any:
        """(H, W, 3 or 4) uint8 or uint16 -> a frame with its colour tags."""
        colour = self._colour
        if colour.matrix and (self._bits > 8 or self._format == "gray"):
            frame = self._own(array)
        else:
            name = _packed(array.dtype == np.uint16, array.shape[2] == 4)
            given = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=name)
            whole = self._layout.name_444 if self._layout is not None else self._format
            frame = _reformatted(self._reformatter, given, whole, colour, into_rgb=False)
            if self._layout is not None:
                count = 4 if self._layout.alpha else 3
                frame = self._subsampled([_plane(frame, number) for number in range(count)], self._layout)
        if colour.matrix:
            frame.colorspace = colour.matrix
            frame.color_range = _FULL if colour.full else _LIMITED
        frame.color_primaries = colour.primaries
        frame.color_trc = colour.transfer
        return frame

    def _own(self, array: np.ndarray) -> Any:
        alpha = array.shape[2] == 4 and "yuva" in self._format
        grey = self._format.startswith("gray")
        planes = _own_planes(array, self._colour, self._bits)
        if self._layout is not None:
            sheets = [planes[..., number] for number in range(3)]
            if self._layout.alpha:
                sheets.append(_share(array, self._bits))
            return self._subsampled(sheets, self._layout)
        whole = self._format if grey else f"yuv{'a' if alpha else ''}444p{self._bits}le"
        frame = av.VideoFrame(array.shape[1], array.shape[0], whole)
        for number in range(1 if grey else 3):
            _fill(frame, number, planes[..., number])
        if alpha:
            _fill(frame, 3, _share(array, self._bits))
        return frame if whole == self._format else _rearranged(self._reformatter, frame, self._format, self._colour)

    def _subsampled(self, planes: list[np.ndarray], layout: Layout) -> Any:
        """Planes of full size -> a frame of the format."""
        height, width = planes[0].shape
        frame = av.VideoFrame(width, height, layout.name)
        top = np.float32(2**self._bits - 1)
        for number, values in enumerate(planes):
            if number in (1, 2):
                small = chroma.reduced(values, (layout.down, layout.across), self._colour.chroma)
                values = np.clip(small + np.float32(0.5), 0, top)
            _fill(frame, number, values)
        if layout.name == self._format:
            return frame
        return _rearranged(self._reformatter, frame, self._format, self._colour)


@dataclass(frozen=True)
class Layout:
    """Planes of a format with subsampled chroma, one after the other."""

    chroma: str
    """`420`, `422`, `440`, `411` or `410`."""
    bits: int
    alpha: bool

    @classmethod
    def of(cls, format: Any) -> Layout | None:
        """That of a format, or the nearest to one that lays its samples out otherwise; `None`: not subsampled."""
        if format.is_rgb or format.has_palette or len(format.components) < 3:
            return None
        across, down = 64 // format.chroma_width(64), 64 // format.chroma_height(64)
        name = {(2, 2): "420", (2, 1): "422", (1, 2): "440", (4, 1): "411", (4, 4): "410"}.get((across, down))
        if name is None:
            return None
        return cls(name, format.components[0].bits, any(component.is_alpha for component in format.components))

    @property
    def across(self) -> int:
        """Pixels of a row that share a sample."""
        return {"440": 1, "411": 4, "410": 4}.get(self.chroma, 2)

    @property
    def down(self) -> int:
        """Rows that share a sample."""
        return {"422": 1, "411": 1, "410": 4}.get(self.chroma, 2)

    @property
    def name(self) -> str:
        """As FFmpeg calls it."""
        return f"yuv{'a' if self.alpha else ''}{self.chroma}p{f'{self.bits}le' if self.bits > 8 else ''}"

    @property
    def name_444(self) -> str:
        """The same with chroma for every pixel."""
        return f"yuv{'a' if self.alpha else ''}444p{f'{self.bits}le' if self.bits > 8 else ''}"

    def whole(self, frame: Any, reformatter: VideoReformatter, colour: Colour) -> list[np.ndarray]:
        """The planes of a frame, each of its full size; chroma in float32, not clipped."""
        if frame.format.name.replace("yuvj", "yuv") != self.name:
            frame = _rearranged(reformatter, frame, self.name, colour)
        size = (frame.height, frame.width)
        planes = [_plane(frame, number) for number in range(4 if self.alpha else 3)]
        planes[1:3] = [chroma.enlarged(plane, size, colour.chroma) for plane in planes[1:3]]
        return planes


def _share(array: np.ndarray, bits: int) -> np.ndarray:
    """The alpha of an array as codes of that many bits; wholly opaque where it has none."""
    if array.shape[2] == 3:
        return np.full(array.shape[:2], 2**bits - 1, np.uint16)
    top = np.float32(np.iinfo(array.dtype).max)
    return (array[..., 3] * np.float32(2**bits - 1) / top + np.float32(0.5)).astype(np.uint16)


def _packed(deep: bool, alpha: bool) -> str:
    """The packed RGB format of an array."""
    return {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le", (True, True): "rgba64le"}[
        deep, alpha
    ]


def _reformatted(reformatter: VideoReformatter, frame: Any, name: str, colour: Colour, into_rgb: bool) -> Any:
    matrix = _MATRICES[colour.matrix] if colour.matrix else None
    own = _FULL if colour.full else _LIMITED
    return reformatter.reformat(
        frame,
        format=name,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=own if into_rgb else _FULL,
        dst_color_range=_FULL if into_rgb else own,
        interpolation=int(_FLAGS),
        threads=1,
    )


def _rearranged(reformatter: VideoReformatter, frame: Any, name: str, colour: Colour) -> Any:
    """The same samples in another order; matrix, range, depth and subsampling stay."""
    matrix, own = _MATRICES[colour.matrix], _FULL if colour.full else _LIMITED
    return reformatter.reformat(
        frame, format=name, src_colorspace=matrix, dst_colorspace=matrix, src_color_range=own, dst_color_range=own,
        interpolation=int(_FLAGS), threads=1,
    )  # fmt: skip


def _plane(frame: Any, number: int) -> np.ndarray:
    plane = frame.planes[number]
    return np.frombuffer(plane, _type(frame)).reshape(plane.height, -1)[:, : plane.width]


def _type(frame: Any) -> type:
    return np.uint16 if frame.format.components[0].bits > 8 else np.uint8


def _fill(frame: Any, number: int, values: np.ndarray) -> None:
    plane = frame.planes[number]
    rows: np.ndarray = np.frombuffer(plane, _type(frame)).reshape(plane.height, -1)
    rows[:, : plane.width] = values


def _swings(colour: Colour, bits: int) -> tuple[float, float, float, float]:
    """Codes from black to white, code of black, codes of the whole chroma range, code of no chroma (H.273, 8.3)."""
    step, top = 2.0 ** (bits - 8), 2.0**bits - 1
    return (top, 0.0, top, 128 * step) if colour.full else (219 * step, 16 * step, 224 * step, 128 * step)


def _own_rgb(
    planes: list[np.ndarray], alpha: np.ndarray | None, colour: Colour, bits: int, grey: bool = False
) -> np.ndarray:
    swing, foot, chroma, middle = _swings(colour, bits)
    if grey:
        top = 65535 if bits > 8 else 255
        shade = _rounded((planes[0].astype(np.float32) - np.float32(foot)) * np.float32(top / swing), top)
        return np.repeat(shade.astype(np.uint16 if bits > 8 else np.uint8)[..., None], 3, axis=2)
    red, blue = _LUMA[colour.matrix]
    green = 1 - red - blue
    y, u, v = 65535 / swing, 65535 / chroma, 65535 / chroma
    rows: np.ndarray = np.array(
        [
            [y, 0, 2 * (1 - red) * v],
            [y, -2 * (1 - blue) * blue / green * u, -2 * (1 - red) * red / green * v],
            [y, 2 * (1 - blue) * u, 0],
        ]
    )
    whole = np.hstack([rows, -rows @ [[foot], [middle], [middle]]])
    rgb = _rounded(cv2.transform(np.dstack(planes).astype(np.float32), whole), 65535)
    if alpha is None:
        return rgb
    share = _rounded(alpha.astype(np.float32) * np.float32(65535 / (2**bits - 1)), 65535)
    return np.dstack([rgb, share])


def _own_planes(array: np.ndarray, colour: Colour, bits: int) -> np.ndarray:
    """(H, W, 3 or 4) -> codes of luma and both chromas, (H, W, 3) uint16."""
    swing, foot, chroma, middle = _swings(colour, bits)
    red, blue = _LUMA[colour.matrix]
    luma = np.array([red, 1 - red - blue, blue])
    rows: np.ndarray = np.stack(
        [
            luma * swing,
            (np.array([0, 0, 1]) - luma) / (2 * (1 - blue)) * chroma,
            (np.array([1, 0, 0]) - luma) / (2 * (1 - red)) * chroma,
        ]
    )
    whole = np.hstack([rows / np.iinfo(array.dtype).max, [[foot], [middle], [middle]]])
    return _rounded(cv2.transform(array[..., :3].astype(np.float32), whole), 2**bits - 1)


def _rounded(values: np.ndarray, top: int) -> np.ndarray:
    return np.clip(values + np.float32(0.5), 0, top).astype(np.uint16)
