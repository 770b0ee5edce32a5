"""How `imgfix restore --low-light` brightens photos that were darkened in three ways, and the table that it goes by.

    python -m tests.bench.low_light PHOTOS [--count 24] [--side 256] [--model hvi-cidnet-lol] [--sheet FILE]
    python -m tests.bench.low_light PHOTOS --fit            # prints the numbers of imgfix/tasks/brightness.py

PHOTOS is a folder of clean photos; those that the table was fitted on are not for measuring. A photo is darkened by

    exposure   a sixteenth to a third of its light, with shot and read noise, then a tone curve
    gamma      each value to the power of 1.6 to 3.5, with a little noise
    backlit    the darker two thirds as by exposure, what is bright stays

and for each the mean that comes out is compared with the photo's (`off by`), and its saturation (`saturation`: over the
photo's). `sheet` shows each photo, its dark forms, and what became of them, the worst first.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import imgfix
from imgfix.tasks import brightness

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def exposure(photo: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return _developed(photo**2.2 / random.uniform(3, 16), 2e-4, 4e-6, random)


def gamma(photo: np.ndarray, random: np.random.Generator) -> np.ndarray:
    dark = photo ** random.uniform(1.6, 3.5)
    return dark + random.standard_normal(dark.shape) * random.uniform(0, 2) / 255


def backlit(photo: np.ndarray, random: np.random.Generator) -> np.ndarray:
    luma = cv2.GaussianBlur((photo @ LUMA).astype(np.float32), (0, 0), photo.shape[0] / 16)
    rank = luma.ravel().argsort().argsort().reshape(luma.shape) / luma.size
    near = 1 / (1 + np.exp((rank - random.uniform(0.6, 0.8)) / 0.06))[..., None]
    return _developed(photo**2.2 * random.uniform(1 / 12, 1 / 4) ** near, 1e-4, 1e-6, random)


def _developed(light: np.ndarray, shot: float, read: float, random: np.random.Generator) -> np.ndarray:
    noisy = light + random.standard_normal(light.shape) * np.sqrt(shot * light + read)
    made: np.ndarray = np.clip(noisy, 0, 1) ** (1 / 2.2)
    return made


CURVES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "exposure": exposure, "gamma": gamma, "backlit": backlit,
}  # fmt: skip


def darkened(photo: np.ndarray, curve: str, seed: str) -> np.ndarray:
    """(H, W, 3) uint8 -> the same with less light; the same for the same seed."""
    random = np.random.default_rng(int(hashlib.sha256(f"{seed} {curve}".encode()).hexdigest()[:8], 16))
    dark = CURVES[curve](photo.astype(np.float32) / 255, random)
    return (np.clip(dark, 0, 1) * 255 + 0.5).astype(np.uint8)


def squares(folder: Path, side: int, count: int | None = None) -> list[tuple[str, np.ndarray]]:
    """The middles of photos that were brought to one and a half times that size."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    found = []
    for path in paths[:: max(1, len(paths) // (count or len(paths)))][:count]:
        picture = Image.open(path).convert("RGB")
        scale = max(1.5 * side / min(picture.size), side / min(picture.size))
        if scale < 1:
            size = round(picture.width * scale), round(picture.height * scale)
            picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        if min(left, top) >= 0:
            found.append((path.name, np.asarray(picture.crop((left, top, left + side, top + side)))))
    return found


def saturation(picture: np.ndarray) -> float:
    values = picture.astype(np.float32)
    return float((values.max(2) - values.min(2)).mean() / max(float((values @ LUMA).mean()), 1))


def mean(picture: np.ndarray) -> float:
    return float((picture.astype(np.float32) @ LUMA).mean()) / 255


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * float(np.log10(255**2 / max(float(np.square(one.astype(np.float64) - other).mean()), 1e-4)))


def measure(options: argparse.Namespace) -> None:
    rows: dict[str, list[tuple[float, ...]]] = {curve: [] for curve in CURVES}
    shown = []
    for name, photo in squares(options.photos, options.side, options.count):
        for curve in CURVES:
            dark = darkened(photo, curve, name)
            given = dark.astype(np.float32) / 255
            if options.told_only:
                lit = brightness.expected(given)
                row = (lit.mean / mean(photo), lit.saturation / saturation(photo), 0.0, 0.0)
            else:
                made = imgfix.restore(dark, low_light=True, denoise="auto", model=options.model)
                row = (
                    mean(made) / mean(photo),
                    saturation(made) / saturation(photo),
                    psnr(dark, photo),
                    psnr(made, photo),
                )
                shown.append((abs(row[0] - 1), np.concatenate([photo, dark, made], axis=1)))
            rows[curve].append(row)
            numbers = f"mean x{row[0]:.2f}  saturation x{row[1]:.2f}  {row[2]:.2f} -> {row[3]:.2f} dB"
            print(f"{name[:40]:40} {curve:9} {numbers}", flush=True)
    rows["all"] = [row for curve in CURVES for row in rows[curve]]
    print("\n| darkened by | mean off by | worst | saturation, median | PSNR dark | PSNR |\n|---|---|---|---|---|---|")
    for curve, found in rows.items():
        off = [abs(row[0] - 1) for row in found]
        print(f"| {curve} | {100 * np.mean(off):.1f} % | {100 * np.max(off):.0f} % | "
              f"{np.median([row[1] for row in found]):.2f} | {np.mean([row[2] for row in found]):.2f} | "
              f"{np.mean([row[3] for row in found]):.2f} |")  # fmt: skip
    if options.sheet is not None and shown:
        worst = [picture for _, picture in sorted(shown, key=lambda pair: -pair[0])]
        Image.fromarray(np.concatenate(worst[: options.rows])).save(options.sheet)


def fit(options: argparse.Namespace) -> None:
    """Train the little network of `brightness` on what photos look like in too little light, and in enough of it."""
    import torch

    given, wanted = [], []
    for name, photo in squares(options.photos, options.side):
        true = np.log([mean(photo), saturation(photo) + brightness.PALEST])
        seen = [darkened(photo, curve, f"{name} {seed}") for curve in CURVES for seed in range(options.seeds)]
        for dark in (*seen, photo):
            given.append(brightness.features(brightness.calm(dark.astype(np.float32) / 255)))
            wanted.append(true)
    if options.cache is not None:
        np.savez(options.cache, given=given, wanted=wanted)
    x, y = torch.tensor(np.array(given)).float(), torch.tensor(np.array(wanted)).float()
    centre, spread, middle = x.mean(0), x.std(0), y.mean(0)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(x.shape[1], brightness.HIDDEN), torch.nn.Tanh(),
                              torch.nn.Linear(brightness.HIDDEN, 2))  # fmt: skip
    x = (x - centre) / spread
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    for _ in range(options.steps):
        found = net(x + 0.05 * torch.randn_like(x)) + middle
        off = ((found - y).exp() - 1).abs().clamp(max=2).mean(0)
        loss = 0.75 * off[0] + 0.25 * off[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    print(f"{len(x)} dark pictures, off by {off[0]:.3f} in mean, {off[1]:.3f} in saturation")
    first, second = net[0], net[2]
    weight = first.weight / spread
    for label, values in (("_INTO", weight), ("_INTO_BIAS", first.bias - weight @ centre),
                          ("_OUT", second.weight), ("_OUT_BIAS", second.bias + middle)):  # fmt: skip
        rows = np.atleast_2d(values.detach().numpy())
        print(
            f"{label} = np.array([" + ", ".join("[" + ", ".join(f"{v:.3f}" for v in row) + "]" for row in rows) + "])"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--told-only", action="store_true", help="compare what the table says, run no network")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--rows", type=int, default=12, help="of the sheet")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--cache", type=Path, help="where the numbers that the network is given are written")
    options = parser.parse_args()
    if options.fit:
        fit(options)
    else:
        measure(options)


if __name__ == "__main__":
    main()
