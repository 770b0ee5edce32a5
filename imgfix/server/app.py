"""The application: its routes, and what lives as long as it does.

Starlette and not FastAPI: the fields of a request, their types and checks are those of `imgfix.pipelines.options`
already. FastAPI would want them a second time as models of pydantic, and both would have to agree for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import shutil
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from imgfix import __version__
from imgfix.errors import ImgfixError, UsageError
from imgfix.pipelines import models, recipes
from imgfix.pipelines.loaded import Loaded
from imgfix.server import fields, metrics, openapi, previews, uploads
from imgfix.server.answers import Refused, not_found, refusal
from imgfix.server.fields import VERBS, Verb
from imgfix.server.jobs import Job, Queue, settled
from imgfix.server.metrics import Metrics
from imgfix.server.orders import Executor, Order
from imgfix.server.security import Guard
from imgfix.server.settings import Settings
from imgfix.server.store import FileRow, JobRow, Store, new_identifier

PAGE = Path(__file__).parent / "page"
_LOOKS = 0.5
"""Seconds between two looks whether a caller who waits is still there."""
_BEAT = 15.0
"""Seconds after which a stream of events says that it is alive."""
_TICK = 0.2
"""Seconds between two looks at a job."""
_CLEANING = 60.0
_JSON_MOST = 1 << 20
"""Bytes of a request in JSON."""
_AT_ONCE = 2
"""Previews that are made at a time: a large picture takes much memory while it is read."""


class Server:
    """The state behind the routes."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.store = Store(settings.folder)
        self.loaded = Loaded(settings.models_kept)
        devices = models.devices(settings.device)
        self.executors = [Executor(self.store, settings, self.loaded, device) for device in devices]
        self.queue = Queue(self.store, self.executors, settings.queue, self.metrics)
        self.ending = False

    # -- life ----------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def life(self, app: Starlette) -> AsyncIterator[None]:
        """From the first to the last request."""
        self.looks = anyio.CapacityLimiter(_AT_ONCE)
        self.queue.start()
        cleaning = asyncio.create_task(self._clean())
        try:
            yield
        finally:
            self.ending = True
            cleaning.cancel()
            await anyio.to_thread.run_sync(self.queue.stop)
            self.store.close()

    async def _clean(self) -> None:
        while True:
            await anyio.to_thread.run_sync(self.store.expire, self.settings.keep, self.queue.files)
            await asyncio.sleep(_CLEANING)

    # -- files ---------------------------------------------------------------------------------------------------------

    async def upload(self, request: Request) -> Response:
        """`POST /v1/uploads`."""
        self._check_room(request)
        if _is_form(request):
            async with request.form(max_files=1, max_fields=4) as form:
                part = form.get("file")
                if not isinstance(part, UploadFile):
                    raise UsageError("the form has no `file`", hint="curl -F file=@photo.jpg")
                row = await self._keep(part)
        else:
            path = self.store.incoming / new_identifier()
            try:
                with path.open("wb") as sink:
                    async for chunk in request.stream():
                        sink.write(chunk)
                row = await self._take(path, request.query_params.get("name"))
            finally:
                path.unlink(missing_ok=True)
        return JSONResponse(row.facts, 201, {"Location": f"/v1/files/{row.id}"})

    def _check_room(self, request: Request) -> None:
        """Raise Refused when nothing more is kept."""
        coming = int(request.headers.get("content-length") or 0)
        if self.store.held()[1] + coming > self.settings.max_storage:
            raise Refused(507, "storage", "the server keeps as much as it may", "delete files, or wait")

    async def _keep(self, part: UploadFile) -> FileRow:
        """Keep a part of a form. Raises Refused, InputError."""
        path = self.store.incoming / new_identifier()

        def copied() -> None:
            with path.open("wb") as sink:
                shutil.copyfileobj(part.file, sink, 1 << 20)

        try:
            await anyio.to_thread.run_sync(copied)
            return await self._take(path, part.filename)
        finally:
            path.unlink(missing_ok=True)

    async def _take(self, path: Path, name: str | None) -> FileRow:
        try:
            return await anyio.to_thread.run_sync(uploads.take, self.store, self.settings, path, name)
        except ImgfixError as error:
            raise refusal(error, {str(path): uploads.name_from(name)}, {}) from error

    def _file(self, request: Request) -> FileRow:
        row = self.store.file(request.path_params["id"])
        if row is None:
            raise not_found("file", request.path_params["id"])
        return row

    async def fetch(self, request: Request) -> Response:
        """`GET /v1/files/ID`."""
        row = self._file(request)
        shown = row.kind in ("image", "animation", "video") and "download" not in request.query_params
        return FileResponse(
            self.store.path(row), media_type=row.media_type, filename=row.name,
            content_disposition_type="inline" if shown else "attachment",
        )  # fmt: skip

    async def look(self, request: Request) -> Response:
        """`GET /v1/files/ID/preview`."""
        row = self._file(request)
        width = _number(request, "width", 1024)
        time = _number(request, "time", None)
        make = functools.partial(previews.preview, self.store, row, int(width or 0), time, 4 * self.settings.max_pixels)
        try:
            data, kind = await anyio.to_thread.run_sync(make, limiter=self.looks)
        except ImgfixError as error:
            raise refusal(error, {str(self.store.path(row)): row.name}, {}) from error
        return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/files/ID`."""
        row = self._file(request)
        if row.id in self.queue.files:
            raise Refused(409, "in_use", f"{row.name} is being worked on", "cancel the job first")
        await anyio.to_thread.run_sync(self.store.remove_file, row.id)
        return Response(status_code=204)

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def verb(self, spec: Verb) -> Callable[[Request], Awaitable[Response]]:
        """`POST /v1/VERB`."""

        async def endpoint(request: Request) -> Response:
            own: list[FileRow] = []
            try:
                return await self._serve(request, spec, own)
            except BaseException:
                for row in own:
                    self.store.remove_file(row.id)
                raise

        return endpoint

    async def _serve(self, request: Request, spec: Verb, own: list[FileRow]) -> Response:
        given, wants_job = await self._given(request, spec, own)
        source = given.pop("input", None) if spec.takes_input else None
        if spec.takes_input and not isinstance(source, str):
            raise UsageError("there is no picture", hint="send a part `file`, or as `input` the id of an upload")
        order = Order(spec.name, source, fields.read(spec, given))
        executor = self.executors[0]
        try:
            command, pixels = await anyio.to_thread.run_sync(executor.check, order)
        except ImgfixError as error:
            raise refusal(error, executor.names(order), spec.public) from error
        row = self.store.file(source) if source is not None else None
        moves = (row is not None and row.kind != "image") or "interpolate" in order.values
        job = self.queue.submit(order, command, wants_job or moves or pixels > self.settings.at_once)
        if job.lasting:
            return _accepted(job)
        if not await self._ended(request, job):
            return _accepted(job) if self.queue.keep(job) else await self._answer(request, job, own)
        return await self._answer(request, job, own)

    async def _given(self, request: Request, spec: Verb, own: list[FileRow]) -> tuple[dict[str, Any], bool]:
        """What a request says, files kept, and whether it shall be a job. Raises Refused, UsageError."""
        wants = request.query_params.get("job", "0")
        if _is_form(request):
            self._check_room(request)
            async with request.form(max_files=4, max_fields=200) as form:
                given: dict[str, Any] = {}
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        one = spec.find(name)
                        if one is not None and one.kind == "recipe":
                            given[name] = (await value.read(recipes.LARGEST + 1)).decode("utf-8", "replace")
                            continue
                        if name != "file" and (one is None or "file" not in one.kind):
                            raise UsageError(f"`{name[:40]}` is no file", hint="send the picture as `file`")
                        row = await self._keep(value)
                        own.append(row)
                        given["input" if name == "file" else name] = row.id
                    elif name in ("input", "job"):
                        given[name] = value
                    else:
                        given.setdefault(name, []).append(value)
        else:
            given = await _json(request)
        wants = str(given.pop("job", wants)).lower()
        return given, wants in ("1", "true", "yes")

    async def recipe(self, request: Request) -> Response:
        """`POST /v1/recipes`: whether a recipe makes sense, and its steps as `/v1/run` takes them."""
        given = await _json(request)
        if set(given) != {"recipe"}:
            raise UsageError("there is no `recipe`, or something besides", hint='send {"recipe": "..."}')
        spec = VERBS["run"]
        values = fields.read(spec, given)
        executor = self.executors[0]
        order = Order(spec.name, None, values)
        try:
            await anyio.to_thread.run_sync(executor.check_recipe, order)
        except ImgfixError as error:
            raise refusal(error, executor.names(order), spec.public) from error
        return JSONResponse(values)

    async def _ended(self, request: Request, job: Job) -> bool:
        """Wait for a job; False: it takes too long. Raises ClientDisconnect when its caller has gone."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(ended.set)

        job.heard.append(tell)
        end = loop.time() + self.settings.timeout
        while not settled(job.row):
            if loop.time() > end:
                return False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _LOOKS)
            if not settled(job.row) and await request.is_disconnected():
                self.queue.cancel(job.id)
                raise ClientDisconnect
        return True

    async def _answer(self, request: Request, job: Job, own: list[FileRow]) -> Response:
        if job.refused is not None:
            raise job.refused
        if job.outputs is None or job.answer is None:
            raise Refused(503, "stopped", "the work was stopped", "try again")
        made, accept = job.outputs.outputs, request.headers.get("accept", "")
        as_json = "application/json" in accept or job.order.verb == "evaluate" or not made
        if job.order.verb == "select":
            as_json = "image/" not in accept
        if as_json:
            sent = {"input": own[0].facts} if own and job.order.input == own[0].id else {}
            return JSONResponse({"status": "done", **sent, **job.answer, "command": job.command})
        drop = BackgroundTask(self._drop, [*made, *own])
        if len(made) > 1:
            return await self._packed(made, drop)
        path = self.store.path(made[0])
        return FileResponse(path, media_type=made[0].media_type, filename=made[0].name, background=drop)

    async def _packed(self, rows: tuple[FileRow, ...], drop: BackgroundTask) -> Response:
        """Several pictures as one archive."""
        place = self.store.incoming / new_identifier()

        def packed() -> None:
            with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
                for number, row in enumerate(rows, 1):
                    archive.write(self.store.path(row), f"{number:03d}_{row.name}")

        async def after() -> None:
            await drop()
            place.unlink(missing_ok=True)

        await anyio.to_thread.run_sync(packed)
        return FileResponse(
            place, media_type="application/zip", filename="imgfix.zip", background=BackgroundTask(after)
        )

    def _drop(self, rows: list[FileRow]) -> None:
        for row in rows:
            self.store.remove_file(row.id)

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def _job(self, request: Request) -> JobRow:
        row = self.queue.job(request.path_params["id"])
        if row is None:
            raise not_found("job", request.path_params["id"])
        return row

    async def jobs(self, request: Request) -> Response:
        """`GET /v1/jobs`, the newest first."""
        rows = [self.queue.job(row.id) or row for row in reversed(self.store.jobs())]
        return JSONResponse({"jobs": [row.facts for row in rows]})

    async def job(self, request: Request) -> Response:
        """`GET /v1/jobs/ID`."""
        return JSONResponse(self._job(request).facts)

    async def cancel(self, request: Request) -> Response:
        """`DELETE /v1/jobs/ID`: cancelled, or forgotten where it has ended."""
        row = self._job(request)
        if settled(row):
            self.store.remove_job(row.id)
            return Response(status_code=204)
        self.queue.cancel(row.id)
        return JSONResponse({"id": row.id, "status": "cancelled"}, 202)

    async def events(self, request: Request) -> Response:
        """`GET /v1/jobs/ID/events`: server-sent events."""
        row = self._job(request)

        async def told() -> AsyncIterator[str]:
            last, silent = -1, 0.0
            while not self.ending:
                version = self.queue.version(row.id)
                now = self.queue.job(row.id)
                if now is None:
                    return
                if settled(now):
                    yield _event(now.status, now.facts)
                    return
                if version is not None and version != last:
                    last, silent = version, 0.0
                    yield _event("progress", now.facts)
                elif silent > _BEAT:
                    silent = 0.0
                    yield ": alive\n\n"
                await asyncio.sleep(_TICK)
                silent += _TICK

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(told(), media_type="text/event-stream", headers=headers)

    # -- about the server ----------------------------------------------------------------------------------------------

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`."""
        return JSONResponse({"models": await anyio.to_thread.run_sync(known_models)})

    async def options(self, request: Request) -> Response:
        """`GET /v1/options/VERB`."""
        spec = VERBS.get(request.path_params["verb"])
        if spec is None:
            raise Refused(404, "not_found", "there is no such verb", f"known: {', '.join(VERBS)}")
        return JSONResponse({"verb": spec.name, "summary": spec.summary, "fields": spec.described()})

    async def health(self, request: Request) -> Response:
        """`GET /healthz`."""
        well = self.queue.works
        return JSONResponse({"status": "ok" if well else "failing", "version": __version__}, 200 if well else 503)

    async def measures(self, request: Request) -> Response:
        """`GET /metrics`."""
        counts, (files, size) = self.queue.counts, self.store.held()
        gauges = {
            "imgfix_running": ("Orders that are worked on.", counts["running"]),
            "imgfix_waiting_jobs": ("Jobs that wait.", counts["jobs"]),
            "imgfix_waiting_requests": ("Requests that wait for their answer.", counts["requests"]),
            "imgfix_files": ("Files that are kept.", files),
            "imgfix_files_bytes": ("Their bytes.", size),
            "imgfix_loaded_models": ("Models that stay loaded.", len(self.loaded)),
            "imgfix_loaded_models_bytes": ("Bytes of their weights.", self.loaded.bytes),
            "imgfix_resident_bytes": ("Memory of the process.", metrics.resident_bytes()),
        }
        return Response(self.metrics.text(gauges), media_type=metrics.MEDIA_TYPE)

    async def description(self, request: Request) -> Response:
        """`GET /openapi.json`."""
        return JSONResponse(openapi.document())

    async def page(self, request: Request) -> Response:
        """`GET /`."""
        if not (PAGE / "index.html").is_file():
            raise Refused(404, "not_found", "this installation has no page", "the server itself is at /v1/")
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})


def build(settings: Settings) -> tuple[ASGIApp, Server]:
    """The application for a server, and what is behind it. Raises UsageError."""
    server = Server(settings)
    routes = [
        Route("/", server.page),
        Route("/healthz", server.health),
        Route("/metrics", server.measures),
        Route("/openapi.json", server.description),
        Route("/v1/uploads", server.upload, methods=["POST"]),
        Route("/v1/files/{id}", server.fetch, methods=["GET"]),
        Route("/v1/files/{id}", server.delete, methods=["DELETE"]),
        Route("/v1/files/{id}/preview", server.look),
        Route("/v1/jobs", server.jobs),
        Route("/v1/jobs/{id}", server.job, methods=["GET"]),
        Route("/v1/jobs/{id}", server.cancel, methods=["DELETE"]),
        Route("/v1/jobs/{id}/events", server.events),
        Route("/v1/models", server.models),
        Route("/v1/recipes", server.recipe, methods=["POST"]),
        Route("/v1/options/{verb}", server.options),
        *(Route(f"/v1/{spec.name}", server.verb(spec), methods=["POST"]) for spec in VERBS.values()),
        Mount("/page", StaticFiles(directory=PAGE, check_dir=False)),
    ]
    handlers: Mapping[Any, Any] = {
        Refused: _refused, ImgfixError: _failed, HTTPException: _unknown, MultiPartException: _malformed,
        ClientDisconnect: _gone, Exception: _broken,
    }  # fmt: skip
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=server.life)
    return Guard(app, settings, server.metrics), server


def known_models() -> list[dict[str, Any]]:
    """Every model of the catalog, and whether it is here."""
    from imgfix.zoo import catalog, store

    found = [
        {
            "name": entry.name, "task": entry.task, "scale": entry.scale, "installed": store.installed(entry),
            "licence": entry.licence, "summary": entry.summary, "bytes": entry.bytes,
        }
        for entry in (*catalog.entries(), *catalog.imported())
    ]  # fmt: skip
    return found + [
        {
            "name": name, "task": verb.tasks[0], "scale": 1, "installed": True, "licence": "none needed",
            "summary": "a method without weights", "bytes": 0,
        }
        for verb in VERBS.values()
        for name in verb.methods
    ]  # fmt: skip


# -- small things ------------------------------------------------------------------------------------------------------


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith(
        ("multipart/form-data", "application/x-www-form-urlencoded")
    )


async def _json(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "")
    if not kind.startswith("application/json"):
        raise Refused(415, "unsupported", f"a request of {kind or 'no type'} is not understood",
                      "send multipart/form-data or application/json")  # fmt: skip
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _JSON_MOST:
            raise Refused(413, "too_large", "the JSON is larger than 1 MB", "send pictures to /v1/uploads")
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise Refused(400, "usage", "the request is no JSON") from None
    if not isinstance(found, dict):
        raise Refused(400, "usage", "the request is no JSON object")
    return found


def _number(request: Request, name: str, usual: float | None) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return usual
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e7:
        raise UsageError(f"`{name}` {text[:40]}: not a number", hint="give a positive number")
    return value


def _accepted(job: Job) -> Response:
    facts = {"id": job.id, "status": job.status, "command": job.command}
    return JSONResponse(facts, 202, {"Location": f"/v1/jobs/{job.id}"})


def _event(name: str, facts: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(facts)}\n\n"


async def _refused(request: Request, error: Refused) -> Response:
    return error.response()


async def _failed(request: Request, error: ImgfixError) -> Response:
    return refusal(error, {}, {}).response()


async def _unknown(request: Request, error: HTTPException) -> Response:
    word = {404: "not_found", 405: "method"}.get(error.status_code, "usage")
    return Refused(error.status_code, word, str(error.detail), "see /openapi.json", headers=error.headers).response()


async def _malformed(request: Request, error: MultiPartException) -> Response:
    return Refused(400, "usage", f"the form cannot be read: {error.message}").response()


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=499)


async def _broken(request: Request, error: Exception) -> Response:
    return refusal(error, {}, {}).response()
