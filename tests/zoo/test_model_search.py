"""Search over the catalog and the community's index."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix import zoo
from imgfix.degradations import ANY as ANY_DAMAGE
from imgfix.errors import DownloadError
from imgfix.zoo import catalog, community_index, folders, model_search
from imgfix.zoo.licences import PERMISSIVE
from tests.zoo.helpers import digest, serve, tiny_net

SHIPPED = folders.shipped_folder() / "community.tsv"


def test_the_shipped_index_is_small_and_its_rows_are_sound() -> None:
    assert SHIPPED.stat().st_size < 60_000
    text = SHIPPED.read_text("utf-8")
    assert "OpenModelDB" in text.splitlines()[0], "where the facts are from is said"
    rows = community_index.parse(text)
    assert len(rows) > 100
    assert all(len(row.sha256) == 64 and row.bytes > 0 and row.scale in (1, 2, 3, 4, 8) for row in rows)
    assert all(row.url.startswith("https://") and row.licence in PERMISSIVE for row in rows)
    assert community_index.parse(community_index.write(rows, "2026-11-28")) == rows


def test_every_word_has_to_be_found() -> None:
    found = model_search.search(["swinir", "photo"])
    assert found and all("swinir" in (hit.name + hit.architecture).lower() for hit in found)
    assert model_search.search(["swinir", "no-such-word"]) == []
    assert all(hit.scale == 2 for hit in model_search.search([], scale=2))


def test_a_name_comes_before_a_mention() -> None:
    assert model_search.search(["lama"])[0].name == "lama"
    names = [hit.name for hit in model_search.search(["nomos"])]
    assert len(names) == len(set(names)), "a model with two files is one model"


def test_the_architectures_that_are_our_own_are() -> None:
    from imgfix.zoo.architectures import ARCHITECTURES

    assert set(community_index.OWN.values()) <= set(ARCHITECTURES)


def test_a_model_of_the_index_is_pulled_by_its_name_and_run(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    torch.save({"params": tiny_net().state_dict()}, stream)
    data = stream.getvalue()
    with serve() as server:
        monkeypatch.setenv("IMGFIX_MIRROR", server.url)
        row = community_index.Row(
            "2x-Tiny", "compact", 2, "MIT", "x", len(data), digest(data), "a", "https://a.b/t.pth"
        )
        monkeypatch.setattr(community_index, "rows", lambda: (row,))
        server.files["/a.b/t.pth"] = data
        model = zoo.load("2x-tiny", task="upscale")
        assert (model.descriptor.name, model.descriptor.licence) == ("2x-Tiny", "MIT")
        zoo.load("2x-Tiny", task="upscale", offline=True)
        assert model_search.search(["tiny"])[0].installed


def test_a_restorer_of_the_index_is_for_what_it_is_asked_for() -> None:
    entry = next(catalog.find(name) for name in community_index.names() if name.startswith("1x-"))
    assert (entry.task, tuple(entry.handles)) == ("restore", ANY_DAMAGE)


OFFICIAL: dict[str, Any] = {
    "4x-Good": {
        "name": "Good", "author": ["a", "b"], "license": "MIT", "tags": ["photo"], "scale": 4, "architecture": "span",
        "resources": [
            {"type": "pth", "size": 9, "sha256": "a" * 64, "urls": ["https://drive.example/x", "https://github.com/a/x.pth"]}
        ],
    },
    "4x-Closed": {
        "author": "c", "license": "CC-BY-NC-4.0", "scale": 4, "architecture": "span",
        "resources": [{"size": 9, "sha256": "b" * 64, "urls": ["https://github.com/a/y.pth"]}],
    },
    "4x-Elsewhere": {
        "author": "c", "license": "MIT", "scale": 4, "architecture": "span",
        "resources": [{"size": 9, "sha256": "c" * 64, "urls": ["https://drive.example/z"]}],
    },
}  # fmt: skip


def test_a_refresh_keeps_what_is_permissive_and_has_a_hash(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as server:
        monkeypatch.setenv("IMGFIX_MIRROR", server.url)
        server.files["/openmodeldb.info/api/v1/models.json"] = json.dumps(OFFICIAL).encode()
        assert community_index.refresh("2026-12-01") == 1
        assert [(row.name, row.author, row.url) for row in community_index.rows()] == [
            ("4x-Good", "a, b", "https://github.com/a/x.pth")
        ]
        server.files["/openmodeldb.info/api/v1/models.json"] = b"[1, 2]"
        with pytest.raises(DownloadError):
            community_index.refresh("2026-12-02")
    assert community_index.names() == ["4x-Good"], "the last good list stays"
    community_index.refreshed_path().unlink()
