"""A batch of a pipeline, done by workers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.cluster.on_ray import OnRay
from imgfix.cluster.orders import Answer, Order, Said, Task
from imgfix.cluster.pool import Backend, Pool
from imgfix.errors import UsageError
from imgfix.media import files

if TYPE_CHECKING:
    from imgfix.media.jobs import Job
    from imgfix.pipelines.pipeline import Pipeline

Done = tuple["Job", Answer | None]
"""A job and what became of it; None: nothing was to be done."""


def on_ray(
    pipeline: Pipeline[Any], jobs: Iterable[Job], address: str, cores: int | None, check: Callable[[], None]
) -> Generator[Done, None, None]:
    """Each job with its answer, as workers on Ray do them. Arguments as of `OnRay` and `spread`; raises as they do.

    Temporary files that workers leave behind when they are lost or ended are removed in the end.
    """
    mark, left = f"{secrets.token_hex(4)}-", list[Path]()
    backend = OnRay(Order.of(pipeline), address, cores, mark)
    try:
        yield from spread(jobs, backend, check, left, pipeline.listener.warned)
    finally:
        backend.close()
        files.sweep(mark, left)


def spread(
    jobs: Iterable[Job],
    backend: Backend,
    check: Callable[[], None],
    left: list[Path],
    tell: Callable[[str], None],
) -> Generator[Done, None, None]:
    """Each job with its answer, as the workers of a backend do them.

    Jobs that have an error or are to be skipped come back at once. When `check` raises, or the iterator is closed, all
    workers are ended. An interruption comes as the answer to the first job that is not done, and is the last one.
    What is said is said once, whichever worker says it.

    left: gets the targets of all that was begun by a worker and not answered by it. tell: see `Pool`.

    Raises ImgfixError: no worker can carry out the order.
    """
    known: dict[int, Job] = {}
    said = set[Said]()
    pool = Pool(backend, check, tell)
    try:
        for task, answer in pool.spread(_tasks(jobs, known)):
            if answer is None or not isinstance(task, Task):
                assert not isinstance(task, Task)
                yield task, None
                continue
            new = [each for each in answer.said if each not in said]
            said.update(new)
            yield known.pop(task.number), replace(answer, said=new)
    except (KeyboardInterrupt, SystemExit) as error:
        begun = pool.in_flight
        if not begun:
            raise
        pool.close()
        yield known[begun[0].number], Answer(interrupted=error)
    finally:
        left += [task.target for task in pool.abandoned]
        left += [job.target for job in known.values() if isinstance(job.target, Path)]
        pool.close()


def _tasks(jobs: Iterable[Job], known: dict[int, Job]) -> Iterator[Task | Job]:
    """The tasks of jobs, each noted; the jobs themselves that have nothing to be done."""
    for number, job in enumerate(jobs):
        if job.error is not None or job.skip is not None:
            yield job
            continue
        if not (isinstance(job.source, Path) and isinstance(job.target, Path)):
            raise UsageError("`ray` works on files, not on pipes", hint="name files, and a folder with `output`")
        known[number] = job
        yield Task(number, job.source, job.target, job.relative)
