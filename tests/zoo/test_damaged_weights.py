"""Damaged and odd weights files: a clear refusal with the exit code for models, quickly and in little memory."""

from __future__ import annotations

import io
import json
import random
import resource
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imgfix import zoo
from imgfix.errors import ExitCode, ImgfixError
from imgfix.zoo import checkpoint
from tests.zoo.helpers import TINY, tiny_net, write_ncnn_srvgg

Maker = Callable[[Path], Path]


def safetensors_file(folder: Path) -> Path:
    return zoo.save(folder / "x.safetensors", "srvgg", TINY, tiny_net().state_dict(), task="upscale", name="tiny")


def pth_file(folder: Path) -> Path:
    torch.save({"params": tiny_net().state_dict()}, folder / "x.pth")
    return folder / "x.pth"


def torchscript_file(folder: Path) -> Path:
    with pytest.warns(DeprecationWarning):
        torch.jit.trace(tiny_net(), torch.rand(1, 3, 8, 8)).save(folder / "x.pt")
    return folder / "x.pt"


def onnx_file(folder: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    weight = onnx.numpy_helper.from_array(np.zeros((3, 3, 1, 1), np.float32), "conv.weight")
    node = onnx.helper.make_node("Conv", ["x", "conv.weight"], ["y"])
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 3, "h", "w"]) for n in ("x", "y")]
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:], [weight])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, folder / "x.onnx")
    return folder / "x.onnx"


def ncnn_file(folder: Path) -> Path:
    return write_ncnn_srvgg(tiny_net(), folder)[0]


MAKERS: list[Maker] = [safetensors_file, pth_file, torchscript_file, onnx_file, ncnn_file]


def mutated(data: bytes, seed: int) -> bytes:
    """The same bytes with a few changed, a piece cut out, doubled, or the end missing."""
    draw = random.Random(seed)
    changed = bytearray(data)
    kind = draw.randrange(4)
    # Headers and directories stand at the ends; that is where damage is interesting.
    at = draw.choice(
        (draw.randrange(len(data)), draw.randrange(min(400, len(data))), len(data) - 1 - draw.randrange(200))
    )
    if kind == 0:
        for _ in range(draw.randrange(1, 8)):
            changed[(at + draw.randrange(16)) % len(changed)] = draw.randrange(256)
    elif kind == 1:
        del changed[at : at + draw.randrange(1, 64)]
    elif kind == 2:
        changed[at:at] = changed[at : at + draw.randrange(1, 64)]
    else:
        del changed[at:]
    return bytes(changed)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_a_mutated_file_loads_or_is_refused_as_a_model(maker: Maker, tmp_path: Path) -> None:
    path = maker(tmp_path)
    data = path.read_bytes()
    for seed in range(60):
        path.write_bytes(mutated(data, seed))
        try:
            zoo.load(path)
        except ImgfixError as error:
            assert error.exit_code == ExitCode.MODEL, (seed, error)
            assert "x." in error.message or "net." in error.message, (seed, error)
            assert error.message.isprintable(), (seed, error)


def with_header(folder: Path, **changes: Any) -> Path:
    """A good weights file whose header says something else."""
    from safetensors.torch import save

    header = {"net": "srvgg", "config": TINY, "task": "upscale"} | changes
    state = {name: tensor.contiguous() for name, tensor in tiny_net().state_dict().items()}
    path = folder / "odd.safetensors"
    path.write_bytes(save(state, metadata={"imgfix": json.dumps(header)}))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"net": 5},
        {"net": ["srvgg"]},
        {"net": "nothing-like-it"},
        {"config": "deep"},
        {"config": {"scale": "two"}},
        {"config": {"scale": 10**9}},
        {"config": TINY | {"convs": 10_000}},
        {"config": TINY | {"features": 1_000_000}},
        {"config": TINY | {"unheard": 1}},
        {"net": "rrdbnet", "config": {"blocks": 10_000}},
        {"net": "ffdnet", "config": {"convolutions": 10**12}},
        {"net": "videogate", "config": {"scale": 50_000}},
        {"net": "words", "config": {"letters": 10**12}},
        {"facts": 3},
        {"facts": {"scale": "x"}},
        {"facts": {"size_multiple": 10**12}},
        {"facts": {"jobs": "noise"}},
        {"task": "cooking"},
        {"task": None},
        {"name": {"x": 1}},
    ],
    ids=lambda changes: json.dumps(changes)[:40],
)
def test_a_header_that_does_not_fit_is_refused_at_once(changes: dict[str, Any], tmp_path: Path) -> None:
    path = with_header(tmp_path, **changes)
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImgfixError, match=r"odd\.safetensors") as caught:
        zoo.load(path)
    assert caught.value.exit_code == ExitCode.MODEL
    assert len(caught.value.message) < 1000
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10, "KiB on this platform"


@pytest.mark.parametrize("text", ["[" * 200_000, '"only a text"', "17", "[1]", "{", "\x00"], ids=range(6))
def test_a_header_that_is_no_table_is_refused(text: str, tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {"imgfix": text}}).encode()
    path = tmp_path / "odd.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ImgfixError, match=r"odd\.safetensors") as caught:
        zoo.load(path)
    assert caught.value.exit_code == ExitCode.MODEL


def test_what_a_header_says_cannot_steer_a_terminal(tmp_path: Path) -> None:
    path = with_header(tmp_path, name="\x1b[31mred\u202e\nnext", licence="M\rIT")
    descriptor = zoo.load(path).descriptor
    assert (descriptor.name, descriptor.licence) == ("?[31mred??next", "M?IT")


def test_a_zip_directory_that_was_cut_off_is_a_damaged_checkpoint(tmp_path: Path) -> None:
    path = pth_file(tmp_path)
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    path.write_bytes(data[: end - 60] + data[end:])
    with pytest.raises(ImgfixError, match=r"x\.pth") as caught:
        zoo.load(path)
    assert caught.value.exit_code == ExitCode.MODEL


def test_an_archive_that_says_it_spans_disks_is_a_damaged_checkpoint(tmp_path: Path) -> None:
    path = pth_file(tmp_path)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x06\x07") + 16] = 9  # the number of disks
    path.write_bytes(data)
    with pytest.raises(ImgfixError, match=r"x\.pth: a damaged checkpoint"):
        zoo.load(path)


def test_an_archive_of_packed_zeros_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\x80\x02}.")
        archive.writestr("bomb/constants.pkl", b"\x80\x02).")
        with archive.open("bomb/data/0", "w") as stream:
            for _ in range(200):
                stream.write(bytes(1 << 20))
    with pytest.raises(ImgfixError, match="many times its size"):
        zoo.load(path)


def test_tensors_that_repeat_one_number_without_end_are_refused(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(1).expand(40_000, 10_000)}, tmp_path / "wide.pth")
    with pytest.raises(ImgfixError, match="many times its size"):
        checkpoint.read(tmp_path / "wide.pth")


def test_a_torchscript_file_whose_root_is_no_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("list/data.pkl", b"\x80\x02]q\x00K\x01a.")
        archive.writestr("list/constants.pkl", b"\x80\x02).")
    with pytest.raises(ImgfixError, match="not a module"):
        zoo.load(path)


def test_a_memo_index_beyond_the_file_is_not_made_room_for(tmp_path: Path) -> None:
    path = tmp_path / "memo.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("memo/data.pkl", b"\x80\x02]r" + struct.pack("<I", 1 << 31) + b".")
        archive.writestr("memo/constants.pkl", b"\x80\x02).")
    with pytest.raises(ImgfixError, match="memo index"):
        zoo.load(path)


def test_half_precision_kept_as_numbers_is_read_bit_by_bit(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    values = np.array([0.5, -2.0, 65504.0], np.float16)
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT16, [3], values)
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    stream = io.BytesIO(onnx.helper.make_model(graph).SerializeToString())
    (tmp_path / "h.onnx").write_bytes(stream.getvalue())
    assert checkpoint.read(tmp_path / "h.onnx").state["w"].tolist() == [0.5, -2.0, 65504.0]
