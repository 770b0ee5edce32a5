"""The one place where a model is chosen and opened: settled, pulled when it was named, loaded, placed, announced."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from imgfix.errors import ModelError
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.options import CLASSICAL, RESAMPLING, Machine
from imgfix.pipelines.result import Progress, unseen

if TYPE_CHECKING:
    from imgfix.runtime.device import Placement
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.noise_meter import NoiseMeter
    from imgfix.tasks.restore import RestoreOptions
    from imgfix.zoo.auto import Slower
    from imgfix.zoo.descriptor import Descriptor, Model

Ready = TypeVar("Ready")


class Listener:
    """Told what happens on the way to a result; this one keeps it to itself. A command line or a page overrides it."""

    def announced(self, model: Descriptor, placement: Placement, choice: ModelChoice) -> None:
        """A model is ready; the choice names better ones: to be pulled, or here but slow."""

    def classical(self, method: str) -> None:
        """A method without weights does the work."""

    @contextmanager
    def pulling(self, name: str, size: int) -> Iterator[Progress]:
        """A model of so many bytes is fetched while the block runs; gives what is told how far it is."""
        yield unseen

    def training(self) -> AbstractContextManager[Callable[[float, str, str], None] | None]:
        """A run of training goes on while the block runs; gives what is told how far, see `train.progress.Bar`."""
        return nullcontext()

    def missing(self, name: str, size: int) -> None:
        """A plan is made without the model, which would be fetched first."""

    def expecting(self, source: str, seconds: float) -> None:
        """The work on one item will take long."""

    def said(self, text: str) -> None:
        """Anything else of interest; fields in it are named as in errors."""

    def detail(self, text: str) -> None:
        """The reason for a choice."""

    def warned(self, text: str) -> None:
        """Something the user should know although the work goes on."""


def announcement(model: Descriptor, placement: Placement) -> str:
    """`photo-x4 (x4) on cpu, bf16`."""
    scale = f" (x{model.scale})" if model.scale > 1 else ""
    return f"{model.name}{scale} on {placement}"


@dataclass(frozen=True)
class ModelChoice:
    """A model that was settled on, not loaded yet."""

    name: str
    """As it would be named on a command line."""
    better: str | None = None
    """For `auto`: one that could be pulled and would do better."""
    given: Any = None
    """The `Model` or `Engine` itself, where Python handed one over."""
    slower: Slower | None = None
    """For `auto`: a better one that is here, and was passed over for the time it takes."""


class Models:
    """The models of one run: each is settled without loading it, loaded when it is first needed, and announced once."""

    def __init__(
        self, machine: Machine | None = None, listener: Listener | None = None, loaded: Loaded | None = None
    ) -> None:
        """loaded: what other runs left ready, and where this one leaves its own; None: for this run alone."""
        self.machine, self.listener, self._loaded = machine or Machine(), listener or Listener(), loaded
        self._engines: dict[str, Engine] = {}
        self._announced: set[str] = set()

    def choose(
        self, task: str | tuple[str, ...], scale: int | None = None, also: Sequence[str] = (), model: Any = None
    ) -> ModelChoice:
        """Settle what `model` means, without loading anything; of several tasks, `auto` prefers the first.

        also: names that could have been meant besides. model: instead of the machine's. Raises ModelError: unknown
        name, another task, nothing installed.
        """
        from imgfix.zoo import auto, catalog

        wanted = self.machine.model if model is None else model
        if not isinstance(wanted, str | Path):
            descriptor = _descriptor(wanted)
            _check_task(descriptor.name, descriptor.task, task, "see: imgfix weights list")
            return ModelChoice(descriptor.name, given=wanted)
        name = str(wanted)
        if name in also:
            return ModelChoice(name)
        if name == "auto":
            return self._weighed(task, scale)
        if not is_file(name):
            entry = catalog.find(name, also)
            names = ", ".join(known.name for known in catalog.entries() if known.task in auto.tasks(task))
            hint = f"models for '{auto.words(task)}': {names}" if names else "see: imgfix weights list"
            if entry.task:  # of a file that is named by its address, only the file tells
                _check_task(name, entry.task, task, hint)
        return ModelChoice(name)

    def _weighed(self, task: str | tuple[str, ...], scale: int | None) -> ModelChoice:
        """The best model on this machine that ends in reasonable time."""
        from imgfix.zoo import auto

        name, better = auto.resolve(task, scale)
        other = auto.quicker(name, task, scale)
        if other is None or self.accelerated:
            return ModelChoice(name, better)
        return ModelChoice(other[0], better, slower=other[1])

    @property
    def accelerated(self) -> bool:
        """Whether the work is done on a device that makes even large models quick."""
        from imgfix.runtime import device

        return self.machine.device != "cpu" and device.available() != ["cpu"]

    def load(self, choice: ModelChoice, task: str | tuple[str, ...]) -> Model:
        """Load a model, and pull it first when it was named and is missing. Raises ModelError, DownloadError."""
        from imgfix import zoo
        from imgfix.zoo.descriptor import Model

        if choice.given is not None:
            if not isinstance(choice.given, Model):
                raise ModelError(
                    f"{choice.name} is an engine, and a model is needed", hint="give what imgfix.load gave"
                )
            return choice.given
        offline = self.machine.offline
        missing = bytes_to_pull(choice)
        if missing is None or offline:
            return zoo.load(choice.name, task=task, offline=offline)
        with self.listener.pulling(choice.name, missing) as progress:
            return zoo.load(choice.name, task=task, offline=False, progress=progress)

    def ready(
        self,
        kind: str,
        choice: ModelChoice,
        task: str | tuple[str, ...],
        make: Callable[[Model], Ready],
        *settings: str,
    ) -> Ready:
        """What `make` makes of a model; the same as in an earlier run where `loaded` kept it.

        kind: of what is made. settings: all that it depends on besides the model and the device. Raises as `load`.
        """
        if self._loaded is None or choice.given is not None:
            return make(self.load(choice, task))

        def made() -> tuple[Ready, int]:
            model = self.load(choice, task)
            held = sum(tensor.nbytes for tensor in (*model.net.parameters(), *model.net.buffers()))
            return make(model), 2 * held  # as it was read, and as it was placed on the device

        key = kind, task, choice.name, _mark(choice), self.machine.device, *settings
        return self._loaded.get(key, made)

    def kept(self, kind: str, choice: ModelChoice, make: Callable[[], Ready], *settings: str) -> Ready:
        """What `make` makes of a model that is ready, taking no room of its own; kept as of `ready`."""
        if self._loaded is None or choice.given is not None:
            return make()
        key = kind, choice.name, _mark(choice), self.machine.device, *settings
        return self._loaded.get(key, lambda: (make(), 0))

    def open(self, choice: ModelChoice, task: str | tuple[str, ...], announce: bool = True) -> Engine:
        """A model, ready to run; the same one when it is asked for again.

        Raises ModelError, DownloadError, UsageError (no such device).
        """
        from imgfix.runtime.engine import Engine

        if choice.name not in self._engines:
            if isinstance(choice.given, Engine):
                engine = choice.given
            else:
                device, precision, kind = self.machine.device, self.machine.precision, self.machine.engine
                engine = self.ready(
                    "engine", choice, task, lambda model: Engine(model, device, precision, engine=kind), precision, kind
                )
                engine.note = self.listener.warned
                if kind not in ("auto", "torch"):
                    engine.prepare()  # whether it runs there, and in which precision, is known only then
            self._engines[choice.name] = engine
        engine = self._engines[choice.name]
        if announce and choice.name not in self._announced:
            self._announced.add(choice.name)
            self.listener.announced(engine.descriptor, engine.placement, choice)
        return engine

    def resampler(self, choice: ModelChoice) -> str:
        """The name of a method of `RESAMPLING`, announced once as a model is."""
        if choice.name not in self._announced:
            self._announced.add(choice.name)
            self.listener.classical(choice.name)
        return choice.name


Fitted = TypeVar("Fitted", "Engine", "Engine | str")


def fitted(engine: Fitted, pixels: int, listener: Listener, dry: bool = False) -> Fitted:
    """The engine for a picture or a clip of so many pixels in all, as of `Engine.for_pixels`; a method stays.

    pixels: 0: not known. dry: only plans are made, and nothing is measured.
    """
    if isinstance(engine, str) or not pixels:
        return engine
    return engine.for_pixels(pixels, measure=not dry, say=listener.said)


NOISE_METER = "noise-level"
"""The model that reads the noise of photos."""


class DamageModels:
    """The engine for each kind of damage: of the model that was named where it fits, else the best on this machine.

    Each is opened when it is first needed, and once.
    """

    def __init__(self, models: Models, named: ModelChoice | None = None) -> None:
        """named: what goes before the others, None for nothing."""
        self._models, self._named = models, named
        self._jobs: Collection[str] = damage_of(named) if named is not None else ()
        self.pixels, self.dry = 0, False
        """Of the picture or clip that comes next, 0: not known; whether nothing but a plan of it is made."""
        self._meter: NoiseMeter | None = None
        self._told: dict[str, Engine] = {}

    def __call__(self, job: str) -> Engine:
        """The engine for a kind of damage, as of `imgfix.degradations.UNDONE`, or for noise of a level that is known.

        A model that was named for noise is taken for such noise too, whether it can be told the level or not.
        Raises ModelError when there is none.
        """
        from imgfix.zoo import auto

        named = job in self._jobs or (job == "noise-level" and "noise" in self._jobs)
        own = self._named if named else None
        choice = own or ModelChoice(*auto.resolve("restore", job=job))
        engine = self._models.open(choice, "restore")
        if job in ("noise", "noise-level"):
            engine = self._told_level(engine, choice)
        return fitted(engine, self.pixels, self._models.listener, self.dry)

    def _told_level(self, engine: Engine, choice: ModelChoice) -> Engine:
        """The same, or of a blind denoiser the one in it that is told the level, which is known here."""
        from imgfix.runtime.engine import Engine
        from imgfix.zoo.told import as_told

        name = engine.descriptor.name
        if name not in self._told:
            model, machine = as_told(engine.model), self._models.machine
            if model is not engine.model:  # its weights are those of the engine, which is kept too
                made = self._models.kept(
                    "told", choice, lambda: Engine(model, machine.device, machine.precision), machine.precision
                )
                made.note = self._models.listener.warned
                engine = made
            self._told[name] = engine
        return self._told[name]

    def meter(self, wanted: RestoreOptions) -> NoiseMeter | None:
        """What reads the noise of developed photos, where noise is to be found; it comes with imgfix."""
        from imgfix.tasks.noise_meter import NoiseMeter

        if wanted.denoise != "auto":
            return None
        if self._meter is None:
            self._meter = self._models.ready("noise meter", ModelChoice(NOISE_METER), "noise", NoiseMeter)
        return self._meter

    def filler(self) -> Engine | str:
        """What scratches are filled with: the best model on this machine, or the name of a classical method."""
        from imgfix.zoo import auto

        try:
            choice = ModelChoice(*auto.resolve("inpaint"))
        except ModelError:
            return CLASSICAL[0]
        return self._models.open(choice, "inpaint")

    def prepare(self, wanted: RestoreOptions) -> None:
        """Open what is needed for certain, so that what is wrong is said before any work. Raises ModelError."""
        from imgfix.tasks.restore import noise_engine

        for job, on in wanted.flags.items():
            if on:
                self(job)
        if isinstance(wanted.jpeg, int):
            self("jpeg")
        if isinstance(wanted.denoise, int | float):
            noise_engine(self)
        if self._named is not None:
            self._models.open(self._named, "restore")


def bytes_to_pull(choice: ModelChoice) -> int | None:
    """What using a model would transfer first, in bytes; None when it is on this machine."""
    from imgfix.zoo import catalog, store

    if choice.given is not None or choice.name in CLASSICAL + RESAMPLING or is_file(choice.name):
        return None
    entry = catalog.find(choice.name)
    if store.installed(entry):
        return None
    return entry.sources[0].download_bytes if entry.sources else entry.bytes


def is_file(name: str) -> bool:
    """Whether a model is named by its weights file."""
    from imgfix.zoo import loader

    return loader.is_file(name)


def label(choice: ModelChoice) -> str:
    """A model's name as it can stand in a file name."""
    from imgfix.zoo import catalog, references

    if choice.given is None and references.is_reference(choice.name):
        return catalog.find(choice.name).name
    return Path(choice.name).stem if choice.given is None and is_file(choice.name) else choice.name


def scale_of(choice: ModelChoice) -> int:
    """The model's own factor, without loading it where the catalog or the file's header tells."""
    from imgfix import zoo
    from imgfix.zoo import catalog

    if choice.given is not None:
        return _descriptor(choice.given).scale
    if choice.name in RESAMPLING:
        from imgfix.tasks.resampling import SCALE

        return SCALE
    return zoo.load(choice.name).descriptor.scale if is_file(choice.name) else catalog.find(choice.name).scale


def damage_of(choice: ModelChoice) -> tuple[str, ...]:
    """The kinds of damage that a model for `restore` undoes, without loading it where the catalog tells."""
    from imgfix import zoo
    from imgfix.zoo import catalog

    if choice.given is not None:
        return _descriptor(choice.given).jobs
    if is_file(choice.name):
        return zoo.load(choice.name).descriptor.jobs
    return tuple(catalog.find(choice.name).handles)


def task_of(name: str) -> str:
    """The task of a model that is named, whatever it is."""
    from imgfix import zoo
    from imgfix.zoo import catalog

    return str(zoo.load(name).descriptor.task) if is_file(name) else catalog.find(name).task


def devices(asked: str) -> list[str]:
    """The devices that work can be spread over: with `auto` every GPU of this machine. Raises UsageError."""
    import torch

    from imgfix.runtime import device

    kind = device.available()[0] if asked == "auto" else asked
    count = {"cuda": torch.cuda.device_count, "xpu": torch.xpu.device_count}.get(kind, lambda: 1)()
    return [f"{kind}:{number}" for number in range(count)] if asked == "auto" and count > 1 else [asked]


def _mark(choice: ModelChoice) -> object:
    """What tells a model's file from another one of the same name."""
    from imgfix.media.files import stamp
    from imgfix.zoo import catalog, store

    path = Path(choice.name).expanduser() if is_file(choice.name) else store.path_of(catalog.find(choice.name))
    return stamp(path)


def _descriptor(given: Any) -> Descriptor:
    from imgfix.zoo.descriptor import Descriptor

    found = getattr(given, "descriptor", None)
    if not isinstance(found, Descriptor):
        raise ModelError(
            f"{type(given).__name__} is no model", hint="give a name, a weights file, or what imgfix.load gave"
        )
    return found


def _check_task(name: str, own: str, task: str | tuple[str, ...], hint: str) -> None:
    from imgfix.zoo import auto

    if own not in auto.tasks(task):
        raise ModelError(f"{name} is a model for '{own}', not for '{auto.words(task)}'", hint=hint)
