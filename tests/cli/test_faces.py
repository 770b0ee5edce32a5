"""`imgfix restore --faces`, from models that are fetched to a picture and a clip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgfix as api
from imgfix.nets.yunet import YuNet
from imgfix.zoo import catalog, fetch
from tests.cli.conftest import Run
from tests.tasks import magenta
from tests.zoo import gfpgan_file, yunet_file
from tests.zoo.helpers import Server, http_source, serve

UNSURE = (198, 20, 198)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The two rows of the catalog, their files served by this machine: a detector of magenta, a narrow GFPGAN."""
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    finder = YuNet()
    finder.load_state_dict(magenta.state())
    files = {
        "yunet": yunet_file.write(finder, tmp_path / "yunet.onnx").read_bytes(),
        "gfpgan-1.4": gfpgan_file.file_of(gfpgan_file.small(monkeypatch)),
    }
    (tmp_path / "yunet.onnx").unlink()
    with serve() as running:
        rows = []
        for name, data in files.items():
            row = catalog.find(name)
            file = row.sources[0].files[0].path
            running.files[f"/{file}"] = data
            source = replace(http_source(f"{running.url}/{file}", data), format=row.sources[0].format)
            rows.append(replace(row, sources=(source,)))
        monkeypatch.setattr(catalog, "entries", lambda: rows)
        yield running


@pytest.fixture
def pulled(server: Server, imgfix: Run) -> Server:
    assert imgfix("weights", "pull", "gfpgan-1.4", "yunet", "--accept-licence").code == 0
    server.requests.clear()
    return server


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Two faces, and something that is not sure to be one."""
    pixels = magenta.picture((1, 1), (3, 6))
    pixels[128:160, 32:64] = UNSURE
    Image.fromarray(pixels).save(tmp_path / "people.png")
    return tmp_path / "people.png"


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_faces_are_restored_and_nothing_else_changes(imgfix: Run, pulled: Server, people: Path) -> None:
    planned = imgfix("restore", people, "--faces", "--dry-run", "--json").items[0]
    result = imgfix("restore", people, "--faces", "--json", "--offline", "--precision", "fp32")
    assert result.code == 0, result.err
    assert result.err.splitlines()[0] == "gfpgan-1.4 on cpu, fp32"
    (item,) = result.items
    assert pulled.requests == []
    assert item["faces"] == planned["faces"] and len(item["faces"]) == 3
    left = [face["left"] for face in item["faces"] if "left" in face]
    assert left == ["it is not sure to be a face"]
    assert [step["undoes"] for step in item["steps"]] == [["faces"]] == [step["undoes"] for step in planned["steps"]]
    assert any("the face of 64x64 pixels at 16,112 is left as it is" in warning for warning in item["warnings"])
    before, after = read(people), read(people.with_name("people_restored.png"))
    changed = (before != after).any(axis=2)
    assert changed[:, :128].any() and changed[:, 128:].any()
    weights = np.zeros(changed.shape, bool)
    for x, y in (magenta.centre(1, 1), magenta.centre(3, 6)):
        weights[max(0, int(y) - 40) : int(y) + 41, int(x) - 40 : int(x) + 41] = True
    assert not changed[~weights].any()


def test_the_line_says_how_many_and_python_gives_the_same(imgfix: Run, pulled: Server, people: Path) -> None:
    result = imgfix("restore", people, "--faces", "--precision", "fp32", "--fidelity", "0.25")
    assert "2 of 3 faces by gfpgan-1.4" in result.err
    done = read(people.with_name("people_restored.png"))
    assert np.array_equal(api.restore(people, faces=True, fidelity=0.25, precision="fp32"), done)
    whole = api.restore(people, faces=True, precision="fp32").astype(int)
    inside = (whole > 0) & (whole < 255)  # not cut off
    whole, part = (whole - read(people))[inside], (done.astype(int) - read(people))[inside]
    assert np.abs(part - 0.75 * whole).max() <= 1 and np.abs(whole).max() > 4
    text = json.dumps(Image.open(people.with_name("people_restored.png")).text)  # type: ignore[attr-defined]
    assert "--faces" in text and "--fidelity 0.25" in text


def test_a_picture_without_faces_stays_the_very_same_file(imgfix: Run, pulled: Server, tmp_path: Path) -> None:
    Image.fromarray(magenta.picture()).save(tmp_path / "none.png")
    result = imgfix("restore", tmp_path / "none.png", "--faces")
    assert result.code == 0 and "no faces found" in result.err and "copied as it is" in result.err
    assert (tmp_path / "none_restored.png").read_bytes() == (tmp_path / "none.png").read_bytes()


def test_a_restorer_that_is_named_brings_its_finder(imgfix: Run, server: Server, people: Path) -> None:
    refused = imgfix("restore", people, "--model", "gfpgan-1.4")
    assert refused.code == 3 and "--accept-licence" in refused.err
    planned = imgfix("restore", people, "--model", "gfpgan-1.4", "--dry-run")
    assert planned.code == 0 and "gfpgan-1.4" in planned.err
    assert imgfix("weights", "pull", "gfpgan-1.4", "--accept-licence").code == 0
    alone = imgfix("restore", people, "--faces")
    assert alone.code == 3 and "weights pull yunet" in alone.err
    result = imgfix("restore", people, "--model", "gfpgan-1.4", "--precision", "fp32")
    assert result.code == 0 and "2 of 3 faces" in result.err


def test_a_file_that_is_no_detector_is_refused(imgfix: Run, server: Server) -> None:
    (path,) = (path for path in server.files if path.endswith(".onnx"))
    server.files[path] = server.files[path][:-30] + bytes(30)
    refused = imgfix("weights", "pull", "yunet")
    assert refused.code == 3 and "SHA-256" in refused.err


def test_every_frame_of_an_animation_has_its_faces_restored(imgfix: Run, pulled: Server, tmp_path: Path) -> None:
    frames = [Image.fromarray(np.roll(magenta.picture((1, 2)), 2 * number, axis=1)) for number in range(3)]
    frames[0].save(tmp_path / "clip.png", save_all=True, append_images=frames[1:], duration=80)
    result = imgfix("restore", tmp_path / "clip.png", "--faces", "--precision", "fp32")
    assert result.code == 0, result.err
    assert "faces by gfpgan-1.4" in result.err
    done = Image.open(tmp_path / "clip_restored.png")
    for number, frame in enumerate(frames):
        done.seek(number)
        change = (np.asarray(done.convert("RGB")) != np.asarray(frame)).any(axis=2)
        assert change.any() and not change[:, 170:].any() and not change[110:].any()
