"""Pictures that are trained on: the same values that every other verb sees, whatever the file stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from imgfix.errors import InputError
from imgfix.train.annotated import Marked, opened, read_masks
from imgfix.train.captioned import _decode as as_square
from imgfix.train.overlays.assets import sticker
from imgfix.train.pictures import read_rgb, read_rgba
from imgfix.train.pool import load_photos
from tests.media import make

RAMP = np.linspace(0, 65535, 48 * 40).round().astype(np.uint16).reshape(40, 48)
EIGHT = (RAMP / 257).round().astype(np.uint8)


def deep_files(folder: Path) -> list[Path]:
    """The ramp in each way a file stores more than 8 bits of grey."""
    Image.fromarray(RAMP).save(folder / "grey.png")
    make_grey_alpha(folder / "grey-alpha.png")
    tifffile.imwrite(folder / "grey.tif", RAMP, metadata=None)
    tifffile.imwrite(folder / "float.tif", (RAMP / 65535).astype(np.float32), metadata=None)
    tifffile.imwrite(folder / "wide.tif", RAMP.astype(np.uint32) * 65537, metadata=None)
    tifffile.imwrite(folder / "rgb.tif", np.dstack([RAMP] * 3), photometric="rgb", metadata=None)
    return sorted(folder.iterdir())


def make_grey_alpha(path: Path) -> None:
    from imgfix.media import image

    image.write(path, image.Picture(RAMP[..., None], np.full_like(RAMP, 65535)))


def test_more_than_8_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    for path in deep_files(tmp_path):
        found = read_rgb(path)
        assert found.dtype == np.uint8 and found.shape == (40, 48, 3), path.name
        assert np.abs(found.astype(int) - EIGHT[..., None]).max() <= 1, path.name
        assert np.abs(read_rgba(path)[..., 0].astype(int) - EIGHT).max() <= 1, path.name


def test_every_way_into_training_sees_them_so(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    files = deep_files(photos)
    pools = load_photos([str(photos)], crop=32, device=torch.device("cpu"))
    assert pools.skipped == () and len(pools.training) + len(pools.held_out) == len(files)
    for pool in (pools.training, pools.held_out):
        for number in range(len(pool)):
            assert np.abs(pool.pixels_of(number).astype(int) - EIGHT[..., None]).max() <= 1
    for path in files:
        square, why = as_square(path, 40)
        assert square is not None, why
        assert np.abs(square[..., 0].astype(int) - EIGHT[:, 4:44]).max() <= 1, path.name
        assert np.abs(sticker(path)[..., 0] - EIGHT).max() <= 1, path.name


def test_a_wide_gamut_is_converted(tmp_path: Path) -> None:
    red = np.full((20, 20, 3), (180, 60, 60), np.uint8)
    Image.fromarray(red).save(tmp_path / "p3.png", icc_profile=make.rgb_profile("p3"))
    found = read_rgb(tmp_path / "p3.png")
    assert found[0, 0, 0] > 180 and found[0, 0, 1] < 60  # the same red is further out in sRGB
    Image.fromarray(red).save(tmp_path / "plain.png")
    assert (read_rgb(tmp_path / "plain.png") == red).all()


def test_transparency_and_palettes(tmp_path: Path) -> None:
    colours, alpha = make.scene(20, 30), make.alpha_plane(20, 30)
    Image.fromarray(np.dstack((colours, alpha))).save(tmp_path / "a.png")
    assert (read_rgba(tmp_path / "a.png") == np.dstack((colours, alpha))).all()
    assert (read_rgb(tmp_path / "a.png") == colours).all()
    Image.fromarray(colours).quantize(8).save(tmp_path / "p.gif")
    assert (read_rgba(tmp_path / "p.gif")[..., 3] == 255).all()
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "c.jpg")
    assert read_rgb(tmp_path / "c.jpg").shape == (20, 30, 3)


def test_a_deep_mask_beside_a_picture_marks_what_is_white(tmp_path: Path) -> None:
    Image.fromarray(make.scene(40, 48)).save(tmp_path / "a.png")
    mask = np.full((40, 48), 9000, np.uint16)  # dark grey, and beyond 255
    mask[10:30, 12:32] = 65535
    Image.fromarray(mask).save(tmp_path / "a_mask.png")
    _, marked = read_masks(None, sorted(tmp_path.iterdir()))
    masks = marked[0].masks(40, 48)
    assert (masks[0] == (mask == 65535)).all()
    assert opened(Marked(tmp_path / "a.png", lambda *_: [], (), ()), 40)[0].shape == (40, 48, 3)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(InputError, match=r"a\.png"):
        read_rgb(tmp_path / "a.png")
    Image.fromarray(make.scene(40, 48)).save(tmp_path / "b.png")
    Image.fromarray(make.scene(40, 48)).save(tmp_path / "c.png")
    pools = load_photos([str(tmp_path)], crop=32, device=torch.device("cpu"))
    assert len(pools.skipped) == 1 and pools.skipped[0].startswith(f"{tmp_path / 'a.png'}: is cut off")
