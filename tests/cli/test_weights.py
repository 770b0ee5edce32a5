"""`imgfix weights`, through the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from imgfix.zoo import catalog, fetch, loader, store
from tests.cli.conftest import Run
from tests.zoo.helpers import Server, http_source, serve, tiny_checkpoint, tiny_entry


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A catalog of two small models: one behind a server on this machine, one that is nowhere to be found."""
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    data = tiny_checkpoint(tmp_path / "source.pth").read_bytes()
    with serve(model__pth=data) as running:
        good = tiny_entry(http_source(f"{running.url}/model.pth", data), summary="small", trained_on="noise")
        lost = tiny_entry(http_source(f"{running.url}/lost.pth", data), name="lost-x2", task="restore")
        monkeypatch.setattr(catalog, "entries", lambda: [good, lost])
        yield running


def test_the_list_says_what_there_is_and_what_is_here(imgfix: Run, server: Server) -> None:
    before = imgfix("weights", "list")
    assert before.code == 0
    assert before.err == ""
    line = next(line for line in before.out.splitlines() if line.startswith("tiny-x2"))
    assert line.split()[:3] == ["tiny-x2", "upscale", "x2"]
    assert "CC0-1.0" in line
    assert imgfix("weights", "pull", "tiny-x2").code == 0
    assert [item["installed"] for item in imgfix("weights", "list", "--json").items] == [True, False]
    assert [item["name"] for item in imgfix("weights", "list", "--installed", "--json").items] == ["tiny-x2"]
    assert [item["name"] for item in imgfix("weights", "list", "--task", "restore", "--json").items] == ["lost-x2"]


def test_what_is_removed_is_gone_and_counted_no_more(imgfix: Run, server: Server, tmp_path: Path) -> None:
    assert imgfix("weights", "rm", "tiny-x2").code == 3  # it is not there yet
    (pulled,) = imgfix("weights", "pull", "tiny-x2", "--json").items
    assert "1 installed, " in imgfix("weights", "list").err
    (removed,) = imgfix("weights", "rm", "tiny-x2", "--json").items
    assert (removed["status"], removed["bytes"]) == ("done", pulled["bytes"])
    place = Path(pulled["path"])
    assert not place.exists() and not store.record_path(place).exists()
    assert imgfix("weights", "list").err == ""


def test_an_imported_model_is_not_removed_by_mistake(imgfix: Run, server: Server, tmp_path: Path) -> None:
    assert imgfix("weights", "import", tmp_path / "source.pth", "--name", "mine").code == 0
    refused = imgfix("weights", "rm", "mine")
    assert refused.code == 3 and "--imported" in refused.err
    assert imgfix("weights", "list", "--installed", "--json").items != []
    assert imgfix("weights", "rm", "mine", "--imported").code == 0
    assert imgfix("weights", "list", "--installed", "--json").items == []


def test_unused_models_are_removed_and_imported_ones_stay(imgfix: Run, server: Server, tmp_path: Path) -> None:
    assert imgfix("weights", "import", tmp_path / "source.pth", "--name", "mine").code == 0
    (pulled,) = imgfix("weights", "pull", "tiny-x2", "--json").items
    assert imgfix("weights", "rm", "--unused").err == "every downloaded model was used in the last 90 days\n"
    record = store.record_path(Path(pulled["path"]))
    for path in (record, store.record_path(store.path_of(catalog.find("mine")))):
        os.utime(path, (0, 0))
    (planned,) = imgfix("weights", "rm", "--unused", "--dry-run", "--json").items
    assert (planned["source"], planned["status"], planned["bytes"]) == ("tiny-x2", "planned", pulled["bytes"])
    assert record.exists()
    assert imgfix("weights", "info", "tiny-x2", "--json").items[0]["last_used"] == "1970-01-01"
    loader.load("tiny-x2")
    assert imgfix("weights", "rm", "--unused", "--json").items == []
    os.utime(record, (0, 0))
    assert [item["source"] for item in imgfix("weights", "rm", "--unused", "--json").items] == ["tiny-x2"]
    assert [item["name"] for item in imgfix("weights", "list", "--installed", "--json").items] == ["mine"]


def test_what_to_remove_is_said_in_one_way(imgfix: Run, server: Server) -> None:
    assert imgfix("weights", "rm").code == 2
    assert imgfix("weights", "rm", "tiny-x2", "--unused").code == 2


def test_an_unknown_task_is_a_usage_error(imgfix: Run, server: Server) -> None:
    result = imgfix("weights", "list", "--task", "cook")
    assert result.code == 2
    assert "restore, upscale" in result.err


def test_info_tells_everything(imgfix: Run, server: Server) -> None:
    text = imgfix("weights", "info", "tiny-x2").out
    assert all(word in text for word in ("srvgg", "CC0-1.0", "noise", server.url, "features: 4"))
    (facts,) = imgfix("weights", "info", "tiny-x2", "--json").items
    assert facts["sources"][0]["files"][0]["sha256"]


def test_a_pull_is_reported_and_done_once(imgfix: Run, server: Server) -> None:
    (first,) = imgfix("weights", "pull", "tiny-x2", "--json").items
    assert first["status"] == "done"
    assert Path(first["path"]).is_file()
    (second,) = imgfix("weights", "pull", "tiny-x2", "--json").items
    assert second["status"] == "skipped"
    assert len(server.requests) == 1
    assert imgfix("weights", "pull", "tiny-x2", "--overwrite").code == 0
    assert len(server.requests) == 2


def test_one_bad_name_does_not_end_a_pull(imgfix: Run, server: Server) -> None:
    result = imgfix("weights", "pull", "lost-x2", "tiny-x2", "tiny-x3", "--json")
    assert result.code == 1
    assert [item["status"] for item in result.items] == ["failed", "done", "failed"]
    assert "404" in result.err
    assert "did you mean tiny-x2" in result.err


def test_a_task_pulls_all_its_models(imgfix: Run, server: Server) -> None:
    assert [item["source"] for item in imgfix("weights", "pull", "--task", "upscale", "--json").items] == ["tiny-x2"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["pull"], 2),
        (["pull", "--task", "cook"], 2),
        (["pull", "tiny-x3"], 3),
        (["pull", "lost-x2"], 3),
        (["pull", "tiny-x2", "--offline"], 3),
        (["info", "tiny-x3"], 3),
        (["path", "tiny-x3"], 3),
        (["import", "nothing.pth"], 3),
        (["export", "tiny-x3", "-o", "x.onnx"], 3),
        (["export", "tiny-x2", "-o", "x.xyz"], 2),
    ],
)
def test_errors_have_a_sentence_and_a_code(
    arguments: list[str], code: int, imgfix: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = imgfix("weights", *arguments)
    assert result.code == code
    assert result.err.startswith("error: ") or "error: " in result.err
    assert result.out == ""


def test_a_corrupted_file_is_found_and_repaired(imgfix: Run, server: Server) -> None:
    assert imgfix("weights", "pull", "tiny-x2").code == 0
    assert "good" in imgfix("weights", "verify").err
    path = store.path_of(catalog.find("tiny-x2"))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    broken = imgfix("weights", "verify", "tiny-x2")
    assert broken.code == 3
    assert "damaged" in broken.err
    assert "imgfix weights pull tiny-x2" in broken.err
    assert imgfix("weights", "pull", "tiny-x2").code == 0
    assert imgfix("weights", "verify", "--json").items[0]["status"] == "done"


def test_nothing_to_verify_is_no_error(imgfix: Run, server: Server) -> None:
    result = imgfix("weights", "verify")
    assert result.code == 0
    assert "no weights" in result.err


def test_path_prints_a_path_for_scripts(imgfix: Run, server: Server, own_home: Path) -> None:
    assert imgfix("weights", "path").out == f"{own_home / 'models'}\n"
    assert imgfix("weights", "path", "tiny-x2").out == f"{own_home / 'models' / 'tiny-x2.safetensors'}\n"
    assert imgfix("weights", "path", "tiny-x2", "--json").items[0]["installed"] is False


def test_a_checkpoint_is_imported_listed_and_exported(imgfix: Run, server: Server, tmp_path: Path) -> None:
    file = tiny_checkpoint(tmp_path / "2x Größe_Mine.pth")
    result = imgfix("weights", "import", file)
    assert result.code == 0
    assert "--model 2x-gr-e_mine" in result.err
    assert imgfix("weights", "import", file).code == 1
    assert (
        imgfix("weights", "import", file, "--name", "mine", "--licence", "MIT", "--json").items[0]["licence"] == "MIT"
    )
    assert [item["name"] for item in imgfix("weights", "list", "--json").items][2:] == ["2x-gr-e_mine", "mine"]
    out = tmp_path / "out.pth"
    (facts,) = imgfix("weights", "export", "mine", "-o", out, "--json").items
    assert facts["largest_difference"] == 0
    assert torch.load(out, weights_only=True)["params"]
    assert imgfix("weights", "export", "mine", "-o", out).code == 1
    again = imgfix("weights", "export", "mine", "-o", out, "--overwrite")
    assert again.code == 0
    assert "equal" in again.err


def test_the_list_does_not_need_torch(imgfix: Run, start: object, own_home: Path) -> None:
    import subprocess
    import sys

    code = "import sys; from imgfix import cli; c = cli.run(['weights', 'list']); sys.exit(c or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_search_finds_models_of_the_catalog_and_of_the_community(imgfix: Run) -> None:
    lines = [json.loads(line) for line in imgfix("weights", "search", "swinir", "--json").out.splitlines()]
    names = {line["name"] for line in lines}
    assert "swinir-m-x4-realsr" in names and any(name.startswith("4x-") for name in names)
    assert {line["reader"] for line in lines} <= {"imgfix", "community", ""}
    nothing = imgfix("weights", "search", "no-such-word")
    assert (nothing.code, nothing.out) == (0, "") and "nothing is known" in nothing.err


def test_a_licence_is_said_and_has_to_be_accepted(imgfix: Run) -> None:
    refused = imgfix("weights", "pull", "gfpgan-1.4")
    assert refused.code == 3
    assert "--accept-licence" in refused.err and "third parties" in refused.err


def test_a_model_is_named_by_its_address_wherever_one_is_named(
    imgfix: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGFIX_MIRROR", server.url)
    server.files["/models.example/2x-tiny.pth"] = server.files["/model.pth"]
    Image.new("RGB", (12, 8), "teal").save(tmp_path / "a.png")
    address = "https://models.example/2x-tiny.pth"
    planned = imgfix("upscale", tmp_path / "a.png", "--model", address, "--dry-run")
    assert planned.code == 0 and "12x8 -> 24x16" in planned.out + planned.err and "size not known" in planned.err
    assert imgfix("upscale", tmp_path / "a.png", "--model", address, "-o", tmp_path / "b.png").code == 0
    assert Image.open(tmp_path / "b.png").size == (24, 16)
    refused = imgfix("upscale", tmp_path / "a.png", "--model", f"{address}#sha256={'0' * 64}", "-o", tmp_path / "c.png")
    assert refused.code == 3 and "promised SHA-256" in refused.err
    other = imgfix("restore", tmp_path / "a.png", "--model", address, "-o", tmp_path / "d.png")
    assert other.code == 3 and "for 'upscale', not for 'restore'" in other.err
