"""GFPGAN as its authors publish it, but 32 times as narrow: the names and the nesting are the same."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn

from tests.zoo.spandrel_beside_cpu import spandrel


def small(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """The network with random weights; spandrel builds its like for the rest of the test. Skips without spandrel."""
    spandrel()
    from spandrel.architectures import GFPGAN as module

    published = module.GFPGAN

    def narrow(**sizes: Any) -> nn.Module:
        made: nn.Module = published(**{**sizes, "narrow": 1 / 32, "num_style_feat": 8, "num_mlp": 2})
        return made

    monkeypatch.setattr(module, "GFPGAN", narrow)
    torch.manual_seed(0)
    net = narrow(different_w=True, sft_half=True).eval().requires_grad_(False)
    for name, tensor in net.named_parameters():
        if name.endswith("style_convs.3.weight") or name.endswith("style_conv1.weight"):
            tensor.fill_(0.5)  # of the noise, which is 0 in a fresh network
    return net


def file_of(net: nn.Module) -> bytes:
    """The bytes of its checkpoint."""
    stream = io.BytesIO()
    torch.save({"params_ema": net.state_dict()}, stream)
    return stream.getvalue()
