"""Find the noise level that a denoiser has to be told so that it does best on JPEGs of each quality.

    python tests/bench/restore_levels.py --photos FOLDER [--count 4] [--model ffdnet-color]

Photos are halved, cropped to 320x240 and compressed in colour (4:2:0) by Pillow. Prints the gain in dB for each level,
and what `imgfix.degradations.level_of_quality` says.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from imgfix import zoo
from imgfix.degradations import level_of_quality

QUALITIES = (10, 20, 30, 40, 60, 80, 90)
LEVELS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26, 30)


def tensor(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).permute(2, 0, 1)[None].float() / 255


def psnr(one: torch.Tensor, two: torch.Tensor) -> float:
    return float(-10 * torch.log10((one - two).square().mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--model", default="ffdnet-color")
    options = parser.parse_args()
    net = zoo.load(options.model, offline=True).net
    paths = sorted(path for path in options.photos.iterdir() if path.suffix.lower() in (".png", ".jpg"))
    photos = []
    for path in paths[:: max(1, len(paths) // options.count)][: options.count]:
        photo = Image.open(path).convert("RGB")
        photo = photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.BOX)
        photos.append(photo.crop((0, 0, min(320, photo.width // 2 * 2), min(240, photo.height // 2 * 2))))
    print("quality  " + "".join(f"{level:>7}" for level in LEVELS) + "   best  taken")
    for quality in QUALITIES:
        gains = np.zeros(len(LEVELS))
        for photo in photos:
            stream = io.BytesIO()
            photo.save(stream, "JPEG", quality=quality)
            clean, damaged = tensor(photo), tensor(Image.open(stream))
            for n, level in enumerate(LEVELS):
                given = torch.cat([damaged, torch.full_like(damaged[:, :1], level / 255)], dim=1)
                with torch.inference_mode():
                    gains[n] += psnr(net(given).clamp(0, 1), clean) - psnr(damaged, clean)
        gains /= len(photos)
        row = "".join(f"{gain:+7.2f}" for gain in gains)
        print(f"{quality:7}  {row}   {LEVELS[int(gains.argmax())]:4}  {level_of_quality(quality):5.1f}", flush=True)


if __name__ == "__main__":
    main()
