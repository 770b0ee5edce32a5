"""MI-GAN, a small generator that fills holes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.convolution import Convolution

SLOPE = 0.2
GAIN = math.sqrt(2)
CLAMP = 256.0


def channels_at(resolution: int, base: int, maximum: int) -> int:
    """Features at a level of the pyramid: fewer where the picture is larger."""
    return min(base // resolution, maximum)


def _activate(x: Tensor, gain: float = GAIN) -> Tensor:
    """Leaky ReLU with a gain; without gradients in place, for nothing else reads the fresh output of a layer.

    gain: 1 where the weights before it hold the gain (see `MIGAN.fold_gains`).
    """
    if gain == 1:
        return F.leaky_relu_(x, SLOPE)
    # An exporter writes what is done in place to a part of a tensor as scattered copies of the whole.
    if x.requires_grad or torch.compiler.is_compiling():
        return (F.leaky_relu(x, SLOPE) * GAIN).clamp(-CLAMP, CLAMP)
    x = F.leaky_relu_(x, SLOPE).mul_(GAIN)
    # The clamp keeps half precision from overflowing; it does nothing to the values of a trained network.
    return x.clamp_(-CLAMP, CLAMP) if x.dtype in (torch.float16, torch.bfloat16) else x


def _upsample(x: Tensor) -> Tensor:
    """Twice the size through the filter (1, 3, 3, 1) / 4, zeros beyond the border; (N, C, H, W) -> (N, C, 2H, 2W)."""
    # The same taps as bilinear interpolation, which repeats the border instead; a rim of zeros makes the two equal.
    x = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    return x[..., 2:-2, 2:-2]


def _blur(channels: int) -> Tensor:
    """The filter (1, 3, 3, 1) / 8 in both directions, for every channel; (channels, 1, 4, 4)."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return torch.outer(taps, taps).repeat(channels, 1, 1, 1)


class SeparableConv(nn.Module):
    """Depthwise 3x3 and pointwise convolution, each with its activation; may halve or double the size between them.

    (N, C, H, W) -> (N, C', H, W), (N, C', H/2, W/2) with `down`, (N, C', 2H, 2W) with `up`. With `resolution` a fixed
    pattern of that size is added before the last activation: the network's only noise, constant for every picture.
    """

    def __init__(
        self, inputs: int, outputs: int, *, down: bool = False, up: bool = False, resolution: int | None = None
    ) -> None:
        super().__init__()
        self.down = down
        self.up = up
        self.conv1 = Convolution(inputs, inputs, 3, padding=1, groups=inputs)
        self.conv2 = Convolution(inputs, outputs, 1, bias=False)
        if down:
            self.register_buffer("blur", _blur(inputs), persistent=False)
        self.gain = GAIN
        self.resolution = resolution
        if resolution is not None:
            self.noise_strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("noise_const", torch.randn(resolution, resolution))

    def forward(self, x: Tensor) -> Tensor:
        x = self._activated(self.conv1, x)
        if self.down:
            assert isinstance(self.blur, Tensor)
            x = F.conv2d(x, self.blur, stride=2, padding=1, groups=x.shape[1])
        if not self.up and self.resolution is None:
            return self._activated(self.conv2, x)
        x = self.conv2(x)
        if self.up:
            x = _upsample(x)
        if self.resolution is not None:
            x = x + self._noise(x.shape[-2], x.shape[-1])
        return _activate(x, self.gain)

    def _activated(self, layer: nn.Module, x: Tensor) -> Tensor:
        made: Tensor = layer(x, slope=SLOPE) if self.gain == 1 else _activate(layer(x), self.gain)
        return made

    def fold_gain(self) -> None:
        """Multiply the gain of the activations into what comes before them."""
        if self.gain == 1:
            return
        self.gain = 1.0
        with torch.no_grad():
            factors = [self.conv1.weight, self.conv1.bias, self.conv2.weight]
            for factor in [*factors, *([self.noise_strength] if self.resolution is not None else [])]:
                assert factor is not None
                factor.mul_(GAIN)

    def _noise(self, height: int, width: int) -> Tensor:
        assert isinstance(self.noise_const, Tensor) and self.resolution is not None
        noise = self.noise_const * self.noise_strength
        if (height, width) != (self.resolution, self.resolution):
            # Away from the native size the pattern is repeated and cut.
            rows, columns = -(-height // self.resolution), -(-width // self.resolution)
            noise = noise.repeat(rows, columns)[:height, :width]
        return noise


class EncoderBlock(nn.Module):
    """One level of the encoder: (N, C, H, W) -> features for the skip connection and (N, C', H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int, *, rgb_channels: int | None, down: bool) -> None:
        super().__init__()
        if rgb_channels is not None:
            self.fromrgb = nn.Conv2d(rgb_channels, inputs, 1)
        self.has_rgb = rgb_channels is not None
        self.conv1 = SeparableConv(inputs, inputs)
        self.conv2 = SeparableConv(inputs, outputs, down=down)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.has_rgb:
            x = _activate(self.fromrgb(x))
        skip = self.conv1(x)
        return skip, self.conv2(skip)


class SynthesisBlock(nn.Module):
    """One level of the decoder: features doubled in size, the skip added, a picture added to the one from below."""

    def __init__(self, inputs: int, outputs: int, *, resolution: int, first: bool, noisy: bool = True) -> None:
        super().__init__()
        self.first = first
        noise = resolution if noisy and not first else None
        self.conv1 = SeparableConv(inputs, outputs, up=not first, resolution=noise)
        self.conv2 = SeparableConv(outputs, outputs, resolution=noise)
        self.torgb = nn.Conv2d(outputs, 3, 1)

    def forward(self, x: Tensor, skip: Tensor, picture: Tensor | None) -> tuple[Tensor, Tensor]:
        x = self.conv2(self.conv1(x) + skip)
        rgb = self.torgb(x)
        return x, rgb if picture is None else _upsample(picture) + rgb


class MIGAN(nn.Module):
    """Generator of MI-GAN: a convolutional encoder and a decoder with a picture at every level.

    Input (N, 4, H, W) in [0, 1]: channel 0 is the mask (1 = fill, 0 = keep), channels 1 to 3 the RGB picture, whose
    masked part is ignored. Output (N, 3, H, W): the whole picture in [0, 1] (clipped only in evaluation mode), of which
    a caller takes the masked part. H and W must be multiples of `resolution` / 4; it works well near `resolution`.
    `noise_until`: levels larger than this have no noise pattern (theirs weigh megabytes and change next to nothing).

    Source: Sargsyan et al., "MI-GAN: A Simple Baseline for Image Inpainting on Mobile Devices", ICCV 2023 (code and
    weights MIT). 5.9 M parameters at 512. Receptive field: the whole picture at its native size.
    """

    def __init__(
        self, *, resolution: int = 512, base: int = 32768, maximum: int = 512, noise_until: int | None = None
    ) -> None:
        super().__init__()
        if resolution < 8 or resolution & (resolution - 1):
            raise ValueError(f"resolution must be a power of two from 8 on, not {resolution}")
        self.resolution = resolution
        sizes = [2**k for k in range(2, int(math.log2(resolution)) + 1)]
        self.sizes = sizes
        self.encoder = nn.Module()
        self.synthesis = nn.Module()
        for size in reversed(sizes):
            own = channels_at(size, base, maximum)
            below = channels_at(max(size // 2, 4), base, maximum)
            rgb = 4 if size == resolution else None
            self.encoder.add_module(f"b{size}", EncoderBlock(own, below, rgb_channels=rgb, down=size > 4))
        for size in sizes:
            own = channels_at(size, base, maximum)
            below = channels_at(max(size // 2, 4), base, maximum)
            noisy = noise_until is None or size <= noise_until
            block = SynthesisBlock(own if size == 4 else below, own, resolution=size, first=size == 4, noisy=noisy)
            self.synthesis.add_module(f"b{size}", block)

    def fold_gains(self) -> None:
        """Multiply the gains of most activations into the weights before them: the same function, a tenth quicker.

        A leaky ReLU of something positive times x is that much times the leaky ReLU of x. For running in fp32 alone:
        the weights are others then, and the clamp that guards lower precision is gone.
        """
        for module in self.modules():
            if isinstance(module, SeparableConv):
                module.fold_gain()

    def forward(self, x: Tensor) -> Tensor:
        known = 1 - x[:, :1]
        x = torch.cat((known - 0.5, (x[:, 1:] * 2 - 1) * known), dim=1)
        skips: dict[int, Tensor] = {}
        for size in reversed(self.sizes):
            skips[size], x = self.encoder.get_submodule(f"b{size}")(x)
        picture: Tensor | None = None
        for size in self.sizes:
            x, picture = self.synthesis.get_submodule(f"b{size}")(x, skips[size], picture)
        assert picture is not None
        picture = picture * 0.5 + 0.5
        return picture if self.training else picture.clamp(0, 1)
