"""Tasks spread over workers that may be lost: bounded in flight, done again elsewhere, answered once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from imgfix.cluster.orders import Answer, Task
from imgfix.errors import ImgfixError, MemoryExhaustedError

DEPTH = 2
"""Tasks a worker has at a time: one it works on, and the next, so that it never waits."""
TRIES = 3
"""Workers that may be lost over one file before it is given up."""
_PATIENCE = 0.2
"""Seconds between two looks at whether the user has interrupted."""

Other = TypeVar("Other")


class Later:
    """In the place of a task: the next one is not known yet."""


LATER = Later()
Ticket = Any
"""Stands for an answer that is to come; can be a key."""


class LostWorkerError(Exception):
    """The process of a worker, or its machine, has gone."""


class Backend(Protocol):
    """Where workers run."""

    def wanted(self) -> int:
        """How many workers there is room for now."""

    def start(self) -> Any:
        """A worker, perhaps not ready yet."""

    def begin(self, worker: Any) -> Ticket:
        """Let it make ready; the first thing asked of it."""

    def submit(self, worker: Any, task: Task) -> Ticket:
        """Hand it a task; it does one after the other."""

    def wait(self, tickets: Sequence[Ticket], seconds: float) -> Sequence[Ticket]:
        """Those of the tickets that are answered or lost; waits for the first of them, and no longer than that."""

    def answer(self, ticket: Ticket) -> Answer:
        """The answer to one of them. Raises LostWorkerError."""

    def stop(self, worker: Any) -> None:
        """End a worker at once."""


@dataclass
class _Desk:
    """A worker with what it has been handed."""

    worker: Any
    opening: Ticket | None
    """Until it is ready."""
    tasks: deque[tuple[Ticket, Task]] = field(default_factory=deque)


class Pool:
    """The workers of a run."""

    def __init__(
        self, backend: Backend, check: Callable[[], None], tell: Callable[[str], None] = lambda text: None
    ) -> None:
        """check: called again and again; what it raises ends the run. tell: told when a worker was lost."""
        self._backend, self._check, self._tell = backend, check, tell
        self._desks: list[_Desk] = []
        self._again: deque[Task] = deque()
        self._losses: dict[int, int] = {}
        self._idle_losses = 0
        """Workers lost since one was last heard of."""
        self.abandoned: list[Task] = []
        """What workers that were lost had begun, as far as is known."""

    @property
    def in_flight(self) -> list[Task]:
        """What was handed out and is not answered."""
        return [*(task for desk in self._desks for _, task in desk.tasks), *self._again]

    def spread(self, tasks: Iterator[Task | Other | Later]) -> Iterator[tuple[Task | Other, Answer | None]]:
        """Each task with its answer, as they are done; what is no task comes back at once, without an answer.

        After `LATER` the iterator is asked again, before long.

        Raises ImgfixError: no worker can carry out the order, or none stays alive.
        """
        task: Task | Other | Later | None = None
        more = True
        while True:
            while self._again and (desk := self._desk()) is not None:
                self._hand(desk, self._again.popleft())
            while more:
                task = next(tasks, None) if task is None else task
                if task is None:
                    more = False
                elif isinstance(task, Later):
                    task = None
                    break
                elif not isinstance(task, Task):
                    yield task, None
                    task = None
                elif (desk := self._desk()) is not None:
                    self._hand(desk, task)
                    task = None
                else:
                    break
            if not more and not self.in_flight:
                return
            yield from self._answered()

    def close(self) -> None:
        """End all workers at once."""
        for desk in self._desks:
            self._backend.stop(desk.worker)
        self._desks = []

    def _desk(self) -> _Desk | None:
        """A worker with room for a task, a new one where all have some and there is room for it; None: all are busy."""
        desk = min(self._desks, key=lambda one: len(one.tasks), default=None)
        if (desk is None or desk.tasks) and len(self._desks) < max(1, self._backend.wanted()):
            worker = self._backend.start()
            desk = _Desk(worker, self._backend.begin(worker))
            self._desks.append(desk)
        return desk if desk is not None and len(desk.tasks) < DEPTH else None

    def _hand(self, desk: _Desk, task: Task) -> None:
        desk.tasks.append((self._backend.submit(desk.worker, task), task))

    def _answered(self) -> Iterator[tuple[Task, Answer]]:
        self._check()
        openings = [desk.opening for desk in self._desks if desk.opening is not None]
        waiting = [*openings, *(ticket for desk in self._desks for ticket, _ in desk.tasks)]
        if not waiting:
            time.sleep(_PATIENCE / 10)
        done = set(self._backend.wait(waiting, _PATIENCE)) if waiting else set()
        self._check()
        for desk in list(self._desks):
            try:
                yield from self._of(desk, done)
            except LostWorkerError as error:
                yield from self._lost(desk, error)

    def _of(self, desk: _Desk, done: set[Ticket]) -> Iterator[tuple[Task, Answer]]:
        if desk.opening in done and desk.opening is not None:
            opened = self._backend.answer(desk.opening)
            if opened.error is not None:
                raise opened.error
            desk.opening = None
        while desk.tasks and desk.tasks[0][0] in done:
            ticket, task = desk.tasks[0]
            answer = self._backend.answer(ticket)
            desk.tasks.popleft()
            self._idle_losses = 0
            self._losses.pop(task.number, None)
            yield task, answer

    def _lost(self, desk: _Desk, error: LostWorkerError) -> Iterator[tuple[Task, Answer]]:
        """Have its tasks done by others; the one it was at is given up when that has happened too often."""
        self._desks.remove(desk)
        self._backend.stop(desk.worker)
        self._idle_losses += 1
        left = [task for _, task in desk.tasks]
        at = f" at {left[0].source}" if left else ""
        self._tell(f"a worker was lost{at}, and another one takes its place: {error}")
        if left and desk.opening is None:
            first = left[0]
            self.abandoned.append(first)
            self._losses[first.number] = self._losses.get(first.number, 0) + 1
            if self._losses[first.number] >= TRIES:
                left = left[1:]
                del self._losses[first.number]
                yield first, Answer(None, _given_up(first, error))
        self._again.extendleft(reversed(left))
        if self._idle_losses > TRIES * max(2, self._backend.wanted()):
            raise ImgfixError(f"no worker stays alive: {error}", hint="look at the logs of the cluster")


def _given_up(task: Task, error: LostWorkerError) -> ImgfixError:
    return MemoryExhaustedError(
        f"{task.source}: {TRIES} workers were lost over it: {error}", hint="it may need more memory than a worker has"
    )
