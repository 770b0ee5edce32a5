"""Make the small table of word vectors that travels inside a generator, from the vectors of WordLlama.

    python examples/train/make_words.py words.safetensors captioned/ [more captions ...] --packages downloads/

WordLlama (D. Lee Miller 2024, MIT) has 256 numbers for each of 32,000 pieces of words. A word's vector here is the mean
of its pieces', reduced to --size numbers by principal components and stored in bytes. The table holds every word that
is a piece of its own, every word of the captions, and those of --list files. Unknown words are put together from
hashed pieces whose vectors are fitted to the known words. Needs `pip install tokenizers scipy`.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import numpy as np
import torch
from assemble_photos import Source, fetch
from safetensors.numpy import load_file
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import lsqr
from tokenizers import Tokenizer

from imgfix import zoo
from imgfix.nets.words import WordTable, pieces_of, split

WORDLLAMA = Source("pypi", "wordllama", "0.3.9", "MIT", "D. Lee Miller", ())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("captions", type=Path, nargs="*", help="folders with metadata.jsonl")
    parser.add_argument("--list", type=Path, action="append", default=[], help="text files whose words are wanted too")
    parser.add_argument("--packages", type=Path, default=Path("packages"))
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--buckets", type=int, default=4096)
    options = parser.parse_args()

    folder = fetch(WORDLLAMA, options.packages) / "wordllama"
    vectors = next(iter(load_file(folder / "weights/l2_supercat_256.safetensors").values())).astype(np.float32)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers/l2_supercat_tokenizer_config.json"))
    wanted = {token[1:].lower() for token in tokenizer.get_vocab() if re.fullmatch(r"▁[A-Za-z]{2,}", token)}
    wanted |= {"a", "i", *"0123456789"}
    for captions in options.captions:
        for line in (captions / "metadata.jsonl").read_text("utf-8").splitlines():
            for text in json.loads(line)["text"]:
                wanted |= set(split(text))
    for path in options.list:
        wanted |= {word for word in split(path.read_text("utf-8")) if 2 < len(word) < 18 and word.isalpha()}
    words = sorted(wanted)
    tokens = [encoding.ids for encoding in tokenizer.encode_batch(words, add_special_tokens=False)]
    full = np.stack([vectors[ids].mean(0) for ids in tokens])
    full -= full.mean(0)
    values, axes = np.linalg.eigh(full.T @ full / len(full))
    axes = axes[:, ::-1][:, : options.size]
    small = full @ axes
    small /= np.sqrt((small**2).mean())
    kept = values[::-1][: options.size].sum() / values.sum()

    rows, columns, weights = [], [], []
    for number, word in enumerate(words):
        places = [place % options.buckets for place in pieces_of(word)]
        rows += [number] * len(places)
        columns += places
        weights += [1 / len(places)] * len(places)
    matrix = csr_matrix((weights, (rows, columns)), shape=(len(words), options.buckets))
    pieces = np.stack([lsqr(matrix, small[:, i], damp=0.3, iter_lim=60)[0] for i in range(options.size)], 1)
    found = matrix @ pieces
    agreement = (found * small).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(small, axis=1)

    letters = "\n".join(words).encode()
    table = WordTable(len(words), len(letters), options.size, options.buckets)
    table.letters = torch.tensor(list(letters), dtype=torch.uint8)
    table.vectors, first = quantised(small)
    table.pieces, second = quantised(pieces)
    table.scales = torch.tensor([first, second]).half().float()
    licence = "MIT"
    zoo.save(options.output, "words", table.config(), table.state_dict(), task="generate", licence=licence)
    print(f"{len(words)} words, {100 * kept:.0f} % of their variance in {options.size} numbers")
    print(f"words put together from pieces: mean cosine {agreement.mean():.2f} to the words themselves")
    print(f"{options.output}: {options.output.stat().st_size} bytes")


def quantised(values: np.ndarray) -> tuple[torch.Tensor, float]:
    """To bytes with one common step; the few largest values are cut off."""
    step = float(np.float16(np.quantile(np.abs(values), 0.9995) / 127))
    return torch.from_numpy(np.clip(np.round(values / step), -127, 127).astype(np.int8)), step


if __name__ == "__main__":
    main()
