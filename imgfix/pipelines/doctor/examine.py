"""All of it, looked at in turn."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from typing import Any

from imgfix import __version__
from imgfix.pipelines.doctor import formats, machine, program, weights
from imgfix.pipelines.doctor.check import Check


@dataclass(frozen=True)
class Examination:
    """What was found."""

    facts: dict[str, Any]
    """For programs: versions, devices, formats, weights, folders, extras."""
    checks: list[Check]
    """For people, with remedies."""

    @property
    def broken(self) -> bool:
        """Whether something does not work that should."""
        return any(check.state == "broken" for check in self.checks)

    @property
    def values(self) -> dict[str, Any]:
        """All of it for programs."""
        return {**self.facts, "checks": [asdict(check) for check in self.checks]}


def examine() -> Examination:
    """Look at the libraries, devices, formats, weights, folders and extras of this machine."""
    checks: list[Check] = []
    facts: dict[str, Any] = {
        "imgfix": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": program.libraries(checks),
        "devices": machine.devices(checks),
        "formats": formats.formats(checks),
        "video": formats.video(checks),
        "weights": weights.weights(checks),
        "folders": machine.folders(checks),
        "extras": program.extras(checks),
    }
    return Examination(facts, checks)
