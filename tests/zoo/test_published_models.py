"""The whole path of every model whose weights are fetched, against a server on this machine that holds random ones.

Each row of the catalog is served as a random state dictionary of its own layout, narrowed so that a test takes a
second: pulled (resumed, from a mirror, refused when its hash is another), converted, loaded, run, run again offline.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix import zoo
from imgfix.errors import DownloadError, ExitCode, ModelError
from imgfix.runtime.engine import Engine
from imgfix.zoo import catalog, fetch, licences, pull, store
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.entry import DownloadSource, Entry, SourceFile
from tests.zoo.helpers import Server, digest, serve

NARROW: dict[str, dict[str, Any]] = {
    "rrdbnet": {"features": 8, "blocks": 1, "growth": 4},
    "srvgg": {"features": 8, "convs": 2},
    "scunet": {"features": 16, "blocks": [1] * 7, "head": 8},
    "drunet": {"widths": [8, 16, 16, 24], "blocks": 1},
    "fbcnn": {"widths": [8, 16, 16, 24], "blocks": 1},
    "nafnet": {"width": 4, "down": [1, 1], "middle": 1, "up": [1, 1]},
    "swinir": {"features": 12, "depths": [2, 2], "heads": [2, 2], "hidden": 24, "wide": 8},
    "lama": {"features": 8, "blocks": 1},
    "realbasicvsr": {"features": 8, "blocks": 1, "cleaning": 1},
    "basicvsr": {"features": 8, "blocks": 1},
}
"""Of the networks that can be made narrower and stay themselves; the others are small enough as they are."""

ROWS = [
    entry for entry in catalog.entries()
    if entry.net in {*NARROW, "siggraph17"} and any(source.format == "torch" for source in entry.sources)
]  # fmt: skip


def narrowed(entry: Entry) -> dict[str, Any]:
    return entry.config | NARROW.get(entry.net, {})


def checkpoint_of(entry: Entry) -> bytes:
    """A checkpoint as its authors would save it."""
    torch.manual_seed(11)
    state = ARCHITECTURES[entry.net].build(narrowed(entry)).state_dict()
    stream = io.BytesIO()
    torch.save({"params_ema": state} if entry.net in ("rrdbnet", "srvgg", "swinir") else state, stream)
    return stream.getvalue()


def served(entry: Entry, server: Server, data: bytes, name: str = "model.pth") -> Entry:
    """The row, with its hyper-parameters narrowed and the server as its only source."""
    server.files[f"/{name}"] = data
    source = DownloadSource("http", f"{server.url}/{name}", "torch", (SourceFile(name, digest(data), len(data)),))
    changed = replace(entry, config=narrowed(entry), sources=(source,), shipped=False, sha256="", bytes=0, parameters=0)
    return changed


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    with serve() as running:
        yield running


def only(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "entries", lambda: [entry])


def run(entry: Entry, offline: bool) -> torch.Tensor:
    """The model's output for a picture (or clip of two frames) of 96 x 96."""
    model = zoo.load(entry.name, task=entry.task, offline=offline)
    torch.manual_seed(0)
    if model.descriptor.frames != 1:
        with torch.inference_mode():
            return model.net(torch.rand(1, 2, 3, 32, 32))
    return Engine(model, "cpu", "fp32").run(torch.rand(1, model.descriptor.in_channels, 96, 96))


@pytest.mark.parametrize(
    "entry", [pytest.param(row, id=row.name, marks=[pytest.mark.slow] * (row.net not in NARROW)) for row in ROWS]
)
def test_a_row_is_pulled_loaded_and_run_and_again_offline(
    entry: Entry, server: Server, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = checkpoint_of(entry)
    entry = served(entry, server, data)
    only(entry, monkeypatch)
    server.cut_after, server.cuts = len(data) // 2, 1
    first = run(entry, offline=False)
    assert [wanted for _, wanted in server.requests] == [None, f"bytes={len(data) // 2}-"], "resumed once"
    side = 32 if entry.task == "video" else 96
    assert first.shape[-2:] == (side * entry.scale, side * entry.scale)
    assert torch.isfinite(first).all()
    server.requests.clear()
    assert torch.equal(run(entry, offline=True), first)
    assert not server.requests
    assert store.verify(entry)


@pytest.mark.parametrize("entry", [row for row in ROWS if row.net in NARROW], ids=lambda entry: entry.name)
def test_a_row_with_another_hash_is_refused_and_a_mirror_asked(
    entry: Entry, server: Server, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = checkpoint_of(entry)
    good = served(entry, server, data)
    server.files["/swapped.pth"] = data[:-1] + bytes([data[-1] ^ 1])
    swapped = replace(good.sources[0], address=f"{server.url}/swapped.pth")
    only(replace(good, sources=(swapped,)), monkeypatch)
    with pytest.raises(DownloadError, match="promised SHA-256") as caught:
        zoo.load(entry.name)
    assert caught.value.exit_code == ExitCode.MODEL
    assert not store.installed(good)
    only(replace(good, sources=(swapped, good.sources[0])), monkeypatch)
    notes: list[str] = []
    assert pull.pull(catalog.find(entry.name), note=notes.append).is_file()
    assert "trying" in notes[0]


def test_a_moved_address_names_every_source_that_was_tried(server: Server, own_home: Path) -> None:
    entry = served(ROWS[0], server, b"gone")
    server.files.clear()
    with pytest.raises(DownloadError, match="404") as caught:
        pull.pull(entry)
    assert caught.value.exit_code == ExitCode.MODEL


def test_a_truncated_file_is_refused(server: Server, own_home: Path) -> None:
    data = checkpoint_of(ROWS[0])
    entry = served(ROWS[0], server, data)
    server.files["/model.pth"] = data[: len(data) // 2]
    with pytest.raises(DownloadError, match="bytes at this address instead of"):
        pull.pull(entry)


def test_a_licence_that_does_not_allow_every_use_has_to_be_accepted(server: Server, own_home: Path) -> None:
    entry = replace(served(ROWS[0], server, checkpoint_of(ROWS[0])), licence="CC-BY-NC-SA-4.0")
    with pytest.raises(ModelError, match=r"CC-BY-NC-SA-4\.0") as caught:
        pull.pull(entry)
    assert caught.value.exit_code == ExitCode.MODEL
    assert "--accept-licence" in (caught.value.hint or "")
    assert not server.requests, "nothing is fetched before"
    assert pull.pull(entry, accept_licence=True).is_file()


@pytest.mark.parametrize(
    ("licence", "asked"),
    [("MIT", False), ("Apache-2.0 AND MIT", False), ("unknown", False), ("CC-BY-NC-4.0", True), ("openrail", True)],
)
def test_licences_are_told_apart(licence: str, asked: bool) -> None:
    assert licences.needs_acceptance(licence) is asked


def test_what_a_model_is_for_is_checked_before_it_is_fetched(
    server: Server, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = served(ROWS[0], server, checkpoint_of(ROWS[0]))
    only(entry, monkeypatch)
    other = "inpaint" if entry.task != "inpaint" else "upscale"
    with pytest.raises(ModelError, match=f"for '{entry.task}', not for '{other}'"):
        zoo.load(entry.name, task=other)
    assert not server.requests


def test_a_community_row_is_built_by_spandrel_after_its_pull(
    server: Server, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.zoo.test_spandrel import upscaler

    upscaler(own_home.parent / "x.pth")
    data = (own_home.parent / "x.pth").read_bytes()
    row = next(entry for entry in catalog.entries() if entry.net == "community")
    entry = replace(served(replace(row, task="upscale"), server, data), licence="MIT")
    only(entry, monkeypatch)
    descriptor = zoo.load(entry.name).descriptor
    assert (descriptor.name, descriptor.net, descriptor.native_size) == (row.name, "spandrel:SAFMN", 512)
