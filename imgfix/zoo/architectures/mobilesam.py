"""MobileSAM, masks from points and boxes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State

if TYPE_CHECKING:
    from torch import Tensor

_PARTS = {"q": "query", "k": "key", "v": "value", "out": "out"}
_RENAMED: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"^image_encoder\.patch_embed\.seq\.", "encoder.stem."),
    (r"^image_encoder\.layers\.(\d)\.downsample\.", r"encoder.stages.\1.merge."),
    (r"^image_encoder\.layers\.", "encoder.stages."),
    (r"^image_encoder\.neck\.", "encoder.neck."),
    (r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$", "prompt.frequencies"),
    (r"^prompt_encoder\.mask_downscaling\.", "prompt.mask."),
    (r"^prompt_encoder\.not_a_point_embed\.weight$", "prompt.nothing"),
    (r"^prompt_encoder\.no_mask_embed\.weight$", "prompt.no_mask"),
    (r"^mask_decoder\.transformer\.layers\.", "decoder.blocks."),
    (r"^mask_decoder\.transformer\.final_attn_token_to_image\.", "decoder.final."),
    (r"^mask_decoder\.transformer\.norm_final_attn\.", "decoder.final_norm."),
    (r"^mask_decoder\.iou_token\.weight$", "decoder.quality_token"),
    (r"^mask_decoder\.mask_tokens\.weight$", "decoder.mask_tokens"),
    (r"^mask_decoder\.output_upscaling\.0\.", "decoder.upscale1."),
    (r"^mask_decoder\.output_upscaling\.1\.", "decoder.upscale_norm."),
    (r"^mask_decoder\.output_upscaling\.3\.", "decoder.upscale2."),
    # In a perceptron of ours the activations are counted too.
    (
        r"^mask_decoder\.output_hypernetworks_mlps\.(\d)\.layers\.(\d)\.",
        lambda found: f"decoder.filters.{found[1]}.{2 * int(found[2])}.",
    ),
    (r"^mask_decoder\.iou_prediction_head\.layers\.(\d)\.", lambda found: f"decoder.quality.{2 * int(found[1])}."),
    (r"\.self_attn\.", ".own."),
    (r"\.cross_attn_token_to_image\.", ".look."),
    (r"\.cross_attn_image_to_token\.", ".answer."),
    (r"\.(q|k|v|out)_proj\.", lambda found: f".{_PARTS[found[1]]}."),
    (r"\.mlp\.lin(\d)\.", lambda found: f".perceptron.{2 * int(found[1]) - 2}."),
    (r"\.norm(\d)\.", lambda found: f".norms.{int(found[1]) - 1}."),
)
_LEFT_OUT = (
    "image_encoder.head.",  # the classifier that the encoder was first trained with
    "image_encoder.norm_head.",
    "prompt_encoder.point_embeddings.",  # joined into one tensor
)


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    side = config.get("side", 1024)
    return {"size_multiple": side, "size_minimum": side, "tiling": False, "native_size": side, "precisions": ("fp32",)}


def detect(state: State) -> Config | None:
    """The published names with a TinyViT as the picture encoder, or ours; other encoders of SAM are not built here."""
    published = "image_encoder.patch_embed.seq.0.c.weight" in state and "mask_decoder.iou_token.weight" in state
    ours = "encoder.stem.0.weight" in state and "decoder.quality_token" in state
    return {} if published or ours else None


def adapt(state: State) -> dict[str, Tensor]:
    """The published tensors under our names, batch normalisation folded into the convolutions."""
    import torch

    if "decoder.quality_token" in state:
        return dict(state)
    points = [state[f"prompt_encoder.point_embeddings.{index}.weight"] for index in range(4)]
    found = {"prompt.meanings": torch.cat(points)}
    for name, tensor in _folded(state).items():
        if name.startswith(_LEFT_OUT):
            continue
        for pattern, words in _RENAMED:
            name = re.sub(pattern, words, name)
        found[name] = _as_ours(name, tensor)
    return found


def _as_ours(name: str, tensor: Tensor) -> Tensor:
    if name in ("prompt.nothing", "prompt.no_mask"):
        return tensor.reshape(-1)
    if re.match(r"decoder\.upscale\d\.weight", name):  # (in, out, 2, 2) of a transposed convolution to (4 out, in)
        return tensor.permute(2, 3, 1, 0).reshape(-1, tensor.shape[0]).contiguous()
    if re.match(r"decoder\.upscale\d\.bias", name):
        return tensor.repeat(4)
    return tensor


def _folded(state: State) -> dict[str, Tensor]:
    """`x.c.weight` and the statistics `x.bn` as `x.weight` and `x.bias`."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(".c.weight"):
            stem = name.removesuffix(".c.weight")
            norm = {part: state[f"{stem}.bn.{part}"].double() for part in _NORM}
            factor = norm["weight"] * (norm["running_var"] + 1e-5).rsqrt()
            found[f"{stem}.weight"] = (tensor.double() * factor.reshape(-1, 1, 1, 1)).float()
            found[f"{stem}.bias"] = (norm["bias"] - norm["running_mean"] * factor).float()
        elif ".bn." not in name:
            found[name] = tensor
    return found


_NORM = ("weight", "bias", "running_mean", "running_var")

ARCHITECTURE = Architecture(
    key="mobilesam",
    net="imgfix.nets.mobilesam:MobileSAM",
    describe=describe,
    detect=detect,
    adapt=adapt,
    task="select",
)
