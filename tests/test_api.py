"""The Python functions: paths and arrays in, arrays out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imgfix
from imgfix import zoo
from imgfix.errors import ModelError, UsageError
from imgfix.nets.srvgg import SRVGG


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    config = {"scale": 2, "features": 8, "convs": 1}
    path = tmp_path_factory.mktemp("weights") / "tiny-x2.safetensors"
    torch.manual_seed(0)
    return str(zoo.save(path, "srvgg", config, SRVGG(**config).state_dict(), task="upscale", name="tiny-x2"))


@pytest.mark.parametrize("shape", [(12, 16), (12, 16, 1), (12, 16, 2), (12, 16, 3), (12, 16, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays_keep_their_type_and_channels(tiny: str, shape: tuple[int, ...], dtype: type) -> None:
    given = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    large = imgfix.upscale(given, 1.5, model=tiny)
    assert (large.dtype, large.shape) == (dtype, (18, 24, *shape[2:]))
    filled = imgfix.inpaint(given, boxes=[(4, 3, 5, 4)], model="telea")
    assert filled.shape == given.shape
    outside = np.ones(shape[:2], bool)
    outside[3:7, 4:9] = False
    assert np.array_equal(filled[outside], given[outside])
    assert not np.array_equal(filled, given)


def test_a_path_can_be_given_and_the_result_written(tiny: str, tmp_path: Path) -> None:
    Image.new("RGB", (16, 12), "teal").save(tmp_path / "in.png", dpi=(300, 300))
    large = imgfix.upscale(tmp_path / "in.png", model=tiny, output=tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert np.array_equal(np.asarray(written), large)
        assert written.info["dpi"] == pytest.approx((300, 300), abs=1)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_a_mask_can_be_an_array(dtype: type) -> None:
    given = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    mask = np.zeros((12, 16), dtype)
    mask[3:7, 4:9] = 255 if dtype is np.uint8 else 1
    assert np.array_equal(
        imgfix.inpaint(given, mask, model="telea"), imgfix.inpaint(given, boxes=[(4, 3, 5, 4)], model="telea")
    )


def test_nonsense_is_refused() -> None:
    with pytest.raises(UsageError, match="no picture"):
        imgfix.upscale(np.zeros((4, 4, 3), np.int32))
    with pytest.raises(UsageError, match="what to fill"):
        imgfix.inpaint(np.zeros((4, 4, 3), np.uint8), model="telea")


@pytest.mark.parametrize("source", [None, [[1, 2], [3, 4]], 7, {"a": 1}])
def test_what_is_neither_path_nor_array_is_refused(source: object) -> None:
    with pytest.raises(UsageError, match="neither a path nor an array"):
        imgfix.upscale(source)


def test_an_array_without_pixels_is_refused() -> None:
    with pytest.raises(UsageError, match="no picture"):
        imgfix.upscale(np.zeros((0, 4, 3), np.uint8))


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.eye(12, 16, dtype=np.uint8), "no white"),
        (np.eye(12, 16, dtype=np.int64), "which value means fill"),
        (255 * np.eye(12, 16, dtype=np.float32), "outside"),
        (np.full((12, 16), np.nan), "outside"),
        (np.zeros((3, 3), bool), "shape"),
    ],
)
def test_a_mask_that_says_nothing_is_refused_and_not_taken_for_an_empty_one(mask: np.ndarray, words: str) -> None:
    given = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    with pytest.raises(UsageError, match=words):
        imgfix.inpaint(given, mask, model="telea")


def test_a_model_of_another_task_is_refused_however_it_is_given(tiny: str) -> None:
    given = np.zeros((12, 16, 3), np.uint8)
    loaded = imgfix.load(tiny)
    with pytest.raises(ModelError, match="is a model for 'upscale', not for 'inpaint'"):
        imgfix.inpaint(given, boxes=[(1, 1, 3, 3)], model=loaded)
    with pytest.raises(ModelError, match="is a model for 'upscale', not for 'restore'"):
        imgfix.restore(given, model=loaded)


def test_levels_may_be_numbers_of_numpy_and_nothing_else() -> None:
    from imgfix.tasks.restore import RestoreOptions

    assert RestoreOptions(denoise=np.float32(12), jpeg=np.int64(30)) == RestoreOptions(denoise=12.0, jpeg=30)
    with pytest.raises(UsageError, match="no level"):
        imgfix.restore(np.zeros((12, 16, 3), np.uint8), denoise="strong")


def test_the_package_says_that_it_has_types() -> None:
    assert (Path(imgfix.__file__).parent / "py.typed").is_file()


def test_names_that_are_not_there_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'downscale'"):
        imgfix.downscale  # noqa: B018


def test_a_picture_is_drawn_and_written(tmp_path: Path) -> None:
    from tests.making import generator_file

    model = generator_file(tmp_path / "tiny.safetensors")
    drawn = imgfix.generate("a red cat", seed=3, model=str(model), output=tmp_path / "a.png")
    assert drawn.shape == (32, 32, 4)
    with Image.open(tmp_path / "a.png") as written:
        assert (np.asarray(written) == drawn).all()
    with pytest.raises(UsageError, match="holds no word"):
        imgfix.generate("", model=str(model))


def test_what_needs_no_restoring_is_written_as_the_very_same_file(tmp_path: Path) -> None:
    from tests.tasks.scenes import as_jpeg, scene

    (tmp_path / "good.jpg").write_bytes(as_jpeg(scene(), 95))
    given = imgfix.restore(tmp_path / "good.jpg", output=tmp_path / "out.jpg")
    assert (tmp_path / "out.jpg").read_bytes() == (tmp_path / "good.jpg").read_bytes()
    with Image.open(tmp_path / "good.jpg") as picture:
        assert np.array_equal(np.asarray(picture), given)
