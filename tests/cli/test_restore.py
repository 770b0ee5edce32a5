"""`imgfix restore`: what it finds, what it does about it, and what it says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run, litter
from tests.tasks.scenes import as_jpeg, scene, scratched, with_noise


def write(path: Path, picture: np.ndarray) -> Path:
    Image.fromarray((picture * 255 + 0.5).astype(np.uint8)).save(path)
    return path


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write(tmp_path / "clean.png", with_noise(scene() * 0.8, 0))


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    return write(tmp_path / "noisy.png", with_noise(scene() * 0.8, 20))


def test_noise_is_found_and_undone(imgfix: Run, noisy: Path, installed: list[str]) -> None:
    result = imgfix("restore", noisy)
    assert result.code == 0
    assert "found noise 2" in result.err and "by lighter" in result.err
    change = read(noisy.with_name("noisy_restored.png")).astype(int) - read(noisy)
    assert np.median(change) in (25, 26)
    assert installed == ["noise"]


def test_the_first_line_says_model_device_and_precision(imgfix: Run, noisy: Path, installed: list[str]) -> None:
    assert imgfix("restore", noisy, "--precision", "fp32").err.splitlines()[0] == "lighter on cpu, fp32"


def test_a_clean_picture_stays_the_very_same_file(imgfix: Run, clean: Path) -> None:
    """Without any model on this machine: none is needed."""
    result = imgfix("restore", clean)
    assert result.code == 0
    assert "nothing to do" in result.err
    assert clean.with_name("clean_restored.png").read_bytes() == clean.read_bytes()


def test_a_good_jpeg_stays_the_very_same_file(imgfix: Run, tmp_path: Path) -> None:
    source = tmp_path / "good.jpg"
    source.write_bytes(as_jpeg(scene(), 95))
    assert imgfix("restore", source).code == 0
    assert (tmp_path / "good_restored.jpg").read_bytes() == source.read_bytes()


def test_a_good_jpeg_goes_through_a_pipe_byte_for_byte(imgfix: Run, tmp_path: Path) -> None:
    source = tmp_path / "good.jpg"
    source.write_bytes(as_jpeg(scene(), 95))
    assert imgfix("restore", "-", stdin=source.read_bytes()).data == source.read_bytes()
    assert imgfix("restore", source, "-o", "-").data == source.read_bytes()
    assert imgfix("restore", "-", "-o", tmp_path / "out.jpg", stdin=source.read_bytes()).code == 0
    assert (tmp_path / "out.jpg").read_bytes() == source.read_bytes()


def test_of_a_copied_file_nothing_is_said_to_be_lost(imgfix: Run, tmp_path: Path) -> None:
    picture = Image.fromarray((with_noise(scene() * 0.8, 0) * 255).astype(np.uint8))
    picture.save(tmp_path / "a.png", icc_profile=b"no profile at all" * 20)
    copied = imgfix("restore", tmp_path / "a.png", "--json")
    assert copied.items[0]["copied"] and "profile" not in copied.err
    written = imgfix("restore", tmp_path / "a.png", "-o", tmp_path / "out.tif", "--json")
    assert "copied" not in written.items[0] and "profile" in written.err


def test_a_clean_picture_in_another_format_keeps_its_pixels(imgfix: Run, clean: Path, tmp_path: Path) -> None:
    assert imgfix("restore", clean, "-o", tmp_path / "out.tif").code == 0
    assert np.array_equal(read(tmp_path / "out.tif"), read(clean))


def test_jpeg_artefacts_are_found_in_the_file_and_in_the_pixels(
    imgfix: Run, tmp_path: Path, installed: list[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(as_jpeg(scene(), 30))
    Image.open(tmp_path / "a.jpg").save(tmp_path / "b.png")
    result = imgfix("restore", tmp_path / "a.jpg", tmp_path / "b.png", "--json")
    assert [(item["jpeg"], item["steps"][0]["undoes"]) for item in result.items] == [(30, ["jpeg"])] * 2
    assert imgfix("restore", tmp_path / "b.png", "--overwrite").err.count("JPEG quality 30 (in the pixels)") == 1


def test_a_jpeg_whose_artefacts_were_undone_is_not_given_them_again(
    imgfix: Run, tmp_path: Path, installed: list[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(as_jpeg(scene(), 30))

    def quality(name: str) -> int:
        from imgfix.media.image import read as read_picture

        settings = read_picture(tmp_path / name).metadata.jpeg
        assert settings is not None
        return settings.quality

    assert "written at quality 95" in imgfix("restore", tmp_path / "a.jpg").err
    assert quality("a_restored.jpg") == 95
    assert imgfix("restore", tmp_path / "a.jpg", "-o", tmp_path / "b.jpg", "--quality", "40").code == 0
    assert quality("b.jpg") == 40
    assert imgfix("restore", tmp_path / "a.jpg", "-o", tmp_path / "c.jpg", "--denoise", "9").code == 0
    assert quality("c.jpg") == 30  # its artefacts were not asked to be undone


def test_a_level_by_number_needs_no_estimate(imgfix: Run, clean: Path, installed: list[str]) -> None:
    result = imgfix("restore", clean, "--denoise", "12", "--json")
    (item,) = result.items
    assert "noise" not in item
    assert item["steps"][0]["undoes"] == ["noise"]


def test_strength_none_gives_the_input_back(imgfix: Run, clean: Path, installed: list[str]) -> None:
    assert imgfix("restore", clean, "--jpeg", "20", "--strength", "0").code == 0
    assert np.array_equal(read(clean.with_name("clean_restored.png")), read(clean))


def test_naming_one_kind_of_damage_leaves_the_others(imgfix: Run, noisy: Path, installed: list[str]) -> None:
    assert imgfix("restore", noisy, "--jpeg", "auto").code == 0
    assert np.array_equal(read(noisy.with_name("noisy_restored.png")), read(noisy))
    assert installed == []


def test_off_takes_a_kind_out_of_the_default(imgfix: Run, noisy: Path, installed: list[str]) -> None:
    assert imgfix("restore", noisy, "--denoise", "off").code == 0
    assert np.array_equal(read(noisy.with_name("noisy_restored.png")), read(noisy))


def test_a_named_model_does_what_it_is_for(imgfix: Run, noisy: Path, lighter: Path) -> None:
    assert imgfix("restore", noisy, "--model", lighter).code == 0
    assert np.median(read(noisy.with_name("noisy_restored.png")).astype(int) - read(noisy)) in (25, 26)


@pytest.mark.slow
def test_scratches_are_filled_and_the_mask_is_written(imgfix: Run, tmp_path: Path) -> None:
    picture, true = scratched(with_noise(scene(300, 400, 3), 1), 3)
    source = write(tmp_path / "scan.png", picture)
    result = imgfix("restore", source, "--scratches", "--save-mask", tmp_path / "mask.png", "--json")
    assert result.code == 0
    (item,) = result.items
    assert item["filler"] == "inpaint-photo" and item["steps"] == []
    mask, done = read(tmp_path / "mask.png"), read(tmp_path / "scan_restored.png")
    assert mask.shape == (300, 400) and set(np.unique(mask)) == {0, 255}
    assert (mask[true] == 255).mean() > 0.8
    assert np.array_equal(done[mask == 0], read(source)[mask == 0])
    assert not np.array_equal(done[mask == 255], read(source)[mask == 255])


def test_an_unscratched_picture_gets_an_empty_mask(imgfix: Run, clean: Path, tmp_path: Path) -> None:
    result = imgfix("restore", clean, "--scratches", "--save-mask", f"{tmp_path}/masks/")
    assert "no scratches found" in result.err
    assert not read(tmp_path / "masks" / "clean_mask.png").any()
    assert clean.with_name("clean_restored.png").read_bytes() == clean.read_bytes()


def test_folders_and_pipes(imgfix: Run, noisy: Path, clean: Path, tmp_path: Path, installed: list[str]) -> None:
    assert imgfix("restore", tmp_path, "-o", tmp_path / "out/").code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clean.png", "noisy.png"]
    piped = imgfix("restore", "-", stdin=noisy.read_bytes())
    assert piped.code == 0
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(piped.data))), read(tmp_path / "out" / "noisy.png"))
    assert litter(tmp_path) == []


def test_a_dry_run_says_what_was_found_and_writes_nothing(imgfix: Run, noisy: Path, installed: list[str]) -> None:
    result = imgfix("restore", noisy, "--dry-run", "--json")
    (item,) = result.items
    assert item["status"] == "planned" and item["noise"] == pytest.approx(20, rel=0.12)
    assert item["tiles"] == 1 and item["seconds"] >= 0
    assert not noisy.with_name("noisy_restored.png").exists()


def test_the_record_holds_the_command(imgfix: Run, noisy: Path, lighter: Path) -> None:
    assert imgfix("restore", noisy, "--model", lighter, "--strength", "0.5").code == 0
    record = json.loads(Image.open(noisy.with_name("noisy_restored.png")).text["imgfix"])  # type: ignore[attr-defined]
    assert "--strength 0.5" in record["command"] and record["model"] == "lighter"


def test_16_bits_and_transparency_stay(imgfix: Run, tmp_path: Path, lighter: Path) -> None:
    import cv2

    values = (with_noise(scene() * 0.8, 20) * 65535).astype(np.uint16)
    alpha = np.full((*values.shape[:2], 1), 40000, np.uint16)
    source = tmp_path / "deep.png"
    cv2.imwrite(str(source), np.concatenate([values[..., ::-1], alpha], axis=2))
    assert imgfix("restore", source, "--denoise", "20", "--model", lighter, "--precision", "fp32").code == 0
    done = cv2.imread(str(tmp_path / "deep_restored.png"), cv2.IMREAD_UNCHANGED)
    assert done.dtype == np.uint16
    assert (done[..., 3] == 40000).all()
    assert np.median(done[..., 2::-1].astype(int) - values) == pytest.approx(6553.5, abs=2)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--denoise", "much"], 2, "auto, off, or a number"),
        (["--denoise", "-4"], 2, "out of range"),
        (["--denoise", "nan"], 2, "out of range"),
        (["--denoise", "500"], 2, "out of range"),
        (["--jpeg", "high"], 2, "1 to 100"),
        (["--jpeg", "0"], 2, "1 to 100"),
        (["--strength", "2"], 2, "--strength"),
        (["--denoise", "off", "--jpeg", "off"], 2, "nothing is left to do"),
        (["--save-mask", "m.png"], 2, "--scratches"),
        (["--model", "nonesuch"], 3, "no model named"),
        (["--model", "realesrgan-x4plus"], 3, "not for 'restore'"),
        (["--model", "hvi-cidnet-lol", "--deblur"], 2, "not asked for"),
        (["--deblur"], 3, "weights pull nafnet-64-gopro"),
        (["--low-light"], 3, "weights pull hvi-cidnet-lol"),
        (["--faces"], 3, "weights pull gfpgan-1.4 yunet"),
        (["--fidelity", "0.5"], 2, "add --faces"),
        (["--faces", "--fidelity", "1.5"], 2, "--fidelity"),
        (["--model", "yunet"], 3, "not for 'restore'"),
        (["--model", "gfpgan-1.4", "--deblur"], 2, "not asked for"),
        (["--light"], 3, "weights pull hvi-cidnet-lol"),
        (["--model", "hvi-cidnet-lol", "--offline"], 3, "--offline"),
        (["--tile", "x"], 2, "--tile"),
    ],
)
def test_senseless_commands_say_what_to_do(
    imgfix: Run, clean: Path, arguments: list[str], code: int, words: str
) -> None:
    result = imgfix("restore", clean, *arguments)
    assert (result.code, words in result.err) == (code, True), result.err
    assert "Traceback" not in result.err
    assert [path.name for path in clean.parent.iterdir()] == ["clean.png"]


def test_a_fresh_machine_restores_with_what_ships_and_names_a_better_model(imgfix: Run, noisy: Path) -> None:
    result = imgfix("restore", noisy)
    assert result.code == 0, result.err
    assert "weights pull scunet-real-psnr" in result.err
    assert noisy.with_name("noisy_restored.png").read_bytes() != noisy.read_bytes()


def test_one_mask_file_for_several_inputs_is_refused(imgfix: Run, noisy: Path, clean: Path, tmp_path: Path) -> None:
    result = imgfix("restore", noisy, clean, "--scratches", "--save-mask", tmp_path / "m.png")
    assert result.code == 2
    assert "folder" in result.err


def test_an_existing_mask_is_not_replaced(imgfix: Run, clean: Path, tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"mine")
    result = imgfix("restore", clean, "--scratches", "--save-mask", tmp_path / "m.png")
    assert result.code == 1
    assert "--overwrite" in result.err
    assert (tmp_path / "m.png").read_bytes() == b"mine"


def test_a_broken_file_does_not_stop_the_others(imgfix: Run, clean: Path) -> None:
    clean.with_name("broken.png").write_bytes(clean.read_bytes()[:500])
    result = imgfix("restore", clean.with_name("broken.png"), clean)
    assert result.code == 1
    assert "broken.png" in result.err
    assert clean.with_name("clean_restored.png").exists()


def test_the_help_page_names_every_kind_of_damage(imgfix: Run) -> None:
    page = imgfix("restore", "--help").out
    for word in ("--denoise", "--jpeg", "--deblur", "--low-light", "--derain", "--dehaze", "--scratches", "--strength"):
        assert word in page
    assert "--light" not in page


def test_former_names_are_the_same_option(imgfix: Run, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import imgfix as package
    from imgfix.errors import ImgfixError, UsageError

    words = [imgfix("restore", clean, word).err for word in ("--low-light", "--light")]
    assert words[0] == words[1] != ""
    for keyword in ("low_light", "light"):
        with pytest.raises(ImgfixError, match="no model for 'light'"):
            package.restore(clean, **{keyword: True})
    with pytest.raises(UsageError, match="former name"):
        package.restore(clean, light=True, low_light=True)
    monkeypatch.setenv("IMGFIX_RESTORE_LIGHT", "1")
    assert imgfix("restore", clean).err == words[0]


def test_python_does_the_same(noisy: Path, clean: Path, lighter: Path) -> None:
    import imgfix as package

    result = package.restore(noisy, model=str(lighter))
    assert np.median(result.astype(int) - read(noisy)) in (25, 26)
    assert np.array_equal(package.restore(clean), read(clean))
    grey = read(noisy)[..., 0]
    assert package.restore(grey, model=str(lighter)).shape == grey.shape


@pytest.mark.slow
def test_python_fills_scratches(tmp_path: Path) -> None:
    import imgfix as package

    picture, true = scratched(with_noise(scene(300, 400, 3), 1), 3)
    before = (picture * 255 + 0.5).astype(np.uint8)
    after: Any = package.restore(before, scratches=True)
    assert after.shape == before.shape
    assert np.abs(after.astype(int) - before)[true].mean() > 20


def test_a_mask_is_never_written_over_a_picture(imgfix: Run, clean: Path, tmp_path: Path) -> None:
    before = clean.read_bytes()
    for place in (clean, tmp_path / "out.png"):
        result = imgfix(
            "restore", clean, "--scratches", "-o", tmp_path / "out.png", "--save-mask", place, "--overwrite"
        )
        assert result.code == 1 and "over the picture" in result.err
    assert clean.read_bytes() == before


@pytest.mark.parametrize(("name", "bits"), [("old.png", 8), ("old.png", 16), ("old.jpg", 8), ("old.tif", 8)])
def test_a_grey_file_becomes_one_in_colour_to_be_colorized(
    imgfix: Run, tmp_path: Path, installed: list[str], name: str, bits: int
) -> None:
    plane = with_noise(scene(), 0).mean(axis=2)
    grey = (plane * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    Image.fromarray(grey).save(tmp_path / name)
    result = imgfix("restore", tmp_path / name, "--colorize")
    assert result.code == 0, result.err
    assert set(installed) == {"color"}
    made = read(tmp_path / name.replace("old.", "old_restored."))
    assert made.shape == (*grey.shape, 3)


def test_a_clip_is_not_colorized(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    frames = [Image.fromarray(np.full((32, 32), value, np.uint8)) for value in (40, 80, 120)]
    frames[0].save(tmp_path / "old.gif", save_all=True, append_images=frames[1:])
    result = imgfix("restore", tmp_path / "old.gif", "--colorize")
    assert result.code != 0
    assert "single pictures" in result.err
