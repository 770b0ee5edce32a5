"""The operations as tools for language models (MCP), over stdin and stdout.

Model Context Protocol: https://modelcontextprotocol.io. The official Python SDK speaks it (MIT, extra `mcp`); here are
the tools alone. Their fields are those of the server (`imgfix.server.fields`), but for files, which are named by their
paths below the folders of the user (`imgfix.server.places`).
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imgfix import __version__
from imgfix.errors import ImgfixError, MissingExtraError, UsageError, out_of_memory
from imgfix.pipelines import recipes
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.options import Reading
from imgfix.pipelines.result import Progress
from imgfix.server import fields
from imgfix.server.answers import Refused, refusal
from imgfix.server.fields import STEPS, VERBS, Verb
from imgfix.server.heard import Heard
from imgfix.server.places import Places
from imgfix.server.records import Meaning, asked, comparison, drawing, measured

SIDE = 512
"""Pixels of the longer side of a thumbnail."""
_MOST_SHOWN = 4
"""Thumbnails in an answer."""
_MOST_LISTED = 500


class Cancelled(Exception):
    """The caller does not want the result any more."""


@dataclass(frozen=True)
class Answer:
    """What a tool gives back."""

    facts: Mapping[str, Any]
    thumbnails: tuple[bytes, ...] = ()
    """JPEG or PNG files."""


class Tools:
    """The tools for some folders, with models that stay loaded; one works at a time."""

    def __init__(self, places: Places, device: str = "auto") -> None:
        self.places, self.device, self.loaded = places, device, Loaded()
        self._busy = threading.Lock()

    # -- what there is -------------------------------------------------------------------------------------------------

    def described(self) -> list[dict[str, Any]]:
        """Name, description and JSON schema of each tool."""
        path = {"type": "string", "description": "path of a picture, clip or animated picture"}
        folder = {"type": "string", "description": "only below this one"}
        time = {"type": "number", "description": "seconds into a clip"}
        found = [
            _tool("list_files", "List pictures and clips below the folders that may be used.", {"folder": folder}),
            _tool("look", "Show a picture, or the frame of a clip at a time, as a thumbnail.",
                  {"input": path, "time": time}, ["input"]),
            _tool("models", "List the models that are installed.", {}),
        ]  # fmt: skip
        return found + [self._described(verb, path) for verb in VERBS.values()]

    def _described(self, verb: Verb, path: dict[str, Any]) -> dict[str, Any]:
        options = {field.name: _property(verb, field) for field in verb.fields if field.name != "hover"}
        required = ["input"] if verb.takes_input else []
        if verb.name == "evaluate":
            source = {"input": {**path, "description": "path of a picture, a clip, or a folder of them"}}
            return _tool(verb.name, f"{verb.summary}. Writes nothing.", {**source, **options}, required)
        source = {"input": path} if verb.takes_input else {}
        words = "file to write; default: beside the input, with a suffix"
        if not verb.takes_input:
            words = "file to write, or a folder where there are several; default: the first of the folders"
        written = {
            "output": {"type": "string", "description": words},
            "overwrite": {"type": "boolean", "description": "replace an output that exists", "default": False},
        }
        told = f"{verb.summary}. Writes a new file and shows a thumbnail of it."
        return _tool(verb.name, told, {**source, **written, **options}, required)

    def call(self, name: str, given: Mapping[str, Any], progress: Progress) -> Answer:
        """Do what a tool does. Raises ImgfixError, Cancelled (from `progress`)."""
        if name == "list_files":
            return self._list(given)
        if name == "look":
            path = self.places.find(given.get("input"))
            return Answer({"path": self.places.shown(path), **_facts_of(path)}, (_thumbnail(path, given.get("time")),))
        if name == "models":
            from imgfix.server.app import known_models

            return Answer({"models": [each for each in known_models() if each["installed"]]})
        verb = VERBS.get(name)
        if verb is None:
            raise UsageError(f"there is no tool '{name}'", hint="see the list of tools")
        work = {"generate": self._draw, "evaluate": self._measure}.get(name, self._transform)
        with self._busy:
            return work(verb, dict(given), progress)

    def _list(self, given: Mapping[str, Any]) -> Answer:
        from imgfix.media.formats import IMAGE_EXTENSIONS
        from imgfix.media.sources import VIDEO_EXTENSIONS

        roots = [self.places.find(given["folder"])] if given.get("folder") else list(self.places.folders)
        found: list[str] = []
        for root in roots:
            for place, folders, names in os.walk(root):
                folders[:] = sorted(each for each in folders if not each.startswith("."))
                paths = [Path(place, each) for each in sorted(names) if not each.startswith(".")]
                known = IMAGE_EXTENSIONS | VIDEO_EXTENSIONS
                found += [self.places.shown(p) for p in paths if p.suffix.lower() in known and not p.is_symlink()]
                if len(found) > _MOST_LISTED:
                    return Answer({"files": found[:_MOST_LISTED], "more": True})
        return Answer({"files": found, "more": False})

    # -- work ----------------------------------------------------------------------------------------------------------

    def _transform(self, verb: Verb, given: dict[str, Any], progress: Progress) -> Answer:
        """One file into one file."""
        from imgfix.server.orders import pipeline_of, region, told

        source, target, overwrite = self._files(given)
        listener, values = Heard(), self._read(verb, given)
        wanted = asked(verb, values, self._meaning, self.device)
        saving = replace(wanted.saving, output=None if target is None else str(target), overwrite=overwrite)
        kind = pipeline_of(verb.name)
        pipeline: Any = kind(wanted.request, saving, wanted.clips, wanted.machine, Reading(), listener, self.loaded)
        if values.get("list"):
            return Answer({"regions": [region(thing) for thing in pipeline.things(source)[1]]})
        (job,) = pipeline.jobs([source])
        if job.error is not None:
            raise job.error
        assert isinstance(job.target, Path)
        self._check_new(job.target)
        pipeline.prepare([pipeline.kind(source, job.target)])
        result = pipeline.run(source, job.target, progress=progress)
        facts = told(result, listener.heard, {})
        if verb.name == "select":
            facts["regions"] = [region(thing) for thing in result.things]
        return self._made([job.target], facts)

    def _draw(self, verb: Verb, given: dict[str, Any], progress: Progress) -> Answer:
        """Pictures, or a film, of what is asked for."""
        from imgfix.server.orders import told

        _, target, overwrite = self._files(given, source=False)
        listener = Heard()
        wanted = asked(verb, self._read(verb, given), self._meaning, self.device)
        output = f"{self.places.folders[0]}/" if target is None else str(target)
        pipeline = drawing(wanted, output, overwrite, listener, self.loaded)
        for order in [pipeline.film] if pipeline.film is not None else pipeline.orders:
            if order.error is not None:
                raise order.error
            assert order.target is not None
            self._check_new(order.target)
        pipeline.prepare()
        if pipeline.film is not None:
            result = pipeline.run_film(progress)
            assert pipeline.film.target is not None
            return self._made([pipeline.film.target], told(result, listener.heard, {}))
        results, made = [], []
        for number, order in enumerate(pipeline.orders):
            progress(number, len(pipeline.orders))
            results.append(told(pipeline.run(order), listener.heard, {}))
            assert order.target is not None
            made.append(order.target)
        progress(len(made), len(made))
        return self._made(made, results[0] if len(results) == 1 else {"results": results})

    def _measure(self, verb: Verb, given: dict[str, Any], progress: Progress) -> Answer:
        """Numbers of a file, or of all in a folder."""
        source, listener = self.places.find(given.pop("input", None)), Heard()
        found = comparison(self._read(verb, given), source, self._meaning, Reading(), listener)
        for path in (*found.results, *found.references):
            self.places.find(str(path))  # one in a folder may be a link
        return Answer(measured(found, self.places.shown, listener, progress))

    def _files(self, given: dict[str, Any], source: bool = True) -> tuple[Any, Path | None, bool]:
        """What is read, what is written, and whether that may be there already; taken out of what is said."""
        read = self.places.find(given.pop("input", None)) if source else None
        output = given.pop("output", None)
        target = self.places.find(output, new=True) if output is not None else None
        return read, target, given.pop("overwrite", False) is True

    def _read(self, verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
        recipe = given.get("recipe")
        if recipe is not None and verb.find("recipe") is not None:
            values = self._followed(verb, given, self.places.find(recipe))
        else:
            values = fields.read(verb, given)
        fields.check_models(values, verb)
        return values

    def _followed(self, verb: Verb, given: Mapping[str, Any], recipe: Path) -> dict[str, Any]:
        """What a recipe file says; files that it names lie where it lies."""
        with recipe.open("rb") as stream:
            text = stream.read(recipes.LARGEST + 1).decode("utf-8", "replace")
        values = fields.read(verb, {**given, "recipe": text})
        for step in values["steps"]:
            for one in STEPS[step["verb"]].fields:
                beside = recipe.parent / str(step.get(one.name))
                if one.name in step and (one.kind == "file" or (one.kind == "file or text" and beside.is_file())):
                    step[one.name] = str(beside)
        return values

    def _check_new(self, path: Path) -> None:
        """Refuse a place that a pattern leads outside, or at which a link stands. Raises UsageError."""
        self.places.find(str(path), new=True)

    def _made(self, paths: list[Path], facts: Mapping[str, Any]) -> Answer:
        """What is said of files that were written."""
        files = [{"output": self.places.shown(path), **_facts_of(path)} for path in paths]
        shown = tuple(_thumbnail(path, None) for path in paths[:_MOST_SHOWN])
        return Answer({**files[0], **({"outputs": files} if len(files) > 1 else {}), **facts}, shown)

    @property
    def _meaning(self) -> Meaning:
        return Meaning(self.places.find, self._behind)

    def _behind(self, value: Any) -> str:
        """`blur`, a colour, or a picture below the folders."""
        from imgfix.media import mask

        if value == "blur":
            return "blur"
        try:
            colour = mask.parse_colour(str(value))
        except UsageError:
            return str(self.places.find(value))
        return "#" + "".join(f"{channel:02x}" for channel in colour)


def _tool(name: str, words: str, properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    schema = {
        "type": "object", "properties": dict(properties), "required": required or [], "additionalProperties": False
    }  # fmt: skip
    return {"name": name, "description": words, "schema": schema}


def _property(verb: Verb, field: fields.Field) -> dict[str, Any]:
    from imgfix.server.openapi import TYPES

    found = {**TYPES[field.kind], "description": field.help}
    if field.kind == "recipe":
        found["description"] = "instead of them the path of a recipe file"
    if "file" in field.kind:
        found["description"] = field.help.replace("the identifier of an upload", "a path").split(", or a part")[0]
    return found | ({"enum": list(field.choices)} if field.choices else {})


def _facts_of(path: Path) -> dict[str, Any]:
    """Kind, size and bytes of a file."""
    from imgfix.server.uploads import facts_of

    return facts_of(path)


def _thumbnail(path: Path, time: Any) -> bytes:
    from imgfix.server.previews import thumbnail

    return thumbnail(path, SIDE, float(time) if isinstance(time, int | float) else None)


def serve(folders: list[Path], device: str = "auto") -> None:
    """Serve MCP on stdin and stdout until the other side closes them. Raises UsageError, MissingExtraError."""
    places = Places(tuple(folders))
    try:
        import anyio
        import mcp.server.stdio  # noqa: F401
    except ImportError:
        raise MissingExtraError("MCP", "mcp") from None
    anyio.run(_serve, Tools(places, device))


async def _serve(tools: Tools) -> None:
    import mcp_types as types
    from mcp.server import Server
    from mcp.server.stdio import stdio_server

    listed = [
        types.Tool(name=each["name"], description=each["description"], input_schema=each["schema"])
        for each in tools.described()
    ]

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed)

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> Any:
        return await _call(tools, context.session.report_progress, params.name, params.arguments or {})

    server = Server(
        "imgfix", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool,
        instructions="Restores, enlarges, fills and cuts out pictures and clips on this machine. Paths are relative to "
        "the folders that list_files shows. Nothing is changed in place: each tool writes a new file.",
    )  # fmt: skip
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


async def _call(tools: Tools, report: Callable[..., Any], name: str, given: Mapping[str, Any]) -> Any:
    """A tool in a thread of its own, with its progress; where the caller has gone it ends at the next tile or frame."""
    import anyio
    import anyio.lowlevel
    import mcp_types as types

    gone, token = threading.Event(), anyio.lowlevel.current_token()  # pipelines tell it from threads of their own
    shown = [0.0]

    def progress(done: int, total: int) -> None:
        if gone.is_set():
            raise Cancelled
        share = done / total if total else 0.0
        if share >= shown[0] + 0.01 or (total and done == total):  # not one notification for each of thousands
            shown[0] = share
            anyio.from_thread.run(report, float(done), float(total) if total else None, token=token)

    try:
        answer = await anyio.to_thread.run_sync(tools.call, name, given, progress, abandon_on_cancel=True)
    except Exception as error:
        if not (isinstance(error, ImgfixError | Refused | OSError) or out_of_memory(error)):
            raise
        told = error if isinstance(error, ImgfixError | Refused) else refusal(error, {}, {})
        text = f"{told.message}\n{told.hint}" if told.hint else told.message
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
    finally:
        gone.set()
    content: list[Any] = [types.TextContent(type="text", text=json.dumps(answer.facts, ensure_ascii=False))]
    for thumbnail in answer.thumbnails:
        kind = "image/png" if thumbnail.startswith(b"\x89PNG") else "image/jpeg"
        data = base64.b64encode(thumbnail).decode()
        content.append(types.ImageContent(type="image", data=data, mime_type=kind))
    return types.CallToolResult(content=content, structured_content=dict(answer.facts))
