"""What a loaded model says of itself. The runtime and the tasks read only this, never the network's class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from torch import nn

    self_ensemble: bool = True
    """For `inpaint`: whether several runs (mirrored, at other sizes) joined fill better than one does."""
    precisions: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
    """Precisions in which its output was checked to hold."""
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
    """The kinds of damage it was trained to meet, of `EXPECTED`; empty: not known."""
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
