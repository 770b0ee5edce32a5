"""What people type who know other tools: options and verbs that imgfix calls something else."""

from __future__ import annotations

import difflib
from collections.abc import Collection

OPTIONS = {
    "--factor": "--scale", "--zoom": "--scale", "--ratio": "--scale", "--outscale": "--scale",
    "--size": "--width or --long-side", "--resolution": "--width or --long-side", "--max-size": "--long-side",
    "--gpu": "--device cuda", "--cpu": "--device cpu", "--cuda": "--device cuda", "--gpu-id": "--device cuda:N",
    "--force": "--overwrite", "-y": "--overwrite", "-f": "--overwrite", "--yes": "--overwrite",
    "--replace": "--overwrite", "--out": "-o", "--outdir": "-o", "--output-dir": "-o", "--output-folder": "-o",
    "--dest": "-o", "--fp16": "--precision fp16", "--half": "--precision fp16", "--fp32": "--precision fp32",
    "--epochs": "--steps", "--iterations": "--steps", "--learning-rate": "--lr", "--batch-size": "--batch",
    "--noise": "--denoise", "--prompt": "the words themselves",
    "--tile-size": "--tile", "--tta-mode": "--tta", "--model-name": "--model", "-n": "--model",
    "--ext": "--format", "--silent": "--quiet", "--recurse": "--recursive", "--framerate": "--fps", "-ss": "--start",
    "-to": "--end", "-an": "--no-audio", "-c:v": "--codec", "--metrics": "--metric", "--reference": "--against",
}  # fmt: skip
"""Option of others -> ours, of whichever verb has it."""
VERBS = {
    "enlarge": "upscale", "resize": "upscale", "superres": "upscale", "interpolate": "upscale",
    "denoise": "restore --denoise auto", "deblur": "restore --deblur", "dehaze": "restore --dehaze",
    "colorize": "restore --colorize", "colourise": "restore --colorize",
    "derain": "restore --derain", "clean": "restore", "enhance": "restore", "repair": "restore",
    "fill": "inpaint", "erase": "inpaint", "remove": "inpaint", "outpaint": "inpaint --expand", "draw": "generate",
    "models": "weights list", "download": "weights pull", "pull": "weights pull", "list": "weights list",
    "measure": "evaluate", "compare": "evaluate", "psnr": "evaluate --metric psnr", "finetune": "train",
    "check": "doctor", "info": "doctor", "settings": "config", "version": "--version",
}  # fmt: skip
"""Verb of others -> ours."""
FORMER = {"--light": "--low-light", "--grow": "--dilate"}
"""Former name of an option -> its name today; still accepted, but not shown in help."""


def of_option(word: str, own: Collection[str]) -> str | None:
    """What was meant by an option that a verb does not have; own: the options that it has.

    Likeness of letters counts only where no meaning is known: `--factor` looks like `--crf`.
    """
    meant = OPTIONS.get(word.partition("=")[0])
    if meant is not None and (meant.split()[0] in own or not meant.startswith("-")):
        return meant
    near = difflib.get_close_matches(word.partition("=")[0], own, n=1, cutoff=0.7)
    return near[0] if near else None


def of_verb(word: str, own: Collection[str]) -> str | None:
    """What was meant by a verb that is none; own: the verbs."""
    if word in VERBS:
        return VERBS[word]
    near = difflib.get_close_matches(word, own, n=1, cutoff=0.6)
    return near[0] if near else None
