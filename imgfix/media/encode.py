"""From rows of pixels to a file: atomic, streamed where the format allows, with everything that came along."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
from PIL import Image

from imgfix.errors import ImgfixError, MissingExtraError, OutputError
from imgfix.media import bmp, colour, exif, files, formats, jpeg, png, tiff, xmp
from imgfix.media.formats import Format
from imgfix.media.picture import Metadata, Picture

DEFAULT_QUALITY = {"JPEG": 95, "WEBP": 90, "AVIF": 85, "HEIF": 90, "JXL": 90}
_BAND = 256
_SEGMENT = 65533  # bytes that one JPEG segment holds


class _Sink(Protocol):
    def write(self, rows: np.ndarray) -> None: ...
    def finish(self) -> None: ...
    def abort(self) -> None: ...


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
        fitting = _Fitting(form, metadata, channels, alpha, self._dtype)
        self._fit = fitting
        self.notes: list[str] = fitting.notes
        self._payload = _Payload(fitting.metadata, width, height, form, dict(record) if record else None, self.notes)
        self._form, self._quality = form, quality
        self._row = 0
        self._stack = contextlib.ExitStack()
        self._sink: _Sink | None = None

    def __enter__(self) -> RowWriter:
        with contextlib.ExitStack() as stack:
            if isinstance(self._target, Path):
                stream: BinaryIO = stack.enter_context(files.atomic_stream(self._target))
            else:
                stream = self._target
                if self.format in ("TIFF", "BMP") and not _seekable(stream):  # they go back to places written before
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

    def _make_sink(self, stream: BinaryIO) -> _Sink:
        fit = self._fit
        if self.format == "PNG":
            return png.PngWriter(
                stream, self.width, self.height, fit.channels + fit.alpha, fit.bits, self._payload.png_chunks()
            )
        if self.format == "BMP":
            return bmp.BmpWriter(stream, self.width, self.height, fit.channels + fit.alpha, fit.metadata.dpi)
        if self.format == "TIFF":
            source = fit.metadata.jpeg
            jpeg_tiff = (
                self._quality or (source.quality if source else 90),
                (source and source.subsampling) or "4:2:0",
            )
            return tiff.TiffWriter(
                stream,
                self.width,
                self.height,
                fit.channels,
                fit.alpha,
                fit.bits,
                fit.metadata.compression or "deflate",
                self._payload.tiff_tags(),
                jpeg_tiff,
            )
        options = self._payload.options(self._form, self._quality)
        return _PillowSink(stream, self.width, self.height, fit.channels, fit.alpha, self._form, options)


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


def _seekable(stream: BinaryIO) -> bool:
    try:
        return stream.seekable()
    except (AttributeError, ValueError):
        return False


@contextlib.contextmanager
def _spooled(stream: BinaryIO) -> Any:
    with tempfile.TemporaryFile(prefix="imgfix-") as spool:
        yield spool
        spool.seek(0)
        shutil.copyfileobj(spool, stream, 1 << 20)


class _Fitting:
    """What must happen to the rows so that the format can hold them, and the metadata that fits the outcome."""

    def __init__(self, form: Format, metadata: Metadata, channels: int, alpha: bool, dtype: np.dtype) -> None:
        self.notes: list[str] = []
        self.channels, self.alpha, self.bits = channels, alpha, 8 * dtype.itemsize
        self.metadata = metadata
        self._steps: list[Callable[[np.ndarray], np.ndarray]] = []
        if colour.profile_channels(metadata.icc) != channels:
            self._drop_profile()
        if alpha and not form.alpha:
            self.alpha = False
            self._steps.append(_flattened_onto_paper if channels == 4 else _flattened_onto_white)
            self.notes.append(f"{form.name} has no transparency: the picture was put on white")
        if channels == 4 and not form.cmyk:
            self._to_srgb(form, "CMYK")
        elif channels == 1 and not form.grey:
            if self.metadata.icc is not None:
                self._to_srgb(form, None)
            else:
                self._steps.append(lambda rows: np.concatenate([rows[..., :1]] * 3 + [rows[..., 1:]], axis=2))
                self.channels = 3
        elif not form.icc and self.metadata.icc is not None:
            if not colour.transform(self.metadata, channels).is_identity:
                self._to_srgb(form, None)
            self._drop_profile()
        if self.bits == 16 and form.bits < 16:
            self._steps.append(_to_8_bits)
            self.bits = 8
            self.notes.append(f"{form.name} is written with 8 bits a channel, not 16")
        if form.name != "PNG" and self.metadata.chunks:
            self.metadata = replace(self.metadata, chunks=())

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        for step in self._steps:
            rows = step(rows)
        return rows

    def _to_srgb(self, form: Format, what: str | None) -> None:
        change, channels = colour.transform(self.metadata, self.channels), self.channels

        def convert(rows: np.ndarray) -> np.ndarray:
            rgb = colour.quantised(change.to_srgb(rows[..., :channels]), rows.dtype)
            return np.concatenate([rgb, rows[..., channels:]], axis=2)

        self._steps.append(convert)
        self.channels = 3
        self._drop_profile()
        if what:
            self.notes.append(f"{form.name} has no {what}: the colours were converted to sRGB")

    def _drop_profile(self) -> None:
        self.metadata = replace(self.metadata, icc=None)


def _to_8_bits(rows: np.ndarray) -> np.ndarray:
    return ((rows.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _flattened_onto_white(rows: np.ndarray) -> np.ndarray:
    return _flattened(rows, np.iinfo(rows.dtype).max)


def _flattened_onto_paper(rows: np.ndarray) -> np.ndarray:
    return _flattened(rows, 0)


def _flattened(rows: np.ndarray, ground: int) -> np.ndarray:
    most = np.iinfo(rows.dtype).max
    alpha = rows[..., -1:].astype(np.float32) / np.float32(most)
    return (rows[..., :-1] * alpha + ground * (1 - alpha) + np.float32(0.5)).astype(rows.dtype)


class _Payload:
    """Everything besides the pixels, ready for each format."""

    def __init__(
        self,
        metadata: Metadata,
        width: int,
        height: int,
        form: Format,
        record: dict[str, object] | None,
        notes: list[str],
    ) -> None:
        self.metadata = metadata
        self.notes = notes
        self.record = record
        self.exif = exif.updated(metadata.exif, width, height) if metadata.exif else None
        packet = xmp.updated(metadata.xmp, width, height, turned=metadata.orientation != 1) if metadata.xmp else None
        if record is not None and form.name != "PNG" and form.tags:
            merged = xmp.with_record(packet, record)
            if merged is None:
                notes.append("the XMP packet cannot be extended, so the record of this run was not stored")
            else:
                packet = merged
        self.xmp = packet

    def png_chunks(self) -> tuple[bytes, ...]:
        """Pack the ancillary chunks in their prescribed order."""
        meta = self.metadata
        out = []
        for kind, body in meta.chunks:
            if not (kind == b"sRGB" and meta.icc):  # the two exclude each other
                out.append(png.chunk(kind, body))
        if meta.icc:
            out.append(png.chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(meta.icc, 9)))
        if meta.dpi:
            x, y = (min(2**31 - 1, round(value / 0.0254)) for value in meta.dpi)
            out.append(png.chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
        if self.exif:
            out.append(png.chunk(b"eXIf", self.exif))
        if self.xmp:
            out.append(png.text_chunk("XML:com.adobe.xmp", self.xmp.decode("utf-8", "replace")))
        out += [png.text_chunk(keyword, text) for keyword, text in meta.text.items()]
        if self.record is not None:
            out.append(png.text_chunk("imgfix", json.dumps(self.record, ensure_ascii=False, sort_keys=True)))
        return tuple(out)

    def tiff_tags(self) -> exif.Folders:
        """Make the directories of a TIFF, without those that describe the pixels."""
        meta = self.metadata
        folders = tiff.descriptive(self.exif)
        taken = {274, 282, 283, 296}
        main = [tag for tag in folders.get("main", []) if tag[0] not in taken]
        x, y = meta.dpi or (72.0, 72.0)
        main += [tiff.short_tag(274, 1), tiff.rational_tag(282, x), tiff.rational_tag(283, y)]
        main.append(tiff.short_tag(296, 2 if meta.dpi else 1))
        if self.xmp:
            main.append(tiff.bytes_tag(700, self.xmp, 1))
        if meta.iptc:
            main.append(tiff.bytes_tag(33723, meta.iptc))
        if meta.icc:
            main.append(tiff.bytes_tag(34675, meta.icc))
        return {**folders, "main": main}

    def options(self, form: Format, quality: int | None) -> dict[str, Any]:
        """Make the options of Pillow's encoders."""
        meta, options = self.metadata, dict[str, Any]()
        if form.tags:
            block = self.exif
            if block is None and meta.dpi and form.name != "JPEG":  # EXIF is the only place for it
                block = exif.of_resolution(meta.dpi)
            if block and form.name == "JPEG":
                block = exif.with_prefix(block)
            elif block and form.name == "AVIF":  # Pillow would take it out itself, and rewrite the block on the way
                block = exif.without_orientation(block)
            options = {"icc_profile": meta.icc, "exif": block, "xmp": self.xmp}
        if form.name == "JPEG":
            self._jpeg_options(options, quality)
        elif form.name == "WEBP":
            if quality is None and meta.format == "WEBP" and meta.lossless:
                # 'exact' keeps the colour under transparent pixels; for lossless files 'quality' is the effort.
                options |= {"lossless": True, "exact": True, "quality": 75}
            else:
                options |= {"quality": quality or DEFAULT_QUALITY["WEBP"], "method": 4, "exact": True}
        elif form.name == "AVIF":
            kept = meta.subsampling if meta.format == "AVIF" else None
            options |= {"quality": quality or DEFAULT_QUALITY["AVIF"], "subsampling": kept or "4:4:4"}
        elif form.name == "HEIF":
            options |= {"quality": quality or DEFAULT_QUALITY["HEIF"]}
        elif form.name == "JXL":
            # The box structure is what holds EXIF and XMP.
            options |= {"quality": quality or DEFAULT_QUALITY["JXL"], "use_container": True}
        elif form.name == "GIF":
            options["comment"] = meta.text.get("Comment")
        return {name: value for name, value in options.items() if value is not None}

    def _jpeg_options(self, options: dict[str, Any], quality: int | None) -> None:
        meta = self.metadata
        source = meta.jpeg if meta.format == "JPEG" else None
        if quality is None and source is not None and source.tables:
            options["qtables"] = [list(table) for table in source.tables]
            options["subsampling"] = source.subsampling
        else:
            chosen = quality or DEFAULT_QUALITY["JPEG"]
            options["quality"] = chosen
            options["subsampling"] = source.subsampling if source else ("4:4:4" if chosen >= 90 else "4:2:0")
        options["progressive"] = True if source is not None and source.progressive else None
        options["dpi"] = tuple(round(value) for value in meta.dpi) if meta.dpi else None
        comment = meta.text.get("Comment", "").encode("utf-8")
        options["comment"] = comment if 0 < len(comment) <= _SEGMENT else None
        options["extra"] = jpeg.iptc_segment(meta.iptc) if meta.iptc else None
        for name, what, room in (("exif", "EXIF block", _SEGMENT), ("xmp", "XMP packet", _SEGMENT - 29)):
            if options[name] is not None and len(options[name]) > room:
                options[name] = None
                self.notes.append(f"the {what} is too long for a JPEG and was left out")


class _PillowSink:
    """Collects the rows in one Pillow image and encodes it at the end."""

    def __init__(
        self,
        stream: BinaryIO,
        width: int,
        height: int,
        channels: int,
        alpha: bool,
        form: Format,
        options: dict[str, Any],
    ) -> None:
        self._stream, self._form, self._options = stream, form, options
        mode = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA", (4, False): "CMYK"}
        self._mode = mode[channels, alpha]
        self._image = Image.new(self._mode, (width, height))
        self._row = 0

    def write(self, rows: np.ndarray) -> None:
        flat = np.ascontiguousarray(rows[..., 0] if rows.shape[2] == 1 else rows)
        band = Image.frombuffer(self._mode, (flat.shape[1], flat.shape[0]), flat, "raw", self._mode, 0, 1)
        self._image.paste(band, (0, self._row))
        self._row += len(rows)

    def finish(self) -> None:
        image = self._image
        if self._form.name == "GIF":
            image, more = _with_palette(image)
            self._options |= more
        _load_extra(self._form)
        image.save(cast(BinaryIO, _Plain(self._stream)), self._form.name, **self._options)

    def abort(self) -> None:
        del self._image


def _with_palette(image: Image.Image) -> tuple[Image.Image, dict[str, Any]]:
    """Reduce to 256 colours, one of them transparent if the picture has transparency (GIF knows no half of it)."""
    if image.mode == "L":
        return image, {}
    if image.mode == "RGB":
        return image.quantize(256, Image.Quantize.MEDIANCUT), {}
    clear = image.getchannel("A").point(lambda value: 255 if value < 128 else 0)
    reduced = image.convert("RGB").quantize(255, Image.Quantize.MEDIANCUT)
    reduced.paste(255, mask=clear)
    return reduced, {"transparency": 255, "optimize": False}


def _load_extra(form: Format) -> None:
    if form.extra is None:
        return
    try:
        if form.name == "HEIF":
            import pillow_heif

            pillow_heif.register_heif_opener()
        else:
            import pillow_jxl  # noqa: F401
    except ImportError:
        raise MissingExtraError(f"writing {form.name}", form.extra) from None


class _Plain(io.RawIOBase):
    """A stream without a file number: Pillow then writes through Python, and a full disk says what it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return _seekable(self._stream)

    def write(self, data: Any) -> int:
        return self._stream.write(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)
