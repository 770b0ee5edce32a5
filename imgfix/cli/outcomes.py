"""What a pipeline says of an item, as a line for people and as values for programs."""

from __future__ import annotations

from imgfix.cli.report import Outcome, Status
from imgfix.pipelines.for_programs import values_of
from imgfix.pipelines.result import Facts, Plan, Result
from imgfix.pipelines.units import size_in_words, time_in_words


def _step(verb: str, facts: Facts) -> str:
    """One step of a recipe: `restore: found noise 12, noise 12 (ffdnet-color)`."""
    words = [*facts.summary]
    if facts.runner is not None:
        words.append(facts.runner.model)
    if facts.input is not None and facts.output is not None and facts.input.size != facts.output.size:
        words += _size(facts)
    if isinstance(facts, Plan) and facts.seconds is not None:
        words.append(f"about {time_in_words(facts.seconds)}")
    return f"{verb}: {', '.join(words)}"


def outcome(found: Plan | Result) -> Outcome:
    """What a pipeline says of an item, as a line for people and as values for programs."""
    status: Status = "planned" if isinstance(found, Plan) else "done"
    return Outcome(", ".join(_phrases(found)), values_of(found), status, found.notes)


def _phrases(found: Plan | Result) -> list[str]:
    """`32x24 -> 64x48`, `12 frames`, `about 3 s` and the like."""
    told = ["; ".join(_step(verb, facts) for verb, facts in found.steps)] if found.steps else found.summary
    phrases = [*told, *([] if found.steps else _size(found))]
    planned = isinstance(found, Plan)
    if found.copied:
        phrases.append("would be copied as it is" if planned else "copied as it is")
    if found.frames is not None:
        codec = f" of {found.input.codec}" if found.output is None and found.input and found.input.codec else ""
        phrases.append(f"{found.frames or 'an unknown number of'} frames{codec}")
    if found.clip is not None:
        phrases.append(found.clip.words)
    return [*phrases, *(_estimate(found) if isinstance(found, Plan) else _time(found))]


def _size(found: Facts) -> list[str]:
    if found.copied or (found.output is None and found.input is None):
        return []
    sizes = [f"{file.width}x{file.height}" for file in (found.input, found.output) if file is not None]
    if len(set(sizes)) == 1 and found.summary and not found.moves:
        return []
    return [" -> ".join(dict.fromkeys(sizes))]


def _estimate(plan: Plan) -> list[str]:
    phrases = []
    if plan.tiles is not None:
        each = f" of {plan.tile[0]}x{plan.tile[1]}" if plan.tile and plan.tiles > 1 else ""
        phrases.append(f"{plan.tiles} {'tile' if plan.tiles == 1 else 'tiles'}{each}")
    memory = [size_in_words(plan.memory_bytes)] if plan.memory_bytes is not None else []
    seconds = [time_in_words(plan.seconds)] if plan.seconds is not None else []
    return [*phrases, *([f"about {' and '.join(memory + seconds)}"] if memory or seconds else [])]


def _time(result: Result) -> list[str]:
    if result.seconds is None:
        return []
    speed = f" ({_speed(result.fps)})" if result.clip is not None and result.fps is not None else ""
    return [time_in_words(result.seconds) + speed]


def _speed(fps: float) -> str:
    return f"{fps:.1f} fps" if fps >= 1 or fps == 0 else f"{time_in_words(1 / fps)} a frame"
