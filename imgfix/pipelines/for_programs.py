"""What a pipeline says of its work as values for programs, such as JSON of a command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from imgfix.pipelines.result import Facts, FileFacts, Plan, RestoreFacts, Result


def values_of(found: Facts) -> dict[str, Any]:
    """A plan, a result or a step of one by name; what is None is left out."""
    values: dict[str, Any] = {}
    if found.drawn is not None:
        values |= found.drawn.values
    if found.input is not None:
        values["input"] = _file(found.input)
    if found.output is not None:
        values["output"] = _file(found.output)
    if found.content is not None:
        values["content"] = found.content
    if found.coverage is not None:
        values["coverage"] = round(found.coverage, 6)
    if found.runner is not None:
        values |= _without_none(asdict(found.runner))
    if found.restored is not None:
        values |= _restored(found.restored)
    if found.things:
        values["things"] = [thing_values(thing) for thing in found.things]
    if found.frames is not None:
        values["frames"] = found.frames
    if found.clip is not None:
        values |= {
            "streams": [asdict(stream) for stream in found.clip.streams], "chapters": found.clip.chapters,
            "dropped": list(found.clip.dropped),
        }  # fmt: skip
    if found.copied:
        values["copied"] = True
    if found.steps:
        values["run"] = [{"verb": verb, **values_of(facts)} for verb, facts in found.steps]
    if isinstance(found, Plan):
        return values | _without_none(_planned(found))
    return values | _without_none(_done(found)) if isinstance(found, Result) else values


def _planned(plan: Plan) -> dict[str, Any]:
    return {
        "tiles": plan.tiles, "tile": list(plan.tile) if plan.tile else None, "windows": plan.windows,
        "memory_bytes": None if plan.memory_bytes is None else round(plan.memory_bytes),
        "seconds": None if plan.seconds is None else round(plan.seconds, 1),
    }  # fmt: skip


def _done(result: Result) -> dict[str, Any]:
    return {
        "filler": result.filler, "resumed": result.resumed, "variants": list(result.variants) or None,
        "fps": None if result.fps is None else round(result.fps, 3),
        "seconds": None if result.seconds is None else round(result.seconds, 3),
    }  # fmt: skip


def _file(file: FileFacts) -> dict[str, Any]:
    return _without_none(asdict(file))


def _restored(facts: RestoreFacts) -> dict[str, Any]:
    found: dict[str, Any] = {"noise": round(facts.noise, 2), "jpeg": facts.jpeg} if facts.looked else {}
    if facts.faces is not None:
        found["faces"] = [thing_values(face) for face in facts.faces]
    return found | {"steps": [asdict(step) | {"undoes": list(step.undoes)} for step in facts.steps]}


def thing_values(thing: Any) -> dict[str, Any]:
    """What was found in a picture, for programs; the box is left, top, right, bottom in pixels."""
    return _without_none(asdict(thing) | {"box": [round(edge, 1) for edge in thing.box]})


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
