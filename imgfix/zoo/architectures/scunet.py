"""SCUNet: the noise of real pictures."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, made_of, shape

_NAMES = (
    r"m_(head|tail)\.0\.weight|m_(down[123]|body|up[123])\.\d+\."
    r"(weight|conv1_[12]\.(weight|bias)|conv_block\.[02]\.weight|trans_block\.(ln1|ln2|mlp\.[02])\.(weight|bias)"
    r"|trans_block\.msa\.((embedding_layer|linear)\.(weight|bias)|relative_position_params))"
)
_STAGES = ("m_down1", "m_down2", "m_down3", "m_body", "m_up3", "m_up2", "m_up1")


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    from imgfix.nets.scunet import receptive_field

    channels, window = config.get("channels", 3), config.get("window", 8)
    return {
        "in_channels": channels,
        "out_channels": channels,
        "size_multiple": 8 * window,
        "size_minimum": 8 * window,
        "receptive_field": receptive_field(config.get("blocks", (4,) * 7), window),
    }


def detect(state: State) -> Config | None:
    """A head, seven stages of blocks with attention on half of the channels, a tail."""
    first = shape(state, "m_head.0.weight", 4)
    bias = shape(state, "m_down1.0.trans_block.msa.relative_position_params", 3)
    if first is None or bias is None or not made_of(state, _NAMES):
        return None
    blocks = [len(indices(state, rf"{stage}\.(\d+)\.trans_block\.ln1\.weight")) for stage in _STAGES]
    return {
        "channels": first[1],
        "features": first[0],
        "blocks": blocks,
        "head": first[0] // 2 // bias[0],
        "window": (bias[1] + 1) // 2,
    }


ARCHITECTURE = Architecture(
    key="scunet", net="imgfix.nets.scunet:SCUNet", describe=describe, detect=detect, task="restore"
)
