"""The command line and Python are one program: the same words give the same pixels, the same record, the same refusals.

Each row is one option of a verb, as it is written on a command line and as it is written in Python.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import imgfix
from imgfix import zoo
from imgfix.cli import app
from imgfix.errors import ImgfixError
from imgfix.media import image
from imgfix.nets.dncnn import DnCNN
from imgfix.nets.srvgg import SRVGG
from imgfix.pipelines.option_names import option
from imgfix.pipelines.options import (
    ClipOptions,
    GenerateRequest,
    InpaintRequest,
    Machine,
    Reading,
    RestoreRequest,
    Saving,
    UpscaleRequest,
)
from tests.cli.conftest import Run, save_photo
from tests.cli.conftest import imgfix as command_line
from tests.making import generator_file, tone
from tests.media.clips import EVEN, Recipe, make
from tests.tasks.scenes import scene, scratched, with_noise

run = command_line
"""The fixture that runs a command in this process."""


@dataclass(frozen=True)
class Row:
    """One option, spelled both ways."""

    words: str
    """As a command line has it; PLACES stand in angle brackets."""
    keywords: dict[str, Any]
    source: str = "photo.png"
    refused: bool = False
    target: str = "out.png"

    @property
    def name(self) -> str:
        return self.words.replace("--", "").replace(" ", "-") or "nothing"


def row(words: str, source: str = "photo.png", refused: bool = False, target: str = "out.png", **keywords: Any) -> Row:
    return Row(words, keywords, source, refused, target)


SHARED = [
    row(""),
    row("--format tiff", format="tiff", target="out.tif"),
    row("--format papyrus", format="papyrus", refused=True),
    row("--quality 60", quality=60, target="out.jpg"),
    row("--quality 0", quality=0, refused=True),
    row("--no-record", record=False),
    row("--overwrite", overwrite=True, target="exists.png"),
    row("", target="exists.png", refused=True),
    row("--skip-existing", skip_existing=True, target="exists.png"),
    row("--overwrite --skip-existing", overwrite=True, skip_existing=True, refused=True),
    row("--device cpu", device="cpu"),
    row("--device abacus", device="abacus", refused=True),
    row("--precision fp32", precision="fp32"),
    row("--engine torch", engine="torch"),
    row("--engine abacus", engine="abacus", refused=True),
    row("--offline", offline=True),
    row("--max-pixels 100", max_pixels=100, refused=True),
    row("--max-pixels 0", max_pixels=0),
    row("--shard 1/1", shard="1/1"),
    row("--shard 1/2", shard="1/2"),
    row("--shard 2/2", shard="2/2"),
    row("--shard 3/2", shard="3/2", refused=True),
    row("--shard third", shard="third", refused=True),
    row("", source="deep.png"),
    row("", source="clear.png"),
    row("", source="broken.png", refused=True),
    row("", source="missing.png", refused=True),
    row("", source="clip.mkv", target="out.mkv"),
]
CLIPS = [
    row("--codec ffv1", codec="ffv1"),
    row("--codec papyrus", codec="papyrus", refused=True),
    row("--crf 30 --codec h264", crf=30, codec="h264"),
    row("--preset fast --codec h264", preset="fast", codec="h264"),
    row("--pix-fmt yuv444p --codec h264", pix_fmt="yuv444p", codec="h264"),
    row("--codec h264 -e tune=animation", codec="h264", encoder_option=["tune=animation"]),
    row("-e nonsense", encoder_option=["nonsense"], refused=True),
    row("--start 0:00.05", start="0:00.05"),
    row("--start 0.05", start=0.05),
    row("--start soon", start="soon", refused=True),
    row("--end 0.1", end=0.1),
    row("--start 0.1 --end 0.05", start=0.1, end=0.05, refused=True),
    row("--no-audio", audio=False),
    row("--fps 10", fps=10),
    row("--fps fast", fps="fast", refused=True),
    row("--deinterlace off", deinterlace="off"),
    row("--deinterlace perhaps", deinterlace="perhaps", refused=True),
    row("--resume", resume=True),
    row("--smooth 2 --smooth-model flow", smooth=2, smooth_model="flow"),
    row("--smooth auto --fps 40 --smooth-model flow", smooth="auto", fps=40, smooth_model="flow"),
    row("--smooth auto", smooth="auto", refused=True),
    row("--smooth 1", smooth=1, refused=True),
    row("--smooth 2 --fps 40", smooth=2, fps=40, refused=True),
    row("--smooth-model flow", smooth_model="flow", refused=True),
    row("--smooth 2 --smooth-model telea", smooth=2, smooth_model="telea", refused=True),
    row("--frames", frames=True, source="numbered", target="out"),
    row("--frames", frames=True, refused=True),
]
UPSCALE = [
    *SHARED,
    row("--tile 32", tile=32),
    row("--tile auto", tile="auto"),
    row("--tile 0", tile=0, refused=True),
    row("--scale 1.5", scale=1.5),
    row("--scale 3", scale=3),
    row("--scale 20", scale=20, refused=True),
    row("--width 50", width=50),
    row("--height 50", height=50),
    row("--width 50 --height 30", width=50, height=30),
    row("--long-side 70", long_side=70),
    row("--long-side -1", long_side=-1, refused=True),
    row("--megapixels 0.002", megapixels=0.002),
    row("--scale 2 --width 50", scale=2, width=50, refused=True),
    row("--tta", tta=True),
    row("--color-fix", color_fix=True),
    row("--no-color-fix", color_fix=False),
    row("--blend 0.5", blend=0.5),
    row("--restore", restore=True),
    row("--restore", restore=True, source="good.jpg", target="out.png"),
    row(
        "--restore --smooth 2 --smooth-model flow",
        restore=True,
        smooth=2,
        smooth_model="flow",
        source="clip.mkv",
        target="out.mkv",
    ),
    row("--steady", steady=True, source="clip.mkv", target="out.mkv"),
    row("--no-steady", steady=False, source="clip.mkv", target="out.mkv"),
    row("--steady", steady=True),
    row("--blend 2", blend=2, refused=True),
    row("--model nowhere.safetensors", model="nowhere.safetensors", refused=True),
]
INPAINT = [
    *(each for each in SHARED if "abacus" not in each.words),  # a classical method runs on no device
    row("--model ns", model="ns"),
    row("--model nowhere.safetensors", model="nowhere.safetensors", refused=True),
    row("--mask <mask.png>", mask="<mask.png>"),
    row("--mask <nowhere.png>", mask="<nowhere.png>", refused=True),
    row("--box 4,4,8,8", boxes=[(4, 4, 8, 8)]),
    row("--box 10%,10%,30%,20%", boxes=["10%,10%,30%,20%"]),
    row("--box 0,0,0,5", boxes=[(0, 0, 0, 5)], refused=True),
    row("--box 90,90,5,5", boxes=[(90, 90, 5, 5)], refused=True),
    row("--box 1,2,3", boxes=[(1, 2, 3)], refused=True),
    row("--color #ff00ff --tolerance 3", color=(255, 0, 255), tolerance=3, source="painted.png"),
    row("--color #ff00ff", color="#ff00ff", source="painted.png"),
    row("--color papyrus", color="papyrus", refused=True),
    row("--tolerance 900 --color red", tolerance=900, color="red", refused=True),
    row("--alpha", alpha=True, source="clear.png"),
    row("--alpha", alpha=True, refused=True),
    row("--expand left=4,top=10%", expand="left=4,top=10%"),
    row("--expand sideways", expand="sideways", refused=True),
    row("--box 4,4,8,8 --dilate 2", boxes=[(4, 4, 8, 8)], dilate=2),
    row("--box 4,4,8,8 --grow 2", boxes=[(4, 4, 8, 8)], grow=2),
    row("--box 4,4,8,8 --feather 2", boxes=[(4, 4, 8, 8)], feather=2),
    row("--box 4,4,8,8 --feather -1", boxes=[(4, 4, 8, 8)], feather=-1, refused=True),
    row("--mask <mask.png> --invert", mask="<mask.png>", invert=True),
    row("--box 4,4,8,8 --invert", boxes=[(4, 4, 8, 8)], invert=True, refused=True),
    row("--mask <half.png> --fit-mask", mask="<half.png>", fit_mask=True),
    row("--mask <half.png>", mask="<half.png>", refused=True),
    row("--box 4,4,8,8 --tta", boxes=[(4, 4, 8, 8)], tta=True),
    row("--box 4,4,8,8 --no-tta", boxes=[(4, 4, 8, 8)], tta=False),
    row("--box 4,4,8,8 --grain", boxes=[(4, 4, 8, 8)], grain=True),
    row("--box 4,4,8,8 --no-grain", boxes=[(4, 4, 8, 8)], grain=False),
    row("--box 4,4,8,8 --save-mask <found.png>", boxes=[(4, 4, 8, 8)], save_mask="<found.png>"),
    row("--box 4,4,8,8 --variants 2", boxes=[(4, 4, 8, 8)], variants=2, refused=True),  # a classical method has one
    row("--box 4,4,8,8 --variants 2 --tta", boxes=[(4, 4, 8, 8)], variants=2, tta=True, refused=True),
    row("--box 4,4,8,8 --variants 9", boxes=[(4, 4, 8, 8)], variants=9, refused=True),
    row("--box 4,4,8,8 --sheet <sheet.png>", boxes=[(4, 4, 8, 8)], sheet="<sheet.png>", refused=True),
    row("--point 5,5 --not-point 9,9", point=(5, 5), not_point=["9,9"], refused=True),  # no model for it is here
    row("--point 5", point="5", refused=True),
    row("--box-object 4,4,8,8", box_object=(4, 4, 8, 8), refused=True),
    row("--object dog --score 0.5", object="dog", score=0.5, refused=True),
    row("--object dgo", object=["dgo"], refused=True),
    row("--score 1 --subject", score=1, subject=True, refused=True),
    row("--subject", subject=True, refused=True),
    row("--background", background=True, refused=True),
    row("--text +", text="+", refused=True),
    row("--overlay", overlay=True, refused=True),
    row("--object dog --detector nowhere.pth", object="dog", detector="nowhere.pth", refused=True),
    row("--object dog --at 0.05", object="dog", at=0.05, source="clip.mkv", target="out.mkv", refused=True),
    row("--box 4,4,8,8 --at 0.05", boxes=[(4, 4, 8, 8)], at=0.05, refused=True),
    row("--box 4,4,8,8 --dilate wide", boxes=[(4, 4, 8, 8)], dilate="wide", refused=True),
    row("--expand all=4", expand="all=4", source="clip.mkv", target="out.mkv", refused=True),
    row("--alpha", alpha=True, source="clip.mkv", target="out.mkv", refused=True),
]
RESTORE = [
    *SHARED,
    row("--model nowhere.safetensors", model="nowhere.safetensors", refused=True),
    row("--tile 32", tile=32),
    row("--tile 0", tile=0, refused=True),
    row("--denoise 15", denoise=15),
    row("--denoise auto", denoise="auto"),
    row("--denoise off", denoise="off"),
    row("--denoise much", denoise="much", refused=True),
    row("--denoise 500", denoise=500, refused=True),
    row("--jpeg 40", jpeg=40),
    row("--jpeg auto", jpeg="auto"),
    row("--jpeg off", jpeg="off"),
    row("--jpeg bad", jpeg="bad", refused=True),
    row("--denoise off --jpeg off", denoise="off", jpeg="off", refused=True),
    row("--deblur", deblur=True, refused=True),
    row("--low-light", low_light=True, refused=True),
    row("--derain", derain=True, refused=True),
    row("--dehaze", dehaze=True, refused=True),
    row("--colorize", colorize=True, refused=True),
    row("--faces", faces=True, refused=True),
    row("--faces --fidelity 0.5", faces=True, fidelity=0.5, refused=True),
    row("--faces --fidelity 2", faces=True, fidelity=2, refused=True),
    row("--fidelity 0.5", fidelity=0.5, refused=True),
    row("--scratches", scratches=True, source="scratched.png"),
    row("--old --no-fading", old=True, fading=False, source="scratched.png"),
    row("--old --no-scratches", old=True, scratches=False, source="scratched.png"),
    row("--fading", fading=True, source="scratched.png"),
    row("--scratch-mask <mask.png>", scratch_mask="<mask.png>"),
    row("--scratches --save-mask <found.png>", scratches=True, save_mask="<found.png>", source="scratched.png"),
    row("--save-mask <found.png>", save_mask="<found.png>", refused=True),
    row("--deflicker", deflicker=True, source="clip.mkv", target="out.mkv"),
    row(
        "--deflicker --denoise 5 --smooth 2 --smooth-model flow",
        deflicker=True,
        denoise=5,
        smooth=2,
        smooth_model="flow",
        source="clip.mkv",
        target="out.mkv",
    ),
    row("--deflicker", deflicker=True, refused=True),
    row("--denoise 15 --steady", denoise=15, steady=True, source="clip.mkv", target="out.mkv"),
    row("--denoise 15 --no-steady", denoise=15, steady=False, source="clip.mkv", target="out.mkv"),
    row(
        "--denoise off --jpeg off --smooth 2 --smooth-model flow",
        denoise="off",
        jpeg="off",
        smooth=2,
        smooth_model="flow",
        source="clip.mkv",
        target="out.mkv",
    ),
    row("--scratches", scratches=True, source="clip.mkv", target="out.mkv", refused=True),
    row("--denoise 15 --strength 0.5", denoise=15, strength=0.5),
    row("--strength 3", strength=3, refused=True),
    row("", source="good.jpg", target="out.jpg"),
]
GENERATE = [
    row("cat", prompt="cat"),
    row("", refused=True),
    row("cat --class stamp", prompt="cat", label="stamp"),
    row("cat --class stmp", prompt="cat", label="stmp", refused=True),
    row("--sound <meow.wav>", sound="<meow.wav>"),
    row("--sound <nowhere.wav>", sound="<nowhere.wav>", refused=True),
    row("cat --image <photo.png>", prompt="cat", image="<photo.png>"),
    row("cat --image <photo.png> --strength 0.2", prompt="cat", image="<photo.png>", strength=0.2),
    row("cat --image <photo.png> --strength 3", prompt="cat", image="<photo.png>", strength=3, refused=True),
    row("--from <drawn.png>", like="<drawn.png>"),
    row("--from <drawn.png> --seed 8", like="<drawn.png>", seed=8),
    row("--from <photo.png>", like="<photo.png>", refused=True),
    row("--interpolate cat dog --frames 3", interpolate=("cat", "dog"), frames=3, target="out.gif"),
    row("--interpolate cat dog", interpolate=("cat", "dog"), target="out.txt", refused=True),
    row("cat -n 2", prompt="cat", count=2, target="out/"),
    row("cat -n 2", prompt="cat", count=2, refused=True),
    row("--prompts <wishes.txt>", prompt=["cat", "a dog"], target="out/"),
    row("cat --seed 7", prompt="cat", seed=7),
    row("cat --seeds 3,5-6", prompt="cat", seeds=[3, 5, 6], target="out/"),
    row("cat --seeds 9-3", prompt="cat", seeds="9-3", refused=True),
    row("cat --seed 1 --seeds 3", prompt="cat", seed=1, seeds="3", refused=True),
    row("cat --truncation 0.5", prompt="cat", truncation=0.5),
    row("cat dog --grid <sheet.png>", prompt=["cat", "dog"], grid="<sheet.png>", target="out/"),
    row(
        "cat --upscale 2 --upscale-model <tiny.safetensors>",
        prompt="cat",
        upscale=2,
        upscale_model="<tiny.safetensors>",
    ),
    row("cat --steps 3", prompt="cat", steps=3, refused=True),
    row("cat --guidance 3", prompt="cat", guidance=3, refused=True),
    row("cat --negative dog", prompt="cat", negative="dog", refused=True),
    row("cat --width 64", prompt="cat", width=64, refused=True),
    row("cat --height 64", prompt="cat", height=64, refused=True),
    row("cat --low-memory", prompt="cat", low_memory=True, refused=True),
    row("cat --format webp", prompt="cat", format="webp", target="out.webp"),
    row("cat --quality 50", prompt="cat", quality=50, target="out.jpg"),
    row("cat", prompt="cat", target="exists.png", refused=True),
    row("cat --overwrite", prompt="cat", target="exists.png", overwrite=True),
    row("cat --skip-existing", prompt="cat", target="exists.png", skip_existing=True),
    row("cat --no-record", prompt="cat", record=False),
    row("cat --device cpu", prompt="cat", device="cpu"),
    row("cat --offline", prompt="cat", offline=True),
    row("cat --model nowhere.safetensors", prompt="cat", model="nowhere.safetensors", refused=True),
]
PART = [
    row("--only --box 4,4,8,8", only=True, boxes=[(4, 4, 8, 8)]),
    row("--except --box 4,4,8,8", except_=True, boxes=[(4, 4, 8, 8)]),
    row("--only --except --box 4,4,8,8", only=True, except_=True, boxes=[(4, 4, 8, 8)], refused=True),
    row("--only", only=True, refused=True),
    row("--box 4,4,8,8", boxes=[(4, 4, 8, 8)], refused=True),
    row("--only --box 90,90,5,5", only=True, boxes=[(90, 90, 5, 5)], refused=True),
    row("--only --mask <mask.png>", only=True, mask="<mask.png>"),
    row("--except --mask <mask.png> --invert", except_=True, mask="<mask.png>", invert=True),
    row("--only --mask <half.png> --fit-mask", only=True, mask="<half.png>", fit_mask=True),
    row("--only --color #ff00ff --tolerance 3", only=True, color="#ff00ff", tolerance=3, source="painted.png"),
    row("--only --alpha", only=True, alpha=True, source="clear.png"),
    row("--only --box 4,4,8,8 --dilate 2", only=True, boxes=[(4, 4, 8, 8)], dilate=2),
    row("--only --box 4,4,8,8 --feather 3", only=True, boxes=[(4, 4, 8, 8)], feather=3),
    row("--only --box 4,4,8,8 --feather -1", only=True, boxes=[(4, 4, 8, 8)], feather=-1, refused=True),
    row("--only --box 4,4,8,8 --save-mask <found.png>", only=True, boxes=[(4, 4, 8, 8)], save_mask="<found.png>"),
    row("--only --point 5,5 --not-point 9,9", only=True, point=(5, 5), not_point=["9,9"], refused=True),
    row("--only --box-object 4,4,8,8", only=True, box_object=(4, 4, 8, 8), refused=True),
    row("--except --object dog --score 0.5", except_=True, object="dog", score=0.5, refused=True),
    row("--only --subject", only=True, subject=True, refused=True),
    row("--only --background", only=True, background=True, refused=True),
    row("--except --text +", except_=True, text="+", refused=True),
    row("--except --overlay", except_=True, overlay=True, refused=True),
    row("--only --box 4,4,8,8 --at 0:01", only=True, boxes=[(4, 4, 8, 8)], at="0:01", refused=True),
    row("--only --subject --detector nowhere.pth", only=True, subject=True, detector="nowhere.pth", refused=True),
    row("--only --box 4,4,8,8", only=True, boxes=[(4, 4, 8, 8)], source="clip.mkv", target="out.mkv"),
    row("--only --mask <mask.png>", only=True, mask="<mask.png>", source="clear.png"),
]
REQUESTS = {
    "upscale": UpscaleRequest,
    "inpaint": InpaintRequest,
    "restore": RestoreRequest,
    "generate": GenerateRequest,
}
TABLES = {
    "upscale": [*UPSCALE, *PART, *CLIPS],
    "inpaint": [*INPAINT, *CLIPS],
    "restore": [*RESTORE, *PART, *CLIPS],
    "generate": GENERATE,
}


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the rows name."""
    folder = tmp_path_factory.mktemp("parity")
    save_photo(folder / "photo.png")
    save_photo(folder / "numbered" / "1.png")
    save_photo(folder / "numbered" / "2.png", seed=1)
    values = np.random.default_rng(0).integers(0, 65535, (24, 32), np.uint16)
    Image.fromarray(values).save(folder / "deep.png")
    colours = np.random.default_rng(1).integers(0, 255, (24, 32, 4), np.uint8)
    colours[..., 3] = np.where(np.arange(32) < 16, 255, 0)
    Image.fromarray(colours).save(folder / "clear.png")
    painted = np.asarray(Image.open(folder / "photo.png")).copy()
    painted[4:9, 6:12] = 255, 0, 255
    Image.fromarray(painted).save(folder / "painted.png")
    mask = np.zeros((24, 32), np.uint8)
    mask[5:11, 7:15] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(mask[::2, ::2]).save(folder / "half.png")
    (folder / "broken.png").write_bytes((folder / "photo.png").read_bytes()[:60])
    old, _ = scratched(with_noise(scene(120, 160, 3), 1), 3)
    Image.fromarray((old * 255 + 0.5).astype(np.uint8)).save(folder / "scratched.png")
    Image.fromarray((scene(64, 64, 3) * 255 + 0.5).astype(np.uint8)).save(folder / "good.jpg", quality=95)
    make(folder / "clip.mkv", Recipe(times=EVEN[:4]))
    tone(folder / "meow.wav")
    (folder / "wishes.txt").write_text("cat\n\na dog\n", "utf-8")
    models(folder)
    imgfix.generate("a blue dog", seed=3, model=folder / "generate.safetensors", output=folder / "drawn.png")
    return folder


def models(folder: Path) -> None:
    """A tiny model for each verb."""
    torch.manual_seed(0)
    small = {"scale": 2, "features": 4, "convs": 1}
    for name in ("tiny", "upscale"):
        zoo.save(folder / f"{name}.safetensors", "srvgg", small, SRVGG(**small).state_dict(), task="upscale", name=name)
    cleaner = {"channels": 3, "features": 4, "convolutions": 3}
    zoo.save(
        folder / "restore.safetensors", "dncnn", cleaner, DnCNN(**cleaner).state_dict(), task="restore", name="cleaner"
    )
    generator_file(folder / "generate.safetensors", classes=("noto", "stamp"))


def test_every_option_of_a_verb_is_a_keyword_and_a_row() -> None:
    for verb, request in REQUESTS.items():
        shared = [Saving, Machine] if verb == "generate" else [Saving, ClipOptions, Machine, Reading]
        names = {field.name for record in [request, *shared] for field in fields(record)}
        lacking = {"inpaint": {"tile"}, "generate": {"precision", "engine", "tile", "prompts", "prompt_file"}}.get(
            verb, set()
        )
        names -= {"recursive", *lacking}  # Python takes lists, not folders and files of prompts
        keywords = set(inspect.signature(getattr(imgfix, verb)).parameters)
        assert names <= keywords, (verb, names - keywords)
        assert keywords - names <= {"picture", "prompt", "progress", "listener"}, keywords - names
        rows = {keyword for each in TABLES[verb] for keyword in each.keywords}
        assert names - {"output"} <= rows, (verb, names - rows)


ONLY_ON_A_COMMAND_LINE = {
    "--recursive": "Python is handed lists",
    "--help": "Python has help()",
    "--json": "Python returns the numbers",
    "--quiet": "Python is silent but for a listener",
    "--verbose": "Python is silent but for a listener",
    "--dry-run": "Python plans with imgfix.pipelines",
    "--ray": "Python spreads its own lists",
    "--worker-cores": "of --ray",
}
"""Options without a keyword, and why."""


@pytest.mark.parametrize("verb", TABLES)
def test_every_spelling_of_an_option_has_a_row(verb: str) -> None:
    tried = {word for each in TABLES[verb] for word in each.words.split() if word.startswith("-")}
    without = []
    for parameter in app.verbs()[verb].params:
        if parameter.param_type_name == "argument" or ONLY_ON_A_COMMAND_LINE.keys() & {*parameter.opts}:
            continue
        sides = [names for names in (parameter.opts, parameter.secondary_opts) if any(name.strip() for name in names)]
        without += [" or ".join(names) for names in sides if not tried & {*names}]
    without = [names for names in without if names != "--output or -o"]  # every row has it
    assert not without, f"imgfix {verb}: give these options a row in the table: {without}"


@pytest.mark.parametrize(
    ("verb", "row"), [(verb, each) for verb, table in TABLES.items() for each in table],
    ids=[f"{verb}:{each.name}:{each.source}:{each.target}" for verb, table in TABLES.items() for each in table],
)  # fmt: skip
def test_an_option_does_the_same_on_both_ways(run: Run, room: Path, tmp_path: Path, verb: str, row: Row) -> None:
    told, spoken = tmp_path / "command", tmp_path / "python"
    for place in (told, spoken):
        place.mkdir()
        if row.target.startswith("exists"):
            save_photo(place / row.target, seed=5)
    row = _for_clips(row) if row in CLIPS else row
    words = [*_placed(row.words.split(), room, told), "-o", _target(told, row)]
    keywords = {**_kept(row.keywords, room, spoken), "output": _target(spoken, row)}
    if "model" not in keywords:
        name = "telea" if verb == "inpaint" else str(room / f"{verb}.safetensors")
        words, keywords["model"] = [*words, "--model", name], name
    if verb == "inpaint" and not {"mask", "boxes", "color", "alpha", "expand"} & keywords.keys():
        words, keywords["boxes"] = [*words, "--box", "3,3,6,6"], [(3, 3, 6, 6)]
    source = [str(room / row.source)] if verb != "generate" else []
    found = run(verb, *source, *words)
    error = _error(lambda: getattr(imgfix, verb)(*source, **keywords))
    if row.refused:
        assert found.code != 0 and error is not None, (found, error)
        _same_refusal(found.err, error, found.code)
    else:
        assert (found.code, error) == (0, None), (found.err, error)
    assert _written(told) == _written(spoken)


@pytest.mark.parametrize("verb", ["upscale", "restore", "inpaint"])
@pytest.mark.parametrize(
    ("source", "target", "more"),
    [
        ("photo.png", "out.png", {}),
        ("photo.png", "out/", {"record": False}),
        ("photo.png", "exists.png", {}),
        ("photo.png", "exists.png", {"overwrite": True}),
        ("photo.png", "exists.png", {"skip_existing": True}),
        ("photo.png", "out.png", {"offline": True}),
        ("clip.mkv", "out.mkv", {}),
        ("nothing.png", "out.png", {}),
    ],
)
def test_urls_do_the_same_on_both_ways(
    run: Run, room: Path, tmp_path: Path, verb: str, source: str, target: str, more: dict[str, bool]
) -> None:
    system = pytest.importorskip("fsspec").filesystem("memory")
    system.store.clear()
    for name in ("photo.png", "clip.mkv"):
        system.pipe(f"/room/{name}", (room / name).read_bytes())
    for place in ("command", "python"):
        system.pipe(f"/{place}/exists.png", (room / "photo.png").read_bytes())
    name = "telea" if verb == "inpaint" else str(room / f"{verb}.safetensors")
    boxes = {"boxes": [(3, 3, 6, 6)]} if verb == "inpaint" else {}
    words = ["--box", "3,3,6,6"] if boxes else []
    words += ["--no-record" if key == "record" else f"--{key.replace('_', '-')}" for key in more]
    url = f"memory://room/{source}"
    found = run(verb, url, "-o", f"memory://command/{target}", "--model", name, *words)
    error = _error(lambda: getattr(imgfix, verb)(url, output=f"memory://python/{target}", model=name, **boxes, **more))
    if error is not None or found.code:
        assert error is not None, found.err
        _same_refusal(found.err, error, found.code)
    for place in ("command", "python"):
        for path in system.find(f"/{place}"):
            (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.lstrip("/")).write_bytes(system.cat(path))
    assert _written(tmp_path / "command") == _written(tmp_path / "python")
    assert len(system.find("/python")) == 1 + (error is None and not target.startswith("exists"))


def test_what_urls_give_in_python(room: Path) -> None:
    system = pytest.importorskip("fsspec").filesystem("memory")
    system.store.clear()
    for number in range(2):
        system.pipe(f"/room/{number}.png", (room / "photo.png").read_bytes())
    here = imgfix.inpaint(str(room / "photo.png"), boxes=[(3, 3, 6, 6)], model="telea")
    urls = ["memory://room/0.png", room / "photo.png", "memory://room/1.png"]
    made = imgfix.inpaint(urls, boxes=[(3, 3, 6, 6)], model="telea", output="memory://out/{stem}.png")
    assert [np.array_equal(one, here) for one in made] == [True] * 3
    assert sorted(system.find("/out")) == ["/out/0.png", "/out/1.png", "/out/photo.png"]
    output = "memory://out/0.png"
    skipped = imgfix.inpaint(urls[0], boxes=[(3, 3, 6, 6)], model="telea", output=output, skip_existing=True)
    assert np.array_equal(skipped, here)


def _for_clips(row: Row) -> Row:
    if "frames" in row.keywords:
        return row
    return Row(row.words, row.keywords, "clip.mkv", row.refused, "out.mkv")


def _target(place: Path, row: Row) -> str:
    return str(place / row.target) + ("/" if row.target.endswith("/") else "")


def _placed(words: list[str], room: Path, place: Path) -> list[str]:
    return [str(_place(word, room, place)) if word.startswith("<") else word for word in words]


def _kept(keywords: dict[str, Any], room: Path, place: Path) -> dict[str, Any]:
    def placed(value: Any) -> Any:
        return _place(value, room, place) if isinstance(value, str) and value.startswith("<") else value

    return {name: placed(value) for name, value in keywords.items()}


def _place(name: str, room: Path, place: Path) -> Path:
    """A file of the room, or one that is to be written in a place of its own."""
    name = name.strip("<>")
    return place / name if name in ("found.png", "sheet.png") else room / name


def _error(action: Callable[[], Any]) -> ImgfixError | None:
    try:
        action()
    except ImgfixError as error:
        return error
    return None


def _same_refusal(said: str, error: ImgfixError, code: int) -> None:
    """The same sentence, fields spelled as options, and the same exit code; or the option parser's own refusal."""
    if "Invalid value" in said:  # a number that the parser of options refuses before anything else
        assert code == 2 == error.exit_code
        return
    assert code == error.exit_code, (said, error)
    message = error.renamed(option).message
    assert message.replace("/python/", "/command/") in said, (said, message)


def _written(place: Path) -> dict[str, tuple[Any, ...]]:
    """Every file below a place: its pixels, or bytes where it moves, and its record."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(place.rglob("*")):
        if path.is_dir():
            continue
        name = str(path.relative_to(place))
        if path.suffix in (".mkv", ".gif"):
            found[name] = _frames(path)
            continue
        picture = image.read(path)
        alpha = picture.alpha.tobytes() if picture.alpha is not None else None
        found[name] = (picture.pixels.tobytes(), alpha, picture.metadata.format, _record(path))
    return found


def _record(path: Path) -> Any:
    record = image.read_record(path)
    return None if record is None else {
        key: str(value).replace("/command", "").replace("/python", "") for key, value in record.items()
    }  # fmt: skip


def _frames(path: Path) -> tuple[Any, ...]:
    import av

    with av.open(str(path)) as container:
        tags = {key: value.replace("/command", "").replace("/python", "") for key, value in container.metadata.items()}
        frames = tuple(frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0))
        kinds = tuple(stream.type for stream in container.streams)
    return tags, frames, kinds
