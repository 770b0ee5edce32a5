"""Seconds per input megapixel of every published restorer, filler and upscaler, beside ffdnet-color and photo-x4.

The networks have the size of their catalog rows and random weights: what they cost does not depend on what they
learned. They run in turns in one process on one thread, whose processor time is taken, so that what else the machine
does counts little and falls on all alike; the least of the rounds is kept.

    python tests/bench/field_cost.py --rounds 3 --side 256 --out field_cost.json
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imgfix.zoo import catalog
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.building import describe

BESIDE = ("ffdnet-color", "photo-x4")
FRAMES = 3
"""Of a clip, for networks that want one."""
NETS = ("drunet", "scunet", "fbcnn", "nafnet", "swinir", "lama", "siggraph17", "rrdbnet", "realbasicvsr", "maxim")


def made(entry: catalog.Entry) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a row with random weights, and what its descriptor says."""
    architecture = ARCHITECTURES[entry.net]
    torch.manual_seed(0)
    net = architecture.build(dict(entry.config)).eval().requires_grad_(False)
    facts = describe(architecture, entry.config, name=entry.name, task=entry.task, **entry.facts)
    return net, {"channels": facts.in_channels, "frames": facts.frames, "multiple": facts.size_multiple}


def seconds(net: nn.Module, facts: dict[str, Any], side: int) -> float:
    """Processor time of one run over an input of about `side` x `side` pixels, for a megapixel."""
    side += -side % facts["multiple"]
    x = torch.rand(1, facts["channels"], side, side)
    if facts["frames"] == 0:
        x = x[:, None].repeat(1, FRAMES, 1, 1, 1)
    began = time.process_time()
    net(x)
    return (time.process_time() - began) / (x.numel() / facts["channels"]) * 1e6


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path("field_cost.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = {f"{entry.net} {entry.config}": entry for entry in catalog.entries() if entry.net in NETS}
    nets = {entry.name: made(entry) for entry in rows.values() if entry.name not in BESIDE}
    nets |= {name: made(catalog.find(name)) for name in BESIDE}
    least = dict.fromkeys(nets, float("inf"))
    with torch.inference_mode():
        for net, facts in nets.values():
            seconds(net, facts, 64)  # what a first run sets up once is not counted
        for _ in range(options.rounds):
            for name, (net, facts) in nets.items():
                least[name] = min(least[name], seconds(net, facts, options.side))
    result = {
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
        "side": options.side,
        "rounds": options.rounds,
        "models": {
            name: {"seconds per megapixel": round(value, 2)}
            | {f"times {other}": round(value / least[other], 1) for other in BESIDE}
            for name, value in sorted(least.items(), key=lambda item: item[1])
        },
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
