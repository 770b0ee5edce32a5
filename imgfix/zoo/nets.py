"""The table of architectures: one row each, everything else looks here.

A row knows how to build a network from its hyper-parameters, what to say of it in a descriptor, and how to recognise it
in a foreign checkpoint. A new architecture is a module in `imgfix/nets` and a row in `NETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgfix.zoo import detect

if TYPE_CHECKING:
    from torch import Tensor, nn

Config = dict[str, Any]
State = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class NetSpec:
    """How one architecture is built, described and recognised."""

    key: str
    """Its name in the catalog, in file headers and in descriptors."""
    build: Callable[[Config], nn.Module]
    """Hyper-parameters -> network with random weights; raises TypeError or ValueError on ones it does not know."""
    describe: Callable[[Config], dict[str, Any]]
    """Hyper-parameters -> the fields of `Descriptor` that follow from them."""
    detect: Callable[[State], Config | None] | None = None
    """Tensor names and shapes of a checkpoint -> hyper-parameters, `None` when it is another architecture."""
    adapt: Callable[[State], dict[str, Tensor]] | None = None
    """Renames the tensors of a recognised foreign checkpoint to this network's own names; `None`: they are the same."""
    task: str = "upscale"
    """The job a foreign checkpoint of this architecture is taken to be for."""


def _build_rrdbnet(config: Config) -> nn.Module:
    from imgfix.nets.rrdbnet import RRDBNet

    return RRDBNet(**config)


def _describe_rrdbnet(config: Config) -> dict[str, Any]:
    upsamples, unshuffle = config.get("upsamples", 2), config.get("unshuffle", 1)
    return {
        "scale": 2**upsamples // unshuffle,
        "in_channels": config.get("in_channels", 3),
        "out_channels": config.get("out_channels", 3),
        "size_multiple": unshuffle,
        "size_minimum": unshuffle,
        "receptive_field": _rrdbnet_field(config.get("blocks", 23), upsamples, unshuffle),
    }


def _rrdbnet_field(blocks: int, upsamples: int, unshuffle: int) -> int:
    """Followed from each output pixel of one body pixel back to the body, and from there to the input."""
    side = 2**upsamples
    body = 15 * blocks + 2  # convolutions at the body's resolution
    reach = 0
    for output in range(side):
        low, high = output - 2, output + 2  # conv_last and conv_hr
        for _ in range(upsamples):
            low, high = (low - 1) // 2, (high + 1) // 2  # conv_up, then the pixel that was doubled
        own = output * unshuffle // side  # a body pixel is a group of `unshuffle` input pixels: which of them is it
        reach = max(reach, own - unshuffle * (low - body), unshuffle * (high + body + 1) - 1 - own)
    return reach


def _build_srvgg(config: Config) -> nn.Module:
    from imgfix.nets.srvgg import SRVGG

    return SRVGG(**config)


def _describe_srvgg(config: Config) -> dict[str, Any]:
    scale = config.get("scale", 4)
    return {
        "scale": scale,
        "in_channels": config.get("in_channels", 3),
        "out_channels": config.get("out_channels", 3),
        # Of the four bicubic taps around an output pixel, some may lie in what the next input pixel made.
        "receptive_field": config.get("convs", 32) + 2 + (config.get("shuffle", scale) != scale),
    }


def _build_migan(config: Config) -> nn.Module:
    from imgfix.nets.migan import MIGAN

    return MIGAN(**config)


def _describe_migan(config: Config) -> dict[str, Any]:
    resolution = config.get("resolution", 512)
    return {
        "scale": 1,
        "in_channels": 4,
        "out_channels": 3,
        "size_multiple": resolution // 4,
        "size_minimum": resolution // 4,
        "receptive_field": None,
        "tiling": False,
        "native_size": resolution,
        "gan_trained": True,
    }


def _build_lpips(config: Config) -> nn.Module:
    from imgfix.nets.lpips import LPIPS

    return LPIPS(**config)


def _describe_lpips(config: Config) -> dict[str, Any]:
    return {"size_minimum": 16 if config.get("trunk") == "vgg" else 31, "tiling": False, "precisions": ("fp32",)}


def _build_inception(config: Config) -> nn.Module:
    from imgfix.nets.inception import InceptionFeatures

    return InceptionFeatures(**config)


def _describe_inception(config: Config) -> dict[str, Any]:
    return {"out_channels": 2048, "size_minimum": 299, "tiling": False, "native_size": 299, "precisions": ("fp32",)}


def _build_niqe(config: Config) -> nn.Module:
    from imgfix.nets.niqe import PristineModel

    return PristineModel(**config)


def _describe_niqe(config: Config) -> dict[str, Any]:
    return {"tiling": False, "precisions": ("fp32",)}


def _build_repgate(config: Config) -> nn.Module:
    from imgfix.nets.repgate import RepGate

    return RepGate(**config)


def _describe_repgate(config: Config) -> dict[str, Any]:
    reach = config.get("blocks", 6) * config.get("convolutions", 3) + 3
    return {"scale": config.get("scale", 4), "receptive_field": reach}


def _build_gateunet(config: Config) -> nn.Module:
    from imgfix.nets.gateunet import GateUNet

    return GateUNet(**config)


def _describe_gateunet(config: Config) -> dict[str, Any]:
    from imgfix.nets.gateunet import receptive_field

    reach = receptive_field(tuple(config.get("blocks", (2, 2, 3))))
    return {"scale": 1, "size_multiple": 8, "size_minimum": 8, "receptive_field": reach}


def _build_ffdnet(config: Config) -> nn.Module:
    from imgfix.nets.ffdnet import FFDNet

    return FFDNet(**config)


def _describe_ffdnet(config: Config) -> dict[str, Any]:
    channels = config.get("channels", 3)
    return {
        "in_channels": channels + 1,
        "out_channels": channels,
        "size_multiple": 2,
        "size_minimum": 2,
        "receptive_field": 2 * config.get("convolutions", 12) + 1,
    }


def _build_blindffdnet(config: Config) -> nn.Module:
    from imgfix.nets.ffdnet import BlindFFDNet

    return BlindFFDNet(**config)


def _describe_blindffdnet(config: Config) -> dict[str, Any]:
    from imgfix.nets.ffdnet import blind_receptive_field

    reach = blind_receptive_field(config.get("convolutions", 12))
    return {"scale": 1, "size_multiple": 4, "size_minimum": 4, "receptive_field": reach}


def _build_dncnn(config: Config) -> nn.Module:
    from imgfix.nets.dncnn import DnCNN

    return DnCNN(**config)


def _describe_dncnn(config: Config) -> dict[str, Any]:
    channels = config.get("channels", 3)
    return {
        "in_channels": channels,
        "out_channels": channels,
        "receptive_field": config.get("convolutions", 20),
    }


def _build_basicvsr(config: Config) -> nn.Module:
    from imgfix.nets.basicvsr import BasicVSR

    return BasicVSR(**config)


def _describe_basicvsr(config: Config) -> dict[str, Any]:
    # Half precision was not checked: a flow that is off by part of a pixel costs what the other frames bring.
    return {"scale": 4, "receptive_field": None, "frames": 0, "precisions": ("fp32",)}


def _build_videogate(config: Config) -> nn.Module:
    from imgfix.nets.videogate import VideoGate

    return VideoGate(**config)


def _describe_videogate(config: Config) -> dict[str, Any]:
    scale = config.get("scale", 4)
    return {"scale": scale, "receptive_field": None, "frames": 0, "causal": True, "precisions": ("fp32",)}


def _build_maxim(config: Config) -> nn.Module:
    from imgfix.nets.maxim import MAXIM

    return MAXIM(**config)


def _describe_maxim(config: Config) -> dict[str, Any]:
    # fp16 was not checked; bf16 is 52 dB from fp32.
    return {"size_multiple": 64, "size_minimum": 64, "receptive_field": None, "precisions": ("fp32", "bf16")}


def _build_cidnet(config: Config) -> nn.Module:
    from imgfix.nets.cidnet import CIDNet

    return CIDNet(**config)


def _describe_cidnet(config: Config) -> dict[str, Any]:
    return {"size_multiple": 8, "size_minimum": 8, "receptive_field": None}


def _build_words(config: Config) -> nn.Module:
    from imgfix.nets.words import WordTable

    return WordTable(**config)


def _describe_words(config: Config) -> dict[str, Any]:
    return {"out_channels": config.get("size", 96), "tiling": False, "precisions": ("fp32",)}


def _build_dcgan(config: Config) -> nn.Module:
    from imgfix.nets.dcgan import DCGANGenerator

    return DCGANGenerator(**config)


def _build_r3gan(config: Config) -> nn.Module:
    from imgfix.nets.r3gan import R3Generator

    return R3Generator(**config)


def _describe_generator(config: Config) -> dict[str, Any]:
    channels, side = config.get("channels", 3), config.get("side", 64)
    sizes = {"native_size": side, "size_minimum": side, "size_multiple": side}
    return {"in_channels": 0, "out_channels": channels, **sizes, "tiling": False, "gan_trained": True}


def _build_pix2pix(config: Config) -> nn.Module:
    from imgfix.nets.pix2pix import Pix2Pix

    return Pix2Pix(**config)


def _describe_pix2pix(config: Config) -> dict[str, Any]:
    return {
        **_describe_generator(config),
        "in_channels": config.get("inputs", 3),
        "size_multiple": 2 ** config.get("depth", 5),
    }


NETS: dict[str, NetSpec] = {
    "rrdbnet": NetSpec("rrdbnet", _build_rrdbnet, _describe_rrdbnet, detect=detect.rrdbnet, adapt=detect.adapt_rrdbnet),
    "srvgg": NetSpec("srvgg", _build_srvgg, _describe_srvgg, detect=detect.srvgg),
    "migan": NetSpec(
        "migan", _build_migan, _describe_migan, detect=detect.migan, adapt=detect.adapt_migan, task="inpaint"
    ),
    "repgate": NetSpec("repgate", _build_repgate, _describe_repgate),
    "gateunet": NetSpec("gateunet", _build_gateunet, _describe_gateunet, task="restore"),
    "ffdnet": NetSpec(
        "ffdnet", _build_ffdnet, _describe_ffdnet, detect=detect.ffdnet, adapt=detect.adapt_chain, task="restore"
    ),
    "blindffdnet": NetSpec("blindffdnet", _build_blindffdnet, _describe_blindffdnet, task="restore"),
    "dncnn": NetSpec(
        "dncnn", _build_dncnn, _describe_dncnn, detect=detect.dncnn, adapt=detect.adapt_chain, task="restore"
    ),
    "basicvsr": NetSpec(
        "basicvsr",
        _build_basicvsr,
        _describe_basicvsr,
        detect=detect.basicvsr,
        adapt=detect.adapt_basicvsr,
        task="video",
    ),
    "videogate": NetSpec("videogate", _build_videogate, _describe_videogate, task="video"),
    "maxim": NetSpec("maxim", _build_maxim, _describe_maxim, task="restore"),
    "cidnet": NetSpec(
        "cidnet", _build_cidnet, _describe_cidnet, detect=detect.cidnet, adapt=detect.adapt_cidnet, task="restore"
    ),
    "lpips": NetSpec("lpips", _build_lpips, _describe_lpips, task="metric"),
    "inception": NetSpec("inception", _build_inception, _describe_inception, task="metric"),
    "niqe": NetSpec("niqe", _build_niqe, _describe_niqe, task="metric"),
    "words": NetSpec("words", _build_words, _describe_words, task="generate"),
    "dcgan": NetSpec("dcgan", _build_dcgan, _describe_generator, task="generate"),
    "pix2pix": NetSpec("pix2pix", _build_pix2pix, _describe_pix2pix, task="generate"),
    "r3gan": NetSpec("r3gan", _build_r3gan, _describe_generator, task="generate"),
}
