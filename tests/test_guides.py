"""What README and the guides say is true: their commands run, their Python runs, what they show is printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.guides import files, server
from tests.guides.blocks import CHECKED, RUN, SHOWN, Block, blocks, prints

ROOT = Path(__file__).parents[1]
GUIDES = ROOT / "examples" / "guides"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(GUIDES.glob("*.md"))]
LINKED = [
    *PAGES,
    ROOT / "CHANGELOG.md",
    ROOT / "examples" / "train" / "README.md",
    *sorted((ROOT / "weights").glob("*.md")),
]
BLOCKS = [block for page in PAGES if page.exists() for block in blocks(page)]
USUAL = "http://127.0.0.1:8765"
"""Where the guides call a server."""
SECONDS = 300
"""What one block may take before it is given up."""


def _case(block: Block) -> object:
    marks = [getattr(pytest.mark, name) for name in ("slow", "network") if name in block.words]
    return pytest.param(block, id=block.name, marks=marks)


@dataclass(frozen=True)
class Shell:
    """A shell whose `imgfix` and `python` are those of the server."""

    programs: Path
    samples: Path

    def run(self, script: str, folder: Path, words: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ, "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100",
            "LC_ALL": "C.UTF-8", "GUIDES_NETWORK": "1" if "network" in words else "0",
            "GUIDES_STAND_IN": "1" if "stand-in" in words else "0",
        }  # fmt: skip
        command = ["bash", "-euo", "pipefail", "-c", script]
        shell = subprocess.Popen(
            command, cwd=folder, env=environment, text=True, encoding="utf-8", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            out, _ = shell.communicate(timeout=SECONDS * (5 if "network" in words else 1))
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(command, shell.returncode, out)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    if not hasattr(os, "fork") or shutil.which("bash") is None:
        pytest.skip("the guides are run by bash and a process that forks")
    samples = tmp_path_factory.mktemp("samples")
    files.make(samples)
    with tempfile.TemporaryDirectory() as short:  # the path of a socket holds about 100 characters
        programs = Path(short)
        server.write_shims(programs, f"{short}/socket")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.guides.server", f"{short}/socket"], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield Shell(programs, samples)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that runs."""
    from tests.server.serving import Process

    folder = tmp_path_factory.mktemp("served")
    server = Process(folder / "state", "--device", "cpu", log=folder / "log")
    yield server.address
    server.end()


@pytest.mark.parametrize("block", [_case(block) for block in BLOCKS if block.language in RUN and not block.left_out])
def test_a_block_runs_and_prints_what_the_page_shows(
    block: Block, shell: Shell, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if missing := [name for name in block.programs if shutil.which(name) is None]:
        pytest.skip(f"{missing[0]} is not installed")
    address = request.getfixturevalue("served") if "served" in block.words else USUAL
    for number, script in enumerate(block.scripts):
        script = script.replace(USUAL, address)
        folder = tmp_path / str(number)
        shutil.copytree(shell.samples, folder)
        if block.language == "python":
            (folder / "block.py").write_text(script, encoding="utf-8")
            script = "python block.py"
        elif block.language == "js":
            (folder / "block.mjs").write_text(script, encoding="utf-8")
            script = "node block.mjs"
        done = shell.run(script, folder, block.words)
        assert (done.returncode == 0) != ("fails" in block.words), (
            f"{block.name} left with {done.returncode}:\n{script}\n{done.stdout}"
        )
        if block.language == "console":
            assert prints(block.shown, done.stdout), f"{block.name} printed:\n{done.stdout}"


@pytest.mark.parametrize("block", [_case(block) for block in BLOCKS if block.language in CHECKED])
def test_a_block_of_data_can_be_parsed(block: Block) -> None:
    if block.language == "toml":
        tomllib.loads(block.text)
    elif block.text.startswith("{\n"):
        json.loads(block.text)
    else:
        for line in block.text.splitlines():
            json.loads(line)


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda page: page.name)
def test_every_block_has_a_language_that_is_checked_or_known(page: Path) -> None:
    odd = [block.name for block in blocks(page) if block.language not in (*RUN, *CHECKED, *SHOWN)]
    assert not odd


@pytest.mark.parametrize("page", [page for page in LINKED if page.exists()], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        place = (page.parent / path) if path else page
        if not place.exists() or (anchor and anchor not in _anchors(place)):
            broken.append(target)
    assert not broken


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _table(page: Path, heading: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading."""
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    rows = []
    for line in lines:
        if line.startswith(f"| {heading} |"):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    break
                rows.append([cell.strip() for cell in row.strip("|").split("|")])
    return rows


def test_the_table_of_formats_says_what_the_code_can_do() -> None:
    from imgfix.media.formats import FORMATS

    def words(value: bool) -> str:
        return "yes" if value else "no"

    facts = [
        [form.name, str(form.bits), *map(words, (form.alpha, form.cmyk, form.icc, form.tags, form.animated)),
         f"`{form.extra}`" if form.extra else ""]
        for form in FORMATS
    ]  # fmt: skip
    assert _table(GUIDES / "formats.md", "format") == facts


def test_the_tables_of_models_name_every_model_with_its_licence_and_whether_it_ships() -> None:
    from imgfix.zoo import catalog

    told = {
        name: ("shipped" in row[3], row[4])
        for row in _table(GUIDES / "models.md", "model")
        for name in re.findall(r"`([^`]+)`", row[0])
    }
    known = {entry.name: (entry.shipped, entry.licence) for entry in catalog.entries()}
    classical = dict.fromkeys(("telea", "ns"), (False, "none needed"))
    assert told == known | classical


def test_the_readme_speaks_of_models_that_are_there() -> None:
    from imgfix.zoo import catalog

    for row in _table(ROOT / "README.md", "model"):
        entries = [catalog.find(name) for name in re.findall(r"`([^`]+)`", row[0])]
        assert all(entry.licence.startswith(row[3].split()[0]) for entry in entries)
        assert all(entry.shipped == (row[2] == "shipped") for entry in entries)


def test_the_table_of_metrics_names_every_metric_and_which_way_is_better() -> None:
    from imgfix.metrics.table import METRICS

    told = {
        name: row[2]
        for row in _table(GUIDES / "evaluate.md", "`--metric`")
        for name in re.findall(r"`([^`]+)`", row[0])
    }
    assert told == {row.name: "higher" if row.higher_is_better else "lower" for row in METRICS.values()}


def test_the_tables_of_extras_name_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = {name for row in _table(GUIDES / "doctor.md", "extra") for name in re.findall(r"`([^`]+)`", row[0])}
    assert told == set(project["optional-dependencies"]) - {"test", "dev"}


def test_doctor_looks_for_every_extra() -> None:
    from imgfix.pipelines.doctor.program import EXTRAS

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"test", "dev"}


@pytest.mark.parametrize("name", ["Dockerfile", "serve.Dockerfile"])
def test_the_container_copies_what_is_there_and_does_not_run_as_root(name: str) -> None:
    lines = (ROOT / "examples" / "docker" / name).read_text(encoding="utf-8").splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    assert all((ROOT / name).exists() for name in copied)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users and users[-1] not in ("root", "0")


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a  b", "a b\n", True),
        ("took ... s", "took 1.2 s", True),
        ("...\nlast", "first\nsecond\nlast", True),
        ("a", "a\nb", False),
        ("1.5", "1x5", False),
    ],
)
def test_what_is_shown_is_compared_up_to_blanks_and_dots(shown: str, printed: str, same: bool) -> None:
    assert prints(shown, printed) is same


def test_a_comment_above_a_block_belongs_to_it_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    marked = "<!-- test: slow; needs jq -->\n```sh\na\n```\ntext\n```sh\nb\n```\n"
    page.write_text(f"{marked}<!-- test: each alone -->\n```sh\nc\nd\n```\n", encoding="utf-8")
    first, second, third = blocks(page)
    assert (first.words, first.programs, first.line, second.words) == (("slow", "needs jq"), ["jq"], 3, ())
    assert (second.scripts, third.scripts) == (["b\n"], ["c", "d"])
