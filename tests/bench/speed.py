"""Time imgfix beside a plain loop: one photo through the same weights, in turns, in one run.

    python tests/bench/speed.py [--models a,b] [--photo FILE] [--side 512] [--rounds 3] [--threads N] [--precision auto]

Three contestants, each in a process of its own (so that none profits from another's settings), take turns:
  plain        torch, fp32, the whole picture at once: what a script of ten lines does
  imgfix       the engine with its tiles, in the precision it chooses for this machine
  onnxruntime  the file that `imgfix weights export` writes, whole picture (needs the `onnx` extra)
Loading and the first run are not counted. The table gives the quickest round of each, the median of the ratios of the
rounds, and the PSNR to the plain output over values clipped to [0, 1]. Models that are not here are pulled.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

CONTESTANTS = ("plain", "imgfix", "onnxruntime")
MODELS = "realesrgan-x4plus,realesr-general-x4v3"
Runner = Callable[[np.ndarray], np.ndarray]


def plain(model: str, precision: str, device: str) -> tuple[Runner, str]:
    import torch

    from imgfix import zoo

    net = zoo.load(model).net
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    net = net.to(name)

    def run(photo: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(photo).permute(2, 0, 1)[None].float().div(255).to(name)
            return net(x)[0].permute(1, 2, 0).float().cpu().numpy()

    return run, f"torch {torch.__version__}, {name}, fp32"


def imgfix(model: str, precision: str, device: str) -> tuple[Runner, str]:
    from imgfix import zoo
    from imgfix.runtime import tiling
    from imgfix.runtime.engine import Engine

    engine = Engine(zoo.load(model), device, precision, note=print)

    def run(photo: np.ndarray) -> np.ndarray:
        def read(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
            return photo[y0:y1, x0:x1].astype(np.float32) / 255

        bands: list[np.ndarray] = []
        tiling.run_tiled(engine, read, *photo.shape[:2], bands.append)
        return np.concatenate(bands)

    run(np.zeros((32, 32, 3), np.uint8))
    return run, str(engine.placement)


def onnxruntime(model: str, precision: str, device: str) -> tuple[Runner, str]:
    import onnxruntime as runtime
    import torch

    from imgfix import zoo
    from imgfix.zoo.export import export

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model}.onnx"
        export(zoo.load(model), path)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(photo: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(photo.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        return session.run(None, {"input": x})[0][0].transpose(1, 2, 0)

    return run, f"onnxruntime {runtime.__version__}, cpu, fp32"


def work(pipe: Connection, kind: str, model: str, precision: str, device: str, threads: int, photo: np.ndarray) -> None:
    """A contestant's process: says when it is ready, runs when told to, sends seconds and the output."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    try:
        run, label = {"plain": plain, "imgfix": imgfix, "onnxruntime": onnxruntime}[kind](model, precision, device)
    except ImportError as error:
        pipe.send(("missing", str(error)))
        return
    pipe.send(("ready", label))
    while pipe.recv():
        start = time.perf_counter()
        out = run(photo)
        pipe.send((time.perf_counter() - start, np.clip(out, 0, 1).astype(np.float32)))


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    error = float(np.mean((first - second) ** 2, dtype=np.float64))
    return math.inf if error == 0 else -10 * math.log10(error)


def picture(path: Path | None, side: int) -> np.ndarray:
    if path is None:
        from skimage import data

        source = Image.fromarray(data.astronaut())
    else:
        source = Image.open(path).convert("RGB")
    if source.size != (side, side):
        edge = min(source.size)
        left, top = (source.width - edge) // 2, (source.height - edge) // 2
        source = source.crop((left, top, left + edge, top + edge)).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(source)


def compare(model: str, photo: np.ndarray, arguments: argparse.Namespace) -> None:
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    labels: dict[str, str] = {}
    for kind in arguments.contestants.split(","):
        ours, theirs = context.Pipe()
        settings = (kind, model, arguments.precision, arguments.device, arguments.threads, photo)
        context.Process(target=work, args=(theirs, *settings), daemon=True).start()
        word, label = ours.recv()
        if word == "ready":
            pipes[kind], labels[kind] = ours, label
        else:
            print(f"{kind}: left out ({label})")
    times: dict[str, list[float]] = {kind: [] for kind in pipes}
    outputs: dict[str, np.ndarray] = {}
    for round_ in range(arguments.rounds + 1):
        for kind, pipe in pipes.items():
            pipe.send(True)
            seconds, outputs[kind] = pipe.recv()
            if round_:  # the first warms up
                times[kind].append(seconds)
                print(f"  round {round_} {kind:12s} {seconds:8.2f} s", flush=True)
    for pipe in pipes.values():
        pipe.send(False)
    height, width = photo.shape[:2]
    print(f"\n{model}, {width}x{height} -> {outputs['plain'].shape[1]}x{outputs['plain'].shape[0]}")
    print(f"| contestant | {'what':44s} | seconds | times as fast | PSNR to plain |")
    print("|---|---|---|---|---|")
    for kind, values in times.items():
        ratio = statistics.median(p / v for p, v in zip(times["plain"], values, strict=True))
        far = psnr(outputs["plain"], outputs[kind])
        print(f"| {kind} | {labels[kind]:44s} | {min(values):.2f} | {ratio:.2f} | {far:.1f} dB |", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--photo", type=Path, help="without it, the astronaut of scikit-image")
    parser.add_argument("--side", type=int, default=512, help="the photo is cropped and resampled to a square")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--contestants", default=",".join(CONTESTANTS))
    arguments = parser.parse_args()
    photo = picture(arguments.photo, arguments.side)
    for model in arguments.models.split(","):
        compare(model, photo, arguments)


if __name__ == "__main__":
    main()
