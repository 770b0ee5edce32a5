"""Names for shell completion; answered from the catalog alone, without loading any model library."""

from __future__ import annotations

from collections.abc import Callable


def models(task: str | tuple[str, ...], *extra: str) -> Callable[[str], list[tuple[str, str]]]:
    """A completion function for the model names of one task, or several.

    extra: names besides the catalog's (`telea`, `ns`).
    """

    tasks = (task,) if isinstance(task, str) else task

    def complete(incomplete: str) -> list[tuple[str, str]]:
        from imgfix.errors import ImgfixError
        from imgfix.zoo import catalog

        try:
            entries = [*catalog.entries(), *catalog.imported()]
        except (ImgfixError, OSError):  # a completion never complains into the command line
            entries = []
        names = [("auto", "the best one on this machine"), *((name, "classical, no weights") for name in extra)]
        names += [(entry.name, entry.summary) for entry in entries if entry.task in tasks]
        return [(name, help_text) for name, help_text in names if name.startswith(incomplete)]

    return complete
