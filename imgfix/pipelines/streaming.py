"""Folders of very many files: the first is worked on while the others are being found, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import ImgfixError, UsageError

if TYPE_CHECKING:
    from imgfix.media.jobs import FileJob
    from imgfix.media.sources import Source
    from imgfix.media.walk import Walk
    from imgfix.pipelines.pipeline import Pipeline

MANY = 10_000
"""Files in folders up to which everything is found, and every clash, before the first is worked on."""
_CHUNK = 500
"""Files whose targets are settled together."""
_SIDES = ("save_mask", "preview", "sheet")
"""What may be written beside results, by the field that asks for it."""


@dataclass
class JobStream:
    """The jobs of a batch in which folders hold more than `MANY` files: what is named outright first, then folder by
    folder. A clash of two results is an error of the later job.

    Raises UsageError when it is made: what would be wrong for the very first files.
    """

    pipeline: Pipeline[Any]
    walk: Walk
    elsewhere: int = 0
    """Jobs of other shards that came by."""

    def __post_init__(self) -> None:
        from imgfix.media.past import Past

        self.past = Past(self.walk)
        self._chunks = self._found()
        self._first = next(self._chunks, [])
        problem = next((job.error for job in self._first if isinstance(job.error, UsageError)), None)
        if problem is not None:
            raise problem

    def __iter__(self) -> Iterator[FileJob]:
        yield from self._first
        for chunk in self._chunks:
            yield from chunk

    @property
    def passed(self) -> list[str]:
        """What the folders held besides, a phrase for each kind."""
        return self.walk.passed.words

    def _found(self) -> Iterator[list[FileJob]]:
        named = self.walk.named()
        sources = self.walk.sources(named)
        first = [*named.sources, *islice(sources, _CHUNK)]
        while first:
            yield self._jobs(first)
            first = list(islice(sources, _CHUNK))

    def _jobs(self, sources: Sequence[Source]) -> list[FileJob]:
        from imgfix.media.sources import FoundSources

        inputs = [source for source in sources if not self._is_result(source)]
        self.walk.passed.results += len(sources) - len(inputs)
        found = self.pipeline.placed(FoundSources(inputs, several=True, past=self.past))
        mine = [job for job in found if self.pipeline.reading.part.holds(job.source, job.relative)]
        self.elsewhere += len(found) - len(mine)
        return mine

    def _is_result(self, source: Source) -> bool:
        return source.discovered and isinstance(source.path, Path) and self.past.beside.made(source.path)


def stream(pipeline: Pipeline[Any], inputs: Sequence[str | Path], many: int | None = None) -> JobStream | None:
    """The jobs of folders with more files than `many`, else `MANY`; None: they have fewer, or the order of all matters.

    Raises UsageError.
    """
    from imgfix.media.jobs import IMAGE, VIDEO
    from imgfix.media.walk import Walk

    output = pipeline.saving.output
    if pipeline.clips.frames or output == "-" or "@-" in map(str, inputs) or "{n" in str(output or ""):
        return None
    walk = Walk(inputs, recursive=pipeline.reading.recursive, kinds=(IMAGE, VIDEO))
    sides = [getattr(step.request, name, None) for step in pipeline.steps for name in _SIDES]
    if any(side is not None and _is_within(side, walk) for side in sides) or not walk.exceeds(
        MANY if many is None else many
    ):
        return None  # what is written beside results could be taken for an input
    pipeline.alone = False
    return JobStream(pipeline, walk)


def _is_within(folder: Any, walk: Walk) -> bool:
    """Whether what is written there lies in a folder that is listed."""
    place = Path(os.path.realpath(folder))
    if not place.is_dir() and not str(folder).endswith(("/", os.sep)):
        return True  # a file, of which all inputs have to be told
    roots = {Path(os.path.realpath(root.folder)) for root in walk.roots}
    return not roots.isdisjoint((place, *place.parents))


def opened(pipeline: Pipeline[Any], jobs: Iterable[FileJob], dry: bool) -> Iterator[tuple[FileJob, str | None]]:
    """Jobs that come one by one, each with its kind, or None where nothing is to be done.

    What a kind of source needs is opened with the first of it; where that fails it is an error of the job, unless it is
    the first of all: then it is raised. dry: as of `Pipeline.prepare`.
    """
    ready = set[str]()
    for job in jobs:
        if job.error is not None or job.skip is not None:
            yield job, None
            continue
        source, target = (place if isinstance(place, Path) else None for place in (job.source, job.target))
        kind = pipeline.kind(source, target)
        if kind not in ready:
            try:
                pipeline.prepare([kind], dry=dry)
            except ImgfixError as error:
                if not ready:  # nothing has been done yet
                    raise
                yield replace(job, error=error), None
                continue
            ready.add(kind)
        yield job, kind
