"""The kinds of training that make pictures: batches, losses, validation, and a start from another network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from imgfix import zoo
from imgfix.errors import ImgfixError, ModelError, UsageError
from imgfix.nets.repgate import RepGate, merge
from imgfix.nets.srvgg import SRVGG
from imgfix.train.job import Draw, TrainJob
from imgfix.train.jobs.common import fitted
from imgfix.train.kinds import find_kind
from imgfix.train.prune_depth import prune_depth
from imgfix.train.recipe import Recipe, build_recipe
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.descriptor import Descriptor, Model

NETS = {
    "upscale": {"scale": 2, "channels": 8, "blocks": 1},
    "restore": {"widths": [8, 8, 8], "blocks": [1, 1, 1]},
    "inpaint": {"resolution": 32, "base": 256, "maximum": 16},
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        grid = np.random.default_rng(number).integers(0, 256, (12, 14, 3), dtype=np.uint8)
        Image.fromarray(grid).resize((112, 96), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def recipe_for(kind: str, folder: Path, **settings: Any) -> Recipe:
    layer: dict[str, Any] = {"photos": (str(folder),), "crop": 48, "batch": 2, "device": "cpu"}
    layer |= {"net_config": NETS.get(kind, {})} | ({"scale": 2} if kind == "upscale" else {})
    return build_recipe(kind, [layer | settings])


def job_for(kind: str, folder: Path, **settings: Any) -> TrainJob:
    recipe = recipe_for(kind, folder, **settings)
    return find_kind(kind).build(recipe, torch.device("cpu"))


@pytest.mark.parametrize("kind", NETS)
def test_a_job_learns_its_own_batch_and_measures_itself(kind: str, photos: Path) -> None:
    job = job_for(kind, photos)
    net = job.networks()["net"]
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    batch = job.sample(Draw(0, 0, 0, 1, 2))
    values = []
    for step in range(25):
        loss = sum(job.losses("net", {"net": net}, batch, step).values(), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    assert values[-1] < values[0]
    with torch.inference_mode():
        found = job.validate(net)
    assert found is not None and np.isfinite(found.score) and all(v.shape[1] == 3 for v in found.samples.values())
    assert job.facts() and {"input", "target"} <= set(job.preview(batch))


@pytest.mark.parametrize("kind", NETS)
def test_equal_draws_give_equal_batches(kind: str, photos: Path) -> None:
    job = job_for(kind, photos, **({"degradation": "real"} if kind == "upscale" else {}))
    first, again, later = (job.sample(Draw(0, step, 0, 1, 2)) for step in (3, 3, 4))
    assert torch.equal(first["input"], again["input"]) and not torch.equal(first["input"], later["input"])


@pytest.mark.parametrize("kind", NETS)
def test_exported_weights_load_as_a_model_and_compute_the_same(kind: str, photos: Path, tmp_path: Path) -> None:
    job = job_for(kind, photos)
    net, identity = job.networks()["net"].eval(), job.identity()
    path = zoo.save(tmp_path / "m.safetensors", identity.net, identity.config, job.exported(net), **identity.metadata)
    model = zoo.load(str(path))
    x = torch.rand(1, model.descriptor.in_channels, 16, 24)
    with torch.no_grad():
        assert model.descriptor.task == kind and torch.allclose(model.net(x), net(x), atol=1e-5)


@pytest.mark.parametrize("degradation", ["bicubic", "real", "light", "mixed"])
def test_every_degradation_makes_inputs_of_the_right_size(photos: Path, degradation: str) -> None:
    batch = job_for("upscale", photos, degradation=degradation).sample(Draw(0, 0, 0, 1, 2))
    assert batch["input"].shape == (2, 3, 24, 24) and batch["target"].shape == (2, 3, 48, 48)


def test_a_discriminator_joins_when_its_step_comes(photos: Path) -> None:
    job = job_for("upscale", photos, adversarial=0.1, adversarial_from=2, discriminator_channels=4, r1=0.1, r2=0.1)
    networks = job.networks()
    assert set(networks) == {"net", "discriminator"}
    assert job.players(1) == ("net",) and job.players(2) == ("net", "discriminator")
    batch = job.sample(Draw(0, 0, 0, 1, 2))
    assert "adversarial" not in job.losses("net", networks, batch, 1)
    assert "adversarial" in job.losses("net", networks, batch, 16)
    assert set(job.losses("discriminator", networks, batch, 16)) == {"judge", "r1", "r2"}


def test_pairs_can_replace_made_damage(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "low").mkdir()
    for path in photos.iterdir():
        image = Image.open(path)
        image.resize((image.width // 2, image.height // 2)).save(tmp_path / "low" / path.name)
    job = job_for("upscale", photos, photos=(), input=str(tmp_path / "low"), target=str(photos))
    batch = job.sample(Draw(0, 0, 0, 1, 2))
    assert batch["input"].shape == (2, 3, 24, 24) and batch["target"].shape == (2, 3, 48, 48)


@pytest.mark.parametrize(
    ("only", "deviation"),
    [({"only_noise": 1.0}, 20.0), ({"only_noise": 0.0, "only_jpeg": 1.0}, 24.0), ({"only_noise": 0.0}, 26.0)],
)
def test_a_blind_denoiser_is_told_how_far_off_its_level_is(
    photos: Path, only: dict[str, float], deviation: float
) -> None:
    fixed = {"sigma": (20.0, 20.0), "quality": (10.0, 10.0), "shot": 0.0, "only_jpeg": 0.0} | only
    net = {"features": 8, "convolutions": 3, "estimator": 8, "hints": 2}
    job = job_for("restore", photos, net="blindffdnet", net_config=net, level=0.5, **fixed)
    networks = job.networks()
    batch = job.sample(Draw(0, 0, 0, 1, 2))
    assert batch["level"].flatten().tolist() == pytest.approx(2 * [deviation / 255])  # 26: of 10 and 24 together
    off = job.losses("net", networks, batch, 0)["level"]
    levels = networks["net"].levels(batch["input"])[:, :1]  # type: ignore[operator]
    assert float(off.detach()) == pytest.approx(
        0.5 * float(((levels.detach() * 255 + 1) / (deviation + 1)).log().abs().mean())
    )
    off.backward()
    assert all(p.grad is not None for p in networks["net"].estimate.parameters())  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="gateunet finds no level"):
        job_for("restore", photos, level=0.5)
    with pytest.raises(UsageError, match="level does not go with pairs"):
        job_for(
            "restore", photos, net="blindffdnet", net_config=net, level=0.5,
            photos=(), input=str(photos), target=str(photos),
        )  # fmt: skip


def test_a_denoiser_that_has_to_be_told_a_level_is_told_it(photos: Path) -> None:
    net = {"features": 8, "convolutions": 3, "widths": [4, 6, 8], "blocks": [1, 1, 1]}
    fixed = {"sigma": (20.0, 20.0), "only_noise": 1.0, "shot": 0.0, "net": "refinedffdnet", "net_config": net}
    job = job_for("restore", photos, **fixed)
    networks, batch = job.networks(), job.sample(Draw(0, 0, 0, 1, 2))
    assert batch["level"].flatten().tolist() == pytest.approx(2 * [20 / 255])
    seen: list[torch.Tensor] = []
    networks["net"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    sum(job.losses("net", networks, batch, 0).values()).backward()  # type: ignore[union-attr]
    assert seen[0].shape[:2] == (2, 4) and torch.allclose(seen[0][:, 3], torch.tensor(20 / 255))
    with torch.inference_mode():
        found = job.validate(networks["net"].eval())
    assert found is not None and {"psnr_noise25", "psnr_jpeg10"} <= set(found.metrics)
    told = {round(255 * float(given[0, 3].mean())) for given in seen[1:]}
    assert told == {25, 24}  # the level of the noise, and the one at which FFDNet does best on a JPEG of quality 10
    unsure = job_for("restore", photos, **fixed, unsure=0.2).sample(Draw(0, 0, 0, 1, 2))["level"].flatten()
    assert len(set(unsure.tolist())) == 2 and bool((unsure > 0).all())
    with pytest.raises(UsageError, match="has to be told a level, which is not known of pairs"):
        job_for(
            "restore", photos, net="refinedffdnet", net_config=net, photos=(), input=str(photos), target=str(photos)
        )


def test_noise_is_read_through_the_denoiser_that_is_told_it(photos: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = {"channels": 3, "features": 8, "convolutions": 3}
    denoiser = ARCHITECTURES["ffdnet"].build(config)
    teacher = zoo.save(tmp_path / "told.safetensors", "ffdnet", config, denoiser.state_dict(), task="restore")
    small = {"net_config": {"widths": [4, 6], "blocks": [1, 1]}, "teacher": str(teacher), "crop": 32, "window": 16}
    job = job_for("noise", photos, halved=0.0, clean=0.0, only_noise=1.0, developed=1.0, **small)
    networks = job.networks()
    batch = job.sample(Draw(0, 0, 0, 1, 2))
    assert batch["input"].shape == (2, 3, 32, 32) and bool((batch["damage"][:, 0] > 0).all())
    terms = job.losses("net", networks, batch, 0)
    sum(terms.values()).backward()  # type: ignore[union-attr]
    head = networks["net"].levels.weight.grad  # type: ignore[union-attr]
    assert bool((head.abs().amax((1, 2, 3)) > 0).all())  # the level through the denoiser, both deviations by themselves
    with torch.inference_mode():
        found = job.validate(networks["net"].eval())
    assert found is not None and found.baseline is not None
    assert {"psnr_developed4", "luma_developed4", "taken_clean"} <= set(found.metrics)
    with pytest.raises(UsageError, match="no denoiser is given"):
        job_for("noise", photos, **{**small, "teacher": None})
    with pytest.raises(ModelError, match="is not a denoiser"):
        blind = ARCHITECTURES["blindffdnet"].build({"features": 8, "convolutions": 3})
        other = zoo.save(tmp_path / "b.safetensors", "blindffdnet", {"features": 8, "convolutions": 3},
                         blind.state_dict(), task="restore")  # fmt: skip
        job_for("noise", photos, **{**small, "teacher": str(other)})


def test_a_network_of_another_scale_starts_from_what_fits(photos: Path, tmp_path: Path) -> None:
    first = job_for("upscale", photos)
    identity = first.identity()
    weights = first.exported(first.networks()["net"])
    path = zoo.save(tmp_path / "x2.safetensors", identity.net, identity.config, weights, **identity.metadata)
    job = job_for("upscale", photos, model=str(path), scale=4, net_config={**NETS["upscale"], "scale": 4})
    mine = job.exported(job.networks()["net"])
    assert torch.allclose(mine["body.0.convolutions.0.weight"], weights["body.0.convolutions.0.weight"])
    assert any("takes" in line for line in job.facts())


@pytest.mark.parametrize("kind", ["srvgg", "repgate"])
def test_a_network_of_half_the_scale_starts_as_the_other_brought_down(kind: str) -> None:
    torch.manual_seed(0)
    net = SRVGG(scale=4, features=8, convs=2) if kind == "srvgg" else merge(RepGate(4, 8, 2))
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.2)
    smaller = SRVGG(scale=2, features=8, convs=2) if isinstance(net, SRVGG) else RepGate(2, 8, 2, merged=True)
    model = Model(Descriptor("mine", "upscale", kind, scale=4), net)
    smaller.load_state_dict(fitted(model, smaller.state_dict(), 2))
    x = torch.rand(1, 3, 9, 7)
    torch.testing.assert_close(smaller(x), functional.avg_pool2d(net(x), 2), rtol=1e-4, atol=1e-5)


def test_a_teacher_may_enlarge_further_but_not_otherwise(photos: Path, tmp_path: Path) -> None:
    def taught_by(scale: int) -> dict[str, float]:
        config: dict[str, Any] = {"scale": scale, "features": 4, "convs": 1}
        weights = SRVGG(**config).state_dict()
        path = zoo.save(tmp_path / f"x{scale}.safetensors", "srvgg", config, weights, name="mine", task="upscale")
        job = job_for("upscale", photos, scale=2, teacher=str(path), distil=1.0)
        batch = job.sample(Draw(0, 0, 0, 1, 2, torch.device("cpu")))
        return {name: float(term.detach()) for name, term in job.losses("net", job.networks(), batch, 0).items()}

    assert taught_by(4)["distil"] > 0
    with pytest.raises(UsageError, match="the teacher makes 72x72 where 48x48 is needed"):
        taught_by(3)


@pytest.mark.parametrize(
    "settings", [{"crop": 47}, {"distil": 1.0}, {"net": "nonsense", "net_config": {}}, {"net_config": {"wings": 2}}]
)
def test_settings_that_cannot_work_are_refused_before_training(photos: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ImgfixError):
        job_for("upscale", photos, **settings)


def test_a_teacher_is_needed_for_distillation(photos: Path) -> None:
    with pytest.raises(UsageError, match="without a teacher"):
        job_for("upscale", photos, distil=0.5)


def test_a_shortened_network_follows_the_deep_one_better_than_dropped_layers() -> None:
    torch.manual_seed(0)
    deep = SRVGG(scale=2, features=12, convs=8)
    shallow, dropped = (SRVGG(scale=2, features=12, convs=4) for _ in range(2))
    with torch.no_grad():
        for layer in deep.body:
            if isinstance(layer, nn.Conv2d):
                layer.weight.mul_(1.6)
    x = torch.rand(24, 3, 16, 16)
    left_over = prune_depth(deep, shallow, x[:16])
    fitting = {k: v for k, v in deep.state_dict().items() if dropped.state_dict().get(k, v[:0]).shape == v.shape}
    dropped.load_state_dict(fitting, strict=False)
    with torch.no_grad():
        error, worse = ((net(x[16:]) - deep(x[16:])).square().mean() for net in (shallow, dropped))
    assert len(left_over) == 5 and max(left_over) < 0.9 and error < 0.5 * worse
