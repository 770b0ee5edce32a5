"""The pool alone: bounded, each task answered once, done again when a worker is lost, given up after several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from imgfix.cluster.orders import Answer, Task
from imgfix.cluster.pool import DEPTH, TRIES, LostWorkerError, Pool
from imgfix.errors import ExitCode, ImgfixError, UsageError


@dataclass
class Pretended:
    """Workers that answer in the order of being asked, one answer at each look; `lost` says at which task they die."""

    size: int = 2
    lost: Callable[[int, int], bool] = lambda worker, number: False
    refused: ImgfixError | None = None
    started: int = 0
    stopped: list[int] = field(default_factory=list)
    open: list[tuple[int, Task | None]] = field(default_factory=list)
    most: int = 0
    dead: set[int] = field(default_factory=set)
    served: list[tuple[int, int]] = field(default_factory=list)

    def wanted(self) -> int:
        return self.size

    def start(self) -> int:
        self.started += 1
        return self.started

    def begin(self, worker: int) -> Any:
        return self._ticket(worker, None)

    def submit(self, worker: int, task: Task) -> Any:
        return self._ticket(worker, task)

    def _ticket(self, worker: int, task: Task | None) -> Any:
        self.open.append((worker, task))
        self.most = max(self.most, sum(1 for _, one in self.open if one is not None))
        return worker, task

    def wait(self, tickets: Sequence[Any], seconds: float) -> Sequence[Any]:
        assert set(tickets) <= set(self.open)
        first = self.open[0]
        worker, task = first
        if task is not None and self.lost(worker, task.number):
            self.dead.add(worker)
            return [ticket for ticket in self.open if ticket[0] == worker]
        return [first]

    def answer(self, ticket: Any) -> Answer:
        worker, task = ticket
        if worker in self.dead:
            self.open = [each for each in self.open if each[0] != worker]
            raise LostWorkerError("killed")
        self.open.remove(ticket)
        if task is None:
            return Answer(error=self.refused)
        self.served.append((worker, task.number))
        return Answer()

    def stop(self, worker: int) -> None:
        self.stopped.append(worker)
        self.open = [each for each in self.open if each[0] != worker]


def tasks(number: int) -> Iterator[Task]:
    return (Task(n, Path(f"{n}.png"), Path(f"out/{n}.png"), Path(f"{n}.png")) for n in range(number))


def never() -> None:
    """Nobody interrupts."""


def spread(backend: Pretended, number: int) -> list[tuple[int, Answer]]:
    found = []
    for task, answer in Pool(backend, never).spread(tasks(number)):
        assert isinstance(task, Task) and answer is not None
        found.append((task.number, answer))
    return found


def test_what_is_no_task_comes_back_at_once() -> None:
    first, second = tasks(2)
    found = [task for task, _ in Pool(Pretended(size=1), never).spread(iter(["done", first, "there", second]))]
    assert found == ["done", "there", first, second]


def test_each_task_is_answered_once_by_all_workers() -> None:
    backend = Pretended(size=3)
    found = spread(backend, 20)
    assert sorted(number for number, _ in found) == list(range(20))
    assert {worker for worker, _ in backend.served} == {1, 2, 3}
    assert backend.most <= 3 * DEPTH


def test_nothing_is_asked_for_before_there_is_room_for_it() -> None:
    asked = []

    def counted() -> Iterator[Task]:
        for task in tasks(1000):
            asked.append(task.number)
            yield task

    answers = Pool(Pretended(size=2), never).spread(counted())
    next(answers)
    assert len(asked) <= 2 * DEPTH + 1


def test_what_a_lost_worker_had_is_done_by_another() -> None:
    lost = [7]

    def once(worker: int, number: int) -> bool:
        return number in lost and not lost.clear()

    backend = Pretended(lost=once)
    found = spread(backend, 20)
    assert sorted(number for number, _ in found) == list(range(20))
    assert all(answer.error is None for _, answer in found)
    assert backend.started == 3 and len(backend.dead) == 1


def test_a_file_that_kills_every_worker_is_given_up_and_the_others_are_done() -> None:
    backend = Pretended(lost=lambda worker, number: number == 4)
    found = dict(spread(backend, 10))
    assert sorted(found) == list(range(10))
    failed = {number: answer.error for number, answer in found.items() if answer.error is not None}
    assert list(failed) == [4] and "4.png" in failed[4].message
    assert failed[4].exit_code == ExitCode.MEMORY
    assert len(backend.dead) == TRIES


def test_workers_that_all_die_end_the_run() -> None:
    with pytest.raises(ImgfixError, match="no worker stays alive: killed"):
        spread(Pretended(lost=lambda worker, number: True), 100)


def test_an_order_that_no_worker_can_carry_out_ends_the_run() -> None:
    with pytest.raises(UsageError, match="another version"):
        spread(Pretended(refused=UsageError("another version")), 3)


def test_workers_that_join_later_get_work() -> None:
    backend = Pretended(size=1)
    pool = Pool(backend, never)
    done = 0
    for _ in pool.spread(tasks(20)):
        done += 1
        if done == 5:
            backend.size = 3
    assert (done, {worker for worker, _ in backend.served}) == (20, {1, 2, 3})


def test_one_file_takes_one_worker_of_many() -> None:
    backend = Pretended(size=8)
    assert len(spread(backend, 1)) == 1
    assert backend.started == 1


def test_an_interruption_stops_all_workers() -> None:
    looks = []

    def interrupted() -> None:
        looks.append(1)
        if len(looks) > 6:
            raise KeyboardInterrupt

    backend = Pretended()
    pool = Pool(backend, interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(pool.spread(tasks(50)))
    assert pool.in_flight
    pool.close()
    assert sorted(backend.stopped) == [1, 2] and not pool.in_flight
