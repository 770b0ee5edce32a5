"""The Python functions: paths and arrays in, arrays out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imgfix
from imgfix import zoo
from imgfix.errors import InputError, ModelError, OutputError, UsageError
from imgfix.media import image
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


# -- what a picture may come as ----------------------------------------------------------------------------------------


GIVEN = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
BOX = {"boxes": [(4, 3, 5, 4)], "model": "telea"}


def filled() -> np.ndarray:
    return imgfix.inpaint(GIVEN, **BOX)


def encoded() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(GIVEN).save(stream, "PNG")
    return stream.getvalue()


def test_a_pillow_image_comes_back_as_one() -> None:
    found = imgfix.inpaint(Image.fromarray(GIVEN), **BOX)
    assert isinstance(found, Image.Image) and found.mode == "RGB"
    assert np.array_equal(np.asarray(found), filled())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_pillow_images_of_every_mode_are_taken(mode: str) -> None:
    given = Image.fromarray(np.arange(192, dtype=np.uint16).reshape(12, 16)) if mode == "I;16" else None
    given = given or Image.fromarray(GIVEN).convert(mode)
    found = imgfix.inpaint(given, **BOX)
    assert found.size == given.size and found.mode == {"1": "L", "P": "RGB"}.get(mode, mode)


def test_a_pillow_image_keeps_its_profile() -> None:
    from PIL import ImageCms

    given = Image.fromarray(GIVEN)
    given.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert imgfix.inpaint(given, **BOX).info["icc_profile"] == given.info["icc_profile"]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
def test_a_tensor_comes_back_as_one(dtype: torch.dtype) -> None:
    given = torch.from_numpy(GIVEN).permute(2, 0, 1)
    given = given if dtype is torch.uint8 else (given.double() / 255).to(dtype)
    found = imgfix.inpaint(given, **BOX)
    assert (found.dtype, found.shape) == (dtype, (3, 12, 16))
    seen = found.double() if dtype is torch.uint8 else found.double() * 255
    assert np.abs(seen.permute(1, 2, 0).numpy() - filled()).max() < (0.01 if dtype is torch.uint8 else 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_taken_from_zero_to_one_and_given_back(dtype: type) -> None:
    given = (GIVEN / 255).astype(dtype)
    found = imgfix.inpaint(given, **BOX)
    assert found.dtype == dtype and np.abs(found - filled() / 255).max() < 4 / 255  # filled at 16 bits, not 8
    outside = np.ones((12, 16), bool)
    outside[3:7, 4:9] = False
    assert np.abs(found - given)[outside].max() < 1e-5
    with pytest.raises(UsageError, match="outside"):
        imgfix.inpaint(given * 255, **BOX)


def test_bytes_and_open_files_are_read_as_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded())
    assert np.array_equal(imgfix.inpaint(encoded(), **BOX), filled())
    with (tmp_path / "a.png").open("rb") as stream:
        assert np.array_equal(imgfix.inpaint(stream, **BOX), filled())
    with pytest.raises(UsageError, match="text"), (tmp_path / "a.png").open("r", encoding="latin-1") as stream:
        imgfix.inpaint(stream, **BOX)
    with pytest.raises(InputError, match="the given bytes"):
        imgfix.inpaint(b"no picture", **BOX)


def test_a_list_of_any_of_them_gives_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded())
    given = [GIVEN, tmp_path / "a.png", encoded(), Image.fromarray(GIVEN)]
    found = imgfix.inpaint(given, **BOX, output=tmp_path / "out")
    assert all(np.array_equal(np.asarray(each), filled()) for each in found)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0001.png", "0003.png", "0004.png", "a.png"]
    with pytest.raises(OutputError, match="exists already"):
        imgfix.inpaint(given, **BOX, output=tmp_path / "out")
    imgfix.inpaint(given, **BOX, output=str(tmp_path / "{stem}_{n}.png"))
    assert (tmp_path / "a_2.png").exists() and (tmp_path / "0001_1.png").exists()


def test_a_mask_may_come_as_anything_too() -> None:
    mask = np.zeros((12, 16), np.uint8)
    mask[3:7, 4:9] = 255
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    for given in (mask, Image.fromarray(mask), torch.from_numpy(mask), torch.from_numpy(mask)[None], stream.getvalue()):
        assert np.array_equal(imgfix.inpaint(GIVEN, given, model="telea"), filled())


# -- files -------------------------------------------------------------------------------------------------------------


def test_an_output_that_exists_is_kept_unless_it_is_to_be_replaced(tiny: str, tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(encoded())
    with pytest.raises(OutputError, match="exists already"):
        imgfix.upscale(GIVEN, model=tiny, output=tmp_path / "there.png")
    assert (tmp_path / "there.png").read_bytes() == encoded()
    kept = imgfix.upscale(GIVEN, model=tiny, output=tmp_path / "there.png", skip_existing=True)
    assert np.array_equal(kept, GIVEN)
    made = imgfix.upscale(GIVEN, model=tiny, output=tmp_path / "there.png", overwrite=True)
    with Image.open(tmp_path / "there.png") as written:
        assert np.array_equal(np.asarray(written), made)


def test_what_is_written_says_how_it_was_made(tiny: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded())
    imgfix.upscale(tmp_path / "a.png", 1.5, model=tiny, output=tmp_path / "b.png", tta=True)
    record = image.read_record(tmp_path / "b.png")
    assert record is not None
    assert record["command"] == f"imgfix upscale {tmp_path / 'a.png'} --model {tiny} --scale 1.5 --tta"
    imgfix.upscale(tmp_path / "a.png", model=tiny, output=tmp_path / "c.png", record=False)
    assert image.read_record(tmp_path / "c.png") is None


def test_a_listener_hears_what_a_format_could_not_hold(tmp_path: Path) -> None:
    from imgfix.pipelines.models import Listener

    heard: list[str] = []

    class Ears(Listener):
        def warned(self, text: str) -> None:
            heard.append(text)

    clear = np.dstack([GIVEN, np.full((12, 16), 100, np.uint8)])
    imgfix.inpaint(clear, **BOX, output=tmp_path / "a.jpg", listener=Ears())
    assert len(heard) == 1 and "JPEG" in heard[0] and "`" not in heard[0]


def test_an_animated_picture_gives_its_first_frame_or_stays_animated(tiny: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(np.roll(GIVEN, step, 1)) for step in (0, 3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=100)
    first = imgfix.upscale(tmp_path / "a.png", model=tiny)
    assert first.shape[:2] == (24, 32)
    assert imgfix.upscale(tmp_path / "a.png", model=tiny, output=tmp_path / "b.png") is None
    with Image.open(tmp_path / "b.png") as written:
        assert written.n_frames == 2 and written.size == (32, 24)


def test_a_video_needs_an_output_and_says_so(tmp_path: Path, tiny: str) -> None:
    from tests.media.clips import EVEN, Recipe, make

    clip = make(tmp_path / "a.mkv", Recipe(times=EVEN[:2]))
    with pytest.raises(UsageError, match="does not fit into an array"):
        imgfix.upscale(clip, model=tiny)


@pytest.mark.parametrize(("keyword", "words"), [("long_sid", "did you mean long_side"), ("zzzz", "it has picture")])
def test_an_unknown_keyword_is_explained(keyword: str, words: str) -> None:
    with pytest.raises(UsageError, match="upscale has no keyword") as caught:
        imgfix.upscale(GIVEN, **{keyword: 1})
    assert isinstance(caught.value, TypeError) and words in str(caught.value.hint)
    with pytest.raises(TypeError, match="missing a required argument"):
        imgfix.upscale()


def test_messages_name_keywords_and_not_options(tiny: str) -> None:
    with pytest.raises(UsageError) as caught:
        imgfix.upscale(GIVEN, 20, model=tiny)
    assert str(caught.value) == caught.value.message == "scale 20 is out of range"
    with pytest.raises(UsageError) as caught:
        imgfix.inpaint(GIVEN, model="telea")
    assert "--" not in str(caught.value.hint) and "`" not in str(caught.value.hint)


# -- measuring and training --------------------------------------------------------------------------------------------


def test_results_are_measured(tmp_path: Path) -> None:
    for folder, change in (("out", 4), ("gt", 0)):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png"):
            Image.fromarray(np.clip(GIVEN.astype(int) + change, 0, 255).astype(np.uint8)).save(tmp_path / folder / name)
    found, means = imgfix.evaluate(tmp_path / "out", tmp_path / "gt", metric=["psnr"])
    assert [each.result.name for each in found] == ["a.png", "b.png"]
    assert means["psnr"] == pytest.approx(20 * np.log10(255 / 4), abs=0.2)
    with pytest.raises(UsageError, match="needs a reference"):
        imgfix.evaluate(tmp_path / "out", metric="psnr")


def test_train_is_the_function_and_the_package() -> None:
    import imgfix.train.recipe

    assert imgfix.train.recipe.Recipe.__name__ == "Recipe"
    with pytest.raises(UsageError, match="sculpt"):
        imgfix.train("sculpt", "photos/")
    with pytest.raises(UsageError, match="train has no keyword"):
        imgfix.train("upscale", "photos/", minute=3)
