"""Good files of every kind that is read, small, and the command that reads each; what a campaign damages."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bench.campaign_worker import run
from tests.media import make
from tests.media.clips import EVEN, Recipe, Sound
from tests.media.clips import make as make_clip


@dataclass(frozen=True)
class Seed:
    """A folder of good files, which of them are damaged, and the words of the command that reads them.

    In the words `{at}` stands for a fresh copy of the folder and `{out}` for an empty folder.
    """

    name: str
    folder: Path
    victims: tuple[str, ...]
    words: tuple[str, ...]
    copies: int = 1
    """How many damaged copies of its one file one command gets, which is then named by `{at}` alone."""
    environment: tuple[tuple[str, str], ...] = ()
    """Variables that the command is given."""


def seeds(place: Path, names: list[str] | None) -> dict[str, list[Seed]]:
    """The seeds by kind of reader."""
    made: dict[str, list[Seed]] = {}
    tiny = tiny_model(place)
    for kind, maker in MAKERS.items():
        if names is None or kind in names:
            made[kind] = list(maker(place / kind, tiny))
    return made


def tiny_model(place: Path) -> Path:
    """An upscaling model of a few hundred weights."""
    from tests.cli.conftest import _save_tiny

    place.mkdir(parents=True, exist_ok=True)
    return _save_tiny(place / "tiny-x2.safetensors")


def photo(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A smooth picture: (H, W, 3) uint8."""
    return make.scene(height, width, seed=seed)


def _images(place: Path, tiny: Path) -> Iterator[Seed]:
    for name, data in _pictures().items():
        yield replace(_single(place / name, name, data, _upscaled(tiny)), copies=12)


def _pictures() -> dict[str, bytes]:
    small, deep, grey = photo(32, 24), make.scene(24, 32, bits=16), make.scene(24, 32, channels=1)
    alpha = np.concatenate([small, make.alpha_plane()[..., None]], axis=2)
    exif, profile = make.exif_block(), make.rgb_profile("display-p3") if _has("display-p3") else None
    more = {"icc_profile": profile} if profile else {}
    made = {
        "plain.png": make.encoded(small, "PNG", **more),
        "alpha.png": make.encoded(alpha, "PNG"),
        "grey.png": make.encoded(grey, "PNG"),
        "plain.jpg": make.encoded(small, "JPEG", quality=90, exif=exif, **more),
        "progressive.jpg": make.encoded(small, "JPEG", quality=80, progressive=True),
        "plain.webp": make.encoded(small, "WEBP", lossless=True, exif=exif),
        "lossy.webp": make.encoded(alpha, "WEBP", quality=70),
        "plain.tif": make.encoded(small, "TIFF", compression="tiff_lzw"),
        "raw.tif": make.encoded(small, "TIFF"),
        "deflate.tif": make.encoded(small, "TIFF", compression="tiff_adobe_deflate"),
        "float.tif": make.encoded(grey[..., 0].astype(np.float32) / 255, "TIFF"),
        "plain.bmp": make.encoded(small, "BMP"),
        "plain.ppm": make.encoded(small, "PPM"),
        "plain.tga": make.encoded(small, "TGA"),
        "plain.jp2": make.encoded(small, "JPEG2000"),
        "plain.ico": make.encoded(alpha, "ICO"),
        "plain.gif": make.encoded(grey, "GIF"),
    }
    try:
        import tifffile
    except ImportError:
        pass
    else:
        import io

        for name, array, options in (
            ("deep.tif", deep, {"bigtiff": True}), ("tiled.tif", small, {"tile": (16, 16), "compression": "zlib"}),
        ):  # fmt: skip
            stream = io.BytesIO()
            tifffile.imwrite(stream, array, photometric="rgb", **options)
            made[name] = stream.getvalue()
    return made


def _has(name: str) -> bool:
    try:
        make.rgb_profile(name)
    except (KeyError, ValueError):
        return False
    return True


def _animations(place: Path, tiny: Path) -> Iterator[Seed]:
    frames = [Image.fromarray(photo(24, 16, seed)) for seed in range(4)]
    for name in ("moving.gif", "moving.png", "moving.webp"):
        (place / name).mkdir(parents=True)
        frames[0].save(place / name / name, save_all=True, append_images=frames[1:], duration=[40, 80, 120, 40], loop=2)
        yield Seed(name, place / name, (name,), _upscaled(tiny), copies=6)


def _clips(place: Path, tiny: Path) -> Iterator[Seed]:
    kinds = {
        "a.mp4": Recipe(times=EVEN[:6], size=(32, 24), sounds=(Sound(seconds=0.3),)),
        "b.mkv": Recipe(times=EVEN[:6], size=(32, 24), sounds=(Sound(codec="libopus", seconds=0.3),)),
        "c.webm": Recipe(times=EVEN[:4], size=(32, 24), codec="libvpx-vp9"),
        "d.mov": Recipe(times=EVEN[:6], size=(32, 24), rotation=90),
        "e.avi": Recipe(times=EVEN[:6], size=(32, 24), codec="mpeg4", time_base=Fraction(1, 25)),
    }
    for name, recipe in kinds.items():
        (place / name).mkdir(parents=True)
        make_clip(place / name / name, recipe)
        yield Seed(name, place / name, (name,), _upscaled(tiny), copies=3)


def _masks(place: Path, tiny: Path) -> Iterator[Seed]:
    shape = np.zeros((24, 32), np.uint8)
    shape[8:14, 10:20] = 255
    for name, data in {
        "mask.png": make.encoded(shape, "PNG"), "mask.gif": make.encoded(shape, "GIF"),
        "mask.tif": make.encoded(shape, "TIFF"),
    }.items():  # fmt: skip
        words = ("inpaint", "{at}/photo.png", "--mask", "{at}/" + name, "--model", "telea", "-o", "{out}/")
        seed = _single(place / name, name, data, words)
        (place / name / "photo.png").write_bytes(make.encoded(photo(32, 24), "PNG"))
        yield seed


def _weights(place: Path, tiny: Path) -> Iterator[Seed]:
    from tests.zoo import test_damaged_weights as weights

    for maker in weights.MAKERS:
        folder = place / maker.__name__
        folder.mkdir(parents=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                path = _quietly(maker, folder)
        except BaseException as error:
            if type(error).__name__ != "Skipped":  # pytest's, where an extra is not installed
                raise
            continue
        (folder / "photo.png").write_bytes(make.encoded(photo(16, 12), "PNG"))
        victims = tuple(file.name for file in folder.iterdir() if file.name != "photo.png")
        verb = "restore" if path.suffix == ".onnx" else "upscale"
        words = (verb, "{at}/photo.png", "-o", "{out}/", "--model", "{at}/" + path.name)
        yield Seed(path.name, folder, victims, words)


def _quietly(maker: Callable[[Path], Path], folder: Path) -> Path:
    from tests.zoo.helpers import tiny_net

    if maker.__name__ != "torchscript_file":  # it expects a warning of pytest's kind
        return maker(folder)
    import torch

    torch.jit.trace(tiny_net(), torch.rand(1, 3, 8, 8)).save(folder / "x.pt")
    return folder / "x.pt"


def _training(place: Path, tiny: Path) -> Iterator[Seed]:
    folder = place / "run"
    photos = place / "photos"
    folder.mkdir(parents=True)
    photos.mkdir()
    for seed in range(6):
        Image.fromarray(photo(48, 48, seed)).save(photos / f"{seed}.png")
    train = ["train", "tiny", str(photos), "-o", str(folder / "run"), "-q"]
    code, said, _ = run([*train, "--steps", "3"])
    if code != 0:
        raise SystemExit(f"the seed of a training folder failed: {said}")
    victims = tuple(str(file.relative_to(folder)) for file in (folder / "run").rglob("*") if file.is_file())
    words = ("train", "tiny", str(photos), "-o", "{at}/run", "--steps", "4", "-q")
    yield Seed("run", folder, tuple(victim for victim in victims if not victim.endswith((".png", ".lock"))), words)
    recipe = place / "recipe" / "recipe.toml"
    recipe.parent.mkdir()
    shutil.copy(folder / "run" / "recipe.toml", recipe)
    words = ("train", "tiny", str(photos), "-o", "{out}/run", "--recipe", "{at}/recipe.toml", "--steps", "1", "-q")
    yield Seed("recipe.toml", recipe.parent, ("recipe.toml",), words)


def _journals(place: Path, tiny: Path) -> Iterator[Seed]:
    from imgfix.media.video.segments import Journal

    folder = place / "clip"
    folder.mkdir(parents=True)
    source = make_clip(folder / "long.mp4", Recipe(times=[i / 25 for i in range(150)], size=(24, 16)))
    words = ["upscale", str(source), "-o", str(folder / "out.mp4"), "--model", str(tiny)]
    add = Journal.add

    def then_stop(self: Journal, *rest: object) -> None:
        add(self, *rest)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    Journal.add = then_stop  # type: ignore[method-assign,assignment]
    try:
        run(words)
    finally:
        Journal.add = add  # type: ignore[method-assign]
    unfinished = folder / "out.mp4.unfinished"
    victims = tuple(str(file.relative_to(folder)) for file in unfinished.rglob("*") if file.is_file())
    if not victims:
        raise SystemExit("the seed of a journal failed: nothing unfinished was left")
    again = ("upscale", "{at}/long.mp4", "-o", "{at}/out.mp4", "--model", str(tiny), "--resume")
    yield Seed("journal", folder, victims, again)


def _tables(place: Path, tiny: Path) -> Iterator[Seed]:
    """Settings, lists of files and the like: text that a user writes."""
    listed = place / "list"
    listed.mkdir(parents=True)
    (place / "photo.png").write_bytes(make.encoded(photo(16, 12), "PNG"))
    (listed / "photos.txt").write_text(f"{place}/photo.png\n{place}/*.png\n")
    words = ("upscale", "@{at}/photos.txt", "-o", "{out}/", "--model", str(tiny))
    yield Seed("photos.txt", listed, ("photos.txt",), words)
    sound = place / "sound"
    sound.mkdir()
    from tests.making import generator_file, tone

    tone(sound / "tone.wav", seconds=0.2)
    model = generator_file(place / "generator.safetensors")
    words = ("generate", "--sound", "{at}/tone.wav", "--model", str(model), "-o", "{out}/a.png", "--seed", "1")
    yield Seed("tone.wav", sound, ("tone.wav",), words)
    catalog = place / "imports"
    catalog.mkdir()
    shutil.copy(tiny, catalog / "mine.safetensors")
    words = ("weights", "import", "{at}/mine.safetensors", "--name", "mine", "--overwrite")
    yield Seed("mine.safetensors", catalog, ("mine.safetensors",), words)


def _settings(place: Path, tiny: Path) -> Iterator[Seed]:
    """What a user sets in files, and the lists of models."""
    from imgfix.zoo import folders

    config = place / "config"
    config.mkdir(parents=True)
    (place / "photo.png").write_bytes(make.encoded(photo(16, 12), "PNG"))
    settings = 'device = "cpu"\nprecision = "fp32"\nquality = 90\n[upscale]\nscale = 2\ntile = 64\n'
    (config / "imgfix.toml").write_text(settings + '[inpaint]\nmodel = "telea"\nbox = ["1,1,4,4", "5,5,2,2"]\n')
    words = ("upscale", f"{place}/photo.png", "-o", "{out}/", "--model", str(tiny))
    named = (("IMGFIX_CONFIG", "{at}/imgfix.toml"),)
    yield Seed("imgfix.toml", config, ("imgfix.toml",), words, environment=named)
    words = ("inpaint", f"{place}/photo.png", "-o", "{out}/")
    yield Seed("imgfix.toml", config, ("imgfix.toml",), words, environment=named)
    yield Seed("imgfix.toml", config, ("imgfix.toml",), ("config", "--json"), environment=named)
    lists = place / "lists"
    lists.mkdir()
    for name in ("catalog.toml", "community.tsv"):
        shutil.copy(folders.shipped_folder() / name, lists / name)
        for words in (("weights", "list"), ("weights", "search", "photo")):
            yield Seed(name, lists, (name,), words, environment=(("SHIPPED", "{at}"),))


def _upscaled(tiny: Path) -> tuple[str, ...]:
    return ("upscale", "{at}", "-o", "{out}/", "--model", str(tiny))


def _single(folder: Path, name: str, data: bytes, words: tuple[str, ...]) -> Seed:
    folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    return Seed(name, folder, (name,), words)


MAKERS: dict[str, Callable[[Path, Path], Iterator[Seed]]] = {
    "image": _images, "animation": _animations, "clip": _clips, "mask": _masks, "weights": _weights,
    "training": _training, "journal": _journals, "table": _tables, "settings": _settings,
}  # fmt: skip
"""Reader -> the seeds for it."""
