"""A server that is killed in the middle of a clip goes on with it when it starts again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media import clips
from tests.server.serving import Process

FRAMES = 200


def film(path: Path) -> Path:
    """A clip of many frames with something to fill."""
    rows, columns = np.mgrid[:120, :160]
    pictures = [np.stack([rows + n, columns, rows + columns], -1).astype(np.uint8) for n in range(FRAMES)]
    times = tuple(number / 25 for number in range(FRAMES))
    clips.make(path, clips.Recipe(times=times, size=(160, 120), pictures=pictures, sounds=[clips.Sound(seconds=8.0)]))
    return path


def sent(server: Process, path: Path) -> str:
    """Send the clip and begin to fill it; the job."""
    with path.open("rb") as stream:
        row = server.client.post("/v1/uploads", files={"file": ("film.mp4", stream)}).json()
    assert (row["kind"], row["frames"]) == ("video", FRAMES)
    values = {"input": row["id"], "box": [[20, 20, 30, 30]], "model": "telea"}
    answer = server.client.post("/v1/inpaint", json=values)
    assert answer.status_code == 202
    return str(answer.json()["id"])


def ended(server: Process, job: str) -> Any:
    """The job when it has ended."""
    end = time.monotonic() + 240
    while (found := server.client.get(f"/v1/jobs/{job}").json())["status"] in ("queued", "running"):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def half_done(server: Process, job: str) -> bool:
    """Wait until a part of the job is done; whether enough of it is left."""
    end = time.monotonic() + 240
    while (found := server.client.get(f"/v1/jobs/{job}").json())["progress"]["done"] < 75:
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found["progress"]["done"] < 150


@pytest.mark.slow
def test_a_clip_goes_on_where_its_journal_says_after_a_kill(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    server = Process(tmp_path / "state", "--device", "cpu", log=tmp_path / "log1")
    for _ in range(5):  # a machine that is busy elsewhere may look away until a job has ended
        job = sent(server, path)
        if half_done(server, job):
            break
    server.kill()
    again = Process(tmp_path / "state", "--device", "cpu", log=tmp_path / "log2")
    try:
        found = ended(again, job)
        assert found["status"] == "done", found
        assert 60 <= found["result"]["resumed"] < FRAMES and found["result"]["frames"] == FRAMES
        made = again.client.get(f"/v1/files/{found['output']['id']}").content
        whole = ended(again, sent(again, path))
        assert whole["result"].get("resumed", 0) == 0
        assert again.client.get(f"/v1/files/{whole['output']['id']}").content == made
        assert not list((tmp_path / "state" / "work").iterdir())
    finally:
        assert again.end() in (0, 143, -15)
