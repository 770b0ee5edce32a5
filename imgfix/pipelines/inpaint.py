"""Holes filled, things removed, the canvas extended: in pictures, videos, animated pictures and folders of frames."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.errors import ModelError, UsageError
from imgfix.pipelines import models, pictures, variants
from imgfix.pipelines.choosing import TASKS, ModelTools, SideFiles, own_names, write_mask
from imgfix.pipelines.followed import SavedMasks
from imgfix.pipelines.moving import work
from imgfix.pipelines.options import CLASSICAL, InpaintRequest, Saving
from imgfix.pipelines.pipeline import Pipeline, runner_of
from imgfix.pipelines.region import Region
from imgfix.pipelines.result import Facts, FileFacts, Plan, Progress, Result, Runner, joined
from imgfix.pipelines.steps import MovingStep, part_of

if TYPE_CHECKING:
    from imgfix.media.jobs import FileJob
    from imgfix.media.picture import Picture
    from imgfix.media.sources import FoundSources
    from imgfix.pipelines.frame_masks import FrameMasks
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.inpaint import InpaintOptions
    from imgfix.tasks.video_inpaint import VideoInpaint


NOTHING_FILLED = "nothing filled"


class InpaintPipeline(Pipeline[InpaintRequest]):
    """`imgfix inpaint`."""

    verb = "inpaint"
    unit = "holes"

    def check(self) -> None:
        """See `Pipeline.check`."""
        from imgfix.tasks.canvas import parse_expansion
        from imgfix.tasks.inpaint import InpaintOptions

        detector = self.request.detector
        named = self.models.choose(TASKS, model=detector) if detector != "auto" else None
        self.region = Region.of_request(self.request, own_names(named))
        self.expansion = parse_expansion(self.request.expand) if self.request.expand is not None else None
        if not self.region and self.expansion is None:
            raise UsageError(
                "nothing says what to fill",
                hint="give `mask`, `boxes` x,y,w,h, `point`, `object`, `subject`, `text`, `overlay`, `color`, `alpha` "
                "or `expand`",
            )
        self.how = InpaintOptions(feather=self.request.feather or 0.0, tta=self.request.tta, grain=self.request.grain)
        self.choice = self._choose()
        if self.request.variants > 1 and self.choice.name in CLASSICAL:
            raise UsageError(
                f"{self.choice.name} always gives the same fill, and `variants` asks for several",
                hint="leave `variants` out, or name a network: `model` inpaint-photo",
            )
        self._taken: set[Path] = set()
        """What variants were written to."""
        self.tools = ModelTools(self.models, named, "detector")
        self._engine: Engine | None = None
        """None for a classical method, and for a model that is not here yet."""

    def _choose(self) -> models.ModelChoice:
        try:
            return self.models.choose("inpaint", also=CLASSICAL)
        except ModelError as error:
            if self.machine.model == "auto":
                error.add_hint("or `model` telea, which needs no weights")
            raise

    def suffix(self, kind: str) -> str:
        """See `Pipeline.suffix`."""
        return "_filled" if self.region else "_wide"

    def variables(self, kind: str) -> Mapping[str, object]:
        """See `Pipeline.variables`."""
        return {"model": models.label(self.choice)}

    def prepare(self, kinds: Iterable[str], dry: bool = False) -> None:
        """See `Pipeline.prepare`."""
        self.tools.prepare(self.region.choices)
        missing = models.bytes_to_pull(self.choice)
        if dry and missing is not None:
            self.listener.missing(self.choice.name, missing)
        elif self.choice.name in CLASSICAL:
            self.listener.classical(self.choice.name)
        else:
            self._engine = self.models.open(self.choice, "inpaint")

    def _filler(self, dry: bool = False) -> Engine | str:
        """What fills; its name for a classical method, and while planning for a model that is not here yet."""
        if self.choice.name in CLASSICAL or (dry and models.bytes_to_pull(self.choice) is not None):
            return self.choice.name
        if self._engine is None:
            self._engine = self.models.open(self.choice, "inpaint")
        # Passes are of one size whatever the picture's, and a few of them are not worth measuring for.
        return models.fitted(self._engine, (self._engine.descriptor.native_size or 512) ** 2, self.listener, dry)

    def side_files(self, overwrite: bool) -> SideFiles:
        """See `Pipeline.side_files`."""
        return SideFiles("save_mask", self.request.save_mask, "_mask.png", overwrite)

    def results_of(self, target: Path) -> list[Path]:
        """See `Pipeline.results_of`."""
        return [place for place in variants.places(target, self.request.variants) if place.exists()]

    def _placed(self, inputs: Sequence[str | Path] | FoundSources, saving: Saving) -> list[FileJob]:
        found = super()._placed(inputs, saving)
        self._sheets(saving.overwrite).check(len(found))
        return found

    def _sheets(self, overwrite: bool) -> SideFiles:
        return SideFiles("sheet", self.request.sheet, "_variants.jpg", overwrite)

    # -- pictures ------------------------------------------------------------------------------------------------------

    def _mask(self, picture: Picture, source: Any, relative: Path | None) -> tuple[np.ndarray | None, Sequence[str]]:
        """The mask of a picture, None when only the canvas grows, or when a step of a recipe finds nothing to fill."""
        if not self.region:
            return None, []
        found, notes = self.if_found(
            lambda: self.region.of_picture(picture, source, relative, self.tools), NOTHING_FILLED
        )
        return (None, notes) if found is None else found

    def _run_picture(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        from imgfix.media import image
        from imgfix.media import mask as masks
        from imgfix.media.picture import Picture
        from imgfix.tasks.looks import LOOKS, ranked

        start, count = time.monotonic(), self.request.variants
        overwrite = self.saving.overwrite
        mask_path = self.side_files(overwrite).path(source, target, relative)
        sheet_path = self._sheets(overwrite).path(source, target, relative)
        files = variants.places(target, count)
        if count > 1:
            variants.check_free(files, self._taken, overwrite)
        picture = pictures.read(source, self.reading.limit)
        region, notes = self._mask(picture, source, relative)
        if mask_path is not None and region is not None:
            write_mask(mask_path, region)
        filler, saving = self._filler(), self._saving(source)
        if not isinstance(filler, str):
            filler = filler.for_samples(picture.pixels.dtype)
        if region is None and self.expansion is None:
            files, count = files[:1], 1
        # Merged, a picture and its mirror image would give the same.
        looks = [self.how, *(replace(self.how, look=look, tta=False) for look in LOOKS[1:count])]
        found = [
            self._filled(picture, region, filler, how, part_of(progress, number, count))
            for number, how in enumerate(looks)
        ]
        order = ranked([each.pixels for each in found], self._filled_part(picture, region)) if count > 1 else [0]
        own = self._record(pictures.origin(source), self.choice.name, filler)
        written: list[str] = []
        for number, (place, index) in enumerate(zip(files, order, strict=True), start=1):
            if place is None:
                continue
            said = own if own is None or count == 1 else {**own, "variant": number}
            written += image.write(
                place, found[index], format=saving.format, quality=saving.quality,
                record=self._signature(source, said),
            )  # fmt: skip
        made = found[order[0]]
        best_first = tuple(found[index] for index in order)
        if sheet_path is not None:
            hole = masks.bounds(region > 0) if region is not None and self.expansion is None else None
            image.write(sheet_path, Picture(variants.sheet(best_first, hole)))
        share = masks.coverage(region) if region is not None else None
        summary = [f"{masks.percent(share)} filled"] if share is not None else []
        summary += [f"{count} variants"] if count > 1 else []
        return Result(
            input=FileFacts(picture.width, picture.height, picture.metadata.format),
            output=FileFacts(made.width, made.height, bytes=pictures.bytes_written(target)),
            runner=self._runner(filler),
            summary=tuple(summary or ([] if self.expansion is not None else [NOTHING_FILLED])),
            coverage=share,
            notes=joined(picture.metadata.notes, notes, written),
            variants=tuple(str(place) for place in files if place is not None) if count > 1 else (),
            seconds=time.monotonic() - start,
            picture=made if keep else None,
            pictures=best_first if keep and self.request.variants > 1 else (),
            record=own,
        )

    def _filled_part(self, picture: Picture, region: np.ndarray | None) -> np.ndarray:
        """Which pixels of the result are filled, (H, W) bool."""
        inside = np.zeros((picture.height, picture.width), bool)
        if region is not None:
            inside = region > 0
        if self.expansion is None:
            return inside
        margins = self.expansion.of(picture.width, picture.height)
        width, height = margins.size(picture.width, picture.height)
        sides = (margins.top, height - margins.top - picture.height), (
            margins.left, width - margins.left - picture.width,
        )  # fmt: skip
        return np.pad(inside, sides, constant_values=True)

    def _filled(
        self, picture: Picture, region: np.ndarray | None, filler: Engine | str, how: InpaintOptions, told: Progress
    ) -> Picture:
        """The picture with its region filled and its canvas extended; the same object where there is neither."""
        from imgfix.media import colour
        from imgfix.media import mask as masks
        from imgfix.tasks.canvas import expand
        from imgfix.tasks.inpaint import inpaint

        transform = colour.transform(picture.metadata, picture.channels)
        pixels, alpha = picture.pixels, picture.alpha
        if region is not None:
            pixels = inpaint(pixels, region, filler, how, colour=transform, alpha=alpha, progress=told)
            if alpha is not None and self.region.transparent:
                # What was transparent and is filled now has to be seen.
                weight = masks.feather(region, how.feather)
                shown = alpha + (np.iinfo(alpha.dtype).max - alpha.astype(np.float64)) * weight
                alpha = np.where(weight > 0, (shown + 0.5).astype(alpha.dtype), alpha)
        if self.expansion is not None:
            margins = self.expansion.of(picture.width, picture.height)
            pixels, alpha = expand(pixels, margins, filler, options=how, colour=transform, alpha=alpha, progress=told)
        return picture if pixels is picture.pixels else replace(picture, pixels=pixels, alpha=alpha)

    def _plan_picture(self, source: Any, target: Any, relative: Path | None) -> Plan:
        """The region is looked at, nothing is filled."""
        from imgfix.media import mask as masks
        from imgfix.tasks import holes

        picture = pictures.read(source, self.reading.limit)
        region, notes = self._mask(picture, source, relative)
        filler = self._filler(dry=True)
        size = picture.width, picture.height
        plan = Plan(input=FileFacts(*size), runner=self._runner(filler), notes=tuple(notes))
        if region is not None:
            native = None if isinstance(filler, str) else filler.descriptor.native_size
            windows = len(holes.find(masks.feather(region, self.how.feather) > 0, native or 1024))
            passes = windows * self.request.variants
            share = masks.coverage(region)
            words = f"{masks.percent(share)} to fill in {windows} {'window' if windows == 1 else 'windows'}"
            plan = replace(plan, summary=(words,), coverage=share, windows=windows)
            if not isinstance(filler, str):
                area = (native or 512) ** 2
                plan = replace(
                    plan, seconds=passes * area * filler.cost.seconds_per_pixel,
                    memory_bytes=round(area * filler.cost.bytes_per_pixel),
                )  # fmt: skip
        if self.expansion is not None:
            size = self.expansion.of(*size).size(*size)
        summary, count = plan.summary, self.request.variants
        if count > 1:
            variants.check_free(variants.places(target, count), set(), self.saving.overwrite)
            summary = (*summary, f"{count} variants")
        return replace(plan, output=FileFacts(*size), summary=summary)

    # -- what moves ----------------------------------------------------------------------------------------------------

    def _moving_step(self, moving: Moving, kind: str, relative: Path | None, dry: bool) -> MovingStep:
        filler, saved = self._filler(dry), None
        if self.request.save_mask is not None and not dry:
            saved = SavedMasks(self.request.save_mask, moving, relative, self.alone, self.saving.overwrite)
        there, left = self.if_found(
            lambda: self.region.of_moving(moving, relative, self.alone, self.tools, self.listener, dry), NOTHING_FILLED
        )
        if there is None:
            return self._unfilled(moving, left)
        found, share, digest, notes = there
        task, facts = self._filling(found, share, filler, notes, "to fill" if dry else "filled")
        if saved is not None:
            saved.write(found)
        descriptor = None if isinstance(filler, str) else filler.descriptor
        return MovingStep(
            task,
            facts,
            model=descriptor.sha256 if descriptor is not None else self.choice.name,
            binding={**self.region.binding, "mask": digest, **asdict(self.how), **work.bound(filler)},
            record=self._record(moving.source, self.choice.name, filler),
        )

    def _unfilled(self, moving: Moving, notes: Sequence[str]) -> MovingStep:
        """The step of a recipe that finds nothing to fill."""
        from imgfix.tasks.as_it_is import AsItIs

        facts = Facts(runner=Runner(self.choice.name), summary=(NOTHING_FILLED,), coverage=0.0, notes=tuple(notes))
        record = self._record(moving.source, self.choice.name, None)
        return MovingStep(AsItIs(), facts, self.choice.name, {"region": NOTHING_FILLED}, record, idle=True)

    def _filling(
        self, found: FrameMasks, share: float, filler: Engine | str, notes: Sequence[str], word: str
    ) -> tuple[VideoInpaint, Facts]:
        """The work on a clip whose masks were found, and what is to be said."""
        from imgfix.media import mask as masks
        from imgfix.tasks.video_inpaint import VideoInpaint, VideoInpaintOptions

        how = VideoInpaintOptions(feather=self.how.feather, tta=self.how.tta, grain=self.how.grain)
        task = VideoInpaint(found.fixed if found.same else found, filler, how)
        facts = Facts(
            runner=self._runner(filler), summary=(f"{masks.percent(share)} {word}",), coverage=share,
            notes=tuple(notes),
        )  # fmt: skip
        return task, facts

    def refuse_moving(self, source: Any) -> None:
        """See `Pipeline.refuse_moving`."""
        if self.expansion is not None:
            raise UsageError(
                f"{source} moves, and `expand` is for single pictures", hint="leave `expand` out for clips"
            )
        if self.request.variants > 1:
            raise UsageError(
                f"{source} moves, and `variants` are for single pictures", hint="leave `variants` out for clips"
            )
        self.region.refuse_moving(source)

    def _runner(self, filler: Engine | str) -> Runner:
        return Runner(self.choice.name, "cpu") if isinstance(filler, str) else runner_of(filler)
