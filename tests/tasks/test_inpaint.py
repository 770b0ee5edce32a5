"""Filling holes: what may change, what must not, and what the network is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from imgfix.errors import ModelError
from imgfix.media import colour
from imgfix.media import mask as masks
from imgfix.media.picture import Metadata
from imgfix.tasks.composite import composite
from imgfix.tasks.inpaint import InpaintOptions, inpaint
from imgfix.zoo.descriptor import Descriptor
from tests.media import make

FACTS = Descriptor(
    name="fake", task="inpaint", net="fake", in_channels=4, out_channels=3, size_multiple=16, native_size=64
)


@dataclass
class Painter:
    """Stands for an engine: paints everything in one colour, the known part too, as real networks may."""

    paint: tuple[float, float, float] = (0.9, 0.1, 0.4)
    descriptor: Descriptor = FACTS
    seen: list[torch.Tensor] = field(default_factory=list)

    def for_samples(self, dtype: np.dtype) -> Painter:
        return self

    def run(self, x: torch.Tensor) -> torch.Tensor:
        assert x.dtype == torch.float32 and x.shape[1] == 4
        assert all(side % self.descriptor.size_multiple == 0 for side in x.shape[2:])
        self.seen.append(x.clone())
        return torch.tensor(self.paint)[None, :, None, None].expand(len(x), 3, *x.shape[2:])


PROFILES = {
    1: {"none": None, "grey": make.grey_profile()},
    3: {"none": None, "adobe": make.rgb_profile("adobe"), "prophoto": make.rgb_profile("prophoto")},
    4: {"none": None, "press": make.cmyk_profile()},
}
CASES = [(channels, name, bits) for channels, profiles in PROFILES.items() for name in profiles for bits in (8, 16)]


@st.composite
def random_masks(draw: Any, height: int = 40, width: int = 56) -> np.ndarray:
    """Boxes, dust and soft spots."""
    found = np.zeros((height, width), np.float32)
    for _ in range(draw(st.integers(1, 3))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        bottom, right = top + draw(st.integers(1, 25)), left + draw(st.integers(1, 25))
        found[top:bottom, left:right] = draw(st.sampled_from([1.0, 1.0, 0.5, 0.01]))
    dust = draw(arrays.arrays(np.bool_, (height // 4, width // 4), elements=st.booleans()))
    if draw(st.booleans()):
        found[::4, ::4] = np.maximum(found[::4, ::4], dust)
    return found


@pytest.mark.parametrize("filler", ["telea", "ns", "network"])
@pytest.mark.parametrize(("channels", "profile", "bits"), CASES)
@settings(max_examples=6, deadline=None)
@given(mask=random_masks(), feather=st.sampled_from([0.0, 0.0, 2.0, 5.0]), with_alpha=st.booleans())
def test_outside_the_feathered_mask_everything_is_bit_identical(
    filler: str, channels: int, profile: str, bits: int, mask: np.ndarray, feather: float, with_alpha: bool
) -> None:
    pixels = np.random.default_rng(0).integers(0, 2**bits, (*mask.shape, channels)).astype(f"uint{bits}")
    before = pixels.copy()
    transform = colour.transform(Metadata(icc=PROFILES[channels][profile]), channels)
    result = inpaint(
        pixels,
        mask,
        Painter() if filler == "network" else filler,  # type: ignore[arg-type]
        InpaintOptions(feather=feather),
        colour=transform,
        alpha=make.alpha_plane(*mask.shape, bits=bits) if with_alpha else None,
    )
    touched = masks.feather(mask, feather) > 0
    assert result.dtype == pixels.dtype and result.shape == pixels.shape
    assert np.array_equal(result[~touched], before[~touched])
    assert np.array_equal(pixels, before), "the picture that was given is left alone"


@pytest.mark.parametrize(("channels", "profile", "bits"), CASES)
def test_every_masked_pixel_is_filled_in_the_files_own_colours(channels: int, profile: str, bits: int) -> None:
    pixels = make.scene(90, 130, channels, bits)
    mask = np.zeros((90, 130), np.float32)
    mask[20:50, 30:70] = mask[60:68, 100:125] = 1
    transform = colour.transform(Metadata(icc=PROFILES[channels][profile]), channels)
    result = inpaint(pixels, mask, Painter(), colour=transform)  # type: ignore[arg-type]
    wanted = transform.from_srgb(np.full((1, 1, 3), Painter.paint, np.float32), pixels.dtype)[0, 0]
    reach = 1 if bits == 8 else 300
    middle = masks.dilate(mask, -2) == 1  # the rim is where the fill meets the picture
    assert (np.abs(result[middle].astype(int) - wanted.astype(int)) <= reach).all()


@pytest.mark.parametrize("method", ["telea", "ns"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_classical_methods_continue_a_slope_in_full_depth(method: str, bits: int, channels: int) -> None:
    most = 2**bits - 1
    ramp = np.linspace(0.2, 0.8, 80)[None, :, None] * np.ones((60, 1, channels))
    pixels = (ramp * most).astype(f"uint{bits}")
    mask = np.zeros((60, 80), np.float32)
    mask[25:33, 30:40] = 1
    broken = pixels.copy()
    broken[mask == 1] = most
    result = inpaint(broken, mask, method)
    assert np.abs(result.astype(float) - pixels)[mask == 1].max() < 0.06 * most
    if bits == 16:
        assert len(np.unique(result[mask == 1] % 256)) > 10, "the low bytes are used"


def test_soft_masks_blend_and_round_half_up() -> None:
    pixels = np.full((1, 4, 1), 100, np.uint8)
    fill = np.full((1, 4, 1), 201, np.uint8)
    composite(pixels, fill, np.array([[0, 0.5, 1, 0.004]], np.float32))
    assert pixels[0, :, 0].tolist() == [100, 151, 201, 100]


def test_what_is_under_the_mask_is_not_shown_to_the_network() -> None:
    pixels = make.scene(100, 100)
    mask = np.zeros((100, 100), np.float32)
    mask[30:60, 30:60] = 1
    other = pixels.copy()
    other[mask == 1] = 255 - other[mask == 1]
    first, second = Painter(), Painter()
    inpaint(pixels, mask, first)  # type: ignore[arg-type]
    inpaint(other, mask, second)  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(first.seen, second.seen, strict=True))


def test_the_colour_of_invisible_pixels_is_not_shown_to_the_network() -> None:
    pixels = np.full((64, 64, 3), 200, np.uint8)
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:, :20] = 0
    pixels[:, :20] = 0
    mask = np.zeros((64, 64), np.float32)
    mask[20:40, 15:45] = 1
    painter = Painter()
    result = inpaint(pixels, mask, painter, alpha=alpha)  # type: ignore[arg-type]
    x = painter.seen[0][0]
    known = x[0] == 0
    assert float(x[1:][:, known].min()) > 0.7
    assert (result[:, :15] == 0).all(), "but it stays in the picture"


def test_an_earlier_fill_is_part_of_what_a_later_one_sees() -> None:
    pixels = np.zeros((64, 400, 3), np.uint8)
    mask = np.zeros((64, 400), np.float32)
    mask[28:36, 20:380] = 1  # a long scratch: several windows
    painter = Painter((1.0, 1.0, 1.0))
    inpaint(pixels, mask, painter)  # type: ignore[arg-type]
    assert len(painter.seen) > 3
    shares = [float((x[:, 1] > 0.9).float().mean()) for x in painter.seen]
    assert shares[0] == 0 and max(shares[1:]) > 0


def test_the_same_call_gives_the_same_bytes_and_progress_ends() -> None:
    pixels, mask = make.scene(80, 120), np.zeros((80, 120), np.float32)
    mask[10:30, 10:110] = mask[50:60, 20:30] = 1
    told: list[tuple[int, int]] = []
    first = inpaint(pixels, mask, Painter(), progress=lambda done, total: told.append((done, total)))  # type: ignore[arg-type]
    assert np.array_equal(first, inpaint(pixels, mask, Painter()))  # type: ignore[arg-type]
    assert told[-1][0] == told[-1][1] and [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_model_of_another_kind_is_refused() -> None:
    facts = Descriptor(name="upscaler", task="upscale", net="fake")
    with pytest.raises(ModelError, match="cannot fill holes"):
        inpaint(make.scene(), np.ones((24, 32), np.float32), Painter(descriptor=facts))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 3), (5, 300), (300, 7)])
def test_small_and_narrow_pictures(size: tuple[int, int]) -> None:
    pixels = make.scene(*size)
    mask = np.zeros(size, np.float32)
    mask[: max(1, size[0] // 2), : max(1, size[1] // 2)] = 1
    for filler in (Painter(), "telea"):
        result = inpaint(pixels, mask, filler)  # type: ignore[arg-type]
        assert result.shape == pixels.shape and np.array_equal(result[mask == 0], pixels[mask == 0])
