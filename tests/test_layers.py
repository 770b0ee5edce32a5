"""The arrows of the house, read from the code: which part may import which, and no circles among the files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import imgfix

ROOT = Path(imgfix.__file__).parent
EVERYONE = {"errors", "degradations"}
MAY = {
    "nets": set(),
    "media": set(),
    "zoo": {"nets"},
    "runtime": {"zoo", "nets"},
    "metrics": {"runtime", "zoo", "nets"},
    "tasks": {"runtime", "zoo", "nets", "media", "metrics"},
    "train": {"tasks", "runtime", "zoo", "nets", "media", "metrics"},
    "pipelines": {"tasks", "train", "runtime", "zoo", "nets", "media", "metrics"},
    "api": {"pipelines", "media"},
    "cli": {"api", "cluster", "server", "pipelines", "tasks", "train", "runtime", "zoo", "media", "metrics"},
    "server": {"api", "pipelines", "media", "zoo"},
    "cluster": {"api", "pipelines", "media"},
}
"""Part -> the parts that it may import, besides `errors` and the package itself."""
BESIDES = {("zoo", "imgfix.media.files"), ("zoo", "imgfix.media.names")}
"""Single modules that a part may import besides: how files are written whole or not at all, how names are shown."""


def modules() -> dict[str, Path]:
    """Every module by its dotted name."""
    return {
        ".".join(("imgfix", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in ROOT.rglob("*.py")
    }


def imports(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements of a file, inside functions too, but not those for types alone."""
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.dump(branch.test)
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in for_types:
            yield node


def imported(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of ours that one imports, anywhere in it but for types alone."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in imports(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        else:
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                if whole in known or base in known:
                    yield whole if whole in known else base


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """Module -> the modules that it imports."""
    known = modules()
    return {name: set(imported(name, path, known)) - {name} for name, path in known.items()}


def part(module: str) -> str:
    """`imgfix.zoo.auto` belongs to `zoo`; the package itself to ''."""
    return module.partition(".")[2].partition(".")[0]


def test_every_part_is_known(graph: dict[str, set[str]]) -> None:
    parts = {part(name) for name in graph} - {"", "errors", "degradations", "__main__"}
    unknown = parts - MAY.keys()
    assert not unknown, f"say in MAY what {unknown} may import"


def test_arrows_point_down(graph: dict[str, set[str]]) -> None:
    wrong = [
        f"{module} -> {other}"
        for module, others in graph.items()
        for other in others
        if part(module) in MAY
        and part(other) not in {"", part(module), *EVERYONE, *MAY[part(module)]}
        and (part(module), other) not in BESIDES
    ]
    assert not wrong, wrong


def test_media_takes_no_torch_and_no_work_takes_the_console() -> None:
    forbidden = {name: {"typer", "rich"} for name in MAY if name != "cli"}
    forbidden["media"] |= {"torch"}
    wrong = []
    for name, path in modules().items():
        heads = _foreign(path)
        wrong += [f"{name} -> {head}" for head in heads & forbidden.get(part(name), set())]
    assert not wrong, wrong


def _foreign(path: Path) -> set[str]:
    nodes = list(imports(path))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in plain | named}


MAY_SPELL_OPTIONS = {
    "errors.py": "says how fields are named",
    "pipelines/option_names.py": "has the table of them",
    "pipelines/record.py": "puts the command line of a record together",
    "zoo/package_sources.py": "calls pip and npm",
    "pipelines/doctor/machine.py": "calls nvidia-smi",
    "runtime/processor.py": "calls sysctl",
    "tasks/report_page.py": "holds a style sheet",
}
OPTION = re.compile(r"(?<![\w}-])(--[a-z][a-z-]*|-[a-z](?![\w-]))")
COMMAND = re.compile(r"\b(imgfix [a-z{]|python |pip install|curl|torchrun)[^\n]*$")
"""What stands before an option in a whole command, the remedy of many a hint."""


def test_below_the_command_line_messages_name_fields_not_options() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("cli/") or name in MAY_SPELL_OPTIONS:
            continue
        for line, text in _texts(ast.parse(path.read_text("utf-8"))):
            loose = [found[0] for found in OPTION.finditer(text) if not COMMAND.search(text[: found.start()])]
            wrong += [f"{name}:{line}: {word} in {text[:80]!r}" for word in loose]
    assert not wrong, "name the field between backquotes, see imgfix.errors:\n" + "\n".join(wrong)


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every text of a file with its line; what is put into one stands as `{}`."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part for part in node.values if isinstance(part, ast.Constant)]
            inside |= {id(part) for part in parts}
            yield node.lineno, "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


def test_no_module_imports_itself_by_way_of_others(graph: dict[str, set[str]]) -> None:
    files = {name for name, path in modules().items() if path.name != "__init__.py"}
    edges = {name: {other for other in graph[name] if other in files} for name in files}
    circles = list(_circles(edges))
    assert not circles, circles


def _circles(edges: dict[str, set[str]]) -> Iterator[list[str]]:
    """Sets of modules that reach one another: what is left when those that import nothing left are taken away."""
    left = {name: set(others) for name, others in edges.items()}
    while True:
        ends = {name for name, others in left.items() if not others & left.keys()}
        if not ends:
            break
        for name in ends:
            del left[name]
    importers = {name: {other for other, others in left.items() if name in others} for name in left}
    while starts := {name for name, others in importers.items() if not others & importers.keys()}:
        for name in starts:
            del importers[name]
    if importers:
        yield sorted(importers)
