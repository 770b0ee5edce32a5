"""From a name or a path to a model that runs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch

from imgfix import zoo
from imgfix.errors import DownloadError, ModelError, UsageError
from imgfix.zoo import catalog, store
from imgfix.zoo.entry import Entry
from tests.zoo.helpers import TINY, tiny_checkpoint, tiny_entry, tiny_net


@pytest.fixture
def tiny_catalog(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A catalog of one model, which is installed."""
    folder = own_home / "models"
    path = zoo.save(folder / "tiny-x2.safetensors", "srvgg", TINY, tiny_net().state_dict(), name="tiny-x2")
    facts = {"gan_trained": True, "precisions": ["fp32", "bf16"], "overlap": 9}
    entry = tiny_entry(sha256=store.sha256_of(path), facts=facts, degradation="bicubic")
    monkeypatch.setattr(catalog, "entries", lambda: [entry])
    return entry


def same(model: zoo.Model) -> bool:
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        return torch.allclose(model.net(x), tiny_net()(x), atol=1e-6)


def test_a_catalog_model_is_loaded_with_its_facts(tiny_catalog: Entry) -> None:
    model = zoo.load("tiny-x2", task="upscale")
    facts = model.descriptor
    assert same(model)
    assert (facts.name, facts.task, facts.net, facts.scale) == ("tiny-x2", "upscale", "srvgg", 2)
    assert (facts.licence, facts.degradation, facts.sha256) == ("CC0-1.0", "bicubic", tiny_catalog.sha256)
    assert facts.gan_trained and facts.overlap == 9 and facts.precisions == ("fp32", "bf16")
    assert facts.receptive_field == 3
    assert not model.net.training
    assert not any(parameter.requires_grad for parameter in model.net.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in model.net.parameters())


@pytest.mark.parametrize("damage", ["one bit", "cut", "empty", "another file"])
def test_a_damaged_file_is_found_before_use(damage: str, tiny_catalog: Entry) -> None:
    path = store.path_of(tiny_catalog)
    data = bytearray(path.read_bytes())
    if damage == "one bit":
        data[-1] ^= 1
    elif damage == "cut":
        del data[-10:]
    elif damage == "empty":
        data.clear()
    else:
        zoo.save(path, "srvgg", TINY, {n: t + 1 for n, t in tiny_net().state_dict().items()})
        data = bytearray(path.read_bytes())
    path.write_bytes(data)
    with pytest.raises(ModelError, match="damaged weights file") as caught:
        zoo.load("tiny-x2")
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 3


def test_the_remedy_for_a_damaged_file_is_to_pull_it_again() -> None:
    assert store.remedy(catalog.find("migan-512-places2")) == "imgfix weights pull migan-512-places2"


def test_a_model_for_another_task_is_refused(tiny_catalog: Entry, tmp_path: Path) -> None:
    for name in ("tiny-x2", str(tiny_checkpoint(tmp_path / "mine.pth"))):
        with pytest.raises(ModelError, match="'upscale', not for 'inpaint'"):
            zoo.load(name, task="inpaint")


def test_offline_never_opens_a_socket(tiny_catalog: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert same(zoo.load("tiny-x2", offline=True))
    store.path_of(tiny_catalog).unlink()
    with pytest.raises(DownloadError, match="offline"):
        zoo.load("tiny-x2", offline=True)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = zoo.save(
        tmp_path / "mine.safetensors",
        "srvgg",
        TINY,
        tiny_net().state_dict(),
        name="mine-x2",
        licence="MIT",
        degradation="scans",
        facts={"gan_trained": True},
    )
    model = zoo.load(path, task="upscale")
    assert same(model)
    facts = model.descriptor
    assert (facts.name, facts.licence, facts.degradation, facts.gan_trained) == ("mine-x2", "MIT", "scans", True)
    assert facts.sha256 == store.sha256_of(path)


def test_saving_the_same_gives_the_same_bytes(tmp_path: Path) -> None:
    state = tiny_net().state_dict()
    shuffled = dict(sorted(state.items(), reverse=True))
    one = zoo.save(tmp_path / "1.safetensors", "srvgg", TINY, state, name="a", task="upscale")
    two = zoo.save(tmp_path / "2.safetensors", "srvgg", dict(sorted(TINY.items())), shuffled, task="upscale", name="a")
    assert one.read_bytes() == two.read_bytes()


def test_half_precision_weights_are_loaded_as_fp32(tmp_path: Path) -> None:
    half = {name: tensor.half() for name, tensor in tiny_net().state_dict().items()}
    model = zoo.load(zoo.save(tmp_path / "half.safetensors", "srvgg", TINY, half))
    assert all(parameter.dtype == torch.float32 for parameter in model.net.parameters())


def test_a_foreign_checkpoint_is_recognised(tmp_path: Path) -> None:
    model = zoo.load(tiny_checkpoint(tmp_path / "2x_Photo.pth"))
    assert same(model)
    assert (model.descriptor.name, model.descriptor.net, model.descriptor.config) == ("2x_Photo", "srvgg", TINY)


def test_a_foreign_checkpoint_that_enlarges_nothing_is_for_restoring(tmp_path: Path) -> None:
    net = zoo.ARCHITECTURES["rrdbnet"].build({"upsamples": 0, "blocks": 1, "features": 4, "growth": 2})
    torch.save(net.state_dict(), tmp_path / "1x_clean.pth")
    assert zoo.load(tmp_path / "1x_clean.pth").descriptor.task == "restore"


def test_a_path_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such weights file"):
        zoo.load(tmp_path / "nothing.pth")


def test_a_header_that_does_not_fit_its_tensors_is_refused(tmp_path: Path) -> None:
    path = zoo.save(tmp_path / "x.safetensors", "srvgg", TINY | {"convs": 2}, tiny_net().state_dict())
    with pytest.raises(ModelError, match="does not fit srvgg"):
        zoo.load(path)


@pytest.mark.parametrize("config", [TINY | {"exec": "rm"}, {"activation": "swish"}, {"scale": "two"}])
def test_hyper_parameters_that_make_no_sense_are_refused(config: dict[str, object], tmp_path: Path) -> None:
    path = zoo.save(tmp_path / "x.safetensors", "srvgg", config, tiny_net().state_dict())
    with pytest.raises(ModelError, match="does not fit"):
        zoo.load(path)


def test_an_architecture_of_a_later_version_is_named(tmp_path: Path) -> None:
    path = zoo.save(tmp_path / "x.safetensors", "hypernet9", {}, tiny_net().state_dict())
    with pytest.raises(ModelError, match="hypernet9") as caught:
        zoo.load(path)
    assert caught.value.hint == "upgrade imgfix"


# --- auto -----------------------------------------------------------------------------------------


def rank(monkeypatch: pytest.MonkeyPatch, here: set[str], *models: tuple[str, int, int, bool]) -> None:
    """A catalog of models (name, rank, scale, whether it can be pulled), of which some are installed."""
    from imgfix.zoo.entry import DownloadSource, SourceFile

    source = DownloadSource("http", "https://example.org/x.pth", "torch", (SourceFile("x.pth", "0" * 64, 1),))
    entries = [
        tiny_entry(*([source] if pullable else []), name=name, rank=place, config=TINY | {"scale": scale})
        for name, place, scale, pullable in models
    ]
    monkeypatch.setattr(catalog, "entries", lambda: entries)
    monkeypatch.setattr(store, "installed", lambda entry: entry.name in here)


MODELS = (("big-x4", 80, 4, True), ("small-x4", 60, 4, True), ("small-x2", 58, 2, True), ("art-x4", 0, 4, True))


def test_auto_takes_the_best_that_is_here_and_names_a_better_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rank(monkeypatch, {"small-x4", "art-x4"}, *MODELS)
    assert zoo.resolve_auto("upscale") == ("small-x4", "big-x4")


def test_auto_names_nothing_better_than_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    rank(monkeypatch, {"big-x4", "small-x4"}, *MODELS)
    assert zoo.resolve_auto("upscale") == ("big-x4", None)


def test_auto_prefers_the_scale_that_is_wanted_among_equals(monkeypatch: pytest.MonkeyPatch) -> None:
    rank(monkeypatch, {"small-x2", "small-x4"}, *MODELS)
    assert zoo.resolve_auto("upscale", 2)[0] == "small-x2"
    assert zoo.resolve_auto("upscale", 4)[0] == "small-x4"


def test_auto_with_nothing_here_says_what_to_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    rank(monkeypatch, set(), *MODELS)
    with pytest.raises(ModelError) as caught:
        zoo.resolve_auto("upscale")
    assert caught.value.hint == "imgfix weights pull big-x4"


def test_auto_never_takes_what_is_meant_for_something_special(monkeypatch: pytest.MonkeyPatch) -> None:
    rank(monkeypatch, {"art-x4"}, *MODELS)
    with pytest.raises(ModelError):
        zoo.load("auto", task="upscale")


def test_auto_loads_without_fetching(tiny_catalog: Entry) -> None:
    assert zoo.load("auto", task="upscale").descriptor.name == "tiny-x2"


def test_auto_needs_a_task() -> None:
    with pytest.raises(UsageError, match="task"):
        zoo.load("auto")
