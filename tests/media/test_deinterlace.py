"""Interlaced frames become whole ones, as many as there were, at their times."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from imgfix.media.video.deinterlace import Deinterlacer
from imgfix.media.video.reader import Reader, TimeRange
from tests.media.clips import interlaced, make

COUNT = 10


def combs(pixels: np.ndarray) -> float:
    """How much every line differs from those above and below it."""
    rows = pixels[..., 1].astype(float)
    return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())


@pytest.mark.parametrize("name", ["a.mpg", "a.mkv", "a.mp4"])
def test_combs_go_and_count_and_times_stay(tmp_path: Path, name: str) -> None:
    clip = make(tmp_path / name, interlaced(COUNT, "libx264" if name == "a.mp4" else "mpeg2video"))
    before, after = list(Reader(clip).frames()), list(Reader(clip, deinterlace="auto").frames())
    assert len(before) == len(after) == COUNT
    assert [(f.time, f.duration) for f in before] == [(f.time, f.duration) for f in after]
    for old, new in zip(before, after, strict=True):
        assert combs(old.pixels) > 8
        assert combs(new.pixels) < 3


def test_whole_frames_are_not_touched_unless_it_is_asked_for(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4")
    frames = {mode: [f.pixels for f in Reader(clip, deinterlace=mode).frames()] for mode in ("off", "auto", "on")}
    assert all(np.array_equal(one, two) for one, two in zip(frames["off"], frames["auto"], strict=True))
    assert len(frames["on"]) == 24
    assert not all(np.array_equal(one, two) for one, two in zip(frames["off"], frames["on"], strict=True))
    unmarked = make(tmp_path / "b.mkv", interlaced(COUNT, "ffv1", marked=False))
    assert min(combs(f.pixels) for f in Reader(unmarked, deinterlace="auto").frames()) > 8
    assert max(combs(f.pixels) for f in Reader(unmarked, deinterlace="on").frames()) < 3


def test_only_the_marked_frames_of_a_mixed_clip_change(tmp_path: Path) -> None:
    kinds = (interlaced(COUNT, "ffv1", marked=False), interlaced(COUNT))
    plain, marked = (list(_raw(make(tmp_path / f"{n}.mkv", recipe))) for n, recipe in enumerate(kinds))
    given = [(frame, 7 * n, n + 1) for n, frame in enumerate([*plain[:4], *marked, *plain[4:]])]
    work = Deinterlacer(every=False)
    result = list(work.over(iter(given)))
    assert [each[1:] for each in result] == [each[1:] for each in given]
    assert work.touched == COUNT
    for number, (old, new) in enumerate(zip(given, result, strict=True)):
        same = np.array_equal(old[0].to_ndarray(), new[0].to_ndarray())
        assert same == (not 4 <= number < 4 + COUNT)


def test_work_that_is_taken_up_sees_the_same_frames(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mpg", interlaced(COUNT))
    reader = Reader(clip, deinterlace="auto")
    whole, part = list(reader.frames()), list(reader.frames(skip=4))
    assert len(part) == COUNT - 4
    assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(whole[4:], part, strict=True))
    twice = list(Reader(clip, TimeRange(rate=reader.header.rate * 2), deinterlace="auto").frames())
    assert len(twice) == 2 * COUNT and max(combs(f.pixels) for f in twice) < 3


def _raw(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))
