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
from typing import TYPE_CHECKING, Any

from imgfix import __version__
from imgfix.errors import ImgfixError, MissingExtraError, UsageError
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.models import Listener
from imgfix.pipelines.options import ClipOptions, Machine, Reading, Saving
from imgfix.pipelines.recipes import Recipe, Step
from imgfix.pipelines.result import Progress
from imgfix.server import fields
from imgfix.server.answers import Refused, refusal
from imgfix.server.fields import STEPS, VERBS, Verb
from imgfix.server.heard import Heard
from imgfix.server.places import Places

if TYPE_CHECKING:
    from imgfix.pipelines.pipeline import Pipeline

WORKING = ("upscale", "inpaint", "restore", "cutout", "select", "run")
"""Verbs that make one file of one file."""
SIDE = 512
"""Pixels of the longer side of a thumbnail."""
_MOST_LISTED = 500


class Cancelled(Exception):
    """The caller does not want the result any more."""


@dataclass(frozen=True)
class Answer:
    """What a tool gives back."""

    facts: Mapping[str, Any]
    thumbnail: bytes | None = None
    """A JPEG or PNG file."""


class Tools:
    """The tools for some folders, with models that stay loaded; one works at a time."""

    def __init__(self, places: Places, device: str = "auto") -> None:
        self.places, self.device, self.loaded = places, device, Loaded()
        self._busy = threading.Lock()

    # -- what there is -------------------------------------------------------------------------------------------------

    def described(self) -> list[dict[str, Any]]:
        """Name, description and JSON schema of each tool."""
        path = {"type": "string", "description": "path of a picture, clip or animated picture"}
        found = [
            {
                "name": "list_files", "description": "List pictures and clips below the folders that may be used.",
                "schema": _schema({"folder": {"type": "string", "description": "only below this one"}}),
            },
            {
                "name": "look", "description": "Show a picture, or the frame of a clip at a time, as a thumbnail.",
                "schema": _schema(
                    {"input": path, "time": {"type": "number", "description": "seconds into a clip"}}, ["input"]
                ),
            },
            {"name": "models", "description": "List the models that are installed.", "schema": _schema({})},
        ]  # fmt: skip
        own = {
            "input": path,
            "output": {"type": "string", "description": "file to write; default: beside the input, with a suffix"},
            "overwrite": {"type": "boolean", "description": "replace an output that exists", "default": False},
        }
        for name in WORKING:
            verb = VERBS[name]
            options = {field.name: _property(verb, field) for field in verb.fields if field.name != "hover"}
            required = ["input", "steps"] if name == "run" else ["input"]
            words = f"{verb.summary}. Writes a new file and shows a thumbnail of it."
            found.append({"name": name, "description": words, "schema": _schema({**own, **options}, required)})
        return found

    def call(self, name: str, given: Mapping[str, Any], progress: Progress) -> Answer:
        """Do what a tool does. Raises ImgfixError, Cancelled (from `progress`)."""
        if name == "list_files":
            return self._list(given)
        if name == "look":
            path = self.places.find(given.get("input"))
            return Answer({"path": self.places.shown(path), **_facts_of(path)}, _thumbnail(path, given.get("time")))
        if name == "models":
            from imgfix.server.app import known_models

            return Answer({"models": [each for each in known_models() if each["installed"]]})
        if name not in WORKING:
            raise UsageError(f"there is no tool '{name}'", hint="see the list of tools")
        with self._busy:
            return self._work(VERBS[name], given, progress)

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

    def _work(self, verb: Verb, given: Mapping[str, Any], progress: Progress) -> Answer:
        values = dict(given)
        source = self.places.find(values.pop("input", None))
        output = values.pop("output", None)
        target = self.places.find(output, new=True) if output is not None else None
        overwrite = values.pop("overwrite", False) is True
        listener = Heard()
        pipeline = self._pipeline(verb, fields.read(verb, values), target, overwrite, listener)
        (job,) = pipeline.jobs([source])
        if job.error is not None:
            raise job.error
        assert isinstance(job.target, Path)
        self.places.find(str(job.target), new=True)  # what stands there already may be a link
        kind = pipeline.kind(source, job.target)
        pipeline.prepare([kind])
        result = pipeline.run(source, job.target, progress=progress)
        from imgfix.server.orders import told

        facts = {"output": self.places.shown(job.target), **_facts_of(job.target), **told(result, listener.heard, {})}
        return Answer(facts, _thumbnail(job.target, None))

    def _pipeline(
        self, verb: Verb, values: dict[str, Any], target: Path | None, overwrite: bool, listener: Listener
    ) -> Pipeline[Any]:
        """The pipeline for a request; paths are looked at here and nowhere else. Raises ImgfixError."""
        from imgfix.server.orders import pipeline_of

        fields.check_models(values, verb)
        values = self._with_places(verb, values)
        if "steps" in values:
            values["steps"] = Recipe(tuple(self._step(step) for step in values["steps"]))
        elif verb.name == "run":
            raise UsageError("there are no `steps`", hint='give [{"verb": "restore"}, {"verb": "upscale"}]')
        assert verb.request is not None
        request = verb.request(**fields.settings_of(verb, values, verb.request))
        saving = Saving(**fields.settings_of(verb, values, Saving))
        saving = replace(saving, output=None if target is None else str(target), overwrite=overwrite)
        clips = ClipOptions(**fields.settings_of(verb, values, ClipOptions)) if verb.moves else ClipOptions()
        machine = Machine(**fields.settings_of(verb, values, Machine), device=self.device, offline=True)
        return pipeline_of(verb.name)(request, saving, clips, machine, Reading(), listener, self.loaded)

    def _step(self, given: Mapping[str, Any]) -> Step:
        spec = STEPS[given["verb"]]
        values = self._with_places(spec, {name: value for name, value in given.items() if name != "verb"})
        assert spec.request is not None
        return Step(
            spec.name, fields.settings_of(spec, values, spec.request), fields.settings_of(spec, values, Machine)
        )

    def _with_places(self, spec: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
        values = dict(given)
        for one in spec.fields:
            if one.kind == "file" and one.name in values:
                values[one.name] = self.places.find(values[one.name])
            elif one.kind == "file or text" and one.name in values:
                values[one.name] = self._behind(values[one.name])
        return values

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


def _schema(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object", "properties": dict(properties), "required": required or [], "additionalProperties": False
    }  # fmt: skip


def _property(verb: Verb, field: fields.Field) -> dict[str, Any]:
    from imgfix.server.openapi import TYPES

    found = {**TYPES[field.kind], "description": field.help}
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
    except (ImgfixError, Refused, MemoryError, OSError) as error:
        told = error if isinstance(error, ImgfixError | Refused) else refusal(error, {}, {})
        text = f"{told.message}\n{told.hint}" if told.hint else told.message
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
    finally:
        gone.set()
    content: list[Any] = [types.TextContent(type="text", text=json.dumps(answer.facts, ensure_ascii=False))]
    if answer.thumbnail is not None:
        kind = "image/png" if answer.thumbnail.startswith(b"\x89PNG") else "image/jpeg"
        data = base64.b64encode(answer.thumbnail).decode()
        content.append(types.ImageContent(type="image", data=data, mime_type=kind))
    return types.CallToolResult(content=content, structured_content=dict(answer.facts))
