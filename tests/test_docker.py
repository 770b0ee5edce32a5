"""The Dockerfiles of the examples, read line by line: a container runtime is not there everywhere where tests run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "examples" / "docker").glob("*Dockerfile"))
KNOWN = {
    *("FROM", "RUN", "CMD", "LABEL", "EXPOSE", "ENV", "COPY", "ENTRYPOINT", "VOLUME", "USER", "WORKDIR", "ARG"),
    *("HEALTHCHECK", "STOPSIGNAL", "SHELL"),
}
"""All but ADD, which fetches from the network and unpacks by itself."""
NAMES = [file.name for file in FILES]


def instructions(file: Path) -> list[tuple[str, str]]:
    """Each instruction with its words; lines that are continued are joined."""
    lines = [line for line in file.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [(pair[0], pair[1] if len(pair) > 1 else "") for pair in pairs]


def of(file: Path, name: str) -> list[str]:
    """What instructions of one kind say."""
    return [words for instruction, words in instructions(file) if instruction == name]


def command(words: str) -> list[str]:
    """A command in its exec form: without a shell in between, signals reach the program."""
    found = json.loads(words)
    assert isinstance(found, list) and all(isinstance(word, str) for word in found)
    return found


def test_there_are_dockerfiles() -> None:
    assert "serve.Dockerfile" in NAMES


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_instructions_are_known_and_fetch_nothing_by_themselves(file: Path) -> None:
    assert {name for name, _ in instructions(file)} <= KNOWN
    for words in of(file, "RUN"):
        assert not re.search(r"\b(curl|wget)\b.*\|\s*(ba)?sh", words)
    for words in of(file, "ENV") + of(file, "ARG"):
        assert not re.search(r"(?i)token|secret|password", words)


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_images_begin_from_a_version_and_run_as_an_ordinary_user(file: Path) -> None:
    for image in of(file, "FROM"):
        assert re.search(r":[\w.-]*\d", image) and ":latest" not in image
    names = [name for name, _ in instructions(file)]
    assert of(file, "USER") and of(file, "USER")[-1].split(":")[0] not in ("root", "0")
    assert "RUN" not in names[names.index("USER") :] and names.index("USER") < names.index("ENTRYPOINT")


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_what_is_copied_is_there_and_what_is_run_is_ours(file: Path) -> None:
    for words in of(file, "COPY"):
        *sources, _ = [word for word in shlex.split(words) if not word.startswith("--")]
        assert sources and all((ROOT / source).exists() for source in sources)
    assert command(of(file, "ENTRYPOINT")[0]) == ["imgfix"]


def test_the_server_is_checked_by_a_command_that_tells_well_from_ill(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    from tests.server.serving import in_thread

    file = ROOT / "examples" / "docker" / "serve.Dockerfile"
    words = of(file, "HEALTHCHECK")[0]
    program, *rest = command(words.split(" CMD ", 1)[1])
    (port,) = of(file, "EXPOSE")
    assert program == "python" and f"127.0.0.1:{port}/healthz" in rest[-1]
    with in_thread(tmp_path / "state", token="a-token-for-tests") as address:
        here = [word.replace(f"127.0.0.1:{port}", address.removeprefix("http://")) for word in rest]
        here = [word.replace("timeout=4", "timeout=60") for word in here]
        assert subprocess.run([sys.executable, *here], check=False).returncode == 0
    assert subprocess.run([sys.executable, *here], check=False, capture_output=True).returncode != 0


def test_the_server_asks_for_its_token_and_writes_to_its_folder_alone() -> None:
    file = ROOT / "examples" / "docker" / "serve.Dockerfile"
    words = command(of(file, "CMD")[0])
    volumes = command(of(file, "VOLUME")[0])
    assert words[0] == "serve" and "--token-file" in words
    assert words[words.index("--folder") + 1] in volumes
