"""The cut-out on composites, whose alpha is known: the network's map alone, and the matte made from it.

    python tests/bench/cutout.py --subjects FOLDER --photos FOLDER [--model u2net ...] [--graph modnet.onnx]

Subjects are pictures with alpha, at least 200 pixels high and neither flat nor without a background; photos are any. A
subject is put on a photo at 40 to 70 % of its height. --graph measures another network's ONNX graph in onnxruntime.
--save writes the composites, 00.png and so on; --given measures what another tool made of them, the alpha of its PNGs
of the same names (`rembg p -m u2net SAVED GIVEN`, perhaps with `-a`).
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from imgfix import zoo
from imgfix.tasks.cutout import matte
from imgfix.tasks.select.subject import SubjectFinder


def composites(subjects: Path, photos: Path, count: int, height: int = 640) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures (H, W, 3) uint8 and their alpha (H, W) float32, the same every time."""
    chance = random.Random(1)
    names = sorted(path for path in subjects.rglob("*.png") if not path.name.endswith("mirror.png"))
    chance.shuffle(names)
    behind = sorted(path for path in photos.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    made = 0
    for name in names:
        subject = np.array(Image.open(name).convert("RGBA"))
        alpha = subject[..., 3]
        opaque = subject[alpha > 250]
        if (
            subject.shape[0] < 200
            or not 0.15 < (alpha > 128).mean() < 0.9
            or len(np.unique(opaque[::7], axis=0)) < 1500
        ):
            continue
        photo = Image.open(chance.choice(behind)).convert("RGB")
        width = max(height * 3 // 4, round(photo.width * height / photo.height))
        canvas = np.array(photo.resize((width, height), Image.Resampling.LANCZOS))
        tall = round(height * chance.uniform(0.4, 0.7))
        wide = min(width, round(subject.shape[1] * tall / subject.shape[0]))
        premultiplied = subject.astype(np.float32) / 255
        premultiplied[..., :3] *= premultiplied[..., 3:]
        small = cv2.resize(premultiplied, (wide, tall), interpolation=cv2.INTER_AREA)
        top, left = (height - tall) // 2, chance.randint(0, max(0, width - wide))
        whole = np.zeros((height, width), np.float32)
        whole[top : top + tall, left : left + wide] = small[..., 3]
        place = canvas[top : top + tall, left : left + wide]
        mixed = small[..., :3] * 255 + place * (1 - small[..., 3:])
        canvas[top : top + tall, left : left + wide] = (mixed + 0.5).astype(np.uint8)
        yield canvas, whole
        made += 1
        if made == count:
            return


def graph(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A matting network's graph that takes 512 x 512 in [-1, 1]."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def find(rgb: np.ndarray) -> np.ndarray:
        small = cv2.resize(rgb, (512, 512), interpolation=cv2.INTER_AREA).astype(np.float32) / 127.5 - 1
        found = session.run(None, {session.get_inputs()[0].name: small.transpose(2, 0, 1)[None]})[0][0, 0]
        return np.clip(cv2.resize(found, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR), 0, 1)

    return find


def given(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What another tool made, file by file."""
    files = iter(sorted(folder.glob("*.png")))
    return lambda rgb: np.asarray(Image.open(next(files)))[..., -1].astype(np.float32) / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", nargs="*", default=["u2net", "u2netp"])
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--given", type=Path, nargs="*", default=[])
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    finders: dict[str, Callable[[np.ndarray], np.ndarray | None]] = {
        name: SubjectFinder(zoo.load(name).net).find for name in wanted.model
    }
    if wanted.graph:
        finders[wanted.graph.stem] = graph(wanted.graph)
    result: dict[str, object] = {"threads": torch.get_num_threads(), "composites": 0}
    scenes = list(composites(wanted.subjects, wanted.photos, wanted.count))
    result["composites"] = len(scenes)
    if wanted.save is not None:
        wanted.save.mkdir(parents=True, exist_ok=True)
        for number, (rgb, _) in enumerate(scenes):
            Image.fromarray(rgb).save(wanted.save / f"{number:02d}.png")
    for folder in wanted.given:
        finders[folder.name] = given(folder)
    for name, find in finders.items():
        rows: dict[str, list[float]] = {"map": [], "matte": []}
        edges: dict[str, list[float]] = {"map": [], "matte": []}
        overlaps, seconds = [], []
        for number, (rgb, alpha) in enumerate(scenes):
            start = time.perf_counter()
            rough = find(rgb)
            rough = rough if rough is not None else np.zeros(alpha.shape, np.float32)
            fine = matte(rgb.astype(np.float32) / 255, rough)
            seconds.append(time.perf_counter() - start)
            inside, true = rough >= 0.5, alpha >= 0.5
            overlaps.append(float((inside & true).sum() / max(1, (inside | true).sum())))
            border = cv2.morphologyEx(true.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((15, 15), np.uint8)) > 0
            for kind, values in (("map", rough), ("matte", fine)):
                difference = np.abs(values - alpha)
                rows[kind].append(float(difference.mean()))
                edges[kind].append(float(difference[border].mean()))
            if wanted.sheet is not None:
                wanted.sheet.mkdir(parents=True, exist_ok=True)
                grey = np.full(rgb.shape, (200, 0, 200), np.float32)
                shown = [rgb] + [v[..., None] * rgb + (1 - v[..., None]) * grey for v in (rough, fine)]
                Image.fromarray(np.hstack(shown).astype(np.uint8)).save(wanted.sheet / f"{name}-{number:02d}.jpg")
        found = [each > 0.7 for each in overlaps]
        result[name] = {
            "iou": round(float(np.mean(overlaps)), 4), "found": round(float(np.mean(found)), 3),
            **{f"mad_{kind}": round(float(np.mean(each)), 5) for kind, each in rows.items()},
            **{f"mad_edge_{kind}": round(float(np.mean(np.array(each)[found])), 4) for kind, each in edges.items()},
            "seconds": round(float(np.mean(seconds)), 2),
        }  # fmt: skip
    text = json.dumps(result, indent=1)
    print(text)
    if wanted.json:
        wanted.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
