"""FID and KID: how far two sets of pictures are apart, as distributions of InceptionV3 features.

FID: Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter (2017), arXiv 1706.08500. KID: Binkowski, Sutherland, Arbel,
Gretton (2018), arXiv 1801.01401. The network is that of the published numbers (`imgfix.nets.inception`), and so is the
resizing to 299x299: bilinear without antialiasing, the corner of a pixel taken for its centre.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import torch
from torch import Tensor

from imgfix.metrics.arrays import Pixels, as_batch
from imgfix.nets.inception import InceptionFeatures

SIDE = 299


@cache
def load() -> InceptionFeatures:
    """The frozen feature network on the CPU, pulled when missing. Raises ModelError or DownloadError."""
    from imgfix import zoo

    net = zoo.load("inception-fid").net
    assert isinstance(net, InceptionFeatures)
    return net.eval().requires_grad_(False)


def to_network_size(rgb: Tensor) -> Tensor:
    """Resize (N, C, H, W) to 299x299 as TensorFlow did in 2015: bilinear, output x lies at input x * W / 299."""
    for axis in (2, 3):
        length = rgb.shape[axis]
        position = torch.arange(SIDE, dtype=torch.float64) * (length / SIDE)
        lower = position.floor().long()
        upper = (lower + 1).clamp(max=length - 1)
        shape = [1, 1, 1, 1]
        shape[axis] = SIDE
        weight = (position - lower).to(rgb).reshape(shape)
        rgb = torch.lerp(
            rgb.index_select(axis, lower.to(rgb.device)), rgb.index_select(axis, upper.to(rgb.device)), weight
        )
    return rgb


def features(pictures: Iterable[Pixels], *, net: InceptionFeatures | None = None, device: str = "cpu") -> Tensor:
    """Features (n, 2048) float64 of pictures (H, W, C) or batches (N, C, H, W) in [0, 1]; one channel means grey."""
    network = (net or load()).to(device)
    rows = []
    with torch.inference_mode():
        for picture in pictures:
            batch = as_batch(picture).float().to(device).expand(-1, 3, -1, -1)
            rows.append(network(to_network_size(batch)).double().cpu())
    if not rows:
        raise ValueError("no pictures")
    return torch.cat(rows)


def factor(values: Tensor) -> Tensor:
    """A matrix R (at most d rows) with R^T R the covariance of values (n, d)."""
    centred: Tensor = (values - values.mean(0)) / (len(values) - 1) ** 0.5
    if len(centred) <= centred.shape[1]:
        return centred
    root: Tensor = torch.linalg.qr(centred, mode="r").R
    return root


def fid(first: Tensor, second: Tensor) -> float:
    """Frechet distance of two feature sets (n, d) and (m, d) float64, each of two samples or more.

    |mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). With S = R^T R the last trace is the sum of the singular values of
    R1 R2^T: exact also where there are fewer samples than dimensions, and no matrix root is needed.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError("FID needs at least two pictures in each set")
    root_first, root_second = factor(first), factor(second)
    distance = (first.mean(0) - second.mean(0)).square().sum()
    overlap = torch.linalg.svdvals(root_first @ root_second.T).sum()
    value = distance + root_first.square().sum() + root_second.square().sum() - 2 * overlap
    return max(0.0, float(value))


def kid(first: Tensor, second: Tensor, *, subsets: int = 100, size: int = 1000, seed: int = 0) -> float:
    """Kernel distance of two feature sets: the unbiased squared MMD with the kernel (x . y / d + 1)^3; may be negative.

    Averaged over random subsets of `size` samples, or computed once where a set is not larger than that.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError("KID needs at least two pictures in each set")
    if max(len(first), len(second)) <= size:
        return unbiased_mmd(first, second)
    generator = torch.Generator().manual_seed(seed)

    def draw(values: Tensor) -> Tensor:
        return values[torch.randperm(len(values), generator=generator)[:size]]

    return sum(unbiased_mmd(draw(first), draw(second)) for _ in range(subsets)) / subsets


def unbiased_mmd(first: Tensor, second: Tensor) -> float:
    """The unbiased squared maximum mean discrepancy with the cubic kernel of KID."""

    def kernel(left: Tensor, right: Tensor) -> Tensor:
        return (left @ right.T / left.shape[1] + 1) ** 3

    def without_diagonal(values: Tensor) -> Tensor:
        square = kernel(values, values)
        return (square.sum() - square.diagonal().sum()) / (len(values) * (len(values) - 1))

    return float(without_diagonal(first) + without_diagonal(second) - 2 * kernel(first, second).mean())
