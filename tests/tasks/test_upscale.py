"""Upscaling: every mode and size through one function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from torch import Tensor, nn

from imgfix.errors import InputError, UsageError
from imgfix.media import colour
from imgfix.media.picture import Metadata
from imgfix.tasks.upscale import SelfEnsemble, Upscale, UpscaleOptions, passes, target_size, upscale
from tests.runtime.nets import engine, shuffle_engine

KINDS = [np.uint8, np.uint16]


class Nearest(nn.Module):
    """Enlarges by repeating pixels, exactly."""

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.interpolate(x, scale_factor=self.scale, mode="nearest")


def nearest(scale: int = 2, **facts: Any) -> Any:
    return engine(Nearest(scale), scale=scale, **{"receptive_field": 1, **facts})


def noise(height: int, width: int, channels: int = 3, dtype: Any = np.uint8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, int(np.iinfo(dtype).max) + 1, (height, width, channels), dtype)


def smooth(height: int, width: int, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    planes = [0.5 + 0.3 * np.sin(x / (9 + c) + c) * np.cos(y / (11 - c)) for c in range(channels)]
    return (np.stack(planes, axis=2) * np.iinfo(dtype).max + 0.5).astype(dtype)


def repeated(pixels: np.ndarray, times: int) -> np.ndarray:
    return pixels.repeat(times, 0).repeat(times, 1)


# -- size --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (400, 200)),
        ({"scale": 1}, (100, 50)),
        ({"scale": 2.5}, (250, 125)),
        ({"scale": 16}, (1600, 800)),
        ({"scale": 1.33}, (133, 67)),
        ({"width": 300}, (300, 150)),
        ({"height": 75}, (150, 75)),
        ({"width": 300, "height": 75}, (300, 75)),
        ({"long_side": 333}, (333, 167)),
        ({"megapixels": 0.045}, (300, 150)),
        ({"width": 50}, (50, 25)),
        ({"long_side": 1}, (1, 1)),
    ],
)
def test_target_size(options: dict[str, Any], size: tuple[int, int]) -> None:
    assert target_size(100, 50, UpscaleOptions(**options), 4) == size


@pytest.mark.parametrize(
    "options",
    [
        {"scale": 0.5}, {"scale": 17}, {"scale": float("nan")}, {"scale": 2, "width": 9}, {"width": 9, "long_side": 9},
        {"long_side": 9, "megapixels": 1}, {"width": 0}, {"megapixels": -1}, {"blend": 1.5},
    ],
)  # fmt: skip
def test_contradictions_and_nonsense_are_usage_errors(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        UpscaleOptions(**options)


def test_more_than_sixteen_times_is_refused_for_the_picture() -> None:
    with pytest.raises(InputError, match="grow 20"):
        target_size(100, 50, UpscaleOptions(width=2000), 4)


@pytest.mark.parametrize(
    ("scale", "model", "expected"),
    [(1, 4, 1), (2, 4, 1), (4, 4, 1), (4.05, 4, 1), (5, 4, 2), (16, 4, 2), (3, 2, 2), (16, 2, 4), (9, 3, 2), (5, 1, 1)],
)
def test_the_model_runs_as_often_as_needed(scale: float, model: int, expected: int) -> None:
    target = (round(200 * scale), round(100 * scale))
    assert passes((200, 100), target, model) == expected


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 24), st.integers(1, 24), st.sampled_from([1, 2, 3]), st.floats(1, 16), st.sampled_from([1, 3]),
    st.booleans(), st.sampled_from(KINDS),
)  # fmt: skip
def test_every_size_mode_and_scale_gives_what_was_promised(
    height: int, width: int, model: int, scale: float, channels: int, transparent: bool, dtype: Any
) -> None:
    pixels = noise(height, width, channels, dtype)
    alpha = noise(height, width, 1, dtype)[..., 0] if transparent else None
    job = Upscale(pixels, nearest(model), UpscaleOptions(scale=scale), alpha=alpha)
    out = upscale(pixels, nearest(model), UpscaleOptions(scale=scale), alpha=alpha)
    assert out.shape == (job.height, job.width, channels + transparent)
    assert (job.width, job.height) == target_size(width, height, UpscaleOptions(scale=scale), model)
    assert out.dtype == dtype


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_values_pass_without_loss(dtype: Any, channels: int) -> None:
    """No stage of fewer bits than the input: a network that only repeats pixels returns each of them."""
    pixels = noise(40, 30, 1, dtype).repeat(channels, 2) if channels == 1 else noise(40, 30, channels, dtype)
    out = upscale(pixels, nearest(), UpscaleOptions(tile=24))
    assert np.array_equal(out, repeated(pixels, 2))


def test_grey_stays_grey_even_if_the_model_tints_it() -> None:
    class Tint(Nearest):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + torch.tensor([0.1, 0, -0.1]).view(1, 3, 1, 1)

    pixels = smooth(20, 20, 1)
    out = upscale(pixels, engine(Tint(), scale=2, receptive_field=1))
    assert out.shape == (40, 40, 1)
    assert np.abs(out.astype(int) - repeated(pixels, 2)).max() < 6


def test_scale_one_keeps_the_size_and_still_runs_the_model() -> None:
    class Darker(Nearest):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) / 2

    pixels = smooth(30, 20)
    out = upscale(pixels, engine(Darker(), scale=2, receptive_field=1), UpscaleOptions(scale=1))
    assert out.shape == pixels.shape
    assert np.abs(out.astype(int) - pixels // 2).max() <= 2


def test_two_passes_are_the_model_of_the_model() -> None:
    runs, pixels = shuffle_engine(2), smooth(30, 26)
    once = upscale(pixels.astype(np.uint16) * 257, runs)
    twice = upscale(once, runs)
    streamed = upscale(pixels.astype(np.uint16) * 257, runs, UpscaleOptions(scale=4, tile=32))
    assert np.abs(streamed.astype(int) - twice).max() <= 3  # of 65535: the step between is not rounded


def test_a_size_between_is_resampled_as_pillow_would() -> None:
    pixels = smooth(33, 47)
    out = upscale(pixels, nearest(4), UpscaleOptions(width=100))
    reference = np.asarray(Image.fromarray(repeated(pixels, 4)).resize((100, 70), Image.Resampling.LANCZOS))
    assert out.shape == reference.shape
    assert np.abs(out.astype(int) - reference).max() <= 1


def test_blend_goes_from_the_model_to_plain_resampling() -> None:
    runs, pixels = shuffle_engine(2), smooth(30, 40)
    plain = np.asarray(Image.fromarray(pixels).resize((80, 60), Image.Resampling.LANCZOS)).astype(int)
    model = upscale(pixels, runs).astype(int)
    assert np.abs(upscale(pixels, runs, UpscaleOptions(blend=1.0)) - plain).max() <= 1
    half = upscale(pixels, runs, UpscaleOptions(blend=0.5))
    assert np.abs(half - (plain + model) / 2).max() <= 1.5
    assert np.abs(plain - model).max() > 5


def test_colours_of_a_drifting_model_are_kept_by_default_when_it_was_trained_adversarially() -> None:
    class Drift(Nearest):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + torch.tensor([0.08, -0.05, 0.04]).view(1, 3, 1, 1)

    def off(gan: bool, fix: bool | None) -> float:
        pixels = smooth(60, 50)
        runs = engine(Drift(), scale=2, receptive_field=1, gan_trained=gan)
        out = upscale(pixels, runs, UpscaleOptions(color_fix=fix, tile=40))
        return float(np.abs(out.astype(int) - repeated(pixels, 2)).max())

    assert off(True, None) <= 2 and off(False, True) <= 2
    assert off(False, None) >= 18 and off(True, False) >= 18


def test_self_ensemble_is_the_mean_of_eight_and_blind_to_turning() -> None:
    runs = shuffle_engine(2)
    x = torch.rand(1, 3, 9, 14)
    ensemble = SelfEnsemble(runs)
    out = ensemble.run(x)
    assert out.shape == (1, 3, 18, 28)
    assert not torch.allclose(out, runs.run(x), atol=1e-4)
    assert torch.allclose(ensemble.run(x.flip(3)).flip(3), out, atol=1e-5)
    assert torch.allclose(ensemble.run(x.transpose(2, 3)).transpose(2, 3), out, atol=1e-5)
    pixels = smooth(20, 30)
    turned = upscale(pixels[::-1].copy(), runs, UpscaleOptions(tta=True))[::-1]
    assert np.abs(upscale(pixels, runs, UpscaleOptions(tta=True)).astype(int) - turned).max() <= 1


# -- transparency ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", KINDS)
def test_alpha_is_enlarged_by_the_model_too(dtype: Any) -> None:
    pixels, alpha = noise(20, 20, 3, dtype), noise(20, 20, 1, dtype, seed=1)[..., 0]
    out = upscale(pixels, nearest(), alpha=alpha)
    assert np.array_equal(out[..., 3], repeated(alpha, 2))


def test_hidden_colours_do_not_leak_into_visible_ones() -> None:
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 10:30] = 255
    results = []
    for hidden in ((255, 0, 255), (0, 0, 0)):
        pixels = np.full((40, 40, 3), hidden, np.uint8)
        pixels[10:30, 10:30] = smooth(20, 20)
        results.append(upscale(pixels, shuffle_engine(), alpha=alpha))
    assert np.array_equal(*results)


@pytest.mark.parametrize("scale", [2, 3.1, 4])
def test_transparent_and_opaque_stay_exactly_so_away_from_edges(scale: float) -> None:
    alpha = np.zeros((60, 60), np.uint8)
    alpha[20:50, 20:50] = 255
    out = upscale(smooth(60, 60), shuffle_engine(), UpscaleOptions(scale=scale, tile=40), alpha=alpha)[..., 3]
    low, high = round(17 * scale), round(53 * scale)
    assert out[:low].max() == 0 and out[high:].max() == 0 and out[:, :low].max() == 0
    assert out[round(23 * scale) : round(47 * scale), round(23 * scale) : round(47 * scale)].min() == 255


def test_opaque_alpha_costs_no_run() -> None:
    runs = nearest()
    done: list[int] = []
    runs_seen = []
    run = runs.run
    runs.run = lambda x: runs_seen.append(x.shape) or run(x)
    upscale(smooth(30, 30), runs, alpha=np.full((30, 30), 255, np.uint8), progress=lambda i, n: done.append(n - i))
    assert len(runs_seen) == 1 and done == [1, 0]


# -- colour ------------------------------------------------------------------------------------------------------------


def test_grey_and_rgb_pass_through_their_transform() -> None:
    for channels in (1, 3):
        pixels = noise(20, 20, channels, np.uint16)
        transform = colour.transform(Metadata(), channels)
        assert np.array_equal(upscale(pixels, nearest(), colour=transform), repeated(pixels, 2))


def test_colours_beyond_srgb_survive() -> None:
    import struct

    # A matrix profile with far wider primaries than sRGB, made from the one that Pillow writes.
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    wide = {
        b"rXYZ": (0.60974, 0.31111, 0.01947),
        b"gXYZ": (0.20528, 0.62567, 0.06087),
        b"bXYZ": (0.14919, 0.06322, 0.74457),
    }
    (count,) = struct.unpack_from(">I", data, 128)
    for at in range(132, 132 + 12 * count, 12):
        name, offset, _ = struct.unpack_from(">4sII", data, at)
        if name in wide:
            struct.pack_into(">3i", data, offset + 8, *(round(v * 65536) for v in wide[name]))
    transform = colour.transform(Metadata(icc=bytes(data)), 3)
    assert not transform.is_identity
    pixels = np.zeros((24, 24, 3), np.uint8)
    pixels[..., 1] = 255  # the greenest green of Adobe RGB, which sRGB does not have
    out = upscale(pixels, nearest(), colour=transform)
    assert np.abs(out.astype(int) - repeated(pixels, 2)).max() <= 2


# -- promises ----------------------------------------------------------------------------------------------------------


def test_rows_are_final_when_they_come() -> None:
    pixels = smooth(90, 20)
    job = Upscale(pixels, nearest(), UpscaleOptions(tile=24, color_fix=True))
    copies, views = [], []
    for band in job.bands():
        copies.append(band.copy())
        views.append(band)
    assert len(views) > 1 and np.array_equal(np.concatenate(views), np.concatenate(copies))


def test_same_bytes_twice() -> None:
    pixels, alpha = smooth(70, 60), noise(70, 60, 1)[..., 0]
    options = UpscaleOptions(scale=3.3, color_fix=True, blend=0.2, tile=40)
    assert np.array_equal(
        upscale(pixels, shuffle_engine(), options, alpha=alpha), upscale(pixels, shuffle_engine(), options, alpha=alpha)
    )


def test_the_input_is_not_written_to() -> None:
    pixels, alpha = smooth(20, 20), noise(20, 20, 1)[..., 0]
    pixels.flags.writeable = alpha.flags.writeable = False
    upscale(pixels, nearest(), UpscaleOptions(color_fix=True, blend=0.5, scale=3), alpha=alpha)


def test_progress_covers_all_passes_and_alpha() -> None:
    seen: list[tuple[int, int]] = []
    options = UpscaleOptions(scale=4, tile=40)
    alpha = noise(50, 50, 1)[..., 0]
    upscale(noise(50, 50), nearest(), options, alpha=alpha, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}
