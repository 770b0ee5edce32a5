"""A clip through a task that remembers, in a process of its own that a test can kill: SOURCE TARGET SECONDS_A_FRAME."""

from __future__ import annotations

import sys
from pathlib import Path

from imgfix.media.video import segments
from imgfix.pipelines.moving.clip import Clip, Settings
from tests.tasks.doubling import Remembering


def main() -> None:
    source, target, seconds = sys.argv[1:4]
    segments.LENGTH = 8
    Clip(Path(source), Path(target), Settings(resume=True)).run(Remembering(seconds=float(seconds)), {}, say=print)


if __name__ == "__main__":
    main()
