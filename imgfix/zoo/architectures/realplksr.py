"""RealPLKSR, an upscaler with large kernels."""

from __future__ import annotations

import math
from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, made_of, shape

_NAMES = (
    r"feats\.\d+\.((channel_mixer\.[02]|lk\.conv|attn\.f\.0|refine|norm|layer_norm)\.)?(weight|bias)"
    r"|to_img\.(init_pos|scope\.weight|(offset|end_conv)\.(weight|bias))"
)


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    local = config.get("layer_norm", False) and not config.get("dysample", False)
    # A large kernel, two 3 x 3 convolutions and, with attention, a third.
    each = config.get("kernel", 17) // 2 + 2 + config.get("attention", True)
    return {
        "scale": config.get("scale", 4),
        # The means of groups, or a place that was learned, may lie anywhere.
        "receptive_field": config.get("blocks", 28) * each + 2 if local else None,
        "precisions": ("fp32", "bf16"),
    }


def detect(state: State) -> Config | None:
    """Blocks with a channel mixer and a large kernel."""
    first, large = shape(state, "feats.0.weight", 4), shape(state, "feats.1.lk.conv.weight", 4)
    blocks = indices(state, r"feats\.(\d+)\.channel_mixer\.0\.weight")
    if first is None or large is None or not blocks or first[1] != 3 or not made_of(state, _NAMES):
        return None
    last = shape(state, f"feats.{blocks[-1] + 2}.weight", 4)
    if last is None:
        return None
    return {
        "scale": math.isqrt(last[0] // 3),
        "features": first[0],
        "blocks": len(blocks),
        "kernel": large[2],
        "large": large[0],
        "attention": "feats.1.attn.f.0.weight" in state,
        "layer_norm": "feats.1.layer_norm.weight" in state,
        "dysample": "to_img.init_pos" in state,
    }


ARCHITECTURE = Architecture(key="realplksr", net="imgfix.nets.realplksr:RealPLKSR", describe=describe, detect=detect)
