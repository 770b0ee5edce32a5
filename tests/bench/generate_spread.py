"""How far the drawings of several seeds of one prompt are apart: RMSE of 255 and LPIPS (AlexNet) between all pairs.

    python tests/bench/generate_spread.py [examples/generate-prompts.txt] --seeds 8 --sheet spread.png

Pictures are laid on white. A prompt's number is the mean over its pairs of seeds; printed are the mean, the median and
the lowest prompt. Fetches lpips-alex (10 MB).
"""

from __future__ import annotations

import argparse
import statistics
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from imgfix import zoo
from imgfix.metrics import lpips
from imgfix.tasks.generate import GenerationRequest, Generator
from imgfix.tasks.squares import contact_sheet, on_white


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", nargs="?", default="examples/generate-prompts.txt")
    parser.add_argument("--prompt", action="append", help="instead of the file")
    parser.add_argument("--model", default="generate-stickers")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sheet", help="write all of them there, a prompt a row")
    options = parser.parse_args()
    lines = Path(options.prompts).read_text("utf-8").splitlines() if not options.prompt else options.prompt
    prompts = [line for line in lines if line.strip() and not line.startswith("#")]
    generator = Generator(zoo.load(options.model), "cpu")
    judge = lpips.load("alex")
    found: dict[str, tuple[float, float]] = {}
    drawn: list[np.ndarray] = []
    for prompt in prompts:
        pictures = [generator.draw(GenerationRequest(prompt), seed) for seed in range(options.seeds)]
        drawn += pictures
        found[prompt] = distances([on_white(each) for each in pictures], judge)
    for number, name in enumerate(("RMSE of 255", "LPIPS")):
        values = [each[number] for each in found.values()]
        lowest = min(found, key=lambda prompt: found[prompt][number])
        print(
            f"{name:<12} mean {statistics.mean(values):7.3f}  median {statistics.median(values):7.3f}  "
            f"lowest {min(values):7.3f} ({lowest})"
        )
    if options.sheet:
        sheet = contact_sheet(drawn, [prompt for prompt in prompts for _ in range(options.seeds)], options.seeds)
        Image.fromarray(sheet).save(options.sheet)


@torch.inference_mode()
def distances(pictures: list[np.ndarray], judge: torch.nn.Module) -> tuple[float, float]:
    """Mean RMSE and LPIPS over all pairs of RGB pictures (H, W, 3) uint8."""
    pairs = list(combinations(range(len(pictures)), 2))
    whole = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    first, second = whole[[a for a, _ in pairs]], whole[[b for _, b in pairs]]
    rmse = (first - second).square().mean((1, 2, 3)).sqrt() * 255
    return float(rmse.mean()), float(judge(first, second).mean())


if __name__ == "__main__":
    main()
