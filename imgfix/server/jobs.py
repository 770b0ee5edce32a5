"""The queue, and the one worker of each device: what waits for its answer goes before jobs, and jobs make way for it.

Work is stopped where it tells of its progress, so between two frames, tiles or holes. There a job also makes way for
requests whose callers wait: they are served in between, on the same thread, so that one device never does two things.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from imgfix.server.answers import Refused, refusal
from imgfix.server.fields import VERBS
from imgfix.server.metrics import Metrics
from imgfix.server.orders import Executor, JobResult, Order
from imgfix.server.store import JobRow, Store, new_identifier

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
_WRITTEN = 1.0
"""Seconds between two notes of a job's progress on disk."""
_logger = logging.getLogger("imgfix.server")


class _Stopped(BaseException):
    """Raised in the work itself where it is not wanted any more; no error, so that nothing in between catches it."""


@dataclass(eq=False)
class Job:
    """An order on its way; written down when `lasting`."""

    order: Order
    command: str
    lasting: bool
    id: str = field(default_factory=new_identifier)
    made: float = field(default_factory=time.time)
    status: str = QUEUED
    done: int = 0
    total: int = 0
    unit: str = ""
    answer: dict[str, Any] | None = None
    refused: Refused | None = None
    ended: float | None = None
    version: int = 0
    """Counts changes."""
    outputs: JobResult | None = None
    cancelled: bool = False
    written: float = 0.0
    seconds: float = 0.0
    heard: list[Callable[[], None]] = field(default_factory=list)
    """Told, once, when it has ended; from the worker's thread."""

    @property
    def row(self) -> JobRow:
        """As it is written down and told."""
        error = self.refused.facts if self.refused is not None else None
        return JobRow(
            self.id, self.order.verb, self.status, self.order.facts, self.command, self.done, self.total, self.unit,
            self.answer, error, self.made, self.ended,
        )  # fmt: skip


class Queue:
    """Takes orders, has them carried out, and knows how each stands.

    Args:
        store: where lasting jobs are written down.
        executors: one for each device.
        most: jobs that may wait, and as many requests that wait for their answer.
    """

    def __init__(self, store: Store, executors: Sequence[Executor], most: int, metrics: Metrics) -> None:
        self._store, self._executors, self._most, self._metrics = store, executors, most, metrics
        self._change, self._noting = threading.Condition(), threading.Lock()
        self._quick: deque[Job] = deque()
        self._slow: deque[Job] = deque()
        self._running: set[Job] = set()
        self._stopping = False
        self._usual = 1.0  # seconds that an order takes, of the last ones
        self._threads = [
            threading.Thread(target=self._work, args=(executor,), name=f"imgfix-{executor.device}", daemon=True)
            for executor in executors
        ]

    def start(self) -> None:
        """Take up what an earlier server left, and begin to work."""
        for row in self._store.jobs():
            if row.status in (QUEUED, RUNNING):
                job = Job(Order.of(row.asked), row.command, True, row.id, row.made, unit=row.unit)
                self._slow.append(job)
                self._note(job)
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float = 10.0) -> None:
        """End the work at the next frame or tile; lasting jobs go on with the next start."""
        with self._change:
            self._stopping = True
            waiting = list(self._quick)
            self._quick.clear()
            self._change.notify_all()
        for job in waiting:
            self._end(job, CANCELLED)
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    # -- asked by requests ---------------------------------------------------------------------------------------------

    def submit(self, order: Order, command: str, lasting: bool) -> Job:
        """Put an order into the queue. Raises Refused: it is full."""
        job = Job(order, command, lasting, unit=self._executors[0].unit(order))
        with self._change:
            waiting = self._slow if lasting else self._quick
            if len(waiting) >= self._most or self._stopping:
                after = self._seconds_until_room(lasting)
                raise Refused(
                    429, "busy", f"{len(waiting)} {'jobs' if lasting else 'requests'} are waiting already",
                    f"try again in {after} s", headers={"Retry-After": str(after)},
                )  # fmt: skip
            self._note(job)
            waiting.append(job)
            self._change.notify()
        return job

    def _seconds_until_room(self, lasting: bool) -> int:
        ahead = len(self._quick) + (len(self._slow) if lasting else 0)
        return min(60, max(1, math.ceil(ahead * self._usual / (2 * len(self._executors)))))

    def keep(self, job: Job) -> bool:
        """Make a job last that somebody waited for; False: it has ended meanwhile."""
        with self._change:
            if job.status not in (QUEUED, RUNNING):
                return False
            job.lasting = True
            if job in self._quick:
                self._quick.remove(job)
                self._slow.append(job)
        self._note(job)
        return True

    def cancel(self, identifier: str) -> bool:
        """End a job, at once where it waits, else at the next frame or tile; False: there is no such job any more."""
        with self._change:
            job = self._active(identifier)
            if job is None:
                return False
            job.cancelled = True
            waiting = job in self._slow or job in self._quick
            if waiting:
                (self._slow if job in self._slow else self._quick).remove(job)
        if waiting:
            self._end(job, CANCELLED)
        return True

    def job(self, identifier: str) -> JobRow | None:
        """How a job stands; None: there is none."""
        with self._change:
            job = self._active(identifier)
            return job.row if job is not None else self._store.job(identifier)

    def version(self, identifier: str) -> int | None:
        """Changes whenever something about the job does; None: it has ended."""
        with self._change:
            job = self._active(identifier)
        return None if job is None else job.version

    def _active(self, identifier: str) -> Job | None:
        everything = (*self._running, *self._quick, *self._slow)
        return next((job for job in everything if job.id == identifier), None)

    @property
    def counts(self) -> dict[str, int]:
        """Jobs that run, that wait, and requests that wait."""
        with self._change:
            return {"running": len(self._running), "jobs": len(self._slow), "requests": len(self._quick)}

    @property
    def works(self) -> bool:
        """Whether every worker is alive."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def files(self) -> set[str]:
        """The files that somebody still needs."""
        with self._change:
            return {name for job in (*self._running, *self._quick, *self._slow) for name in job.order.files}

    # -- in the workers ------------------------------------------------------------------------------------------------

    def _work(self, executor: Executor) -> None:
        while (job := self._next()) is not None:
            self._carry_out(executor, job)

    def _next(self) -> Job | None:
        with self._change:
            while not (self._quick or self._slow or self._stopping):
                self._change.wait()
            if self._stopping:
                return None
            job = (self._quick or self._slow).popleft()
            self._running.add(job)
            return job

    def _make_way(self, executor: Executor) -> None:
        """Serve those who wait for an answer."""
        while True:
            with self._change:
                if self._stopping or not self._quick:
                    return
                job = self._quick.popleft()
                self._running.add(job)
            self._carry_out(executor, job)

    def _carry_out(self, executor: Executor, job: Job) -> None:
        job.status = RUNNING
        self._note(job)
        start = time.monotonic()
        waited = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal waited
            if job.cancelled or self._stopping:
                raise _Stopped
            job.done, job.total, job.version = done, total, job.version + 1
            if job.lasting:
                if time.monotonic() - job.written > _WRITTEN:
                    self._note(job)
                if self._quick:
                    before = time.monotonic()
                    self._make_way(executor)
                    waited += time.monotonic() - before

        ended = DONE
        try:
            if job.cancelled:
                raise _Stopped
            made = executor.carry_out(job.order, job.id, progress)
            job.outputs, job.answer = made, answer(made)
        except _Stopped:
            ended = CANCELLED if job.cancelled or not job.lasting else QUEUED
        except BaseException as error:
            if not isinstance(error, Exception):
                _logger.exception("the worker was interrupted by its work")
            ended, job.refused = FAILED, self._refusal(executor, job, error)
        job.seconds = time.monotonic() - start - waited
        if ended == QUEUED:  # the server stops: the next one goes on
            with self._change:
                self._running.discard(job)
            return
        self._usual += 0.2 * (job.seconds - self._usual)
        self._metrics.worked(job.order.verb, ended, job.seconds)
        self._store.drop_folder(job.id)
        self._end(job, ended)

    def _refusal(self, executor: Executor, job: Job, error: BaseException) -> Refused:
        told = refusal(error, executor.names(job.order), VERBS[job.order.verb].public)
        if told.status == 500:
            _logger.error("%s failed", job.command, exc_info=error)
        return told

    def _end(self, job: Job, status: str) -> None:
        with self._change:  # whoever sees that it has ended finds it written down, and its files free
            if job.answer is not None and status == DONE:
                job.done = job.total = max(job.total, 1)
            job.ended = time.time()
            job.status = status
            self._note(job)
            self._running.discard(job)
            heard = list(job.heard)
        for tell in heard:
            tell()

    def _note(self, job: Job) -> None:
        """Write a lasting job down."""
        with self._noting:  # two threads that write the same job down do so in the order of what they saw
            job.version += 1
            if job.lasting:
                job.written = time.monotonic()
                self._store.save_job(job.row)


def answer(made: JobResult) -> dict[str, Any]:
    """What was made, as JSON."""
    files = [row.facts for row in made.outputs]
    shown: dict[str, Any] = {"output": files[0]} if files else {}
    if len(files) > 1:
        shown["outputs"] = files
    return shown | dict(made.answer)


def settled(row: JobRow) -> bool:
    """Whether nothing more happens to a job."""
    return row.status in (DONE, FAILED, CANCELLED)
