"""`imgfix generate`: pictures from words, a class, a sound or another picture."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix import __version__
from imgfix.cli import batch, complete, models, options
from imgfix.cli.batch import Item
from imgfix.cli.console import Tick, size_in_words, time_in_words
from imgfix.cli.report import Outcome, Report
from imgfix.errors import ExitCode, InputError, ModelError, OutputError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from imgfix.runtime.engine import Engine
    from imgfix.tasks.generate import Generator, Wish
    from imgfix.zoo.descriptor import Descriptor, Model

EPILOG = options.examples(
    'imgfix generate "a red apple" -n 8 --seed 7 -o out/',
    'imgfix generate "a green frog" --class fluent --upscale 4',
    "imgfix generate --sound meow.ogg --seeds 0-35 --grid sheet.png",
    "imgfix generate --interpolate cat tiger --frames 60 -o morph.mp4",
)

_WHAT = "What to draw"
_VARIETY = "How many and which"
_DIFFUSION = "Diffusion models (--model hf:organisation/name, or a folder)"
_SHEET = 2000  # pixels of a sheet's longer side, above which its pictures are not enlarged


def _option(*names: str, panel: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, show_default=False, **more)


Prompts = Annotated[
    list[str] | None, typer.Argument(metavar="[PROMPT]...", help="Words in quotes; several give several pictures.")
]
PromptFile = Annotated[
    Path | None, _option("--prompts", panel=_WHAT, metavar="FILE", help="A text file with one prompt a line.")
]
Label = Annotated[
    str | None,
    _option("--class", panel=_WHAT, metavar="NAME", help="A class of the model: a manner, or what to draw."),
]
Sound = Annotated[
    Path | None, _option("--sound", panel=_WHAT, metavar="FILE", help="What sounds like this (wav, ogg, flac, mp3).")
]
StartImage = Annotated[
    Path | None, _option("--image", panel=_WHAT, metavar="FILE", help="Start from a picture: a sketch, a photo.")
]
Strength = Annotated[
    float | None,
    _option("--strength", panel=_WHAT, metavar="0..1", help="How far from that picture the words may lead."),
]
Old = Annotated[
    Path | None, _option("--from", panel=_WHAT, metavar="FILE", help="Repeat what an old picture was made of.")
]
Interpolate = Annotated[
    tuple[str, str] | None,
    _option("--interpolate", panel=_WHAT, metavar="A B", help="A film of the way from one prompt to another."),
]
Frames = Annotated[int, _option("--frames", panel=_WHAT, metavar="N", help="Its pictures (60).", min=2)]
Count = Annotated[int, _option("--count", "-n", panel=_VARIETY, metavar="N", help="Pictures of each prompt.", min=1)]
Seed = Annotated[int | None, _option("--seed", panel=_VARIETY, metavar="N", help="The first seed (0).", min=0)]
Seeds = Annotated[
    str | None, _option("--seeds", panel=_VARIETY, metavar="LIST", help="These seeds, such as 0-35 or 3,7,20-29.")
]
Truncation = Annotated[
    float | None,
    _option("--truncation", panel=_VARIETY, metavar="N", help="Below 1 more typical, 0 always the same.", min=0, max=2),
]
Grid = Annotated[
    Path | None, _option("--grid", panel="Output", metavar="FILE", help="All on one sheet; no single files without -o.")
]
Enlarge = Annotated[
    float | None,
    _option("--upscale", panel="Output", metavar="N", help="Enlarge the result, 1 to 16 times.", min=1, max=16),
]
Upscaler = Annotated[
    str, _option("--upscale-model", panel="Output", metavar="NAME", help="By this upscaling model (auto).")
]
Steps = Annotated[int | None, _option("--steps", panel=_DIFFUSION, metavar="N", help="Denoising steps.", min=1)]
Guidance = Annotated[
    float | None, _option("--guidance", panel=_DIFFUSION, metavar="N", help="How strictly words are followed.", min=0)
]
Negative = Annotated[
    str | None, _option("--negative", panel=_DIFFUSION, metavar="WORDS", help="What should not be in the picture.")
]
Width = Annotated[int | None, _option("--width", panel=_DIFFUSION, metavar="N", help="Pixels.", min=8)]
Height = Annotated[int | None, _option("--height", panel=_DIFFUSION, metavar="N", help="Pixels.", min=8)]
LowMemory = Annotated[
    bool, _option("--low-memory", panel=_DIFFUSION, help="In slices, and on the device only what computes.")
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="NAME", help=options.MODEL_HELP, rich_help_panel="Model and machine",
        autocompletion=complete.models("generate"),
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Order:
    """One picture to draw."""

    wish: Wish
    seed: int
    target: Path | None
    """None: standard output, or only a place on the sheet."""


def command(
    context: typer.Context,
    prompts: Prompts = None,
    prompt_file: PromptFile = None,
    label: Label = None,
    sound: Sound = None,
    image: StartImage = None,
    strength: Strength = None,
    old: Old = None,
    interpolate: Interpolate = None,
    frames: Frames = 60,
    count: Count = 1,
    seed: Seed = None,
    seeds: Seeds = None,
    truncation: Truncation = None,
    grid: Grid = None,
    upscale: Enlarge = None,
    upscale_model: Upscaler = "auto",
    output: options.Output = None,
    format: options.Format = None,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    skip_existing: options.SkipExisting = False,
    no_record: options.NoRecord = False,
    model: ModelName = "auto",
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    width: Width = None,
    height: Height = None,
    low_memory: LowMemory = False,
    device: options.Device = "auto",
    offline: options.Offline = False,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Draw pictures from words, a class, a sound or another picture.

    The same seed gives the same picture, bit for bit, however many are drawn at once.
    """
    shared = options.Shared.of(context)
    asked: dict[str, Any] = {
        "prompts": _prompts(prompts, prompt_file),
        "label": label,
        "sound": sound,
        "image": image,
        "strength": strength,
        "truncation": truncation,
        "upscale": upscale,
    }
    seed_list = _seeds(seeds, seed, count)
    if old is not None:
        asked, seed_list, shared = _repeated(old, asked, seed_list, shared)
    wishes = _wishes(asked, interpolate)
    diffusing = {
        **{"steps": steps, "guidance": guidance, "negative": negative, "width": width, "height": height},
        **{"low_memory": low_memory},
    }
    if _is_diffusion(shared.model):
        how = {key: asked[key] for key in ("truncation", "upscale")} | {"upscale_model": upscale_model} | diffusing
        orders = _orders(wishes, seed_list or [0], shared.model, shared, grid)
        return _diffuse(orders, diffusing, how, shared, interpolate is not None or grid is not None)
    for option, value in diffusing.items():
        if value not in (None, False):
            raise UsageError(
                f"--{option.replace('_', '-')} is for diffusion models",
                hint="name one: --model hf:organisation/name, or its folder",
            )
    name, better = models.choose(shared, "generate")
    how = {key: asked[key] for key in ("truncation", "upscale")} | {"upscale_model": upscale_model}
    if interpolate is not None:
        return _film(wishes, seed_list or [0], frames, name, how, shared)
    orders = _orders(wishes, seed_list or [0], name, shared, grid)
    return _draw(orders, name, better, how, grid, shared)


# -- what is asked for -------------------------------------------------------------------------------------------------


def _prompts(given: list[str] | None, file: Path | None) -> list[str]:
    found = list(given or [])
    if file is not None:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--prompts {file}: cannot be read as text ({type(error).__name__})") from None
        found += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not found:
            raise UsageError(f"--prompts {file}: holds no prompt", hint="write one a line")
    return found


def _seeds(text: str | None, seed: int | None, count: int) -> list[int]:
    """The seeds that the options name; empty when none does."""
    if text is None:
        return list(range(seed or 0, (seed or 0) + count)) if seed is not None or count > 1 else []
    if seed is not None or count > 1:
        raise UsageError("--seeds goes with neither --seed nor -n", hint="give one way of choosing seeds")
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if match is None or int(match[2] or match[1]) < int(match[1]) or int(match[2] or match[1]) >= 2**63:
            raise UsageError(
                f"--seeds {text}: '{part.strip()}' is not a seed or a range", hint="such as 0-35 or 3,7,20-29"
            )
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
        if len(found) > 100_000:
            raise UsageError(f"--seeds {text}: more than 100,000 pictures", hint="choose fewer")
    return list(dict.fromkeys(found))


def _repeated(
    old: Path, asked: dict[str, Any], seeds: list[int], shared: options.Shared
) -> tuple[dict[str, Any], list[int], options.Shared]:
    """Fill what is not said with what the record of an old picture says; options win."""
    from imgfix.media import image

    record = image.read_record(old)
    made = record.get("generate") if record is not None else None
    if not isinstance(made, dict):
        raise UsageError(
            f"--from {old}: holds no record of how it was drawn", hint="it needs a picture made by imgfix generate"
        )
    said = {
        "prompts": [made["prompt"]] if made.get("prompt") else [],
        "label": made.get("class"),
        "sound": Path(made["sound"]) if made.get("sound") else None,
        "image": Path(made["image"]) if made.get("image") else None,
        "strength": made.get("strength"),
        "truncation": made.get("truncation"),
        "upscale": made.get("upscale"),
    }
    asked = {key: asked[key] if asked[key] not in (None, []) else value for key, value in said.items()}
    if shared.model == "auto":
        shared = replace(shared, model=str(record.get("model", "auto")) if record else "auto")
    _warn_of_change(shared, record or {})
    return asked, seeds or [int(made.get("seed", 0))], shared


def _warn_of_change(shared: options.Shared, record: dict[str, object]) -> None:
    """Say so where the model of that name is no longer the file that drew the old picture."""
    from imgfix.zoo import catalog

    try:
        now = catalog.find(shared.model).sha256
    except ModelError:
        return
    if now and record.get("sha256") and now != record["sha256"]:
        shared.console.warn(
            f"{shared.model} is another file than the one that drew the old picture; results will differ"
        )


def _wishes(asked: dict[str, Any], interpolate: tuple[str, str] | None) -> list[Wish]:
    from imgfix.tasks.generate import Wish

    prompts = list(interpolate) if interpolate is not None else asked["prompts"] or [None]
    if interpolate is not None and asked["prompts"]:
        raise UsageError("--interpolate brings its own two prompts", hint="leave the other prompt out")
    for key in ("sound", "image"):
        if asked[key] is not None and not asked[key].is_file():
            raise UsageError(f"--{key} {asked[key]}: no such file")
    strength = {} if asked["strength"] is None else {"strength": float(asked["strength"])}
    return [
        Wish(prompt=prompt, label=asked["label"], sound=asked["sound"], image=asked["image"], **strength)
        for prompt in prompts
    ]


def _orders(
    wishes: list[Wish], seeds: list[int], name: str, shared: options.Shared, grid: Path | None
) -> list[Item[Order]]:
    """Every picture with its place; clashes are found here, before any work."""
    from imgfix.media import formats

    extension = formats.find(shared.format).extensions[0] if shared.format else ".png"
    many = len(wishes) * len(seeds) > 1
    items: list[Item[Order]] = []
    taken: set[Path] = set()
    for number, (wish, seed) in enumerate((w, s) for w in wishes for s in seeds):
        words = {
            **{"stem": _slug(wish), "prompt": _slug(wish), "seed": seed, "class": wish.label or "", "ext": extension},
            **{"model": models.label(name), "n": number + 1},
        }
        target = _target(shared, words, many, extension, grid)
        if target is not None and target in taken:
            target = target.with_name(f"{target.stem}_{number + 1}{target.suffix}")
        problem, skipped = None, None
        if target is not None:
            taken.add(target)
            formats.for_target(target, "PNG", shared.format)
            if target.exists() and shared.skip_existing:
                skipped = "the output exists already"
            elif target.exists() and not shared.overwrite:
                problem = OutputError(f"{target} exists already", hint="use --overwrite, --skip-existing or another -o")
        place = str(target) if target is not None else None if grid is not None else "-"
        source = f"{wish.prompt or wish.label or (wish.sound or wish.image or Path('-')).name}, seed {seed}"
        items.append(Item(source, place, Order(wish, seed, target), problem, skipped))
    if shared.output == "-" and many:
        raise UsageError("several results cannot go to standard output", hint="name a folder with -o")
    return items


def _target(
    shared: options.Shared, words: dict[str, Any], many: bool, extension: str, grid: Path | None
) -> Path | None:
    name = f"{words['prompt']}_{words['seed']}{extension}"
    output = shared.output
    if output is None:
        return None if grid is not None else Path(name)
    if output == "-":
        return None
    if "{" in output:
        try:
            return Path(output.format(**words))
        except (KeyError, ValueError, IndexError, AttributeError, TypeError):
            known = " ".join(f"{{{word}}}" for word in words)
            raise UsageError(f"the output template '{output}' cannot be filled", hint=f"known names: {known}") from None
    path = Path(output)
    if output.endswith("/") or path.is_dir() or not path.suffix:
        return path / name
    if many:
        raise UsageError(
            f"several pictures cannot all be written to the one file {output}",
            hint="name a folder (end it with '/'), a template such as 'out/{prompt}_{seed}.png', or --grid sheet.png",
        )
    return path


def _slug(wish: Wish) -> str:
    """A wish as it can stand in a file name."""
    parts = [wish.prompt, wish.label, wish.sound and wish.sound.stem, wish.image and wish.image.stem]
    words = "-".join(part for part in parts if part)
    return re.sub(r"[^\w]+", "-", words.lower()).strip("-")[:60] or "picture"


# -- drawing -----------------------------------------------------------------------------------------------------------


def _draw(
    items: list[Item[Order]],
    name: str,
    better: str | None,
    how: dict[str, Any],
    grid: Path | None,
    shared: options.Shared,
) -> int:
    import sys

    console, report = shared.console, Report(shared.console, shared.json)
    if shared.output == "-" and not shared.dry_run and sys.stdout.isatty():
        raise UsageError("a picture would be written to the terminal", hint="name a file with -o, or pipe it on")
    if grid is not None:
        _check_sheet(grid, shared)
    missing = models.bytes_to_pull(name)
    if shared.dry_run and missing is not None:
        console.say(f"would pull {name} ({size_in_words(missing)}) first")
        return batch.run(items, lambda order, tick: Outcome("", {"model": name}, "planned"), console, report)
    if all(item.problem or item.skipped for item in items) and grid is None:
        return batch.run(items, _never, console, report, unit="pictures")
    model = models.load(shared, "generate", name)
    if model.descriptor.net == "pix2pix":
        return _translate(items, model, name, how, shared)
    generator = _open(model, shared)
    console.say(f"{generator.descriptor.name} on {generator.placement}")
    if better:
        console.say(f"better: {better}, after imgfix weights pull {better}")
    for wish in dict.fromkeys(item.job.wish for item in items):
        _try(lambda wish=wish: generator.condition(wish))  # type: ignore[misc]  # wrong wishes end it before any work
        unknown = generator.unknown_words(wish.prompt) if wish.prompt else []
        if unknown:
            console.say(f"not in its vocabulary, so taken by their letters: {', '.join(unknown)}")
    side = round(generator.side * (how["upscale"] or 1))
    if shared.dry_run:
        facts = {"model": generator.descriptor.name, "output": {"width": side, "height": side}}
        return batch.run(items, lambda order, tick: Outcome(f"{side}x{side}", facts, "planned"), console, report)
    enlarge = _enlarger(how, shared)
    drawn: list[tuple[str, np.ndarray]] = []

    def work(order: Order, tick: Tick) -> Outcome:
        start = time.monotonic()
        pixels = generator.draw(order.wish, order.seed, 1.0 if how["truncation"] is None else how["truncation"])
        if enlarge is not None:
            pixels = enlarge(pixels)
        if grid is not None:
            drawn.append((order.wish.prompt or order.wish.label or "", pixels))
        facts = {
            **{"prompt": order.wish.prompt, "class": order.wish.label, "seed": order.seed},
            **{"model": generator.descriptor.name, "output": {"width": pixels.shape[1], "height": pixels.shape[0]}},
        }
        if order.target is not None or grid is None:
            _write(order, pixels, _record(order.wish, order.seed, how, name, generator.descriptor, shared), shared)
        seconds = time.monotonic() - start
        line = f"{pixels.shape[1]}x{pixels.shape[0]}, {time_in_words(seconds)}"
        return Outcome(line, {**facts, "seconds": round(seconds, 3)})

    code = batch.run(items, work, console, report, unit="pictures")
    if grid is not None and drawn and code in (ExitCode.OK, ExitCode.SOME_FAILED):
        _write_sheet(grid, drawn, shared)
    return code


def _never(order: Order, tick: Tick) -> Outcome:
    raise AssertionError("an item without work was worked on")


def _try(action: Callable[[], Any]) -> Any:
    """Do something with what was asked for; an input that cannot be read makes the command line senseless."""
    try:
        return action()
    except InputError as error:
        raise UsageError(error.message, error.hint) from error


def _open(model: Model, shared: options.Shared) -> Generator:
    from imgfix.tasks.generate import Generator

    return Generator(model, shared.device)


def _is_diffusion(name: str) -> bool:
    """Whether a model's name means a diffusion pipeline; as `imgfix.tasks.diffusion`, but without loading torch."""
    return name.startswith("hf:") or (Path(name).expanduser() / "model_index.json").is_file()


def _diffuse(
    items: list[Item[Order]], asked: dict[str, Any], how: dict[str, Any], shared: options.Shared, unfit: bool
) -> int:
    """Draw with a diffusion pipeline, which takes a prompt and perhaps a picture."""
    from imgfix.media import image
    from imgfix.tasks.diffusion import Diffusion, DiffusionOptions

    wanted = DiffusionOptions(**asked)
    for wish in {item.job.wish for item in items}:
        if wish.prompt is None or wish.label is not None or wish.sound is not None:
            raise UsageError(
                f"{shared.model} takes a prompt, and perhaps --image", hint="leave --class and --sound out"
            )
    if unfit or how["truncation"] is not None:
        raise UsageError("--interpolate, --grid and --truncation are not for diffusion models", hint="leave them out")
    if all(item.problem or item.skipped for item in items):
        return batch.run(items, _never, shared.console, Report(shared.console, shared.json), unit="pictures")
    console, report = shared.console, Report(shared.console, shared.json)
    if shared.dry_run:
        return batch.run(items, lambda order, tick: Outcome("", {"model": shared.model}, "planned"), console, report)
    pipeline = Diffusion(shared.model, shared.device, offline=shared.offline)
    console.say(f"{shared.model} on {pipeline.placement}")
    enlarge = _enlarger(how, shared)

    def work(order: Order, tick: Tick) -> Outcome:
        wish = order.wish
        start = image.read(wish.image) if wish.image is not None else None
        assert wish.prompt is not None
        pixels = pipeline.draw(wish.prompt, order.seed, wanted, picture=start, strength=wish.strength)
        pixels = pixels if enlarge is None else enlarge(pixels)
        _write(order, pixels, _record(wish, order.seed, how, shared.model, None, shared), shared)
        facts = {"model": shared.model, "output": {"width": pixels.shape[1], "height": pixels.shape[0]}}
        return Outcome(f"{pixels.shape[1]}x{pixels.shape[0]}", facts)

    return batch.run(items, work, console, report, unit="pictures")


def _translate(items: list[Item[Order]], model: Model, name: str, how: dict[str, Any], shared: options.Shared) -> int:
    """Draw with a pix2pix network, which takes a picture and nothing else."""
    from imgfix.media import image
    from imgfix.tasks.translate import Translator

    for wish in {item.job.wish for item in items}:
        if wish.image is None or wish.prompt or wish.label or wish.sound:
            raise UsageError(f"{name} takes a picture and nothing else", hint="imgfix generate --image sketch.png")
    if len(items) > 1:
        raise UsageError(f"{name} draws one picture of each input, whatever the seed", hint="leave -n and --seeds out")
    translator = Translator(model, shared.device)
    console, report = shared.console, Report(shared.console, shared.json)
    console.say(f"{translator.descriptor.name} on {translator.placement}")
    enlarge = None if shared.dry_run else _enlarger(how, shared)

    def work(order: Order, tick: Tick) -> Outcome:
        assert order.wish.image is not None
        size = (translator.side, translator.side)
        if translator.colours:
            header = image.inspect(order.wish.image)
            size = (header.width, header.height)
        width, height = (round(length * (how["upscale"] or 1)) for length in size)
        facts = {"model": translator.descriptor.name, "output": {"width": width, "height": height}}
        if shared.dry_run:
            return Outcome(f"{width}x{height}", facts, "planned")
        pixels = translator.draw(image.read(order.wish.image))
        pixels = pixels if enlarge is None else enlarge(pixels)
        _write(order, pixels, _record(order.wish, order.seed, how, name, translator.descriptor, shared), shared)
        return Outcome(f"{pixels.shape[1]}x{pixels.shape[0]}", facts)

    return batch.run(items, work, console, report, unit="pictures")


def _enlarger(how: dict[str, Any], shared: options.Shared) -> Callable[[np.ndarray], np.ndarray] | None:
    """What enlarges a drawn picture, its opacity too; None when nothing shall."""
    if how["upscale"] is None or how["upscale"] == 1:
        return None
    from imgfix.tasks.upscale import UpscaleOptions, upscale

    factor = float(how["upscale"])
    wanted = replace(shared, model=how["upscale_model"])
    name, _ = models.choose(wanted, "upscale", round(factor))
    engine: Engine = models.open_engine(wanted, "upscale", name)
    shared.console.say(f"enlarged by {engine.descriptor.name}")

    def enlarge(pixels: np.ndarray) -> np.ndarray:
        import numpy as np

        transparent = pixels.shape[2] == 4
        colours = np.ascontiguousarray(pixels[..., :3] if transparent else pixels)
        alpha = np.ascontiguousarray(pixels[..., 3]) if transparent else None
        return upscale(colours, engine, UpscaleOptions(scale=factor), alpha=alpha)

    return enlarge


def _write(order: Order, pixels: np.ndarray, record: dict[str, Any] | None, shared: options.Shared) -> None:
    import sys

    from imgfix.media import image

    transparent = pixels.shape[2] == 4
    target = order.target if order.target is not None else sys.stdout.buffer
    with image.open_writer(
        target,
        width=pixels.shape[1],
        height=pixels.shape[0],
        channels=3 if transparent else pixels.shape[2],
        dtype=pixels.dtype,
        alpha=transparent,
        metadata=image.Metadata(),
        format=shared.format,
        quality=shared.quality,
        record=record,
    ) as writer:
        writer.write(pixels)


def _check_sheet(grid: Path, shared: options.Shared) -> None:
    from imgfix.media import formats

    formats.for_target(grid, "PNG", None)
    if grid.exists() and not shared.overwrite and not shared.dry_run:
        raise OutputError(f"{grid} exists already", hint="use --overwrite or another --grid")


def _write_sheet(grid: Path, drawn: list[tuple[str, np.ndarray]], shared: options.Shared) -> None:
    from imgfix.media import image
    from imgfix.tasks.squares import contact_sheet

    pictures = [pixels for _, pixels in drawn]
    side = pictures[0].shape[0]
    times = max(1, min(128 // side, _SHEET // max(1, round(len(pictures) ** 0.5) * side)))
    pictures = [pixels.repeat(times, 0).repeat(times, 1) for pixels in pictures]
    labels = [label for label, _ in drawn] if len({label for label, _ in drawn}) > 1 else []
    sheet = contact_sheet(pictures, labels)
    record = {"command": "imgfix generate --grid", "version": __version__} if shared.record else None
    image.write(grid, image.Picture(sheet), quality=shared.quality, record=record)
    shared.console.say(f"{len(pictures)} pictures on {grid}")


def _film(
    wishes: list[Wish], seeds: list[int], frames: int, name: str, how: dict[str, Any], shared: options.Shared
) -> int:
    from imgfix.tasks.morph_files import check_target, write_frames

    target = Path(shared.output or f"{_slug(wishes[0])}-{_slug(wishes[1])}.mp4")
    if shared.output == "-" or target.is_dir():
        raise UsageError("--interpolate writes one film", hint="name it with -o, such as -o morph.mp4")
    check_target(target)
    source = f"{wishes[0].prompt} .. {wishes[1].prompt}"
    exists = OutputError(f"{target} exists already", hint="use --overwrite or another -o")
    item = Item(source, str(target), wishes, exists if target.exists() and not shared.overwrite else None)
    console, report = shared.console, Report(shared.console, shared.json)
    if item.problem is not None:
        return batch.run([item], _never, console, report)  # type: ignore[arg-type]
    missing = models.bytes_to_pull(name)
    if shared.dry_run and missing is not None:
        console.say(f"would pull {name} ({size_in_words(missing)}) first")
        return batch.run([item], lambda _, tick: Outcome(f"{frames} frames", {}, "planned"), console, report)
    generator = _open(models.load(shared, "generate", name), shared)
    console.say(f"{generator.descriptor.name} on {generator.placement}")
    for wish in wishes:
        _try(lambda wish=wish: generator.condition(wish))  # type: ignore[misc]
    if shared.dry_run:
        return batch.run([item], lambda _, tick: Outcome(f"{frames} frames", {}, "planned"), console, report)
    enlarge = _enlarger(how, shared)

    def work(asked: list[Wish], tick: Tick) -> Outcome:
        truncation = 1.0 if how["truncation"] is None else how["truncation"]
        way = generator.morph(asked, frames, [seeds[0], seeds[-1]], truncation)

        def ticking() -> Any:
            for number, frame in enumerate(way, 1):
                yield frame if enlarge is None else enlarge(frame)
                tick(number, frames)

        write_frames(target, ticking())
        return Outcome(f"{frames} frames", {"frames": frames, "model": generator.descriptor.name})

    return batch.run([item], work, console, report, unit="frames")


def _record(
    wish: Wish, seed: int, how: dict[str, Any], name: str, descriptor: Descriptor | None, shared: options.Shared
) -> dict[str, Any] | None:
    """How a picture was drawn: what `--from` reads, and the command that draws it again; None under --no-record."""
    if not shared.record:
        return None
    made: dict[str, Any] = {
        "prompt": wish.prompt,
        "class": wish.label,
        "sound": str(wish.sound) if wish.sound else None,
        "image": str(wish.image) if wish.image else None,
        "strength": wish.strength if wish.image else None,
        "seed": seed,
        "truncation": how["truncation"],
        "upscale": how["upscale"],
        **{key: how[key] for key in ("steps", "guidance", "negative", "width", "height") if key in how},
    }
    words = ["imgfix", "generate", *([wish.prompt] if wish.prompt else []), "--model", name]
    for key, value in made.items():
        if key != "prompt" and value is not None:
            words += [f"--{key}", f"{value:g}" if isinstance(value, float) else str(value)]
    record: dict[str, Any] = {
        "command": shlex.join(words),
        "model": name,
        "version": __version__,
        "generate": {key: value for key, value in made.items() if value is not None},
    }
    if descriptor is not None:
        record["sha256"] = descriptor.sha256
    return record
