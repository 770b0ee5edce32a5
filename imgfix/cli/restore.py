"""`imgfix restore`: noise, JPEG artefacts, blur, darkness, rain, haze, scratches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from imgfix.cli import choosing, files, options
from imgfix.pipelines.options import RestoreRequest

EPILOG = options.examples(
    "imgfix restore photo.jpg",
    "imgfix restore night.jpg --low-light --denoise auto",
    "imgfix restore scans/ -r -o clean/ --old --save-mask found/",
    "imgfix restore shaky.png --deblur --strength 0.8",
    "imgfix restore photo.jpg --except --object person",
    "imgfix restore clip.mp4 --denoise 15 --start 0:10 --end 0:20",
)

_DAMAGE = "What to remove"


def _level(name: str, metavar: str, help: str, **more: Any) -> Any:
    return typer.Option(name, metavar=metavar, rich_help_panel=_DAMAGE, help=help, **{"show_default": False, **more})


def _either(name: str, help: str) -> Any:
    return typer.Option(f"--{name}/--no-{name}", rich_help_panel=_DAMAGE, show_default=False, help=help)


_DENOISE = "Remove noise of the standard deviation SIGMA, of 255; auto estimates it and leaves clean images alone."
_JPEG = "Remove JPEG artefacts; auto takes the quality from the file, or estimates it from the pixels."
Denoise = Annotated[str | None, _level("--denoise", "auto|SIGMA|off", _DENOISE)]
Jpeg = Annotated[str | None, _level("--jpeg", "auto|QUALITY|off", _JPEG)]
Deblur = Annotated[bool, typer.Option("--deblur", rich_help_panel=_DAMAGE, help="Remove motion blur.")]
LowLight = Annotated[bool, typer.Option("--low-light", rich_help_panel=_DAMAGE, help="Brighten low-light images.")]
Derain = Annotated[bool, typer.Option("--derain", rich_help_panel=_DAMAGE, help="Remove rain streaks.")]
Dehaze = Annotated[bool, typer.Option("--dehaze", rich_help_panel=_DAMAGE, help="Remove haze and fog.")]
Colorize = Annotated[bool, typer.Option("--colorize", rich_help_panel=_DAMAGE, help="Colorize black-and-white photos.")]
Faces = Annotated[bool, typer.Option("--faces", rich_help_panel=_DAMAGE, help="Find faces and restore them.")]
_FIDELITY = "Share of the input in restored faces; 1 leaves them unchanged."
Fidelity = Annotated[float, _level("--fidelity", "0..1", _FIDELITY, parser=str, show_default=True)]
_OLD = "Restore a scanned print: short for --scratches --fading --denoise auto --jpeg auto."
_MASK = "Fill this mask instead of what is found: an edited file of --save-mask, or a folder of them."
_DEFLICKER = "Even out the brightness of flickering videos."
_FADING = "Undo the fading and the colour cast of prints."
Old = Annotated[bool, typer.Option("--old", rich_help_panel=_DAMAGE, help=_OLD)]
Scratches = Annotated[bool | None, _either("scratches", "Find scratches and dust on scans and fill them.")]
ScratchMask = Annotated[str | None, _level("--scratch-mask", "PATH", _MASK)]
Fading = Annotated[bool | None, _either("fading", _FADING)]
_STRENGTH = "Share of the result, the rest being the input. Scratches are always filled in full."
Strength = Annotated[float, _level("--strength", "0..1", _STRENGTH, parser=str, show_default=True)]
Deflicker = Annotated[bool, typer.Option("--deflicker", rich_help_panel=_DAMAGE, help=_DEFLICKER)]


@dataclass(frozen=True)
class Request(choosing.Part, RestoreRequest):
    """The options that only this verb has."""

    denoise: Denoise = None
    jpeg: Jpeg = None
    deblur: Deblur = False
    low_light: LowLight = False
    derain: Derain = False
    dehaze: Dehaze = False
    colorize: Colorize = False
    faces: Faces = False
    fidelity: Fidelity = 0.0
    old: Old = False
    scratches: Scratches = None
    scratch_mask: ScratchMask = None
    fading: Fading = None
    deflicker: Deflicker = False
    steady: options.Steady = None
    save_mask: options.save_mask(_DAMAGE, "what --scratches found, else the region") = None  # type: ignore[valid-type]
    strength: Strength = 1.0


@dataclass(frozen=True)
class Machine(options.Machine):
    """The machine, and the models that fit this verb."""

    model: options.model("restore", options.OWN_TASK) = "auto"  # type: ignore[valid-type]


@options.flat()
def command(
    inputs: options.Inputs,
    request: Request,
    saving: options.Saving,
    clips: options.ClipOptions,
    machine: Machine,
    reading: options.Reading,
    reporting: options.Reporting,
) -> int:
    """Remove noise, JPEG artefacts, blur, low light, rain, haze and scratches.

    Without an option, noise and JPEG artefacts are estimated and removed. Degradations are undone in this order:
    scratches, JPEG, noise, light, blur, rain, haze, faces. In videos, the first frames are analysed and all frames are
    treated alike; a file with nothing to remove is copied without being encoded again.
    """
    from imgfix.pipelines.restore import RestorePipeline

    return files.work(RestorePipeline, inputs, request, saving, clips, machine, reading, reporting)
