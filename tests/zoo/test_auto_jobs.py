"""Which model `auto` takes for which kind of damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgfix.errors import ModelError
from imgfix.zoo import auto, catalog, store
from imgfix.zoo.entry import DownloadSource, Entry, SourceFile
from tests.zoo.helpers import TINY

KINDS = {"noise", "noise-level", "jpeg", "light", "blur", "rain", "haze", "retouch", "color", "faces", "other"}


def entry(name: str, rank: int = 0, **jobs: int) -> Entry:
    source = DownloadSource("http", f"https://example.org/{name}", "torch", (SourceFile(name, "0" * 64, 1),))
    return Entry(name, "restore", "srvgg", dict(TINY), jobs=jobs, rank=rank, sources=(source,))


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Three restorers; the set holds the names of those on this machine."""
    here: set[str] = set()
    models = [entry("sharp", blur=80), entry("soft", blur=40, noise=60), entry("blind", rank=50)]
    monkeypatch.setattr(catalog, "entries", lambda: models)
    monkeypatch.setattr(store, "installed", lambda one: one.name in here)
    return here


def test_the_best_for_the_job_that_is_here_is_taken_and_a_better_one_named(shelf: set[str]) -> None:
    shelf |= {"soft", "blind"}
    assert auto.resolve("restore", job="blur") == ("soft", "sharp")
    assert auto.resolve("restore", job="noise") == ("soft", None)
    assert auto.resolve("restore", job="jpeg") == ("blind", None)


def test_a_restorer_that_names_no_job_is_for_noise_and_jpeg(shelf: set[str]) -> None:
    shelf |= {"blind"}
    assert auto.resolve("restore", job="noise") == ("blind", "soft")
    with pytest.raises(ModelError, match="no model for 'blur'"):
        auto.resolve("restore", job="blur")


def test_nothing_here_names_what_to_pull(shelf: set[str]) -> None:
    with pytest.raises(ModelError) as caught:
        auto.resolve("restore", job="blur")
    assert caught.value.hint == "imgfix weights pull sharp"


def test_the_catalog_names_known_kinds_of_damage_only() -> None:
    for one in catalog.entries():
        assert set(one.jobs) <= KINDS, one.name
        assert not one.jobs or one.task == "restore"


def test_a_file_of_ones_own_is_for_noise_and_jpeg(tmp_path: Path) -> None:
    from imgfix import zoo
    from imgfix.nets.dncnn import DnCNN

    config = {"channels": 3, "features": 4, "convolutions": 3}
    path = zoo.save(
        tmp_path / "own.safetensors", "dncnn", config, DnCNN(**config).state_dict(), task="restore", licence="CC0-1.0"
    )
    assert zoo.load(path).descriptor.jobs == ("noise", "jpeg")
