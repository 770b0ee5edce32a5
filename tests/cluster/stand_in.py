"""Workers in this process instead of on Ray: the same order, worker and pool, without another process."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

from imgfix.cluster.orders import Answer, Order, Task
from imgfix.cluster.pool import LostWorkerError
from imgfix.cluster.worker import Worker
from imgfix.pipelines.moving.parts import Part


def sent(thing: Any) -> Any:
    """What arrives on the other side."""
    return pickle.loads(pickle.dumps(thing))


class StandIn:
    """A backend whose workers do their oldest task when they are waited for.

    lost: told the number of the task at hand and whether its work has been done; says whether the worker dies there.
    """

    def __init__(self, lost: Callable[[int, bool], bool] = lambda number, done: False, size: int = 2) -> None:
        self.lost, self.size, self.closed = lost, size, False
        self.order: Order | None = None
        self.workers: list[Worker] = []
        self.parts = self.frames = 0
        """Parts of clips that were made, and their frames, as far as their ends are known."""
        self._open: dict[int, tuple[int, Task | None]] = {}
        self._answers: dict[int, Answer | None] = {}
        self._next = 0

    def __call__(self, order: Order, address: str, cores: int | None, mark: str) -> StandIn:
        """Made in the place of `OnRay`."""
        self.order, self.address, self.cores = sent(order), address, cores
        return self

    def wanted(self) -> int:
        return self.size

    def start(self) -> int:
        assert self.order is not None
        self.workers.append(Worker(self.order))
        return len(self.workers) - 1

    def begin(self, worker: int) -> int:
        return self._ticket(worker, None)

    def submit(self, worker: int, task: Task) -> int:
        return self._ticket(worker, sent(task))

    def _ticket(self, worker: int, task: Task | None) -> int:
        self._next += 1
        self._open[self._next] = worker, task
        return self._next

    def wait(self, tickets: Sequence[int], seconds: float) -> Sequence[int]:
        first = min(tickets)
        worker, task = self._open[first]
        if task is not None and self.lost(task.number, False):
            return self._kill(worker)
        answer = self.workers[worker].begin() if task is None else self.workers[worker].run(task)
        if task is not None and isinstance(task.part, Part):
            self.parts, self.frames = self.parts + 1, self.frames + (task.part.end or task.part.first) - task.part.first
        if task is not None and self.lost(task.number, True):
            return self._kill(worker)
        self._answers[first] = sent(answer)
        return [first]

    def _kill(self, worker: int) -> Sequence[int]:
        gone = [ticket for ticket, (whose, _) in self._open.items() if whose == worker]
        self._answers.update(dict.fromkeys(gone))
        return gone

    def answer(self, ticket: int) -> Answer:
        del self._open[ticket]
        found = self._answers.pop(ticket)
        if found is None:
            raise LostWorkerError("its process has gone")
        return found

    def stop(self, worker: int) -> None:
        self._open = {ticket: each for ticket, each in self._open.items() if each[0] != worker}

    def close(self) -> None:
        self.closed = True
