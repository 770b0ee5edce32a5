"""The first weights of a fresh Mask R-CNN."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from imgfix.errors import ModelError
from imgfix.nets.maskrcnn import MaskRCNN
from imgfix.nets.mobilenetv2 import MobileNetV2FPN, imagenet_body


def initialised(net: MaskRCNN, backbone: str | None, seed: int) -> list[str]:
    """Draw the first weights, and load those of the backbone where a file is named; says what was done.

    The last layers begin near zero, so that boxes begin at their anchors (arXiv 1506.01497, section 3.1).
    Raises ModelError: the file cannot be read, or holds another network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in net.named_modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                if name.endswith(("cls_logits", "bbox_pred", "cls_score")):
                    nn.init.normal_(module.weight, std=0.001 if name.endswith("bbox_pred") else 0.01)
                else:
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    if backbone is None:
        return [
            "the backbone starts from nothing; with the weights for ImageNet it learns sooner: `settings.backbone=FILE`"
        ]
    if not isinstance(net.backbone, MobileNetV2FPN):
        raise ModelError(
            "backbone: only MobileNetV2 starts from a file", hint="`settings.net_config.backbone=mobilenetv2`"
        )
    path = Path(backbone).expanduser()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        net.backbone.body.load_state_dict(imagenet_body(state))
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, KeyError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path}: no weights of MobileNetV2: {reason}") from None
    return [f"backbone: {path.name}"]
