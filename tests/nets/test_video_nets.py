"""Flow, BasicVSR and VideoGate: shapes at any size, what is carried, and what merging keeps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.basicvsr import BasicVSR
from imgfix.nets.flow import SPyNet, dense_inverse_search, fetch_cubic, warp
from imgfix.nets.repgate import RepGate, merge
from imgfix.nets.videogate import VideoGate, back_projection, reaching_two
from imgfix.runtime.resize import resize


def clip(frames: int, height: int, width: int) -> Tensor:
    return torch.rand(1, frames, 3, height, width, generator=torch.Generator().manual_seed(2))


def test_warping_by_whole_pixels_moves_the_picture() -> None:
    x = torch.rand(1, 2, 7, 9)
    flow = torch.zeros(1, 2, 7, 9)
    flow[:, 0], flow[:, 1] = 2, -1
    moved = warp(x, flow)
    assert torch.allclose(moved[..., 1:, :-2], x[..., :-1, 2:], atol=1e-5)
    assert float(moved[..., 0, :].abs().max()) < 1e-5  # from outside comes nothing
    assert torch.allclose(warp(x, flow, border="border")[..., 1:, -1], x[..., :-1, -1], atol=1e-5)


def test_warping_in_between_is_bilinear() -> None:
    x = torch.rand(1, 1, 4, 6)
    flow = torch.zeros(1, 2, 4, 6)
    flow[:, 0] = 0.25
    expected = 0.75 * x[..., :-1] + 0.25 * x[..., 1:]
    assert torch.allclose(warp(x, flow)[..., :-1], expected, atol=1e-6)


def test_bicubic_warping_keeps_fine_detail_that_bilinear_blurs() -> None:
    x = torch.sin(torch.arange(32.0) * 2 * torch.pi / 5).expand(1, 1, 8, 32)
    flow = torch.zeros(1, 2, 8, 32)
    flow[:, 0] = 0.5
    expected = torch.sin((torch.arange(32.0) + 0.5) * 2 * torch.pi / 5)[4:-4]
    linear, cubic = (warp(x, flow, mode=mode)[0, 0, 4, 4:-4] for mode in ("bilinear", "bicubic"))
    assert float((cubic - expected).abs().max()) < 0.5 * float((linear - expected).abs().max())


@pytest.mark.parametrize(("height", "width"), [(5, 7), (1, 3)])
def test_fetching_with_and_without_gradients_is_the_same(height: int, width: int) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 4 * height, 4 * width, generator=draw)
    flow = 2 * torch.randn(2, 2, height, width, generator=draw)  # beyond the borders, too
    expected = fetch_cubic(x.clone().requires_grad_(), flow)
    assert expected.requires_grad
    assert torch.allclose(fetch_cubic(x, flow), expected, atol=1e-3)


def test_dense_inverse_search_finds_a_shift_of_part_of_a_pixel() -> None:
    cells = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    large = resize(cells, (96 * 4, 128 * 4)).clamp(0, 1)
    one = F.avg_pool2d(large, 4)[..., 4:-4, 4:-4]
    other = F.avg_pool2d(large.roll((-2, 6), (2, 3)), 4)[..., 4:-4, 4:-4]  # half a pixel up, one and a half right
    flow = dense_inverse_search(torch.cat((one, other)), torch.cat((other, one)))
    assert flow.shape == (2, 2, 88, 120)
    for found, (right, down) in zip(flow, ((1.5, -0.5), (-1.5, 0.5)), strict=True):
        inner = found[:, 8:-8, 8:-8].flatten(1).median(dim=1).values
        assert torch.allclose(inner, torch.tensor([right, down]), atol=0.05)


@pytest.mark.parametrize("size", [(1, 1), (7, 40)])
def test_dense_inverse_search_takes_any_size(size: tuple[int, int]) -> None:
    frame = torch.rand(1, 3, *size)
    assert torch.isfinite(dense_inverse_search(frame, frame)).all()


@pytest.mark.parametrize("size", [(32, 64), (33, 50), (7, 5)])
def test_flow_has_the_size_of_the_pictures(size: tuple[int, int]) -> None:
    net = SPyNet(3).eval()
    with torch.inference_mode():
        assert net(torch.rand(2, 3, *size), torch.rand(2, 3, *size)).shape == (2, 2, *size)


def test_basicvsr_in_steps_equals_basicvsr_at_once() -> None:
    torch.manual_seed(0)
    net = BasicVSR(features=8, blocks=1).eval()
    frames = clip(3, 20, 33)
    one, two, three = frames.unbind(1)
    with torch.inference_mode():
        whole = net(frames)
        late = net.backward_step(two, three, net.backward_step(three, None, None))
        early = net.forward_step(two, one, net.forward_step(one, None, None))
        assert whole.shape == (1, 3, 3, 80, 132)
        assert torch.equal(net.enlarge(two, late, early), whole[:, 1])


def test_basicvsr_learns_from_both_directions() -> None:
    torch.manual_seed(0)
    net = BasicVSR(features=8, blocks=1).eval()
    frames = clip(3, 16, 16)
    with torch.inference_mode():
        plain = net(frames)[:, 1]
        for other in (0, 2):
            changed = frames.clone()
            changed[:, other] = 0.5
            assert not torch.equal(net(changed)[:, 1], plain)


@pytest.mark.parametrize("size", [(16, 32), (17, 9), (5, 3)])
def test_videogate_takes_any_size(size: tuple[int, int]) -> None:
    net = VideoGate(scale=2, channels=8, blocks=1, convolutions=1).eval()
    with torch.inference_mode():
        assert net(clip(2, *size)).shape == (1, 2, 3, 2 * size[0], 2 * size[1])


def test_videogate_looks_back_and_never_ahead() -> None:
    torch.manual_seed(0)
    net = VideoGate(channels=8, blocks=1, convolutions=1).eval()
    frames = clip(3, 16, 16)
    with torch.inference_mode():
        plain = net(frames)
        changed = frames.clone()
        changed[:, 1] = 0.5
        other = net(changed)
    assert torch.equal(other[:, 0], plain[:, 0])
    assert not torch.equal(other[:, 2], plain[:, 2])


def test_merging_keeps_what_videogate_computes() -> None:
    torch.manual_seed(0)
    net = VideoGate(channels=8, blocks=2, convolutions=2).eval()
    frames = clip(3, 16, 20)
    with torch.inference_mode():
        before = net(frames)
        merged = merge(net)
        assert torch.allclose(merged(frames), before, atol=1e-5)
    twin = VideoGate(channels=8, blocks=2, convolutions=2, merged=True)
    twin.load_state_dict(merged.state_dict())


def test_back_projection_shrinks_and_enlarges_as_bicubic_resizing_does() -> None:
    torch.manual_seed(0)
    down, up = back_projection(4)
    large, small = torch.rand(1, 3, 48, 64), torch.rand(1, 3, 12, 16)
    shrunk = reaching_two(F.pixel_unshuffle(large, 4), down)
    enlarged = F.pixel_shuffle(reaching_two(small, up), 4)
    inner = (..., slice(2, -2), slice(2, -2))
    assert torch.allclose(shrunk[inner], resize(large, (12, 16))[inner], atol=1e-5)
    inner = (..., slice(8, -8), slice(8, -8))
    assert torch.allclose(enlarged[inner], resize(small, (48, 64))[inner], atol=1e-5)


def test_a_fresh_videogate_upscales_a_first_frame_as_the_repgate_it_started_from() -> None:
    torch.manual_seed(0)
    still = RepGate(channels=8, blocks=2, convolutions=1).eval()
    net = VideoGate(channels=8, blocks=2, convolutions=1).eval()
    missing, unexpected = net.load_state_dict(still.state_dict(), strict=False)
    assert not unexpected
    assert {name.partition(".")[0] for name in missing} == {"past", "gate"}
    frames = clip(2, 16, 20)
    with torch.inference_mode():
        assert torch.allclose(net(frames)[:, 0], still(frames[:, 0]), atol=1e-6)


def test_an_open_gate_gives_the_last_result_corrected_until_it_shrinks_to_the_frame() -> None:
    net = VideoGate(channels=8, blocks=1, convolutions=1).eval()
    with torch.no_grad():
        net.gate.bias.fill_(50.0)
        large = torch.rand(1, 3, 64, 64)
        frame = resize(large, (16, 16))
        _, memory = net.step(frame, None)
        result, _ = net.step(frame, memory._replace(result=large))
        other, _ = net.step(frame, memory._replace(result=F.avg_pool2d(large, 5, 1, 2)))
    assert float(dense_inverse_search(frame, memory.frame).abs().max()) == 0
    inner = (..., slice(16, -16), slice(16, -16))
    assert torch.allclose(result[inner], large[inner], atol=1e-4)  # nothing was missing
    blurred = resize(F.avg_pool2d(large, 5, 1, 2), (16, 16))
    before, after = (float((x - frame)[..., 4:-4, 4:-4].abs().mean()) for x in (blurred, resize(other, (16, 16))))
    assert after < 0.6 * before
