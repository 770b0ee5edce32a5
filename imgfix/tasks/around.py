"""A `SequenceTask` that does something to the frames of another one."""

from __future__ import annotations

from imgfix.tasks.sequence import Division, Estimate, SequenceTask


class Around:
    """What such a task has from the one inside, unless it says otherwise.

    Args:
        task: the one inside.
    """

    def __init__(self, task: SequenceTask) -> None:
        self.task = task

    @property
    def held(self) -> int:
        """See `SequenceTask.held`."""
        return self.task.held

    @property
    def fills_cpu(self) -> bool:
        """See `SequenceTask.fills_cpu`."""
        return self.task.fills_cpu

    def size(self, width: int, height: int) -> tuple[int, int]:
        """See `SequenceTask.size`."""
        return self.task.size(width, height)

    def estimate(self, width: int, height: int) -> Estimate | None:
        """See `SequenceTask.estimate`."""
        return self.task.estimate(width, height)

    def division(self, width: int, height: int) -> Division | None:
        """See `SequenceTask.division`: not divided, where the task around says nothing else."""
