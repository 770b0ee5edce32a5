"""The recipe: every setting of a training, typed, with a sentence about each, from defaults, files and assignments."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import itertools
import json
import math
import textwrap
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from imgfix.errors import InputError, UsageError


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a training goes; what is special to one kind of training sits in `options`."""

    kind: str
    """What is trained: upscale, inpaint, restore, video, generate, select, noise or damage."""
    photos: tuple[str, ...] = ()
    """Folders (searched recursively) or files to train on."""
    input: str | None = None
    """Folder of damaged pictures that pair by name with `target`, instead of making the damage ourselves."""
    target: str | None = None
    """Folder of good pictures that pair by name with `input`."""
    val: str | None = None
    """Folder held out for validation; without it a part of the photos is held out."""
    val_fraction: float = 0.05
    """Part of the photos held out, chosen by a hash of the file name (so it stays the same when files are added)."""
    val_limit: int = 32
    """Most pictures measured at one validation."""
    model: str | None = None
    """Catalog model or safetensors file to start from (fine-tuning); otherwise a fresh `net` is made."""
    net: str | None = None
    """Architecture of a fresh network; each kind has its default."""
    net_config: dict[str, Any] = field(default_factory=dict)
    """Hyper-parameters of the fresh network (`net_config.features=48`)."""
    freeze: tuple[str, ...] = ()
    """Parts of the network that stay as they are, by the beginnings of their parameters' names (`layers`, `head.0`)."""
    teacher: str | None = None
    """Catalog model or file whose outputs the network learns to match (distillation)."""

    steps: int = 100_000
    """Optimizer steps in all."""
    minutes: float | None = None
    """Stop after this much wall-clock time (the rate's schedule then follows whichever of time and steps is ahead)."""
    batch: int = 16
    """Samples a process takes through the network at once."""
    accumulate: int = 1
    """Batches whose gradients are averaged into one optimizer step."""
    crop: int = 192
    """Side of the training crops, in pixels of the target picture."""

    pace: bool = False
    """On a CPU, make batch and crop so small that some hundred steps fit into `minutes`; so by default where minutes
    are given and neither batch nor crop is."""

    lr: float = 2e-4
    """Learning rate at its highest."""
    discriminator_lr: float | None = None
    """Learning rate of the discriminator; the same as `lr` when not given."""
    optimizer: Literal["adamw", "adam", "muon"] = "adamw"
    """Adam with decoupled weight decay, plain Adam, or Muon, which needs fewer steps from a fresh start."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Adam's averaging factors for the gradient and its square."""
    weight_decay: float = 0.0
    """Weight decay of matrices and kernels; biases and norms have none."""
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    """How the rate falls after the warm-up."""
    warmup: int = 500
    """Steps in which the rate climbs from zero; never more than a tenth of the run."""
    lr_floor: float = 0.01
    """Where the cosine ends, as a part of `lr`."""
    lr_drops: tuple[float, ...] = (0.5, 0.75, 0.9)
    """Parts of the run after which the `step` schedule lowers the rate."""
    lr_drop_factor: float = 0.5
    """By what the `step` schedule multiplies the rate at each drop."""
    clip: float = 1.0
    """Largest gradient norm of a network; larger gradients are scaled down. 0 turns it off."""
    ema: float = 0.999
    """Decay of the moving average of the weights that is validated and exported; 0 turns it off."""

    seed: int = 0
    """Decides the first weights, the crops and every degradation."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps, or auto."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Precision of the forward pass; weights and optimizer stay in fp32."""
    channels_last: bool = True
    """Keep pictures and kernels channels-last, which convolutions prefer."""
    compile: bool = False
    """Compile the networks first: minutes of waiting, then faster steps on an accelerator."""
    deterministic: bool = False
    """Only kernels that give the same bits every time; always so on the CPU, slower on an accelerator."""

    validate_every: int = 2000
    """Steps between two looks at the held-out pictures, with a sample sheet each."""
    log_every: int = 50
    """Steps between two lines of the log; the losses in a line are those of its step."""
    sheet_rows: int = 6
    """Most rows of a sample sheet."""
    checkpoint_minutes: float = 5.0
    """Minutes between two checkpoints."""
    export: Literal["best", "last"] = "best"
    """Which weights model.safetensors holds: those of the best validation, or the latest."""
    snapshot_every: int = 200
    """Steps between two copies of the good state kept in memory, for the guard."""
    guard_retries: int = 5
    """How many times the run may return to its last good state after a loss that is not a number."""
    guard_lr_factor: float = 0.5
    """By what the guard multiplies the rate each time."""
    guard_window: int = 5000
    """After this many good steps the guard forgets an incident: the rate and the count of returns recover."""
    tensorboard: bool = False
    """Write TensorBoard files too (needs the `tensorboard` extra)."""

    options: Any = None
    """Settings of this kind of training: its own dataclass (degradations, losses and their weights ...)."""

    def __post_init__(self) -> None:
        for name, low in (("steps", 1), ("batch", 1), ("accumulate", 1), ("crop", 8), ("validate_every", 1)):
            _at_least(name, getattr(self, name), low)
        for name in ("log_every", "snapshot_every", "val_limit", "sheet_rows"):
            _at_least(name, getattr(self, name), 1)
        for name in ("warmup", "clip", "weight_decay", "guard_retries", "checkpoint_minutes"):
            _at_least(name, getattr(self, name), 0)
        for name in ("lr", "discriminator_lr"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < math.inf:
                raise UsageError(f"{name} = {rate}: the learning rate must be above 0")
        for name in ("betas", "lr_floor", "lr_drops", "lr_drop_factor", "val_fraction", "weight_decay", "clip"):
            _plain(name, getattr(self, name))
        if not all(beta < 1 for beta in self.betas):
            raise UsageError(f"betas = {self.betas}: each must be at least 0 and below 1")
        if self.minutes is not None and not self.minutes > 0:
            raise UsageError(f"minutes = {self.minutes}: must be above 0")
        if not 0 <= self.ema < 1:
            raise UsageError(f"ema = {self.ema}: must be at least 0 and below 1", hint="0 turns the average off")
        if not 0 <= self.val_fraction < 1:
            raise UsageError(f"val_fraction = {self.val_fraction}: must be at least 0 and below 1")
        if not 0 < self.guard_lr_factor <= 1:
            raise UsageError(f"guard_lr_factor = {self.guard_lr_factor}: must be above 0 and at most 1")
        if (self.input is None) != (self.target is None):
            given, missing = ("input", "target") if self.target is None else ("target", "input")
            raise UsageError(f"{given} is given without {missing}", hint="paired training needs both folders")


MAY_CHANGE = frozenset(
    {
        *("steps", "minutes", "device", "compile", "validate_every", "log_every", "sheet_rows", "val_limit"),
        *("checkpoint_minutes", "snapshot_every", "guard_retries", "tensorboard", "pace"),
    }
)
"""Settings that may differ when a run goes on in its folder: they change how long, where or how talkative it is."""

_PATHS = ("photos", "input", "target", "val")


def build_recipe(kind: str, layers: Iterable[Mapping[str, Any]]) -> Recipe:
    """Build a recipe from layers of settings; later layers win.

    Args:
        kind: a key of `imgfix.train.kinds.KINDS`.
        layers: mappings from setting to value. Names of the kind's own settings may stand among the others, or in a
            table called like the kind (as in `recipe.toml`). Text values are converted to the setting's type.

    Raises:
        UsageError: an unknown setting (with the nearest names) or a value of the wrong type.
    """
    from imgfix.train.kinds import find_kind

    found = find_kind(kind)
    known, own = _types(Recipe), _types(found.options)
    values: dict[str, Any] = {"kind": kind}
    options: dict[str, Any] = {}

    def put(name: str, value: Any) -> None:
        head, _, rest = name.partition(".")
        if head in own:
            options[head] = _converted(name, value, own[head], rest, options.get(head))
        elif head in known and head not in ("kind", "options"):
            values[head] = _converted(name, value, known[head], rest, values.get(head))
        else:
            names = sorted((known.keys() - {"kind", "options"}) | own.keys())
            near = difflib.get_close_matches(head, names, n=3, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else f"see: imgfix train {kind} --set help"
            raise UsageError(f"'{name}' is not a setting of imgfix train {kind}", hint=hint)

    merged = list(layers)
    net = next((layer["net"] for layer in reversed(merged) if layer.get("net")), found.defaults.get("net"))
    for layer in (found.defaults, found.net_defaults.get(str(net), {}), *merged):
        for name, value in layer.items():
            if name == "kind":
                if value != kind:
                    raise UsageError(f"the recipe is for imgfix train {value}, not for {kind}")
            elif name == kind and isinstance(value, Mapping):
                for inner, inner_value in value.items():
                    put(inner, inner_value)
            else:
                put(name, value)
    made = found.options(**options)
    _check_options(made)
    return Recipe(**values, options=made)


def parse_assignment(text: str) -> tuple[str, str]:
    """Split one assignment, `key=value`.

    Raises:
        UsageError: there is no `=`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"`settings` {text}: expected key=value", hint="for example `settings.lr=1e-4`")
    return name.strip().replace("-", "_"), value.strip()


def read_toml(path: Path) -> dict[str, Any]:
    """Read a recipe file into one layer for `build_recipe`.

    Raises:
        InputError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such recipe file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: not a recipe: its values are nested too deeply") from None


def to_dict(recipe: Recipe, *, private: bool = True) -> dict[str, Any]:
    """Turn a recipe into plain values, the kind's settings in a table of their own.

    Args:
        recipe: the recipe.
        private: keep folder names; without them the result can be published in a file's header.
    """
    values = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe) if f.name != "options"}
    if not private:
        values = {name: value for name, value in values.items() if name not in _PATHS}
        for name in ("model", "teacher"):
            if values[name]:
                values[name] = Path(values[name]).name
    values[recipe.kind] = dataclasses.asdict(recipe.options) if recipe.options is not None else {}
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain


def to_toml(recipe: Recipe) -> str:
    """Write a recipe as TOML, each setting with its sentence above it; `read_toml` reads it back."""
    plain = to_dict(recipe)
    lines = [f"# imgfix train {recipe.kind}: the complete recipe of this run"]
    tables = [("", Recipe, {k: v for k, v in plain.items() if k != recipe.kind})]
    tables.append((recipe.kind, type(recipe.options), plain[recipe.kind]))
    for title, cls, values in tables:
        sentences = field_docs(cls)
        if title and values:
            lines += ["", f"[{title}]"]
        for name, value in values.items():
            lines += ["", *(f"# {line}" for line in textwrap.wrap(sentences.get(name, ""), 100))]
            if value is None:
                lines.append(f"# {name} is not set")
            else:
                lines.append(f"{name} = {_toml_value(value)}")
    return "\n".join(lines) + "\n"


def differences(old: Mapping[str, Any], new: Mapping[str, Any], *, allowed: frozenset[str] = MAY_CHANGE) -> list[str]:
    """Name the settings in which two recipes (from `to_dict`) differ so that one cannot go on where the other stopped.

    Returns:
        one line for each, like `lr: 0.0002 in the run's folder, now 0.0001`.
    """
    lines = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after or name in allowed:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            lines += [f"{name}.{line}" for line in differences(before, after, allowed=frozenset())]
        else:
            lines.append(f"{name}: {_short(before)} in the run's folder, now {_short(after)}")
    return lines


def field_docs(cls: type) -> dict[str, str]:
    """Read the sentence under each field of a dataclass from its source (inherited fields included)."""
    docs: dict[str, str] = {}
    for owner in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(owner):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except (OSError, TypeError):  # no source at hand (frozen application): settings work, sentences are missing
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for item, after in itertools.pairwise(body):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                text = (
                    after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
                )
                if isinstance(text, str) and text:
                    docs[item.target.id] = " ".join(text.split())
    return docs


_FROM_ONE = frozenset(
    {"penalty_every", "discriminator_channels", "window", "frames", "short_frames", "val_crop", "scale"}
)
"""Settings of a kind of training that count or divide."""


def _check_options(options: Any) -> None:
    """Whether the numbers of a kind's settings are numbers, not negative, and ranges the right way round."""
    types = _types(type(options))
    for name, kind in types.items():
        value = getattr(options, name)
        _plain(name, value)
        if name in _FROM_ONE:
            _at_least(name, value, 1)
        if kind == tuple[float, float] and value[0] > value[1]:
            raise UsageError(f"{name} = {value}: the first is the lowest, the second the highest")


def _plain(name: str, value: Any) -> None:
    """Raise UsageError for a number, or one among several, that is negative or not finite."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float) and not 0 <= number < math.inf:
            raise UsageError(f"{name} = {value}: must be a number, and at least 0")


def _at_least(name: str, value: float, low: float) -> None:
    if not value >= low:
        raise UsageError(f"{name} = {value}: must be at least {low}")


def _types(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _short(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(str(key))} = {_toml_value(item)}" for key, item in value.items() if item is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, float):
        return repr(value)  # repr keeps every bit; inf and nan are spelled the same in TOML
    return json.dumps(value, ensure_ascii=False)


def _converted(name: str, value: Any, kind: Any, rest: str, before: Any) -> Any:
    """Convert one value; `rest` is what follows the dot of `net_config.features`."""
    if rest:
        if get_origin(kind) is not dict:
            raise UsageError(f"'{name}': {name.split('.')[0]} has no parts")
        return {**(before or {}), rest: _literal(value)}
    try:
        return _convert(value, kind)
    except (ValueError, TypeError, OverflowError):  # 1e400 is infinite
        raise UsageError(f"{name} = {value}: expected {_describe(kind)}") from None


def _convert(value: Any, kind: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None or (isinstance(value, str) and value.lower() == "none" and types.NoneType in arguments):
            return None
        for choice in arguments:
            if choice is not types.NoneType:
                try:
                    return _convert(value, choice)
                except (ValueError, TypeError):
                    continue
        raise ValueError(value)
    if origin is Literal:
        for choice in arguments:
            if value == choice or (isinstance(value, str) and value == str(choice)):
                return choice
        raise ValueError(value)
    if origin is tuple:
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else list(value)
        kinds = [arguments[0]] * len(items) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(items):
            raise ValueError(value)
        return tuple(_convert(item, item_kind) for item, item_kind in zip(items, kinds, strict=True))
    if origin is dict:
        if isinstance(value, str):
            value = json.loads(value)
        if not isinstance(value, Mapping):
            raise ValueError(value)
        return dict(value)
    if kind is bool:
        if isinstance(value, bool):
            return value
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        if str(value).lower() not in words:
            raise ValueError(value)
        return words[str(value).lower()]
    if kind is int:
        if isinstance(value, bool):
            raise ValueError(value)
        number = float(str(value).replace("_", ""))  # 1e5 is a whole number too
        if number != int(number):
            raise ValueError(value)
        return int(number)
    if kind is float:
        if isinstance(value, bool):
            raise ValueError(value)
        return float(value)
    if kind is str:
        if not isinstance(value, str | Path):
            raise ValueError(value)
        return str(value)
    return value


def _literal(value: Any) -> Any:
    """Read a free value the way TOML would, and as text where it would not."""
    if isinstance(value, str):
        try:
            return tomllib.loads(f"value = {value}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            return value
    return value


def _describe(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if a is types.NoneType else _describe(a) for a in arguments)
    if origin is Literal:
        return "one of " + ", ".join(str(a) for a in arguments)
    if origin is tuple:
        return f"values separated by commas, each {_describe(arguments[0])}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return words.get(kind, str(typing.cast(Any, kind)))
