"""DnCNN: predicts the damage of a picture and takes it away."""

from __future__ import annotations

from torch import Tensor, nn

from imgfix.nets.convolution import chain, through


class DnCNN(nn.Module):
    """A chain of convolutions whose output is subtracted; (N, channels, H, W) in [0, 1] to the same.

    Zhang, Zuo, Chen, Meng, Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising",
    2017, arXiv 1608.03981; batch normalisation folded in. DnCNN-3 (grey: noise, JPEG and enlargement in one) has
    20 convolutions of 64 channels, 0.67 M parameters, receptive field 20 pixels to each side.
    """

    def __init__(self, channels: int = 3, features: int = 64, convolutions: int = 20) -> None:
        super().__init__()
        widths = [channels, *[features] * (convolutions - 1), channels]
        self.layers = chain(widths)

    def forward(self, x: Tensor) -> Tensor:
        return x - through(self.layers, x)
