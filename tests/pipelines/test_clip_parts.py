"""A clip made in parts, by as many makers as there are parts, in any order: the bytes of the clip made by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgfix.errors import OutputError
from imgfix.media.video import parts, segments
from imgfix.media.video.encoding import EncoderOptions
from imgfix.media.video.pacing import Pacing
from imgfix.media.video.reader import TimeRange
from imgfix.media.video.segments import Journal
from imgfix.pipelines.moving.clip import Clip, Settings
from imgfix.pipelines.moving.parts import Dividing, Opening, OtherFramesError, Part, Seen, divided
from imgfix.tasks import steady, video_upscale
from imgfix.tasks.chain import Chain
from imgfix.tasks.deflicker import Deflicker
from imgfix.tasks.interpolate import ByFlow
from imgfix.tasks.sequence import Division, Restart
from imgfix.tasks.steady import Steady
from tests.media.clips import Recipe, Sound, make
from tests.tasks.doubling import Doubling, Remembering
from tests.tasks.test_video_upscale import moving, sequence_for

SCENES = (19, 3, 12, 21, 4, 4, 14)
"""Frames of each scene; no segment begins behind the short ones."""
JOB = {"model": "a model"}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments are short, so that a short clip has many."""
    monkeypatch.setattr(segments, "LENGTH", 6)
    monkeypatch.setattr(segments, "SHORTEST", 5)
    for module, name, value in ((steady, "RESTART_EVERY", 4), (video_upscale, "RESTART_EVERY", 4),
                                (video_upscale, "CORE", 4), (video_upscale, "AROUND", 2)):  # fmt: skip
        monkeypatch.setattr(module, name, value)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [frame for seed, count in enumerate(SCENES) for frame in moving(count, 10 * seed, 32, 48)]
    recipe = Recipe(
        times=[number / 25 for number in range(len(pictures))],
        pictures=pictures,
        options={"g": "12", "bf": "2", "sc_threshold": "0"},
        sounds=(Sound(seconds=3.0),),
        chapters=((0.0, 2.0, "one"), (2.0, 3.0, "two")),
        tags={"title": "A clip"},
    )
    return make(tmp_path_factory.mktemp("clip") / "clip.mkv", recipe)


TASKS: dict[str, Callable[[], Any]] = {
    "each frame alone": Doubling,
    "steadied": lambda: Steady(Doubling()),
    "recurrent": lambda: sequence_for("videogate"),
    "in windows": lambda: sequence_for("basicvsr"),
    "flicker evened out, then steadied": lambda: Chain(Deflicker(), Steady(Doubling())),
    "doubled, then recurrent": lambda: Chain(Doubling(), sequence_for("videogate")),
}


def alone(source: Path, target: Path, task: Any, settings: Settings, between: Any = None) -> bytes:
    Clip(source, target, settings).run(task, JOB, {"comment": "made by a test"}, between=between)
    return target.read_bytes()


def planned(opening: Opening) -> tuple[list[Part], Seen]:
    dividing = Dividing(opening, 1000)
    dividing._thread.join(60)
    found = []
    while (part := dividing.next()) is not None:
        found.append(part)
    assert not dividing.failed
    return found, dividing.seen


def together(
    source: Path, target: Path, task: Callable[[], Any], settings: Settings, between: Any = None, least: int = 2
) -> bytes:
    opening = Clip(source, target, settings).open(task(), JOB, between)
    assert opening is not None
    found, seen = planned(opening)
    assert len(found) >= least
    for part in reversed(found):
        assert Clip(source, target, settings).make(task(), part, between)
    clip = Clip(source, target, settings, seen)
    journal = Journal.read(target)
    assert journal is not None and not journal.frames
    clip.run(NoMore(task()), JOB, {"comment": "made by a test"}, between=between)
    assert not segments.folder_of(target).exists()
    return target.read_bytes()


class NoMore(Doubling):
    """Stands for a task of which nothing is left to be made."""

    def __init__(self, task: Any) -> None:
        self.task = task

    def size(self, width: int, height: int) -> tuple[int, int]:
        return self.task.size(width, height)

    def run(self, *_: Any) -> Any:
        raise AssertionError("a frame was made twice")


@pytest.mark.parametrize("name", TASKS)
def test_the_file_is_the_same_byte_for_byte(name: str, source: Path, tmp_path: Path) -> None:
    settings = Settings()
    one = alone(source, tmp_path / "one.mp4", TASKS[name](), settings)
    assert together(source, tmp_path / "two.mp4", TASKS[name], settings) == one


@pytest.mark.parametrize("name", ["each frame alone", "steadied"])
def test_frames_between_frames_are_the_same_too(name: str, source: Path, tmp_path: Path) -> None:
    settings = Settings(pacing=Pacing(2))
    one = alone(source, tmp_path / "one.mp4", TASKS[name](), settings, ByFlow())
    assert together(source, tmp_path / "two.mp4", TASKS[name], settings, ByFlow()) == one


@pytest.mark.parametrize(
    "settings", [Settings(TimeRange(0.5, 2.5)), Settings(TimeRange(rate=Fraction(20)), EncoderOptions("ffv1"))]
)
def test_a_cutting_of_the_clip_and_another_rate_too(settings: Settings, source: Path, tmp_path: Path) -> None:
    one = alone(source, tmp_path / "one.mkv", Steady(Doubling()), settings)
    assert together(source, tmp_path / "two.mkv", lambda: Steady(Doubling()), settings) == one


def test_what_was_not_foreseen_is_made_by_one(source: Path, tmp_path: Path) -> None:
    """Whoever makes a part finds no scene cuts in what it made, so that parts behind it would not begin like this."""
    one = alone(source, tmp_path / "one.mp4", Unmoved(), Settings())
    target = tmp_path / "two.mp4"
    opening = Clip(source, target, Settings()).open(Unmoved(), JOB)
    assert opening is not None
    found, seen = planned(opening)
    fits = [Clip(source, target, Settings()).make(Unmoved(), part) for part in found]
    assert not any(fits[:-1])
    Clip(source, target, Settings(), seen).run(Unmoved(), JOB, {"comment": "made by a test"})
    assert target.read_bytes() == one


class Unmoved(Doubling):
    """Says that it looks for cuts and finds none."""

    def division(self, width: int, height: int) -> Division:
        return Division(sure=False)

    def run(self, frames: Any, restart: Restart | None = None) -> Any:
        return (replace(made, scene=frozenset((False,))) for made in super().run(frames, restart))


def test_a_part_whose_maker_was_lost_is_gone_on_with(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "two.mp4"
    opening = Clip(source, target, Settings()).open(Doubling(), JOB)
    assert opening is not None
    found = list(divided(opening, opening.reader(), least=1000))
    with pytest.raises(ZeroDivisionError):
        Clip(source, target, Settings()).make(Failing(at=20), found[0])
    again = Failing(at=-1)
    assert Clip(source, target, Settings()).make(again, found[0])
    assert again.first == 18  # three segments of six frames are kept
    Clip(source, target, Settings(), Seen()).run(NoMore(Doubling()), JOB, {"comment": "made by a test"})
    assert target.read_bytes() == alone(source, tmp_path / "one.mp4", Doubling(), Settings())


class Failing(Doubling):
    """Breaks off at a frame."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.first = at, -1

    def run(self, frames: Any, restart: Restart | None = None) -> Any:
        self.first = restart.index if restart is not None else 0
        for number, made in enumerate(super().run(frames, restart), start=self.first):
            if number == self.at:
                raise ZeroDivisionError
            yield made


def test_finished_parts_count_as_frames_of_an_interrupted_run(source: Path, tmp_path: Path) -> None:
    """The second and the third part are finished, the first one is not."""
    target = tmp_path / "two.mp4"
    opening = Clip(source, target, Settings()).open(Doubling(), JOB)
    assert opening is not None
    found, _ = planned(opening)
    for part in found[1:3]:
        assert Clip(source, target, Settings()).make(Doubling(), part)
    with pytest.raises(OutputError, match="holds 12 finished frames"):
        alone(source, target, Doubling(), Settings())
    kept = Clip(source, target, Settings(resume=True)).open(Doubling(), JOB)
    assert kept is not None and parts.is_made(target, 6, {"of": Journal.read(target).job, "part": told(found[1])})  # type: ignore[union-attr]
    one = alone(source, tmp_path / "one.mp4", Doubling(), Settings())
    assert alone(source, target, Doubling(), Settings(resume=True)) == one


def told(part: Part) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(part).items()}


def test_what_remembers_everything_is_not_divided(source: Path, tmp_path: Path) -> None:
    assert Clip(source, tmp_path / "two.mp4", Settings()).open(Remembering(), JOB) is None
    rate = Settings(pacing=Pacing(rate=Fraction(60)))
    assert Clip(source, tmp_path / "two.mp4", rate).open(Doubling(), JOB, ByFlow()) is None
    assert not segments.folder_of(tmp_path / "two.mp4").exists()


def test_pixels_found_by_the_index_are_compared_with_those_counted_from_the_beginning(source: Path) -> None:
    opening = Opening(source, TimeRange(), False, "off", Division(fresh=1, scenes=False), 1, 0, 0, 0, ())
    part = list(divided(opening, opening.reader(), least=20))[2]
    counted = [frame.pixels for frame in opening.reader().frames(part.first)]
    assert part.near is not None
    for near in (part.near, part.near + 1, 0.0):  # the right place, one behind it, the beginning
        given = [frame.pixels for frame in replace(part, near=near).fed(opening.reader(), part.first)]
        assert np.array_equal(np.stack(given), np.stack(counted))
    with pytest.raises(OtherFramesError):
        list(replace(part, sums=(*part.sums[:3], 0)).fed(opening.reader(), part.first))
