"""What a monitoring system reads, in Prometheus' text format, version 0.0.4: a page of text, which needs no library."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper ends of the histogram's classes, in seconds."""
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts what happens; asked from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._work: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, list[float]] = {}
        self._received = 0

    def answered(self, method: str, route: str, status: int) -> None:
        """A request has got its answer."""
        with self._lock:
            self._requests[method, route, status] += 1

    def received(self, size: int) -> None:
        """So many bytes came in."""
        with self._lock:
            self._received += size

    def worked(self, verb: str, status: str, seconds: float) -> None:
        """An order has ended."""
        with self._lock:
            self._work[verb, status] += 1
            classes = self._seconds.setdefault(verb, [0.0] * (len(BOUNDS) + 2))
            for place, bound in enumerate(BOUNDS):
                classes[place] += seconds <= bound
            classes[-2] += 1
            classes[-1] += seconds

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Everything; gauges: name -> (help, value now)."""
        with self._lock:
            lines = [
                *_head("imgfix_requests_total", "counter", "Requests by their answer."),
                *(_line("imgfix_requests_total", {"method": method, "route": route, "status": str(status)}, count)
                  for (method, route, status), count in sorted(self._requests.items())),
                *_head("imgfix_received_bytes_total", "counter", "Bytes of requests."),
                _line("imgfix_received_bytes_total", {}, self._received),
                *_head("imgfix_work_total", "counter", "Orders by verb and how they ended."),
                *(_line("imgfix_work_total", {"verb": verb, "status": status}, count)
                  for (verb, status), count in sorted(self._work.items())),
                *_head("imgfix_work_seconds", "histogram", "Time that the work on an order took."),
                *(line for verb, classes in sorted(self._seconds.items()) for line in _histogram(verb, classes)),
            ]  # fmt: skip
        for name, (help, value) in gauges.items():
            lines += [*_head(name, "gauge", help), _line(name, {}, value)]
        return "\n".join(lines) + "\n"


def _histogram(verb: str, classes: list[float]) -> Iterable[str]:
    name = "imgfix_work_seconds"
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), classes, strict=False):
        yield _line(f"{name}_bucket", {"verb": verb, "le": bound}, count)
    yield _line(f"{name}_sum", {"verb": verb}, classes[-1])
    yield _line(f"{name}_count", {"verb": verb}, classes[-2])


def _head(name: str, kind: str, help: str) -> list[str]:
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    words = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    text = str(int(value)) if value == int(value) else repr(float(value))
    return f"{name}{{{words}}} {text}" if words else f"{name} {text}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def resident_bytes() -> float:
    """Memory that the process holds now, where the system tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return _peak_bytes()
    import resource

    return float(pages * resource.getpagesize())


def _peak_bytes() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)
