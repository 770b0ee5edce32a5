"""VideoGate: a small causal upscaler for video that carries its own last result along the motion."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.flow import FlowLevel, SPyNet, warp
from imgfix.nets.repgate import GateBlock, RepConv3

LEVELS = 3
MULTIPLE = 4 * 2 ** (LEVELS - 1)
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


class Motion(nn.Module):
    """Flow between two frames: three levels of SPyNet up to a quarter of the size, then a light one at the full size.

    The last level decides whether detail falls on detail: of SPyNet's own it is the most expensive by far, so here a
    small network is taught to do its work.

    Shapes: two frames (N, 3, H, W), sides multiples of 16, to (N, 2, H, W) in pixels along x and y.
    """

    def __init__(self) -> None:
        super().__init__()
        self.coarse = SPyNet(LEVELS)
        widths, reach = (8, 24, 32, 32, 24, 2), (2, 1, 2, 1, 1)
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(pairwise(widths)):
            side, dilation = (5, 1) if index == 0 else (3, reach[index])
            layers += [nn.Conv2d(inputs, outputs, side, padding=reach[index], dilation=dilation), nn.ReLU()]
        self.fine = nn.Sequential(*layers[:-1])
        last = self.fine[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            last.weight.mul_(0.1)

    def forward(self, frame: Tensor, before: Tensor) -> Tensor:
        flow = self.coarse.pyramid(F.avg_pool2d(frame, 4), F.avg_pool2d(before, 4))
        flow = 4 * F.interpolate(flow, scale_factor=4, mode="bilinear", align_corners=True)
        moved = warp(before, flow, border="border")
        # Differences of frames are small numbers; the colours themselves matter little.
        return flow + self.fine(torch.cat((4 * (frame - moved), frame, 0.25 * flow), dim=1))


class VideoGate(nn.Module):
    """Upscales a clip frame by frame; each frame sees the last result and features, moved to where things are now.

    A frame's output is a gated mean of the enlarged input and the moved last output, plus what a body of
    re-parameterised convolutions finds. Carrying the output is FRVSR's idea (Sajjadi, Vemulapalli & Brown 2018,
    arXiv 1801.04590), carrying features beside it RLSP's (Fuoli, Gu & Timofte 2019, arXiv 1909.08080); gate, body and
    motion are our own composition. Licence as the project's.

    Shapes: (N, T, 3, H, W) in [0, 1] to (N, T, 3, H * scale, W * scale), not clipped. The part `flow` is
    (N, T - 1, 2, H, W), the motion from each frame into the one before; `both` is result and flow. Any size.
    Parameters (merged): 48 channels, 2 blocks: 0.94 M, of which 0.72 M are the coarse motion; 0.22 M multiply-adds an
    input pixel. Receptive field: without bound in time; within one frame 120 pixels or so, by the coarse motion.
    """

    memory = Memory

    def __init__(
        self, scale: int = 4, channels: int = 48, blocks: int = 2, convolutions: int = 3, merged: bool = False
    ) -> None:
        super().__init__()
        self.scale, self.channels = scale, channels
        self.motion = Motion()
        self.head = RepConv3(3 + 3 * scale**2 + channels, channels, merged=merged)
        self.body = nn.ModuleList(GateBlock(channels, convolutions, merged=merged) for _ in range(blocks))
        self.tail = RepConv3(channels, 3 * scale**2, merged=merged)
        self.gate = RepConv3(channels, scale**2, merged=merged)
        with torch.no_grad():
            for part in (self.tail, self.gate):
                for name, parameter in part.named_parameters():
                    if name != "expand":
                        parameter.mul_(0.03)

    def forward(self, frames: Tensor, part: Part = "result") -> Tensor | tuple[Tensor, Tensor]:
        if part == "flow":
            near, far = frames[:, 1:].flatten(0, 1), frames[:, :-1].flatten(0, 1)
            return self.flow(near, far).unflatten(0, (frames.shape[0], frames.shape[1] - 1))
        memory: Memory | None = None
        results, flows = [], []
        for frame in frames.unbind(1):
            result, memory, flow = self.step(frame, memory)
            results.append(result)
            flows += [] if flow is None else [flow]
        joined = torch.stack(results, dim=1)
        return (joined, torch.stack(flows, dim=1)) if part == "both" else joined

    def start(self, frame: Tensor) -> Memory:
        """What a clip begins with: no features yet, and the plainly enlarged frame as the last result."""
        height, width = frame.shape[-2:]
        features = frame.new_zeros(frame.shape[0], self.channels, height, width)
        return Memory(frame, features, self.enlarged(frame))

    def enlarged(self, frame: Tensor) -> Tensor:
        """Plain bilinear enlargement."""
        return F.interpolate(frame, scale_factor=self.scale, mode="bilinear", align_corners=False)

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
        flow: Tensor | None = None
        if memory is None:
            memory = self.start(frame)
            features, last = memory.features, memory.result
        else:
            flow = self.flow(frame, memory.frame)
            features = warp(memory.features, flow)
            large = self.scale * F.interpolate(flow, scale_factor=self.scale, mode="bilinear", align_corners=False)
            last = warp(memory.result, large.float(), border="border")
        last = F.pixel_unshuffle(last, self.scale)
        x = self.head(torch.cat((frame, last.to(frame.dtype), features), dim=1))
        for block in self.body:
            x = block(x)
        plain = F.pixel_unshuffle(self.enlarged(frame), self.scale)
        share = torch.sigmoid(self.gate(x)).repeat(1, 3, 1, 1)  # one gate for each place, equal in all colours
        result = F.pixel_shuffle(plain + share * (last - plain) + self.tail(x), self.scale)
        return result, Memory(frame, x, result), flow


def take_motion(net: VideoGate, flow: SPyNet) -> None:
    """Start the coarse motion from the middle levels of a whole SPyNet, where it has the same sizes; in place."""
    skipped = len(flow.levels) - LEVELS - 2  # its two finest levels work at full and half size
    for target, source in zip(net.motion.coarse.levels, list(flow.levels)[skipped:], strict=False):
        assert isinstance(target, FlowLevel)
        target.load_state_dict(source.state_dict())
