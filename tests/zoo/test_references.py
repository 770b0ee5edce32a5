"""Models named by an address: what is demanded, what is pinned, what is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix import zoo
from imgfix.errors import DownloadError, ModelError, UsageError
from imgfix.zoo import catalog, fetch, hub, pull, references
from tests.zoo.helpers import Server, digest, serve, tiny_net


@pytest.fixture
def data() -> bytes:
    stream = io.BytesIO()
    torch.save({"params": tiny_net().state_dict()}, stream)
    return stream.getvalue()


@pytest.fixture
def server(data: bytes, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Stands for the sites too: every address is asked there, under its host and path."""
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    with serve() as running:
        monkeypatch.setenv("IMGFIX_MIRROR", running.url)
        running.files["/models.example/2x-tiny.pth"] = data
        yield running


def hub_answer(*files: tuple[str, bytes], licence: str | None = "mit") -> bytes:
    listed = [
        {"rfilename": name, "size": len(data), "lfs": {"sha256": digest(data), "size": len(data)}}
        for name, data in files
    ]
    card: dict[str, Any] = {"license": licence} if licence else {}
    return json.dumps({"id": "org/repo", "cardData": card, "siblings": [{"rfilename": "README.md"}, *listed]}).encode()


def on_hub(server: Server, *files: tuple[str, bytes], **about: Any) -> None:
    server.files["/huggingface.co/api/models/org/repo?blobs=true"] = hub_answer(*files, **about)
    for name, content in files:
        server.files[f"/huggingface.co/org/repo/resolve/main/{name}"] = content


def test_a_hash_that_is_given_is_demanded(server: Server, data: bytes) -> None:
    address = "https://models.example/2x-tiny.pth"
    with pytest.raises(DownloadError, match="promised SHA-256"):
        zoo.load(f"{address}#sha256={'0' * 64}")
    model = zoo.load(f"{address}#sha256={digest(data)}", task="upscale")
    assert (model.descriptor.net, model.descriptor.scale) == ("srvgg", 2)
    assert references.pins() == {}, "a name with its hash needs no pin"
    zoo.load(address)
    with pytest.raises(DownloadError, match="promised SHA-256"):
        zoo.load(f"{address}#sha256={'1' * 64}")


def test_without_a_hash_the_first_one_is_pinned(server: Server, data: bytes) -> None:
    address = "https://models.example/2x-tiny.pth"
    zoo.load(address)
    assert references.pins()[address].sha256 == digest(data)
    server.requests.clear()
    zoo.load(address, offline=True)
    assert not server.requests
    server.files["/models.example/2x-tiny.pth"] = data + b"changed"
    with pytest.raises(DownloadError):
        pull.pull(catalog.find(address))


def test_a_name_is_kept_apart_from_another_with_the_same_file_name(server: Server) -> None:
    one, other = (catalog.find(f"https://{host}.example/2x-tiny.pth") for host in ("models", "mirror"))
    assert one.name != other.name
    assert one.name.startswith("2x-tiny-")
    assert one.scale == 2, "guessed from the name until the file is there"


def test_a_model_for_another_task_is_refused_once_it_is_known(server: Server) -> None:
    with pytest.raises(ModelError, match="for 'upscale', not for 'inpaint'"):
        zoo.load("https://models.example/2x-tiny.pth", task="inpaint")


def test_the_only_weights_of_a_repository_are_found(server: Server, data: bytes) -> None:
    on_hub(server, ("model.pth", data), ("notes.txt", b"x"))
    assert zoo.load("hf:org/repo", task="upscale").descriptor.licence == "MIT"
    assert references.pins()["hf:org/repo"].sha256 == digest(data)


def test_a_file_of_a_repository_is_named(server: Server, data: bytes) -> None:
    on_hub(server, ("small/2x.pth", data), ("large/4x.pth", b"other"))
    with pytest.raises(ModelError, match=r"2 weights files: small/2x\.pth, large/4x\.pth"):
        zoo.load("hf:org/repo")
    assert zoo.load("hf:org/repo/small/2x.pth").descriptor.scale == 2
    with pytest.raises(ModelError, match="no file small/3x"):
        zoo.load("hf:org/repo/small/3x.pth")


def test_the_licence_of_a_repository_has_to_be_accepted(server: Server, data: bytes) -> None:
    on_hub(server, ("model.pth", data), licence="cc-by-nc-4.0")
    with pytest.raises(ModelError, match="cc-by-nc-4") as caught:
        zoo.load("hf:org/repo")
    assert "imgfix weights pull hf:org/repo --accept-licence" in (caught.value.hint or "")
    pull.pull(catalog.find("hf:org/repo"), accept_licence=True)
    assert zoo.load("hf:org/repo", offline=True).descriptor.licence == "cc-by-nc-4.0"


def test_offline_opens_no_socket(server: Server) -> None:
    for name in ("https://models.example/2x-tiny.pth", "hf:org/repo"):
        with pytest.raises(DownloadError, match="offline"):
            zoo.load(name, offline=True)
    assert not server.requests


@pytest.mark.parametrize(
    "name",
    [
        "https://models.example/readme.txt",
        "https:///x.pth",
        "http://models.example/x.pth",
        "https://models.example/x.pth#sha256=12",
        "https://models.example/x.pth#md5=12",
        "hf:alone",
        "hf:org/../x.pth",
        "hf:org/repo/readme.md",
    ],
)
def test_an_address_that_is_not_complete_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        catalog.find(name)


@pytest.mark.parametrize("answer", [b"[]", b"nonsense", b'{"siblings": 5}', b"{}"])
def test_an_odd_answer_of_the_site_is_a_clear_word(answer: bytes, server: Server) -> None:
    server.files["/huggingface.co/api/models/org/repo?blobs=true"] = answer
    with pytest.raises(ModelError):
        hub.choose("org/repo")
