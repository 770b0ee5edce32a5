"""LaMa: fills large holes, with convolutions that see the whole picture through its Fourier transform."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GLOBAL_QUARTERS = 3  # of four: share of the channels that go through the Fourier transform


class FourierUnit(nn.Module):
    """A 1 x 1 convolution of the picture's frequencies; (N, C, H, W) in and out.

    The transforms are computed in fp32 whatever the rest is in: their sums run over the whole picture.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        exact = torch.promote_types(x.dtype, torch.float32)
        waves = torch.view_as_real(torch.fft.rfft2(x.to(exact), norm="ortho"))
        # Real and imaginary part of each channel side by side.
        parts = waves.permute(0, 1, 4, 2, 3).flatten(1, 2)
        parts = F.relu(self.bn(self.conv_layer(parts))).to(exact)
        real, imaginary = parts.unflatten(1, (-1, 2)).unbind(2)
        return torch.fft.irfft2(torch.complex(real, imaginary), s=size, norm="ortho").to(x.dtype)


class SpectralTransform(nn.Module):
    """A Fourier unit between two 1 x 1 convolutions; (N, C, H, W) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = nn.Sequential(nn.Conv2d(channels, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.fu = FourierUnit(half)
        self.conv2 = nn.Conv2d(half, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        return self.conv2(x + self.fu(x))


def _conv(inside: int, outside: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    # The outermost layer's picture is extended before it.
    padding = 0 if kernel == 7 else kernel // 2
    return nn.Conv2d(inside, outside, kernel, stride, padding, bias=False, padding_mode="reflect")


class FastFourierConv(nn.Module):
    """A convolution of channels in two groups, local and global, each of which adds to both.

    Args:
        local_in, global_in: channels of the groups that come in; no global ones where that is 0.
        local_out, global_out: the same of what comes out.
        kernel, stride: of the convolutions.
    """

    def __init__(
        self, local_in: int, global_in: int, local_out: int, global_out: int, kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        self.convl2l = _conv(local_in, local_out, kernel, stride)
        if global_out:
            self.convl2g = _conv(local_in, global_out, kernel, stride)
        if global_in:
            self.convg2l = _conv(global_in, local_out, kernel, stride)
            self.convg2g = SpectralTransform(global_in)
        self.joined = bool(global_in)
        self.splits = bool(global_out)

    def forward(self, near: Tensor, far: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(N, C, H, W) local and global features to the same."""
        near_out = self.convl2l(near)
        far_out = self.convl2g(near) if self.splits else None
        if far is not None and self.joined:
            near_out = near_out + self.convg2l(far)
            if far_out is not None:
                far_out = far_out + self.convg2g(far)
        return near_out, far_out


class Stage(nn.Module):
    """A fast Fourier convolution, normalised and rectified."""

    def __init__(
        self, local_in: int, global_in: int, local_out: int, global_out: int, kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        self.ffc = FastFourierConv(local_in, global_in, local_out, global_out, kernel, stride)
        self.bn_l = nn.BatchNorm2d(local_out)
        if global_out:
            self.bn_g = nn.BatchNorm2d(global_out)

    def forward(self, near: Tensor, far: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(N, C, H, W) local and global features to the same."""
        near, far = self.ffc(near, far)
        return F.relu(self.bn_l(near)), None if far is None else F.relu(self.bn_g(far))


class Residual(nn.Module):
    """Two stages, added to what comes in."""

    def __init__(self, near: int, far: int) -> None:
        super().__init__()
        self.conv1 = Stage(near, far, near, far)
        self.conv2 = Stage(near, far, near, far)

    def forward(self, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) local and global features to the same."""
        more_near, more_far = self.conv2(*self.conv1(near, far))
        return near + more_near, far + more_far


class LaMa(nn.Module):
    """Generator of LaMa: a convolutional encoder, residual fast Fourier convolutions, a decoder.

    Input (N, 4, H, W) in [0, 1]: channel 0 is the mask (1 = fill, 0 = keep), channels 1 to 3 the RGB picture, whose
    masked part is ignored. Output (N, 3, H, W) in [0, 1]: the picture with its masked part filled. Both sides multiples
    of 8, 16 at least. Trained on crops of 256 x 256, and good on larger ones.

    Suvorov et al., "Resolution-robust Large Mask Inpainting with Fourier Convolutions" (2021), arXiv 2109.07161; code
    and weights Apache-2.0. The convolution: Chi, Jiang, Mu, "Fast Fourier Convolution", NeurIPS 2020. Parameters of
    big LaMa: 51.0 M, 18 blocks. Receptive field: the whole picture.

    Args:
        features: of the first layer; they double at each of the three smaller sizes.
        blocks: residual blocks at an eighth of the size.
    """

    def __init__(self, features: int = 64, blocks: int = 18) -> None:
        super().__init__()
        deep = 8 * features
        far = deep * GLOBAL_QUARTERS // 4
        near = deep - far
        self.blocks = blocks
        # Numbered as published: 0, and 5 places further on, hold nothing to learn.
        layers: dict[int, nn.Module] = {
            1: Stage(4, 0, features, 0, kernel=7),
            2: Stage(features, 0, 2 * features, 0, stride=2),
            3: Stage(2 * features, 0, 4 * features, 0, stride=2),
            4: Stage(4 * features, 0, near, far, stride=2),
        }
        layers |= {5 + number: Residual(near, far) for number in range(blocks)}
        self.tail = 6 + blocks
        for level in range(3):
            inside = deep >> level
            place = self.tail + 3 * level
            layers[place] = nn.ConvTranspose2d(inside, inside // 2, 3, stride=2, padding=1, output_padding=1)
            layers[place + 1] = nn.BatchNorm2d(inside // 2)
        layers[self.tail + 10] = nn.Conv2d(features, 3, 7)
        self.model = nn.ModuleDict({str(place): layer for place, layer in layers.items()})

    def forward(self, x: Tensor) -> Tensor:
        mask, picture = x[:, :1], x[:, 1:]
        known = picture * (1 - mask)
        near: Tensor = F.pad(torch.cat((known, mask), dim=1), (3, 3, 3, 3), mode="reflect")
        far: Tensor | None = None
        for place in range(1, 5 + self.blocks):
            near, far = self.model[str(place)](near, far) if far is not None else self.model[str(place)](near)
        assert far is not None
        y = torch.cat((near, far), dim=1)
        for place in range(self.tail, self.tail + 9, 3):
            y = F.relu(self.model[str(place + 1)](self.model[str(place)](y)))
        y = self.model[str(self.tail + 10)](F.pad(y, (3, 3, 3, 3), mode="reflect"))
        return mask * torch.sigmoid(y).to(mask.dtype) + known
