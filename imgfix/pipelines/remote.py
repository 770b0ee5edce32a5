"""Files that lie elsewhere (`s3://`, `gs://`, `https://`, `hf://` ...): fetched for the work, results put there whole.

Each has a stand-in below a temporary folder, `<folder>/s3/bucket/key.png` for `s3://bucket/key.png`, by which the
pipelines know it; it exists only while the file is worked on. Extra `remote`: fsspec and what it needs for a scheme.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from imgfix.errors import ImgfixError, InputError, MissingExtraError, OutputError, UsageError
from imgfix.pipelines.result import Plan, Progress, Result, unseen

if TYPE_CHECKING:
    from imgfix.media.jobs import FileJob
    from imgfix.media.sources import FoundSources, PassedOver, Source
    from imgfix.pipelines.pipeline import Pipeline

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "hf"}
"""Schemes whose objects appear when they are complete; elsewhere a result is put under another name and moved."""
_WEB = {"http", "https"}


def is_url(word: object) -> bool:
    """Whether a word names something by a URL."""
    return isinstance(word, str) and _URL.match(word) is not None


class Store:
    """Files by their URLs, and their stand-ins.

    Raises MissingExtraError, UsageError: nothing may be fetched.
    """

    def __init__(self, words: Sequence[object], offline: bool) -> None:
        """words: what was named."""
        url = next(word for word in words if is_url(word))
        if offline:
            raise UsageError(f"{url} is not on this machine, and `offline` was asked for", hint="leave `offline` out")
        try:
            import fsspec.core
        except ImportError:
            raise MissingExtraError(str(url), "remote") from None
        self._url_to_fs = fsspec.core.url_to_fs
        self._held = tempfile.TemporaryDirectory(prefix="imgfix-remote-")
        self.folder = Path(os.path.realpath(self._held.name))
        self._urls: dict[Path, str] = {}
        self._listed: dict[str, frozenset[str]] = {}

    def local(self, word: str) -> str:
        """The stand-in of a URL, which may be a template; another word as it is. Raises UsageError."""
        if not is_url(word):
            return word
        scheme, rest = word.split("://", 1)
        if ".." in rest.split("/"):
            raise UsageError(f"{word}: '..' is no place", hint="write the URL without it")
        return f"{self.folder / scheme.lower()}/{rest.lstrip('/')}"

    def url(self, path: object) -> str | None:
        """The URL of a stand-in; None: it is a file of this machine."""
        if not isinstance(path, Path):
            return None
        if path in self._urls:
            return self._urls[path]
        try:
            scheme, *rest = path.relative_to(self.folder).parts
        except ValueError:
            return None
        return f"{scheme}://{'/'.join(rest)}"

    def worded(self, text: str) -> str:
        """A text in which stand-ins are called by their URLs."""
        for path, url in self._urls.items():
            text = text.replace(str(path), url)
        return re.sub(re.escape(str(self.folder)) + r"/([^/\s]+)/", r"\1://", text)

    # -- what there is -------------------------------------------------------------------------------------------------

    def find(self, inputs: Sequence[str | Path], recursive: bool) -> FoundSources:
        """What inputs name, here and elsewhere. Raises UsageError."""
        from imgfix.media.jobs import IMAGE, VIDEO
        from imgfix.media.sources import FoundSources, extensions_of, find_sources

        kinds = (IMAGE, VIDEO)
        found = FoundSources(several=len(inputs) > 1)
        for word in inputs:
            if is_url(word):
                found.several |= glob.has_magic(str(word))
                sources, folder = self._sources(str(word), recursive, extensions_of(kinds), found.passed)
                found.sources += sources
                found.several |= folder
            else:
                here = find_sources([word], recursive=recursive, kinds=kinds)
                found.sources += here.sources
                found.several |= here.several
                found.passed.others += here.passed.others
                found.passed.folders += here.passed.folders
        found.sources = list({str(source.path): source for source in found.sources}.values())
        return found

    def _sources(
        self, url: str, recursive: bool, extensions: frozenset[str], passed: PassedOver
    ) -> tuple[list[Source], bool]:
        """The files of a URL, and whether it is a folder."""
        from imgfix.media.listing import natural_key

        scheme = url.split("://", 1)[0].lower()
        if scheme in _WEB:
            return [self._source(url, PurePosixPath(url.split("?", 1)[0]).name, named=True)], False
        with self._reading(url):
            system, path = self._url_to_fs(url)
            root = path.rstrip("/")
            if glob.has_magic(path):
                names = [name for name in system.glob(path) if system.isfile(name)]
                root = "/".join(root.split("/")[:-1])
            elif system.isdir(path):
                listed = system.find(path, detail=True).values() if recursive else system.ls(path, detail=True)
                names = [entry["name"] for entry in listed if entry["type"] == "file"]
                passed.folders += sum(entry["type"] == "directory" for entry in listed)
            elif system.isfile(path):
                return [self._source(url, PurePosixPath(path).name, named=True)], False
            else:
                raise InputError(f"{url}: no such file", hint="check the URL")
            sources = []
            for name in sorted(names, key=natural_key):
                below = PurePosixPath(name)
                if below.name.startswith("."):
                    continue
                if below.suffix.lower() not in extensions:
                    passed.others += 1
                    continue
                relative = name[len(root) + 1 :] if name.startswith(f"{root}/") else below.name
                sources.append(self._source(system.unstrip_protocol(name), relative))
            return sources, True
        raise AssertionError  # `_reading` raises

    def _source(self, url: str, relative: str, named: bool = False) -> Source:
        from imgfix.media.sources import Source

        path = Path(self.local(url.split("?", 1)[0] if url.lower().startswith("http") else url))
        self._urls[path] = url
        return Source(path, Path(relative), discovered=not named)

    def named(self, url: str) -> Path:
        """The stand-in of a single file. Raises UsageError."""
        name = PurePosixPath(url.split("?", 1)[0] if url.lower().startswith("http") else url).name
        place = self._source(url, name, named=True).path
        assert isinstance(place, Path)
        return place

    def exists(self, path: Path) -> bool:
        """Whether there is a file at the URL of a stand-in; each folder is listed once. Raises InputError."""
        url = str(self.url(path))
        with self._reading(url):
            system, place = self._url_to_fs(url)
            folder = place.rpartition("/")[0]
            key = f"{url.split('://')[0]}://{folder}"
            if key not in self._listed:
                try:
                    self._listed[key] = frozenset(str(name).strip("/") for name in system.ls(folder, detail=False))
                except FileNotFoundError:
                    self._listed[key] = frozenset()
            return place.strip("/") in self._listed[key]
        raise AssertionError  # `_reading` raises

    # -- there and back ------------------------------------------------------------------------------------------------

    def fetch(self, path: object) -> None:
        """Bring a file to its stand-in, unless it is there; a file of this machine stays. Raises InputError."""
        url = self.url(path)
        if url is None or not isinstance(path, Path) or path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".imgfix-{secrets.token_hex(6)}.part")
        try:
            with self._reading(url):
                system, place = self._url_to_fs(url)
                system.get_file(place, str(part))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def put(self, path: object) -> None:
        """Put a result to its URL, whole or not at all. Raises OutputError."""
        url = self.url(path)
        if url is None or not isinstance(path, Path) or not path.is_file():
            return
        try:
            system, place = self._url_to_fs(url)
            scheme, folder = url.split("://", 1)[0].lower(), place.rpartition("/")[0]
            if scheme in _WHOLE:
                system.put_file(str(path), place)
                return
            if folder:
                system.makedirs(folder, exist_ok=True)
            part = f"{folder}/.imgfix-{secrets.token_hex(6)}.part"
            try:
                system.put_file(str(path), part)
                system.mv(part, place)
            except BaseException:
                with contextlib.suppress(Exception):
                    system.rm_file(part)
                raise
        except ImgfixError:
            raise
        except Exception as error:  # of many kinds, from many libraries
            raise OutputError(
                f"{url} cannot be written: {_words(error)}", hint="check the address, the rights and the network"
            ) from error

    def discard(self, *paths: object) -> None:
        """Remove stand-ins."""
        for path in paths:
            if isinstance(path, Path) and self.url(path) is not None:
                path.unlink(missing_ok=True)

    @contextmanager
    def _reading(self, url: str) -> Iterator[None]:
        """What libraries say of a URL, as one of our errors."""
        try:
            yield
        except ImgfixError:
            raise
        except FileNotFoundError as error:
            raise InputError(f"{url}: no such file", hint="check the URL") from error
        except ImportError as error:
            raise UsageError(f"{url}: {_words(error)}", hint="pip install 'imgfix[remote]'") from error
        except Exception as error:  # of many kinds, from many libraries
            raise InputError(
                f"{url} cannot be read: {_words(error)}", hint="check the address, the rights and the network"
            ) from error


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class Afar:
    """A pipeline of which some files lie elsewhere; everything else is the pipeline's own.

    Args:
        pipeline: made with the `output` that the store gave.
    """

    def __init__(self, pipeline: Pipeline[Any], store: Store) -> None:
        self._pipeline, self._store = pipeline, store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def jobs(self, inputs: Sequence[str | Path]) -> list[FileJob]:
        """See `Pipeline.jobs`."""
        pipeline, store = self._pipeline, self._store
        if pipeline.clips.frames:
            raise UsageError("`frames` takes folders of this machine", hint="fetch the folder first")
        found = store.find(inputs, pipeline.reading.recursive)
        with self._worded():
            jobs = [self._stated(job) for job in pipeline.placed(found)]
        pipeline.alone, pipeline.passed = len(jobs) == 1, found.passed.words
        mine = [job for job in jobs if pipeline.reading.part.holds(job.source, job.relative)]
        pipeline.elsewhere = len(jobs) - len(mine)
        return mine

    def jobs_of(self, sources: Sequence[Any], several: bool) -> list[FileJob]:
        """See `Pipeline.jobs_of`."""
        afar = [source for source in sources if self._store.url(source) is not None]
        with self._worded():
            return [self._stated(job) for job in self._pipeline.jobs_of(sources, several, afar)]

    def fetch(self, path: Path) -> None:
        """Bring what is at a stand-in's URL. Raises InputError."""
        self._store.fetch(path)

    def url(self, path: object) -> str | None:
        """See `Store.url`."""
        return self._store.url(path)

    def _stated(self, job: FileJob) -> FileJob:
        saving, target = self._pipeline.saving, job.target
        url = self._store.url(target)
        if job.error is not None or not isinstance(target, Path) or url is None:
            return job
        if url.split("://", 1)[0] in _WEB:
            words = f"{url} cannot be written: the web is read only"
            return replace(job, error=OutputError(words, hint="name a folder with `output`"))
        if getattr(self._pipeline.request, "variants", 1) > 1:
            words = f"{url} takes one file, and `variants` are several"
            return replace(job, error=OutputError(words, hint="name a folder of this machine with `output`"))
        if saving.overwrite:
            return job
        if not self._store.exists(target):
            return job
        if saving.skip_existing:
            return replace(job, skip="the output exists already")
        words = f"{url} exists already"
        return replace(job, error=OutputError(words, hint="use `overwrite`, `skip_existing` or another `output`"))

    def kind(self, source: Any, target: Any = None) -> str:
        """See `Pipeline.kind`; one that cannot be fetched is what its name says, and fails when it is worked on."""
        with contextlib.suppress(ImgfixError):
            self._store.fetch(source)
        return self._pipeline.kind(source, target)

    def plan(self, source: Any, target: Any = None, relative: Path | None = None) -> Plan:
        """See `Pipeline.plan`."""
        with self._there(source, target):
            return self._pipeline.plan(source, target, relative)

    def run(
        self,
        source: Any,
        target: Any = None,
        *,
        relative: Path | None = None,
        progress: Progress = unseen,
        keep: bool = False,
    ) -> Result:
        """See `Pipeline.run`."""
        with self._there(source, target):
            result = self._pipeline.run(source, target, relative=relative, progress=progress, keep=keep)
            self._store.put(target)
            return result

    @contextmanager
    def _there(self, source: Any, target: Any) -> Iterator[None]:
        url = self._store.url(source)
        try:
            with self._worded():
                self._store.fetch(source)
                self._pipeline.names = {str(source): url} if url is not None else {}
                yield
        finally:
            self._store.discard(source, target)

    @contextmanager
    def _worded(self) -> Iterator[None]:
        try:
            yield
        except ImgfixError as error:
            raise error.reworded(self._store.worded) from error
