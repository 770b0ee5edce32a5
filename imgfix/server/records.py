"""From what a request says to the records that pipelines take, for the server and for the tools alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import UsageError
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.models import Listener
from imgfix.pipelines.options import ClipOptions, Machine, Reading, Saving
from imgfix.pipelines.recipes import Recipe, RecipeStep
from imgfix.pipelines.result import Progress
from imgfix.server import fields
from imgfix.server.fields import Verb
from imgfix.server.heard import Heard

if TYPE_CHECKING:
    from imgfix.pipelines.evaluate import Comparison
    from imgfix.pipelines.generate import GeneratePipeline

MOST_DRAWN = 64
"""Pictures that one request may have drawn."""
MOST_FRAMES = 1200
"""Frames of a film that one request may have drawn."""


@dataclass(frozen=True)
class Meaning:
    """What a request means by what it calls a file."""

    place: Callable[[Any], Path]
    """The file's path. Raises Refused or ImgfixError: there is no such file, or it may not be used."""
    behind: Callable[[Any], str]
    """What a cut-out is laid on: `blur`, a colour, or the path of a picture."""


@dataclass(frozen=True)
class Asked:
    """What is asked for, as the pipelines take it."""

    request: Any
    saving: Saving
    clips: ClipOptions
    machine: Machine


def asked(verb: Verb, given: Mapping[str, Any], meaning: Meaning, device: str) -> Asked:
    """The records of a request; its files become paths here and nowhere else. Raises Refused, ImgfixError.

    given: as `fields.read` gives it.
    """
    values = _with_places(verb, given, meaning)
    if "steps" in values:
        values["steps"] = Recipe(tuple(_step(step, meaning) for step in values["steps"]))
    elif verb.name == "run":
        raise UsageError("there are no `steps`", hint='give [{"verb": "restore"}, {"verb": "upscale"}]')
    assert verb.request is not None
    return Asked(
        verb.request(**fields.settings_of(verb, values, verb.request)),
        Saving(**fields.settings_of(verb, values, Saving)),
        ClipOptions(**fields.settings_of(verb, values, ClipOptions)) if verb.moves else ClipOptions(),
        Machine(**fields.settings_of(verb, values, Machine), device=device, offline=True),
    )


def _with_places(spec: Verb, given: Mapping[str, Any], meaning: Meaning) -> dict[str, Any]:
    values = dict(given)
    for one in spec.fields:
        if one.kind == "file" and one.name in values:
            values[one.name] = meaning.place(values[one.name])
        elif one.kind == "file or text" and one.name in values:
            values[one.name] = meaning.behind(values[one.name])
    return values


def _step(given: Mapping[str, Any], meaning: Meaning) -> RecipeStep:
    """A step of a recipe."""
    spec = fields.STEPS[given["verb"]]
    values = _with_places(spec, {name: value for name, value in given.items() if name != "verb"}, meaning)
    assert spec.request is not None
    return RecipeStep(
        spec.name, fields.settings_of(spec, values, spec.request), fields.settings_of(spec, values, Machine)
    )


def drawing(
    wanted: Asked, output: str | None, overwrite: bool, listener: Listener | None = None, loaded: Loaded | None = None
) -> GeneratePipeline:
    """The pipeline that draws, to a file or a folder.

    Raises UsageError: it makes no sense, or is more than one request may ask for; ModelError.
    """
    from imgfix.pipelines.generate import GeneratePipeline, how_many

    request = wanted.request
    if request.frames > MOST_FRAMES:
        raise UsageError("`frames` are too many", hint=f"{MOST_FRAMES} at most")
    if request.interpolate is not None and len(request.interpolate) != 2:
        raise UsageError("`interpolate` takes two prompts", hint="give two")
    if how_many(request) > MOST_DRAWN:
        raise UsageError("prompts, `count` and `seeds` ask for too many pictures", hint=f"{MOST_DRAWN} at most")
    saving = replace(wanted.saving, output=output, overwrite=overwrite)
    return GeneratePipeline(request, saving, wanted.machine, listener, loaded)


def comparison(
    given: Mapping[str, Any], source: Path, meaning: Meaning, reading: Reading, listener: Listener | None = None
) -> Comparison:
    """What `evaluate` measures. Raises Refused, UsageError."""
    from imgfix.pipelines.evaluate import Comparison

    against = str(meaning.place(given["against"])) if "against" in given else None
    protocol, metrics, crop = given.get("protocol"), given.get("metric", ()), bool(given.get("crop", False))
    return Comparison([str(source)], against, protocol, metrics, crop, reading, listener)


def measured(found: Comparison, called: Callable[[Path], str], listener: Heard, progress: Progress) -> dict[str, Any]:
    """The numbers of a comparison as JSON: the means, and of several files those of each.

    called: what the caller calls a file. Raises InputError, UsageError.
    """
    start = time.monotonic()
    each = []
    if found.measures_files:
        for result, reference in found.pairs:
            one = found.measure(result, reference, progress)
            each.append(one)
            listener.heard += [text.replace(result.name, called(result)) for text in one.notes]
    values = found.summary(each, found.measure_sets(progress))
    facts: dict[str, Any] = {"values": _finite(values, listener)}
    if len(each) == 1:
        facts |= {"size": list(each[0].size), "frames": each[0].frames}
    elif each:
        silent = Heard()
        facts["files"] = [
            {"input": called(result), "size": list(one.size), "values": _finite(one.values, silent)}
            for (result, _), one in zip(found.pairs, each, strict=True)
        ]
    return facts | {
        "protocol": found.protocol.name, "notes": listener.heard, "seconds": round(time.monotonic() - start, 3),
    }  # fmt: skip


def _finite(values: Mapping[str, float], listener: Heard) -> dict[str, float | None]:
    endless = [name for name, value in values.items() if not math.isfinite(value)]
    listener.heard += [f"{name} is infinite: there is no difference" for name in endless]
    return {name: None if name in endless else value for name, value in values.items()}
