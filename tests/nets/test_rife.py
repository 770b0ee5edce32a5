"""RIFE, beside numbers of the module that its weights were published with (`tests/bench/rife_parity.py` runs it)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from imgfix.nets import rife
from imgfix.nets.rife import RIFE, working_size

# Mean, and pixels (channel, row, column), of what that module makes of `frames` with the weights of `network`.
PUBLISHED = {
    2: (0.5066949, (0.8198652, 0.2188826, 0.4959395)),
    24: (0.5079462, (0.6520406, 0.3043739, 0.6782732)),
}
PLACES = ((0, 5, 7), (1, 40, 60), (2, 63, 95))


def filled(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same numbers for every version of torch, in the order of the names."""
    made = {}
    for number, (name, tensor) in enumerate(sorted(state.items())):
        waves = torch.sin(1.7 * torch.arange(tensor.numel(), dtype=torch.float64) ** 1.1 + number)
        made[name] = (0.2 * waves).reshape(tensor.shape).float()
    return made


def frames(speed: int) -> Tensor:
    """Waves that move by so many pixels from the first frame to the second; (1, 6, 64, 96)."""
    rows = torch.arange(64, dtype=torch.float64)[:, None]
    columns = torch.arange(96, dtype=torch.float64)[None, :]

    def at(moved: int) -> Tensor:
        x = columns + moved
        waves = [torch.sin(x / 5 + rows / 9 + n) * torch.cos(rows / 7 - x / (11 + n)) for n in range(3)]
        return (0.5 + 0.4 * torch.stack(waves)).float()

    return torch.cat((at(0), at(speed)))[None]


def network() -> RIFE:
    net = RIFE(features=8).eval()
    net.load_state_dict(filled(net.state_dict()))
    return net


def without_motion() -> RIFE:
    net = network()
    state = net.state_dict()
    for name, tensor in state.items():
        if ".motion.2." in name:
            tensor.zero_()
    return net


@pytest.mark.parametrize("speed", PUBLISHED)
def test_the_result_is_that_of_the_published_network(speed: int) -> None:
    mean, pixels = PUBLISHED[speed]
    with torch.inference_mode():
        made = network()(frames(speed))[0]
    assert float(made.mean()) == pytest.approx(mean, abs=1e-5)
    assert [float(made[place]) for place in PLACES] == pytest.approx(pixels, abs=1e-5)


def test_fast_motion_is_looked_for_from_an_eighth(monkeypatch: pytest.MonkeyPatch) -> None:
    reductions: list[int] = []
    plain = rife.MotionBlock.forward

    def noted(self: rife.MotionBlock, seen: Tensor, motion: Tensor, reduction: int) -> tuple[Tensor, Tensor]:
        reductions.append(reduction)
        return plain(self, seen, motion, reduction)

    monkeypatch.setattr(rife.MotionBlock, "forward", noted)
    found = []
    for limit in (-1.0, 1e9):
        reductions.clear()
        monkeypatch.setattr(rife, "FAST", limit)
        with torch.inference_mode():
            network()(frames(2))
        found.append(list(reductions))
    assert found == [[8, 8, 4, 2], [8, 4, 2, 1]]


def test_what_stands_still_stays() -> None:
    still = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    net = without_motion()
    with torch.inference_mode():
        made = net(torch.cat((still, still), dim=1))
    torch.testing.assert_close(made, still, atol=1e-4, rtol=0)  # places on the grid are rounded


def test_large_frames_keep_their_size_and_their_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rife, "LARGEST", 64 * 64)
    assert working_size(64, 256) == (32, 128)
    assert working_size(32, 64) == (32, 64)
    still = torch.rand(1, 3, 64, 256, generator=torch.Generator().manual_seed(1))
    net = without_motion()
    with torch.inference_mode():
        made = net(torch.cat((still, still), dim=1))
    torch.testing.assert_close(made, still, atol=1e-4, rtol=0)  # places on the grid are rounded


def test_motion_is_kept_in_full_precision() -> None:
    net = network()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        motion, mask = net.estimate(frames(2))
        made = net(frames(2))
    assert motion.dtype == mask.dtype == made.dtype == torch.float32
