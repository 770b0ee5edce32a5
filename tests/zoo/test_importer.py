"""A user's own checkpoint under a name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from imgfix import zoo
from imgfix.errors import ModelError, OutputError, UsageError
from imgfix.zoo import catalog, store
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.importer import import_file
from tests.zoo.helpers import TINY, tiny_checkpoint, tiny_net
from tests.zoo.test_detect import as_named_in_2018


def test_an_imported_checkpoint_is_loaded_by_name(tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path / "2x_Mine.pth")
    entry = import_file(path, "mine-x2", licence="CC-BY-4.0")
    path.unlink()
    model = zoo.load("mine-x2", task="upscale", offline=True)
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(model.net(x), tiny_net()(x))
    assert (entry.net, entry.config, entry.scale, entry.imported) == ("srvgg", TINY, 2, True)
    assert (model.descriptor.name, model.descriptor.licence) == ("mine-x2", "CC-BY-4.0")


def test_an_old_esrgan_is_kept_under_todays_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = ARCHITECTURES["rrdbnet"].build({"features": 8, "blocks": 2, "growth": 4}).eval()
    torch.save(as_named_in_2018(net.state_dict()), tmp_path / "4x_old.pth")
    assert import_file(tmp_path / "4x_old.pth", "old-x4").scale == 4
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(zoo.load("old-x4").net(x), net(x))


def test_a_migan_is_taken_for_inpainting(tmp_path: Path) -> None:
    net = ARCHITECTURES["migan"].build({"resolution": 16, "base": 64, "maximum": 4})
    torch.save(net.state_dict(), tmp_path / "m.pt")
    assert import_file(tmp_path / "m.pt", "mine").task == "inpaint"


def test_half_precision_and_the_facts_of_our_own_files_are_kept(tmp_path: Path) -> None:
    half = {name: tensor.half() for name, tensor in tiny_net().state_dict().items()}
    facts = {"gan_trained": True}
    path = zoo.save(tmp_path / "x.safetensors", "srvgg", TINY, half, licence="MIT", degradation="scans", facts=facts)
    import_file(path, "mine")
    descriptor = zoo.load("mine").descriptor
    assert (descriptor.licence, descriptor.degradation, descriptor.gan_trained) == ("MIT", "scans", True)
    assert store.path_of(catalog.find("mine")).stat().st_size < path.stat().st_size + 300


def test_a_damaged_import_is_found(tmp_path: Path) -> None:
    import_file(tiny_checkpoint(tmp_path / "x.pth"), "mine")
    path = store.path_of(catalog.find("mine"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="damaged") as caught:
        zoo.load("mine")
    assert "imgfix weights import" in (caught.value.hint or "")


def test_an_existing_import_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path / "x.pth")
    import_file(path, "mine")
    with pytest.raises(OutputError, match="mine"):
        import_file(path, "mine")
    import_file(path, "mine", overwrite=True)


@pytest.mark.parametrize("name", ["realesrgan-x4plus", "auto", "a/b", "../x", "", "Mine", ".x", "-x"])
def test_names_that_would_confuse_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        import_file(tiny_checkpoint(tmp_path / "x.pth"), name)


def test_what_cannot_be_loaded_is_not_imported(tmp_path: Path, own_home: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"x\.pth"):
        import_file(tmp_path / "x.pth", "mine")
    assert not list(own_home.rglob("*"))


@pytest.fixture
def platform_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The platform's cache and data folder, where the environment names none."""
    monkeypatch.delenv("IMGFIX_HOME")
    cache, data = tmp_path / "cache", tmp_path / "data"
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(cache))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(data))
    return cache, data


def test_clearing_the_cache_loses_no_imported_model(platform_folders: tuple[Path, Path], tmp_path: Path) -> None:
    cache, data = platform_folders
    import_file(tiny_checkpoint(tmp_path / "x.pth"), "mine")
    assert store.path_of(catalog.find("mine")) == data / "models" / "mine.safetensors"
    assert not cache.exists()
    assert zoo.load("mine").descriptor.name == "mine"


def test_a_model_imported_into_the_cache_is_found_and_moves_when_replaced(
    platform_folders: tuple[Path, Path], tmp_path: Path
) -> None:
    cache, data = platform_folders
    former = cache / "models" / "mine.safetensors"
    zoo.save(former, "srvgg", TINY, tiny_net().state_dict(), task="upscale")
    assert store.path_of(catalog.find("mine")) == former
    with pytest.raises(OutputError):
        import_file(tiny_checkpoint(tmp_path / "x.pth"), "mine")
    import_file(tmp_path / "x.pth", "mine", overwrite=True)
    assert not former.exists()
    assert store.path_of(catalog.find("mine")) == data / "models" / "mine.safetensors"
