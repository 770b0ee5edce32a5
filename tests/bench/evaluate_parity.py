"""Check the measures against published numbers on a folder of benchmark sets and peer weights.

    python tests/bench/evaluate_parity.py --bench FOLDER [--peers FOLDER]

FOLDER holds `Set5/HR` and `Set5/LR_bicubic/X{2,3,4}`; peers holds `imdn/IMDN_x{2,3,4}.pth` (Hui et al. 2019, arXiv
1909.11856), whose network is written out here because imgfix does not offer it. Exits with 1 when a number is off.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from imgfix.metrics import protocol
from imgfix.tasks.benchmark import AppliedDegradation, Bicubic, Contestant, run_benchmark

# Set5, PSNR and SSIM on luma, border = scale.
PUBLISHED = {
    "bicubic": {2: (33.68, 0.9304), 3: (30.40, 0.8686), 4: (28.43, 0.8109)},
    "IMDN": {2: (38.00, 0.9605), 3: (34.36, 0.9270), 4: (32.21, 0.8948)},
}
TOLERANCE = (0.02, 0.0005)


class Block(nn.Module):
    """Distils a quarter of the channels at each of three steps, and weighs channels by their contrast."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(64, 64, 3, padding=1)
        self.c2 = nn.Conv2d(48, 64, 3, padding=1)
        self.c3 = nn.Conv2d(48, 64, 3, padding=1)
        self.c4 = nn.Conv2d(48, 16, 3, padding=1)
        self.c5 = nn.Conv2d(64, 64, 1)
        self.cca = nn.ModuleDict(
            {"conv_du": nn.Sequential(nn.Conv2d(64, 4, 1), nn.ReLU(), nn.Conv2d(4, 64, 1), nn.Sigmoid())}
        )

    def forward(self, x: Tensor) -> Tensor:
        kept, rest = [], x
        for layer in (self.c1, self.c2, self.c3):
            distilled, rest = functional.leaky_relu(layer(rest), 0.05).split((16, 48), dim=1)
            kept.append(distilled)
        joined = torch.cat([*kept, self.c4(rest)], dim=1)
        contrast = joined.std((2, 3), keepdim=True, correction=0) + joined.mean((2, 3), keepdim=True)
        weighed: Tensor = joined * self.cca["conv_du"](contrast)
        return x + self.c5(weighed)


class IMDN(nn.Module):
    """0.7 M parameters; as a contestant it runs whole pictures on the CPU in fp32."""

    name = "IMDN"

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.fea_conv = nn.Conv2d(3, 64, 3, padding=1)
        for number in range(1, 7):
            self.add_module(f"IMDB{number}", Block())
        self.c = nn.Sequential(nn.Conv2d(384, 64, 1), nn.LeakyReLU(0.05))
        self.LR_conv = nn.Conv2d(64, 64, 3, padding=1)
        self.upsampler = nn.Sequential(nn.Conv2d(64, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        first = hidden = self.fea_conv(x)
        found = []
        for number in range(1, 7):
            hidden = self.get_submodule(f"IMDB{number}")(hidden)
            found.append(hidden)
        out: Tensor = self.upsampler(self.LR_conv(self.c(torch.cat(found, dim=1))) + first)
        return out

    def run(self, damaged: Tensor) -> Tensor:
        with torch.inference_mode():
            return self(damaged.float())


def imdn(path: Path, scale: int) -> IMDN:
    """The published network with its weights."""
    net = IMDN(scale)
    state = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict({name.removeprefix("module."): tensor for name, tensor in state.items()})
    return net.eval()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 3, 4])
    options = parser.parse_args()
    pictures = sorted((options.bench / "Set5" / "HR").glob("*.png"))
    off = 0
    for scale in options.scales:
        contestants: list[Contestant] = [Bicubic(scale)]
        if options.peers:
            contestants.append(imdn(options.peers / "imdn" / f"IMDN_x{scale}.pth", scale))
        for contestant in contestants:
            found = run_benchmark(contestant, pictures, protocol.find(f"sr-y{scale}"), AppliedDegradation("bicubic"))
            wanted = PUBLISHED[contestant.name][scale]
            apart = [found.values[name] - value for name, value in zip(("psnr", "ssim"), wanted, strict=True)]
            wrong = any(abs(value) > limit for value, limit in zip(apart, TOLERANCE, strict=True))
            off += wrong
            print(
                f"Set5 x{scale} {contestant.name:8} PSNR {found.values['psnr']:.3f} (published {wanted[0]:.2f}), "
                f"SSIM {found.values['ssim']:.4f} (published {wanted[1]:.4f}), "
                f"{found.seconds:.2f} s a picture{'  <-- off' if wrong else ''}"
            )
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
