"""How good `generate-stickers` is: the right caption among 100, for words and for sounds, and FID to held-out pictures.

    python tests/bench/generate_stickers.py captioned/ --model generate-stickers [--judge-steps 600]

`captioned/` is what `examples/train/assemble_stickers.py` makes. The judge is a small network of its own, trained here
on the same captioned pictures (moved, turned and brightened) to give the word vector of a caption; it never sees a
drawn picture. It is measured first on true pictures that it has not seen, which is the most a generator can reach.
R-precision: 100 captions are drawn at random; a picture of the first counts when the judge finds its caption nearest.
Sounds have no other half: the generator heard other places of the same files, so this measures hearing, not new sounds.
FID takes all held-out pictures (about 220, too few for comparisons with published numbers) and as many drawn ones.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix import zoo
from imgfix.metrics import fid as frechet
from imgfix.nets.conditions import PatternEncoder
from imgfix.tasks.generate import Generator, Wish
from imgfix.tasks.squares import on_white
from imgfix.train.captioned import CaptionedPool, load_captioned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captioned")
    parser.add_argument("--model", default="generate-stickers")
    parser.add_argument("--judge-steps", type=int, default=600)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--fid", action="store_true", help="fetches inception-fid, 87 MB")
    options = parser.parse_args()
    torch.manual_seed(0)

    generator = Generator(zoo.load(options.model), "cpu")
    training, held, _ = load_captioned([options.captioned], side=64, fraction=0.04)
    assert held is not None
    words = generator.net.conditions.words
    texts = sorted({item.texts[0] for item in training.items if item.texts})
    vectors = F.normalize(torch.stack([words.embed(text).mean(0) for text in texts]), dim=1)
    place = {text: number for number, text in enumerate(texts)}
    judge = train_judge(training, place, vectors, options.judge_steps)

    known = [n for n, item in enumerate(held.items) if item.texts and item.texts[0] in place]
    seen = whitened(held.picture(torch.tensor(known)))
    owners = torch.tensor([place[held.items[n].texts[0]] for n in known])
    result = {"true pictures, unseen by the judge": precision(judge(seen), vectors, owners)}

    choice = np.random.default_rng(0)
    numbers = choice.choice(len(texts), min(options.trials, len(texts)), replace=False)
    drawn = torch.stack([pixels(generator, Wish(texts[n]), int(n)) for n in numbers])
    result["words"] = precision(judge(drawn), vectors, torch.tensor(numbers))
    asked = [(held.items[n].texts[0], held.items[n].label) for n in known]
    drawn = torch.stack([pixels(generator, Wish(text, label=label), 0) for text, label in asked])
    result["words, of held-out pictures"] = precision(judge(drawn), vectors, owners)
    heard = [n for n in training.heard if training.items[n].texts[0] in place]
    pairs = sorted({(training.items[n].sounds[0], training.items[n].texts[0]) for n in heard})
    drawn = torch.stack([pixels(generator, Wish(sound=path), 0) for path, _ in pairs])
    result["sounds"] = precision(judge(drawn), vectors, torch.tensor([place[text] for _, text in pairs]))
    result["chance"] = 0.01
    if options.fid:
        result["FID to held-out pictures"] = fid(generator, held)
    for name, value in result.items():
        print(f"{name:<40}{value:.3f}")
    print(json.dumps(result))


def pixels(generator: Generator, wish: Wish, seed: int) -> Tensor:
    """A drawn picture on white: (3, 64, 64) in [0, 1]."""
    return torch.from_numpy(on_white(generator.draw(wish, seed))).permute(2, 0, 1).float() / 255


def whitened(pictures: Tensor) -> Tensor:
    """Premultiplied pictures of four channels on white."""
    return pictures[:, :3] + 1 - pictures[:, 3:] if pictures.shape[1] == 4 else pictures


def train_judge(pool: CaptionedPool, place: dict[str, int], vectors: Tensor, steps: int) -> nn.Module:
    """Train a network from pictures to word vectors by contrast within the batch."""
    judge = PatternEncoder(3, vectors.shape[1], widths=(32, 64, 96, 160))
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3)
    usable = torch.tensor([n for n, item in enumerate(pool.items) if item.texts])
    owner = torch.tensor([place[pool.items[int(n)].texts[0]] for n in usable])
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 - step / steps)
        rows = torch.randint(len(usable), (96,))
        seen = whitened(pool.picture(usable[rows]))
        angle, size = 0.3 * torch.randn(96), 1 + 0.15 * torch.randn(96)
        turn = torch.stack((angle.cos() * size, -angle.sin(), angle.sin(), angle.cos() * size), 1).reshape(-1, 2, 2)
        grid = F.affine_grid(torch.cat((turn, 0.1 * torch.randn(96, 2, 1)), 2), [96, 3, 64, 64], align_corners=False)
        seen = 1 - F.grid_sample(1 - seen, grid, align_corners=False)
        seen = seen * (0.8 + 0.4 * torch.rand(96, 1, 1, 1)) + 0.03 * torch.randn_like(seen)
        scores = 12 * F.normalize(judge(seen), dim=1) @ vectors[owner[rows]].T
        same = owner[rows][:, None] == owner[rows][None]
        loss = -(scores.log_softmax(1) * same / same.sum(1, keepdim=True)).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"judge, step {step}: {float(loss.detach()):.3f}", flush=True)
    return judge.eval().requires_grad_(False)


def precision(found: Tensor, vectors: Tensor, owners: Tensor, among: int = 100) -> float:
    """How often the right caption is nearest among itself and 99 others; mean over 20 draws of the others."""
    scores = F.normalize(found, dim=1) @ vectors.T
    generator = torch.Generator().manual_seed(0)
    hits = []
    for row, owner in zip(scores, owners.tolist(), strict=True):
        for _ in range(20):
            others = torch.randperm(len(vectors), generator=generator)[:among]
            others = others[others != owner][: among - 1]
            hits.append(float(row[owner] > row[others].max()))
    return sum(hits) / len(hits)


def fid(generator: Generator, held: CaptionedPool) -> float:
    """FID between the held-out pictures and what is drawn for their captions and classes."""
    known = [n for n, item in enumerate(held.items) if item.texts]
    true = whitened(held.picture(torch.tensor(known)))
    asked = [held.items[n] for n in known]
    made = torch.stack([pixels(generator, Wish(item.texts[0], label=item.label), 0) for item in asked])
    return frechet.fid(*(frechet.features(pictures.split(8)) for pictures in (true, made)))


if __name__ == "__main__":
    main()
