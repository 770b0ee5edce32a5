"""`imgfix watch`: a verb over what arrives in a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix.cli import batch, files, options
from imgfix.cli.batch import Item
from imgfix.cli.report import Report
from imgfix.errors import ExitCode, UsageError
from imgfix.runtime import interrupts

if TYPE_CHECKING:
    from imgfix.media.jobs import FileJob
    from imgfix.server.watch import Watch

EPILOG = options.examples(
    "imgfix watch inbox/ -o outbox/ -- restore --denoise auto",
    "imgfix watch inbox/ -r -o 'outbox/{parent}/{stem}.webp' -- upscale --scale 2",
    "imgfix watch /mnt/share/ -o outbox/ --poll 10 -- cutout",
    "imgfix watch inbox/ -o outbox/ --once -- restore",
)

VERBS = ("upscale", "inpaint", "restore", "select", "cutout", "run")
_PANEL = "Watching"

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to watch.", show_default=False)]
Words = Annotated[
    list[str],
    typer.Argument(
        metavar="-- VERB OPTIONS", help=f"Verb to run on each file, with its options: {', '.join(VERBS)}.",
        show_default=False,
    ),
]  # fmt: skip
Output = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="PATH", help="A folder (the tree of the input is kept), or a template.",
        show_default=False,
    ),
]  # fmt: skip
Poll = Annotated[
    float | None,
    typer.Option(
        "--poll", min=0.05, max=86400, metavar="SECONDS", rich_help_panel=_PANEL, show_default=False,
        help="Poll the folder at this interval, e.g. on network drives. Default: rely on change notifications.",
    ),
]  # fmt: skip
Settle = Annotated[
    float,
    typer.Option(
        "--settle", min=0, max=86400, metavar="SECONDS", rich_help_panel=_PANEL,
        help="A file is complete when it can be opened and has not changed for this long.",
    ),
]  # fmt: skip
Once = Annotated[
    bool, typer.Option("--once", rich_help_panel=_PANEL, help="Process what is there, and exit; for cron.")
]


def command(
    context: typer.Context,
    folder: Folder,
    words: Words,
    output: Output,
    recursive: options.Recursive = False,
    poll: Poll = None,
    settle: Settle = 2.0,
    once: Once = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Process the files that arrive in a folder, with the model kept loaded.

    Files whose output exists are skipped, so a watch can be stopped and restarted at any time; with --overwrite after
    the verb, only files whose output is newer are skipped. A file that failed is retried when it changes, or by the
    next run. Ctrl-C ends the watch.
    """
    from imgfix.cli.app import verbs

    verb, *rest = words
    if verb not in VERBS:
        raise UsageError(f"'{verb}' does not turn files into files", hint=f"watch works with {', '.join(VERBS)}")
    flags = {"--recursive": recursive, "--json": json, "--quiet": quiet, "--verbose": verbose}
    given = [flag for flag, wanted in flags.items() if wanted]
    inner = verbs()[verb]
    # Below the context of `imgfix` itself, which holds the defaults of every verb.
    asking = inner.make_context(verb, [*rest, *given, "-o", output, str(folder)], parent=context.find_root())
    if asking.params.get("listed"):
        raise UsageError("--list writes no files", hint="leave it out")
    if len(asking.params["inputs"]) > 1:
        raise UsageError(
            f"{asking.params['inputs'][0]} is no option of {verb}", hint=f"inputs are what arrives in {folder}"
        )

    def work(asked: files.Invocation) -> int:
        return _work(asked, folder, poll, settle, once)

    with files.handed_to(work), asking:
        return int(inner.invoke(asking))


def _work(asked: files.Invocation, folder: Path, poll: float | None, settle: float, once: bool) -> int:
    from imgfix.pipelines.moving.work import IMAGE
    from imgfix.server.arrivals import PATIENCE, Events, alarm
    from imgfix.server.watch import Watch

    reporting = asked.reporting
    if reporting.dry_run:
        raise UsageError("--dry-run writes nothing, so that a watch would have no end", hint="leave it out")
    console, report = reporting.console, Report(reporting.console, reporting.json)
    pipeline = asked.pipeline(skip_existing=not asked.saving.overwrite)
    watch = Watch(pipeline, folder, settle, patience=1 if once else PATIENCE)
    ready = {IMAGE}
    pipeline.prepare(ready)
    bell = alarm(folder, pipeline.reading.recursive, settle, poll)
    how = "as the system reports them" if isinstance(bell, Events) else "by polling"
    if not once:
        console.say(f"watching {folder}, {how}; Ctrl-C ends it")
    counts, codes = Counter[str](), set[ExitCode]()

    def work(job: FileJob, tick: Any) -> Any:
        assert isinstance(job.source, Path)
        kind = pipeline.kind(job.source, job.target)
        if kind not in ready:
            pipeline.prepare([kind])
            ready.add(kind)
        return files.done(pipeline, job, tick)

    def all_now() -> bool:
        """Do what is whole; False after Ctrl-C."""
        for job in watch.look():
            assert isinstance(job.source, Path)
            item = Item(str(job.source), str(job.target), job, job.error)
            code = batch.run([item], work, console, report, unit=pipeline.unit)
            if code == ExitCode.INTERRUPTED:
                return False
            counts["done" if code == ExitCode.OK else "failed"] += 1
            codes.add(code)
        return True

    try:
        going = all_now()
        if once and going and watch.arrivals.waiting:
            _sleep(settle)
            going = all_now()
        while going and not once:
            bell.wait(watch.arrivals.waiting > 0)
            interrupts.check()
            going = all_now()
    except KeyboardInterrupt:
        going = False
    words = _counted(counts, watch)
    if not going:
        console.error(f"interrupted: {words}")
        return ExitCode.INTERRUPTED
    if not reporting.json:
        console.say(words)
    return _code(codes)


def _sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)


def _counted(counts: Counter[str], watch: Watch) -> str:
    words = [f"{counts['done']} done"]
    words += [f"{counts['failed']} failed"] if counts["failed"] else []
    words += [f"{watch.left_out} left out (the output exists already)"] if watch.left_out else []
    words += [f"{watch.arrivals.waiting} not complete yet"] if watch.arrivals.waiting else []
    return ", ".join(words)


def _code(codes: set[ExitCode]) -> ExitCode:
    """As of a batch: that of the failures when all failed alike."""
    return ExitCode.OK if codes <= {ExitCode.OK} else codes.pop() if len(codes) == 1 else ExitCode.SOME_FAILED
