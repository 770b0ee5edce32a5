"""The user's own defaults of options: from `imgfix.toml` and from environment variables.

A key is an option's name (`long-side` or `long_side`); at the top of the file it is for every verb that has it, in a
table `[upscale]` for that verb. From strongest to weakest: the command line, `IMGFIX_UPSCALE_MODEL` (of one verb),
`IMGFIX_MODEL` (of all), `imgfix.toml` in the folder where the command is run, `imgfix.toml` in the user's configuration
folder.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgfix.errors import UsageError

FILE = "imgfix.toml"
PREFIX = "IMGFIX_"
SHARING = ("upscale", "inpaint", "restore", "generate")
"""Verbs for which a key at the top of the file, or a variable without a verb, is meant."""
_SECRET = {"token"}
_NEVER = {"inputs", "output", "help"}
"""What is said anew each time."""


@dataclass(frozen=True)
class Default:
    """One default that somebody set."""

    verb: str
    parameter: str
    """As typer names it."""
    option: str
    """As a user writes it."""
    value: Any
    origin: str
    """A file, or an environment variable."""

    @property
    def shown(self) -> Any:
        """The value, but for secrets, which end up in logs and reports of faults otherwise."""
        return "***" if self.parameter in _SECRET and self.value else self.value

    @property
    def words(self) -> str:
        """As it would stand on a command line."""
        if not isinstance(self.value, bool):
            values = self.value if isinstance(self.value, list) else [self.shown]
            return " ".join(f"{self.option} {value}" for value in values)
        return self.option if self.value != self.option.startswith("--no-") else f"{self.option} (not set)"


def user_file() -> Path:
    """Where a user's own defaults are: what IMGFIX_CONFIG names, else the platform's configuration folder."""
    if os.environ.get("IMGFIX_CONFIG"):
        return Path(os.environ["IMGFIX_CONFIG"])
    import platformdirs

    return Path(platformdirs.user_config_dir("imgfix", appauthor=False)) / FILE


def find(
    commands: Mapping[str, Any], environment: Mapping[str, str] | None = None, used: Collection[str] | None = None
) -> list[Default]:
    """Every default that is set for these verbs (name -> click command), the weakest first; later ones win.

    used: variables are looked up for these verbs only, so that the options of others need not be read.
    Raises UsageError: a file that cannot be read, an option that no verb has.
    """
    found: list[Default] = []
    for file in (user_file(), Path(FILE)):
        if file.is_file():
            found += _of_file(file, commands)
    asked = {verb: commands[verb] for verb in commands if used is None or verb in used}
    return [*found, *_of_environment(os.environ if environment is None else environment, asked)]


def default_map(found: Iterable[Default]) -> dict[str, dict[str, Any]]:
    """The same as click takes it: verb -> parameter -> value."""
    made: dict[str, dict[str, Any]] = {}
    for each in found:
        made.setdefault(each.verb, {})[each.parameter] = each.value
    return made


def _of_file(file: Path, commands: Mapping[str, Any]) -> Iterator[Default]:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = "its values are nested too deeply" if isinstance(error, RecursionError) else error
        raise UsageError(f"{file}: cannot be read ({why})", hint='it is TOML, such as: device = "cpu"') from None
    for key, value in content.items():
        if isinstance(value, dict) and key in commands:
            for inner, one in value.items():
                yield _set(file, key, inner, one, commands[key])
            continue
        takers = [verb for verb in SHARING if verb in commands and _parameter(commands[verb], key) is not None]
        if not takers:
            raise _unknown(file, key, {name for verb in SHARING if verb in commands for name in _names(commands[verb])})
        for verb in takers:
            yield _set(file, verb, key, value, commands[verb])


def _set(file: Path, verb: str, key: str, value: Any, command: Any) -> Default:
    parameter = _parameter(command, key)
    if parameter is None:
        raise _unknown(file, f"{verb}.{key}", _names(command))
    if isinstance(value, dict) or (isinstance(value, list) and not _is_simple_list(parameter, value)):
        raise UsageError(f"{file}: {key} is one value, not {'a table' if isinstance(value, dict) else 'a list'}")
    return Default(verb, parameter.name, _spelled(parameter), _as_given(parameter, value), str(file))


def _is_simple_list(parameter: Any, value: list[Any]) -> bool:
    return (parameter.multiple or parameter.nargs != 1) and not any(isinstance(each, list | dict) for each in value)


def _of_environment(environment: Mapping[str, str], commands: Mapping[str, Any]) -> Iterator[Default]:
    verbs = {verb: command for verb, command in commands.items() if verb in SHARING}
    for general in (True, False):  # what names a verb wins
        for verb, command in (verbs if general else commands).items():
            for parameter in _settable(command):
                middle = "" if general else f"{verb.upper()}_"
                for name in _words(parameter):
                    variable = f"{PREFIX}{middle}{name.upper()}"
                    if environment.get(variable):
                        value = _as_given(parameter, environment[variable])
                        yield Default(verb, parameter.name, _spelled(parameter), value, variable)


def _settable(command: Any) -> list[Any]:
    return [each for each in getattr(command, "params", ()) if each.name not in _NEVER and _words(each)]


def _words(parameter: Any) -> set[str]:
    """The names under which a parameter can be set: those of its long options, former ones included."""
    options = [*parameter.opts, *parameter.secondary_opts, *getattr(parameter, "former", ())]
    return {name.lstrip("-").replace("-", "_") for name in options if name.startswith("--")}


def _names(command: Any) -> set[str]:
    return {name for parameter in _settable(command) for name in _words(parameter)}


def _parameter(command: Any, key: str) -> Any | None:
    name = key.replace("-", "_")
    return next((each for each in _settable(command) if name in _words(each)), None)


def _spelled(parameter: Any) -> str:
    names: list[str] = [*parameter.opts, *parameter.secondary_opts]
    return max(names, key=len)


def _as_given(parameter: Any, value: Any) -> Any:
    """A value as click takes it; `no-record = true` turns off what is on."""
    if getattr(parameter, "is_flag", False):
        on = value if isinstance(value, bool) else str(value).strip().lower() in ("1", "true", "yes", "on")
        only_off = all(
            name.startswith("--no-") for name in [*parameter.opts, *parameter.secondary_opts] if name.strip()
        )
        return not on if only_off else on
    if parameter.multiple and not isinstance(value, list):
        return [value]
    return [str(each) for each in value] if isinstance(value, list) else str(value)


def _unknown(file: Path, key: str, names: Iterable[str]) -> UsageError:
    near = difflib.get_close_matches(key.rpartition(".")[2].replace("-", "_"), list(names), n=1, cutoff=0.6)
    hint = f"did you mean {near[0].replace('_', '-')}?" if near else "its keys are options, such as device or model"
    return UsageError(f"{file}: there is no option '{key}'", hint=hint)
