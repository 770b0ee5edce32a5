"""Networks of the field at the sizes they were published at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from imgfix.nets.drunet import DRUNet
from imgfix.nets.fbcnn import FBCNN
from imgfix.nets.lama import LaMa
from imgfix.nets.nafnet import NAFNet
from imgfix.nets.realbasicvsr import RealBasicVSR
from imgfix.nets.realplksr import RealPLKSR
from imgfix.nets.scunet import SCUNet
from imgfix.nets.siggraph17 import Siggraph17
from imgfix.nets.span import SPAN
from imgfix.nets.swinir import SwinIR

PUBLISHED: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "scunet": (SCUNet, 17_946_072),
    "drunet": (DRUNet, 32_640_960),
    "fbcnn": (FBCNN, 71_921_796),
    "fbcnn, grey": (lambda: FBCNN(channels=1), 71_919_490),
    "lama, big": (LaMa, 50_975_875),
    "swinir m": (SwinIR, 11_715_559),
    "swinir l": (lambda: SwinIR(features=240, depths=[6] * 9, heads=[8] * 9, hidden=480, thin=True), 28_013_059),
    "nafnet 64, gopro": (NAFNet, 67_888_835),
    "nafnet 32, gopro": (lambda: NAFNet(width=32), 17_111_907),
    "nafnet 64, sidd": (lambda: NAFNet(down=(2, 2, 4, 8), middle=12, up=(2, 2, 2, 2)), 115_982_915),
    "span": (SPAN, 426_288),
    "realplksr": (RealPLKSR, 7_389_680),
    "siggraph17": (Siggraph17, 34_051_074),
    "realbasicvsr": (RealBasicVSR, 6_294_834),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_has_the_number_of_parameters(name: str) -> None:
    build, count = PUBLISHED[name]
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in build().parameters()) == count
