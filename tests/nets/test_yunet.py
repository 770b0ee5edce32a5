"""YuNet against OpenCV, which runs the published file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from imgfix.nets.yunet import YuNet
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.convert import convert
from tests.zoo.yunet_file import write


@pytest.fixture
def net() -> YuNet:
    torch.manual_seed(2)
    made = YuNet().eval().requires_grad_(False)
    for name, tensor in made.named_parameters():
        gain = 0.2 if name.startswith(("boxed", "marked")) else 1 / 255 if name == "first.weight" else 1.0
        torch.nn.init.normal_(tensor, std=gain * (2 / tensor[0].numel()) ** 0.5 if tensor.ndim > 1 else 0.1)
    return made


def test_boxes_landmarks_and_scores_are_those_of_opencv(net: YuNet, tmp_path: Path) -> None:
    path = write(net, tmp_path / "yunet.onnx", 64, 96)
    rgb = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    reference = cv2.FaceDetectorYN.create(str(path), "", (96, 64), 0.0, 1.0, 5000)
    _, theirs = reference.detect(np.ascontiguousarray(rgb[..., ::-1]))
    ours = net(torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255)[0].numpy()
    ours[:, 2:4] -= ours[:, :2]
    assert len(theirs) == len(ours) == 64 * 96 // 64 + 64 * 96 // 256 + 64 * 96 // 1024
    order = np.argsort(-ours[:, 14], kind="stable")
    np.testing.assert_allclose(ours[order], theirs[np.argsort(-theirs[:, 14], kind="stable")], atol=2e-3)


def test_the_published_file_gives_these_very_weights(net: YuNet, tmp_path: Path) -> None:
    path = write(net, tmp_path / "yunet.onnx")
    state = convert([path], "onnx-layers", "yunet", {})
    assert {name: tensor.tolist() for name, tensor in state.items()} == {
        name: tensor.tolist() for name, tensor in net.state_dict().items()
    }


def test_it_has_as_many_parameters_as_the_published_file_and_is_known_by_its_tensors(net: YuNet) -> None:
    assert sum(tensor.numel() for tensor in net.parameters()) == 53104
    detect = ARCHITECTURES["yunet"].detect
    assert detect is not None
    assert detect(net.state_dict()) == {}
    assert detect({name: tensor for name, tensor in net.state_dict().items() if "marked" not in name}) is None
