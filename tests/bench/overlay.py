"""How well what was laid over photos is found, and what is left of it after filling.

    python -m tests.bench.overlay PHOTOS --model FILE --fonts FOLDER --stickers FOLDER [--count 300] [--fills 60]
        [--score 0.5] [--sheet FILE] > overlay.json

Makes composites of 640x480 over photos, one kind after the other, 40 % of them with writing or drawings in the scene
that must stay, and one in eight with nothing laid over. Give photos, fonts and stickers that no training saw. A find is
right when its mask meets that of a thing by half (intersection over union), and no surer find has met it; a kind's
precision counts what was found in its composites. With --fills, the first so many composites of every kind are filled
twice, within what was found (widened as by default) and within the true mask (widened by 2 pixels): the PSNR to the
photo before, over the whole picture. Where nothing was found the first is that of the composite. Measures at `--score`,
and precision and recall at other scores too.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from imgfix import zoo
from imgfix.errors import InputError
from imgfix.media import mask as masks
from imgfix.pipelines.options import CLASSICAL
from imgfix.runtime.engine import Engine
from imgfix.tasks.inpaint import InpaintOptions, inpaint
from imgfix.tasks.select.choose import Selector, choose
from imgfix.tasks.select.detect import Detection
from imgfix.tasks.select.instances import InstanceDetector, inside, one_of_each
from imgfix.train.overlays.assets import Assets, load_assets
from imgfix.train.overlays.compose import KINDS, Composite, Plan, compose
from imgfix.train.pool import find_pictures

SIZE = (640, 480)
GROUPS = (*KINDS, "nothing")
RIGHT = 0.5
SCORES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Seen:
    """A composite and what was found in it."""

    group: str
    made: Composite
    found: list[tuple[Detection, np.ndarray]]


class Tools:
    """Gives `choose` the one network that it needs here."""

    def __init__(self, detector: InstanceDetector) -> None:
        self.detector = detector

    def overlays(self) -> InstanceDetector:
        return self.detector

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not needed")


def made(photos: list[Path], number: int, assets: Assets, group: str) -> Composite:
    rng = np.random.default_rng([number, 20])
    photo = np.asarray(Image.open(photos[int(rng.integers(len(photos)))]).convert("RGB"))
    height, width = photo.shape[:2]
    share = (
        min(1.0, height / SIZE[1], width / SIZE[0]) if rng.random() < 0.5 else min(height / SIZE[1], width / SIZE[0])
    )
    w, h = int(SIZE[0] * share), int(SIZE[1] * share)
    left, top = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    crop = np.ascontiguousarray(photo[top : top + h, left : left + w])
    return compose(crop, SIZE, assets, Plan(), rng, only=[] if group == "nothing" else [group])


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def rated(seen: list[Seen], score: float) -> dict[str, float]:
    """Precision, recall and mean overlap of the right masks; how much of all covered pixels was found."""
    right = wrong = missed = 0
    overlaps: list[float] = []
    covered = truth = 0
    for one in seen:
        left = list(range(len(one.made.instances)))
        whole, found = np.zeros(SIZE[::-1], bool), np.zeros(SIZE[::-1], bool)
        for instance in one.made.instances:
            whole |= instance.mask
        for thing, mask in one.found:
            if thing.score < score:
                continue
            found |= mask
            best, index = max(((overlap(mask, one.made.instances[i].mask), i) for i in left), default=(0.0, -1))
            if best >= RIGHT:
                left.remove(index)
                overlaps.append(best)
                right += 1
            else:
                wrong += 1
        missed += len(left)
        covered, truth = covered + int((whole & found).sum()), truth + int(whole.sum())
    return {
        "things": right + missed,
        "precision": round(right / max(right + wrong, 1), 3),
        "recall": round(right / max(right + missed, 1), 3),
        "iou": round(float(np.mean(overlaps)), 3) if overlaps else 0.0,
        "pixels": round(covered / max(truth, 1), 3),
        "wrong": wrong,
    }


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-2)))


def filled(one: Seen, tools: Tools, filler: Engine | str, score: float) -> tuple[dict[str, float], list[np.ndarray]]:
    """PSNR of the composite, of the fill of what was found, and of the fill of the truth; the pictures."""
    picture, options = one.made.picture, InpaintOptions()
    try:
        mask = choose(picture, [Selector("overlay")], tools, dilate=None, least=score).mask  # type: ignore[arg-type]
        ours = inpaint(picture, mask, filler, options)
    except InputError:
        mask, ours = np.zeros(SIZE[::-1], np.float32), picture
    truth = np.zeros(SIZE[::-1], np.float32)
    for instance in one.made.instances:
        truth = np.maximum(truth, (instance.alpha > 0.02).astype(np.float32))
    best = inpaint(picture, masks.dilate(truth, 2), filler, options)
    values = {name: psnr(x, one.made.clean) for name, x in (("before", picture), ("found", ours), ("true", best))}
    shade = (picture * (1 - 0.5 * mask[..., None]) + np.array([255, 0, 80]) * 0.5 * mask[..., None]).astype(np.uint8)
    return values, [picture, shade, ours, best, one.made.clean]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--fonts", action="append", default=[])
    parser.add_argument("--stickers", action="append", default=[])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--fills", type=int, default=0, help="composites of each kind that are filled")
    parser.add_argument("--filler", default="inpaint-photo")
    parser.add_argument("--score", type=float, default=0.5)
    parser.add_argument("--side", type=int, help="shorter side at which the network looks, instead of its own")
    parser.add_argument("--sheet", type=Path, help="a picture of what was filled: before, found, filled, true, photo")
    asked = parser.parse_args()
    net: Any = zoo.load(asked.model).net
    net.least = asked.side or net.least
    net.most = max(net.most, 2 * net.least)
    detector = InstanceDetector(net)
    assets, photos = load_assets(asked.fonts, asked.stickers), find_pictures(asked.photos)
    seen = []
    for number in range(asked.count):
        group = GROUPS[number % len(GROUPS)]
        one = made(photos, number, assets, group)
        found = [(thing, inside(thing, *SIZE[::-1])) for thing in one_of_each(detector.find(one.picture, min(SCORES)))]
        seen.append(Seen(group, one, found))
        print(f"\r{number + 1}/{asked.count}", end="", file=sys.stderr)
    result: dict[str, Any] = {
        "composites": len(seen), "score": asked.score, "side": net.least, "all": rated(seen, asked.score),
        "kinds": {group: rated([one for one in seen if one.group == group], asked.score) for group in GROUPS},
        "scores": {str(score): rated(seen, score) for score in SCORES},
    }  # fmt: skip
    if asked.fills:
        classical = asked.filler in CLASSICAL
        filler: Engine | str = asked.filler if classical else Engine(zoo.load(asked.filler))
        tools, sheet = Tools(detector), []
        fills: dict[str, list[dict[str, float]]] = {}
        for group in KINDS:
            own = [each for each in seen if each.group == group and each.made.instances]
            for each in own[: asked.fills]:
                values, shown = filled(each, tools, filler, asked.score)
                fills.setdefault(group, []).append(values)
                sheet.append(
                    np.concatenate([cv2.resize(x, (320, 240), interpolation=cv2.INTER_AREA) for x in shown], 1)
                )
        result["psnr"] = {
            group: {name: round(float(np.mean([row[name] for row in rows])), 2) for name in rows[0]}
            for group, rows in fills.items()
        }
        if asked.sheet:
            cv2.imwrite(str(asked.sheet), np.concatenate(sheet)[..., ::-1])
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
