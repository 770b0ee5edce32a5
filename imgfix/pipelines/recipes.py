"""Recipes: a chain of verbs with their options, from a TOML file or from Python, understood before any work.

    quality = 92            # of the whole: how results are written, and how clips are read and written

    [[step]]
    verb = "restore"
    denoise = "auto"

    [[step]]
    verb = "upscale"
    long_side = 4000

Options are named as on the command line, with underscores. Files that a recipe names lie where it lies.
"""

from __future__ import annotations

import difflib
import tomllib
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from imgfix.errors import InputError, UsageError
from imgfix.pipelines.option_names import option
from imgfix.pipelines.options import (
    ClipOptions,
    CutoutRequest,
    InpaintRequest,
    Machine,
    RestoreRequest,
    Saving,
    UpscaleRequest,
    given,
    number,
)

MOST = 64
"""Steps of a recipe."""
LARGEST = 1 << 20
"""Bytes of a recipe file."""
_FILES = ("mask", "scratch_mask", "save_mask")
"""Options that name a file or folder, which may not be there yet."""
_PERHAPS_FILES = ("model", "detector", "behind")
"""Options that name a file where one of that name is there."""
_NOT_OF_RECIPES = (
    "output",
    "overwrite",
    "skip_existing",
    "frames",
    "resume",
    "device",
    "offline",
    "recursive",
    "variants",
    "sheet",
)
"""Options that say where and when, and not what."""
_OTHER_VERBS = {
    "select": "it makes a mask; 'inpaint' and 'cutout' choose by the same options",
    "generate": "it draws pictures from nothing; run the recipe on what it made",
    "evaluate": "it measures; run it on what the recipe made",
    "train": "it makes a model; name that in a step, as `model`",
}


@dataclass(frozen=True)
class RunRequest:
    """Which recipe is followed."""

    recipe: Any
    """The path of a TOML file, or what `read` understands besides."""


@dataclass(frozen=True)
class StepVerb:
    """What can be a step."""

    module: str
    name: str
    """Of the class in `imgfix.pipelines.MODULE`."""
    request: type[Any]
    machine: tuple[str, ...]
    """Fields of `Machine` that it understands."""
    hidden: tuple[str, ...] = ()


VERBS = {
    "upscale": StepVerb("upscale", "UpscalePipeline", UpscaleRequest, ("model", "precision", "tile", "engine")),
    "inpaint": StepVerb("inpaint", "InpaintPipeline", InpaintRequest, ("model", "precision", "engine")),
    "restore": StepVerb("restore", "RestorePipeline", RestoreRequest, ("model", "precision", "tile", "engine")),
    "cutout": StepVerb("cutout", "CutoutPipeline", CutoutRequest, ("model",), hidden=("background",)),
}


@dataclass(frozen=True)
class RecipeStep:
    """One verb with its options."""

    verb: str
    request: Mapping[str, Any] = field(default_factory=dict)
    """By the attributes of the verb's record in `imgfix.pipelines.options`."""
    machine: Mapping[str, Any] = field(default_factory=dict)
    """By those of `Machine`."""


@dataclass(frozen=True)
class Recipe:
    """A chain of verbs, and how its results are written."""

    steps: tuple[RecipeStep, ...]
    saving: Mapping[str, Any] = field(default_factory=dict)
    clips: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None
    """Where it was read from."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.file) if self.file is not None else "the recipe"

    def place(self, number: int) -> str:
        """What messages call one of its steps, counted from 1."""
        return f"{self.name}, step {number} ({self.steps[number - 1].verb})"

    def applied(self, saving: Saving, clips: ClipOptions) -> tuple[Saving, ClipOptions]:
        """The same records with what the recipe says where they say nothing. Raises UsageError."""
        try:
            return _filled(saving, self.saving), _filled(clips, self.clips)
        except UsageError as error:
            raise error.within(self.name, public) from None


def public(name: str) -> str:
    """How a field of a record is called in a recipe."""
    return name if name in ("record", "audio") else option(name).lstrip("-").replace("-", "_")


def read(recipe: Any) -> Recipe:
    """Understand a recipe.

    Args:
        recipe: a `Recipe`; the path of a TOML file; or what such a file holds: a list of steps, each a mapping with
            `verb` and options, or a mapping with `step` and options of the whole.

    Raises:
        InputError: the file cannot be read.
        UsageError: it is no recipe; a verb or an option that there is not, a value of another type.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, str | Path):
        path = Path(recipe)
        return _understood(_parsed(path), path)
    if isinstance(recipe, Mapping):
        return _understood(recipe, None)
    if isinstance(recipe, Sequence) and not isinstance(recipe, bytes):
        return _understood({"step": list(recipe)}, None)
    raise UsageError(f"{type(recipe).__name__} is no recipe", hint="give the path of a TOML file, or a list of steps")


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such recipe", hint="imgfix run RECIPE.toml INPUT ...") from None
    except OSError as error:
        raise InputError(f"{path}: the recipe cannot be read ({error.strerror})", hint="name a TOML file") from None
    return parsed(data, str(path))


def parsed(data: bytes, name: str) -> dict[str, Any]:
    """What a recipe file holds, not yet understood; name: what messages call it. Raises UsageError."""
    try:
        if len(data) > LARGEST:
            raise ValueError("it is larger than 1 MB")
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        words = "it is no text" if isinstance(error, UnicodeDecodeError) else str(error) or type(error).__name__
        words = "its values are nested too deeply" if isinstance(error, RecursionError) else words
        raise UsageError(
            f"{name} is no recipe: {words}", hint="it is TOML: [[step]], and below it verb = \"restore\""
        ) from None  # fmt: skip


def _understood(content: Mapping[str, Any], file: Path | None) -> Recipe:
    name = str(file) if file is not None else "the recipe"
    records = {"saving": _known(Saving, hidden=_NOT_OF_RECIPES), "clips": _known(ClipOptions, hidden=_NOT_OF_RECIPES)}
    whole: dict[str, dict[str, Any]] = {"saving": {}, "clips": {}}
    for key, value in content.items():
        if key == "step":
            continue
        attribute = _attribute(key)
        home = next((each for each, known in records.items() if attribute in known), None)
        if home is None:
            raise _unknown(name, "a recipe", key, ["step", *records["saving"], *records["clips"]])
        whole[home][attribute] = _value(name, key, records[home][attribute], value)
    steps = content.get("step", [])
    if not isinstance(steps, list) or not steps:
        raise UsageError(f"{name} has no steps", hint='write [[step]], and below it verb = "restore"')
    if len(steps) > MOST:
        raise UsageError(f"{name} has {len(steps)} steps", hint=f"{MOST} at most")
    made = Recipe(
        tuple(_step(name, number, step, file) for number, step in enumerate(steps, 1)), whole["saving"],
        whole["clips"], file,
    )  # fmt: skip
    made.applied(Saving(), ClipOptions())
    return made


def _step(name: str, number: int, content: Any, file: Path | None) -> RecipeStep:
    place = f"{name}, step {number}"
    if not isinstance(content, Mapping):
        raise UsageError(f"{place} is no table of options", hint='write [[step]], and below it verb = "restore"')
    verb = content.get("verb")
    if verb is None:
        raise UsageError(f"{place} has no verb", hint=f"add verb = ..., one of {', '.join(VERBS)}")
    if verb not in VERBS:
        near = difflib.get_close_matches(str(verb), VERBS, 1)
        hint = _OTHER_VERBS.get(str(verb)) or (f"did you mean {near[0]}?" if near else f"choose {', '.join(VERBS)}")
        raise UsageError(f"{place}: '{str(verb)[:40]}' is no step of a recipe", hint=hint)
    place = f"{place} ({verb})"
    spec = VERBS[verb]
    request, machine = _known(spec.request, hidden=spec.hidden), _known(Machine, only=spec.machine)
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for key, value in content.items():
        if key == "verb":
            continue
        attribute = _attribute(key, spec)
        home = 0 if attribute in request else 1
        kind = (request | machine).get(attribute)
        if kind is None:
            raise _unknown(place, verb, key, [*request, *machine])
        found[home][attribute] = _placed(attribute, _value(place, key, kind, value), file)
    return RecipeStep(verb, *found)


def _attribute(key: str, spec: StepVerb | None = None) -> str:
    """The field that a name in a recipe stands for."""
    name = key.replace("-", "_")
    if spec is not None:
        for one in fields(spec.request):
            if name == public(one.name) and one.name not in spec.hidden:
                return one.name
    return name


def _known(record: type[Any], hidden: Collection[str] = (), only: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a record that a recipe may name, and what each takes."""
    hints = get_type_hints(record)
    return {
        one.name: hints[one.name]
        for one in fields(record)
        if one.name not in hidden and (not only or one.name in only)
    }  # fmt: skip


def _unknown(place: str, what: str, key: str, known: Sequence[str]) -> UsageError:
    """The error for an option that there is not, with the one that was meant."""
    name = key.replace("-", "_")
    if name in _NOT_OF_RECIPES:
        hint = "say it where the recipe is run"
    elif name in (*_known(Saving), *_known(ClipOptions)):
        hint = "it is for the whole recipe: write it above the first [[step]]"
    else:
        near = difflib.get_close_matches(name, [public(each) for each in known], 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(public(each) for each in known)}"
    return UsageError(f"{place}: '{key[:40]}' is no option of {what}", hint=hint)


def _value(place: str, key: str, hint: Any, value: Any) -> Any:
    """A value as the record takes it. Raises UsageError."""
    kinds = _kinds(hint)
    try:
        return _fitted(kinds, value)
    except UsageError as error:
        raise UsageError(f"{place}: '{key}' {_short(value)}: {error.message}", hint=error.hint) from None


def _kinds(hint: Any) -> set[Any]:
    """What a field takes: `bool`, `int`, `float`, `str`, `Sequence`, `Any`."""
    if get_origin(hint) in (Union, types.UnionType):
        return {kind for each in get_args(hint) for kind in _kinds(each)}
    if hint is type(None):
        return set()
    origin = get_origin(hint) or hint
    return {str if origin is Path else origin}


def _fitted(kinds: set[Any], value: Any) -> Any:
    if Any in kinds:
        if isinstance(value, dict | list | bool | float):
            raise UsageError("it takes text", hint="write it in quotes")
        return value
    if isinstance(value, bool):
        fits = bool in kinds
    elif isinstance(value, int):
        fits = bool(kinds & {int, float})
    elif isinstance(value, float):
        fits = float in kinds
    elif isinstance(value, str | Path):
        if str not in kinds and float in kinds:
            return number(str(value))
        if str not in kinds and Sequence in kinds:
            return [value]
        fits = str in kinds
    elif isinstance(value, list | tuple):
        fits = Sequence in kinds and all(_is_part(part) for part in value)
    else:
        fits = isinstance(value, Mapping) and Mapping in kinds
    if not fits:
        raise UsageError(f"it takes {_words(kinds)}", hint=_WRITTEN.get(_first(kinds)))
    return value


def _is_part(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(_is_number(part) for part in value)
    return isinstance(value, str) or _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Sequence: "a list"}
_WRITTEN = {
    bool: "write true or false without quotes", int: "such as 2", float: "such as 1.5", str: "write it in quotes",
    Sequence: 'such as ["10,10,50,50"]',
}  # fmt: skip


def _words(kinds: set[Any]) -> str:
    return " or ".join(words for kind, words in _NAMES.items() if kind in kinds)


def _first(kinds: set[Any]) -> Any:
    return next((kind for kind in _NAMES if kind in kinds), None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _placed(name: str, value: Any, file: Path | None) -> Any:
    """A file that a recipe names, as it lies beside the recipe."""
    if file is None or not isinstance(value, str):
        return value
    beside = file.parent / value
    if name in _FILES:
        # A '/' at the end says that a folder is meant.
        return f"{beside}/" if value.endswith(("/", "\\")) else beside
    if name in _PERHAPS_FILES and beside.is_file():
        return str(beside)
    return value


def _filled(record: Any, values: Mapping[str, Any]) -> Any:
    said = {name for name, _ in given(record)}
    return replace(record, **{name: value for name, value in values.items() if name not in said})
