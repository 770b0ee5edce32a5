"""Runs command lines that are named on stdin, one JSON object a line, in one process; answers on stdout."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from imgfix import cli
from imgfix.cli import app
from imgfix.media.sources import VIDEO_EXTENSIONS
from imgfix.train import kinds
from imgfix.zoo import catalog, community_index, folders

kinds.KINDS["tiny"] = "tests.train.tiny_job"  # a kind of training whose steps take a millisecond


def main() -> None:
    """Answer until stdin ends."""
    import torch

    torch.set_num_threads(1)
    app.command = cache(app.command)  # typer takes longer to build it than a small picture takes
    answers = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)  # what C libraries print is no answer
    os.dup2(nothing, 2)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    with _surroundings(asked.get("environment", {})):
        code, said, seconds = run(asked["arguments"])
    out = Path(asked["out"])
    return {
        "code": code,
        "said": said[-4000:],
        "seconds": round(seconds, 3),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "broken": broken(out) if asked.get("check", True) else [],
        "written": sum(1 for path in out.rglob("*") if path.is_file()),
    }


@contextlib.contextmanager
def _surroundings(environment: dict[str, str]) -> Iterator[None]:
    """Other environment variables; SHIPPED is the folder of the shipped models."""
    before, shipped = dict(os.environ), folders.shipped_folder
    os.environ |= environment
    if "SHIPPED" in environment:
        folders.shipped_folder = lambda: Path(environment["SHIPPED"])
    for known in (catalog._read, community_index._read):
        known.cache_clear()
    try:
        yield
    finally:
        folders.shipped_folder = shipped
        os.environ.clear()
        os.environ |= before


def run(arguments: list[str]) -> tuple[int | str, str, float]:
    """Exit code (or what came out of `cli.run`), stderr and seconds of a command line."""
    begun = time.perf_counter()
    said = io.StringIO()
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    code: int | str
    before = sys.stdin
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        sys.stdin = io.TextIOWrapper(io.BytesIO())
        try:
            code = int(cli.run(arguments))
        except BaseException as error:
            code = f"{type(error).__name__}: {error}"
        finally:
            sys.stdin = before
    return code, said.getvalue(), time.perf_counter() - begun


def broken(folder: Path) -> list[str]:
    """Files below a folder that are litter or cannot be read to their end."""
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    if path.name.startswith(".imgfix-"):
        return False
    if any(part.endswith(".unfinished") for part in path.parts):  # parts of a clip, which --resume takes up
        return True
    try:
        if path.suffix in VIDEO_EXTENSIONS:
            import av

            with av.open(str(path)) as container:
                return sum(1 for _ in container.decode(video=0)) > 0
        if path.suffix in (".png", ".jpg", ".webp", ".tif", ".gif", ".bmp", ".apng"):
            from PIL import Image

            with Image.open(path) as picture:
                for number in range(getattr(picture, "n_frames", 1)):
                    picture.seek(number)
                    picture.load()
    except Exception:
        return False
    return True


if __name__ == "__main__":
    main()
