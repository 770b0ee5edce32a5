"""How the fields of requests are called on a command line."""

from __future__ import annotations

from imgfix.errors import SETTINGS, plain

_OPTIONS = {
    "boxes": "--box", "output": "-o", "record": "--no-record", "audio": "--no-audio", "label": "--class",
    "like": "--from", "except_": "--except", "behind": "--background", "prompt_file": "--prompts", "count": "-n",
    "settings": "--set",
}  # fmt: skip


def option(field: str) -> str:
    """How a field is called on a command line: `long_side` is `--long-side`, `seed=3` is `--seed 3`.

    A value of True or False chooses between `--resume` and `--no-resume`; settings of a recipe are `--set clip=0.5`.
    """
    if field.startswith(SETTINGS):
        return f"--set {plain(field)}"
    name, _, value = field.partition("=")
    word = _OPTIONS.get(name) or f"--{name.replace('_', '-')}"
    if value == "False":
        return f"--no-{word[2:]}"
    return word if value in ("", "True") else f"{word} {value}"
