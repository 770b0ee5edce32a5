"""Restoring: what is decided, and what may change."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgfix.errors import ModelError, UsageError
from imgfix.media import colour
from imgfix.media.picture import JpegSettings, Metadata
from imgfix.runtime.engine import Engine
from imgfix.tasks import restore as task
from imgfix.tasks.estimate import Damage
from imgfix.tasks.restore import RestoreOptions, RestoreStep, restore, steps
from imgfix.zoo.descriptor import Descriptor, Model
from tests.media import make
from tests.tasks.scenes import as_jpeg, decoded, scene, with_noise


class Shift(nn.Module):
    """Adds a constant, and tells what it was given."""

    seen: ClassVar[list[Tensor]] = []  # of all of them: an engine runs a copy of its network

    def __init__(self, by: float = 0.1, channels: int = 3) -> None:
        super().__init__()
        self.by, self.channels = by, channels

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.clone())
        return x[:, : self.channels] + self.by


class Near(nn.Module):
    """Mean of 5x5 pixels: a denoiser with a field of 2."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(nn.functional.pad(x[:, :3], (2, 2, 2, 2), mode="replicate"), 5, 1)


def engine(net: nn.Module, *jobs: str, name: str = "tiny", **facts: Any) -> Engine:
    facts = {"receptive_field": 0, **facts}
    return Engine(
        Model(Descriptor(name=name, task="restore", net="tiny", jobs=jobs, **facts), net.eval()), "cpu", "fp32"
    )


def blind(**facts: Any) -> Engine:
    return engine(Near(), "noise", "jpeg", name="blind", **{"receptive_field": 2, **facts})


def told(by: float = 0.0) -> Engine:
    return engine(Shift(by), "noise", "noise-level", "jpeg", name="told", in_channels=4)


def offers(**engines: Engine) -> Any:
    """Stands for what is on this machine."""
    named = {job.replace("_", "-"): one for job, one in engines.items()}

    def find(job: str) -> Engine:
        if job not in named:
            raise ModelError(f"no model for '{job}' is on this machine yet", hint="imgfix weights pull x")
        return named[job]

    return find


def bytes_of(picture: np.ndarray) -> np.ndarray:
    return (picture * 255 + 0.5).astype(np.uint8)


# --- deciding ---------------------------------------------------------------------------------------------------------


def test_with_nothing_named_noise_and_jpeg_are_looked_for() -> None:
    assert RestoreOptions().filled() == RestoreOptions(denoise="auto", jpeg="auto")
    assert RestoreOptions(deblur=True).filled() == RestoreOptions(deblur=True)


def test_with_a_model_and_nothing_named_all_that_it_is_for_is_undone() -> None:
    assert RestoreOptions().filled({"blur"}) == RestoreOptions(deblur=True)
    assert RestoreOptions().filled({"noise", "jpeg"}, off={"jpeg"}) == RestoreOptions(denoise="auto")


def test_a_model_for_other_damage_than_what_is_named_is_refused() -> None:
    RestoreOptions(deblur=True).check("sharpener", ["blur"])
    RestoreOptions().check("sharpener", ["blur"])
    with pytest.raises(UsageError, match="sharpener is for blur"):
        RestoreOptions(light=True).check("sharpener", ["blur"])


def test_a_clean_picture_is_left_alone() -> None:
    made, notes = steps(RestoreOptions(denoise="auto", jpeg="auto"), Damage(1.5, None), offers())
    assert (made, notes) == ([], [])
    pixels = bytes_of(scene())
    assert restore(pixels, made) is pixels


def test_a_jpeg_of_high_quality_is_left_alone() -> None:
    assert steps(RestoreOptions(jpeg="auto"), Damage(0, 92, "file"), offers())[0] == []


def test_of_a_jpeg_as_much_is_blended_in_as_keeps_its_texture() -> None:
    one = blind()
    auto = RestoreOptions(jpeg="auto")
    shares = [steps(auto, Damage(0, quality, "file"), offers(jpeg=one))[0] for quality in (5, 20, 40, 45, 75)]
    assert [[step.share for step in made] for made in shares] == [[0.8], [0.5], [0.15], [], []]
    assert steps(RestoreOptions(jpeg=75), None, offers(jpeg=one))[0][0].share == 1, "what was asked for is done"
    told = told_quality()
    assert steps(auto, Damage(0, 60, "file"), offers(jpeg=told))[0][0].share == 1, "it knows how much there is to do"
    both = steps(RestoreOptions(jpeg="auto", denoise="auto"), Damage(20, 60, "file"), offers(jpeg=one, noise=one))[0]
    assert both == [RestoreStep(("jpeg", "noise"), one)]


def test_a_share_lies_between_what_came_in_and_what_was_made() -> None:
    pixels = np.full((40, 40, 3), 100, np.uint8)
    whole = restore(pixels, [RestoreStep(("jpeg",), engine(Shift(0.2), "jpeg"))])
    half = restore(pixels, [RestoreStep(("jpeg",), engine(Shift(0.2), "jpeg"), share=0.5)])
    assert whole[20, 20, 0] == 151 and abs(int(half[20, 20, 0]) - 125.5) <= 0.5


def test_one_run_of_a_blind_network_undoes_noise_and_jpeg() -> None:
    one = blind()
    made, _ = steps(RestoreOptions(denoise="auto", jpeg="auto"), Damage(20, 30, "file"), offers(noise=one, jpeg=one))
    assert made == [RestoreStep(("jpeg", "noise"), one)]


def test_a_network_that_is_told_gets_the_larger_of_both_levels() -> None:
    one = told()
    made, _ = steps(RestoreOptions(denoise="auto", jpeg="auto"), Damage(25, 60, "file"), offers(noise=one, jpeg=one))
    assert made == [RestoreStep(("jpeg", "noise"), one, 25.0)]


def test_a_level_given_by_the_user_goes_to_a_network_that_can_be_told() -> None:
    one, other = told(), blind()
    made, _ = steps(RestoreOptions(denoise=12), None, offers(noise=other, noise_level=one))
    assert made == [RestoreStep(("noise",), one, 12.0)]
    made, _ = steps(RestoreOptions(denoise=12), None, offers(noise=other))
    assert made == [RestoreStep(("noise",), other)]


def test_damage_is_undone_in_the_reverse_of_the_order_it_came_in() -> None:
    every = {job: engine(Shift(), job) for job in ("jpeg", "noise", "light", "blur", "rain", "haze")}
    options = RestoreOptions(denoise=9, jpeg=20, deblur=True, light=True, derain=True, dehaze=True)
    made, _ = steps(options, None, offers(**every))
    assert [step.undoes[0] for step in made] == ["jpeg", "noise", "light", "blur", "rain", "haze"]


def test_what_was_asked_for_by_name_needs_its_model() -> None:
    with pytest.raises(ModelError, match="blur"):
        steps(RestoreOptions(deblur=True), None, offers(noise=blind()))


def test_what_was_found_and_has_no_model_is_said_and_the_rest_done() -> None:
    made, notes = steps(RestoreOptions(denoise="auto", jpeg="auto"), Damage(20, 30, "file"), offers(noise=blind()))
    assert [step.undoes for step in made] == [("noise",)]
    assert "jpeg" in notes[0] and "weights pull" in notes[0]
    with pytest.raises(ModelError):
        steps(RestoreOptions(denoise="auto", jpeg="auto"), Damage(20, 30, "file"), offers())


@pytest.mark.parametrize(
    "wrong",
    [
        *({"denoise": level} for level in (0, -3.0, 101, float("nan"))),
        *({"jpeg": quality} for quality in (0, 101)),
        *({"strength": share} for share in (1.5, -0.1)),
    ],
)
def test_senseless_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        RestoreOptions(**wrong)


# --- finding ----------------------------------------------------------------------------------------------------------


def test_the_damage_of_a_large_picture_is_found_from_crops() -> None:
    large = bytes_of(with_noise(scene(1300, 1100), 15))
    found = task.find(large)
    assert found.noise == pytest.approx(15, rel=0.1)
    assert found.jpeg is None


def test_a_large_former_jpeg_is_recognised_in_its_crops() -> None:
    large = bytes_of(decoded(as_jpeg(scene(1300, 1100), 40)))
    assert task.find(large).jpeg in (39, 40, 41)
    assert task.find(large, file=JpegSettings(40)).seen_in == "file"


def test_16_bits_are_judged_alike() -> None:
    picture = with_noise(scene(), 20)
    assert task.find((picture * 65535).astype(np.uint16)).noise == pytest.approx(20, rel=0.12)


# --- doing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_stays_grey_and_16_bits_stay_16_bits(channels: int, dtype: type) -> None:
    top = np.iinfo(dtype).max
    pixels = (scene()[..., :channels] * 0.8 * top).astype(dtype)
    made = [RestoreStep(("noise",), engine(Shift(0.1), "noise"))]
    result = restore(pixels, made)
    assert (result.shape, result.dtype) == (pixels.shape, pixels.dtype)
    assert np.abs(result.astype(int) - pixels - 0.1 * top).max() <= 1


def test_fine_steps_of_16_bits_survive() -> None:
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64, 1) + 20000
    result = restore(pixels, [RestoreStep(("noise",), engine(Shift(0.0), "noise"))])
    assert np.array_equal(result, pixels)


def test_a_profile_is_converted_and_colours_outside_srgb_are_kept() -> None:
    metadata = Metadata(icc=make.rgb_profile("adobe"))
    transform = colour.transform(metadata, 3)
    pixels = bytes_of(scene())
    pixels[:20, :20] = (0, 255, 0)  # far outside sRGB
    result = restore(pixels, [RestoreStep(("noise",), engine(Shift(0.0), "noise"))], colour=transform)
    assert np.abs(result.astype(int) - pixels).max() <= 1


def test_strength_blends_towards_the_input() -> None:
    pixels = bytes_of(scene() * 0.5)
    made = [RestoreStep(("noise",), engine(Shift(0.2), "noise"))]
    half = restore(pixels, made, RestoreOptions(denoise=1, strength=0.5))
    assert np.abs(half.astype(int) - pixels - 0.1 * 255).max() <= 1
    assert np.array_equal(restore(pixels, made, RestoreOptions(denoise=1, strength=0.0)), pixels)


def test_what_is_wholly_transparent_keeps_its_colour_and_does_not_leak() -> None:
    pixels, alpha = bytes_of(scene()), np.full((256, 320), 255, np.uint8)
    alpha[100:150, 100:150] = 0
    pixels[100:150, 100:150] = (255, 0, 255)
    pixels[:, :100] = pixels[:, 150:] = 120
    pixels[:100] = pixels[150:] = 120
    result = restore(pixels, [RestoreStep(("noise",), blind())], alpha=alpha)
    assert np.array_equal(result[alpha == 0], pixels[alpha == 0])
    assert np.abs(result[alpha > 0].astype(int) - 120).max() <= 1


def test_the_noise_map_says_the_level() -> None:
    one = engine(Shift(0.0), "noise", in_channels=4)
    restore(bytes_of(scene()), [RestoreStep(("noise",), one, 25.0)])
    assert torch.allclose(Shift.seen[-1][:, 3], torch.tensor(25 / 255))


def test_a_grey_network_changes_the_brightness_and_not_the_colour() -> None:
    pixels = bytes_of(scene() * 0.5 + 0.2)
    one = engine(Shift(0.1, channels=1), "jpeg", in_channels=1, out_channels=1)
    result = restore(pixels, [RestoreStep(("jpeg",), one)]).astype(int) - pixels
    assert np.abs(result - 0.1 * 255).max() <= 1


def test_tiles_leave_no_seam_over_several_steps() -> None:
    pixels = bytes_of(with_noise(scene(200, 300), 10))
    made = [RestoreStep(("jpeg",), blind()), RestoreStep(("noise",), blind()), RestoreStep(("blur",), blind())]
    whole = restore(pixels, made)
    tiled = restore(pixels, made, RestoreOptions(tile=48))
    assert np.array_equal(whole, tiled)


def test_a_step_that_sees_the_whole_picture_fits_between_tiled_ones() -> None:
    pixels = bytes_of(with_noise(scene(200, 300) * 0.6, 10))
    made = [
        RestoreStep(("noise",), blind()),
        RestoreStep(("light",), engine(Shift(0.1), "light", tiling=False)),
        RestoreStep(("blur",), blind()),
    ]
    counted: list[tuple[int, int]] = []
    tiled = restore(pixels, made, RestoreOptions(tile=48), progress=lambda done, total: counted.append((done, total)))
    assert Shift.seen[-1].shape[-2:] == (200, 300)
    assert np.array_equal(tiled, restore(pixels, made))
    assert counted[-1][0] == counted[-1][1] == len(counted)


def test_noise_of_a_known_level_is_removed_for_real() -> None:
    clean = scene()
    noisy = with_noise(clean, 25)
    result = restore(bytes_of(noisy), [RestoreStep(("noise",), blind())]) / 255
    assert np.mean((result - clean) ** 2) < 0.3 * np.mean((noisy - clean) ** 2)


# --- networks that are told the quality of a JPEG ---------------------------------------------------------------------


def told_quality() -> Engine:
    return engine(Shift(0.0), "jpeg", name="quality", in_channels=4, last_channel="quality")


@pytest.mark.parametrize(
    ("asked", "found", "plane", "words"),
    [
        (30, None, 0.3, "JPEG by quality (quality 30)"),
        (30, Damage(2.0, 60, "file"), 0.3, "JPEG by quality (quality 30)"),
        ("auto", Damage(2.0, 60, "file"), 0.6, "JPEG by quality (quality 60)"),
    ],
)
def test_a_network_for_jpeg_is_told_its_quality(asked: Any, found: Damage | None, plane: float, words: str) -> None:
    made, _ = steps(RestoreOptions(jpeg=asked), found, offers(jpeg=told_quality()))
    assert [step.in_words() for step in made] == [words]
    Shift.seen.clear()
    restore(bytes_of(scene(40, 48)), made)
    assert torch.allclose(Shift.seen[-1][:, 3], torch.tensor(plane))


def test_a_quality_that_is_not_known_is_left_to_the_network() -> None:
    made = [RestoreStep(("jpeg",), told_quality(), 0.0)]
    assert made[0].in_words() == "JPEG by quality"
    Shift.seen.clear()
    restore(bytes_of(scene(40, 48)), made)
    assert not Shift.seen[-1][:, 3].any()


def test_noise_is_not_joined_to_a_network_for_jpeg_alone() -> None:
    made, _ = steps(
        RestoreOptions(jpeg="auto", denoise="auto"), Damage(12.0, 30, "file"), offers(jpeg=told_quality(), noise=told())
    )
    assert [(step.undoes, step.level) for step in made] == [(("jpeg",), 30.0), (("noise",), 12.0)]
