"""Models from and to files of other programs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import OutputError
from imgfix.zoo.entry import Entry

if TYPE_CHECKING:
    from imgfix.pipelines.result import Progress


def import_file(file: Path, name: str | None, *, task: str | None, licence: str | None, overwrite: bool) -> Entry:
    """Keep a checkpoint under a name, without one under that of the file.

    Raises UsageError, OutputError, ModelError, MissingExtraError.
    """
    from imgfix.zoo import importer

    chosen = name or re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._")
    return importer.import_file(file, chosen, task=task, licence=licence, overwrite=overwrite)


@dataclass(frozen=True)
class Exported:
    """A file that was written, run and compared with the network."""

    name: str
    path: Path
    bytes: int
    compared_with: str
    largest_difference: float
    psnr: float | None
    """dB; None: equal."""

    @property
    def values(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "path": str(self.path),
            "bytes": self.bytes,
            "compared_with": self.compared_with,
            "largest_difference": self.largest_difference,
            "psnr": self.psnr,
        }


def check_export(output: Path, overwrite: bool) -> None:
    """Raise OutputError when the file is there and must not be replaced."""
    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists", hint="choose another `output`, or `overwrite`")


def export(name: str, output: Path, *, half: bool, offline: bool, progress: Progress) -> Exported:
    """Write a model as `.onnx`, `.safetensors` or `.pth`, run the file and compare. Raises ImgfixError."""
    from imgfix import zoo
    from imgfix.zoo.export import export as write

    model = zoo.load(name, offline=offline, progress=progress)
    done = write(model, output, half=half)
    psnr = None if done.psnr == float("inf") else round(done.psnr, 1)
    return Exported(model.descriptor.name, output, done.bytes, done.compared_with, done.largest_difference, psnr)
