"""The 80 names of COCO, the things that the detector knows."""

from __future__ import annotations

from difflib import get_close_matches

# Numbered from 1 to 90; ten numbers were never used (https://cocodataset.org).
COCO: tuple[str | None, ...] = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", None, "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep",
    "cow", "elephant", "bear", "zebra", "giraffe", None, "backpack", "umbrella", None, None,
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat",
    "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle", None, "wine glass", "cup", "fork", "knife",
    "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza",
    "donut", "cake", "chair", "couch", "potted plant", "bed", None, "dining table", None, None,
    "toilet", None, "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
    "toaster", "sink", "refrigerator", None, "book", "clock", "vase", "scissors", "teddy bear", "hair drier",
    "toothbrush",
)  # fmt: skip
NAMES: tuple[str, ...] = tuple(name for name in COCO if name is not None)

# What people say for them.
_OTHER = {
    "man": "person", "woman": "person", "child": "person", "boy": "person", "girl": "person", "people": "person",
    "bike": "bicycle", "motorbike": "motorcycle", "plane": "airplane", "aeroplane": "airplane", "ship": "boat",
    "hydrant": "fire hydrant", "kitten": "cat", "puppy": "dog", "rucksack": "backpack", "bag": "handbag",
    "purse": "handbag", "ball": "sports ball", "glass": "wine glass", "mug": "cup", "doughnut": "donut",
    "sofa": "couch", "plant": "potted plant", "table": "dining table", "television": "tv", "monitor": "tv",
    "notebook": "laptop", "phone": "cell phone", "smartphone": "cell phone", "mobile phone": "cell phone",
    "stove": "oven", "fridge": "refrigerator", "hair dryer": "hair drier", "teddy": "teddy bear",
}  # fmt: skip


def canonical(word: str) -> str | None:
    """COCO's name for what a user calls it (upper and lower case, plurals and other words for it), else None."""
    plain = " ".join(word.lower().replace("_", " ").replace("-", " ").split())
    for form in (plain, plain.removesuffix("s"), plain.removesuffix("es")):
        if form in NAMES:
            return form
        if form in _OTHER:
            return _OTHER[form]
    return None


def nearest(word: str, among: tuple[str, ...] = NAMES, count: int = 3) -> list[str]:
    """Names that are spelled like a word, the most alike first."""
    words = {**{name: name for name in among}, **{other: name for other, name in _OTHER.items() if name in among}}
    close = get_close_matches(word.lower(), list(words), n=count, cutoff=0.6)
    return list(dict.fromkeys(words[found] for found in close))
