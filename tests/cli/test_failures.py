"""What goes wrong: a clear sentence, the right exit code, no half-written file, and the rest of the batch done."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run, litter, save_photo

Start = Callable[..., "subprocess.Popen[bytes]"]

on_posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


def _truncated(path: Path) -> None:
    save_photo(path, size=(64, 64))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


BAD = {
    "truncated.png": _truncated,
    "truncated.jpg": _truncated,
    "truncated.webp": _truncated,
    "truncated.tif": _truncated,
    "text.png": lambda path: path.write_text("this is not a picture, though it says so"),
    "empty.png": lambda path: path.write_bytes(b""),
    "folder-like.png": lambda path: path.symlink_to("/no/such/file.png"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_and_the_rest_is_done(imgfix: Run, tmp_path: Path, tiny: Path, name: str) -> None:
    bad, before, after = tmp_path / name, save_photo(tmp_path / "a.png"), save_photo(tmp_path / "z.png")
    BAD[name](bad)
    out = tmp_path / "out"
    result = imgfix("upscale", before, bad, after, "-o", f"{out}/", "--model", tiny, "--json")
    assert result.code == 1
    assert [item["status"] for item in result.items] == ["done", "failed", "done"]
    assert name in result.items[1]["error"] and name in result.err
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "z.png"]
    assert "Traceback" not in result.err
    assert litter(tmp_path) == []


@on_posix
def test_a_link_to_nothing_is_called_that(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "gone.png").symlink_to("elsewhere.png")
    result = imgfix("upscale", tmp_path / "gone.png", "--model", tiny)
    assert result.code == 1
    assert "a link to a file that is not there" in result.err and "elsewhere.png" in result.err


def test_the_remedy_for_an_empty_region_is_about_what_was_given(imgfix: Run, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "a.png")
    coloured = imgfix("inpaint", photo, "--color", "#ff00ff", "--model", "telea")
    assert coloured.code == 1 and "--tolerance" in coloured.err and "--invert" not in coloured.err
    narrowed = imgfix("inpaint", photo, "--box", "5,5,8,8", "--dilate", "-20", "--model", "telea")
    assert narrowed.code == 1 and "--dilate -20" in narrowed.err


def test_a_file_that_is_no_checkpoint_is_refused_in_words(imgfix: Run, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "a.png")
    for number, junk in enumerate((b"junk", b"junk!\n", b"hello, this is text", b"\x80", bytes(40))):
        (tmp_path / f"{number}.pth").write_bytes(junk)
        result = imgfix("upscale", photo, "--model", tmp_path / f"{number}.pth")
        assert result.code == 3
        assert f"{number}.pth: not a readable checkpoint" in result.err


def test_doctor_sees_a_damaged_model(imgfix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGFIX_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models/migan-512-places2.safetensors").write_bytes(b"cut off")
    result = imgfix("doctor", "--json")
    (told,) = result.items
    assert result.code == 1
    assert [entry["name"] for entry in told["weights"] if entry["damaged"]] == ["migan-512-places2"]
    assert {"imgfix weights pull migan-512-places2"} == {c["remedy"] for c in told["checks"] if c["state"] == "broken"}


def test_a_single_bad_file_is_exit_code_1(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    result = imgfix("upscale", tmp_path / "bad.png", "--model", tiny)
    assert result.code == 1 and "0 bytes" in result.err


def test_a_missing_file_is_named(imgfix: Run, photo: Path, tiny: Path) -> None:
    result = imgfix("upscale", photo.with_name("nowhere.png"), photo, "--model", tiny)
    assert result.code == 1 and "nowhere.png" in result.err
    assert photo.with_name("photo_x2.png").exists()


def test_an_unknown_model_is_answered_with_its_neighbours(imgfix: Run, photo: Path) -> None:
    result = imgfix("upscale", photo, "--model", "realesrgan-x4pluss")
    assert result.code == 3
    assert "realesrgan-x4pluss" in result.err and "did you mean realesrgan-x4plus" in result.err


def test_a_model_for_another_job_is_refused(imgfix: Run, photo: Path) -> None:
    result = imgfix("upscale", photo, "--model", "migan-512-places2")
    assert result.code == 3 and "realesrgan-x4plus" in result.err


def test_a_missing_model_is_not_fetched_offline(imgfix: Run, photo: Path) -> None:
    result = imgfix("upscale", photo, "--model", "realesrgan-x4plus", "--offline")
    assert result.code == 3
    assert "imgfix weights pull realesrgan-x4plus" in result.err


def test_auto_names_what_to_pull_when_nothing_is_here(
    imgfix: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgfix.zoo import store

    monkeypatch.setattr(store, "installed", lambda entry: False)
    result = imgfix("upscale", photo)
    assert result.code == 3 and "imgfix weights pull" in result.err


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"not weights", lambda data: b""])
def test_a_damaged_weights_file_is_exit_code_3(
    imgfix: Run, photo: Path, tiny: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(damage(tiny.read_bytes()))
    result = imgfix("upscale", photo, "--model", path)
    assert result.code == 3, result.err
    assert "damaged.safetensors" in result.err and "Traceback" not in result.err


def test_an_installed_model_that_was_changed_is_refused(imgfix: Run, photo: Path, own_home: Path, tiny: Path) -> None:
    installed = own_home / "models" / "realesr-general-x4v3.safetensors"
    installed.parent.mkdir()
    shutil.copy(tiny, installed)
    result = imgfix("upscale", photo, "--model", "realesr-general-x4v3")
    assert result.code == 3
    assert str(installed) in result.err and "imgfix weights pull realesr-general-x4v3" in result.err


def test_out_of_memory_is_exit_code_4(imgfix: Run, photo: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgfix.runtime import memory
    from imgfix.runtime.engine import Engine

    def never_fits(self: Engine, x: object) -> object:
        raise memory.OutOfMemory("the model does not fit")

    monkeypatch.setattr(Engine, "run", never_fits)
    result = imgfix("upscale", photo, "--model", tiny)
    assert result.code == 4 and "memory" in result.err
    assert not photo.with_name("photo_x2.png").exists() and litter(photo.parent) == []


@on_posix
@pytest.mark.slow
def test_a_full_disk_fails_the_large_file_and_leaves_no_part_of_it(start: Start, tmp_path: Path, tiny: Path) -> None:
    large = tmp_path / "large.png"
    Image.effect_noise((300, 300), 90).save(large)
    small = save_photo(tmp_path / "small.png")

    def little_room() -> None:  # the system refuses to let any file grow beyond this, as a full disk does
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    run = start("upscale", large, small, "-o", f"{tmp_path}/out/", "--model", tiny, preexec_fn=little_room)
    _, told = run.communicate(timeout=300)
    assert run.returncode == 1, told.decode()
    assert "disk is full" in told.decode() and "large.png" in told.decode()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small.png"]


@on_posix
def test_a_folder_that_cannot_be_written_is_named(imgfix: Run, photo: Path, tiny: Path) -> None:
    folder = photo.parent / "closed"
    folder.mkdir(mode=0o555)
    if os.access(folder, os.W_OK):  # rights do not bind root; a folder of the kernel does
        folder = Path("/sys")
        if not folder.is_dir():
            pytest.skip("no folder here is closed to root")
    result = imgfix("upscale", photo, "--model", tiny, "-o", folder / "photo.png")
    assert result.code == 1, result.err
    assert "permission" in result.err and str(folder) in result.err
    assert not (folder / "photo.png").exists()


@on_posix
@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_batch_keeps_what_is_finished_and_leaves_nothing_half_written(
    start: Start, tmp_path: Path, tiny: Path, number: signal.Signals, code: int
) -> None:
    first_photo = save_photo(tmp_path / "in" / "00.png", size=(1200, 900))
    for index in range(1, 20):
        shutil.copy(first_photo, tmp_path / "in" / f"{index:02d}.png")
    os.mkfifo(tmp_path / "last.png")  # nobody writes into it: on the fastest machine the batch has not ended yet
    out = tmp_path / "out"
    run = start("upscale", tmp_path / "in", tmp_path / "last.png", "-o", f"{out}/", "--model", tiny, "--json")
    assert run.stdout is not None
    first = json.loads(run.stdout.readline())
    assert first["status"] == "done"
    run.send_signal(number)
    rest, told = run.communicate(timeout=300)
    assert run.returncode == code, told.decode()
    items = [first, *(json.loads(line) for line in rest.decode().splitlines())]
    done = [Path(item["target"]).name for item in items if item["status"] == "done"]
    assert sorted(path.name for path in out.iterdir()) == sorted(done)
    for path in out.iterdir():
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (2400, 1800)
    assert 1 <= len(done) <= 20
    assert "Traceback" not in told.decode()
    assert [item["status"] for item in items].count("interrupted") <= 1
    assert f"{len(done)} done, {21 - len(done)} not" in told.decode()


@on_posix
@pytest.mark.parametrize(
    ("number", "code", "model"),
    [(signal.SIGINT, 130, "tiny"), (signal.SIGTERM, 143, "tiny"), (signal.SIGINT, 130, "restore")],
)
def test_a_large_picture_is_left_at_the_tile_at_which_the_signal_comes(
    imgfix: Run, tmp_path: Path, tiny: Path, number: signal.Signals, code: int, model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from imgfix.runtime import prefetch, tiling

    photo, begun, total = save_photo(tmp_path / "a.png", size=(512, 512)), [], []

    def counted(work: tiling._Tiles, *tile: object) -> None:
        begun.append(tile)
        total.append(work.grid.tiles)
        if len(begun) == 3:
            signal.raise_signal(number)
            worker = getattr(prefetch._here, "worker", None)  # this is its thread, and the main one has the signal
            assert worker is not None and worker._stopped.wait(300)
        prefetch.check()  # as the engine does before each layer

    monkeypatch.setattr(tiling._Tiles, "add", counted)
    words = ("upscale", "--model", tiny) if model == "tiny" else ("restore", "--denoise", 25, "--jpeg", "off")
    found = imgfix(*words, photo, "--tile", 128, "--device", "cpu", "-o", tmp_path / "b.png")
    assert (found.code, len(begun)) == (code, 3) and total[0] > 3
    assert "interrupted" in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@on_posix
def test_a_reader_that_leaves_is_no_reason_to_complain(start: Start, tmp_path: Path, tiny: Path) -> None:
    for index in range(10):
        save_photo(tmp_path / "in" / f"{index}.png", size=(200, 150))
    run = start("upscale", tmp_path / "in", "-o", tmp_path / "out", "--model", tiny, "--json", "-q")
    assert run.stdout is not None and run.stderr is not None
    run.stdout.readline()
    run.stdout.close()
    assert run.stderr.read() == b""
    assert run.wait(timeout=300) == 1


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "imgfix", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("imgfix ")


def test_a_missing_input_is_said_before_any_work(imgfix: Run, photo: Path) -> None:
    words = ("inpaint", photo, "missing.png", "--box", "1,1,4,4", "--model", "telea", "--json")
    result = imgfix(*words, "-o", f"{photo.parent / 'out'}/")
    assert result.code == 1
    assert [item["status"] for item in result.items] == ["failed", "done"]


@pytest.mark.parametrize("verb", ["upscale", "inpaint", "restore"])
def test_a_dry_run_fails_where_the_real_run_would(imgfix: Run, tmp_path: Path, tiny: Path, verb: str) -> None:
    words = {
        "upscale": ["--model", tiny],
        "inpaint": ["--model", "telea", "--box", "2,2,5,5"],
        "restore": ["--denoise", "10", "--model", "restore"],
    }[verb]
    for name in ("a.png", "b.jpg", "c.webp"):
        whole = save_photo(tmp_path / name, size=(64, 48)).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
    good = save_photo(tmp_path / "good.png")
    planned = imgfix(verb, tmp_path, *words, "-o", tmp_path / "out", "--dry-run")
    real = imgfix(verb, tmp_path, *words, "-o", tmp_path / "out")
    assert (planned.code, real.code) == (1, 1)
    assert planned.err.count("error: ") == real.err.count("error: ") == 4
    assert "a.png is cut off" in planned.err and str(good) in planned.err
    assert "3 failed, 1 planned" in planned.err


def test_a_missing_extra_is_said_before_any_work_and_by_a_dry_run(
    imgfix: Run, photo: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)  # as if it were not installed
    for dry in ([], ["--dry-run"]):
        result = imgfix("upscale", photo, "--model", tiny, "-o", tmp_path / "o.jxl", *dry)
        assert result.code == 2 and "pip install 'imgfix[jxl]'" in result.err
        assert not (tmp_path / "o.jxl").exists()


def test_the_last_line_counts_what_was_passed_over(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    folder = tmp_path / "in"
    save_photo(folder / "a.png")
    save_photo(folder / "deep" / "b.png")
    (folder / "notes.txt").write_text("x")
    first = imgfix("upscale", folder, "--model", tiny)
    assert first.err.splitlines()[-1] == "1 done; passed over: 1 other file, 1 subfolder without --recursive"
    other = imgfix("upscale", folder, "--model", tiny, "--scale", "3")
    assert other.code == 0, other.err
    assert sorted(path.name for path in folder.glob("*.png")) == ["a.png", "a_x2.png", "a_x3.png"]
    assert "1 earlier result" in other.err
