"""What an encoder is told so that the same frames give the same bytes, on any machine and in every run.

Measured with FFmpeg's encoders in PyAV 18.1 (24 and 100 frames, 64x64 to 640x480, 1 to 16 threads, 8 to 150 runs of
each). SVT-AV1, libvpx (VP8, VP9), MPEG-2, MPEG-4, Motion JPEG, ProRes and FFV1 repeat themselves as they are. libx264
does not:

- With AVX-512 its macroblock tree gives 9 to 29 different streams in 30 runs, with one thread too. Without AVX-512 all
  are equal, and the encoder is no slower (0.93 to 0.95 of the time on two Vid4 clips).
- Above 8 bits and with several threads the macroblock tree gives up to 14 different streams in 100 runs, whatever the
  instructions. Without it all are equal; at the default quality that costs 0 to 4 % of the file or 0.3 dB.

Nor does libx265 with pictures of a single row or column of its largest blocks, 64 pixels (2 to 11 different streams in
12 runs at 96x64 and 64x96, with any instructions and one thread too; none at 66x96 and above). With blocks of which
there are two each way all of 24 and 40 runs are equal.
"""

from __future__ import annotations

from functools import cache

_BLOCK = 64  # of libx265 where it is told nothing
_AVX512F = 13  # CPU_AVX_512F, which the Python bindings of OpenCV do not name


def x264_params(bits: int) -> str:
    """Of libx264, for samples of that depth: `name=value:name=value`, or empty."""
    found = []
    if has_avx512():
        found.append("asm=AVX2")  # every instruction set up to it
    if bits > 8:
        found.append("mbtree=0")
    return ":".join(found)


def x265_params(width: int, height: int) -> str:
    """Of libx265, for pictures of that size: `name=value`, or empty."""
    return "" if min(width, height) > _BLOCK else f"ctu={_BLOCK // 2}"


@cache
def has_avx512() -> bool:
    """Whether this processor and its operating system know AVX-512."""
    import cv2

    return bool(cv2.checkHardwareSupport(_AVX512F))
