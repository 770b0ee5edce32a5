"""Train several of the shipped weights at once on one accelerator, a process each, and collect what they made.

    python examples/train/train_weights.py photos/ fidelity-x4=17 photo-x4=17 --held-out held-out/ --runs runs/

`NAME=MINUTES` takes the recipe NAME.toml beside this file and gives it that much time in all. A run goes on where it
stopped when the same command is given again, so a long training may be cut into calls of `--stop-after` seconds.
`--probe` only prints what a step of each run costs, plain and compiled.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", help="folders of photos or crops, separated by commas")
    parser.add_argument("wanted", nargs="+", metavar="NAME=MINUTES")
    parser.add_argument("--held-out", help="folder to validate on")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, help="folder that gets the models and one archive of logs and sheets")
    parser.add_argument("--stop-after", type=float, default=float("inf"), metavar="SECONDS")
    parser.add_argument("--set", action="append", default=[], metavar="NAME:KEY=VALUE", help="a setting of one run")
    parser.add_argument("--probe", action="store_true")
    options = parser.parse_args()
    begun = time.monotonic()
    names = [text.partition("=")[0] for text in options.wanted]
    minutes = {name: text.partition("=")[2] for name, text in zip(names, options.wanted, strict=True)}

    if options.probe:
        for name in names:
            for choice in ("--no-compile", "--compile"):
                command = [*command_for(name, options), choice, "--dry-run"]
                print(f"== {name} {choice}", flush=True)
                subprocess.run(command, check=False)
        return

    options.runs.mkdir(parents=True, exist_ok=True)
    running: dict[str, subprocess.Popen[bytes]] = {}
    for name in names:
        command = [*command_for(name, options), "-o", str(options.runs / name)]
        command += ["--minutes", minutes[name]] if minutes[name] else []
        with (options.runs / f"{name}.txt").open("ab") as log:
            running[name] = subprocess.Popen(command, stdout=log, stderr=log)
    told = time.monotonic()
    while any(process.poll() is None for process in running.values()):
        time.sleep(0.5)
        if time.monotonic() - begun > options.stop_after:
            # Each run saves a checkpoint on SIGTERM; kill only what does not end in time.
            for process in running.values():
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
            for process in running.values():
                try:
                    process.wait(timeout=40)
                except subprocess.TimeoutExpired:
                    process.kill()
            break
        if time.monotonic() - told > 60:
            told = time.monotonic()
            for name in names:
                print(f"{told - begun:.0f} s {name}: {last_line(options.runs / name / 'log.jsonl')}", flush=True)
    for name, process in running.items():
        print(f"== {name}: exit {process.returncode}")
        print("\n".join((options.runs / f"{name}.txt").read_text(errors="replace").splitlines()[-6:]))
    if options.results:
        collect(names, options)


def command_for(name: str, options: argparse.Namespace) -> list[str]:
    """The command that trains one of the weights; the kind is the recipe's table."""
    recipe = HERE / f"{name}.toml"
    content = tomllib.loads(recipe.read_text("utf-8"))
    kind = next(key for key in ("upscale", "restore", "inpaint", "video", "generate") if key in content)
    command = [sys.executable, "-m", "imgfix", "train", kind, *options.photos.split(","), "--recipe", str(recipe)]
    command += ["--val", options.held_out] if options.held_out else []
    for text in options.set:
        target, _, setting = text.partition(":")
        command += ["--set", setting] if target in (name, "all") else []
    return command


def collect(names: list[str], options: argparse.Namespace) -> None:
    """Copy models, and pack the logs with the newest two sample sheets of each run."""
    options.results.mkdir(parents=True, exist_ok=True)
    with tarfile.open(options.results / "logs.tar.gz", "w:gz") as archive:
        for name in names:
            folder = options.runs / name
            if (folder / "model.safetensors").exists():
                shutil.copy(folder / "model.safetensors", options.results / f"{name}.safetensors")
            sheets = sorted((folder / "samples").glob("*.png"), key=os.path.getmtime)[-2:]
            for path in (folder / "log.jsonl", folder / "recipe.toml", options.runs / f"{name}.txt", *sheets):
                if path.exists():
                    archive.add(path, arcname=f"{name}/{path.name}")


def last_line(path: Path) -> str:
    """The end of a log, or nothing."""
    lines = path.read_text().splitlines() if path.exists() else []
    return lines[-1][:300] if lines else "-"


if __name__ == "__main__":
    main()
