"""Files of several pages (TIFF): each page is worked on as a picture, and all are written to one file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from imgfix.errors import ImgfixError, InputError
from imgfix.pipelines import pictures
from imgfix.pipelines.pictures import Stream
from imgfix.pipelines.result import Plan, Progress, Result, joined

if TYPE_CHECKING:
    from imgfix.media.picture import Picture


def count(source: Path | bytes | Picture, target: object, format: str | None) -> int:
    """How many pages are to be worked on: more than one where both files can hold pages. Raises InputError."""
    from imgfix.media import image, sources
    from imgfix.media.picture import Picture

    if isinstance(source, Picture) or target is None or (isinstance(source, Path) and sources.is_pipe(source)):
        return 1
    header = pictures.inspect(source, None)
    place = target if isinstance(target, Path) else None
    if header.format != "TIFF" or image.for_target(place, header.format, format).name != "TIFF":
        return 1
    return header.frames


def each(source: Path | bytes) -> Iterator[Stream]:
    """The pages of a file, each as a file of its own. Raises InputError."""
    from imgfix.media import decode, tiff, tiff_pages

    data, name = decode.load(source, source.label if isinstance(source, Stream) else None)
    path = source if isinstance(source, Path) else source.path if isinstance(source, Stream) else None
    for number in range(tiff.pages(data)):
        yield Stream.of(tiff_pages.page(data, number), f"{name}, page {number + 1}", path)


def run(
    work: Callable[[Stream, BinaryIO, Progress, bool], Result],
    source: Path | bytes,
    target: Path | BinaryIO,
    number: int,
    progress: Progress,
    keep: bool,
) -> Result:
    """Work on every page and write them to one TIFF.

    work: of one picture: source, target, progress, keep. number: of pages. keep: the first page is given back.
    Raises what `work` raises, and OutputError.
    """
    from imgfix.media import files, tiff_pages

    results: list[Result] = []
    with tempfile.TemporaryFile(prefix="imgfix-") as whole:
        joiner = tiff_pages.PageJoiner(cast(BinaryIO, whole), number)
        for at, page in enumerate(each(source)):
            with tempfile.TemporaryFile(prefix="imgfix-") as part:
                told = _share(progress, at, number)
                try:
                    results.append(work(page, cast(BinaryIO, part), told, keep and at == 0))
                except ImgfixError as error:
                    if page.label in error.message:
                        raise
                    named = ImgfixError(f"page {at + 1}: {error.message}", hint=error.hint)
                    named.exit_code = error.exit_code
                    raise named from error
                part.seek(0)
                joiner.add(part.read())
        joiner.finish()
        if all(result.copied for result in results) and isinstance(source, Path) and isinstance(target, Path):
            files.copy(source, target)
        else:
            _copy(cast(BinaryIO, whole), target)
    return _together(results, target)


def plan(work: Callable[[Stream], Plan], source: Path | bytes) -> Plan:
    """What the work on all pages would take."""
    plans = [work(page) for page in each(source)]
    first = plans[0]
    return replace(
        first,
        seconds=sum(one.seconds or 0 for one in plans) if first.seconds is not None else None,
        tiles=sum(one.tiles or 0 for one in plans) if first.tiles is not None else None,
        memory_bytes=max(one.memory_bytes or 0 for one in plans) if first.memory_bytes is not None else None,
        summary=(*first.summary, f"{len(plans)} pages"),
    )


def _share(progress: Progress, at: int, number: int) -> Progress:
    return lambda done, total: progress(at * total + done, number * total)


def _copy(whole: BinaryIO, target: Path | BinaryIO) -> None:
    import shutil

    from imgfix.media import files

    whole.seek(0)
    if isinstance(target, Path):
        with files.atomic_stream(target) as stream, files.output_errors(target):
            shutil.copyfileobj(whole, stream, 1 << 20)
    else:
        shutil.copyfileobj(whole, target, 1 << 20)
        target.flush()


def _together(results: list[Result], target: Any) -> Result:
    if not results:
        raise InputError("the file has no page", hint="copy it again")
    first = results[0]
    output = first.output
    if output is not None:
        output = replace(output, bytes=pictures.bytes_written(target))
    return replace(
        first,
        output=output,
        summary=(*first.summary, f"{len(results)} pages"),
        copied=all(result.copied for result in results),
        notes=joined(*(result.notes for result in results)),
        seconds=sum(result.seconds or 0 for result in results),
    )
