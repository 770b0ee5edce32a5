"""Workers as actors of Ray (extra `ray`): one for each GPU, or for so many CPU cores."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, cast

from imgfix.cluster.orders import Answer, Order, Task
from imgfix.cluster.pool import LostWorkerError, Ticket
from imgfix.cluster.worker import Worker
from imgfix.errors import MissingExtraError, UsageError

CORES = 4
"""Of the CPU for a worker, where nothing else is said and a machine has as many."""


class OnRay:
    """See `imgfix.cluster.pool.Backend`.

    Args:
        order: what each worker carries out.
        address: `local`, a Ray of this run's own on this machine; `auto`, the running one that this machine belongs to;
            or one as Ray has it, `host:port` or `ray://host:port`.
        cores: of the CPU for each worker; None: one where it has a GPU, else up to `CORES`.
        mark: see `Worker`.

    Raises:
        MissingExtraError, UsageError: no Ray answers there, or none of its machines has so many cores.
    """

    def __init__(self, order: Order, address: str, cores: int | None, mark: str) -> None:
        try:
            import ray
        except ImportError:
            raise MissingExtraError("`ray`", "ray") from None
        self._ray: Any = ray
        self._stdout = sys.stdout
        sys.stdout = cast(TextIO, _OfThisThread(sys.stdout))
        self._order, self._mark = order, mark
        own: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
        try:
            with _own_signals():
                self._ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
        except Exception as error:  # of many kinds, from many libraries
            sys.stdout = self._stdout
            words = " ".join(str(error).split())[:200]
            raise UsageError(
                f"`ray` {address}: Ray cannot be reached or started there: {words}",
                hint="`ray` local starts it on this machine for one run",
            ) from error
        graphics = order.machine.device != "cpu" and self._ray.cluster_resources().get("GPU", 0) > 0
        self._gpus = int(graphics)
        most = max((int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"]), default=0)
        self._cores = cores or (1 if graphics else min(CORES, most))
        if not 1 <= self._cores <= most:
            self.close()
            raise UsageError(
                f"no machine of the cluster has {max(1, self._cores)} CPU cores for a worker; the largest has {most}",
                hint="give a smaller `worker_cores`",
            )
        self._class: Any = self._ray.remote(
            num_cpus=self._cores, num_gpus=self._gpus, max_restarts=0, max_task_retries=0
        )(Worker)

    def wanted(self) -> int:
        """See `Backend`; grows when machines join."""
        there = self._ray.cluster_resources()
        room = int(there.get("CPU", 0)) // self._cores
        return min(room, int(there.get("GPU", 0))) if self._gpus else room

    def start(self) -> Any:
        """See `Backend`."""
        return self._class.remote(self._order, self._mark)

    def begin(self, worker: Any) -> Ticket:
        """See `Backend`."""
        return worker.begin.remote()

    def submit(self, worker: Any, task: Task) -> Ticket:
        """See `Backend`."""
        return worker.run.remote(task)

    def wait(self, tickets: Sequence[Ticket], seconds: float) -> Sequence[Ticket]:
        """See `Backend`."""
        done, _ = self._ray.wait(list(tickets), num_returns=1, timeout=seconds)
        if not done:
            return ()
        found: Sequence[Ticket] = self._ray.wait(list(tickets), num_returns=len(tickets), timeout=0)[0]
        return found

    def answer(self, ticket: Ticket) -> Answer:
        """See `Backend`."""
        errors = self._ray.exceptions
        try:
            found: Answer = self._ray.get(ticket)
        except errors.RayTaskError:  # `Worker` answers with its errors: this one is of Ray's or of a broken install
            raise
        except errors.RayError as error:
            raise LostWorkerError(" ".join(str(error).split())[:200]) from error
        return found

    def stop(self, worker: Any) -> None:
        """See `Backend`."""
        with contextlib.suppress(Exception):  # it has gone already
            self._ray.kill(worker, no_restart=True)

    def close(self) -> None:
        """Leave Ray; one that was started for this run ends."""
        self._ray.shutdown()
        sys.stdout = self._stdout


class _OfThisThread:
    """Standard output for the thread that makes it, standard error for all others.

    Ray prints what happens to its workers on standard output, from a thread of its own; results are there.
    """

    def __init__(self, stdout: TextIO) -> None:
        self._stdout, self._thread = stdout, threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stdout if threading.get_ident() == self._thread else sys.stderr, name)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray answers SIGTERM in its own way; ours stays, by which temporary files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
