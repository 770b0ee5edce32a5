"""Measure how much of a denoiser's result on a JPEG to blend in, so that neither PSNR nor LPIPS gets worse.

    python tests/bench/restore_blend.py PHOTOS [--model restore] [--count 8] [--json result.json]

The middle 256x256 pixels of photos that the model has not seen, saved by Pillow (4:2:0). A model with a noise level is
told what `imgfix.degradations.level_of_quality` says. PSNR of the bytes in RGB, LPIPS (AlexNet).
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import torch
from PIL import Image
from restore_photos import crops, encoded, mean, psnr, tensor
from torch import Tensor

from imgfix import zoo
from imgfix.degradations import level_of_quality, share_of_quality
from imgfix.metrics.lpips import lpips

QUALITIES = (5, 10, 20, 30, 40, 50, 60, 75)
SHARES = (0.0, 0.2, 0.35, 0.5, 0.7, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="restore")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = zoo.load(options.model, offline=True)
    net, told = model.net.eval(), model.descriptor.in_channels == 4
    photos = list(crops(options.photos, options.count, 256))
    results = {}
    for quality in QUALITIES:
        rows: dict[float, list[tuple[float, float]]] = {share: [] for share in SHARES}
        for clean in photos:
            low = tensor(Image.open(io.BytesIO(encoded(clean, "JPEG", quality=quality))))
            with torch.inference_mode():
                given = torch.cat([low, levels(low, quality)], dim=1) if told else low
                change = net(given).clamp(0, 1) - low
                for share, found in rows.items():
                    blended = ((low + share * change) * 255).round() / 255
                    found.append((psnr(blended, clean), float(lpips(blended, clean))))
        results[quality] = {
            share: (mean(row[0] for row in found), mean(row[1] for row in found)) for share, found in rows.items()
        }
        line = "  ".join(f"{share:.2f}: {a:.2f} {b:.3f}" for share, (a, b) in results[quality].items())
        print(f"quality {quality:3} (taken {share_of_quality(quality):.2f})  {line}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def levels(low: Tensor, quality: int) -> Tensor:
    return torch.full_like(low[:, :1], level_of_quality(quality) / 255)


if __name__ == "__main__":
    main()
