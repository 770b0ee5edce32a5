"""`imgfix inpaint` with random masks through the whole command, and masks that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgfix.media import image
from tests.cli.conftest import Run
from tests.media import make
from tests.tasks.test_inpaint import random_masks

KINDS = {  # file and pixels
    "grey.png": (1, 8, None),
    "grey16.png": (1, 16, None),
    "wide16.png": (3, 16, "prophoto"),
    "wide.tif": (3, 8, "adobe"),
    "deep.tif": (3, 16, None),
    "press.tif": (4, 8, "press"),
    "press16.tif": (4, 16, None),
}
ICC = {
    "prophoto": lambda: make.rgb_profile("prophoto"),
    "adobe": lambda: make.rgb_profile("adobe"),
    "press": make.cmyk_profile,
}


@pytest.fixture(scope="module")
def random_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inpainting model of random weights: what it draws outside the hole is anything but the picture."""
    import torch

    from imgfix import zoo
    from imgfix.nets.migan import MIGAN

    torch.manual_seed(0)
    config: dict[str, Any] = {"resolution": 32, "base": 256, "maximum": 16}
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    return zoo.save(path, "migan", config, MIGAN(**config).state_dict(), task="inpaint", name="random") or path


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=random_masks(), feather=st.sampled_from([0, 0, 3]), network=st.booleans(), with_alpha=st.booleans())
def test_outside_a_random_mask_a_file_keeps_its_values(
    imgfix: Run, tmp_path: Path, random_network: Path, kind: str, mask: np.ndarray, feather: int, network: bool,
    with_alpha: bool,
) -> None:  # fmt: skip
    from imgfix.media.mask import feather as feathered

    channels, bits, profile = KINDS[kind]
    pixels = make.scene(*mask.shape, channels, bits, seed=int(mask.sum()))
    alpha = make.alpha_plane(*mask.shape, bits) if with_alpha and channels < 4 else None
    format = "PNG" if kind.endswith("png") else "TIFF"
    metadata = image.Metadata(format=format, icc=ICC[profile]() if profile else None)
    image.write(tmp_path / kind, image.Picture(pixels, alpha, metadata))
    levels = (mask * 255 + 0.5).astype(np.uint8)
    levels[3, 3] = 255  # a mask without any white is refused
    Image.fromarray(levels).save(tmp_path / "mask.png")
    result = imgfix(
        "inpaint", tmp_path / kind, "--mask", tmp_path / "mask.png", "--feather", feather, "--overwrite",
        "--model", random_network if network else "telea", "-o", f"{tmp_path}/out/", "--device", "cpu",
    )  # fmt: skip
    assert result.code == 0, result.err
    written = image.read(tmp_path / "out" / kind)
    untouched = feathered((levels / np.float32(255)).astype(np.float32), feather) == 0
    assert written.pixels.dtype == pixels.dtype
    assert np.array_equal(written.pixels[untouched], pixels[untouched])
    assert alpha is None or np.array_equal(written.alpha, alpha)  # type: ignore[arg-type]


def test_a_box_outside_the_picture_is_refused_with_its_size(imgfix: Run, photo: Path) -> None:
    result = imgfix("inpaint", photo, "--box", "32,0,5,5", "--model", "telea")
    assert result.code == 1 and "outside the picture, which is 32x24" in result.err
    assert not photo.with_name("photo_filled.png").exists()


def test_a_label_map_is_refused(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    labels = np.zeros((24, 32), np.uint8)
    labels[5:10, 5:10] = 1
    Image.fromarray(labels).save(tmp_path / "labels.png")
    result = imgfix("inpaint", photo, "--mask", tmp_path / "labels.png", "--model", "telea")
    assert result.code == 1 and "holds no white" in result.err


def test_a_mask_whose_shape_is_in_its_alpha_is_understood_and_said(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    sheet = np.zeros((24, 32, 4), np.uint8)
    sheet[5:10, 5:10] = (200, 30, 30, 255)
    Image.fromarray(sheet).save(tmp_path / "painted.png")
    result = imgfix("inpaint", photo, "--mask", tmp_path / "painted.png", "--model", "telea")
    assert result.code == 0 and "its shape is in its alpha" in result.err and "3.3 % filled" in result.err


def test_expand_and_a_box_go_together(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    result = imgfix("inpaint", photo, "--box", "8,6,10,9", "--expand", "left=6", "--model", "telea", "-o", out)
    assert result.code == 0, result.err
    before, after = np.asarray(Image.open(photo)), np.asarray(Image.open(out))
    assert after.shape == (24, 38, 3)
    inside = np.zeros((24, 32), bool)
    inside[6:15, 8:18] = True
    differs = (after[:, 6:] != before).any(axis=-1)
    assert differs[inside].any() and not differs[~inside].any(), "the box counts in the picture as it was"
