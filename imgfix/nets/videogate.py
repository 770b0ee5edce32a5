"""VideoGate: a small causal upscaler for video that carries its own last result along the motion."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.flow import dense_inverse_search, fetch_cubic, warp
from imgfix.nets.repgate import RepConv3, RepGateTrunk, held_kernels, shrink


class Memory(NamedTuple):
    """What is carried from frame to frame."""

    frame: Tensor
    """The last input, (N, 3, H, W)."""
    features: Tensor
    """(N, C, H, W)."""
    result: Tensor
    """The last output, (N, 3, H * scale, W * scale), not clipped."""


class VideoGate(RepGateTrunk):
    """Upscales a clip frame by frame; each frame sees the last result and features, moved to where things are now.

    The motion is measured in the input by dense inverse search, on the CPU, and not learned: what is carried gains from
    neighbouring frames only where the motion is right to a fraction of an input pixel.

    The last result is moved along the motion and corrected until it would shrink to the frame itself: one step of
    iterative back-projection (Irani & Peleg 1991), which alone gathers what several frames show. A RepGate sees frame,
    corrected result, how much had to be corrected, and the moved features; the output is a gated mean of what it finds
    and the corrected result. Its tensors have RepGate's names, so that a trained upscaler for pictures is the start.
    Carrying the output is FRVSR's idea (Sajjadi, Vemulapalli & Brown 2018, arXiv 1801.04590), carrying features beside
    it RLSP's (Fuoli, Gu & Timofte 2019, arXiv 1909.08080). Licence as the project's.

    Shapes: (N, T, 3, H, W) in [0, 1] to (N, T, 3, H * scale, W * scale), not clipped. Any size. Parameters
    (merged): 48 channels, 3 blocks: 0.29 M; as many multiply-adds an input pixel, and the search for the motion.
    Receptive field: without bound in time; in space that of the motion, which is searched for from coarse to fine.
    """

    memory = Memory
    down: Tensor
    up: Tensor

    def __init__(
        self, scale: int = 4, channels: int = 48, blocks: int = 3, convolutions: int = 3, merged: bool = False
    ) -> None:
        super().__init__(scale, channels, blocks, convolutions, merged)
        self.past = RepConv3(3 * scale**2 + 3 + channels, channels, merged=merged)
        self.gate = RepConv3(channels, scale**2, merged=merged)
        shrink(self.gate, 0.03)
        shrink(self.past, 0.0)  # a picture network at first, to which the past is added as it proves useful
        with torch.no_grad():
            assert self.gate.bias is not None
            self.gate.bias.fill_(1.5)  # the longer the clip, the more the past is worth: mostly open at first
        down, up = back_projection(scale)
        self.register_buffer("down", down, persistent=False)
        self.register_buffer("up", up, persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        memory: Memory | None = None
        results = []
        with held_kernels(self):
            for frame in frames.unbind(1):
                result, memory = self.step(frame, memory)
                results.append(result)
        return torch.stack(results, dim=1)

    def step(self, frame: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Upscale one frame.

        Args:
            frame: (N, 3, H, W).
            memory: of the frame before; `None` at the start of a clip.

        Returns:
            the result (N, 3, H * scale, W * scale), and what the next frame needs.
        """
        correction = None
        plain = self.repeated(frame)
        if memory is None:
            x = self.head(frame)
        else:
            flow = dense_inverse_search(frame, memory.frame)
            # Bicubic: what is carried through many frames would blur by bilinear fetching.
            moved = F.pixel_unshuffle(fetch_cubic(memory.result, flow), self.scale).to(frame.dtype)
            # Channels last in memory: mixed layouts cost more than all that is computed with them.
            moved, features = (
                t.contiguous(memory_format=torch.channels_last) for t in (moved, warp(memory.features, flow))
            )
            # Pictures and their small differences keep fp32 where the layers are cast down: a step is an 8-bit one.
            with torch.autocast(frame.device.type, enabled=False):
                missing = frame - reaching_two(moved, self.down)
                # What the corrected result adds to the enlarged frame.
                correction = moved + reaching_two(missing, self.up) - plain
            seen = torch.cat((frame, correction, 4 * missing, features), dim=1)
            kernel = torch.cat((self.head.kernel(), self.past.kernel()), dim=1)
            assert self.head.bias is not None and self.past.bias is not None
            x = F.conv2d(seen, kernel, self.head.bias + self.past.bias, padding=1)
        x = self.deepened(x)
        result = self.tail(x)
        if correction is not None:
            share = torch.sigmoid(self.gate(x)).repeat(1, 3, 1, 1)  # one gate for each place, equal in all colours
            result = torch.lerp(result.to(correction.dtype), correction, share.to(correction.dtype))
        result = F.pixel_shuffle(result + plain, self.scale)
        return result, Memory(frame, x, result)


def back_projection(scale: int) -> tuple[Tensor, Tensor]:
    """Bicubic shrinking and enlarging by `scale`, as kernels over pictures whose pixels are folded into channels.

    Folded is `pixel_unshuffle`. Antialiased shrinking as in MATLAB, Keys' cubic (a = -1/2).

    Returns:
        (3, 3 * scale ** 2, 5, 5) and (3 * scale ** 2, 3, 5, 5).
    """
    cells, inside = torch.arange(-2, 3).double(), torch.arange(scale).double()
    # Where the pixels of the cells around lie, in input pixels from the middle of this one.
    places = (cells[:, None] * scale + inside + 0.5) / scale - 0.5
    down = _cubic(places) / scale
    down = down / down.sum()
    up = _cubic(cells[:, None] - (inside + 0.5) / scale + 0.5)
    up = up / up.sum(0)
    kernels = []
    for line in (down, up):
        square = torch.einsum("ap,bq->pqab", line, line).flatten(0, 1)  # (scale ** 2, 5, 5)
        kernels.append(torch.einsum("cd,pab->cdpab", torch.eye(3).double(), square))
    shrinking = kernels[0].flatten(1, 2)
    enlarging = kernels[1].transpose(1, 2).flatten(0, 1)
    return shrinking.float(), enlarging.float()


def _cubic(distance: Tensor) -> Tensor:
    d = distance.abs()
    inner = 1.5 * d**3 - 2.5 * d**2 + 1
    outer = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return torch.where(d <= 1, inner, torch.where(d < 2, outer, torch.zeros_like(d)))


def reaching_two(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolve by a kernel of 5 x 5, borders repeated: (N, C, H, W) to (N, C', H, W)."""
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), kernel.to(x.dtype))
