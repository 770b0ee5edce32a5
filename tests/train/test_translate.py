"""Image to image: pairs or made inputs, what is learned, and its use by the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from imgfix import cli, zoo
from imgfix.errors import UsageError
from imgfix.media import image
from imgfix.media.picture import Picture
from imgfix.nets.pix2pix import Pix2Pix
from imgfix.pipelines.training import recipe_of
from imgfix.tasks.translate import Translator, looks_drawn, prepared
from imgfix.train.jobs.translate import Options, TranslateJob, build
from imgfix.train.recipe import build_recipe
from imgfix.train.run import run_training
from imgfix.zoo.descriptor import Descriptor, Model
from tests.train.test_generate import COLOURS, disc

SMALL: dict[str, Any] = {
    **{"net": "pix2pix", "net_config": {"width": 8, "depth": 3}, "device": "cpu", "crop": 32, "batch": 4, "warmup": 0},
    **{"val_fraction": 0.2, "steps": 60, "validate_every": 60, "lr": 4e-3, "ema": 0.9},
}


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path]:
    """Grey discs and red ones."""
    for number in range(6):
        disc(tmp_path / "target" / f"{number}.png", COLOURS["red"], 32 + 4 * number)
        disc(tmp_path / "input" / f"{number}.png", (120, 120, 120), 32 + 4 * number)
    return tmp_path / "input", tmp_path / "target"


def test_pairs_teach_what_becomes_of_a_picture(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    given, wanted = pairs
    recipe = build_recipe("translate", [SMALL | {"input": str(given), "target": str(wanted), "adversarial": 0.1}])
    run_training(recipe, tmp_path / "run")
    translator = Translator(zoo.load(str(tmp_path / "run" / "model.safetensors")), "cpu")
    middle = translator.draw(image.read(given / "0.png"))[12:20, 12:20].astype(float).mean((0, 1))
    assert middle[0] > middle[1] + 60 and middle[0] > middle[2] + 60


def test_pictures_of_val_are_held_out_and_bad_files_are_named(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    (pairs[1] / "bad.png").write_bytes(b"no picture")
    settings = SMALL | {"photos": (str(pairs[1]),), "val": str(pairs[0]), "source": "grey"}
    job = build(build_recipe("translate", [settings]), torch.device("cpu"))
    assert isinstance(job, TranslateJob) and len(job.training) == 6 and len(job.held) == 6
    assert not {job.paths[n].parent for n in job.training} & {pairs[0]}
    assert any("bad.png" in fact for fact in job.facts())
    with pytest.raises(UsageError, match="val does not go with pairs"):
        run_training(
            build_recipe("translate", [settings | {"input": str(pairs[0]), "target": str(pairs[1])}]), tmp_path
        )


def test_borders_of_a_fresh_network_are_like_its_middle() -> None:
    torch.manual_seed(0)
    white = torch.ones(1, 1, 32, 32)
    frames = {}
    for padding in ("zeros", "reflect"):
        with torch.no_grad():
            frames[padding] = Pix2Pix(32, 1, 3, 8, 5, padding=padding).eval()(white).std((2, 3)).max()  # type: ignore[arg-type]
    assert frames["reflect"] < 1e-5 < frames["zeros"]


@pytest.mark.parametrize("source", ["edges", "grey"])
def test_inputs_are_made_from_a_folder_and_the_command_uses_the_model(
    pairs: tuple[Path, Path], tmp_path: Path, source: str
) -> None:
    recipe = build_recipe("translate", [SMALL | {"photos": (str(pairs[1]),), "source": source, "steps": 3}])
    run_training(recipe, tmp_path / "run")
    model = tmp_path / "run" / "model.safetensors"
    words = ["generate", "--image", str(pairs[1] / "0.png"), "--model", str(model), "-o", str(tmp_path / "a.png")]
    assert cli.run(words) == 0
    with Image.open(tmp_path / "a.png") as drawn, Image.open(pairs[1] / "0.png") as given:
        assert drawn.size == ((32, 32) if source == "edges" else given.size)
    record = image.read_record(tmp_path / "a.png")
    assert record is not None and record["generate"]["image"] == str(pairs[1] / "0.png")  # type: ignore[index]
    assert cli.run(["generate", "a cat", "--model", str(model), "-o", str(tmp_path / "b.png")]) == 2


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_colouring_keeps_size_shape_and_lightness(depth: type) -> None:
    torch.manual_seed(0)
    net = Pix2Pix(32, 1, 3, 8, 3, source="grey", padding="reflect").eval()
    torch.nn.init.constant_(net.last.bias, 0.0)
    y, x = np.mgrid[:150, :97].astype(np.float32)
    grey = (128 + 60 * np.sin(x / 5) * np.cos(y / 9)).round().astype(np.uint8)
    pixels = grey[..., None] if depth is np.uint8 else (grey.astype(np.uint16) << 8)[..., None]
    model = Model(Descriptor("mine", "generate", "pix2pix"), net)
    made = Translator(model, "cpu").draw(Picture(pixels))
    assert made.shape == (150, 97, 3) and made.dtype == np.uint8
    assert made.std(2).max() > 2  # a fresh network's colours are no grey
    inside = (made > 0).all(2) & (made < 255).all(2)
    light = cv2.cvtColor(made, cv2.COLOR_RGB2GRAY)
    assert inside.mean() > 0.5 and np.abs(light.astype(int) - grey)[inside].max() <= 1


def test_edges_are_black_on_white_and_a_sketch_is_told_from_a_photo() -> None:
    y, x = np.mgrid[:64, :64]
    photo = np.dstack([(x * 4), (y * 4), (x + y) * 2]).clip(0, 255).astype(np.uint8)
    photo[20:40, 20:40] = (255, 255, 255)
    edges = prepared(photo[None], "edges")[0]
    assert set(np.unique(edges)) == {0, 255} and (edges == 255).mean() > 0.8
    assert edges[18:23, 25:35].min() == 0 and edges[28:32, 28:32].min() == 255
    assert looks_drawn(np.repeat(edges, 3, 2)) and not looks_drawn(photo)


def test_folders_without_common_names_and_unknown_inputs_are_refused(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    for path in pairs[0].iterdir():
        path.rename(path.with_name("x" + path.name))
    with pytest.raises(UsageError, match="share 0 names"):
        run_training(build_recipe("translate", [SMALL | {"input": str(pairs[0]), "target": str(pairs[1])}]), tmp_path)
    with pytest.raises(UsageError, match="not a kind of input"):
        run_training(build_recipe("translate", [SMALL | {"photos": (str(pairs[1]),), "source": "smell"}]), tmp_path)


def test_pairs_a_net_or_an_old_recipe_of_generate_name_this_kind(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    given = {"input": str(pairs[0]), "target": str(pairs[1])}
    old = tmp_path / "recipe.toml"
    old.write_text('kind = "generate"\nnet = "pix2pix"\n[generate]\nsource = "grey"\nperceptual = 0.2\n')
    photos = {"photos": (str(pairs[1]),)}
    assert recipe_of("generate", tmp_path / "a", given=given).kind == "translate"
    assert recipe_of("generate", tmp_path / "b", given=photos | {"net": "pix2pix"}).kind == "translate"
    assert recipe_of("generate", tmp_path / "c", file=old, given=photos).options == Options(source="grey")
    assert recipe_of("generate", tmp_path / "d", given=photos | {"net": "dcgan"}).kind == "generate"
