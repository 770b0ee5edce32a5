from __future__ import annotations

import numpy as np
import pytest

from imgfix.errors import UsageError
from imgfix.metrics import protocol


def test_super_resolution_protocols_carry_their_border() -> None:
    found = protocol.find("sr-y4")
    assert (found.y, found.border, found.metrics) == (True, 4, ("psnr", "ssim"))
    assert not protocol.find("sr-rgb3").y


def test_the_description_says_what_is_needed_to_repeat_it() -> None:
    words = protocol.find("sr-y4").describe()
    for part in ("BT.601", "4 pixels cut off", "11x11 Gaussian", "sigma 1.5"):
        assert part in words


def test_metrics_replace_those_of_the_protocol() -> None:
    assert protocol.find("sr-y2", ["psnr", "niqe", "psnr"]).metrics == ("psnr", "niqe")


@pytest.mark.parametrize(("name", "metrics"), [("sr-z4", []), ("rgb", ["vmaf"])])
def test_unknown_names_are_refused_with_the_known_ones(name: str, metrics: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        protocol.find(name, metrics)
    assert caught.value.hint and "known" in caught.value.hint


def test_a_grey_file_is_compared_with_the_same_picture_in_rgb() -> None:
    grey = np.random.default_rng(0).random((32, 32, 1))
    assert protocol.measure(protocol.find("rgb"), grey, np.repeat(grey, 3, 2)) == {
        "psnr": float("inf"),
        "ssim": pytest.approx(1),
    }
