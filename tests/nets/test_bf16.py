"""The field's networks with their middle in bf16: every layer gets what it takes, and the picture stays close."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from imgfix.runtime import precision
from imgfix.zoo.architectures import ARCHITECTURES
from tests.nets.published import shaken

UNET: dict[str, Any] = {"widths": (8, 8, 12, 16), "blocks": 1}
SMALL: dict[str, dict[str, Any]] = {
    "drunet": UNET,
    "fbcnn": UNET,
    "scunet": {"features": 16, "blocks": (2, 1, 1, 2, 1, 1, 2), "head": 8, "window": 4},
    "swinir": {"features": 16, "depths": (2, 2), "heads": (2, 2), "window": 4, "hidden": 32},
    "nafnet": {"width": 8, "down": (1, 1), "middle": 1, "up": (1, 1)},
    "realplksr": {"features": 16, "blocks": 2, "kernel": 5, "large": 4, "layer_norm": True, "dysample": True},
    "lama": {"features": 16, "blocks": 2},
}


@pytest.mark.parametrize("key", SMALL)
def test_it_runs_and_stays_close_to_fp32(key: str) -> None:
    architecture = ARCHITECTURES[key]
    torch.manual_seed(0)
    net = architecture.build(SMALL[key]).eval().requires_grad_(False)
    shaken(net)
    x = torch.rand(1, architecture.describe(SMALL[key]).get("in_channels", 3), 64, 64)
    expected, first, last = precision.observed(net, x)
    with torch.inference_mode():
        found = precision.converted(net, torch.bfloat16, first, last)(x).float()
    assert found.isfinite().all()
    assert float((found - expected).abs().max()) > 0, "nothing was computed in bf16"
    assert float((found - expected).square().mean().sqrt()) < 0.05 * float(expected.std()) + 1e-3
