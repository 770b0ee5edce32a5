"""Networks that look at a picture as a whole, on pictures too large for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from imgfix.tasks import wide
from tests.runtime import nets
from tests.tasks.scenes import scene


class Brighter(nn.Module):
    """Brings the mean of the whole picture to a half, in gamma."""

    def forward(self, x: Tensor) -> Tensor:
        gamma = torch.log(torch.tensor(0.5)) / torch.log(x.mean())
        return x.clamp(1e-4, 1) ** gamma


def run(picture: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    engine = nets.engine(Brighter(), tiling=False)
    height, width = picture.shape[:2]
    read = lambda y0, y1, x0, x1: picture[y0:y1, x0:x1]  # noqa: E731
    return np.concatenate(list(wide.bands(engine, read, height, width, size=size)))


def test_a_picture_that_fits_goes_through_as_it_is() -> None:
    picture = scene() * 0.3
    whole = run(picture, None)
    expected = picture.clip(1e-4, 1) ** (np.log(0.5) / np.log(picture.mean()))
    assert np.allclose(whole, expected, atol=1e-4)


def test_a_shrunk_run_is_carried_over_to_the_full_size() -> None:
    picture = scene(256, 320) * 0.3
    whole, shrunk = run(picture, None), run(picture, (160, 128))
    error = float(np.sqrt(np.mean((whole - shrunk) ** 2)))
    assert error < 0.01, "nearer than 40 dB"
    assert abs(float(whole.mean() - shrunk.mean())) < 0.003


def test_detail_finer_than_the_shrunk_picture_is_kept() -> None:
    picture = scene(256, 320) * 0.3
    picture[::2] *= 0.9
    result = run(picture, (80, 64))
    rows = np.abs(np.diff(result, axis=0)).mean()
    assert rows > 2 * np.abs(np.diff(picture, axis=0)).mean()


def test_the_working_size_keeps_to_the_limit(monkeypatch: object) -> None:
    engine = nets.engine(Brighter(), tiling=False)
    assert wide.working_size(engine, 640, 480) == (640, 480)
    width, height = wide.working_size(engine, 6000, 4000)
    assert width * height <= wide.LARGEST * 1.01
    assert abs(width / height - 1.5) < 0.01
