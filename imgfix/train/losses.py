"""Loss functions: pixel, frequency, perceptual and adversarial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Adversary = Literal["nonsaturating", "hinge", "relativistic", "paired"]


def charbonnier(result: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(difference^2 + epsilon^2): L1 with a soft tip (Charbonnier et al. 1994)."""
    return ((result.float() - target.float()).square() + epsilon**2).sqrt().mean()


def fourier(result: Tensor, target: Tensor) -> Tensor:
    """L1 distance of the orthonormal 2-D spectra, real and imaginary parts (Cho et al. 2021, arXiv 2108.05054)."""
    spectra = torch.fft.rfft2(torch.stack((result.float(), target.float())), norm="ortho")
    return torch.view_as_real(spectra[0] - spectra[1]).abs().mean()


def fool(kind: Adversary, fake: Tensor, real: Tensor | None = None) -> Tensor:
    """Adversarial loss of the net.

    Args:
        kind: `nonsaturating` (Goodfellow et al. 2014), `hinge` (Lim & Ye 2017), or `relativistic` (its average form,
            Jolicoeur-Martineau 2018, arXiv 1807.00734), or `paired` (its first form, picture by picture, as in R3GAN,
            Huang et al. 2024, arXiv 2501.05441); the last two need `real`.
        fake: logits of what the net made.
        real: logits of true pictures, detached.
    """
    if kind == "hinge":
        return -fake.float().mean()
    if kind == "relativistic":
        assert real is not None
        fake, real = fake.float(), real.float()
        return 0.5 * (F.softplus(-(fake - real.mean())).mean() + F.softplus(real - fake.mean()).mean())
    if kind == "paired":
        assert real is not None
        return F.softplus(real.float() - fake.float()).mean()
    return F.softplus(-fake.float()).mean()


def judge(kind: Adversary, fake: Tensor, real: Tensor) -> Tensor:
    """Adversarial loss of the discriminator; see `fool`."""
    fake, real = fake.float(), real.float()
    if kind == "hinge":
        return F.relu(1 + fake).mean() + F.relu(1 - real).mean()
    if kind == "relativistic":
        return 0.5 * (F.softplus(-(real - fake.mean())).mean() + F.softplus(fake - real.mean()).mean())
    if kind == "paired":
        return F.softplus(fake - real).mean()
    return F.softplus(fake).mean() + F.softplus(-real).mean()


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Half the mean squared gradient of the logits at `pictures`: R1 at real ones, R2 at made ones.

    Mescheder et al. 2018 (arXiv 1801.04406). In fp32: the gradients are small.
    """
    with torch.autocast(pictures.device.type, enabled=False):
        pictures = pictures.detach().float().requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(pictures).sum(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2


class Perceptual(nn.Module):
    """LPIPS as a loss: frozen, and without gradients through the target's features.

    Args:
        model: catalog name or file of an LPIPS network.
        device: where it computes.
        jitter: both pictures lose up to this many pixels less one at the top and left, drawn from torch's generator.
            LPIPS looks at every fourth pixel first, and an upscaler would learn to hide a grid of dots between them.

    Raises:
        ModelError, DownloadError: the weights are missing and cannot be fetched, or are of another network.
    """

    def __init__(self, model: str, device: torch.device, *, jitter: int = 1) -> None:
        super().__init__()
        from imgfix import zoo

        self.jitter = jitter
        self.net = zoo.load(model, task="metric").net.to(device).eval().requires_grad_(False)

    def forward(self, result: Tensor, target: Tensor) -> Tensor:
        """Mean distance of two batches (N, 3, H, W) in [0, 1]."""
        top, left = torch.randint(self.jitter, (2,)).tolist() if self.jitter > 1 else (0, 0)
        return self.distance(result, target, top, left).mean()

    def distance(self, result: Tensor, target: Tensor, top: int = 0, left: int = 0) -> Tensor:
        """Distances (N,) without the first rows and columns; what is too small is enlarged first."""
        smallest = self.net.minimum_size
        assert isinstance(smallest, int)
        factor = -(-(smallest + self.jitter - 1) // min(result.shape[-2:]))
        if factor > 1:
            result, target = (F.interpolate(p, scale_factor=factor, mode="bilinear") for p in (result, target))
        distance: Tensor = self.net(result[..., top:, left:], target[..., top:, left:])
        return distance
