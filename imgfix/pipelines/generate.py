"""Pictures drawn from words, a class, a sound or another picture; sheets of them, and films from one to another."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from imgfix import __version__
from imgfix.errors import InputError, ModelError, OutputError, UsageError
from imgfix.media.names import shell_word
from imgfix.pipelines import models
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.models import Listener, ModelChoice, Models
from imgfix.pipelines.option_names import option
from imgfix.pipelines.options import GenerateRequest, Machine, Saving
from imgfix.pipelines.result import DrawnFacts, FileFacts, Plan, Progress, Result, Runner, unseen

if TYPE_CHECKING:
    from imgfix.tasks.diffusion import Diffusion
    from imgfix.tasks.generate import GenerationRequest, Generator
    from imgfix.tasks.translate import Translator
    from imgfix.zoo.descriptor import Descriptor, Model

_SHEET = 2000  # pixels of a sheet's longer side, above which its pictures are not enlarged
_MOST_SEEDS = 100_000


@dataclass(frozen=True)
class Order:
    """One picture to draw."""

    wish: GenerationRequest
    seed: int
    target: Path | None
    """None: a stream, memory, or only a place on the sheet."""
    error: OutputError | None = None
    """Why it cannot be done; the others can."""
    skip: str | None = None
    """Why it need not be done."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        wish = self.wish
        return f"{wish.prompt or wish.label or (wish.sound or wish.image or Path('-')).name}, seed {self.seed}"


class _Drawer(Protocol):
    """A model that draws, whatever it draws from."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def descriptor(self) -> Descriptor | None:
        """Of the model, where it is one of ours."""

    def size(self, order: Order) -> tuple[int, int] | None:
        """Width and height of what it draws; None: not known before."""

    def draw(self, order: Order) -> np.ndarray:
        """(H, W, C) uint8: grey, RGB, or RGB with opacity."""

    def facts(self, order: Order) -> DrawnFacts:
        """What it is drawn from, and what became of the words."""


class GeneratePipeline:
    """`imgfix generate`. Raises UsageError, ModelError when what was asked for makes no sense or no model is there."""

    verb = "generate"

    def __init__(
        self,
        request: GenerateRequest,
        saving: Saving | None = None,
        machine: Machine | None = None,
        listener: Listener | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        """loaded: models that other pipelines left ready."""
        self.request, self.saving, self.machine = request, saving or Saving(), machine or Machine()
        self.listener = listener or Listener()
        self.prompts = _prompts(request)
        self.seeds = _seeds(request)
        if request.like is not None:
            self._repeat(request.like)
        self.seeds = self.seeds or [0]
        self.wishes = self._wishes()
        self.models = Models(self.machine, self.listener, loaded)
        self.names: Mapping[str, str] = {}
        """What files are called in records, where that is not their path."""
        self.diffuses = isinstance(self.machine.model, str | Path) and _is_diffusion(str(self.machine.model))
        self.choice = self._choose()
        self.film = self._film_target() if request.interpolate is not None else None
        self.orders = [] if self.film is not None else self._orders()
        if request.grid is not None:
            self._check_sheet(request.grid)
        self._drawer: _Drawer | None = None
        self._enlarge: Callable[[np.ndarray], np.ndarray] | None = None
        self._drawn: list[tuple[str, np.ndarray]] = []

    # -- what is asked for ---------------------------------------------------------------------------------------------

    def _repeat(self, old: Path) -> None:
        """Fill what is not said with what the record of an old picture says; what is said wins."""
        from imgfix.media import image

        record = image.read_record(old)
        made = record.get("generate") if record is not None else None
        if not isinstance(made, dict):
            raise UsageError(
                f"`like` {old}: holds no record of how it was drawn", hint="it needs a picture made by imgfix generate"
            )
        said: dict[str, Any] = {
            "label": made.get("class"),
            "sound": Path(made["sound"]) if made.get("sound") else None,
            "image": Path(made["image"]) if made.get("image") else None,
            "strength": made.get("strength"),
            "truncation": made.get("truncation"),
            "upscale": made.get("upscale"),
        }
        self.request = replace(
            self.request, **{key: value for key, value in said.items() if getattr(self.request, key) is None}
        )
        self.prompts = self.prompts or ([made["prompt"]] if made.get("prompt") else [])
        self.seeds = self.seeds or [int(made.get("seed", 0))]
        if self.machine.model == "auto":
            self.machine = replace(self.machine, model=str(record.get("model", "auto")) if record else "auto")
        self._warn_of_change(record or {})

    def _warn_of_change(self, record: dict[str, object]) -> None:
        """Say so where the model of that name is no longer the file that drew the old picture."""
        from imgfix.zoo import catalog

        try:
            now = catalog.find(str(self.machine.model)).sha256
        except ModelError:
            return
        if now and record.get("sha256") and now != record["sha256"]:
            self.listener.warned(
                f"{self.machine.model} is another file than the one that drew the old picture; results will differ"
            )

    def _wishes(self) -> list[GenerationRequest]:
        from imgfix.tasks.generate import GenerationRequest

        asked = self.request
        prompts: list[Any] = list(asked.interpolate or ()) or self.prompts or [None]
        if asked.interpolate is not None and self.prompts:
            raise UsageError("`interpolate` brings its own two prompts", hint="leave the other prompt out")
        for key, file in (("sound", asked.sound), ("image", asked.image)):
            if file is not None and not Path(file).is_file():
                raise UsageError(f"`{key}` {file}: no such file")
        strength = {} if asked.strength is None else {"strength": float(asked.strength)}
        sound, image = (Path(file) if file is not None else None for file in (asked.sound, asked.image))
        return [
            GenerationRequest(prompt=prompt, label=asked.label, sound=sound, image=image, **strength)
            for prompt in prompts
        ]

    def _choose(self) -> ModelChoice:
        if self.diffuses:
            self._check_diffusion()
            return ModelChoice(str(self.machine.model))
        for field, value in self.request.diffusion.items():
            if value not in (None, False):
                raise UsageError(
                    f"`{field}` is for diffusion models",
                    hint="name one as `model`: hf:organisation/name, or its folder",
                )
        given = self.machine.model
        if isinstance(given, str | Path):
            return self.models.choose("generate")
        from imgfix.tasks.generate import Generator

        return self.models.choose("generate") if not isinstance(given, Generator) else ModelChoice(
            given.descriptor.name, given=given
        )  # fmt: skip

    def _check_diffusion(self) -> None:
        for wish in self.wishes:
            if wish.prompt is None or wish.label is not None or wish.sound is not None:
                raise UsageError(
                    f"{self.machine.model} takes a prompt, and perhaps `image`", hint="leave `label` and `sound` out"
                )
        asked = self.request
        if asked.interpolate is not None or asked.grid is not None or asked.truncation is not None:
            raise UsageError(
                "`interpolate`, `grid` and `truncation` are not for diffusion models", hint="leave them out"
            )

    def _orders(self) -> list[Order]:
        """Every picture with its place; clashes are found here, before any work."""
        from imgfix.media import formats

        saving = self.saving
        extension = formats.find(saving.format).extensions[0] if saving.format else ".png"
        many = len(self.wishes) * len(self.seeds) > 1
        orders: list[Order] = []
        taken: set[Path] = set()
        for number, (wish, seed) in enumerate((w, s) for w in self.wishes for s in self.seeds):
            words = {
                **{"stem": _slug(wish), "prompt": _slug(wish), "seed": seed, "class": wish.label or ""},
                **{"ext": extension, "model": models.label(self.choice), "n": number + 1},
            }
            target = self._target(words, many, extension)
            if target is not None and target in taken:
                target = target.with_name(f"{target.stem}_{number + 1}{target.suffix}")
            error, skip = None, None
            if target is not None:
                taken.add(target)
                formats.for_target(target, "PNG", saving.format)
                if target.exists() and saving.skip_existing:
                    skip = "the output exists already"
                elif target.exists() and not saving.overwrite:
                    error = OutputError(
                        f"{target} exists already", hint="use `overwrite`, `skip_existing` or another `output`"
                    )
            orders.append(Order(wish, seed, target, error, skip))
        if saving.output == "-" and many:
            raise UsageError("several results cannot go to standard output", hint="name a folder with `output`")
        return orders

    def _target(self, words: dict[str, Any], many: bool, extension: str) -> Path | None:
        name = f"{words['prompt']}_{words['seed']}{extension}"
        if self.saving.output is None:
            return None if self.request.grid is not None else Path(name)
        output = str(self.saving.output)
        if output == "-":
            return None
        if "{" in output:
            try:
                return Path(output.format(**words))
            except (KeyError, ValueError, IndexError, AttributeError, TypeError):
                known = " ".join(f"{{{word}}}" for word in words)
                raise UsageError(
                    f"the output template '{output}' cannot be filled", hint=f"known names: {known}"
                ) from None
        path = Path(output)
        if output.endswith("/") or path.is_dir() or not path.suffix:
            return path / name
        if many:
            raise UsageError(
                f"several pictures cannot all be written to the one file {output}",
                hint="name a folder (end it with '/'), a template such as 'out/{prompt}_{seed}.png', or a `grid`",
            )
        return path

    # -- before the work -----------------------------------------------------------------------------------------------

    def prepare(self, dry: bool = False) -> None:
        """Open the model, and check what is asked of it before any work.

        dry: only plans will be made; a model that is missing is not fetched. Raises ModelError, DownloadError,
        UsageError.
        """
        missing = None if self.diffuses else models.bytes_to_pull(self.choice)
        if dry and (self.diffuses or missing is not None):
            if missing is not None:
                self.listener.missing(self.choice.name, missing)
            return
        self._drawer = self._opened()
        self._enlarge = None if dry else self._enlarger()

    def _opened(self) -> _Drawer:
        from imgfix.tasks.generate import Generator

        if self.diffuses:
            return _DiffusionDrawer(self)
        if isinstance(self.choice.given, Generator):
            return self._checked(_GeneratorDrawer(self.choice.given, self.truncation))
        made = self.models.ready("drawer", self.choice, "generate", self._placed)
        if isinstance(made, Generator):
            self.listener.announced(made.descriptor, made.placement, self.choice)
            return self._checked(_GeneratorDrawer(made, self.truncation))
        self._check_translation()
        self.listener.announced(made.descriptor, made.placement, self.choice)
        return _TranslatorDrawer(made)

    def _placed(self, model: Model) -> Generator | Translator:
        from imgfix.tasks.generate import Generator
        from imgfix.tasks.translate import Translator

        kind = Translator if model.descriptor.in_channels else Generator  # of a picture, or of words alone
        return kind(model, self.machine.device)

    def _checked(self, drawer: _GeneratorDrawer) -> _GeneratorDrawer:
        """Wrong wishes end it before any work: an input that cannot be read makes no sense of what is asked."""
        generator = drawer.generator
        for wish in dict.fromkeys(self.wishes):
            try:
                generator.condition(wish)
            except InputError as error:
                raise UsageError(error.message, error.hint) from error
            meant = generator.misspelled(wish.prompt) if wish.prompt else {}
            if meant:
                taken = ", ".join(f"{word} as {known}" for word, known in meant.items())
                self.listener.said(f"not in its vocabulary, so taken by their spelling: {taken}")
            unknown = (
                [word for word in generator.unknown_words(wish.prompt) if word not in meant] if wish.prompt else []
            )
            if unknown:
                self.listener.said(f"not in its vocabulary, so taken by their letters: {', '.join(unknown)}")
            self._warn_of_fit(generator, wish)
        return drawer

    def _warn_of_fit(self, generator: Generator, wish: GenerationRequest) -> None:
        """Say so before the work where nothing that is remembered fits a prompt or has the class."""
        found = generator.drawing(wish, self.seeds[0], self.truncation)
        if found is None:
            return
        if wish.prompt is not None and not found.fits:
            self.listener.warned(
                f"{generator.descriptor.name} knows nothing that fits '{wish.prompt}' well; "
                f"it draws what is nearest, such as '{found.caption}'"
            )
        if found.other_class:
            self.listener.warned(f"no such picture in the class '{wish.label}'; another class is drawn")

    def _check_translation(self) -> None:
        name = self.choice.name
        for wish in self.wishes:
            if wish.image is None or wish.prompt or wish.label or wish.sound:
                raise UsageError(f"{name} takes a picture and nothing else", hint="give `image` alone")
        if len(self.orders) > 1:
            raise UsageError(
                f"{name} draws one picture of each input, whatever the seed", hint="leave `count` and `seeds` out"
            )

    def _enlarger(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """What enlarges a drawn picture, its opacity too; None when nothing shall."""
        if self.request.upscale in (None, 1):
            return None
        from imgfix.tasks.upscale import UpscaleOptions, upscale

        factor = float(self.request.upscale or 1)
        choice = self.models.choose("upscale", round(factor), model=self.request.upscale_model)
        engine = self.models.open(choice, "upscale", announce=False)
        self.listener.said(f"enlarged by {engine.descriptor.name}")

        def enlarge(pixels: np.ndarray) -> np.ndarray:
            transparent = pixels.shape[2] == 4
            colours = np.ascontiguousarray(pixels[..., :3] if transparent else pixels)
            alpha = np.ascontiguousarray(pixels[..., 3]) if transparent else None
            return upscale(colours, engine, UpscaleOptions(scale=factor), alpha=alpha)

        return enlarge

    # -- the work ------------------------------------------------------------------------------------------------------

    def plan(self, order: Order) -> Plan:
        """What drawing one picture would give."""
        size = self._drawer.size(order) if self._drawer is not None else None
        if self._drawer is None or size is None:
            return Plan(runner=Runner(self.choice.name))
        width, height = (round(length * (self.request.upscale or 1)) for length in size)
        return Plan(output=FileFacts(width, height), runner=Runner(self._drawer.name))

    def run(self, order: Order, sink: BinaryIO | None = None, *, keep: bool = False) -> Result:
        """Draw one picture, to its target, or to a stream where it has none.

        keep: also give the picture back. Raises UsageError, InputError, OutputError.
        """
        from imgfix.media.picture import Picture

        start = time.monotonic()
        drawer = self._ready()
        pixels = drawer.draw(order)
        if self._enlarge is not None:
            pixels = self._enlarge(pixels)
        if self.request.grid is not None:
            self._drawn.append((order.wish.prompt or order.wish.label or "", pixels))
        transparent = pixels.shape[2] == 4
        picture = Picture(
            np.ascontiguousarray(pixels[..., :3] if transparent else pixels),
            np.ascontiguousarray(pixels[..., 3]) if transparent else None,
        )
        place = order.target if order.target is not None else sink
        drawn = drawer.facts(order)
        if place is not None:
            self._write(place, pixels, self._record(order, drawer.descriptor, drawn))
        return Result(
            output=FileFacts(picture.width, picture.height),
            runner=Runner(drawer.name),
            summary=drawn.phrases,
            drawn=drawn,
            seconds=time.monotonic() - start,
            picture=picture if keep else None,
        )

    def _ready(self) -> _Drawer:
        if self._drawer is None:
            self.prepare()
        assert self._drawer is not None
        return self._drawer

    @property
    def truncation(self) -> float:
        """What the noise is multiplied by."""
        return 1.0 if self.request.truncation is None else self.request.truncation

    def _write(self, target: Path | BinaryIO, pixels: np.ndarray, record: dict[str, Any] | None) -> None:
        from imgfix.media import image

        transparent = pixels.shape[2] == 4
        with image.open_writer(
            target,
            width=pixels.shape[1],
            height=pixels.shape[0],
            channels=3 if transparent else pixels.shape[2],
            dtype=pixels.dtype,
            alpha=transparent,
            metadata=image.Metadata(),
            format=self.saving.format,
            quality=self.saving.quality,
            record=record,
        ) as writer:
            writer.write(pixels)

    def _record(self, order: Order, descriptor: Descriptor | None, drawn: DrawnFacts) -> dict[str, Any] | None:
        """How a picture was drawn: what `like` reads, and the command that draws it again; None without a record."""
        if not self.saving.record:
            return None
        wish, asked, name = order.wish, self.request, self.choice.name
        made: dict[str, Any] = {
            "prompt": wish.prompt,
            "class": wish.label,
            "sound": self._called(wish.sound),
            "image": self._called(wish.image),
            "strength": wish.strength if wish.image else None,
            "seed": order.seed,
            "truncation": asked.truncation,
            "upscale": asked.upscale,
        }
        if self.diffuses:
            made |= {key: value for key, value in asked.diffusion.items() if key != "low_memory"}
        words = ["imgfix", "generate", *([wish.prompt] if wish.prompt else []), option("model"), name]
        for key, value in made.items():
            if key != "prompt" and value is not None:
                words += [option(key), f"{value:g}" if isinstance(value, float) else str(value)]
        said = {key: value for key, value in drawn.values.items() if key not in (*made, "unknown", "meant")}
        record: dict[str, Any] = {
            "command": " ".join(map(shell_word, words)),
            "model": name,
            "version": __version__,
            "generate": {key: value for key, value in (made | said).items() if value is not None},
        }
        if descriptor is not None:
            record["sha256"] = descriptor.sha256
        return record

    def _called(self, file: Path | None) -> str | None:
        return None if file is None else self.names.get(str(file), str(file))

    # -- sheets --------------------------------------------------------------------------------------------------------

    def _check_sheet(self, grid: Path) -> None:
        from imgfix.media import formats

        formats.for_target(grid, "PNG", None)

    def check_sheet_is_free(self) -> None:
        """Raise OutputError when the sheet is there already and is not to be replaced."""
        grid = self.request.grid
        if grid is not None and Path(grid).exists() and not self.saving.overwrite:
            raise OutputError(f"{grid} exists already", hint="use `overwrite` or another `grid`")

    def write_sheet(self) -> None:
        """Write all that was drawn so far on one sheet."""
        from imgfix.media import image
        from imgfix.tasks.squares import contact_sheet

        if self.request.grid is None or not self._drawn:
            return
        pictures = [pixels for _, pixels in self._drawn]
        side = pictures[0].shape[0]
        times = max(1, min(128 // side, _SHEET // max(1, round(len(pictures) ** 0.5) * side)))
        pictures = [pixels.repeat(times, 0).repeat(times, 1) for pixels in pictures]
        labels = [label for label, _ in self._drawn] if len({label for label, _ in self._drawn}) > 1 else []
        sheet = contact_sheet(pictures, labels)
        record = {"command": "imgfix generate --grid", "version": __version__} if self.saving.record else None
        image.write(Path(self.request.grid), image.Picture(sheet), quality=self.saving.quality, record=record)
        self.listener.said(f"{len(pictures)} pictures on {self.request.grid}")

    # -- films ---------------------------------------------------------------------------------------------------------

    def _film_target(self) -> Order:
        """The film from one wish to another, and where it goes."""
        from imgfix.tasks.morph_files import check_target

        saving, wishes = self.saving, self.wishes
        name = f"{_slug(wishes[0])}-{_slug(wishes[1])}.mp4"
        output = str(saving.output or name)
        if output == "-":
            raise UsageError("`interpolate` writes one film", hint="name it with `output`, such as morph.mp4")
        target = Path(output, name) if output.endswith("/") or Path(output).is_dir() else Path(output)
        check_target(target)
        exists = OutputError(f"{target} exists already", hint="use `overwrite` or another `output`")
        return Order(wishes[0], self.seeds[0], target, exists if target.exists() and not saving.overwrite else None)

    def plan_film(self) -> Plan:
        """What the film would be."""
        return Plan(frames=self.request.frames)

    def run_film(self, progress: Progress = unseen) -> Result:
        """Draw the film. Raises ModelError: the model draws none; OutputError."""
        from imgfix.tasks.morph_files import write_frames

        start = time.monotonic()
        drawer, frames = self._ready(), self.request.frames
        if not isinstance(drawer, _GeneratorDrawer):
            raise ModelError(f"{drawer.name} draws no films", hint="choose a model that draws from words")
        way = drawer.generator.morph(self.wishes, frames, [self.seeds[0], self.seeds[-1]], self.truncation)

        def told() -> Iterator[np.ndarray]:
            for number, frame in enumerate(way, 1):
                yield frame if self._enlarge is None else self._enlarge(frame)
                progress(number, frames)

        assert self.film is not None and self.film.target is not None
        write_frames(self.film.target, told())
        return Result(frames=frames, runner=Runner(drawer.name), seconds=time.monotonic() - start)

    @property
    def film_name(self) -> str:
        """What the film is called in messages."""
        return f"{self.wishes[0].prompt} .. {self.wishes[1].prompt}"


class _GeneratorDrawer:
    """A model of our own that draws from words, classes and sounds."""

    def __init__(self, generator: Generator, truncation: float) -> None:
        self.generator, self.descriptor, self.name = generator, generator.descriptor, generator.descriptor.name
        self.truncation = truncation

    def size(self, order: Order) -> tuple[int, int]:
        """See `_Drawer.size`."""
        return self.generator.side, self.generator.side

    def draw(self, order: Order) -> np.ndarray:
        """See `_Drawer.draw`."""
        return self.generator.draw(order.wish, order.seed, self.truncation)

    def facts(self, order: Order) -> DrawnFacts:
        """See `_Drawer.facts`."""
        wish, prompt = order.wish, order.wish.prompt
        meant = self.generator.misspelled(prompt) if prompt else {}
        unknown = [word for word in self.generator.unknown_words(prompt) if word not in meant] if prompt else []
        said = DrawnFacts(prompt, wish.label, order.seed, unknown=tuple(unknown), meant=meant)
        if wish.image is not None and prompt is None and wish.sound is None:
            return said
        found = self.generator.drawing(wish, order.seed, self.truncation)
        if found is None:
            return said
        return replace(
            said,
            caption=found.caption,
            undrawn=found.undrawn,
            recoloured=found.colour,
            copies=found.count if found.count > 1 else None,
        )


class _TranslatorDrawer:
    """A pix2pix network, which takes a picture and nothing else."""

    def __init__(self, translator: Translator) -> None:
        self.translator, self.descriptor, self.name = translator, translator.descriptor, translator.descriptor.name

    def size(self, order: Order) -> tuple[int, int]:
        """See `_Drawer.size`."""
        from imgfix.media import image

        if not self.translator.colours or order.wish.image is None:
            return self.translator.side, self.translator.side
        header = image.inspect(order.wish.image)
        return header.width, header.height

    def draw(self, order: Order) -> np.ndarray:
        """See `_Drawer.draw`."""
        from imgfix.media import image

        assert order.wish.image is not None
        return self.translator.draw(image.read(order.wish.image))

    def facts(self, order: Order) -> DrawnFacts:
        """See `_Drawer.facts`."""
        return DrawnFacts(order.wish.prompt, order.wish.label, order.seed)


class _DiffusionDrawer:
    """A diffusion pipeline, which takes a prompt and perhaps a picture."""

    descriptor: Descriptor | None = None

    def __init__(self, pipeline: GeneratePipeline) -> None:
        from imgfix.tasks.diffusion import Diffusion, DiffusionOptions

        machine = pipeline.machine
        self.name = str(machine.model)
        self.options = DiffusionOptions(**pipeline.request.diffusion)
        self.diffusion: Diffusion = Diffusion(self.name, machine.device, offline=machine.offline)
        pipeline.listener.said(f"{self.name} on {self.diffusion.placement}")

    def size(self, order: Order) -> None:
        """See `_Drawer.size`."""

    def draw(self, order: Order) -> np.ndarray:
        """See `_Drawer.draw`."""
        from imgfix.media import image

        wish = order.wish
        start = image.read(wish.image) if wish.image is not None else None
        assert wish.prompt is not None
        return self.diffusion.draw(wish.prompt, order.seed, self.options, picture=start, strength=wish.strength)

    def facts(self, order: Order) -> DrawnFacts:
        """See `_Drawer.facts`."""
        return DrawnFacts(order.wish.prompt, order.wish.label, order.seed)


def _prompts(request: GenerateRequest) -> list[str]:
    found = list(request.prompts or ())
    file = request.prompt_file
    if file is not None:
        try:
            lines = Path(file).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"`prompt_file` {file}: cannot be read as text ({type(error).__name__})") from None
        found += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not found:
            raise UsageError(f"`prompt_file` {file}: holds no prompt", hint="write one a line")
    return found


def _seeds(request: GenerateRequest) -> list[int]:
    """The seeds that are named; empty when none is."""
    seed, count, text = request.seed, request.count, request.seeds
    if not 1 <= count <= _MOST_SEEDS:
        raise UsageError(f"`count` {count} is out of range", hint=f"choose 1 to {_MOST_SEEDS:,}")
    if text is None:
        return list(range(seed or 0, (seed or 0) + count)) if seed is not None or count > 1 else []
    if seed is not None or count > 1:
        raise UsageError("`seeds` goes with neither `seed` nor `count`", hint="give one way of choosing seeds")
    if not isinstance(text, str):
        text = ",".join(map(str, text))
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if match is None or int(match[2] or match[1]) < int(match[1]) or int(match[2] or match[1]) >= 2**63:
            raise UsageError(
                f"`seeds` {text}: '{part.strip()}' is not a seed or a range", hint="such as 0-35 or 3,7,20-29"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if len(found) + last - first >= _MOST_SEEDS:  # before they are made: a range may name more than memory holds
            raise UsageError(f"`seeds` {text}: more than {_MOST_SEEDS:,} pictures", hint="choose fewer")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def how_many(request: GenerateRequest) -> int:
    """The pictures that a request asks for, without one being thought of yet. Raises UsageError."""
    return max(1, len(_prompts(request))) * max(1, len(_seeds(request)))


def _slug(wish: GenerationRequest) -> str:
    """A wish as it can stand in a file name."""
    parts = [wish.prompt, wish.label, wish.sound and wish.sound.stem, wish.image and wish.image.stem]
    words = "-".join(part for part in parts if part)
    return re.sub(r"[^\w]+", "-", words.lower()).strip("-")[:60] or "picture"


def _is_diffusion(name: str) -> bool:
    """Whether a model's name means a diffusion pipeline; as `imgfix.tasks.diffusion`, but without loading torch."""
    return name.startswith("hf:") or (Path(name).expanduser() / "model_index.json").is_file()
