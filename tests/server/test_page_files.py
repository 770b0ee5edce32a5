"""The files of the page, without a browser: whole, offline, every word there in each language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "imgfix" / "server" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
HTML = (PAGE / "index.html").read_text("utf-8")


def words() -> dict[str, set[str]]:
    """The keys of each language."""
    found: dict[str, set[str]] = {}
    for line in (PAGE / "words.js").read_text("utf-8").splitlines():
        if start := re.match(r"  (\w\w): \{", line):
            found[start[1]] = set()
        elif key := re.match(r'    "([^"]+)": ', line):
            language = list(found)[-1]
            assert key[1] not in found[language], f"{key[1]} is there twice"
            found[language].add(key[1])
    return found


def asked_for() -> set[str]:
    """The keys that are written out where words are asked for."""
    keys = set(re.findall(r'data-t(?:-label|-title)?="([^"]+)"', HTML))
    for script in SCRIPTS:
        keys |= set(re.findall(r'\bt\("([^"]+)"', script.read_text("utf-8")))
    return keys


def built() -> set[str]:
    """The beginnings and ends of keys that are put together."""
    text = "".join(script.read_text("utf-8") for script in SCRIPTS)
    return set(re.findall(r"`([a-z]+\.)\$\{", text)) | set(re.findall(r"`\$\{\w+\}(\.[a-z]+)`", text))


def test_each_language_has_the_same_words() -> None:
    found = words()
    assert set(found) == {"en", "de"}
    assert found["en"] == found["de"]


def test_what_is_asked_for_is_there() -> None:
    assert asked_for() <= words()["en"]


def test_no_words_are_left_over() -> None:
    written = "".join(script.read_text("utf-8") for script in SCRIPTS if script.name != "words.js")
    parts = tuple(built())
    unused = {
        key
        for key in words()["en"] - asked_for() - {"language"}
        if not (key.startswith(parts) or key.endswith(parts) or f'"{key}"' in written)
    }
    assert not unused


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_module_imports_what_is_there(script: Path) -> None:
    text = script.read_text("utf-8")
    for names, module in re.findall(r'^import \{ ([^}]+) \} from "\./([^"]+)";$', text, re.MULTILINE):
        other = (PAGE / module).read_text("utf-8")
        for name in names.split(", "):
            assert re.search(rf"^export (?:async )?(?:function|class|const|let) {name}\b", other, re.MULTILINE), name
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is imported and not used"


def test_nothing_is_fetched_from_elsewhere() -> None:
    for file in (*SCRIPTS, PAGE / "index.html", PAGE / "style.css"):
        for address in re.findall(r"""["'`]((?:https?:)?//[^"'`]*)|url\(""", file.read_text("utf-8")):
            assert address == "http://www.w3.org/2000/svg", file.name


def test_markup_never_comes_from_text() -> None:
    dangerous = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b")
    for script in SCRIPTS:
        assert not dangerous.search(script.read_text("utf-8"))


def test_html_holds_no_scripts_and_no_styles() -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", HTML)


def test_every_file_that_is_named_is_there() -> None:
    for name in re.findall(r'(?:src|href)="/page/([^"]+)"', HTML):
        assert (PAGE / name).is_file()
