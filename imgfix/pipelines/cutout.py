"""The subject of a picture on transparency, on a colour, on another picture, or in front of a blur."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.errors import OutputError, UsageError
from imgfix.pipelines import models, pictures
from imgfix.pipelines.choosing import TASKS, ModelTools, SideFiles, choices_of, own_names, seen, write_mask
from imgfix.pipelines.options import CutoutRequest, Saving
from imgfix.pipelines.pipeline import Pipeline
from imgfix.pipelines.result import FileFacts, Plan, Progress, Result, joined

if TYPE_CHECKING:
    from imgfix.media.picture import Picture
    from imgfix.tasks.cutout import Background
    from imgfix.tasks.select.choose import Selector, Thing

BLUR = "blur"
SPREAD = 0.015
"""How far out of focus the background of `blur` is, as a share of the longer side."""


class CutoutPipeline(Pipeline[CutoutRequest]):
    """`imgfix cutout`."""

    verb = "cutout"
    unit = "pictures"

    def check(self) -> None:
        """See `Pipeline.check`."""
        from imgfix.tasks.select.choose import Selector

        self.background = _background(self.request.behind)
        self.named = self.models.choose(TASKS) if self.machine.model != "auto" else None
        self.choices: tuple[Selector, ...] = choices_of(self.request, own_names(self.named)) or (Selector("subject"),)
        self.tools = ModelTools(self.models, self.named)

    def suffix(self, kind: str) -> str:
        """See `Pipeline.suffix`."""
        return "_cutout"

    def variables(self, kind: str) -> Mapping[str, object]:
        """See `Pipeline.variables`."""
        return {"model": models.label(self.named) if self.named is not None else "auto"}

    def fitting(self, saving: Saving) -> Saving:
        """See `Pipeline.fitting`."""
        word = str(saving.output) if saving.output is not None else ""
        open_ended = not word or not Path(word).suffix or "{ext}" in word or word.endswith("/")
        if self.background.transparent and saving.format is None and open_ended and word != "-":
            return replace(saving, format="png")  # JPEG holds no transparency
        return saving

    def side_files(self, overwrite: bool) -> SideFiles:
        """See `Pipeline.side_files`."""
        return SideFiles("save_mask", self.request.save_mask, "_mask.png", overwrite)

    def prepare(self, kinds: Iterable[str], dry: bool = False) -> None:
        """See `Pipeline.prepare`."""
        if not dry:
            self.tools.prepare(self.choices)

    def _run_picture(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        from imgfix.media import colour, image
        from imgfix.media import mask as masks
        from imgfix.tasks.cutout import cutout

        start = time.monotonic()
        saving = self._saving(source)
        mask_path = self.side_files(saving.overwrite).path(source, target, relative)
        picture = pictures.read(source, self.reading.limit)
        self.check_target(target, picture)
        own = self._record(pictures.origin(source), self.machine.model, None)
        rough, things = self._found(picture)
        transform = colour.transform(picture.metadata, picture.channels)
        made, share, kept = cutout(transform.to_srgb(picture.pixels), rough, self.background)
        if picture.alpha is not None:  # what was transparent stays so
            share = share * (picture.alpha.astype(np.float32) / np.iinfo(picture.alpha.dtype).max)
        converted = transform.from_srgb(made, picture.pixels.dtype)
        pixels = np.where(kept[..., None], picture.pixels, converted)
        top = np.iinfo(pixels.dtype).max
        alpha = (share * np.float32(top) + 0.5).astype(pixels.dtype) if self.background.transparent else None
        result = replace(picture, pixels=np.ascontiguousarray(pixels), alpha=alpha)
        if mask_path is not None:
            write_mask(mask_path, share)
        written: tuple[str, ...] = ()
        if target is not None:
            written = tuple(
                image.write(
                    target, result, format=saving.format, quality=saving.quality,
                    record=self._signature(source, own),
                )
            )  # fmt: skip
        part = masks.coverage(share)
        return Result(
            input=FileFacts(picture.width, picture.height, picture.metadata.format),
            output=FileFacts(result.width, result.height, bytes=pictures.bytes_written(target)),
            summary=(f"{masks.percent(part)} kept",),
            coverage=part,
            things=things,
            notes=joined(picture.metadata.notes, written),
            seconds=time.monotonic() - start,
            picture=result if keep else None,
            record=own,
        )

    def _found(self, picture: Picture) -> tuple[np.ndarray, tuple[Thing, ...]]:
        """A rough map of what is cut out, and what it is. Raises InputError."""
        from imgfix.tasks.select.choose import choose

        rgb = seen(picture)
        if len(self.choices) == 1 and self.choices[0].kind == "subject":  # its map is soft where hair is
            found = self.tools.subject().find(rgb)
            return (found if found is not None else np.zeros(rgb.shape[:2], np.float32)), ()
        chosen = choose(rgb, self.choices, self.tools, dilate=self.request.reach, least=self.request.score)
        return chosen.mask, chosen.things

    def check_target(self, target: Any, picture: Picture) -> None:
        """Whether the format holds transparency, where it is needed. Raises OutputError."""
        from imgfix.media import image

        if target is None or not self.background.transparent:
            return
        place = target if isinstance(target, Path) else None
        form = image.for_target(place, picture.metadata.format, self.saving.for_pictures.format)
        if not form.alpha:
            raise OutputError(
                f"{pictures.name_of(target)}: {form.name} holds no transparency",
                hint="write a .png, .webp or .tiff, or put something behind it: `behind` white",
            )

    def _plan_picture(self, source: Any, target: Any, relative: Path | None) -> Plan:
        header = pictures.inspect_whole(source, self.reading.limit)
        size = FileFacts(header.width, header.height)
        return Plan(input=size, output=size)

    def refuse_moving(self, source: Any) -> None:
        """See `Pipeline.refuse_moving`."""
        raise UsageError(f"{source} moves, and this verb takes single pictures", hint="extract a frame first")


def _background(behind: str | Sequence[int] | None) -> Background:
    """What is put behind, from a colour, a file or `blur`. Raises UsageError."""
    from imgfix.media import mask as masks
    from imgfix.tasks.cutout import Background

    if behind is None:
        return Background()
    if not isinstance(behind, str):
        return Background(colour=masks.parse_colour(f"rgb({','.join(map(str, behind))})"))
    if behind == BLUR:
        return Background(blur=SPREAD)
    if Path(behind).is_file():
        return Background(picture=_seen_file(Path(behind)))
    try:
        return Background(colour=masks.parse_colour(behind))
    except UsageError:
        raise UsageError(
            f"`behind` {behind}: neither a colour nor a file that is there", hint="give '#ffffff', a picture, or blur"
        ) from None


def _seen_file(path: Path) -> np.ndarray:
    from imgfix.media import image

    return seen(image.read(path)).astype(np.float32) / 255
