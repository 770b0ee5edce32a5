"""`imgfix train`: train or fine-tune a model on a folder of the user's own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from imgfix.cli import options
from imgfix.cli.console import Console
from imgfix.cli.listening import ConsoleListener
from imgfix.errors import ExitCode, UsageError
from imgfix.pipelines.units import size_in_words, time_in_words
from imgfix.train.kinds import KINDS

if TYPE_CHECKING:
    from imgfix.train.recipe import Recipe

EPILOG = (
    "[bold]imgfix train upscale photos/ --model photo-x4 -o runs/mine --minutes 10[/] fine-tunes a model; "
    "[bold]imgfix upscale x.jpg --model runs/mine/model.safetensors[/] uses it. "
    "The same command resumes where it stopped. On several devices: torchrun -m imgfix train ..."
)

_START, _DATA, _LENGTH, _MACHINE, _REPORT = "Starting point", "Images", "Length and optimizer", "Machine", "Report"


def _option(*names: str, panel: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, show_default=False)


def command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.")],
    photos: Annotated[
        list[str] | None, typer.Argument(metavar="[PHOTOS]...", help="Folders (with subfolders) or files to train on.")
    ] = None,
    output: Annotated[
        Path | None,
        _option("--output", "-o", panel=_REPORT, metavar="FOLDER", help="Folder of the run (default: runs/KIND)."),
    ] = None,
    model: Annotated[
        str | None,
        _option("--model", panel=_START, metavar="NAME", help="Fine-tune this model (a name or a .safetensors file)."),
    ] = None,
    net: Annotated[
        str | None, _option("--net", panel=_START, metavar="NAME", help="Train a new network of this architecture.")
    ] = None,
    teacher: Annotated[
        str | None, _option("--teacher", panel=_START, metavar="NAME", help="Distil from this model.")
    ] = None,
    recipe: Annotated[
        Path | None,
        _option("--recipe", panel=_START, metavar="FILE", help="A TOML file of settings, such as a run's recipe.toml."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        _option(
            "--set",
            panel=_START,
            metavar="KEY=VALUE",
            help="Any setting of the recipe; may be repeated. [bold]--set help[/] lists them all.",
        ),
    ] = None,
    input_folder: Annotated[
        str | None,
        _option("--input", panel=_DATA, metavar="FOLDER", help="Degraded images, paired by name with --target."),
    ] = None,
    target_folder: Annotated[
        str | None,
        _option("--target", panel=_DATA, metavar="FOLDER", help="Clean images, paired by name with --input."),
    ] = None,
    val: Annotated[
        str | None,
        _option("--val", panel=_DATA, metavar="FOLDER", help="Images for validation, instead of a part of PHOTOS."),
    ] = None,
    val_fraction: Annotated[
        float | None,
        _option("--val-fraction", panel=_DATA, metavar="0..1", help="Share of PHOTOS held out for validation."),
    ] = None,
    crop: Annotated[
        int | None, _option("--crop", panel=_DATA, metavar="PIXELS", help="Size of the training crops.")
    ] = None,
    preview: Annotated[
        int | None, _option("--preview", panel=_DATA, metavar="N", help="Write a sheet of N training samples and exit.")
    ] = None,
    steps: Annotated[
        int | None, _option("--steps", panel=_LENGTH, metavar="N", help="Number of optimizer steps.")
    ] = None,
    minutes: Annotated[
        float | None, _option("--minutes", panel=_LENGTH, metavar="N", help="Stop after N minutes.")
    ] = None,
    batch: Annotated[
        int | None, _option("--batch", panel=_LENGTH, metavar="N", help="Samples per step and process.")
    ] = None,
    rate: Annotated[float | None, _option("--lr", panel=_LENGTH, metavar="RATE", help="Peak learning rate.")] = None,
    seed: Annotated[
        int | None,
        _option("--seed", panel=_LENGTH, metavar="N", help="Seed of the initial weights, crops and degradations."),
    ] = None,
    resume: Annotated[
        bool | None,
        _option(
            "--resume/--no-resume",
            panel=_LENGTH,
            help="Require a checkpoint, or start over. Default: continue if there is one.",
        ),
    ] = None,
    device: Annotated[
        str | None, _option("--device", panel=_MACHINE, metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps.")
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"] | None,
        _option("--precision", panel=_MACHINE, help="Precision of the forward pass."),
    ] = None,
    compile: Annotated[
        bool | None, _option("--compile/--no-compile", panel=_MACHINE, help="Compile the networks first (GPUs).")
    ] = None,
    dry_run: Annotated[
        bool,
        _option(
            "--dry-run", panel=_REPORT, help="Run a few real steps; print time, memory and parameters; save nothing."
        ),
    ] = False,
    json_output: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Train or fine-tune a model on a folder of your own images.

    The run's folder gets recipe.toml, log.jsonl, sample sheets, a checkpoint every few minutes, and model.safetensors,
    which every other verb takes with --model.
    """
    from imgfix.pipelines import training
    from imgfix.train.kinds import find_kind
    from imgfix.train.recipe import parse_assignment

    find_kind(kind)
    console = Console(quiet=quiet, verbose=verbose)
    if settings and "help" in settings:
        _print_settings(kind)
        return ExitCode.OK
    console.starting()
    if preview is not None and preview < 1:
        raise UsageError(f"--preview {preview}: must be at least 1")
    given = {
        "photos": tuple(photos) if photos else None,
        "input": input_folder,
        "target": target_folder,
        **{"val": val, "val_fraction": val_fraction, "model": model, "net": net, "teacher": teacher},
        **{"steps": steps, "minutes": minutes, "batch": batch, "crop": crop, "lr": rate, "seed": seed},
        **{"device": device, "precision": precision, "compile": compile},
    }
    out = output or training.usual_folder(kind)
    wanted = training.recipe_of(kind, out, recipe, dict(map(parse_assignment, settings or [])), given, resume)
    if preview is not None:
        return _preview(wanted, preview, out, console)
    if dry_run:
        return _dry_run(wanted, console, json_output)
    return _train(wanted, out, resume, console, json_output)


def _train(recipe: Recipe, out: Path, resume: bool | None, console: Console, as_json: bool) -> int:
    from imgfix.pipelines import training

    outcome = training.run(recipe, out, resume, ConsoleListener(console))
    if outcome.leads:
        for line in () if console.quiet else training.closing(recipe, outcome, out):
            console.say(line)
        if as_json:
            typer.echo(json.dumps(training.facts(outcome, out)))
    return ExitCode.INTERRUPTED if outcome.reason == "interrupted" else ExitCode.OK


def _dry_run(recipe: Recipe, console: Console, as_json: bool) -> int:
    from dataclasses import asdict

    from imgfix.train.run import dry_run

    found, where = dry_run(recipe, reporter=ConsoleListener(console))
    if as_json:
        typer.echo(json.dumps({**asdict(found), "device": str(where.device), "precision": where.precision}))
        return ExitCode.OK
    rows = [
        ("parameters", ", ".join(f"{name} {count:,}" for name, count in found.parameters.items())),
        ("losses of the first step", ", ".join(f"{name} {value:.4g}" for name, value in found.losses.items())),
        ("first step", f"{found.first_seconds:.2f} s"),
        ("each step", f"{found.step_seconds:.3f} s, of which making the batch {found.sample_seconds:.3f} s"),
        ("peak memory", size_in_words(found.peak_bytes)),
        (f"{recipe.steps} steps", f"{time_in_words(found.run_seconds)}, without validations"),
    ]
    for name, value in rows:
        typer.echo(f"{name:<26}{value}")
    return ExitCode.OK


def _preview(recipe: Recipe, count: int, out: Path, console: Console) -> int:
    from imgfix.train.run import write_preview

    target = out if out.suffix.lower() == ".png" else out / "preview.png"
    write_preview(recipe, count, target, reporter=ConsoleListener(console))
    console.say(f"{count} samples: {target}")
    return ExitCode.OK


def _print_settings(kind: str) -> None:
    """List every setting with its default and its sentence, as TOML that can be saved and edited."""
    from imgfix.train.recipe import build_recipe, to_toml

    typer.echo(to_toml(build_recipe(kind, [])), nl=False)
