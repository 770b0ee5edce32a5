"""MobileSAM: the published tensors mean the same under our names, and prompts count as they should."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from imgfix.nets.mobilesam import CORNER, NOTHING, OPPOSITE, POINT, MaskDecoder, PromptEncoder
from imgfix.nets.tinyvit import AttentionBlock, ChannelNorm, TinyViT, WindowAttention
from imgfix.zoo.architectures import mobilesam


def test_batch_normalisation_is_folded_into_the_convolution() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5).eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    state = {"a.c.weight": conv.weight, **{f"a.bn.{name}": value for name, value in norm.state_dict().items()}}
    found = mobilesam._folded(state)
    assert set(found) == {"a.weight", "a.bias"}
    x = torch.randn(1, 3, 8, 8)
    assert torch.allclose(F.conv2d(x, found["a.weight"], found["a.bias"]), norm(conv(x)), atol=1e-5)


def test_masks_are_enlarged_as_by_transposed_convolutions() -> None:
    """The published decoder enlarges by transposed convolutions; ours multiplies each cell by the same numbers."""
    torch.manual_seed(0)
    decoder = MaskDecoder(32, 4, 16).eval()
    first, second = nn.ConvTranspose2d(32, 8, 2, 2), nn.ConvTranspose2d(8, 4, 2, 2)
    norm = ChannelNorm(8)
    names = {"0.weight": first.weight, "0.bias": first.bias, "3.weight": second.weight, "3.bias": second.bias}
    state = {f"mask_decoder.output_upscaling.{name}": value.detach() for name, value in names.items()}
    points = {f"prompt_encoder.point_embeddings.{index}.weight": torch.zeros(1, 32) for index in range(4)}
    adapted = mobilesam.adapt(state | points)
    for name in ("upscale1.weight", "upscale1.bias", "upscale2.weight", "upscale2.bias"):
        module, part = name.split(".")
        getattr(getattr(decoder, module), part).data = adapted[f"decoder.{name}"]
    seen: list[torch.Tensor] = []
    decoder.filters[0].register_forward_hook(lambda *values: seen.append(values[-1]))
    kept: list[torch.Tensor] = []
    decoder.blocks[1].register_forward_hook(lambda *values: kept.append(values[-1][1]))
    with torch.no_grad():
        masks, quality = decoder(torch.randn(1, 32, 6, 6), torch.randn(1, 36, 32), torch.randn(2, 3, 32))
        pixels = kept[0].transpose(1, 2).reshape(2, 32, 6, 6)
        fine = F.gelu(second(F.gelu(norm(first(pixels)))))
        expected = torch.einsum("bc,bchw->bhw", seen[0], fine)
    assert masks.shape == (2, 4, 24, 24) and quality.shape == (2, 4)
    assert torch.allclose(masks[:, 0], expected, atol=1e-4)


def test_a_place_without_meaning_has_no_position() -> None:
    torch.manual_seed(0)
    prompt = PromptEncoder(64, 16)
    nn.init.normal_(prompt.meanings)
    nn.init.normal_(prompt.nothing)
    places = torch.tensor([[[3.0, 5.0], [3.0, 5.0]], [[40.0, 50.0], [40.0, 50.0]]])
    found = prompt.tokens(places, torch.tensor([[POINT, NOTHING], [POINT, NOTHING]]))
    assert torch.equal(found[0, 1], found[1, 1]) and torch.equal(found[0, 1], prompt.nothing)
    assert not torch.allclose(found[0, 0], found[1, 0])


def test_the_corners_of_a_box_are_told_apart() -> None:
    prompt = PromptEncoder(64, 16)
    nn.init.normal_(prompt.meanings)
    place = torch.full((1, 2, 2), 7.0)
    first, second = prompt.tokens(place, torch.tensor([[CORNER, OPPOSITE]]))[0]
    assert torch.allclose(second - first, prompt.meanings[OPPOSITE] - prompt.meanings[CORNER], atol=1e-6)


def test_a_cell_has_the_position_of_the_pixel_in_its_middle() -> None:
    prompt = PromptEncoder(64, 16)
    with torch.no_grad():
        grid = prompt.grid(4).reshape(4, 4, 16)
        token = prompt.tokens(torch.tensor([[[23.5, 39.5]]]), torch.tensor([[POINT]]))[0, 0]
    assert torch.allclose(grid[2, 1], token - prompt.meanings[POINT], atol=1e-5)  # x of 16..31, y of 32..47


@pytest.mark.parametrize(("height", "width"), [(8, 12), (7, 9)])
def test_pixels_of_different_windows_do_not_look_at_each_other(height: int, width: int) -> None:
    torch.manual_seed(0)
    block = AttentionBlock(16, 2, 4).eval()
    x = torch.randn(1, 16, height, width)
    changed = x.clone()
    changed[:, :, :4, :4] += 1
    with torch.no_grad():
        difference = (block._attend(x) - block._attend(changed)).abs().amax(dim=(0, 1))
    assert bool((difference[:4, :4] > 0).all())
    assert float(difference[4:].max()) == 0 and float(difference[:4, 4:].max()) == 0


def test_the_bias_of_two_pixels_depends_on_how_far_apart_they_are() -> None:
    index = WindowAttention(8, 1, 3).index
    assert index[0, 0] == 0 and index[4, 4] == 0
    assert index[0, 1] == 1 and index[0, 3] == 3 and index[1, 3] == index[3, 1] == 4  # (1, 1) apart either way


def test_the_encoder_gives_a_sixteenth_of_each_side() -> None:
    net = TinyViT(widths=(8, 8, 16, 16), depths=(1, 1, 1, 1), heads=(1, 1, 2, 2), windows=(3, 3, 3, 3), channels=12)
    assert net.eval()(torch.zeros(1, 3, 64, 96)).shape == (1, 12, 4, 6)
