"""`--model auto` over several tasks."""

from __future__ import annotations

import pytest

from imgfix.errors import ModelError
from imgfix.zoo import auto, catalog, store
from imgfix.zoo.entry import Entry


def entries(*rows: tuple[str, str, int]) -> list[Entry]:
    return [Entry(name=name, task=task, net="srvgg", rank=rank) for name, task, rank in rows]


def test_the_first_task_that_has_a_model_here_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    known = entries(("clips", "video", 10), ("pictures", "upscale", 90), ("never", "video", 0))
    monkeypatch.setattr(catalog, "entries", lambda: known)
    here = {"clips", "pictures", "never"}
    monkeypatch.setattr(store, "installed", lambda entry: entry.name in here)
    assert auto.resolve(("video", "upscale"))[0] == "clips"
    assert auto.resolve("upscale")[0] == "pictures"
    here.remove("clips")
    assert auto.resolve(("video", "upscale"))[0] == "pictures"
    here.clear()
    with pytest.raises(ModelError, match="no model for 'upscale'"):
        auto.resolve(("video", "upscale"))


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Upscalers of different weight; the set holds the names of those on this machine."""
    known = [
        Entry(name="rich", task="upscale", net="srvgg", rank=80, parameters=16_000_000),
        Entry(name="halved", task="upscale", net="srvgg", rank=79, parameters=16_000_000, config={"unshuffle": 4}),
        Entry(name="quick", task="upscale", net="srvgg", rank=75, parameters=1_000_000),
        Entry(name="weak", task="upscale", net="srvgg", rank=40, parameters=100_000),
        Entry(name="unknown", task="upscale", net="srvgg", rank=78),
    ]
    here = {entry.name for entry in known} - {"unknown"}
    monkeypatch.setattr(catalog, "entries", lambda: known)
    monkeypatch.setattr(store, "installed", lambda entry: entry.name in here)
    return here


def test_without_an_accelerator_a_model_that_is_hardly_worse_and_much_quicker_is_named(shelf: set[str]) -> None:
    assert auto.quicker("rich", "upscale") == ("halved", auto.Slower("rich", 16.0))
    shelf.remove("halved")
    assert auto.quicker("rich", "upscale") == ("quick", auto.Slower("rich", 16.0))
    shelf.remove("quick")
    assert auto.quicker("rich", "upscale") is None  # the weak one is too weak, the unknown one not here
    assert auto.quicker("quick", "upscale") is None
    assert auto.quicker("/some/file.pth", "upscale") is None


def test_time_is_told_by_what_the_body_of_a_network_works_on(shelf: set[str]) -> None:
    assert auto.times_as_long("quick", "rich") == 16
    assert auto.times_as_long("quick", "halved") == 1
    assert auto.times_as_long("quick", "unknown") == 0
