"""Resampling in bands equals Pillow's resampling of the whole picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgfix.tasks import resample


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).random((height, width, 2), np.float32)


def whole(source: np.ndarray, size: tuple[int, int], by: resample.Filter) -> np.ndarray:
    planes = [Image.fromarray(np.ascontiguousarray(source[..., c])).resize(size, by.kind) for c in range(2)]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 40)),
    st.tuples(st.integers(1, 120), st.integers(1, 50)),
    st.integers(1, 40),
    st.sampled_from([resample.LANCZOS, resample.BICUBIC, resample.BILINEAR]),
)
def test_bands_put_together_are_the_whole(
    size: tuple[int, int], target: tuple[int, int], step: int, by: resample.Filter
) -> None:
    source = picture(size[1], size[0])
    bands = []
    for y0 in range(0, target[1], step):
        y1 = min(target[1], y0 + step)
        bands.append(resample.rows(lambda a, b: source[a:b], size, target, y0, y1, by))
    assert np.abs(np.concatenate(bands) - whole(source, target, by)).max() < 2e-5


@pytest.mark.parametrize("target", [(60, 40), (37, 201), (300, 350), (1, 1)])
def test_a_stream_of_bands_is_resampled_as_it_comes(target: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "_BAND_BYTES", 7 * target[0] * 12)
    source = picture(100, 60)

    def bands() -> Iterator[np.ndarray]:
        for y in range(0, 100, 9):
            yield source[y : y + 9]

    out = list(resample.stream(bands(), (60, 100), target))
    assert max(len(band) for band in out) <= 7
    assert np.abs(np.concatenate(out) - whole(source, target, resample.LANCZOS)).max() < 2e-5


def test_more_than_eight_bits_survive() -> None:
    slope = np.linspace(0, 1, 4096, dtype=np.float32)[None, :, None].repeat(8, 0)
    out = resample.rows(lambda a, b: slope[a:b], (4096, 8), (2048, 4), 0, 4)
    assert len(np.unique(out[2])) > 2000
