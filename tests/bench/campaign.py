"""A campaign against the whole program: damaged files, kills, signals, full disks, crowded folders, narrow memory.

    python -m tests.bench.campaign --minutes 30 --seed 1 -o campaign.json
    python -m tests.bench.campaign --only fuzz:image,kills --minutes 5

Damaged files and kills share the minutes; what is left is done once. Nothing should crash, hang, print a traceback or
leave half a file under a final name. What does is listed with its seed, and its files are kept in the folder `--keep`.
The exit code is 1 where something was found. POSIX only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import campaign_fuzz, campaign_kills, campaign_limits

PARTS = ("fuzz", "kills", "limits")


def main() -> None:
    """Run the parts that are asked for and write what they found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help=f"comma-separated: {', '.join(PARTS)}, or one of theirs such as fuzz:image")
    parser.add_argument("--keep", type=Path, help="folder for the files that something was found with")
    parser.add_argument("-o", "--output", type=Path, help="the result, JSON; else it is printed")
    asked = parser.parse_args()
    if os.name != "posix":
        raise SystemExit("signals and limits are those of POSIX")
    os.environ |= {"OMP_NUM_THREADS": "1", "IMGFIX_HOME": tempfile.mkdtemp(prefix="campaign-home-")}
    chosen = asked.only.split(",") if asked.only else list(PARTS)
    timed = [part for part in PARTS[:2] if any(word.split(":")[0] == part for word in chosen)]
    seconds = 60 * asked.minutes / max(1, len(timed))
    begun = time.time()
    result: dict[str, Any] = {"seed": asked.seed, "minutes": asked.minutes, "python": platform.python_version()}
    with tempfile.TemporaryDirectory(prefix="campaign-") as place:
        parts = {"fuzz": campaign_fuzz.run, "kills": campaign_kills.run, "limits": campaign_limits.run}
        for part, run in parts.items():
            words = [word.partition(":")[2] for word in chosen if word.split(":")[0] == part]
            if words:
                folder = Path(place) / part
                folder.mkdir()
                names = [word for word in words if word] if all(words) else None
                result[part] = run(folder, asked.seed, seconds, names, asked.keep)
    result["seconds"] = round(time.time() - begun)
    result["found"] = sum(len(section.get("found", ())) for section in result.values() if isinstance(section, dict))
    text = json.dumps(result, indent=1)
    print(text)
    if asked.output:
        asked.output.write_text(text + "\n")
    sys.exit(1 if result["found"] else 0)


if __name__ == "__main__":
    main()
