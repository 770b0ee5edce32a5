"""`imgfix restore --colorize` with siggraph17-color, from its fetch to a picture in colour."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgfix.nets.siggraph17 import Siggraph17
from imgfix.zoo import catalog, fetch
from tests.cli.conftest import Run
from tests.nets.test_siggraph17_parity import PUBLISHED_BYTES, published
from tests.zoo.helpers import http_source, serve

NAME = "siggraph17-color"


@pytest.mark.slow
def test_a_grey_picture_is_colorized_by_a_model_that_is_named_and_again_offline(
    imgfix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    state = published()
    stream = io.BytesIO()
    torch.save(state, stream)
    assert abs(len(stream.getvalue()) - PUBLISHED_BYTES) < 30_000
    grey = np.random.default_rng(0).integers(60, 190, (12, 16), np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(grey).save(tmp_path / "old.png")
    words = ("restore", tmp_path / "old.png", "--colorize", "--precision", "fp32", "--device", "cpu", "--json")
    with serve() as server:
        server.files["/color.pth"] = stream.getvalue()
        source = http_source(f"{server.url}/color.pth", stream.getvalue())
        row = replace(catalog.find(NAME), sources=(source,))
        monkeypatch.setattr(catalog, "entries", lambda: [row])
        missing = imgfix(*words)
        assert missing.code == 3 and f"imgfix weights pull {NAME}" in missing.err and not server.requests
        first = imgfix(*words, "--model", NAME, "-o", tmp_path / "a.png")
        assert first.code == 0, first.err
        assert [step["undoes"] for step in first.items[0]["steps"]] == [["color"]]
        server.requests.clear()
        again = imgfix(*words, "--offline", "-o", tmp_path / "b.png")
        assert again.code == 0, again.err
        assert server.requests == []
    made = np.asarray(Image.open(tmp_path / "a.png"))
    assert (np.asarray(Image.open(tmp_path / "b.png")) == made).all()
    net = Siggraph17().eval()
    net.load_state_dict({name: tensor for name, tensor in state.items() if not name.startswith("model_class")})
    picture = torch.from_numpy(grey).float().div(255)[None, None].expand(-1, 3, -1, -1)
    with torch.inference_mode():
        expected = net(picture)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(made - expected).max() <= 1
    assert np.ptp(made.astype(int), axis=2).mean() > 5, "there is colour in it"
