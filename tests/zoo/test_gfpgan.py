"""GFPGAN through spandrel: on [-1, 1] inside, the same picture every time, for faces alone."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from imgfix import zoo
from imgfix.runtime.engine import Engine
from tests.zoo.gfpgan_file import file_of, small


def test_a_face_goes_in_and_comes_out_as_its_authors_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = small(monkeypatch)
    (tmp_path / "GFPGANv1.4.pth").write_bytes(file_of(net))
    model = zoo.load(tmp_path / "GFPGANv1.4.pth", task="restore")
    facts = model.descriptor
    assert (facts.net, facts.scale, facts.jobs, facts.native_size) == ("spandrel:GFPGAN", 1, ("faces",), 512)
    assert not facts.tiling
    x = torch.rand(1, 3, 512, 512)
    with torch.inference_mode():
        theirs = (net(2 * x - 1, randomize_noise=False)[0].clamp(-1, 1) + 1) / 2
    ours = Engine(model, "cpu", "fp32").run(x)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert float(ours.std()) > 0.01
    torch.testing.assert_close(Engine(model, "cpu", "fp32").run(x), ours, atol=0, rtol=0)


def test_a_copy_of_a_network_of_spandrels_runs_its_own_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine works with a copy, on a device and in a precision of its own."""
    (tmp_path / "faces.pth").write_bytes(file_of(small(monkeypatch)))
    original = zoo.load(tmp_path / "faces.pth").net
    twin = copy.deepcopy(original)
    for tensor in twin.parameters():
        tensor.zero_()
    x = torch.rand(1, 3, 512, 512)
    with torch.inference_mode():
        assert float(twin(x).std()) == 0 and float(original(x).std()) > 0
