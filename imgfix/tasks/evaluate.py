"""Measuring results against references: files in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from imgfix.errors import InputError, UsageError
from imgfix.media import image
from imgfix.media.jobs import VIDEO_EXTENSIONS
from imgfix.metrics.protocol import Protocol, measure
from imgfix.tasks.evaluate_video import evaluate_clip
from imgfix.tasks.measurement import Measurement, fit, read, read_pair

Progress = Callable[[int, int], None]


def evaluate_file(
    result: Path,
    reference: Path | None,
    protocol: Protocol,
    *,
    crop: bool = False,
    max_pixels: int | None = image.DEFAULT_MAX_PIXELS,
    progress: Progress | None = None,
) -> Measurement:
    """The numbers of one picture or clip. Raises InputError naming the file and what was wrong."""
    if result.suffix.lower() in VIDEO_EXTENSIONS:
        return evaluate_clip(result, reference, protocol, crop=crop, progress=progress)
    second = None
    if reference is None:
        first, notes = read(result, max_pixels)
    else:
        if reference.suffix.lower() in VIDEO_EXTENSIONS:
            raise InputError(f"{result} is a picture, but {reference} is a video", hint="compare like with like")
        first, second, notes = read_pair(result, reference, max_pixels)
        if first.shape[2] != second.shape[2]:
            notes.append("one file is grey, the other RGB: compared as RGB")
        if first.shape[:2] != second.shape[:2] and crop:
            notes.append("cropped to the common size")
        first, second = fit(first, second, (str(result), str(reference)), crop)
    try:
        values = measure(protocol, first, second)
    except ValueError as error:
        raise InputError(f"{result}: {error}", hint="leave that metric out, or the file") from error
    return Measurement(result, reference, values, (first.shape[1], first.shape[0]), notes=tuple(notes))


def evaluate_sets(
    results: Sequence[Path],
    references: Sequence[Path],
    protocol: Protocol,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, float]:
    """FID and KID of two sets of pictures, as far as the protocol asks for them. Raises InputError, UsageError."""
    metrics = protocol.of_kind("set")
    if not metrics:
        return {}
    if min(len(results), len(references)) < 2:
        labels = " and ".join(metric.label for metric in metrics)
        raise UsageError(f"{labels}: sets of at least two pictures are compared", hint="give two folders")
    from imgfix.metrics.table import imported

    total = len(results) + len(references)

    def pictures(paths: Sequence[Path], start: int) -> Iterator[np.ndarray]:
        for number, path in enumerate(paths, start=start + 1):
            yield read(path)[0]
            if progress:
                progress(number, total)

    found = {}
    for name in dict.fromkeys(metric.features for metric in metrics):  # one pass over the files for all that share it
        features = imported(name)
        first = features(pictures(results, 0), device=device)
        second = features(pictures(references, len(results)), device=device)
        found.update({m.name: m.function(first, second) for m in metrics if m.features == name})
    return {metric.name: found[metric.name] for metric in metrics}


def means(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Mean of each number over pictures; one that could not be measured (NaN) is left out."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(name for item in measurements for name in item.values):
        values = [item.values[name] for item in measurements if not math.isnan(item.values.get(name, math.nan))]
        if values:
            found[name] = math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.inf
    return found
