"""The mask of a part of a picture that is chosen by what it is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.errors import UsageError
from imgfix.pipelines import models, pictures
from imgfix.pipelines.choosing import TASKS, ModelTools, SideFiles, choices_of, own_names, seen, write_mask
from imgfix.pipelines.options import Saving, SelectRequest
from imgfix.pipelines.pipeline import Pipeline
from imgfix.pipelines.result import FileFacts, Plan, Progress, Result

if TYPE_CHECKING:
    from imgfix.tasks.select.choose import Thing


class SelectPipeline(Pipeline[SelectRequest]):
    """`imgfix select`."""

    verb = "select"
    unit = "pictures"

    def check(self) -> None:
        """See `Pipeline.check`."""
        named = self.machine.model != "auto"
        self.named = self.models.choose(TASKS) if named else None
        self.choices = choices_of(self.request, own_names(self.named))
        self.tools = ModelTools(self.models, self.named)

    def suffix(self, kind: str) -> str:
        """See `Pipeline.suffix`."""
        return "_mask"

    def variables(self, kind: str) -> Mapping[str, object]:
        """See `Pipeline.variables`."""
        return {"model": models.label(self.named) if self.named is not None else "auto"}

    def fitting(self, saving: Saving) -> Saving:
        """See `Pipeline.fitting`."""
        word = str(saving.output) if saving.output is not None else ""
        whole = saving.format is None and (not word or not Path(word).suffix or "{ext}" in word or word.endswith("/"))
        # A mask in a lossy format has rings around its edge.
        return replace(saving, format="png") if whole and word != "-" else saving

    def side_files(self, overwrite: bool) -> SideFiles:
        """See `Pipeline.side_files`."""
        return SideFiles("preview", self.request.preview, "_chosen.jpg", overwrite)

    def prepare(self, kinds: Iterable[str], dry: bool = False) -> None:
        """See `Pipeline.prepare`."""
        if not self.choices:
            raise UsageError(
                "nothing says what to choose",
                hint="give `point` x,y, `box_object` x,y,w,h, `object` NAME, `subject`, `background`, `text`, or "
                "`overlay`",
            )
        if not dry:
            self.tools.prepare(self.choices)

    def things(self, source: Any) -> tuple[np.ndarray, list[Thing]]:
        """The picture, (H, W, 3) uint8, and everything in it that has a name. Raises InputError, ModelError."""
        from imgfix.tasks.select.choose import list_things

        rgb = seen(pictures.read(source, self.reading.limit))
        return rgb, list_things(rgb, self.tools, least=self.request.score)

    def _run_picture(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        from imgfix.media import mask as masks
        from imgfix.media.picture import Metadata, Picture
        from imgfix.tasks.select.choose import choose
        from imgfix.tasks.select.preview import marked

        start = time.monotonic()
        shown = self.side_files(self.saving.overwrite).path(source, target, relative)
        picture = pictures.read(source, self.reading.limit)
        rgb = seen(picture)
        found = choose(rgb, self.choices, self.tools, dilate=self.request.reach, least=self.request.score)
        mask = 1 - found.mask if self.request.invert else found.mask
        if target is not None:
            write_mask(target, mask)
        if shown is not None:
            pictures_write(shown, marked(rgb, mask, found.things))
        share = masks.coverage(mask)
        made = Picture((mask[..., None] * 255 + 0.5).astype(np.uint8), None, Metadata())
        return Result(
            input=FileFacts(picture.width, picture.height, picture.metadata.format),
            output=FileFacts(picture.width, picture.height, bytes=pictures.bytes_written(target)),
            summary=(in_words(found.things), f"{masks.percent(share)} chosen"),
            coverage=share,
            things=found.things,
            notes=picture.metadata.notes,
            seconds=time.monotonic() - start,
            picture=made if keep else None,
        )

    def _plan_picture(self, source: Any, target: Any, relative: Path | None) -> Plan:
        header = pictures.inspect_whole(source, self.reading.limit)
        size = FileFacts(header.width, header.height)
        return Plan(input=size, output=size)

    def refuse_moving(self, source: Any) -> None:
        """See `Pipeline.refuse_moving`."""
        raise UsageError(f"{source} moves, and this verb takes single pictures", hint="extract a frame first")


def in_words(things: Sequence[Thing]) -> str:
    """`2 x person, dog`."""
    counts: dict[str, int] = {}
    for thing in things:
        word = f"'{thing.name}'" if thing.kind == "text" else thing.name
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())


def pictures_write(path: Path, rgb: np.ndarray) -> None:
    """Write a picture for looking at, (H, W, 3) uint8. Raises OutputError."""
    from imgfix.media import image
    from imgfix.media.picture import Picture

    image.write(path, Picture(rgb))
