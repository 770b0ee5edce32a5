"""Between the planes of a video frame and RGB: the matrix and the range are always named, never left to a guess.

8 bits: libswscale, with flags under which limited-range planes come back exactly and full-range ones within one code
(without the flags chroma is repeated, and luma is off by up to two). Above 8 bits its matrix is off by up to 3 codes of
1023 and takes grey for full-range, so that only subsampling is left to it, and the matrix is our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from imgfix.errors import InputError

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

    @classmethod
    def of(cls, frame: Any, codec: Any, width: int, height: int) -> Colour:
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
        return cls(matrix, full, primaries, transfer, assumed)

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
        out = _reformatted(self._reformatter, frame, self._name, self._colour, into_rgb=True)
        array = out.to_ndarray()
        # A frame whose format is already the wanted one comes back as it is, its memory owned by the decoder.
        return array.copy() if out is frame else array

    def _own(self, frame: Any) -> np.ndarray:
        name = frame.format.name
        if name.startswith("gray"):
            return _own_rgb([_plane(frame, 0)] * 3, None, self._colour, self._bits, grey=True)
        whole = f"yuv{'a' if self._alpha else ''}444p{self._bits}le"
        if name != whole:
            frame = _resampled(self._reformatter, frame, whole, self._colour)
        planes = [_plane(frame, number) for number in range(3)]
        return _own_rgb(planes, _plane(frame, 3) if self._alpha else None, self._colour, self._bits)


class FromRgb:
    """Arrays to frames of one pixel format."""

    def __init__(self, colour: Colour, format: str) -> None:
        self._colour = colour
        self._format = format
        self._bits = max(component.bits for component in av.VideoFormat(format).components)
        self._reformatter = VideoReformatter()

    def __call__(self, array: np.ndarray) -> Any:
        """(H, W, 3 or 4) uint8 or uint16 -> a frame with its colour tags."""
        colour = self._colour
        if colour.matrix and (self._bits > 8 or self._format == "gray"):
            frame = self._own(array)
        else:
            name = _packed(array.dtype == np.uint16, array.shape[2] == 4)
            given = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=name)
            frame = _reformatted(self._reformatter, given, self._format, colour, into_rgb=False)
        if colour.matrix:
            frame.colorspace = colour.matrix
            frame.color_range = _FULL if colour.full else _LIMITED
        frame.color_primaries = colour.primaries
        frame.color_trc = colour.transfer
        return frame

    def _own(self, array: np.ndarray) -> Any:
        alpha = array.shape[2] == 4 and "yuva" in self._format
        grey = self._format.startswith("gray")
        whole = self._format if grey else f"yuv{'a' if alpha else ''}444p{self._bits}le"
        frame = av.VideoFrame(array.shape[1], array.shape[0], whole)
        planes = _own_planes(array, self._colour, self._bits)
        for number in range(1 if grey else 3):
            _fill(frame, number, planes[..., number])
        if alpha:
            top = np.float32(np.iinfo(array.dtype).max)
            _fill(frame, 3, (array[..., 3] * np.float32(2**self._bits - 1) / top + np.float32(0.5)).astype(np.uint16))
        return frame if whole == self._format else _resampled(self._reformatter, frame, self._format, self._colour)


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


def _resampled(reformatter: VideoReformatter, frame: Any, name: str, colour: Colour) -> Any:
    """Another subsampling of chroma; matrix, range and depth stay."""
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
