"""`imgfix restore`: noise, JPEG artefacts, blur, darkness, rain, haze, scratches."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from imgfix.cli import batch, clips, complete, models, options, pictures
from imgfix.cli.clips import ClipOptions
from imgfix.cli.console import Tick, size_in_words, time_in_words
from imgfix.cli.report import Outcome, Report
from imgfix.cli.restore_clips import ClipWork
from imgfix.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from imgfix.media.image import Picture
    from imgfix.media.jobs import Job
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.engines import Engines
    from imgfix.tasks.estimate import Damage
    from imgfix.tasks.restore import RestoreOptions, Step

EPILOG = options.examples(
    "imgfix restore photo.jpg",
    "imgfix restore night.jpg --light --denoise auto",
    "imgfix restore scans/ -r -o clean/ --scratches --denoise off",
    "imgfix restore shaky.png --deblur --strength 0.8",
    "imgfix restore clip.mp4 --denoise 15 --start 0:10 --end 0:20",
)

_DAMAGE = "What to undo"
_LONG = 30.0  # seconds; work that takes longer is announced with an estimate

Denoise = Annotated[
    str | None,
    typer.Option(
        "--denoise", metavar="auto|SIGMA|off", rich_help_panel=_DAMAGE, show_default=False,
        help="Noise; SIGMA is its standard deviation, of 255. auto looks for it, and leaves a clean picture alone.",
    ),
]  # fmt: skip
Jpeg = Annotated[
    str | None,
    typer.Option(
        "--jpeg", metavar="auto|QUALITY|off", rich_help_panel=_DAMAGE, show_default=False,
        help="JPEG artefacts; auto reads the quality from the file, or from the pixels of what was a JPEG once.",
    ),
]  # fmt: skip
Deblur = Annotated[bool, typer.Option("--deblur", rich_help_panel=_DAMAGE, help="Motion blur.")]
Light = Annotated[bool, typer.Option("--light", rich_help_panel=_DAMAGE, help="Brighten what was taken in the dark.")]
Derain = Annotated[bool, typer.Option("--derain", rich_help_panel=_DAMAGE, help="Streaks of rain.")]
Dehaze = Annotated[bool, typer.Option("--dehaze", rich_help_panel=_DAMAGE, help="Haze and fog.")]
Scratches = Annotated[
    bool,
    typer.Option("--scratches", rich_help_panel=_DAMAGE, help="Find scratches and dust of scans, and fill them."),
]
SaveMask = Annotated[
    str | None,
    typer.Option(
        "--save-mask", metavar="PATH", rich_help_panel=_DAMAGE, show_default=False,
        help="Also write what --scratches found, white = filled: a file, or a folder for several inputs.",
    ),
]  # fmt: skip
Strength = Annotated[
    float,
    typer.Option(
        "--strength", min=0, max=1, metavar="N", rich_help_panel=_DAMAGE,
        help="Share of the result; the rest is the input. Scratches are filled in full.",
    ),
]  # fmt: skip
ModelName = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="NAME",
        help=options.MODEL_HELP + " A named model does what it is for; the rest is left to auto.",
        rich_help_panel="Model and machine", autocompletion=complete.models("restore"),
    ),
]  # fmt: skip


def command(
    context: typer.Context,
    inputs: options.Inputs,
    denoise: Denoise = None,
    jpeg: Jpeg = None,
    deblur: Deblur = False,
    light: Light = False,
    derain: Derain = False,
    dehaze: Dehaze = False,
    scratches: Scratches = False,
    save_mask: SaveMask = None,
    strength: Strength = 1.0,
    output: options.Output = None,
    format: options.Format = None,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    skip_existing: options.SkipExisting = False,
    no_record: options.NoRecord = False,
    codec: clips.Codec = None,
    crf: clips.Crf = None,
    preset: clips.Preset = None,
    pix_fmt: clips.PixFmt = None,
    encoder_option: clips.EncoderOption = None,
    start: clips.Start = None,
    end: clips.End = None,
    no_audio: clips.NoAudio = False,
    fps: clips.Fps = None,
    deinterlace: clips.Deinterlace = "auto",
    frames: clips.Frames = False,
    resume: clips.Resume = False,
    model: ModelName = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    tile: options.Tile = "auto",
    offline: options.Offline = False,
    recursive: options.Recursive = False,
    max_pixels: options.MaxPixels = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Undo damage: noise, JPEG artefacts, blur, darkness, rain, haze, scratches.

    Without any of them named it looks for noise and JPEG artefacts and removes what it finds. Several are undone in
    the reverse of the order in which they come about: scratches, JPEG, noise, light, blur, rain, haze. Of a clip the
    first frames are looked at, and all are treated alike; one with nothing to undo is copied and not encoded again.
    """
    shared = options.Shared.of(context)
    moving = ClipOptions.of(context)
    from imgfix.tasks.restore import RestoreOptions

    if save_mask is not None and not scratches:
        raise UsageError("--save-mask writes what --scratches finds", hint="add --scratches")
    named = models.choose(shared, "restore")[0] if model != "auto" else None
    plain = RestoreOptions(
        denoise=_level(denoise), jpeg=_quality(jpeg), light=light, deblur=deblur, derain=derain, dehaze=dehaze,
        strength=strength, tile=shared.tile,
    )  # fmt: skip
    moving.check()
    engines = _engines(shared, named)
    wanted = _filled(plain, named, scratches, off=(denoise == "off", jpeg == "off"))
    if frames:
        items = clips.folder_items(shared, "_restored")
    else:
        variables = {"model": models.label(named) if named else "auto"}
        items = pictures.find_jobs(shared, "_restored", variables, kinds=("image", "video"))
    masks = _Masks(save_mask, len(items), shared)
    report = Report(shared.console, shared.json)
    if all(item.problem or item.skipped for item in items):  # no need to load anything
        return batch.run(items, pictures.never, shared.console, report)
    items = clips.with_units(items, shared)
    run = _Run(
        _Work(wanted, scratches, masks, engines, named or "auto", clips.without_container(shared), context),
        ClipWork(wanted, scratches, engines, named or "auto", moving, shared, context),
        shared,
    )
    if dry_run and named and (missing := models.bytes_to_pull(named)) is not None:
        shared.console.say(f"would pull {named} ({size_in_words(missing)}) first; tiles and time are known after that")
        return batch.run(items, lambda job, tick: run.plan_unseen(job), shared.console, report)
    engines.prepare(wanted)
    if dry_run:
        return batch.run(items, lambda job, tick: run.plan(job), shared.console, report)
    return batch.run(items, run.work, shared.console, report)


@dataclass(frozen=True)
class _Run:
    """One command: what is done with each file, by its kind."""

    still: _Work
    clip: ClipWork
    shared: options.Shared

    def work(self, job: Job, tick: Tick) -> Outcome:
        """Restore one file."""
        kind = clips.kind_of(job, self.shared)
        return self.still.restore(job, tick) if kind == "image" else self.clip.restore(job, kind, tick)

    def plan(self, job: Job) -> Outcome:
        """What one file would take."""
        kind = clips.kind_of(job, self.shared)
        return self.still.plan(job) if kind == "image" else self.clip.plan(job, kind)

    def plan_unseen(self, job: Job) -> Outcome:
        """What can be said of one file before the model is on this machine."""
        kind = clips.kind_of(job, self.shared)
        return _plan_unseen(job, self.still.shared) if kind == "image" else self.clip.plan_unseen(job, kind)


def _level(text: str | None) -> float | Literal["auto"] | None:
    """`--denoise`: a number, `auto`, or None for `off` and nothing."""
    if text in (None, "off"):
        return None
    if text == "auto":
        return "auto"
    try:
        return float(text)  # type: ignore[arg-type]
    except ValueError:
        raise UsageError(f"--denoise {text}: not a level", hint="give auto, off, or a number such as 15") from None


def _quality(text: str | None) -> int | Literal["auto"] | None:
    """`--jpeg`: a number, `auto`, or None for `off` and nothing."""
    if text in (None, "off"):
        return None
    if text == "auto":
        return "auto"
    assert text is not None
    if not text.isdecimal():
        raise UsageError(f"--jpeg {text}: not a quality", hint="give auto, off, or a number from 1 to 100")
    return int(text)


def _filled(plain: RestoreOptions, named: str | None, scratches: bool, off: tuple[bool, bool]) -> RestoreOptions:
    """What is undone when little or nothing is named. Raises UsageError when nothing is left to do."""
    own = models.jobs_of(named) if named is not None else None
    if named is not None and own is not None:
        plain.check(named, own)
    if scratches and named is None and not plain.jobs_named:
        return plain
    filled = plain.filled(own, off=[job for job, on in zip(("noise", "jpeg"), off, strict=True) if on])
    if not filled.jobs_named:
        raise UsageError("with --denoise off and --jpeg off nothing is left to do", hint="name what to undo")
    return filled


def _engines(shared: options.Shared, named: str | None) -> Engines:
    """The models of a command: each is announced when it is loaded. Raises ModelError."""
    from imgfix.tasks.engines import Engines

    def load(name: str, task: str, better: str | None) -> Engine:
        engine = models.open_engine(shared, task, name)
        models.announce(shared, engine, better)
        return engine

    return Engines(load, named, models.jobs_of(named) if named else ())


@dataclass(frozen=True)
class _Masks:
    """Where --save-mask writes."""

    place: str | None
    inputs: int
    shared: options.Shared

    def __post_init__(self) -> None:
        if self.place is not None and self.inputs > 1 and not self._is_folder:
            raise UsageError(
                f"--save-mask {self.place}: one file for {self.inputs} inputs",
                hint="name a folder, with a '/' at its end",
            )

    @property
    def _is_folder(self) -> bool:
        assert self.place is not None
        return self.place.endswith(("/", "\\")) or Path(self.place).is_dir()

    def path(self, job: Job) -> Path | None:
        """The mask file of a job. Raises OutputError when it exists and is not to be replaced."""
        from imgfix.errors import OutputError

        if self.place is None:
            return None
        place = Path(self.place)
        if self._is_folder:
            stem = job.source.stem if isinstance(job.source, Path) else "stdin"
            place = place / job.relative.parent / f"{stem}_mask.png"
        if os.path.realpath(place) in [os.path.realpath(p) for p in (job.source, job.target) if isinstance(p, Path)]:
            raise OutputError(f"{place}: the mask would be written over the picture", hint="choose another --save-mask")
        if place.exists() and not self.shared.overwrite:
            raise OutputError(f"{place} exists", hint="add --overwrite, or choose another --save-mask")
        return place


@dataclass(frozen=True)
class _Work:
    """What the command line asks for, done to one picture at a time."""

    wanted: RestoreOptions
    scratches: bool
    masks: _Masks
    engines: Engines
    model: str
    """As it would be named on the command line."""
    shared: options.Shared
    context: typer.Context

    def restore(self, job: Job, tick: Tick) -> Outcome:
        """Restore one picture."""
        from imgfix.media import colour, image
        from imgfix.media.unchanged import write_unchanged
        from imgfix.tasks.restore import Restore, quality_to_write

        start = time.monotonic()
        mask_path = self.masks.path(job)
        source = pictures.source(job)
        picture = pictures.read(job, self.shared, source)
        transform = colour.transform(picture.metadata, picture.channels)
        said: list[str] = []
        facts: dict[str, Any] = {}
        pixels = self._scratches(picture, mask_path, tick, said, facts) if self.scratches else picture.pixels
        found, made, notes = self._steps(picture, pixels)
        reading = [*picture.metadata.notes, *([transform.note] if transform.note else [])]
        said += found_in_words(found, made)
        if not made and pixels is picture.pixels:
            written = write_unchanged(
                source, picture, pictures.sink(job), format=self.shared.format, quality=self.shared.quality
            )
            if written is None:  # of a file that is copied nothing is lost, whatever was not understood of it
                facts["copied"], reading, written = True, [], []
        else:
            work = Restore(pixels, made, self.wanted, alpha=picture.alpha, colour=transform)
            made = work.steps
            if work.tiles > 4 and (expected := work.seconds()) > _LONG:
                self.shared.console.say(f"{job.source}: about {time_in_words(expected)}")
            names = [step.engine.descriptor for step in made]
            quality = self.shared.quality or quality_to_write(made, picture.metadata.jpeg)
            writer = image.open_writer(
                pictures.sink(job), width=picture.width, height=picture.height, channels=picture.channels,
                dtype=picture.pixels.dtype, alpha=picture.alpha is not None, metadata=picture.metadata,
                format=self.shared.format, quality=quality,
                record=pictures.record(self.context, self.shared, job, self.model, names[0] if names else None),
            )  # fmt: skip
            with writer:
                at = 0
                for band in work.bands(tick) if made else [pixels]:
                    writer.write(_with_alpha(band, picture, at))
                    at += len(band)
            written = writer.notes
            if writer.format == "JPEG" and quality != self.shared.quality:
                said.append(f"written at quality {quality}")
        seconds = time.monotonic() - start
        facts = {
            "input": {"width": picture.width, "height": picture.height, "format": picture.metadata.format},
            "output": {"width": picture.width, "height": picture.height, "bytes": pictures.bytes_written(job)},
            **facts_of(found, made),
            **facts,
            "seconds": round(seconds, 3),
        }
        line = ", ".join([*said, time_in_words(seconds)])
        return Outcome(line, facts, warnings=pictures.unique(reading, notes, written))

    def plan(self, job: Job) -> Outcome:
        """What restoring would take: the damage is looked for, nothing is undone."""
        from imgfix.tasks.restore import Restore

        picture = pictures.read(job, self.shared)
        found, made, notes = self._steps(picture, picture.pixels)
        said = found_in_words(found, made)
        facts: dict[str, Any] = {"input": _size(picture), "output": _size(picture), **facts_of(found, made)}
        if self.scratches:
            from imgfix.tasks import scratches

            share = float((scratches.find(_rgb(picture)) > 0).mean())
            said.append(f"scratches on {100 * share:.2f} %")
            facts["coverage"] = round(share, 6)
        if made:
            work = Restore(picture.pixels, made, self.wanted)
            facts |= facts_of(found, work.steps)
            seconds = work.seconds()
            said.append(f"{work.tiles} {'tile' if work.tiles == 1 else 'tiles'}, about {time_in_words(seconds)}")
            facts |= {"tiles": work.tiles, "seconds": round(seconds, 1)}
        return Outcome(", ".join(said), facts, status="planned", warnings=tuple(notes))

    def _steps(self, picture: Picture, pixels: np.ndarray) -> tuple[Damage | None, list[Step], list[str]]:
        from imgfix.media import colour
        from imgfix.tasks import restore

        found = None
        if self.wanted.estimates:
            transform = colour.transform(picture.metadata, picture.channels)
            found = restore.find(pixels, transform, picture.metadata.jpeg)
        made, notes = restore.steps(self.wanted, found, self.engines)
        return found, made, notes

    def _scratches(
        self, picture: Picture, mask_path: Path | None, tick: Tick, said: list[str], facts: dict[str, Any]
    ) -> np.ndarray:
        """The pixels with what was found filled; the same array where nothing was found."""
        import numpy as np

        from imgfix.media import colour, image
        from imgfix.media import mask as masks
        from imgfix.media.image import Picture
        from imgfix.tasks import scratches
        from imgfix.tasks.inpaint import InpaintOptions, inpaint

        mask = scratches.find(_rgb(picture))
        share = masks.coverage(mask)
        facts["coverage"] = round(share, 6)
        if mask_path is not None:
            image.write(mask_path, Picture((mask * 255).astype(np.uint8)[..., None]))
        if share == 0:
            said.append("no scratches found")
            return picture.pixels
        said.append(f"scratches on {masks.percent(share)} filled")
        filler = self.engines.filler()
        transform = colour.transform(picture.metadata, picture.channels)
        facts["filler"] = filler if isinstance(filler, str) else filler.descriptor.name
        how = InpaintOptions(tta=False)
        return inpaint(picture.pixels, mask, filler, how, colour=transform, alpha=picture.alpha, progress=tick)


def _plan_unseen(job: Job, shared: options.Shared) -> Outcome:
    """What can be said before the model is on this machine: the size."""
    header = pictures.inspect(job, shared)
    size = {"width": header.width, "height": header.height}
    return Outcome(f"{header.width}x{header.height}", {"input": size, "output": size}, status="planned")


def found_in_words(found: Damage | None, made: list[Step]) -> list[str]:
    """What was found and what is done about it, for the line of a file."""
    words = [f"found {found.in_words()}"] if found is not None else []
    if made:
        return [*words, *(step.in_words() for step in made)]
    return [*words, "nothing to do"] if found is not None else words


def facts_of(found: Damage | None, made: list[Step]) -> dict[str, Any]:
    """The same for the report."""
    facts: dict[str, Any] = {}
    if found is not None:
        facts |= {"noise": round(found.noise, 2), "jpeg": found.jpeg}
    facts["steps"] = [
        {
            "undoes": list(step.jobs), "model": step.engine.descriptor.name, "level": step.level,
            "device": str(step.engine.placement.device), "precision": step.engine.placement.precision,
        }
        for step in made
    ]  # fmt: skip
    return facts


def _with_alpha(band: np.ndarray, picture: Picture, at: int) -> np.ndarray:
    import numpy as np

    if picture.alpha is None:
        return band
    return np.ascontiguousarray(np.concatenate([band, picture.alpha[at : at + len(band), :, None]], axis=2))


def _rgb(picture: Picture) -> np.ndarray:
    """The picture as (H, W, 3) float32 in [0, 1], sRGB-encoded."""
    from imgfix.media import colour

    return colour.transform(picture.metadata, picture.channels).to_srgb(picture.pixels)


def _size(picture: Picture) -> dict[str, int]:
    return {"width": picture.width, "height": picture.height}
