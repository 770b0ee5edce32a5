"""What a pipeline says of its work: a `Plan` before it, a `Result` after it, and `Progress` meanwhile.

They hold values, not sentences for a screen: a command line makes a line or JSON of them (`imgfix.cli.report`), a page
something else. What is None was not asked, is not known or does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgfix.media.picture import Picture


Progress = Callable[[int, int], None]
"""Told how far the work on one file is, as (done, total): tiles, holes, frames, pictures or bytes; total is 0 while it
is not known."""


def unseen(done: int, total: int) -> None:
    """Progress that nobody looks at."""


class Notes:
    """What a user should know although the work went well: one sentence each, in order, none twice.

    Fields are named as in errors: "`quality` is for pictures".
    """

    def __init__(self, *groups: Iterable[str]) -> None:
        self._said: dict[str, None] = {}
        for group in groups:
            self.add(*group)

    def add(self, *sentences: str) -> None:
        """Say something more."""
        self._said.update(dict.fromkeys(sentences))

    def __iter__(self) -> Iterator[str]:
        return iter(self._said)

    def __len__(self) -> int:
        return len(self._said)


@dataclass(frozen=True)
class FileFacts:
    """A file that is read or written."""

    width: int
    height: int
    format: str | None = None
    """Of a picture its format, of a clip its container."""
    bytes: int | None = None
    codec: str | None = None
    encoder: str | None = None
    pixels: str | None = None
    """FFmpeg's name of the pixel format."""
    rate: float | None = None
    """Frames per second."""
    duration: float | None = None
    """Seconds."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


@dataclass(frozen=True)
class Runner:
    """What did the work, and where."""

    model: str
    device: str | None = None
    precision: str | None = None
    engine: str | None = None


@dataclass(frozen=True)
class StepFacts:
    """One run of a network in a restoration."""

    undoes: tuple[str, ...]
    model: str
    level: float | None
    device: str
    precision: str
    engine: str


@dataclass(frozen=True)
class FaceFacts:
    """A face in a picture."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""
    score: float
    """How sure it is to be one, 0 to 1."""
    left: str | None
    """Why it is left as it is; None: it is restored."""


@dataclass(frozen=True)
class RestoreFacts:
    """What was found in a picture or a clip, and what is done about it."""

    steps: tuple[StepFacts, ...] = ()
    looked: bool = False
    """Whether noise and JPEG were looked for; else the next two say nothing."""
    noise: float = 0.0
    """Standard deviation, of 255."""
    jpeg: int | None = None
    """Quality; None: it was no JPEG."""
    faces: tuple[FaceFacts, ...] | None = None
    """Those of a picture; None: they were not looked for."""


@dataclass(frozen=True)
class StreamFacts:
    """A stream of a clip besides its pictures."""

    kind: str
    codec: str
    language: str | None
    way: str
    """How it goes into the result: copied, or encoded anew."""


@dataclass(frozen=True)
class ClipFacts:
    """What goes with the pictures of a video file."""

    streams: tuple[StreamFacts, ...] = ()
    chapters: int = 0
    dropped: tuple[str, ...] = ()
    words: str = ""
    """How the pictures are encoded and what goes with them: `libx264 yuv420p with sound`."""


@dataclass(frozen=True)
class DrawnFacts:
    """What a picture was drawn from."""

    prompt: str | None
    label: str | None
    seed: int
    caption: str | None = None
    """Of the remembered picture that it was drawn after."""
    undrawn: tuple[str, ...] = ()
    """Words of the prompt that this caption does not say."""
    unknown: tuple[str, ...] = ()
    """Words of the prompt that the model does not know, taken by their letters."""
    meant: dict[str, str] = field(default_factory=dict)
    """Words of the prompt that were taken for known ones of a near spelling."""
    recoloured: str | None = None
    """The colour, where it comes from recolouring."""
    copies: int | None = None
    """How many drawings were put together, where the number comes from that."""

    @property
    def values(self) -> dict[str, Any]:
        """For programs: prompt, class and seed always, the rest where there is something to say."""
        found: dict[str, Any] = {"prompt": self.prompt, "class": self.label, "seed": self.seed, "caption": self.caption}
        more: dict[str, Any] = {"undrawn": list(self.undrawn), "unknown": list(self.unknown), "meant": self.meant}
        more |= {"recoloured": self.recoloured, "copies": self.copies}
        return found | {name: value for name, value in more.items() if value}

    @property
    def phrases(self) -> tuple[str, ...]:
        """What became of the prompt, in short phrases."""
        found = [f"as '{self.caption}'"] if self.caption else []
        found += [f"{self.recoloured} by recolouring"] if self.recoloured else []
        found += [f"{self.copies} drawings put together"] if self.copies else []
        return (*found, *([f"not drawn: {', '.join(self.undrawn)}"] if self.undrawn else []))


@dataclass(frozen=True)
class Facts:
    """What can be said of one item before its work and after it."""

    input: FileFacts | None = None
    output: FileFacts | None = None
    runner: Runner | None = None
    summary: tuple[str, ...] = ()
    """What is done, in short phrases."""
    content: str | None = None
    """What a picture shows, where that decided on the model."""
    coverage: float | None = None
    """Share of the picture that a mask covers, 0 to 1."""
    restored: RestoreFacts | None = None
    drawn: DrawnFacts | None = None
    things: tuple[Any, ...] = ()
    """What was found and chosen in a picture, each an `imgfix.tasks.select.choose.Thing`."""
    frames: int | None = None
    clip: ClipFacts | None = None
    copied: bool = False
    """Nothing is left to do, so that the file is copied as it is."""
    notes: tuple[str, ...] = ()
    steps: tuple[tuple[str, Facts], ...] = ()
    """Of a recipe: verb and facts of each step."""

    @property
    def moves(self) -> bool:
        """Whether it is of many frames."""
        return self.frames is not None


@dataclass(frozen=True)
class Plan(Facts):
    """What the work on one item would take; `seconds` and `memory_bytes` are estimates."""

    seconds: float | None = None
    memory_bytes: int | None = None
    tiles: int | None = None
    tile: tuple[int, int] | None = None
    """Width and height of the tiles of the first pass."""
    windows: int | None = None
    """Windows around holes."""


@dataclass(frozen=True)
class Result(Facts):
    """What became of one item."""

    seconds: float | None = None
    resumed: int | None = None
    """Frames of an earlier, interrupted run among `frames`."""
    filler: str | None = None
    """What scratches were filled by."""
    picture: Picture | None = None
    """The result itself, where it was asked for."""
    variants: tuple[str, ...] = ()
    """The files of several results to choose from, the best first."""
    pictures: tuple[Picture, ...] = ()
    """These results themselves, where they were asked for."""
    quality: int | None = None
    """At which a lossy format has to be written to keep what was won; None: the file's own will do."""
    record: Mapping[str, Any] | None = None
    """How it was made, as its file says."""

    @property
    def fps(self) -> float | None:
        """Frames per second of this run."""
        if self.frames is None or self.seconds is None:
            return None
        made = self.frames - (self.resumed or 0)
        return made / self.seconds if self.seconds > 0 else 0.0


def joined(*groups: Sequence[str]) -> tuple[str, ...]:
    """The notes of several stages, each once."""
    return tuple(Notes(*groups))


def values_in(facts: Facts) -> dict[str, Any]:
    """The fields of `Facts` by name, for a `Plan` or a `Result` that says more."""
    return {field.name: getattr(facts, field.name) for field in fields(Facts)}
