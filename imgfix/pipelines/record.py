"""How a file was made: the command that makes it again, the model and its hash, kept in the file's metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from imgfix import __version__
from imgfix.media.names import shell_word
from imgfix.pipelines.option_names import option
from imgfix.pipelines.options import given

if TYPE_CHECKING:
    from imgfix.zoo.descriptor import Descriptor

# What does not change the result is left out of the recorded command; the model is named anyway.
_UNRECORDED = {"output", "model", "overwrite", "skip_existing", "record", "offline", "resume"}
_OFF = {"audio", "record"}
"""Options that are on, and are spelled when they are not."""


def of(
    verb: str,
    source: str,
    model: str,
    descriptor: Descriptor | None,
    *records: Any,
    names: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The record of one result.

    source: the input's name, `-` for what had none. model: as it would be named on a command line. descriptor: None for
    a classical method. records: what was asked for, as of `imgfix.pipelines.options`. names: see `command_line`.
    """
    made: dict[str, Any] = {"command": command_line(verb, source, model, *records, names=names), "model": model}
    if descriptor is not None:
        made |= {"model": descriptor.name, "sha256": descriptor.sha256}
    return made | {"version": __version__}


def command_line(
    verb: str,
    source: str | Sequence[str],
    model: str | None,
    *records: Any,
    names: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The command that makes one result again: its source, its model by name, and the options that say something.

    source: or all words in its place. model: None: not named. names: what files are called in it, where that is not
    their path.
    """
    places = [source] if isinstance(source, str) else source
    words = ["imgfix", verb, *places, *(["--model", model] if model is not None else [])]
    for record in records:
        for name, value in given(record):
            if name not in _UNRECORDED:
                words += _words(name, value)
    return " ".join(shell_word(names.get(word, word)) for word in words)


def _words(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        positive = value or name in _OFF
        return [option(name) if positive else f"--no-{option(name)[2:]}"]
    if name == "color" and isinstance(value, list | tuple):
        return [option(name), "#" + "".join(f"{channel:02x}" for channel in value)]
    if name == "boxes":
        return [word for box in value for word in (option(name), _text(box))]
    if isinstance(value, Mapping):
        value = [f"{key}={each}" for key, each in value.items()]
    if isinstance(value, list | tuple):
        return [word for each in value for word in (option(name), _text(each))]
    return [option(name), _text(value)]


def _text(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}" if abs(value) < 1e6 else str(value)
    if isinstance(value, list | tuple):
        return ",".join(_text(each) for each in value)
    if hasattr(value, "shape") or isinstance(value, bytes):
        return "-"
    return str(value)
