"""NAFNet: motion blur, or the noise of a sensor."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, made_of, shape

_NAMES = (
    r"(intro|ending)\.(weight|bias)|downs\.\d+\.(weight|bias)|ups\.\d+\.0\.weight"
    r"|(encoders\.\d+|middle_blks|decoders\.\d+)\.\d+\.((norm[12]|conv[1-5]|sca\.1)\.(weight|bias)|beta|gamma)"
)


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    channels, multiple = config.get("channels", 3), 2 ** len(config.get("down", (1, 1, 1, 28)))
    return {
        "in_channels": channels,
        "out_channels": channels,
        "size_multiple": multiple,
        "size_minimum": multiple,
        # The means of channels are taken over all that is seen. Trained on crops, it is better for being shown crops
        # (Chu et al., arXiv 2112.04491), so tiles are right.
        "receptive_field": None,
        "precisions": ("fp32", "bf16"),
    }


def detect(state: State) -> Config | None:
    """A U-Net of blocks with two weighted branches."""
    first = shape(state, "intro.weight", 4)
    if first is None or not made_of(state, _NAMES):
        return None

    def blocks(side: str) -> list[int]:
        levels = indices(state, rf"{side}\.(\d+)\.0\.beta")
        return [len(indices(state, rf"{side}\.{level}\.(\d+)\.beta")) for level in levels]

    down, up = blocks("encoders"), blocks("decoders")
    if not down or len(down) != len(up):
        return None
    middle = len(indices(state, r"middle_blks\.(\d+)\.beta"))
    return {"channels": first[1], "width": first[0], "down": down, "middle": middle, "up": up}


ARCHITECTURE = Architecture(
    key="nafnet", net="imgfix.nets.nafnet:NAFNet", describe=describe, detect=detect, task="restore"
)
