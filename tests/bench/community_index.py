"""Make `weights/community.tsv` again, from the official list (models.json) or from a table with the same columns.

python -m tests.bench.community_index models.json
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path

from imgfix.zoo import community_index, folders


def main() -> None:
    """Read, keep what is permissive and has a hash, write, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="models.json of openmodeldb.info, or a .tsv")
    parser.add_argument("--read-on", default=datetime.datetime.now(datetime.UTC).date().isoformat(), help="its day")
    wanted = parser.parse_args()
    text = wanted.source.read_text("utf-8")
    is_list = wanted.source.suffix == ".json"
    rows = community_index.from_official(json.loads(text)) if is_list else community_index.parse(text)
    kept = [row for row in rows if row.licence in community_index.PERMISSIVE]
    target = folders.shipped_folder() / "community.tsv"
    target.write_text(community_index.write(kept, wanted.read_on), "utf-8")
    print(f"{target}: {len(kept)} files of {len({row.name for row in kept})} models, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
