"""A batch of a pipeline, done by workers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.cluster.feed import Done, Feed
from imgfix.cluster.on_ray import OnRay
from imgfix.cluster.orders import Answer, Order, Said, Task
from imgfix.cluster.pool import Backend, Pool
from imgfix.media import files
from imgfix.pipelines.models import Listener

if TYPE_CHECKING:
    from imgfix.media.jobs import FileJob
    from imgfix.pipelines.pipeline import Pipeline


def on_ray(
    pipeline: Pipeline[Any], jobs: Iterable[FileJob], address: str, cores: int | None, check: Callable[[], None]
) -> Generator[Done, None, None]:
    """Each job with its answer, as workers on Ray do them. Arguments as of `OnRay` and `spread`; raises as they do.

    Temporary files that workers leave behind when they are lost or ended are removed in the end.
    """
    mark, left = f"{secrets.token_hex(4)}-", list[Path]()
    backend = OnRay(Order.of(pipeline), address, cores, mark)
    try:
        yield from spread(jobs, backend, check, left, pipeline.listener)
    finally:
        backend.close()
        files.sweep(mark, left)


def spread(
    jobs: Iterable[FileJob],
    backend: Backend,
    check: Callable[[], None],
    left: list[Path],
    listener: Listener,
) -> Generator[Done, None, None]:
    """Each job with its answer, as the workers of a backend do them.

    Jobs that have an error or are to be skipped come back at once. When `check` raises, or the iterator is closed, all
    workers are ended. An interruption comes as the answer to the first job that is not done, and is the last one.
    What is said is said once, whichever worker says it.

    left: gets the targets of all that was begun by a worker and not answered by it. listener: told of lost workers, and
    what is said of clips before they are done.

    Raises ImgfixError: no worker can carry out the order.
    """
    said = set[Said]()
    pool, feed = Pool(backend, check, listener.warned), Feed(jobs, backend.wanted)
    try:
        for task, answer in pool.spread(feed):
            if answer is None or not isinstance(task, Task):
                assert not isinstance(task, Task)
                yield task, None
                continue
            new = [each for each in answer.said if each not in said]
            said.update(new)
            answer = replace(answer, said=new)
            done = dict(feed.answered(task, answer))
            if not done:
                answer.say(listener)
            yield from done.items()
    except (KeyboardInterrupt, SystemExit) as error:
        begun = feed.unfinished
        if not begun:
            raise
        pool.close()
        feed.close(error)
        yield begun[0], Answer(interrupted=error)
    finally:
        left += [task.target for task in pool.abandoned]
        left += [job.target for job in feed.unfinished if isinstance(job.target, Path)]
        pool.close()
        feed.close()
