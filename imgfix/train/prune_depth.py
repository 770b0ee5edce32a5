"""A shallower network from a deep one: layers are merged in closed form, as a start for distillation."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.srvgg import SRVGG


@torch.no_grad()
def prune_depth(deep: SRVGG, shallow: SRVGG, pictures: Tensor, *, ridge: float = 1e-4) -> list[float]:
    """Give `shallow` the weights with which its layers best follow every n-th layer of `deep`.

    Each convolution of the shallow network is fitted by ridge regression: from the features that the shallow network
    really has at that place (so errors are made up for further on) to what the deep one has before its activation,
    several layers later. The first layer and the slopes of the activations are copied. Layer-wise reconstruction
    after He, Zhang & Sun 2017 (arXiv 1707.06168), with depth instead of channels.

    Args:
        deep: network to follow; its hyper-parameters are those of `shallow` but for the number of convolutions.
        shallow: changed in place.
        pictures: (N, 3, H, W) in [0, 1], damaged like the pictures it is for.
        ridge: regularisation, relative to the mean of the features' squares.

    Returns:
        for each layer, the part of the deep network's variance that the fit leaves unexplained.

    Raises:
        ValueError: the two do not fit each other.
    """
    deep_layers, layers = list(deep.body), list(shallow.body)
    depth, short = (len(deep_layers) - 3) // 2, (len(layers) - 3) // 2
    if short > depth or deep_layers[0].weight.shape != layers[0].weight.shape or deep.shuffle != shallow.shuffle:
        raise ValueError(f"a network of {short} convolutions cannot follow one of {depth}, or their widths differ")
    for mine, theirs in ((layers[0], deep_layers[0]), (layers[1], deep_layers[1])):
        mine.load_state_dict(theirs.state_dict())
    known = goal = layers[1](layers[0](pictures))
    at, left_over = 0, []
    for number in range(1, short + 2):
        last = number == short + 1
        stop = depth + 1 if last else round(number * depth / short)
        while at < stop:
            at += 1
            before = deep_layers[2 * at](goal)
            goal = before if last and at == stop else deep_layers[2 * at + 1](before)
        convolution = cast(nn.Conv2d, layers[2 * number])
        left_over.append(_fit(convolution, known, before, ridge))
        if not last:
            layers[2 * number + 1].load_state_dict(deep_layers[2 * at + 1].state_dict())
            known = layers[2 * number + 1](convolution(known))
    return left_over


def _fit(convolution: nn.Conv2d, inputs: Tensor, outputs: Tensor, ridge: float) -> float:
    """Solve for the 3 x 3 kernel and bias that bring `inputs` closest to `outputs`; returns what stays unexplained."""
    width, wanted = inputs.shape[1], outputs.shape[1]
    size = 9 * width + 1
    place = {"dtype": torch.float64, "device": inputs.device}
    gram, cross = torch.zeros(size, size, **place), torch.zeros(size, wanted, **place)  # type: ignore[call-overload]
    for given, goal in zip(inputs.split(4), outputs.split(4), strict=True):
        # Borders see padding instead of a neighbourhood: they are left out of the fit.
        columns = F.unfold(given, 3).transpose(1, 2).reshape(-1, 9 * width)
        columns = F.pad(columns, (0, 1), value=1.0)
        values = goal[..., 1:-1, 1:-1].permute(0, 2, 3, 1).reshape(-1, wanted)
        gram += (columns.T @ columns).double()
        cross += (columns.T @ values).double()
    gram.diagonal().add_(ridge * float(gram.diagonal().mean()))
    solution = torch.linalg.solve(gram, cross).float()
    convolution.weight.copy_(solution[:-1].T.reshape(wanted, width, 3, 3))
    assert convolution.bias is not None
    convolution.bias.copy_(solution[-1])
    inner = outputs[..., 1:-1, 1:-1]
    error = convolution(inputs)[..., 1:-1, 1:-1] - inner
    return float(error.square().mean() / inner.var())
