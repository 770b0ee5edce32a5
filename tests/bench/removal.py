"""Removing things by name on COCO: whether the detector still finds them, and what is left around them.

    python tests/bench/removal.py --coco FOLDER [--model migan-512-places2] [--most 0.4] [--json OUT] [--sheet FOLDER]

FOLDER holds `annotations/instances_val2017.json` and `images/`. Every name that the detector finds in a picture is
chosen, widened as is usual, and filled. A name is gone where none of its boxes lies by half or more on what was filled;
`nothing_there` asks that of every name that was not there before. What covers more than --most of the picture is left
out: there is too little to fill it from. `rim` is how much further the true masks of that name reach beyond the hole,
as a share of their area, where the detector found the thing at all: what a ring or a halo would be made of.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from choosing import Tools, shade, truth

from imgfix import zoo
from imgfix.runtime.engine import Engine
from imgfix.tasks.inpaint import inpaint
from imgfix.tasks.select.choose import choose, parse_object
from imgfix.tasks.select.detect import DEFAULT_SCORE, Detection

RIM = 0.02
"""Share of the longer side within which what is left of a thing counts as its rim."""


def covered(thing: Detection, hole: np.ndarray) -> float:
    """Share of a box that lies on the hole."""
    left, top, right, bottom = (round(edge) for edge in thing.box)
    inside = hole[top:bottom, left:right]
    return float(inside.mean()) if inside.size else 0.0


def rim(hole: np.ndarray, masks: list[np.ndarray]) -> list[float]:
    """Of each true mask that the hole was made for, the share of it that is left just beyond the hole."""
    side = 2 * round(RIM * max(hole.shape)) + 1
    near = cv2.dilate(hole.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    mine = [mask for mask in masks if mask.any() and (mask & hole).sum() >= 0.5 * mask.sum()]
    return [float((mask & near & ~hole).sum() / mask.sum()) for mask in mine]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--model", default="inpaint-photo")
    parser.add_argument("--most", type=float, default=0.4)
    parser.add_argument("--pictures", type=int)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    data = json.loads((wanted.coco / "annotations" / "instances_val2017.json").read_text())
    names = {each["id"]: each["name"] for each in data["categories"]}
    tools, engine = Tools(), Engine(zoo.load(wanted.model, task="inpaint"))
    gone, clean, rims, seconds, left = [], [], [], [], []
    rows: list[dict[str, Any]] = []
    for picture in data["images"][: wanted.pictures]:
        rgb = cv2.cvtColor(cv2.imread(str(wanted.coco / "images" / picture["file_name"])), cv2.COLOR_BGR2RGB)
        before = tools.detector().find(rgb)
        own = [each for each in data["annotations"] if each["image_id"] == picture["id"] and not each["iscrowd"]]
        for name in sorted({one.name for one in before}):
            start = time.process_time()
            mask = choose(rgb, [parse_object(name)], tools, dilate=None).mask
            hole = mask > 0
            if hole.mean() > wanted.most:
                left.append(name)
                continue
            filled = inpaint(rgb, mask, engine)
            seconds.append(time.process_time() - start)
            after = [one for one in tools.detector().find(filled, DEFAULT_SCORE) if covered(one, hole) >= 0.5]
            known = {one.name for one in before} - {name}
            gone.append(not any(one.name == name for one in after))
            clean.append(gone[-1] and all(one.name in known for one in after))
            masks = [truth(each, *hole.shape) for each in own if names[each["category_id"]] == name]
            rims += rim(hole, masks)
            rows.append({"picture": picture["file_name"], "name": name, "share": round(float(hole.mean()), 4),
                         "gone": gone[-1], "there_now": [f"{one.name} {one.score:.2f}" for one in after]})  # fmt: skip
            if wanted.sheet is not None:
                path = wanted.sheet / f"{Path(picture['file_name']).stem}-{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                shade(rgb, hole, path)
                shown = np.hstack([rgb, cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), filled])
                cv2.imwrite(str(path), cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
    result = {
        "threads": torch.get_num_threads(), "model": wanted.model, "names": len(gone), "too_large": len(left),
        "gone": round(float(np.mean(gone)), 4), "nothing_there": round(float(np.mean(clean)), 4),
        "rim": round(float(np.mean(rims)), 4), "rim_worst": round(float(np.max(rims)), 4),
        "cpu_seconds": round(float(np.mean(seconds)), 2),
    }  # fmt: skip
    print("\n".join(json.dumps(row) for row in rows))
    print(json.dumps(result, indent=1))
    if wanted.json:
        wanted.json.write_text(json.dumps({**result, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
