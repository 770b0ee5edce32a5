"""From rows of pixels to a file: atomic, streamed where the format allows, with everything that came along."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from imgfix.errors import ImgfixError, OutputError
from imgfix.media import files, formats
from imgfix.media.fitting import Fitting
from imgfix.media.formats import Format, Sink, WriteRequest
from imgfix.media.metadata_blocks import blocks_for
from imgfix.media.picture import Metadata, Picture
from imgfix.media.pillow_stream import seekable

_BAND = 256


class RowWriter:
    """A picture being written from top to bottom; made by `open_writer`, used in a `with` block.

    On a normal end of the block the file is moved into place; on an exception nothing is left behind.
    notes: what the format could not hold, one sentence each (complete once the writer is open).
    """

    def __init__(
        self,
        target: Path | BinaryIO,
        width: int,
        height: int,
        channels: int,
        dtype: np.dtype,
        alpha: bool,
        metadata: Metadata,
        form: Format,
        quality: int | None,
        record: Mapping[str, object] | None,
    ) -> None:
        self._target = target
        self._name = str(target) if isinstance(target, Path) else "standard output"
        self.width, self.height = width, height
        self.format = form.name
        self._samples, self._dtype = channels + alpha, np.dtype(dtype)
        fitting = Fitting(form, metadata, channels, alpha, self._dtype)
        self._fit = fitting
        self.notes: list[str] = fitting.notes
        self._blocks = blocks_for(
            fitting.metadata, width, height, dict(record) if record else None, self.notes,
            record_in_xmp=form.tags and not form.record_apart,
        )  # fmt: skip
        self._form, self._quality = form, quality
        self._row = 0
        self._stack = contextlib.ExitStack()
        self._sink: Sink | None = None

    def __enter__(self) -> RowWriter:
        with contextlib.ExitStack() as stack:
            if isinstance(self._target, Path):
                stream: BinaryIO = stack.enter_context(files.atomic_stream(self._target))
            else:
                stream = self._target
                if self._form.seeks and not seekable(stream):
                    stream = stack.enter_context(_spooled(stream))
            with files.output_errors(self._name):
                self._sink = self._make_sink(stream)
            self._stack = stack.pop_all()
        return self

    def write(self, rows: np.ndarray) -> None:
        """Take the next rows: (h, W, C) or, with alpha as the last channel, (h, W, C + 1).

        Raises `OutputError` when the disk is full and `ValueError` for rows of another shape or type.
        """
        if self._sink is None:
            raise ValueError("the writer is not open")
        if rows.ndim == 2:
            rows = rows[..., None]
        if rows.shape[1:] != (self.width, self._samples) or rows.dtype != self._dtype:
            wanted = f"(h, {self.width}, {self._samples}) {self._dtype}"
            raise ValueError(f"rows of {rows.shape} {rows.dtype} do not fit {wanted}")
        if self._row + len(rows) > self.height:
            raise ValueError(f"more than {self.height} rows")
        with files.output_errors(self._name):
            for top in range(0, len(rows), _BAND):
                self._sink.write(self._fit(rows[top : top + _BAND]))
        self._row += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sink, self._sink = self._sink, None
        assert sink is not None
        with self._stack:
            if error is not None:
                sink.abort()
                self._stack.__exit__(kind, error, trace)
                return
            try:
                if self._row != self.height:
                    raise ValueError(f"only {self._row} of {self.height} rows were written")
                with files.output_errors(self._name):
                    sink.finish()
            except BaseException as problem:
                sink.abort()
                clear = _clear(problem, self._name, self.format)
                if clear is problem:
                    raise
                raise clear from problem

    def _make_sink(self, stream: BinaryIO) -> Sink:
        fit = self._fit
        assert self._form.sink is not None  # as `for_target` has made sure of
        return self._form.sink(
            WriteRequest(
                stream, self.width, self.height, fit.channels, fit.alpha, fit.bits, self._blocks, self._quality
            )
        )


def open_writer(
    target: Path | BinaryIO,
    *,
    width: int,
    height: int,
    channels: int,
    dtype: Any,
    alpha: bool = False,
    metadata: Metadata | None = None,
    format: str | None = None,
    quality: int | None = None,
    record: Mapping[str, object] | None = None,
) -> RowWriter:
    """Open a picture for writing in bands of rows; PNG and TIFF are streamed, other formats collect the rows once.

    target: a path, or a binary stream (standard output). channels: 1 grey, 3 RGB, 4 CMYK, in the colour space that
    `metadata` describes; dtype uint8 or uint16. format: overrides the target's extension, which overrides the
    metadata's own format. quality: 1-100 for lossy formats; None keeps the quality of a JPEG source of the same format.
    record: how the file was made, stored as JSON (PNG text, XMP elsewhere; GIF and BMP cannot hold it).
    Raises `OutputError` (format too small for the size, folder not writable) and `UsageError` (unknown format).
    """
    metadata = metadata or Metadata()
    path = target if isinstance(target, Path) else None
    form = formats.for_target(path, metadata.format, format)
    formats.check_size(form.name, width, height, path)
    return RowWriter(target, width, height, channels, np.dtype(dtype), alpha, metadata, form, quality, record)


def write(
    target: Path | BinaryIO,
    picture: Picture,
    *,
    format: str | None = None,
    quality: int | None = None,
    record: Mapping[str, object] | None = None,
) -> tuple[str, ...]:
    """Write a whole picture; options and errors as in `open_writer`. Returns the notes on what did not fit."""
    writer = open_writer(
        target,
        width=picture.width,
        height=picture.height,
        channels=picture.channels,
        dtype=picture.pixels.dtype,
        alpha=picture.alpha is not None,
        metadata=picture.metadata,
        format=format,
        quality=quality,
        record=record,
    )
    with writer:
        for top in range(0, picture.height, _BAND):
            rows = picture.pixels[top : top + _BAND]
            if picture.alpha is not None:
                rows = np.concatenate([rows, picture.alpha[top : top + _BAND, :, None]], axis=2)
            writer.write(rows)
    return tuple(writer.notes)


def _clear(problem: BaseException, name: str, form: str) -> BaseException:
    if isinstance(problem, ImgfixError | ValueError) or not isinstance(problem, Exception):
        return problem
    return OutputError(f"{name} cannot be written as {form}: {problem}", hint="try another format, such as PNG")


@contextlib.contextmanager
def _spooled(stream: BinaryIO) -> Any:
    with tempfile.TemporaryFile(prefix="imgfix-") as spool:
        yield spool
        spool.seek(0)
        shutil.copyfileobj(spool, stream, 1 << 20)
