"""Print what the shipped weights measure beside their anchors.

    python tests/bench/weights_table.py --bench BENCH [--only photo] [--model photo-x4=runs/photo/model.safetensors]

BENCH holds Set5/, Set14/ (HR and LR_bicubic), BSD100/, Kodak24/ and classic5/. Protocols:
fidelity  PSNR on Y, as many pixels shaved off each side as the scale, MATLAB's LR files (BSD100: ours, equal to them)
photo     Kodak24 through the seeded damage of `imgfix.train.degrade`, light and heavy by turns; LPIPS (AlexNet), NIQE
restore   Kodak24 with colour Gaussian noise of 25 (seeded, not clipped); classic5 as grey JPEG of quality 10 by Pillow
A model that is not on this machine is left out. Numbers in brackets are the papers'.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from imgfix import zoo
from imgfix.errors import ImgfixError
from imgfix.metrics.lpips import lpips
from imgfix.metrics.niqe import niqe
from imgfix.metrics.psnr import psnr
from imgfix.runtime.resize import downscale, resize, round_to_bytes
from imgfix.train.degrade import LIGHT, Damage, damage

Run = Callable[[Tensor], Tensor]
PAPERS = {
    4: {"FSRCNN": (30.70, 27.59, 26.96), "IMDN": (32.21, 28.58, 27.56), "SPAN": (32.20, 28.66, 27.62)},
    2: {"FSRCNN": (37.05, 32.66, 31.53), "IMDN": (38.00, 33.63, 32.19), "SPAN": (38.08, 33.71, 32.22)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--only", choices=("fidelity", "photo", "restore"))
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FILE", help="a file instead of NAME")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="leave a (slow) model out")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    files = dict(text.split("=", 1) for text in options.model)

    with torch.inference_mode():
        if options.only in (None, "fidelity"):
            for scale in (4, 2):
                fidelity(options.bench, scale, models([f"fidelity-x{scale}"], files, options.without))
        if options.only in (None, "photo"):
            names = ["realesr-general-x4v3", "realesrgan-x4plus", "photo-x4"]
            photo(options.bench, models(names, files, options.without))
        if options.only in (None, "restore"):
            restore(options.bench, models(["restore"], files, options.without))


def models(names: list[str], files: dict[str, str], without: list[str]) -> dict[str, Run]:
    """Load what is on this machine; nothing is downloaded."""
    found: dict[str, Run] = {}
    for name in names:
        if name in without:
            continue
        try:
            found[name] = zoo.load(files.get(name, name), offline=True).net
        except ImgfixError as error:
            print(f"({name} left out: {error.message})")
    return found


def fidelity(bench: Path, scale: int, nets: dict[str, Run]) -> None:
    sets = ("Set5", "Set14", "BSD100")
    runs: dict[str, Run] = {"bicubic": enlarger(scale), **nets}
    rows: dict[str, list[float]] = {name: [] for name in runs}
    for folder in sets:
        values: dict[str, list[float]] = {name: [] for name in runs}
        for low, high in classic_pairs(bench / folder, scale):
            for name, run in runs.items():
                result = round_to_bytes(run(low))
                values[name].append(float(psnr(result, high, y=True, border=scale)))
        for name in runs:
            rows[name].append(float(np.mean(values[name])))
    print(f"\nx{scale}, PSNR (Y) {'':10}" + "".join(f"{name:>9}" for name in sets))
    for name, numbers in rows.items():
        print(f"{name:24}" + "".join(f"{number:9.2f}" for number in numbers))
    for name, published in PAPERS[scale].items():
        print(f"{name:24}" + "".join(f"  ({number:5.2f})" for number in published))


def classic_pairs(folder: Path, scale: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Low and high resolution; the high one cut to multiples of the scale."""
    source = folder / "HR" if (folder / "HR").is_dir() else folder
    for path in sorted(p for p in source.iterdir() if p.suffix.lower() in (".png", ".jpg", ".bmp")):
        high = read(path)
        height, width = (side // scale * scale for side in high.shape[-2:])
        high = high[..., :height, :width]
        stored = next(iter(sorted((folder / "LR_bicubic" / f"X{scale}").glob(f"{path.stem}*"))), None)
        yield (read(stored) if stored else downscale(high, scale)), high


def photo(bench: Path, nets: dict[str, Run]) -> None:
    runs: dict[str, Run] = {"bicubic": enlarger(4), **nets}
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in runs}
    for low, high in damaged_kodak(bench):
        for name, run in runs.items():
            result = round_to_bytes(run(low))
            quality = float(niqe(result)) if min(high.shape[-2:]) >= 192 else float("nan")
            rows[name].append((float(lpips(result, high)), quality, float(psnr(result, high, y=True, border=4))))
    print(f"\nx4, damaged Kodak24 {'':4}{'LPIPS':>9}{'light':>9}{'heavy':>9}{'NIQE':>9}{'PSNR':>9}")
    for name, values in rows.items():
        table = np.array(values)
        distance, quality, fidelity_ = table.mean(axis=0)
        light, heavy = table[::2, 0].mean(), table[1::2, 0].mean()
        print(f"{name:24}{distance:9.4f}{light:9.4f}{heavy:9.4f}{quality:9.2f}{fidelity_:9.2f}")


def damaged_kodak(bench: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Kodak24, damaged and shrunk by 4: gently (even numbers) and as Real-ESRGAN does in training (odd ones)."""
    for number, path in enumerate(sorted((bench / "Kodak24").glob("*.png"))):
        high = read(path)
        generators = torch.Generator().manual_seed(1000 + number), torch.Generator().manual_seed(2000 + number)
        yield damage(high, 4, Damage() if number % 2 else LIGHT, *generators), high


def restore(bench: Path, nets: dict[str, Run]) -> None:
    print(f"\nrestore, PSNR {'':10}{'Kodak24 sigma 25':>18}{'classic5 JPEG 10':>18}")
    for name, run in {"nothing": lambda x: x, **nets}.items():
        noisy, compressed = [], []
        for number, path in enumerate(sorted((bench / "Kodak24").glob("*.png"))):
            high = read(path)
            noise = torch.randn(high.shape, generator=torch.Generator().manual_seed(number)) * 25 / 255
            noisy.append(float(psnr(round_to_bytes(padded(run, high + noise)), high)))
        for path in sorted(p for p in (bench / "classic5").iterdir() if p.suffix.lower() in (".bmp", ".png", ".tif")):
            grey = Image.open(path).convert("L")
            buffer = io.BytesIO()
            grey.save(buffer, "JPEG", quality=10)
            high, low = (as_tensor(image.convert("RGB")) for image in (grey, Image.open(buffer)))
            result = padded(run, low).mean(dim=1, keepdim=True)
            compressed.append(float(psnr(round_to_bytes(result), high[:, :1])))
        print(f"{name:24}{np.mean(noisy):18.2f}{np.mean(compressed):18.2f}")


def padded(run: Run, x: Tensor, multiple: int = 16) -> Tensor:
    height, width = x.shape[-2:]
    return run(F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="reflect"))[..., :height, :width]


def enlarger(scale: int) -> Run:
    return lambda x: resize(x, (x.shape[-2] * scale, x.shape[-1] * scale)).clamp(0, 1)


def read(path: Path) -> Tensor:
    return as_tensor(Image.open(path).convert("RGB"))


def as_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


if __name__ == "__main__":
    main()
