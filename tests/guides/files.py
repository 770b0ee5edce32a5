"""The files that the guides talk of, small: a few photos, scans, clips and masks."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np

from tests.making import tone
from tests.media import clips

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
WIDTH, HEIGHT = 96, 64
FRAMES = 6
RECIPE = """
[[step]]
verb = "restore"
denoise = 10

[[step]]
verb = "inpaint"
box = "85%,85%,15%,15%"
model = "telea"

[[step]]
verb = "upscale"
long_side = 120
"""


def make(folder: Path) -> None:
    """Write all of them into a folder."""
    photo, other = _detail("cat.jpg", 150, 60), _detail("moon.jpg", 40, 40)
    noise = np.random.default_rng(0).normal(0, 20, photo.shape)
    noisy = np.clip(photo + noise, 0, 255).astype(np.uint8)
    hole = np.zeros((HEIGHT, WIDTH), np.uint8)
    hole[20:40, 30:50] = 255
    painted = photo.copy()
    painted[20:30, 30:70] = (255, 0, 255)
    pictures = {
        "photo.jpg": photo, "photo.png": photo, "scan.jpg": noisy, "scan.png": noisy, "scan.tif": noisy,
        "night.jpg": photo // 8, "shaky.png": cv2.blur(photo, (7, 1)), "sketch.png": painted, "small.png": photo,
        "mask.png": hole, "logo.png": hole, "dust.png": hole, "in.png": photo,
        "grey.jpg": photo.mean(2).astype(np.uint8),
        "drawing.png": np.concatenate([photo, hole[..., None]], 2),
    }  # fmt: skip
    for name, taken in (("beach.jpg", photo), ("moon.jpg", other), ("more/cat.jpg", noisy)):
        pictures |= {f"photos/{name}": taken, f"masks/{name}": hole, f"inbox/{name}": taken}
        pictures[f"originals/{Path(name).stem}.png"] = taken
        pictures[f"upscaled/{Path(name).stem}_x4.png"] = cv2.GaussianBlur(taken, (0, 0), 1)
        pictures |= {f"scans/{Path(name).with_suffix('.png')}": taken, f"bad/{Path(name).stem}.png": noisy}
        pictures[f"good/{Path(name).stem}.png"] = taken
    for number, (row, column) in enumerate(itertools.product((0, 40), (0, 60, 120, 180))):
        pictures[f"training/{number:03d}.jpg"] = _detail("cat.jpg", row, column, 224, 240)
    for number in range(FRAMES):
        shown = np.roll(photo, number, axis=1)
        pictures |= {f"frames/{number:04d}.png": shown, f"frame-masks/{number:04d}.png": hole}
    for name, pixels in pictures.items():
        _write(folder / name, pixels)
    _moving(folder, photo)
    tone(folder / "meow.wav")
    (folder / "prompts.txt").write_text("a red apple\na frog face\n", encoding="utf-8")
    (folder / "clean.toml").write_text(RECIPE, encoding="utf-8")
    (folder / "token.txt").write_text("0123456789abcdef0123456789abcdef\n", encoding="utf-8")
    (folder / "list.txt").write_text("photo.jpg\nphotos/moon.jpg\n", encoding="utf-8")


def _detail(name: str, top: int, left: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A part of a photo that ships, (height, width, 3) RGB."""
    photo = cv2.imread(str(PHOTOS / name))
    assert photo is not None
    return np.ascontiguousarray(photo[top : top + height, left : left + width, ::-1])


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]] if pixels.ndim == 3 else pixels
    assert cv2.imwrite(str(path), shown)


def _moving(folder: Path, photo: np.ndarray) -> None:
    recipe = clips.Recipe(
        times=clips.EVEN[:FRAMES], size=(WIDTH, HEIGHT), pictures=[np.roll(photo, n, axis=1) for n in range(FRAMES)],
        sounds=[clips.Sound(seconds=0.2)],
    )  # fmt: skip
    for name in ("clip.mp4", "film.mp4", "clip.mkv", "clips/beach.mp4", "clips/town.mp4"):
        clips.make(folder / name, recipe)
    from PIL import Image

    frames = [Image.fromarray(np.roll(photo, n, axis=1)) for n in range(4)]
    frames[0].save(folder / "anim.gif", save_all=True, append_images=frames[1:], duration=80, loop=0)
