"""imgfix beside the libraries that run the same weights: times, and how near the outputs are, in one run.

    python tests/bench/engines.py [--models a,b] [--megapixels 0.25,1,12] [--threads 1,2] [--rounds 3] [-o FILE.json]

Contestants, each in a process of its own, take turns over the same photo:
  plain             torch, fp32, the whole picture at once
  imgfix            the engine and the precision that imgfix takes by itself (`--engine auto`), with its tiles
  imgfix-torch      the same with `--engine torch`
  onnxruntime       the exported file, fp32, the whole picture
  openvino-fp32     the same in OpenVINO
  openvino-bf16     the same in bf16, on a CPU that computes it
The whole picture at once is left out above `--whole` megapixels, where it would take tens of gigabytes. Loading and the
first run are not counted. A row has the medians of the rounds: seconds by the clock, seconds of the processor (of all
threads), and the ratio of the latter to those of imgfix in the same round (above 1, imgfix is faster). PSNR is to the
first contestant that ran in fp32, over values clipped to [0, 1]. A model with a size of its own (inpaint-photo) gets
that. Models that are not here are pulled.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

CONTESTANTS = ("plain", "onnxruntime", "openvino-fp32", "openvino-bf16", "imgfix-torch", "imgfix")
MODELS = "photo-x4,restore"
Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Row:
    """One contestant at one size."""

    model: str
    contestant: str
    what: str
    threads: int
    width: int
    height: int
    seconds: float
    cpu_seconds: float
    ratio: float | None
    """Of its processor seconds to those of imgfix."""
    psnr: float | None
    """dB; None: equal, or nothing to compare with."""


def plain(model: Any, threads: int) -> tuple[Run, str]:
    import torch

    def run(photo: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(photo).permute(2, 0, 1)[None].contiguous()
            return model.net(x)[0].permute(1, 2, 0).numpy()

    return run, f"torch {torch.__version__}, fp32"


def imgfix(model: Any, threads: int, engine: str, pixels: int) -> tuple[Run, str]:
    from imgfix.runtime import tiling
    from imgfix.runtime.engine import Engine
    from imgfix.runtime.engines import choice

    choice.WORTH = 0  # `auto` measures at once where it has not yet, however short the work
    placed = Engine(model, "cpu", note=print, engine=engine).for_pixels(pixels)

    def run(photo: np.ndarray) -> np.ndarray:
        bands: list[np.ndarray] = []
        tiling.run_tiled(placed, lambda a, b, c, d: photo[a:b, c:d], *photo.shape[:2], bands.append)
        return np.concatenate(bands)

    placed.prepare()
    return run, str(placed.placement)


def exported(model: Any, threads: int, engine: str, precision: str) -> tuple[Run, str]:
    import torch

    from imgfix.runtime import engines
    from imgfix.zoo.exported import file_for

    network = engines.compile_network(engine, file_for(model), precision, threads)  # type: ignore[arg-type]

    def run(photo: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(photo).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()

    return run, f"{engines.version(engine)}, {precision}"


def make(kind: str, name: str, threads: int, pixels: int) -> tuple[Run, str]:
    import torch

    from imgfix import zoo
    from imgfix.runtime import device

    torch.set_num_threads(threads)
    model = zoo.load(name)
    if kind == "plain":
        return plain(model, threads)
    if kind.startswith("imgfix"):
        return imgfix(model, threads, "torch" if kind == "imgfix-torch" else "auto", pixels)
    if kind == "openvino-bf16" and not device.cpu_has_bf16():
        raise ImportError("this CPU does not compute bf16")
    if kind == "onnxruntime":
        return exported(model, threads, "onnx", "fp32")
    return exported(model, threads, "openvino", kind.removeprefix("openvino-"))


def work(pipe: Connection, kind: str, model: str, threads: int, photo: np.ndarray) -> None:
    """A contestant's process: says when it is ready, runs when told to, sends its seconds and, once, its output."""
    try:
        run, label = make(kind, model, threads, photo.shape[0] * photo.shape[1])
    except Exception as error:  # left out with its reason
        pipe.send((None, f"{type(error).__name__}: {error}"))
        return
    pipe.send((True, label))
    while (wanted := pipe.recv()) is not None:
        wall, spent = time.perf_counter(), time.process_time()
        out = run(photo)
        seconds = time.perf_counter() - wall, time.process_time() - spent
        pipe.send(
            (*seconds, np.clip(out, 0, 1).astype(np.float16 if out.size > 1 << 26 else np.float32) if wanted else None)
        )


def psnr(first: np.ndarray, second: np.ndarray) -> float | None:
    error = float(np.mean((first.astype(np.float32) - second.astype(np.float32)) ** 2, dtype=np.float64))
    return None if error == 0 else round(-10 * math.log10(error), 1)


def picture(megapixels: float, channels: int, side: int | None = None) -> np.ndarray:
    """3:2 with slopes, edges and grain, float32 in [0, 1]; sides are multiples of 8, or `side`."""
    height = side or round(math.sqrt(megapixels * 1e6 / 1.5) / 8) * 8
    width = side or round(megapixels * 1e6 / height / 8) * 8
    generator = np.random.default_rng(0)
    slope = np.linspace(0.1, 0.9, width, dtype=np.float32)[None, :, None]
    edges = 0.2 * ((np.arange(height) // 32 % 2)[:, None, None] - 0.5)
    grain = 0.04 * generator.standard_normal((height, width, channels), dtype=np.float32)
    return np.clip(slope + edges + grain, 0, 1).astype(np.float32)


def compare(model: str, megapixels: float, threads: int, arguments: argparse.Namespace) -> list[Row]:
    from imgfix import zoo

    facts = zoo.load(model).descriptor
    photo = picture(megapixels, facts.in_channels, facts.native_size)
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    labels: dict[str, str] = {}
    processes = []
    for kind in arguments.contestants.split(","):
        if megapixels > arguments.whole and not kind.startswith("imgfix"):
            continue
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, kind, model, threads, photo), daemon=True)
        process.start()
        processes.append(process)
        ready, label = ours.recv()
        if ready:
            pipes[kind], labels[kind] = ours, label
        else:
            print(f"{kind}: left out ({label})", flush=True)
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in pipes}
    outputs: dict[str, np.ndarray] = {}
    for turn in range(arguments.rounds + 1):
        for kind, pipe in pipes.items():
            pipe.send(turn == 0)
            seconds, spent, out = pipe.recv()
            if turn:
                times[kind].append((seconds, spent))
            else:  # the first warms up
                outputs[kind] = out
    for pipe in pipes.values():
        pipe.send(None)
    for process in processes:
        process.join()
    reference = next((kind for kind in pipes if "fp32" in labels[kind]), None)
    own = times.get("imgfix")
    rows = []
    for kind, found in times.items():
        ratio = statistics.median(a[1] / b[1] for a, b in zip(found, own, strict=True)) if own else None
        rows.append(
            Row(
                model, kind, labels[kind], threads, photo.shape[1], photo.shape[0],
                statistics.median(each[0] for each in found), statistics.median(each[1] for each in found),
                ratio, psnr(outputs[reference], outputs[kind]) if reference and reference != kind else None,
            )
        )  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--megapixels", default="0.25,1,12")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--whole", type=float, default=2.0, help="largest picture given to others, in megapixels")
    parser.add_argument("--contestants", default=",".join(CONTESTANTS))
    parser.add_argument("-o", "--output", type=Path, help="the rows as JSON")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for threads in map(int, arguments.threads.split(",")):
        os.environ["OMP_NUM_THREADS"] = str(threads)  # of the processes that are started
        for megapixels in map(float, arguments.megapixels.split(",")):
            for model in arguments.models.split(","):
                found = compare(model, megapixels, threads, arguments)
                rows += found
                for row in found:
                    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
                    size = f"{row.width}x{row.height}"
                    print(
                        f"{row.model}  {size}  {row.threads} threads  {row.contestant:14s} {row.what:32s}"
                        f" {row.seconds:8.2f} s {row.cpu_seconds:8.2f} s  {ratio:>6s}  {row.psnr or '-'}",
                        flush=True,
                    )
                if arguments.output is not None:
                    arguments.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
