"""From what a request says to a pipeline, and from its work to files that can be fetched."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import worded
from imgfix.media.names import shell_word
from imgfix.pipelines import record
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.models import Listener
from imgfix.pipelines.option_names import option
from imgfix.pipelines.options import Reading
from imgfix.pipelines.result import Progress, Result
from imgfix.server import fields
from imgfix.server.answers import Refused, not_found
from imgfix.server.fields import VERBS
from imgfix.server.heard import Heard
from imgfix.server.previews import small
from imgfix.server.records import Asked, Meaning, asked, comparison, drawing, measured
from imgfix.server.settings import Settings
from imgfix.server.store import FileRow, Store
from imgfix.server.uploads import name_from, take

if TYPE_CHECKING:
    from imgfix.pipelines.evaluate import Comparison
    from imgfix.pipelines.generate import GeneratePipeline
    from imgfix.pipelines.pipeline import Pipeline
    from imgfix.pipelines.select import SelectPipeline

HOVER = 1024
"""Pixels of the longer side of the copy that a quick look is taken at; the network sees no more than that."""
_LOOKS = 64
"""Masks of quick looks that are kept; a pointer that moves asks for several a second."""
_RECIPE = "recipe.toml"
"""What the file with the steps of a request would be called."""


@dataclass(frozen=True)
class Order:
    """What is asked of a verb; it can be written down as JSON and carried out after a restart."""

    verb: str
    input: str | None
    """The file that is worked on."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """By the public names of the fields; files are their identifiers."""

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {"verb": self.verb, "input": self.input, "values": dict(self.values)}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Order:
        """From JSON."""
        return cls(facts["verb"], facts["input"], facts["values"])

    @property
    def files(self) -> list[str]:
        """Every file that it needs."""
        named = _files_in(VERBS[self.verb], self.values)
        for step in self.values.get("steps", ()):
            named += _files_in(fields.STEPS[step["verb"]], step)
        return [name for name in (self.input, *named) if isinstance(name, str)]


@dataclass(frozen=True)
class JobResult:
    """What became of an order."""

    outputs: tuple[FileRow, ...] = ()
    answer: Mapping[str, Any] = field(default_factory=dict)
    """As JSON, besides the files."""


class Executor:
    """Carries orders out on one device, with models that stay loaded."""

    def __init__(self, store: Store, settings: Settings, loaded: Loaded, device: str) -> None:
        self.store, self.settings, self.loaded, self.device = store, settings, loaded, device
        self._looked: deque[str] = deque()

    # -- before the work -----------------------------------------------------------------------------------------------

    def names(self, order: Order) -> dict[str, str]:
        """What the caller calls the files of an order, by their places."""
        rows = [row for name in order.files if (row := self.store.file(name)) is not None]
        return {str(self.store.path(row)): row.name for row in rows} | {f"{self.store.folder}/": ""}

    def check(self, order: Order) -> tuple[str, int]:
        """Whether an order makes sense, before it is taken.

        Returns the command that would do the same, and the pixels of its result (0: it is quick, or a film).
        Raises Refused, ImgfixError.
        """
        spec = VERBS[order.verb]
        source = self._row(order.input) if spec.takes_input else None
        fields.check_models(order.values, spec)
        if source is not None and source.kind == "sound":
            raise Refused(415, "unsupported", f"{source.name} is sound", "send a picture or a clip")
        if source is not None and source.kind != "image" and not spec.moves and order.verb != "evaluate":
            raise Refused(
                415, "unsupported", f"{source.name} moves, and {order.verb} takes single pictures", "extract a frame"
            )
        if order.verb == "evaluate":
            self._comparison(order)
            return self._command(order), 0
        if order.verb == "generate":
            self._drawing(order, self.store.incoming)
            return self._command(order), 0
        pipeline = self._pipeline(order)
        assert source is not None
        pixels = self._pixels(order, pipeline, source)
        return self._command(order), 0 if order.verb == "select" else pixels

    def check_recipe(self, order: Order) -> None:
        """Whether steps make sense, without a file to do them on. Raises Refused, ImgfixError."""
        fields.check_models(order.values, VERBS[order.verb])
        self._pipeline(order)

    def _pixels(self, order: Order, pipeline: Pipeline[Any], source: FileRow) -> int:
        """Of a picture's result. Raises Refused: it would be too large."""
        from imgfix.pipelines.upscale import UpscalePipeline

        width, height = source.width, source.height
        for step in pipeline.steps:
            if source.kind != "image":
                step.refuse_moving(source.name)
            if isinstance(step, UpscalePipeline):
                width, height = step.size(width, height, source.kind)
            elif (expansion := getattr(step, "expansion", None)) is not None:
                width, height = expansion.of(width, height).size(width, height)
            if width * height > self.settings.max_result:
                raise Refused(
                    413, "too_large", f"the result would have {width} x {height} pixels; this server makes "
                    f"{self.settings.max_result / 1e6:g} megapixels", "ask for a smaller one",
                )  # fmt: skip
        return width * height

    def _row(self, identifier: object) -> FileRow:
        row = self.store.file(identifier) if isinstance(identifier, str) else None
        if row is None:
            raise not_found("file", str(identifier))
        return row

    def _place(self, identifier: object) -> Path:
        return self.store.path(self._row(identifier))

    def _asked(self, order: Order) -> Asked:
        return asked(VERBS[order.verb], order.values, self._meaning, self.device)

    @property
    def _meaning(self) -> Meaning:
        return Meaning(self._place, self._behind)

    def _behind(self, value: str) -> str:
        """A colour or `blur` as it is, an upload as its place; never a path of the request's own."""
        from imgfix.media import mask

        if isinstance(value, str) and self.store.file(value) is not None:
            return str(self._place(value))
        if value != "blur":
            mask.parse_colour(value)
            return value if value.startswith(("#", "rgb")) or not Path(value).exists() else _hexadecimal(value)
        return value

    def _pipeline(self, order: Order, target: Path | None = None, listener: Listener | None = None) -> Pipeline[Any]:
        wanted = self._asked(order)
        saving, clips = wanted.saving, wanted.clips
        if target is not None:
            saving = replace(saving, output=f"{target}/", overwrite=True)  # what is there is our own
            clips = replace(clips, resume=True)
        reading = Reading(max_pixels=self.settings.max_pixels)
        kind = pipeline_of(order.verb)
        pipeline = kind(wanted.request, saving, clips, wanted.machine, reading, listener or Listener(), self.loaded)
        pipeline.names = self.names(order)
        return pipeline

    def _drawing(self, order: Order, target: Path, listener: Listener | None = None) -> GeneratePipeline:
        wanted = self._asked(order)
        output = f"{target}/" if wanted.request.interpolate is None else str(target / "film.mp4")
        pipeline = drawing(wanted, output, True, listener, self.loaded)
        pipeline.names = self.names(order)
        return pipeline

    def _comparison(self, order: Order, listener: Listener | None = None) -> Comparison:
        reading = Reading(max_pixels=self.settings.max_pixels)
        return comparison(order.values, self._place(order.input), self._meaning, reading, listener)

    def _command(self, order: Order) -> str:
        """The command line that would do the same with files of these names in the folder at hand."""
        spec = VERBS[order.verb]
        model = order.values.get("model")
        if order.verb == "evaluate":
            words = ["imgfix", "evaluate", self._row(order.input).name]
            words += [option("against"), self._row(order.values["against"]).name] if "against" in order.values else []
            words += [option("protocol"), order.values["protocol"]] if "protocol" in order.values else []
            words += [word for name in order.values.get("metric", ()) for word in (option("metric"), name)]
            words += [option("crop")] if order.values.get("crop") else []
            return " ".join(map(shell_word, words))
        wanted = self._asked(order)
        records = [wanted.request, wanted.saving, *([wanted.clips] if spec.moves else [])]
        records.append(replace(wanted.machine, device="auto"))
        names = self.names(order)
        if order.verb == "generate":
            first, *more = list(wanted.request.prompts or ()) or [""]
            records[0] = replace(wanted.request, prompts=None)
            line = record.command_line("generate", first, model, *records, names=names).replace(" '' ", " ", 1)
            return " ".join([line.removesuffix(" ''"), *map(shell_word, more)])
        place: str | tuple[str, str] = self._row(order.input).name
        if order.verb == "run":
            place, records = (_RECIPE, self._row(order.input).name), records[1:]
        line = record.command_line(order.verb, place, model, *records, names=names)
        return line + (f" {option('list')}" if order.values.get("list") else "")

    # -- the work ------------------------------------------------------------------------------------------------------

    def unit(self, order: Order) -> str:
        """What progress is counted in."""
        if order.verb in ("generate", "evaluate"):
            return "pictures"
        row = self.store.file(order.input or "")
        return "frames" if row is not None and row.kind != "image" else pipeline_of(order.verb).unit

    def carry_out(self, order: Order, job: str, progress: Progress) -> JobResult:
        """Do the work. Raises Refused, ImgfixError."""
        work: Mapping[str, Callable[[Order, str, Progress], JobResult]] = {
            "generate": self._generate, "evaluate": self._evaluate, "select": self._select,
        }  # fmt: skip
        return work.get(order.verb, self._transform)(order, job, progress)

    def _transform(self, order: Order, job: str, progress: Progress) -> JobResult:
        """One file into one file."""
        row, notes = self._row(order.input), Heard()
        folder = self.store.folder_of(job)
        pipeline = self._pipeline(order, folder, notes)
        (task,) = pipeline.jobs([self.store.path(row)])
        if task.error is not None:
            raise task.error
        target = task.target
        assert isinstance(target, Path)
        kind = pipeline.kind(task.source, target)
        pipeline.prepare([kind])
        result = pipeline.run(task.source, target, progress=progress)
        name = f"{Path(row.name).stem}{pipeline.suffix(kind)}{target.suffix}"
        made = take(self.store, self._unlimited, target, name)
        return JobResult((made,), {"result": told(result, notes.heard, pipeline.names)})

    def _generate(self, order: Order, job: str, progress: Progress) -> JobResult:
        notes, folder = Heard(), self.store.folder_of(job)
        pipeline = self._drawing(order, folder, notes)
        pipeline.prepare()
        if pipeline.film is not None:
            result = pipeline.run_film(progress)
            assert pipeline.film.target is not None
            name = name_from("-".join(wish.prompt or "" for wish in pipeline.wishes) + ".mp4")
            film = take(self.store, self._unlimited, pipeline.film.target, name)
            return JobResult((film,), {"result": told(result, notes.heard, pipeline.names)})
        made: list[FileRow] = []
        results: list[dict[str, Any]] = []
        for number, one in enumerate(pipeline.orders):
            progress(number, len(pipeline.orders))
            result = pipeline.run(one)
            assert one.target is not None
            made.append(take(self.store, self._unlimited, one.target, one.target.name))
            results.append(told(result, notes.heard, pipeline.names))
        progress(len(made), len(made))
        return JobResult(tuple(made), {"result": results[0], "results": results})

    def _evaluate(self, order: Order, job: str, progress: Progress) -> JobResult:
        notes, names = Heard(), self.names(order)
        found = self._comparison(order, notes)
        return JobResult((), {"result": measured(found, lambda path: names[str(path)], notes, progress)})

    def _select(self, order: Order, job: str, progress: Progress) -> JobResult:
        row, notes = self._row(order.input), Heard()
        quick = bool(order.values.get("hover"))
        copy, factor = small(self.store, row, HOVER, self.settings.max_pixels) if quick else (None, 1.0)
        asked = replace(order, values=_shrunk(order.values, factor)) if quick else order
        pipeline: SelectPipeline = self._pipeline(asked, None, notes)  # type: ignore[assignment]
        source: Any = self.store.path(row) if copy is None else copy
        if order.values.get("list"):
            _, things = pipeline.things(source)
            return JobResult((), {"regions": [region(thing, factor) for thing in things]})
        target = self.store.folder_of(job) / "mask.png"
        pipeline.prepare(["image"])
        result = pipeline.run(source, target, progress=progress)
        mask = take(self.store, self._unlimited, target, f"{Path(row.name).stem}_mask.png")
        if quick:
            self._looked.append(mask.id)
            while len(self._looked) > _LOOKS:
                self.store.remove_file(self._looked.popleft())
        regions = [region(thing, factor) for thing in result.things]
        facts = told(result, notes.heard, pipeline.names)
        return JobResult((mask,), {"regions": regions, "mask": mask.id, "result": facts})

    @property
    def _unlimited(self) -> Settings:
        """For what was made here: it was checked before, and a model's own factor may make it large."""
        return replace(self.settings, max_pixels=1 << 40)


def pipeline_of(verb: str) -> type[Pipeline[Any]]:
    """The pipeline of a verb that makes one file of one file."""
    if verb == "upscale":
        from imgfix.pipelines.upscale import UpscalePipeline

        return UpscalePipeline
    if verb == "inpaint":
        from imgfix.pipelines.inpaint import InpaintPipeline

        return InpaintPipeline
    if verb == "run":
        from imgfix.pipelines.run import RunPipeline

        return RunPipeline
    if verb == "restore":
        from imgfix.pipelines.restore import RestorePipeline

        return RestorePipeline
    if verb == "select":
        from imgfix.pipelines.select import SelectPipeline

        return SelectPipeline
    from imgfix.pipelines.cutout import CutoutPipeline

    return CutoutPipeline


def _files_in(spec: fields.Verb, values: Mapping[str, Any]) -> list[Any]:
    return [values[one.name] for one in spec.fields if "file" in one.kind and one.name in values]


def told(result: Result, heard: list[str], names: Mapping[str, str]) -> dict[str, Any]:
    """A result as JSON; what is None is left out."""
    found = _facts(result, heard, names)
    if result.steps:
        found["run"] = [
            {"verb": verb, **_facts(facts, [], names)} for verb, facts in result.steps if isinstance(facts, Result)
        ] or [{"verb": verb} for verb, _ in result.steps]
    return found


def _facts(result: Result, heard: list[str], names: Mapping[str, str]) -> dict[str, Any]:
    from imgfix.server.answers import without_paths

    found: dict[str, Any] = {"seconds": None if result.seconds is None else round(result.seconds, 3)}
    found |= asdict(result.runner) if result.runner is not None else {}
    if result.restored is not None:
        found["steps"] = [asdict(step) for step in result.restored.steps]
        if result.restored.looked:
            found |= {"noise": round(result.restored.noise, 2), "jpeg": result.restored.jpeg}
    if result.drawn is not None:
        found |= result.drawn.values
    found |= {
        "summary": list(result.summary), "coverage": result.coverage, "frames": result.frames,
        "resumed": result.resumed, "copied": result.copied or None,
        "notes": [without_paths(worded(note), names) for note in (*heard, *result.notes)],
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def region(thing: Any, factor: float = 1.0) -> dict[str, Any]:
    """What was found, in pixels of the picture; factor: of the copy that was looked at."""
    return {
        "kind": thing.kind, "name": thing.name, "number": thing.number, "score": thing.score,
        "box": [round(edge / factor, 1) for edge in thing.box], "area": round(thing.area / factor**2),
    }  # fmt: skip


def _shrunk(values: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The same choices on a smaller copy of the picture."""
    found = dict(values)
    for name in ("point", "not_point", "box_object"):
        if name in found:
            found[name] = [_scaled(one, factor) for one in found[name]]
    return found


def _scaled(value: Any, factor: float) -> Any:
    if not isinstance(value, str):
        return [part * factor for part in value]
    sign = value[:1] if value[:1] in "&+-" else ""
    parts = [part.strip() for part in value[len(sign) :].split(",")]
    return sign + ",".join(part if part.endswith("%") or not _is_number(part) else f"{float(part) * factor:.10g}"
                           for part in parts)  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _hexadecimal(colour: str) -> str:
    from imgfix.media import mask

    return "#" + "".join(f"{channel:02x}" for channel in mask.parse_colour(colour))
