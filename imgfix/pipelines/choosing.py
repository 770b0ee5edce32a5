"""What finds things in pictures, opened when it is first needed; and what was asked for, as choices."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from imgfix.errors import ModelError, OutputError, UsageError
from imgfix.pipelines import pictures
from imgfix.pipelines.models import ModelChoice, Models, task_of
from imgfix.pipelines.options import Choosing

if TYPE_CHECKING:
    from imgfix.media.picture import Picture
    from imgfix.runtime.device import Placement
    from imgfix.tasks.select.choose import Selector
    from imgfix.tasks.select.detect import Detector
    from imgfix.tasks.select.instances import InstanceDetector
    from imgfix.tasks.select.segment import Segmenter
    from imgfix.tasks.select.subject import SubjectFinder
    from imgfix.tasks.select.text import TextReader
    from imgfix.zoo.descriptor import Descriptor, Model

Tool = TypeVar("Tool")
TASKS = ("select", "detect", "cutout", "overlay")
"""Of models that find things: masks from points and boxes, boxes with names, the main subject, what was laid over."""


class ModelTools:
    """The networks that find things, see `imgfix.tasks.select.choose.Tools`.

    Without a name the best model for each task on this machine is taken. named: a model that goes before it. field:
    where it is named, for messages.
    """

    def __init__(self, models: Models, named: ModelChoice | None = None, field: str = "model") -> None:
        self._models, self._named, self._field = models, named, field
        self._reader: TextReader | None = None

    def segmenter(self) -> Segmenter:
        """Masks from points and boxes. Raises ModelError."""
        return self._segmenter

    def detector(self) -> Detector | InstanceDetector:
        """Boxes of things with names. Raises ModelError."""
        return self._detector

    def subject(self) -> SubjectFinder:
        """The main subject. Raises ModelError."""
        return self._subject

    def reader(self) -> TextReader:
        """Writing. Raises MissingExtraError."""
        from imgfix.tasks.select.text import TextReader

        if self._reader is None:
            self._reader = TextReader()
        return self._reader

    def overlays(self) -> InstanceDetector:
        """What was laid over a picture. Raises ModelError."""
        return self._overlays

    @cached_property
    def _segmenter(self) -> Segmenter:
        from imgfix.tasks.select.segment import Segmenter

        return self._tool("select", lambda net, device: Segmenter(net, device))

    @cached_property
    def _detector(self) -> Detector | InstanceDetector:
        from imgfix.nets.maskrcnn import MaskRCNN
        from imgfix.tasks.select.detect import Detector
        from imgfix.tasks.select.instances import InstanceDetector

        def made(net: Any, device: Any) -> Detector | InstanceDetector:
            return InstanceDetector(net, device) if isinstance(net, MaskRCNN) else Detector(net, device)

        return self._tool("detect", made)

    @cached_property
    def _subject(self) -> SubjectFinder:
        from imgfix.tasks.select.subject import SubjectFinder

        return self._tool("cutout", lambda net, device: SubjectFinder(net, device))

    @cached_property
    def _overlays(self) -> InstanceDetector:
        from imgfix.nets.maskrcnn import MaskRCNN
        from imgfix.tasks.select.instances import InstanceDetector

        def made(net: Any, device: Any) -> InstanceDetector:
            if not isinstance(net, MaskRCNN):
                raise ModelError(f"a model for 'overlay' is a Mask R-CNN, not {type(net).__name__}")
            return InstanceDetector(net, device)

        return self._tool("overlay", made)

    def _tool(self, task: str, make: Callable[[Any, Any], Tool]) -> Tool:
        """What `make` makes of the network for a task and the device it runs on."""
        from imgfix.runtime import device

        choice = self._named if self._named is not None and self._task_of_named == task else None
        if choice is None:
            choice = self._best(task)

        def placed(model: Model) -> tuple[Tool, Descriptor, Placement]:
            placement = device.select(self._models.machine.device, "fp32", model.descriptor)
            if placement.on_cpu:
                device.respect_quota()
            return make(model.net, placement.device), model.descriptor, placement

        tool, descriptor, placement = self._models.ready("tool", choice, task, placed)
        self._models.listener.announced(descriptor, placement, choice)
        return tool

    def _best(self, task: str) -> ModelChoice:
        try:
            return self._models.choose(task, model="auto")
        except ModelError as error:
            hint = (error.hint or "").replace("`model`", f"`{self._field}`")
            if task == "overlay":
                hint += "; imgfix train select PHOTOS --set overlays=true makes one"
            raise ModelError(error.message, hint=hint or None) from None

    @cached_property
    def _task_of_named(self) -> str:
        assert self._named is not None
        given = self._named.given
        return str(given.descriptor.task) if given is not None else task_of(self._named.name)

    def prepare(self, choices: tuple[Selector, ...]) -> None:
        """Open what these choices need, so that what is wrong is said before any work. Raises ModelError."""
        kinds = {choice.kind for choice in choices}
        try:
            self._open(kinds)
        except ModelError:
            self._check_here(kinds)
            raise

    def _open(self, kinds: AbstractSet[str]) -> None:
        if kinds & {"subject", "background"}:
            self.subject()
        if "object" in kinds:
            self.detector()
        if kinds & {"point", "box"} or ("object" in kinds and not self._draws_masks()):
            self.segmenter()
        if "text" in kinds:
            self.reader()
        if "overlay" in kinds:
            self.overlays()

    def _check_here(self, kinds: AbstractSet[str]) -> None:
        """Raise one ModelError for several models that are missing: who pulls one is not to be told of the next."""
        from imgfix.zoo import auto

        tasks = {"cutout": {"subject", "background"}, "detect": {"object"}, "select": {"point", "box", "object"}}
        asked = [task for task, those in tasks.items() if kinds & those]
        named = self._task_of_named if self._named is not None else None
        found = {task: auto.lacking(task) for task in asked if task != named}
        if found.get("detect") is None and not kinds & {"point", "box"}:  # the detector may draw masks itself
            found.pop("select", None)
        missing = {task: name for task, name in found.items() if name is not None}
        if len(missing) > 1:
            words = "' and '".join(missing)
            raise ModelError(
                f"no models for '{words}' are on this machine yet",
                hint=f"imgfix weights pull {' '.join(missing.values())}",
            )

    def _draws_masks(self) -> bool:
        from imgfix.tasks.select.instances import InstanceDetector

        return isinstance(self.detector(), InstanceDetector)


def own_names(choice: ModelChoice | None) -> tuple[str, ...]:
    """The names of a detector that was trained on things of a user's own; none for the others. Raises ModelError."""
    from imgfix import zoo
    from imgfix.pipelines.models import is_file

    if choice is None or (choice.given is None and not is_file(choice.name)):
        return ()
    descriptor = choice.given.descriptor if choice.given is not None else zoo.load(choice.name).descriptor
    return tuple(descriptor.config.get("names", ())) if descriptor.task == "detect" else ()


def choices_of(asked: Choosing, names: Sequence[str] = ()) -> tuple[Selector, ...]:
    """What a request says, as choices. names: as of `own_names`. Raises UsageError."""
    from imgfix.tasks.select.choose import Selector, parse_box, parse_object, parse_point, parse_text

    found = [parse_point(one) for one in asked.spelled("point")]
    found += [parse_point(one, on=False) for one in asked.spelled("not_point")]
    found += [parse_box(one) for one in asked.spelled("box_object")]
    found += [parse_object(one, names) for one in asked.spelled("object")]
    found += [parse_text(one) for one in asked.spelled("text")]
    found += [Selector("subject")] if asked.subject else []
    found += [Selector("background")] if asked.background else []
    found += [Selector("overlay")] if asked.overlay else []
    return tuple(found)


def seen(picture: Picture) -> np.ndarray:
    """A picture as the networks take it: (H, W, 3) uint8 sRGB, upright; what is transparent is on white."""
    from imgfix.media import colour

    rgb = colour.transform(picture.metadata, picture.channels).to_srgb(picture.pixels)
    if picture.alpha is not None:
        share = picture.alpha[..., None].astype(np.float32) / np.iinfo(picture.alpha.dtype).max
        rgb = rgb * share + (1 - share)
    return (rgb * 255 + 0.5).astype(np.uint8)


def write_mask(path: Path | Any, mask: np.ndarray) -> None:
    """Write a mask (H, W) float32 in [0, 1] as a grey picture, white = chosen. Raises OutputError."""
    from imgfix.media import image
    from imgfix.media.picture import Picture

    image.write(path, Picture((np.clip(mask, 0, 1)[..., None] * 255 + 0.5).astype(np.uint8)))


@dataclass(frozen=True)
class SideFiles:
    """Where something beside the result is written: one file, or a folder for several inputs."""

    field: str
    """The option it was asked for with, for messages."""
    place: str | Path | None
    ending: str
    """Behind the picture's stem in a folder: `_mask.png`."""
    overwrite: bool

    def check(self, inputs: int) -> None:
        """Whether there is room for so many. Raises UsageError."""
        if self.place is not None and inputs > 1 and not self._is_folder:
            raise UsageError(
                f"`{self.field}` {self.place}: one file for {inputs} inputs",
                hint="name a folder, with a '/' at its end",
            )

    @property
    def _is_folder(self) -> bool:
        assert self.place is not None
        return str(self.place).endswith(("/", "\\")) or Path(self.place).is_dir()

    def path(self, source: object, target: object, relative: Path | None) -> Path | None:
        """The file for a source. Raises OutputError when it exists and is not to be replaced."""
        if self.place is None:
            return None
        place = Path(self.place)
        if self._is_folder:
            source = pictures.origin(source)
            stem = source.stem if isinstance(source, Path) else "stdin"
            place = place / (relative.parent if relative is not None else "") / f"{stem}{self.ending}"
        if os.path.realpath(place) in [os.path.realpath(p) for p in (source, target) if isinstance(p, Path)]:
            raise OutputError(f"{place}: it would be written over the picture", hint=f"choose another `{self.field}`")
        if place.exists() and not self.overwrite:
            raise OutputError(f"{place} exists", hint=f"add `overwrite`, or choose another `{self.field}`")
        return place
