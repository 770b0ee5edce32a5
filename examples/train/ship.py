"""Turn a finished run into a file that ships: half precision, a clean header, and what its catalog row needs.

python examples/train/ship.py runs/photo-x4 photo-x4 --licence BSD-3-Clause --summary "..."
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch

from imgfix import zoo
from imgfix.train.jobs.common import fitted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("name", help="catalog name")
    parser.add_argument("--licence", default="Apache-2.0")
    parser.add_argument("--summary", default="")
    parser.add_argument("--back-to", help="model that was fine-tuned: each number becomes the mean of before and after")
    parser.add_argument("--weights", type=Path, default=Path(__file__).parents[2] / "weights")
    options = parser.parse_args()

    model = zoo.load(str(options.run / "model.safetensors"))
    facts, found = {}, model.descriptor
    if options.back_to:
        halfway(model, zoo.load(options.back_to))
    if found.gan_trained and found.task != "generate":  # of generators the architecture says it
        facts["gan_trained"] = True
    target = options.weights / f"{options.name}.safetensors"
    zoo.save(
        target,
        found.net,
        found.config,
        lean(model.net.state_dict()),
        name=options.name,
        task=found.task,
        licence=options.licence,
        degradation=found.degradation,
        summary=options.summary,
        facts=facts,
    )
    target.chmod(0o644)
    stored = zoo.load(str(target)).net
    torch.manual_seed(0)
    if found.task == "generate":
        given = torch.randn(1, model.net.noise), torch.randn(1, model.net.conditions.total)
        run = [net.draw for net in (stored, model.net)]
    else:
        x = torch.rand(1, found.in_channels, 256, 256)
        # Networks for clips take several frames, here of a picture that moves.
        given = (torch.stack([x.roll(shift, -1) for shift in range(4)], dim=1) if found.frames == 0 else x,)
        run = [stored, model.net]
    if found.task in ("overlay", "detect"):  # small differences turn near ties of finds around
        run = [lambda x, net=net: net(x).scores.sort(descending=True).values[:5] for net in (stored, model.net)]
    with torch.no_grad():
        print(f"smaller numbers move the output by at most {float((run[0](*given) - run[1](*given)).abs().max()):.5f}")
    print(f"parameters = {sum(p.numel() for p in stored.parameters())}")
    print(f'sha256 = "{hashlib.sha256(target.read_bytes()).hexdigest()}"')
    print(f"bytes = {target.stat().st_size}")


@torch.no_grad()
def halfway(tuned: zoo.Model, before: zoo.Model) -> None:
    """Move a fine-tuned network half the way back, in place: it forgets less (Wortsman 2022, arXiv 2109.01903)."""
    weights = tuned.net.state_dict()
    for name, values in fitted(before, weights, tuned.descriptor.scale).items():
        if values.is_floating_point():
            weights[name].lerp_(values, 0.5)


def lean(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Half precision; whole numbers stay, and a generator's fixed pictures become bytes."""
    small = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    if "basis" in state and "steps" in state:
        largest = state["basis"].abs().amax(1).clamp_min(1e-12)
        small["basis"] = (state["basis"] / largest[:, None] * 127).round().to(torch.int8)
        small["steps"] = state["steps"] * largest / 127  # too small for half precision
    return small


if __name__ == "__main__":
    main()
