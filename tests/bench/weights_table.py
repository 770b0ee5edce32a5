"""Print what the shipped weights measure beside their anchors.

    python tests/bench/weights_table.py --bench BENCH [--only photo] [--model photo-x4=runs/photo/model.safetensors]
                                        [--peers PEERS]

BENCH holds Set5/, Set14/ (HR and LR_bicubic), BSD100/, Kodak24/ and classic5/. Protocols:
fidelity  PSNR on Y, as many pixels shaved off each side as the scale, MATLAB's LR files (BSD100: ours, equal to them)
photo     x4 and x2: Kodak24 through the seeded damage of `imgfix.train.degrade`, light and heavy by turns; LPIPS
          (AlexNet), NIQE
restore   Kodak24 with colour Gaussian noise of 25 (seeded, neither rounded nor clipped), RGB PSNR of the bytes:
          whole pictures, and their middle 500x500 pixels, which is what the papers from FFDNet on call Kodak24;
          classic5 as grey JPEG of quality 10, 20, 30 and 40 by Pillow
PEERS holds dncnn3/dncnn3.converted.pth (DnCNN-3: a chain of convolutions, grey), which imgfix does not offer.
A model that is not on this machine is left out. Numbers in brackets are the papers'.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from imgfix import zoo
from imgfix.degradations import level_of_quality
from imgfix.errors import ImgfixError
from imgfix.metrics.lpips import lpips
from imgfix.metrics.niqe import niqe
from imgfix.metrics.psnr import psnr
from imgfix.nets.dncnn import DnCNN
from imgfix.runtime.resize import downscale, resize, round_to_bytes
from imgfix.train.degrade import LIGHT, Damage, damage

Run = Callable[[Tensor], Tensor]
SLOW = "realesrgan-x4plus"
PAPERS = {
    4: {"FSRCNN": (30.70, 27.59, 26.96), "IMDN": (32.21, 28.58, 27.56), "SPAN": (32.20, 28.66, 27.62)},
    2: {"FSRCNN": (37.05, 32.66, 31.53), "IMDN": (38.00, 33.63, 32.19), "SPAN": (38.08, 33.71, 32.22)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--peers", type=Path)
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
            nets = models(["realesr-general-x4v3", "realesrgan-x4plus", "photo-x4"], files, options.without)
            photo(options.bench, 4, nets)
            halved = {f"{name}, halved": partial(brought_down, net) for name, net in nets.items() if name != SLOW}
            photo(options.bench, 2, halved | models(["photo-x2"], files, options.without))
        if options.only in (None, "restore"):
            nets = models(["restore", "ffdnet-color"], files, options.without)
            if "ffdnet-color" in nets:
                nets["ffdnet-color"] = Told(nets["ffdnet-color"])
            if options.peers:
                nets["DnCNN-3"] = zoo.load(options.peers / "dncnn3" / "dncnn3.converted.pth").net
            restore(options.bench, nets)


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


def brought_down(net: Run, low: Tensor) -> Tensor:
    """What an x4 network does for x2."""
    return downscale(net(low), 2)


def photo(bench: Path, scale: int, nets: dict[str, Run]) -> None:
    runs: dict[str, Run] = {"bicubic": enlarger(scale), **nets}
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in runs}
    for low, high in damaged_kodak(bench, scale):
        for name, run in runs.items():
            result = round_to_bytes(run(low))
            quality = float(niqe(result)) if min(high.shape[-2:]) >= 192 else float("nan")
            rows[name].append((float(lpips(result, high)), quality, float(psnr(result, high, y=True, border=scale))))
    print(f"\nx{scale}, damaged Kodak24 {'':9}{'LPIPS':>9}{'light':>9}{'heavy':>9}{'NIQE':>9}{'PSNR':>9}")
    for name, values in rows.items():
        table = np.array(values)
        distance, quality, fidelity_ = table.mean(axis=0)
        light, heavy = table[::2, 0].mean(), table[1::2, 0].mean()
        print(f"{name:29}{distance:9.4f}{light:9.4f}{heavy:9.4f}{quality:9.2f}{fidelity_:9.2f}")


def damaged_kodak(bench: Path, scale: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Kodak24, damaged and shrunk by the scale: gently (even numbers) or as Real-ESRGAN does in training (odd ones)."""
    for number, path in enumerate(sorted((bench / "Kodak24").glob("*.png"))):
        high = read(path)
        generators = torch.Generator().manual_seed(1000 + number), torch.Generator().manual_seed(2000 + number)
        yield damage(high, scale, Damage() if number % 2 else LIGHT, *generators), high


QUALITIES = (10, 20, 30, 40)
PUBLISHED = {"FFDNet": ("", 32.13), "DnCNN-3": ("", "", 29.40, 31.63, 32.91, 33.77)}


@dataclass
class Told:
    """A network that has to be told the noise level, of 255."""

    net: Run
    level: float = 25.0

    def __call__(self, x: Tensor) -> Tensor:
        return self.net(torch.cat([x, torch.full_like(x[:, :1], self.level / 255)], dim=1))


def restore(bench: Path, nets: dict[str, Run]) -> None:
    heads = ("sigma 25", "  the same, 500x500", *(f"  classic5 JPEG {quality}" for quality in QUALITIES))
    print(f"\nrestore, PSNR {'':10}" + "".join(heads))
    for name, run in {"nothing": lambda x: x, **nets}.items():
        # A grey network is for grey pictures.
        columns = [[], []] if name == "DnCNN-3" else noisy_kodak(bench, run)
        columns += [compressed_classic(bench, run, quality) for quality in QUALITIES]
        values = [f"{np.mean(column):.2f}" if column else "" for column in columns]
        print(f"{name:24}" + "".join(f"{value:>{len(head)}}" for value, head in zip(values, heads, strict=True)))
    for name, known in PUBLISHED.items():
        values = [f"({value:.2f})" if value else "" for value in known]
        print(f"{name:24}" + "".join(f"{value:>{len(head)}}" for value, head in zip(values, heads, strict=False)))


def noisy_kodak(bench: Path, run: Run) -> list[list[float]]:
    """PSNR of each picture as a whole and of its middle."""
    whole, middle = [], []
    if isinstance(run, Told):
        run.level = 25.0
    for number, path in enumerate(sorted((bench / "Kodak24").glob("*.png"))):
        high = read(path)
        noise = torch.randn(high.shape, generator=torch.Generator().manual_seed(number)) * 25 / 255
        top, left = ((side - 500) // 2 for side in high.shape[-2:])
        view = (..., slice(top, top + 500), slice(left, left + 500))
        result = round_to_bytes(padded(run, high + noise))
        whole.append(float(psnr(result, high)))
        middle.append(float(psnr(round_to_bytes(padded(run, (high + noise)[view])), high[view])))
    return [whole, middle]


def compressed_classic(bench: Path, run: Run, quality: int) -> list[float]:
    values = []
    if isinstance(run, Told):
        run.level = level_of_quality(quality)
    for path in sorted(p for p in (bench / "classic5").iterdir() if p.suffix.lower() in (".bmp", ".png", ".tif")):
        grey = Image.open(path).convert("L")
        buffer = io.BytesIO()
        grey.save(buffer, "JPEG", quality=quality)
        one_channel = isinstance(run, DnCNN) and run.layers[0].in_channels == 1
        mode = "L" if one_channel else "RGB"
        high, low = (as_tensor(image.convert(mode)) for image in (grey, Image.open(buffer)))
        result = padded(run, low).mean(dim=1, keepdim=True)
        values.append(float(psnr(round_to_bytes(result), high[:, :1])))
    return values


def padded(run: Run, x: Tensor, multiple: int = 16) -> Tensor:
    height, width = x.shape[-2:]
    return run(F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="reflect"))[..., :height, :width]


def enlarger(scale: int) -> Run:
    return lambda x: resize(x, (x.shape[-2] * scale, x.shape[-1] * scale)).clamp(0, 1)


def read(path: Path) -> Tensor:
    return as_tensor(Image.open(path).convert("RGB"))


def as_tensor(image: Image.Image) -> Tensor:
    pixels = np.array(image)
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)[None].float() / 255


if __name__ == "__main__":
    main()
