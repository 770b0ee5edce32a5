"""Names for shell completion; answered from the catalog alone, without loading any model library."""

from __future__ import annotations

from collections.abc import Callable, Collection


def known(incomplete: str = "", tasks: Collection[str] | None = None) -> list[tuple[str, str]]:
    """Names and summaries of the models that begin so; tasks: only models for these."""
    from imgfix.errors import ImgfixError
    from imgfix.zoo import catalog

    try:
        entries = [*catalog.entries(), *catalog.imported()]
    except (ImgfixError, OSError):  # a completion never complains into the command line
        return []
    chosen = [each for each in entries if tasks is None or each.task in tasks]
    return [(each.name, each.summary) for each in chosen if each.name.startswith(incomplete)]


def models(task: str | tuple[str, ...], *extra: str) -> Callable[[str], list[tuple[str, str]]]:
    """A completion function for the model names of one task, or several.

    extra: names besides the catalog's (`telea`, `ns`).
    """
    tasks = (task,) if isinstance(task, str) else task
    fixed = [("auto", "the best one on this machine"), *((name, "classical, no weights") for name in extra)]

    def complete(incomplete: str) -> list[tuple[str, str]]:
        return [*(each for each in fixed if each[0].startswith(incomplete)), *known(incomplete, tasks)]

    return complete
