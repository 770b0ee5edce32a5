"""MI-GAN: mask first, holes not peeked into, the same answer every time."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from imgfix.nets.migan import MIGAN, _blur, _upsample


def small(resolution: int = 32) -> MIGAN:
    torch.manual_seed(0)
    net = MIGAN(resolution=resolution, base=256, maximum=16).eval()
    for name, parameter in net.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.1)
    return net


def masked(resolution: int = 32) -> torch.Tensor:
    x = torch.rand(1, 4, resolution, resolution)
    x[:, 0] = 0
    x[:, 0, 8:20, 4:12] = 1
    return x


def test_the_output_is_a_picture_in_range() -> None:
    with torch.inference_mode():
        out = small()(masked())
    assert out.shape == (1, 3, 32, 32)
    assert out.min() >= 0 and out.max() <= 1


def test_what_lies_in_the_hole_makes_no_difference() -> None:
    net, x = small(), masked()
    other = x.clone()
    other[:, 1:, 8:20, 4:12] = torch.rand(1, 3, 12, 8)
    with torch.inference_mode():
        assert torch.equal(net(x), net(other))


def test_what_lies_around_the_hole_does() -> None:
    net, x = small(), masked()
    other = x.clone()
    other[:, 1:, :4] = 1 - other[:, 1:, :4]
    with torch.inference_mode():
        assert not torch.equal(net(x), net(other))


def test_the_same_input_gives_the_same_bytes() -> None:
    net, x = small(), masked()
    with torch.inference_mode():
        assert torch.equal(net(x), net(x))
        assert torch.allclose(net(x), net(torch.cat((x, x)))[1:], atol=1e-6)


def test_gains_folded_into_the_weights_change_nothing() -> None:
    net, x = small(), masked()
    with torch.inference_mode():
        before = net(x)
    net.fold_gains()
    net.fold_gains()  # a second time does nothing
    with torch.inference_mode():
        torch.testing.assert_close(net(x), before, atol=1e-5, rtol=1e-4)


def test_an_exporter_sees_no_writing_in_place() -> None:
    traced = torch.export.export(small(), (masked(),))
    kinds = {str(node.target) for node in traced.run_decompositions({}).graph.nodes}
    assert not any("scatter" in kind or "copy" in kind for kind in kinds), kinds


def test_sizes_beyond_the_native_one_are_taken() -> None:
    with torch.inference_mode():
        assert small()(torch.rand(1, 4, 40, 64)).shape == (1, 3, 40, 64)


def test_upsampling_is_the_four_tap_filter_with_zeros_beyond_the_border() -> None:
    x = torch.rand(2, 3, 5, 7)
    expected = F.conv_transpose2d(x, _blur(3) * 4, stride=2, padding=1, groups=3)
    torch.testing.assert_close(_upsample(x), expected)


def test_it_can_be_trained() -> None:
    net = small().train()
    net(masked()).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in net.parameters())


def test_the_published_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in MIGAN(resolution=512).parameters()) == 5_893_158


@pytest.mark.parametrize("resolution", [4, 100])
def test_a_resolution_that_cannot_be_halved_is_refused(resolution: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        MIGAN(resolution=resolution)


def test_without_the_largest_patterns_of_noise_it_is_the_same_network_and_smaller() -> None:
    whole = small()
    light = MIGAN(resolution=32, base=256, maximum=16, noise_until=8).eval()
    kept = light.load_state_dict(whole.state_dict(), strict=False)
    assert not kept.missing_keys
    assert {name.rpartition(".")[2] for name in kept.unexpected_keys} == {"noise_strength", "noise_const"}
    for name, parameter in whole.named_parameters():
        if name.endswith("noise_strength") and "b8" not in name:
            parameter.data.zero_()
    x = masked()
    with torch.inference_mode():
        torch.testing.assert_close(light(x), whole(x))
