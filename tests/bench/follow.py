"""How well a thing that moves through a clip is followed, and how steady the clip is once it is removed.

    python -m tests.bench.follow CLIP --coco FOLDER [--start SECONDS] [--frames 60] [--height 432] [--things 4]
        [--fill] [--sheet FOLDER] > follow.json

Things are cut from photos with their true masks (COCO: `annotations/instances_val2017.json`, `images/`) and laid over
the frames of real footage, on a curved way, growing and turning a little; every second one goes behind a standing
strip of the footage for a while. Each is chosen by one point in the middle of its first frame. Tells the intersection
over union with what of the true mask is seen, frame by frame. With --fill, it is removed with the masks that were
found (widened as by default) and with the true ones: PSNR inside the true mask to the footage without the thing, and
flicker, the mean difference between how the result and how the footage change from frame to frame there, of 255.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from imgfix import zoo
from imgfix.media import mask as masks
from imgfix.media.video.reader import Reader, TimeRange
from imgfix.tasks.select.choose import parse_point, reach
from imgfix.tasks.select.follow import FollowRequest, Masks, follow
from imgfix.tasks.select.segment import Segmenter
from imgfix.tasks.video_inpaint import VideoInpaint
from tests.bench.choosing import overlap, truth


class Tools:
    """The one network that points need."""

    def __init__(self) -> None:
        self._segmenter = Segmenter(zoo.load("mobile-sam").net)  # type: ignore[arg-type]

    def segmenter(self) -> Segmenter:
        return self._segmenter


@dataclass(frozen=True)
class Composite:
    """A clip with a thing in it."""

    frames: list[np.ndarray]
    true: list[np.ndarray]
    """(H, W) bool, what of the thing is seen."""
    hidden: range
    """Frames in which it is behind the strip, at least in part; empty without one."""


def things(folder: Path, count: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, picture (h, w, 3) and mask (h, w) bool of things that are seen whole."""
    data = json.loads((folder / "annotations" / "instances_val2017.json").read_text())
    names = {each["id"]: each["name"] for each in data["categories"]}
    pictures = {each["id"]: each for each in data["images"]}
    given = 0
    for each in sorted(data["annotations"], key=lambda one: one["id"]):
        picture = pictures[each["image_id"]]
        x, y, w, h = each["bbox"]
        inside = x > 4 and y > 4 and x + w < picture["width"] - 4 and y + h < picture["height"] - 4
        if each["iscrowd"] or not inside or min(w, h) < 110 or each["area"] < 0.45 * w * h:
            continue
        if names[each["category_id"]] in ("dining table", "bed", "couch", "bench"):
            continue
        rgb = np.asarray(Image.open(folder / "images" / picture["file_name"]).convert("RGB"))
        mask = truth(each, *rgb.shape[:2])
        left, top, right, bottom = int(x), int(y), int(x + w) + 1, int(y + h) + 1
        yield names[each["category_id"]], rgb[top:bottom, left:right], mask[top:bottom, left:right]
        given += 1
        if given == count:
            return


def laid_over(footage: list[np.ndarray], thing: np.ndarray, mask: np.ndarray, occluded: bool) -> Composite:
    """A thing on its way through the footage."""
    height, width = footage[0].shape[:2]
    size = 0.3 * height / max(thing.shape[:2])
    frames, true, hidden = [], [], []
    strip = slice(int(0.46 * width), int(0.46 * width) + int(0.36 * height))
    for number, frame in enumerate(footage):
        along = number / (len(footage) - 1)
        grown = size * (1 + 0.25 * np.sin(3 * along))
        middle = (width * (0.18 + 0.64 * along), height * (0.5 + 0.16 * np.sin(5 * along)))
        way = cv2.getRotationMatrix2D((thing.shape[1] / 2, thing.shape[0] / 2), 12 * np.sin(4 * along), grown)
        way[:, 2] += np.array(middle) - np.array([thing.shape[1], thing.shape[0]]) / 2  # type: ignore[arg-type]
        share = cv2.warpAffine(mask.astype(np.float32), way, (width, height), flags=cv2.INTER_AREA)
        share = cv2.GaussianBlur(share, (3, 3), 0)
        colours = cv2.warpAffine(thing, way, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        whole = share >= 0.5
        if occluded:
            share[:, strip] = 0
        made = frame * (1 - share[..., None]) + colours * share[..., None]
        frames.append((made + 0.5).astype(np.uint8))
        true.append(share >= 0.5)
        if true[-1].sum() < 0.9 * whole.sum():
            hidden.append(number)
    return Composite(frames, true, range(hidden[0], hidden[-1] + 1) if hidden else range(0))


def measured(found: Masks, made: Composite) -> dict[str, Any]:
    """Intersection over union, over all frames and by when."""
    each = [overlap(found.get(number), true) for number, true in enumerate(made.true)]
    seen = [value for number, value in enumerate(each) if number not in made.hidden]
    result: dict[str, Any] = {"iou": mean(each), "iou_seen_whole": mean(seen), "lowest_seen_whole": round(min(seen), 3)}
    if made.hidden:
        after = each[made.hidden.stop :]
        gone = [found.get(number).sum() for number in made.hidden if not made.true[number].any()]
        result |= {
            "hidden_frames": len(made.hidden), "iou_after": mean(after) if after else None,
            "pixels_while_gone": mean([float(pixels) for pixels in gone]) if gone else None,
        }  # fmt: skip
    return result


def mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 4)


def removed(footage: list[np.ndarray], made: Composite, filled: list[np.ndarray], filler: Any) -> dict[str, float]:
    """How near the clip without the thing comes to the footage."""
    task = VideoInpaint(lambda number, frame: filled[number], filler)
    results = [result.frame for result in task.run(iter(made.frames))]
    errors, flicker = [], []
    for number, true in enumerate(made.true):
        if not true.any():
            continue
        difference = results[number].astype(np.float32) - footage[number]
        errors.append(float(np.square(difference[true]).mean()))
        if number:
            change = results[number].astype(np.float32) - results[number - 1]
            own = footage[number].astype(np.float32) - footage[number - 1]
            flicker.append(float(np.abs(change - own)[true].mean()))
    return {"psnr": round(10 * np.log10(255**2 / np.mean(errors)), 2), "flicker": mean(flicker)}


def sheet(made: Composite, found: Masks, path: Path) -> None:
    """Five frames with the mask."""
    numbers = np.linspace(0, len(made.frames) - 1, 6).round().astype(int)
    shown = []
    for number in numbers:
        mask = found.get(int(number))
        frame = made.frames[number]
        shown.append(np.where(mask[..., None], frame // 3 + np.array([170, 0, 120], np.uint8), frame).astype(np.uint8))
    rows = [np.hstack(shown[:3]), np.hstack(shown[3:])]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--start", type=float, default=0.0)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--height", type=int, default=432)
    parser.add_argument("--things", type=int, default=4)
    parser.add_argument("--fill", action="store_true")
    parser.add_argument("--sheet", type=Path)
    wanted = parser.parse_args()
    reader = Reader(wanted.clip, TimeRange(wanted.start, None), upright=True)
    footage = []
    for frame in itertools.islice(reader.frames(), wanted.frames):
        width = round(frame.pixels.shape[1] * wanted.height / frame.pixels.shape[0] / 2) * 2
        small = cv2.resize(frame.pixels[..., :3], (width, wanted.height), interpolation=cv2.INTER_AREA)
        footage.append(small)
    tools = Tools()
    result: dict[str, Any] = {"frames": len(footage), "size": list(footage[0].shape[1::-1]), "things": []}
    filler = None
    for number, (name, thing, mask) in enumerate(things(wanted.coco, wanted.things)):
        made = laid_over(footage, thing, mask, occluded=number % 2 == 1)
        inner = cv2.distanceTransform(np.pad(made.true[0].astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(int(inner.argmax()), inner.shape)
        start = time.perf_counter()
        found = follow(iter(made.frames), tools, FollowRequest((parse_point(f"{x},{y}"),), 0.4))  # type: ignore[arg-type]
        told = {"name": name, **measured(found, made), "seconds": round(time.perf_counter() - start, 1)}
        if wanted.sheet is not None:
            wanted.sheet.mkdir(parents=True, exist_ok=True)
            sheet(made, found, wanted.sheet / f"{number}-{name}.png")
        if wanted.fill:
            from imgfix.pipelines.models import Models
            from imgfix.pipelines.options import Machine

            models = Models(Machine(device="cpu"))
            filler = filler or models.open(models.choose("inpaint"), "inpaint")
            width = reach((footage[0].shape[1], footage[0].shape[0]))
            own = [masks.dilate(found.get(n).astype(np.float32), width) for n in range(len(footage))]
            best = [masks.dilate(true.astype(np.float32), width) for true in made.true]
            told |= {"found": removed(footage, made, own, filler), "true": removed(footage, made, best, filler)}
        result["things"].append(told)
        print(json.dumps(told), flush=True)
    every = result["things"]
    result |= {key: mean([one[key] for one in every]) for key in ("iou", "iou_seen_whole")}
    result["threads"] = torch.get_num_threads()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
