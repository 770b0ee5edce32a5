"""How well `imgfix restore` judges pictures: 100 files with known damage, and what it does to the clean ones.

    python tests/bench/restore_estimate.py --photos FOLDER [--count 100] [--seed 0]

Photos are halved (so that nothing of their own noise and compression is left) and cropped to at most 800x600. A fifth
stay clean; two fifths get Gaussian noise of 5, 10, 15, 25 or 50; a third become JPEGs of quality 10 to 95, every other
one stored as a PNG again; the rest has noise and is a JPEG. The models on this machine are run on what is judged to be
damaged: the gain in dB is of the whole command.
"""

from __future__ import annotations

import argparse
import io
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imgfix.errors import ImgfixError
from imgfix.media import image
from imgfix.media.picture import JpegSettings
from imgfix.runtime.engine import Engine
from imgfix.tasks import restore
from imgfix.tasks.restore import RestoreOptions

NOISE = (5, 10, 15, 25, 50)
QUALITY = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)


@dataclass(frozen=True)
class Case:
    """One file and the truth about it."""

    name: str
    clean: np.ndarray
    pixels: np.ndarray
    file: JpegSettings | None
    noise: float
    quality: int | None


def cases(folder: Path, count: int, seed: int) -> list[Case]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    random.Random(seed).shuffle(paths)
    made = []
    for number, path in enumerate(paths[:count]):
        generator = np.random.default_rng(seed * 1000 + number)
        clean = prepared(path)
        kind = number % 15
        noise = 0 if kind < 3 or 9 <= kind < 14 else NOISE[number // 15 % 5 if kind == 14 else number % 5]
        quality = None if kind < 9 else QUALITY[number // 3 % 10]
        pixels = np.clip(clean + generator.normal(0, noise, clean.shape), 0, 255).round().astype(np.uint8)
        settings = None
        if quality is not None:
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
            picture = image.read(stream.getvalue())
            pixels = picture.pixels
            settings = picture.metadata.jpeg if number % 2 else None
        made.append(Case(path.name, clean, pixels, settings, noise, quality))
    return made


def prepared(path: Path) -> np.ndarray:
    photo = Image.open(path).convert("RGB")
    photo = photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.BOX)
    left, top = max(0, photo.width - 800) // 2, max(0, photo.height - 600) // 2
    return np.asarray(photo.crop((left, top, min(photo.width, left + 800), min(photo.height, top + 600))))


def psnr(one: np.ndarray, two: np.ndarray) -> float:
    error = float(np.mean((one.astype(np.float64) - two) ** 2))
    return 10 * np.log10(255**2 / error) if error else np.inf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-run", action="store_true", help="judge only, run no model")
    options = parser.parse_args()
    engines: dict[str, Engine] = {}

    def engine_for(job: str) -> Engine:
        from imgfix import zoo
        from imgfix.zoo import auto

        name, _ = auto.resolve("restore", job=job)
        if name not in engines:
            engines[name] = Engine(zoo.load(name, offline=True))
        return engines[name]

    noise_errors: dict[float, list[float]] = {}
    quality_errors: list[float] = []
    missed, false = 0, 0
    harm: list[float] = []
    gains: dict[str, list[float]] = {}
    for case in cases(options.photos, options.count, options.seed):
        wanted = RestoreOptions(denoise="auto", jpeg="auto")
        found = restore.find(case.pixels, None, case.file)
        # What a JPEG leaves of the noise is not what was added: such files are counted for the quality alone.
        if case.quality is None:
            noise_errors.setdefault(case.noise, []).append(found.noise - case.noise)
        if case.quality is not None and found.jpeg is not None:
            quality_errors.append(found.jpeg - case.quality)
        missed += case.quality is not None and found.jpeg is None
        false += case.quality is None and found.jpeg is not None
        kind = " and ".join(filter(None, ["noise" if case.noise else "", "JPEG" if case.quality else ""])) or "clean"
        if options.no_run:
            continue
        try:
            made, _ = restore.steps(wanted, found, engine_for)
        except ImgfixError as error:
            raise SystemExit(f"{error.message}: {error.hint}") from error
        result = restore.restore(case.pixels, made, wanted)
        if kind == "clean":
            harm.append(psnr(result, case.pixels))
        elif made:
            gains.setdefault(kind, []).append(psnr(result, case.clean) - psnr(case.pixels, case.clean))
        else:
            gains.setdefault(kind, []).append(0.0)
    print("noise        files   mean error   largest")
    for level, errors in sorted(noise_errors.items()):
        print(f"{level:5} of 255 {len(errors):6} {np.mean(errors):+12.2f} {max(errors, key=abs):+9.2f}")
    print(f"JPEG quality: {len(quality_errors)} found, {missed} not seen, {false} files wrongly called JPEGs")
    if quality_errors:
        absolute = np.abs(quality_errors)
        print(f"              mean absolute error {absolute.mean():.2f}, largest {absolute.max():.0f}")
    if harm:
        touched = sum(np.isfinite(harm))
        print(f"clean: {len(harm)} files, {touched} changed, lowest {min(harm):.1f} dB to the input")
    for kind, values in gains.items():
        print(f"{kind}: {len(values)} files, gain {np.mean(values):+.2f} dB, least {min(values):+.2f}")
    print("models:", ", ".join(engines) or "none")


if __name__ == "__main__":
    main()
