"""Measure `restore` on photos as people have them: camera noise, JPEGs of every quality, and clean files.

    python tests/bench/restore_photos.py PHOTOS [--model FILE] [--told ffdnet-color] [--count 15] [--json result.json]

PHOTOS is a folder of clean photos that no model has seen; their middle 256x256 pixels are taken. Damage is made here:
noise of developed photos (`imgfix.train.developed`, deviation in luma 3, 5 and 7 by turns) saved as a JPEG of quality
95; noise of a sensor taken through a camera's pipeline (`sensor`), which no network was trained on; and JPEGs of
quality 5 to 95 (4:2:0, Pillow). Rows: the input, what `imgfix.restore` makes of the file by itself (`auto`, with the
models on this machine), `--model` blind, and `--told` with the best of six levels for each picture. PSNR of the bytes
in RGB, LPIPS (AlexNet). `clean` counts files that `auto` changed: as PNG, and as JPEG of 92 and 97.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

import imgfix
from imgfix import zoo
from imgfix.metrics.lpips import lpips
from imgfix.train.spoil import developed

QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 84, 88, 92, 95)
LEVELS = (4.0, 6.0, 8.0, 10.0, 12.0, 15.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", action="append", default=[], help="catalog name or file, run blind; repeatable")
    parser.add_argument("--told", action="append", default=[], help="given the best of six noise levels; repeatable")
    parser.add_argument("--no-auto", action="store_true")
    parser.add_argument("--only", help="kinds of damage whose name begins so; repeatable", action="append")
    parser.add_argument("--count", type=int, default=15)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    nets = {name: zoo.load(name, offline=True).net.eval() for name in options.model}
    told = {name: zoo.load(name, offline=True).net.eval() for name in options.told}
    photos = list(crops(options.photos, options.count, options.side))
    print(f"{len(photos)} photos")
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for name, damaged, aims in kinds(photos):
            if options.only and not name.startswith(tuple(options.only)):
                continue
            rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for number, data in enumerate(damaged):
                clean, low = aims[number], tensor(Image.open(io.BytesIO(data)))
                made = {"input": low} | {key: net(low).clamp(0, 1) for key, net in nets.items()}
                made |= {f"{key}, told": best(net, low, clean) for key, net in told.items()}
                if not options.no_auto:
                    path = Path(folder) / "photo.jpg"
                    path.write_bytes(data)
                    made["auto"] = from_bytes(imgfix.restore(path))
                for key, picture in made.items():
                    rounded = (picture * 255).round() / 255
                    rows[key].append((psnr(rounded, clean), float(lpips(rounded, clean))))
            results[name] = {
                key: {"psnr": mean(row[0] for row in found), "lpips": mean(row[1] for row in found)}
                for key, found in rows.items()
            }
            line = "  ".join(
                f"{key.split('/')[-1]} {row['psnr']:.2f} {row['lpips']:.3f}" for key, row in results[name].items()
            )
            print(f"{name:10} {line}", flush=True)
        if not options.no_auto:
            changed = untouched(photos, Path(folder))
            print(f"clean files changed by auto: {changed}")
            results["changed"] = changed  # type: ignore[assignment]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def crops(folder: Path, count: int, side: int) -> Iterator[Tensor]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    for path in found[:count]:
        picture = Image.open(path).convert("RGB")
        left, top = (picture.width - side) // 2 // 8 * 8, (picture.height - side) // 2 // 8 * 8
        if min(left, top) >= 0:
            yield tensor(picture.crop((left, top, left + side, top + side)))


def kinds(photos: list[Tensor]) -> Iterator[tuple[str, list[bytes], list[Tensor]]]:
    """Name of a kind of damage, every photo with it, encoded, and what each would be without."""
    noisy = [encoded(developed(p, (3.0, 5.0, 7.0)[n % 3], n), "JPEG", quality=95) for n, p in enumerate(photos)]
    yield "camera", noisy, photos
    aims = [sensor(photo, 0.0, 0) for photo in photos]
    for gain in (0.001, 0.002, 0.004):
        yield (
            f"sensor{1000 * gain:.0f}",
            [encoded(sensor(p, gain, n), "JPEG", quality=95) for n, p in enumerate(photos)],
            aims,
        )
    for quality in QUALITIES:
        yield f"jpeg{quality}", [encoded(photo, "JPEG", quality=quality) for photo in photos], photos


def sensor(photo: Tensor, gain: float, seed: int) -> Tensor:
    """A photo as a camera would develop it: mosaic, shot and read noise, demosaicing, smoothed chroma, sharpened luma.

    gain: variance of the noise in linear light, for each unit of light; 0 gives what is to come out.
    """
    random = np.random.default_rng(seed)
    light = (photo[0].permute(1, 2, 0).numpy().astype(np.float64)) ** 2.2 * 0.9
    balance = np.array([1.9, 1.0, 1.5])
    mosaic = np.empty(light.shape[:2])
    for y, x, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[y::2, x::2] = light[y::2, x::2, channel] / balance[channel]
    mosaic += random.standard_normal(mosaic.shape) * np.sqrt(gain * mosaic + gain * 0.002)
    raw = np.clip(mosaic * 60_000 + 2_000, 0, 65_535).astype(np.uint16)
    rgb = (cv2.demosaicing(raw, cv2.COLOR_BayerBG2RGB).astype(np.float64) - 2_000) / 60_000 * balance
    shown = (np.clip(rgb / 0.9, 0, 1) ** (1 / 2.2)).astype(np.float32)
    planes = cv2.cvtColor(shown, cv2.COLOR_RGB2YCrCb)
    planes[..., 1:] = cv2.GaussianBlur(planes[..., 1:], (0, 0), 1.2)
    soft = cv2.GaussianBlur(planes[..., 0], (0, 0), 0.6)
    planes[..., 0] = soft + 0.5 * (soft - cv2.GaussianBlur(soft, (0, 0), 1.0))
    made = np.clip(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), 0, 1)
    return torch.from_numpy((made * 255).round() / 255).permute(2, 0, 1)[None].float()


def untouched(photos: list[Tensor], folder: Path) -> dict[str, int]:
    found = {}
    for name, suffix, settings in (
        ("png", ".png", {}),
        ("jpeg97", ".jpg", {"quality": 97}),
        ("jpeg92", ".jpg", {"quality": 92}),
    ):
        found[name] = 0
        for photo in photos:
            path = folder / f"clean{suffix}"
            path.write_bytes(encoded(photo, "PNG" if suffix == ".png" else "JPEG", **settings))
            found[name] += not np.array_equal(imgfix.restore(path), np.asarray(Image.open(path)))
    return found


def encoded(picture: Tensor, form: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    array = (picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(array).save(stream, form, **settings)
    return stream.getvalue()


def best(net: torch.nn.Module, low: Tensor, clean: Tensor) -> Tensor:
    tried = [net(torch.cat([low, torch.full_like(low[:, :1], level / 255)], 1)).clamp(0, 1) for level in LEVELS]
    return max([low, *tried], key=lambda picture: psnr(picture, clean))


def tensor(picture: Image.Image) -> Tensor:
    return from_bytes(np.asarray(picture.convert("RGB")).copy())


def from_bytes(array: np.ndarray | None) -> Tensor:
    assert array is not None
    return torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255


def psnr(one: Tensor, two: Tensor) -> float:
    return min(100.0, float(-10 * torch.log10((one - two).square().mean().clamp(min=1e-10))))


def mean(values: Iterator[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


if __name__ == "__main__":
    main()
