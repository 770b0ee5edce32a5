"""How good `generate-stickers` is: the right caption among 100, for words and for sounds, and FID to held-out pictures.

    python tests/bench/generate_stickers.py captioned/ --model generate-stickers

`captioned/` is what `examples/train/assemble_stickers.py` makes. The judge is InceptionV3 (pool 3, ImageNet), which has
no part in the training: 100 captions are chosen, and a drawn picture counts when the true picture that is nearest to it
(by the cosine of the features, less their mean) is one of its own caption. True pictures of held-out files are judged
in the same way, which is about the most that can be reached. The generator heard the same sound files in training,
so sounds measure hearing, not new sounds; for these leave some out of the training folder's metadata.jsonl, train, and
name the beginning of their file names with `--unheard`: then a drawing counts whose nearest true picture has any of the
captions that the sound belongs to. FID takes all held-out pictures (about 220, too few to be compared with published
numbers) and one drawn for each of their captions and classes. Fetches inception-fid (87 MB).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix import zoo
from imgfix.metrics import fid as frechet
from imgfix.tasks.generate import GenerationRequest, Generator
from imgfix.tasks.squares import on_white
from imgfix.train.captioned import CaptionedPool, load_captioned

AMONG = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captioned")
    parser.add_argument("--model", default="generate-stickers")
    parser.add_argument("--unheard", help="sounds whose names begin so were left out of training: try these alone")
    options = parser.parse_args()
    generator = Generator(zoo.load(options.model), "cpu")
    training, held, _ = load_captioned([options.captioned], side=64, fraction=0.04)
    assert held is not None
    if options.unheard:
        return try_unheard(generator, training, options.unheard)

    kept = [n for n, item in enumerate(held.items) if item.texts]
    asked = [held.items[n] for n in kept]
    true_held = features(whitened(held.picture(torch.tensor(kept))))
    made_held = features(
        torch.stack([pixels(generator, GenerationRequest(i.texts[0], label=i.label), 0) for i in asked])
    )
    result = {"FID to held-out pictures": frechet.fid(true_held, made_held)}

    owners: dict[str, list[int]] = {}
    for number, item in enumerate(training.items):
        if item.texts:
            owners.setdefault(item.texts[0], []).append(number)
    sounding = sorted({(training.items[n].sounds[0], training.items[n].texts[0]) for n in training.heard})
    sounding = list({path: (path, text) for path, text in sounding}.values())
    heard = sorted({text for _, text in sounding})[:AMONG]
    choice = np.random.default_rng(0)
    texts = sorted(owners)
    chosen = [texts[n] for n in choice.permutation(len(texts))[:AMONG]]
    shared = sorted({item.texts[0] for item in asked} & owners.keys())[:AMONG]
    mixed = heard + [text for text in chosen if text not in heard][: AMONG - len(heard)]

    drawn = features(torch.stack([pixels(generator, GenerationRequest(text), n) for n, text in enumerate(chosen)]))
    bank = {text: whitened(training.picture(torch.tensor(owners[text]))) for text in {*chosen, *mixed, *shared}}
    bank = {text: features(pictures) for text, pictures in bank.items()}
    result["words"] = precision(drawn, chosen, {text: bank[text] for text in chosen})
    known = [n for n, item in enumerate(asked) if item.texts[0] in shared]
    if known:
        names = [asked[n].texts[0] for n in known]
        fill = [text for text in chosen if text not in shared][: AMONG - len(shared)]
        candidates = {text: bank[text] for text in (*shared, *fill)}
        result["true held-out pictures"] = precision(true_held[known], names, candidates)
        result["words, drawn for those"] = precision(made_held[known], names, candidates)
    pairs = [(path, text) for path, text in sounding if text in heard]
    drawn = features(torch.stack([pixels(generator, GenerationRequest(sound=path), 0) for path, _ in pairs]))
    result["sounds"] = precision(drawn, [text for _, text in pairs], {text: bank[text] for text in mixed})
    result["chance"] = 1 / AMONG
    result["sounds tried"] = len(pairs)
    result["held-out pictures tried"] = len(known)
    for name, value in result.items():
        print(f"{name:<30}{value:.3f}")
    print(json.dumps(result))


def try_unheard(generator: Generator, training: CaptionedPool, beginning: str) -> None:
    """Print how often what is drawn for a sound is nearest to a picture that the sound belongs to."""
    owned: dict[Path, set[str]] = {}
    for item in training.items:
        for path in item.sounds:
            if path.name.startswith(beginning) and item.texts:
                owned.setdefault(path, set()).add(item.texts[0])
    right = sorted(set().union(*owned.values()))
    others = sorted({item.texts[0] for item in training.items if item.texts} - set(right))
    choice = np.random.default_rng(0)
    candidates = {*right, *(others[n] for n in choice.permutation(len(others))[: max(AMONG - len(right), AMONG // 2)])}
    rows = [n for n, item in enumerate(training.items) if item.texts and item.texts[0] in candidates]
    names = [training.items[n].texts[0] for n in rows]
    bank = features(whitened(training.picture(torch.tensor(rows))))
    drawn = features(torch.stack([pixels(generator, GenerationRequest(sound=path), 0) for path in owned]))
    nearest = nearest_of(drawn, bank)
    for (path, texts), number in zip(owned.items(), nearest, strict=True):
        print(f"{path.name:<24}{names[number]:<40}{'right' if names[number] in texts else ''}")
    hits = sum(names[number] in texts for texts, number in zip(owned.values(), nearest, strict=True))
    shares = [sum(name in texts for name in names) / len(names) for texts in owned.values()]
    print(f"{hits} of {len(owned)} right among {len(candidates)} captions, chance {np.mean(shares):.3f}")


def pixels(generator: Generator, wish: GenerationRequest, seed: int) -> Tensor:
    """A drawn picture on white: (3, 64, 64) in [0, 1]."""
    return torch.from_numpy(on_white(generator.draw(wish, seed))).permute(2, 0, 1).float() / 255


def whitened(pictures: Tensor) -> Tensor:
    """Premultiplied pictures of four channels on white."""
    return pictures[:, :3] + 1 - pictures[:, 3:] if pictures.shape[1] == 4 else pictures


def features(pictures: Tensor) -> Tensor:
    """Inception features (N, 2048) of pictures (N, 3, 64, 64)."""
    return frechet.features(pictures.split(8))


def nearest_of(found: Tensor, rows: Tensor) -> list[int]:
    """For each of some features the number of the row that is nearest, by the cosine less the rows' mean."""
    middle = rows.mean(0)
    return (F.normalize(found - middle, dim=1) @ F.normalize(rows - middle, dim=1).T).argmax(1).tolist()


def precision(found: Tensor, names: list[str], bank: dict[str, Tensor]) -> float:
    """How often the nearest true picture is one of the right caption."""
    texts = [text for text, rows in bank.items() for _ in rows]
    rows = torch.cat(list(bank.values()))
    nearest = [texts[n] for n in nearest_of(found, rows)]
    return sum(one == name for one, name in zip(nearest, names, strict=True)) / len(names)


if __name__ == "__main__":
    main()
