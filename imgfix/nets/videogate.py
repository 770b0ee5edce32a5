"""VideoGate: a small causal upscaler for video that carries its own last result along the motion."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.flow import FlowLevel, SPyNet, warp
from imgfix.nets.repgate import RepConv3, RepGateTrunk, held_kernels, shrink

LEVELS = 3
FINEST = 4
"""Input pixels along a side that share one vector of motion; it is interpolated between them."""
MULTIPLE = FINEST * 2 ** (LEVELS - 1)
"""Sides are extended to multiples of this inside, for the pyramid of the motion."""


Part = Literal["result", "flow", "both"]


class Memory(NamedTuple):
    """What is carried from frame to frame."""

    frame: Tensor
    """The last input, (N, 3, H, W)."""
    features: Tensor
    """(N, C, H, W)."""
    result: Tensor
    """The last output, (N, 3, H * scale, W * scale), not clipped."""


class Motion(SPyNet):
    """Flow between two frames by SPyNet without its two finest levels: each costs four times as much as the one before.

    Shapes: two frames (N, 3, H, W), sides multiples of 16, to (N, 2, H, W) in pixels along x and y. Parameters: 0.72 M.
    """

    def __init__(self) -> None:
        super().__init__(LEVELS)

    def forward(self, frame: Tensor, before: Tensor) -> Tensor:
        flow = self.pyramid(F.avg_pool2d(frame, FINEST), F.avg_pool2d(before, FINEST))
        return FINEST * F.interpolate(flow, scale_factor=FINEST, mode="bilinear", align_corners=False)


class VideoGate(RepGateTrunk):
    """Upscales a clip frame by frame; each frame sees the last result and features, moved to where things are now.

    The last result is moved along the motion and corrected until it would shrink to the frame itself: one step of
    iterative back-projection (Irani & Peleg 1991), which alone gathers what several frames show. A RepGate sees frame,
    corrected result, how much had to be corrected, and the moved features; the output is a gated mean of what it finds
    and the corrected result. Its tensors have RepGate's names, so that a trained upscaler for pictures is the start.
    Carrying the output is FRVSR's idea (Sajjadi, Vemulapalli & Brown 2018, arXiv 1801.04590), carrying features beside
    it RLSP's (Fuoli, Gu & Timofte 2019, arXiv 1909.08080). Licence as the project's.

    Shapes: (N, T, 3, H, W) in [0, 1] to (N, T, 3, H * scale, W * scale), not clipped. The part `flow` is
    (N, T - 1, 2, H, W), the motion from each frame into the one before; `both` is result and flow. Any size.
    Parameters (merged): 48 channels, 3 blocks: 1.01 M, of which 0.72 M are the motion; 0.31 M multiply-adds an input
    pixel. Receptive field: without bound in time; within one frame 120 pixels or so, by the motion.
    """

    memory = Memory
    down: Tensor
    up: Tensor

    def __init__(
        self, scale: int = 4, channels: int = 48, blocks: int = 3, convolutions: int = 3, merged: bool = False
    ) -> None:
        super().__init__(scale, channels, blocks, convolutions, merged)
        self.motion = Motion()
        self.past = RepConv3(3 * scale**2 + 3 + channels, channels, merged=merged)
        self.gate = RepConv3(channels, scale**2, merged=merged)
        shrink(self.gate, 0.03)
        shrink(self.past, 0.0)  # a picture network at first, to which the past is added as it proves useful
        with torch.no_grad():
            assert self.gate.bias is not None
            self.gate.bias.fill_(-1.0)
        down, up = back_projection(scale)
        self.register_buffer("down", down, persistent=False)
        self.register_buffer("up", up, persistent=False)

    def forward(self, frames: Tensor, part: Part = "result") -> Tensor | tuple[Tensor, Tensor]:
        if part == "flow":
            near, far = frames[:, 1:].flatten(0, 1), frames[:, :-1].flatten(0, 1)
            return self.flow(near, far).unflatten(0, (frames.shape[0], frames.shape[1] - 1))
        memory: Memory | None = None
        results, flows = [], []
        with held_kernels(self):
            for frame in frames.unbind(1):
                result, memory, flow = self.step(frame, memory)
                results.append(result)
                flows += [] if flow is None else [flow]
        joined = torch.stack(results, dim=1)
        return (joined, torch.stack(flows, dim=1)) if part == "both" else joined

    def flow(self, frame: Tensor, before: Tensor) -> Tensor:
        """The motion from a frame into the one before, (N, 3, H, W) each to (N, 2, H, W)."""
        height, width = frame.shape[-2:]
        room = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        near, far = (F.pad(x, room, mode="replicate") if any(room) else x for x in (frame, before))
        return self.motion(near, far)[..., :height, :width]

    def step(self, frame: Tensor, memory: Memory | None) -> tuple[Tensor, Memory, Tensor | None]:
        """Upscale one frame.

        Args:
            frame: (N, 3, H, W).
            memory: of the frame before; `None` at the start of a clip.

        Returns:
            the result (N, 3, H * scale, W * scale), what the next frame needs, and the flow into the frame before
            (N, 2, H, W), `None` at the start.
        """
        flow = correction = None
        plain = self.repeated(frame)
        if memory is None:
            x = self.head(frame)
        else:
            flow = self.flow(frame, memory.frame)
            large = self.scale * F.interpolate(flow, scale_factor=self.scale, mode="bilinear", align_corners=False)
            moved = F.pixel_unshuffle(warp(memory.result, large.float(), border="border"), self.scale).to(frame.dtype)
            # Channels last in memory: mixed layouts cost more than all that is computed with them.
            moved, features = (
                t.contiguous(memory_format=torch.channels_last) for t in (moved, warp(memory.features, flow))
            )
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
            result = torch.lerp(result, correction, share)
        result = F.pixel_shuffle(result + plain, self.scale)
        return result, Memory(frame, x, result), flow


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


def take_motion(net: VideoGate, flow: SPyNet) -> None:
    """Take the motion from the levels of a whole SPyNet that have the same sizes; in place."""
    skipped = len(flow.levels) - LEVELS - 2  # the finest two work at full and at half size
    for target, source in zip(net.motion.levels, list(flow.levels)[skipped:], strict=False):
        assert isinstance(target, FlowLevel)
        target.load_state_dict(source.state_dict())
