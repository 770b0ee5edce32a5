"""Turn a finished run into a file that ships: half precision, a clean header, and what its catalog row needs.

python examples/train/ship.py runs/photo-x4 photo-x4 --licence BSD-3-Clause --summary "..."
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch

from imgfix import zoo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("name", help="catalog name")
    parser.add_argument("--licence", default="Apache-2.0")
    parser.add_argument("--summary", default="")
    parser.add_argument("--weights", type=Path, default=Path(__file__).parents[2] / "weights")
    options = parser.parse_args()

    model = zoo.load(str(options.run / "model.safetensors"))
    facts, found = {}, model.descriptor
    if found.gan_trained:
        facts["gan_trained"] = True
    target = options.weights / f"{options.name}.safetensors"
    zoo.save(
        target,
        found.net,
        found.config,
        {name: tensor.half() for name, tensor in model.net.state_dict().items()},
        name=options.name,
        task=found.task,
        licence=options.licence,
        degradation=found.degradation,
        summary=options.summary,
        facts=facts,
    )
    target.chmod(0o644)
    stored = zoo.load(str(target)).net
    x = torch.rand(1, found.in_channels, 64, 64)
    x = torch.stack([x.roll(shift, -1) for shift in range(4)], dim=1) if found.frames == 0 else x
    with torch.no_grad():
        print(f"half precision moves the output by at most {float((stored(x) - model.net(x)).abs().max()):.5f}")
    print(f"parameters = {sum(p.numel() for p in stored.parameters())}")
    print(f'sha256 = "{hashlib.sha256(target.read_bytes()).hexdigest()}"')
    print(f"bytes = {target.stat().st_size}")


if __name__ == "__main__":
    main()
