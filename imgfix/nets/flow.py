"""Optical flow by SPyNet or by dense inverse search, and warping along a flow."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets import motion


def warp(x: Tensor, flow: Tensor, *, border: str = "zeros", mode: str = "bilinear") -> Tensor:
    """Fetch every pixel from where its flow points to.

    Args:
        x: (N, C, H, W).
        flow: (N, 2, H, W) in pixels, along x and y.
        border: `zeros` or `border`, what lies outside.
        mode: `bilinear` or `bicubic`.

    Returns:
        (N, C, H, W).
    """
    height, width = x.shape[-2:]
    base = _base_grid(height, width, x.device)
    scale = flow.new_tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], dtype=torch.float32)
    grid = base + flow.float().permute(0, 2, 3, 1) * scale
    return F.grid_sample(x, grid.to(x.dtype), mode=mode, padding_mode=border, align_corners=True)


def fetch_cubic(x: Tensor, flow: Tensor) -> Tensor:
    """Fetch by bicubic, the nearest value beyond the border, along a flow that is `scale` times smaller than x.

    Without gradients, in fp32 on the CPU, by OpenCV, in less than half the time; the two differ by rounding (a test).

    Args:
        x: (N, C, H * scale, W * scale).
        flow: (N, 2, H, W) in its own pixels, along x and y; enlarged by bilinear.

    Returns:
        (N, C, H * scale, W * scale).
    """
    height, width = x.shape[-2:]
    scale = height // flow.shape[-2]
    if x.requires_grad or x.device.type != "cpu" or x.dtype != torch.float32:
        large = F.interpolate(flow, scale_factor=scale, mode="bilinear", align_corners=False)
        return warp(x, scale * large, border="border", mode="bicubic")
    fetched = []
    for picture, one in zip(x.movedim(1, 3), flow.movedim(1, 3), strict=True):
        large = scale * cv2.resize(one.numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
        found = motion.fetch(picture.numpy(), large, cubic=True)
        fetched.append(torch.from_numpy(found).view(height, width, -1))
    return torch.stack(fetched).movedim(3, 1)


@lru_cache(maxsize=32)
def _base_grid(height: int, width: int, device: torch.device) -> Tensor:
    """Where each pixel itself lies, (1, H, W, 2) in [-1, 1]."""
    with torch.inference_mode(False):  # kept for later calls, which may want gradients
        y = torch.linspace(-1, 1, height, device=device) if height > 1 else torch.full((1,), -1.0, device=device)
        x = torch.linspace(-1, 1, width, device=device) if width > 1 else torch.full((1,), -1.0, device=device)
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        return torch.stack((columns, rows), dim=-1)[None]


@torch.no_grad()
def dense_inverse_search(reference: Tensor, other: Tensor) -> Tensor:
    """Optical flow of the luma by `motion.dense_inverse_search` at full size, on the CPU, without gradients.

    Shapes: two pictures (N, 3, H, W) in [0, 1] to (N, 2, H, W), fp32 on their device: pixels along x and y that lead
    from the first picture into the second.
    """
    weights = reference.new_tensor([0.299, 0.587, 0.114], dtype=torch.float32)
    with torch.autocast(reference.device.type, enabled=False):
        luma = torch.einsum("knchw,c->nkhw", torch.stack((reference, other)).float(), weights)
    levels = (255 * luma).round().clamp(0, 255).byte().cpu().numpy()
    flows = [torch.from_numpy(motion.dense_inverse_search(first, second, fine=True)) for first, second in levels]
    return torch.stack(flows).permute(0, 3, 1, 2).to(reference.device)


class FlowLevel(nn.Sequential):
    """One level of SPyNet: (N, 8, H, W) of reference, warped neighbour and flow to a correction (N, 2, H, W)."""

    def __init__(self) -> None:
        widths = (8, 32, 64, 32, 16, 2)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 7, padding=3), nn.ReLU()]
        super().__init__(*layers[:-1])


class SPyNet(nn.Module):
    """Optical flow from coarse to fine: each level corrects the flow of the level below, enlarged.

    Ranjan & Black, "Optical Flow Estimation using a Spatial Pyramid Network" (2017), arXiv 1611.00850; PyTorch form
    after Niklaus (2018). Parameters: 0.24 M a level. Receptive field: 15 pixels of the coarsest level.

    Shapes: two pictures (N, 3, H, W) in [0, 1] to (N, 2, H, W): pixels along x and y that lead from the first picture
    into the second.

    Args:
        levels: of the pyramid; the coarsest is 2 ** (levels - 1) times smaller than the picture.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, levels: int = 6) -> None:
        super().__init__()
        self.levels = nn.ModuleList(FlowLevel() for _ in range(levels))
        # Mean and deviation of ImageNet, which its weights expect.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)

    def forward(self, reference: Tensor, other: Tensor) -> Tensor:
        height, width = reference.shape[-2:]
        multiple = 2 ** (len(self.levels) - 1)
        size = height + -height % multiple, width + -width % multiple
        if size != (height, width):
            reference, other = (
                F.interpolate(x, size, mode="bilinear", align_corners=False) for x in (reference, other)
            )
        flow = self.pyramid(reference, other)
        if size != (height, width):
            flow = F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
            flow = flow * flow.new_tensor([width / size[1], height / size[0]])[:, None, None]
        return flow

    def pyramid(self, reference: Tensor, other: Tensor) -> Tensor:
        """The flow of pictures whose sides are multiples of 2 ** (levels - 1)."""
        mean, deviation = (x.to(reference.dtype) for x in (self.mean, self.deviation))
        pair = [((reference - mean) / deviation, (other - mean) / deviation)]
        for _ in range(len(self.levels) - 1):
            first, second = pair[0]
            pair.insert(0, (F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)))
        first = pair[0][0]
        flow = first.new_zeros(first.shape[0], 2, first.shape[-2], first.shape[-1])
        for index, (level, (first, second)) in enumerate(zip(self.levels, pair, strict=True)):
            if index:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            flow = flow + level(torch.cat((first, warp(second, flow, border="border"), flow), dim=1))
        return flow
