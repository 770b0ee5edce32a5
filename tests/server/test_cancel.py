"""Work on a large picture ends at the next tile once it is not wanted: tiles are counted, never seconds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

import anyio

from imgfix.runtime import tiling
from imgfix.server.places import Places
from imgfix.server.tools import Tools, _call
from tests.server.conftest import Site, png

WAIT = 300
"""Seconds for what takes none but on a machine that is busy elsewhere."""
UNTIL = 3
"""The tile during which it is cancelled."""
SIDE = 512
"""Of the picture; its tiles are of 128 pixels."""


class Tiles:
    """Takes the place of the network: counts tiles, and at one of them waits until it has been cancelled."""

    def __init__(self) -> None:
        self.begun = 0
        self.total = 0
        self.reached, self.cancelled = threading.Event(), threading.Event()

    def add(self, work: Any, *tile: Any) -> None:
        """In place of running one; what it would have added stays black."""
        self.begun += 1
        self.total = work.grid.tiles
        if self.begun == UNTIL:
            self.reached.set()
            assert self.cancelled.wait(WAIT)


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiles]:
    made = Tiles()
    monkeypatch.setattr(tiling._Tiles, "add", lambda work, *tile: made.add(work, *tile))
    yield made
    made.cancelled.set()  # a test that failed leaves nobody waiting


VERBS = {
    "upscale": {"tile": "128"},
    "restore": {"denoise": "25", "jpeg": "off", "tile": "128"},
    "run": {"steps": [{"verb": "restore", "denoise": "25", "jpeg": "off", "tile": "128"}, {"verb": "upscale"}]},
}


@pytest.mark.parametrize(("verb", "lasting"), [*((verb, True) for verb in VERBS), ("upscale", False)])
def test_a_large_picture_of_the_server_ends_at_the_next_tile(
    site: Site, tiles: Tiles, verb: str, lasting: bool
) -> None:
    photo = site.upload(png(SIDE, SIDE))["id"]
    answers: list[Any] = []
    asked = {"input": photo, **VERBS[verb], "job": lasting}
    request = threading.Thread(target=lambda: answers.append(site.ask(verb, **asked)))
    request.start()
    assert tiles.reached.wait(WAIT)
    (job,) = site.server.queue._running
    if lasting:
        assert site.client.delete(f"/v1/jobs/{job.id}").status_code == 202
    else:
        site.server.queue.cancel(job.id)  # as where its caller has gone
    tiles.cancelled.set()
    request.join(WAIT)
    if lasting:
        assert site.settled(job.id)["status"] == "cancelled"
    else:
        assert answers[0].status_code == 503
    assert tiles.begun == UNTIL < tiles.total
    store = site.server.store
    assert not list((store.folder / "work").iterdir()) and store.held()[0] == 1  # nothing but what was sent
    assert site.ask("upscale", input=photo, model="bicubic", scale=2).json()["status"] == "done"


@pytest.mark.parametrize("verb", ["upscale", "run"])
def test_a_large_picture_of_a_tool_ends_at_the_next_tile(tmp_path: Path, tiles: Tiles, verb: str) -> None:
    (tmp_path / "a.png").write_bytes(png(SIDE, SIDE))
    tools = Tools(Places((tmp_path,)), "cpu")

    async def told(done: float, total: float | None) -> None:
        """Progress that nobody reads."""

    async def called() -> None:
        with anyio.fail_after(2 * WAIT):
            async with anyio.create_task_group() as group:
                group.start_soon(_call, tools, told, verb, {"input": "a.png", **VERBS[verb]})
                await anyio.to_thread.run_sync(tiles.reached.wait, WAIT)
                group.cancel_scope.cancel()
            tiles.cancelled.set()

    anyio.run(called)
    with tools._busy:  # the work holds it until it has ended
        assert tiles.begun == UNTIL < tiles.total
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
