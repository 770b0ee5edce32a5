"""MobileNetV2 as a backbone: its shapes, its names, and its normalisation as a part of its convolutions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from imgfix.nets.maskrcnn import Instances, MaskRCNN
from imgfix.nets.mobilenetv2 import ConvNorm, InvertedResidual, MobileNetV2, MobileNetV2FPN, imagenet_body

TINY = {"backbone": "mobilenetv2", "pyramid": 8, "hidden": 8, "mask": 8, "layers": 1, "least": 64, "most": 96}


def test_the_body_has_as_many_parameters_as_the_paper_s_without_its_last_layers() -> None:
    # 3,504,872 in all; without the 1280 wide convolution (409,600), its normalisation (2,560) and the classifier.
    body = MobileNetV2()
    count = sum(p.numel() for p in body.parameters())
    norms = sum(buffer.numel() for name, buffer in body.named_buffers() if name.endswith(("weight", "bias")))
    assert count + norms == 3_504_872 - 409_600 - 2_560 - 1_281_000


def test_levels_are_a_quarter_to_a_sixty_fourth_of_the_sides() -> None:
    shapes = [tuple(level.shape) for level in MobileNetV2FPN(8)(torch.zeros(2, 3, 64, 128))]
    assert shapes == [(2, 8, 64 // step, 128 // step) for step in (4, 8, 16, 32, 64)]


def test_normalisation_is_that_of_batches_with_known_statistics() -> None:
    torch.manual_seed(0)
    layer = ConvNorm(3, 4, 3, 2, active=True)
    norm = layer[1]
    for buffer in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        buffer.copy_(torch.rand(4) + 0.2)
    x = torch.rand(1, 3, 9, 9)
    expected = F.batch_norm(
        F.conv2d(x, layer[0].weight, None, 2, 1),  # type: ignore[arg-type]
        norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5,
    ).clamp(0, 6)  # fmt: skip
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(("stride", "outputs", "added"), [(1, 4, True), (2, 4, False), (1, 6, False)])
def test_a_block_adds_its_input_where_the_shapes_are_equal(stride: int, outputs: int, added: bool) -> None:
    block = InvertedResidual(4, outputs, stride, 6)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    x = torch.rand(1, 4, 8, 8)
    expected = x if added else torch.zeros(1, outputs, 8 // stride, 8 // stride)
    assert torch.equal(block(x), expected)


def test_weights_for_imagenet_load_by_torchvision_s_names() -> None:
    torch.manual_seed(0)
    own = {f"features.{name}": torch.rand_like(value) for name, value in MobileNetV2().state_dict().items()}
    other = {"features.18.0.weight": torch.zeros(1), "classifier.1.bias": torch.zeros(1)}
    body = MobileNetV2()
    body.load_state_dict(imagenet_body({**own, **other}))
    assert torch.equal(body.state_dict()["1.conv.0.0.weight"], own["features.1.conv.0.0.weight"])
    assert torch.equal(body.state_dict()["17.conv.3.running_var"], own["features.17.conv.3.running_var"])
    with pytest.raises(KeyError):
        imagenet_body(other)


def test_mask_r_cnn_finds_with_it_in_the_picture_s_own_pixels() -> None:
    torch.manual_seed(0)
    net = MaskRCNN(classes=3, names=("date", "logo"), ratios=(0.1, 1.0), sizes=(8, 16, 32, 64, 128), **TINY).eval()  # type: ignore[arg-type]
    with torch.inference_mode():
        found = net(torch.rand(1, 3, 100, 150))
    assert isinstance(found, Instances) and len(found.boxes)
    assert float(found.boxes[:, 2].max()) <= 150 and float(found.boxes[:, 3].max()) <= 100
    assert set(found.classes.tolist()) <= {1, 2}


def test_names_are_as_many_as_classes() -> None:
    with pytest.raises(ValueError, match="1 names for 2 classes"):
        MaskRCNN(classes=3, names=("date",), **TINY)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'vgg' is none of"):
        MaskRCNN(backbone="vgg")
