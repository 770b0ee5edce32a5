"""Plain resampling: of samples as they are, in bands, with alpha, of pictures and of frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgfix.errors import InputError
from imgfix.tasks import resampling
from imgfix.tasks.frames import ResampledFrames, sequence_for
from imgfix.tasks.resampling import METHODS, Resampling, resampled
from imgfix.tasks.upscale import UpscaleOptions


def noise(height: int, width: int, channels: int = 3, dtype: Any = np.uint8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, int(np.iinfo(dtype).max) + 1, (height, width, channels), dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("times", [1, 2, 3, 16])
def test_nearest_repeats_every_sample(dtype: Any, channels: int, times: int) -> None:
    source = noise(7, 5, channels, dtype)
    made = resampled(source, "nearest", UpscaleOptions(scale=times))
    assert made.dtype == dtype
    assert np.array_equal(made, source.repeat(times, 0).repeat(times, 1))


@pytest.mark.parametrize("size", [(37, 23), (20, 90), (16, 12), (5, 3), (1, 1)])
def test_nearest_takes_the_samples_that_pillow_takes(size: tuple[int, int]) -> None:
    source = noise(11, 15, 1)  # odd sides: no centre falls on a border, where Pillow goes by its rounding
    made = resampled(source, "nearest", UpscaleOptions(width=size[0], height=size[1]))
    expected = Image.fromarray(source[..., 0]).resize(size, Image.Resampling.NEAREST)
    assert np.array_equal(made[..., 0], np.asarray(expected))


def test_nearest_keeps_colours_that_cannot_be_seen() -> None:
    source, alpha = noise(6, 6), np.zeros((6, 6), np.uint8)
    alpha[2:4] = 255
    made = resampled(source, "nearest", UpscaleOptions(scale=2), alpha=alpha)
    assert np.array_equal(made[..., :3], source.repeat(2, 0).repeat(2, 1))
    assert np.array_equal(made[..., 3], alpha.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("method", ["bicubic", "lanczos"])
@pytest.mark.parametrize("options", [{"scale": 4}, {"width": 31, "height": 19}, {"long_side": 9}])
def test_filters_are_those_of_pillow(method: str, options: dict[str, Any]) -> None:
    source = noise(24, 30) // 2 + 64  # so that nothing overshoots: Pillow clips between its two passes
    made = resampled(source, method, UpscaleOptions(**options))
    by = Image.Resampling[method.upper()]
    expected = np.asarray(Image.fromarray(source).resize((made.shape[1], made.shape[0]), by))
    assert np.abs(made.astype(int) - expected).max() <= 1


def test_sixteen_bits_are_resampled_in_their_own_steps() -> None:
    slope = np.arange(1000, 3000, 4, dtype=np.uint16)[None, :, None].repeat(4, 0)
    made = resampled(slope, "lanczos", UpscaleOptions(scale=4))
    centres = (np.arange(2000) + 0.5) / 4 - 0.5
    assert made.dtype == np.uint16
    assert np.abs(made[8, 16:-16, 0] - (1000 + 4 * centres[16:-16])).max() < 1


@pytest.mark.parametrize("method", METHODS)
def test_a_flat_picture_stays_as_it_is(method: str) -> None:
    flat = np.full((5, 6, 3), (0, 129, 255), np.uint8)
    made = resampled(flat, method, UpscaleOptions(scale=3.5))
    assert (made == flat[0, 0]).all()


@pytest.mark.parametrize("method", ["bicubic", "lanczos"])
def test_what_is_hidden_does_not_colour_the_edge(method: str) -> None:
    """White behind the transparent part of a red drawing must not bleed into its rim."""
    source, alpha = np.full((16, 16, 3), 255, np.uint8), np.zeros((16, 16), np.uint8)
    source[4:12, 4:12], alpha[4:12, 4:12] = (200, 0, 0), 255
    made = resampled(source, method, UpscaleOptions(scale=4), alpha=alpha)
    assert (np.abs(made[made[..., 3] > 0][:, :3].astype(int) - (200, 0, 0)) <= 2).all()
    assert made[32, 32, 3] == 255 and made[0, 0, 3] == 0


@pytest.mark.parametrize("method", METHODS)
def test_bands_put_together_are_the_whole(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, alpha = noise(40, 30, dtype=np.uint16), noise(40, 30, 1, np.uint16)[..., 0]
    whole = resampled(source, method, UpscaleOptions(scale=2.5), alpha=alpha)
    monkeypatch.setattr(resampling, "_BAND_BYTES", 7 * 75 * 4 * 4)
    job = Resampling(source, method, UpscaleOptions(scale=2.5), alpha=alpha)
    told: list[tuple[int, int]] = []
    bands = list(job.bands(lambda done, total: told.append((done, total))))
    assert max(map(len, bands)) == 7 and told[-1] == (job.tiles, job.tiles) == (15, 15)
    assert np.abs(np.concatenate(bands).astype(int) - whole).max() <= 1, "but for the last bit of 16"


def test_without_a_size_the_picture_grows_as_with_most_models() -> None:
    assert resampled(noise(3, 4), "nearest").shape == (12, 16, 3)
    with pytest.raises(InputError, match="would have to grow"):
        resampled(noise(3, 4), "nearest", UpscaleOptions(width=100))


def test_frames_are_resampled_one_by_one_and_equal_ones_once() -> None:
    task = sequence_for("nearest", UpscaleOptions(scale=2.5), 6, 4, (2, 2))
    assert isinstance(task, ResampledFrames) and task.size(6, 4) == (16, 10)
    frames = [noise(4, 6, seed=seed) for seed in (0, 0, 1)]
    made = [each.frame for each in task.run(iter(frames))]
    assert [frame.shape for frame in made] == [(10, 16, 3)] * 3
    assert made[1] is made[0] and task.repeated == 1
    estimate = task.estimate(6, 4)
    assert estimate is not None and estimate.device_bytes == 0 and estimate.seconds > 0
