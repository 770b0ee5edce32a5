"""`--model auto` over several tasks."""

from __future__ import annotations

import pytest

from imgfix.errors import ModelError
from imgfix.zoo import auto, catalog, store
from imgfix.zoo.catalog import Entry


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
