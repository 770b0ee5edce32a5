"""What a loaded model says of itself. The runtime and the tasks read only this, never the network's class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from torch import nn

Task = Literal[
    "upscale", "inpaint", "restore", "generate", "video", "interpolate", "select", "detect", "overlay", "cutout",
    "faces", "noise", "damage", "metric",
]  # fmt: skip
Precision = Literal["fp32", "fp16", "bf16"]

TASKS: tuple[str, ...] = get_args(Task)


@dataclass(frozen=True)
class Descriptor:
    """Facts about one model that decide how it may be run."""

    name: str
    """Catalog name (`arch-scale.tag`), or the file's stem for a file of the user's own."""
    task: Task
    """The job it was trained for."""
    net: str
    """Key of its architecture in `imgfix.zoo.architectures` (`rrdbnet`, `srvgg`, `migan` ...)."""
    scale: int = 1
    """Output pixels per input pixel along one side."""
    in_channels: int = 3
    """Channels the network takes; pictures have 3, an inpainting network takes 4 (mask first)."""
    out_channels: int = 3
    """Channels the network returns."""
    last_channel: Literal["noise", "quality"] = "noise"
    """What the last channel tells a network that takes one more than it returns: the standard deviation of the noise in
    the picture's units, or the quality of the JPEG over 100, where 0 stands for not known."""
    size_multiple: int = 1
    """Both sides of the input must be multiples of this; the runtime pads and crops."""
    size_minimum: int = 1
    """Neither side of the input may be shorter than this; the runtime pads and crops."""
    receptive_field: int | None = None
    """Input pixels on each side of a pixel that can change its output; `None`: no bound (global operations)."""
    overlap: int | None = None
    """Overlap of tiles at which the joined result was measured to stay within 1/255 of the untiled one (or, for a
    network without a bound, at which little more is gained); else `None`."""
    tiling: bool = True
    """Whether running it on tiles is allowed at all."""
    whole_first: bool = False
    """Whether its makers advise against tiles: a picture that fits into memory is run whole."""
    native_size: int | None = None
    """Side length it was trained at, when it only works well near that (inpainting); else `None`."""
    self_ensemble: bool = True
    """For `inpaint`: whether several runs (mirrored, at other sizes) joined fill better than one does."""
    precisions: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
    """Precisions in which its output was checked to hold."""
    channels_last: bool = True
    """Whether it runs on tensors with the channels last in memory, which is quicker on most devices."""
    frames: int = 1
    """Frames it takes at once: 1 a picture, n a window, 0 a whole sequence (recurrent)."""
    causal: bool = False
    """A recurrent model that looks at earlier frames only: it gives each frame back at once, and has a memory."""
    gan_trained: bool = False
    """Trained adversarially: colours drift, so the input's low-frequency colour is kept by default."""
    jobs: tuple[str, ...] = ()
    """For `restore`: the kinds of damage it undoes, of `noise`, `jpeg`, `blur`, `light`, `rain`, `haze` and others."""
    degradation: str = ""
    """The damage it expects, in a sentence for people."""
    expects: tuple[str, ...] = ()
    """The kinds of damage it was trained to meet, of `imgfix.degradations.EXPECTED`; empty: not known."""
    licence: str = "unknown"
    """SPDX name of the weights' licence."""
    sha256: str = ""
    """Hash of the safetensors file it was loaded from."""
    config: dict[str, Any] = field(default_factory=dict)
    """Hyper-parameters the network was built with."""


@dataclass(frozen=True)
class Model:
    """A descriptor with its network, on the CPU, in fp32, in evaluation mode."""

    descriptor: Descriptor
    net: nn.Module
