"""Damage for training, batched on the training device: blur, resizing, noise and JPEG, once or twice over.

The order and the default ranges are those of Real-ESRGAN's second-order model (Wang et al. 2021, arXiv 2107.10833).
Everything is drawn from the generators it is given: equal generators, equal damage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.evidence import TO_YCC
from imgfix.runtime.resize import Filter, resize, round_to_bytes

RADIUS = 10
"""Blur kernels have 2 * RADIUS + 1 taps a side."""


@dataclass(frozen=True)
class Round:
    """Ranges of one round of damage: blur, resize, noise, JPEG."""

    blur: float = 1.0
    """Chance of a blur."""
    sinc: float = 0.1
    """Chance that the blur is a sinc filter (ringing)."""
    sigma: tuple[float, float] = (0.2, 3.0)
    """Standard deviation of the blur, in pixels."""
    shrink: float = 0.7
    """Chance that the resizing shrinks."""
    enlarge: float = 0.2
    """Chance that it enlarges; otherwise the size stays."""
    sizes: tuple[float, float] = (0.15, 1.5)
    """Smallest and largest factor of the resizing."""
    gaussian: tuple[float, float] = (1.0, 30.0)
    """Standard deviation of Gaussian noise, of 255."""
    poisson: tuple[float, float] = (0.05, 3.0)
    """Strength of shot noise; 1 is 256 electrons at white."""
    grey_noise: float = 0.4
    """Chance that the noise is the same in all channels."""
    quality: tuple[float, float] = (30.0, 95.0)
    """JPEG quality."""


@dataclass(frozen=True)
class Damage:
    """How photos are damaged; ranges after Real-ESRGAN."""

    first: Round = field(default_factory=Round)
    second: Round = field(
        default_factory=lambda: Round(
            blur=0.8,
            sigma=(0.2, 1.5),
            shrink=0.4,
            enlarge=0.3,
            sizes=(0.3, 1.2),
            gaussian=(1.0, 25.0),
            poisson=(0.05, 2.5),
        )
    )
    final_sinc: float = 0.8
    """Chance of a last sinc filter around the last JPEG."""
    groups: int = 4
    """Samples are damaged in this many groups; a group shares its sizes."""


LIGHT = Damage(
    Round(blur=0.6, sigma=(0.2, 1.2), sizes=(0.5, 1.1), gaussian=(0.5, 8), poisson=(0.02, 0.6), quality=(60, 98)),
    Round(blur=0.3, sigma=(0.2, 0.8), sizes=(0.6, 1.1), gaussian=(0.2, 4), poisson=(0.02, 0.3), quality=(60, 98)),
    final_sinc=0.3,
)
"""Gentle damage: good cameras, one resize, decent JPEG."""


def damage(x: Tensor, scale: int, model: Damage, cpu: torch.Generator, device: torch.Generator) -> Tensor:
    """Damage a batch and shrink it by `scale`.

    Args:
        x: (N, 3, H, W) in [0, 1]; H and W multiples of `scale`.
        scale: the result is this many times smaller.
        model: ranges to draw from.
        cpu: draws sizes, kernels and choices.
        device: draws the noise, on the device of `x`.

    Returns:
        (N, 3, H / scale, W / scale) in [0, 1], on the 8-bit grid.
    """
    size = x.shape[-2] // scale, x.shape[-1] // scale
    parts = []
    for part in x.chunk(min(model.groups, x.shape[0])):
        part = blur(part, draw_kernels(part.shape[0], model.first, cpu).to(x.device))
        part = _resize(part, _new_size(part, (x.shape[-2], x.shape[-1]), model.first, cpu), cpu)
        part = _noise_and_jpeg(part, model.first, cpu, device)
        part = blur(part, draw_kernels(part.shape[0], model.second, cpu).to(x.device))
        part = _resize(part, _new_size(part, size, model.second, cpu), cpu)
        part = add_noise(part, model.second, cpu, device)
        last = _sincs(part.shape[0], model.final_sinc, cpu).to(x.device)
        quality = _uniform(part.shape[0], model.second.quality, cpu).to(x.device)
        subsampled = (torch.rand(part.shape[0], generator=cpu) < 0.7).to(x.device)
        # Shrinking after the JPEG smooths its blocks, shrinking before keeps them: real pictures come in both kinds.
        if torch.rand((), generator=cpu) < 0.5:
            part = blur(_resize(part, size, cpu), last)
            part = jpeg(part, quality, subsampled)
        else:
            part = jpeg(part, quality, subsampled)
            part = blur(_resize(part, size, cpu), last)
        parts.append(round_to_bytes(part))
    return torch.cat(parts)


def gaussian_downscale(x: Tensor, factor: int, sigma: float = 1.6) -> Tensor:
    """Blur with a Gaussian and sample once a block of `factor` pixels: the BD input of video super-resolution.

    Sampled in the middle of each block, so that the small picture is not shifted against the large one; that is what
    the published BD weights of BasicVSR expect. Edges are mirrored.

    Shapes: (N, C, H, W) in [0, 1], sides multiples of `factor`, to (N, C, H / factor, W / factor) on the 8-bit grid.
    """
    middle = (factor - 1) / 2
    first, last = math.floor(middle) - 6, math.ceil(middle) + 6
    steps = torch.arange(first, last + 1, device=x.device, dtype=torch.float32) - middle
    taps = torch.exp(-(steps**2) / (2 * sigma**2))
    taps = taps / taps.sum()
    room = (-first, last - factor + 1)
    mode = "reflect" if min(x.shape[-2:]) > max(room) else "replicate"
    channels = x.shape[1]
    padded = F.pad(x.float(), room + room, mode=mode)
    down = F.conv2d(padded, taps[None, None, :, None].repeat(channels, 1, 1, 1), stride=(factor, 1), groups=channels)
    across = F.conv2d(down, taps[None, None, None, :].repeat(channels, 1, 1, 1), stride=(1, factor), groups=channels)
    return round_to_bytes(across)


def draw_kernels(count: int, ranges: Round, cpu: torch.Generator) -> Tensor:
    """Draw blur kernels: isotropic and anisotropic Gaussian, generalised Gaussian, plateau, sinc, or none.

    Returns:
        (count, 2 * RADIUS + 1, 2 * RADIUS + 1) on the CPU, each summing to 1.
    """
    sigma = _uniform(count, ranges.sigma, cpu)
    other = _uniform(count, ranges.sigma, cpu)
    angle = _uniform(count, (-math.pi, math.pi), cpu)
    shape = torch.rand(count, generator=cpu)
    other = torch.where(torch.rand(count, generator=cpu) < 0.55, sigma, other)  # isotropic
    kind = torch.rand(count, generator=cpu)
    generalised, plateau = (kind > 0.70) & (kind <= 0.85), kind > 0.85
    # Exponents below and above 1 are equally likely: pointed and flat-topped kernels.
    pointed = torch.rand(count, generator=cpu) < 0.5
    exponent = torch.where(pointed, 0.5 + 0.5 * shape, torch.where(plateau, 1 + shape, 1 + 3 * shape))
    exponent = torch.where(generalised | plateau, exponent, torch.ones(()))
    y, x = _grid()
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along, across = x * cos + y * sin, y * cos - x * sin
    distance = (along / sigma[:, None, None]) ** 2 + (across / other[:, None, None]) ** 2
    powered = distance ** exponent[:, None, None]
    kernels = torch.where(plateau[:, None, None], 1 / (1 + powered), torch.exp(-powered / 2))
    reach = torch.randint(3, RADIUS + 1, (count,), generator=cpu)[:, None, None]
    kernels = kernels * ((x.abs() <= reach) & (y.abs() <= reach))
    kernels = kernels / kernels.sum(dim=(1, 2), keepdim=True)
    sincs = _sincs(count, ranges.sinc, cpu)
    is_sinc = sincs[:, RADIUS, RADIUS] < 1
    kernels = torch.where(is_sinc[:, None, None], sincs, kernels)
    none = torch.rand(count, generator=cpu) >= ranges.blur
    return torch.where(none[:, None, None], _identity(), kernels)


def sinc_kernels(cutoff: Tensor, reach: Tensor) -> Tensor:
    """Ideal low-pass filters, which ring as oversharpened and resized pictures do.

    Args:
        cutoff: (N,) angular frequency, up to pi.
        reach: (N,) taps on each side that are kept.

    Returns:
        (N, 2 * RADIUS + 1, 2 * RADIUS + 1).
    """
    y, x = _grid()
    radius = (x**2 + y**2).sqrt()
    w = cutoff[:, None, None]
    ring = w * torch.special.bessel_j1(w * radius) / (2 * math.pi * radius.clamp(min=1e-6))
    kernels = torch.where(radius > 0, ring, w**2 / (4 * math.pi))
    limit = reach[:, None, None]
    kernels = kernels * ((x.abs() <= limit) & (y.abs() <= limit))
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def blur(x: Tensor, kernels: Tensor) -> Tensor:
    """Filter every sample with its own kernel, edges mirrored.

    Args:
        x: (N, C, H, W).
        kernels: (N, K, K), K odd.

    Returns:
        (N, C, H, W).
    """
    radius = kernels.shape[-1] // 2
    mode = "reflect" if min(x.shape[-2:]) > radius else "replicate"
    padded = F.pad(x.float(), (radius,) * 4, mode=mode)
    size = padded.shape[-2], padded.shape[-1]
    # With 21 x 21 taps a Fourier transform beats a grouped convolution on every device.
    response = torch.fft.rfft2(kernels.float(), s=size)[:, None]
    filtered: Tensor = torch.fft.irfft2(torch.fft.rfft2(padded) * response, s=size)
    return filtered[..., 2 * radius :, 2 * radius :]


def add_noise(x: Tensor, ranges: Round, cpu: torch.Generator, device: torch.Generator) -> Tensor:
    """Add Gaussian noise to half of the samples and shot noise to the others.

    Shot noise is drawn as a Gaussian of the same variance: at the electron counts in question they look alike.

    Shapes: (N, 3, H, W) to the same, clipped to [0, 1].
    """
    count = x.shape[0]
    sigma = _uniform(count, ranges.gaussian, cpu) / 255
    strength = _uniform(count, ranges.poisson, cpu) / 16  # the square root of 256 electrons
    shot = torch.rand(count, generator=cpu) < 0.5
    grey = torch.rand(count, generator=cpu) < ranges.grey_noise
    sigma, strength, shot, grey = (v.to(x.device)[:, None, None, None] for v in (sigma, strength, shot, grey))
    noise = torch.randn(x.shape, generator=device, device=x.device)
    noise = torch.where(grey, noise[:, :1], noise)
    level = torch.where(grey, x.mean(dim=1, keepdim=True), x).clamp(0, 1)
    return (x + noise * torch.where(shot, strength * level.sqrt(), sigma)).clamp(0, 1)


_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *(((99,) * 8,) * 4),
)  # fmt: skip
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


def jpeg(x: Tensor, quality: Tensor, subsampled: Tensor) -> Tensor:
    """Compress and decompress as baseline JPEG (ITU-T T.81 annex K tables, scaled as libjpeg scales them).

    Args:
        x: (N, 3, H, W) in [0, 1].
        quality: (N,) 1 to 100.
        subsampled: (N,) bool; true halves the colour planes (4:2:0), false keeps them (4:4:4).

    Returns:
        (N, 3, H, W) in [0, 1], on the 8-bit grid.
    """
    height, width = x.shape[-2:]
    padded = F.pad((x.float() * 255).round().clamp(0, 255), (0, -width % 16, 0, -height % 16), mode="replicate")
    ycc = torch.einsum("oc,nchw->nohw", x.new_tensor(TO_YCC, dtype=torch.float32), padded)
    luma, chroma = ycc[:, :1].round(), (ycc[:, 1:] + 128).round().clamp(0, 255)
    steps = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).floor()[:, None, None]
    tables = [
        ((x.new_tensor(table, dtype=torch.float32) * steps + 50) / 100).floor().clamp(1, 255)
        for table in (_LUMA, _CHROMA)
    ]
    luma = _quantise(luma, tables[0])
    halved = _quantise(F.avg_pool2d(chroma, 2).round(), tables[1])
    halved = F.interpolate(halved, scale_factor=2, mode="bilinear", align_corners=False).round()
    chroma = torch.where(subsampled[:, None, None, None], halved, _quantise(chroma, tables[1]))
    joined = torch.cat((luma, chroma - 128), dim=1)[..., :height, :width]
    rgb = torch.einsum("oc,nchw->nohw", x.new_tensor(TO_RGB, dtype=torch.float32), joined)
    return rgb.round().clamp(0, 255) / 255


def _quantise(planes: Tensor, table: Tensor) -> Tensor:
    """Round the cosine coefficients of 8 x 8 blocks to multiples of the table: (N, C, H, W), (N, 8, 8)."""
    n, c, h, w = planes.shape
    blocks = planes.reshape(n, c, h // 8, 8, w // 8, 8).permute(0, 1, 2, 4, 3, 5) - 128
    basis = _cosines(planes.device)
    step = table[:, None, None, None]
    blocks = basis @ blocks @ basis.T
    blocks = (blocks / step).round() * step
    blocks = basis.T @ blocks @ basis
    return (blocks + 128).round().clamp(0, 255).permute(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)


def _cosines(device: torch.device) -> Tensor:
    """Orthonormal 8-point cosine transform, frequency by row."""
    index = torch.arange(8, dtype=torch.float64)
    basis = torch.cos((2 * index[None] + 1) * index[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis.to(device=device, dtype=torch.float32)


def _noise_and_jpeg(x: Tensor, ranges: Round, cpu: torch.Generator, device: torch.Generator) -> Tensor:
    x = add_noise(x, ranges, cpu, device)
    quality = _uniform(x.shape[0], ranges.quality, cpu).to(x.device)
    return jpeg(x, quality, (torch.rand(x.shape[0], generator=cpu) < 0.7).to(x.device))


def _new_size(x: Tensor, base: tuple[int, int], ranges: Round, cpu: torch.Generator) -> tuple[int, int]:
    choice, amount = torch.rand(2, generator=cpu).tolist()
    low, high = ranges.sizes
    factor = 1.0
    if choice < ranges.shrink:
        factor = low + (min(high, 1.0) - low) * amount
    elif choice < ranges.shrink + ranges.enlarge:
        factor = 1 + (max(high, 1.0) - 1) * amount
    # A few fixed sizes instead of every pixel count: their filter matrices and Fourier plans are then reused.
    return tuple(max(16, round(side * factor / 8) * 8) for side in base)  # type: ignore[return-value]


def _resize(x: Tensor, size: tuple[int, int], cpu: torch.Generator) -> Tensor:
    kinds: tuple[Filter, ...] = ("cubic", "linear", "box")
    kind = kinds[int(torch.randint(3, (), generator=cpu))]
    return resize(x, size, kind).clamp(0, 1) if tuple(x.shape[-2:]) != size else x


def _sincs(count: int, chance: float, cpu: torch.Generator) -> Tensor:
    """Sinc kernels for a part of the samples, identity kernels for the rest."""
    cutoff = _uniform(count, (math.pi / 3, math.pi), cpu)
    reach = torch.randint(3, RADIUS + 1, (count,), generator=cpu)
    chosen = torch.rand(count, generator=cpu) < chance
    return torch.where(chosen[:, None, None], sinc_kernels(cutoff, reach), _identity())


def _identity() -> Tensor:
    kernel = torch.zeros(2 * RADIUS + 1, 2 * RADIUS + 1)
    kernel[RADIUS, RADIUS] = 1
    return kernel


def _grid() -> tuple[Tensor, Tensor]:
    steps = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float32)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return y, x


def _uniform(count: int, limits: tuple[float, float], cpu: torch.Generator) -> Tensor:
    return limits[0] + (limits[1] - limits[0]) * torch.rand(count, generator=cpu)
