"""`imgfix serve --mcp`: the operations as tools, called by the client of the official SDK over stdin and stdout."""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mcp")

import anyio
from mcp import ClientSession, StdioServerParameters, stdio_client
from PIL import Image

from imgfix.errors import InputError, UsageError
from imgfix.pipelines.choosing import ModelTools
from imgfix.server.fields import VERBS
from imgfix.server.places import Places
from imgfix.server.tools import Tools
from tests.server.conftest import mask_png, png
from tests.tasks.test_select import PEOPLE
from tests.tasks.test_select import Tools as Finding

ROOT = Path(__file__).parents[2]


def talk(folder: Path, conversation: Callable[[ClientSession], Any]) -> None:
    """Start a server for a folder and have a client talk to it."""

    async def run() -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        words = ["-m", "imgfix", "serve", "--device", "cpu", "--mcp", str(folder)]
        program = StdioServerParameters(command=sys.executable, args=words, env=environment)
        with anyio.fail_after(300):
            async with stdio_client(program) as (incoming, outgoing), ClientSession(incoming, outgoing) as session:
                await session.initialize()
                await conversation(session)

    anyio.run(run)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture and a mask, and one beside it that is nobody's business."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(png())
    (tmp_path / "photos" / "m.png").write_bytes(mask_png())
    (tmp_path / "secret.png").write_bytes(png(seed=9))
    (tmp_path / "photos" / "link.png").symlink_to(tmp_path / "secret.png")
    return tmp_path / "photos"


def test_a_client_lists_looks_fills_and_runs_a_recipe(folder: Path) -> None:
    told: list[tuple[float, float | None]] = []

    async def heard(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total))

    async def conversation(session: ClientSession) -> None:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert set(tools) == {"list_files", "look", "models", *VERBS}
        for verb in VERBS.values():
            own = {"input", "output", "overwrite"}
            said = set(tools[verb.name].input_schema["properties"]) - own
            assert said == {field.name for field in verb.fields} - {"hover"}, verb.name
        assert "save_mask" not in tools["inpaint"].input_schema["properties"]
        files = await session.call_tool("list_files", {})
        assert files.structured_content == {"files": ["a.png", "m.png"], "more": False}
        look = await session.call_tool("look", {"input": "a.png"})
        assert (look.structured_content["width"], look.structured_content["kind"]) == (48, "image")
        thumbnail = Image.open(io.BytesIO(base64.b64decode(look.content[1].data)))
        assert thumbnail.size == (48, 32)
        asked = {"input": "a.png", "mask": "m.png", "model": "telea"}
        made = await session.call_tool("inpaint", asked, progress_callback=heard)
        assert not made.is_error, made.content
        assert made.structured_content["output"] == "a_filled.png" and made.structured_content["model"] == "telea"
        again = await session.call_tool("inpaint", asked)
        assert again.is_error and "exists" in again.content[0].text and "overwrite" in again.content[0].text
        steps = [{"verb": "inpaint", "mask": "m.png", "model": "telea"}, {"verb": "upscale", "model": "bicubic"}]
        both = await session.call_tool("run", {"input": "a.png", "steps": steps, "output": "b.png"})
        assert not both.is_error, both.content
        assert [step["verb"] for step in both.structured_content["run"]] == ["inpaint", "upscale"]

    talk(folder, conversation)
    assert told and told[-1][0] == told[-1][1]
    before, after = (np.asarray(Image.open(folder / name)) for name in ("a.png", "a_filled.png"))
    mask = np.asarray(Image.open(folder / "m.png")) > 0
    assert np.array_equal(before[~mask], after[~mask]) and not np.array_equal(before, after)
    assert Image.open(folder / "b.png").size == (192, 128)


def test_what_is_outside_or_wrong_is_an_error_of_the_tool_with_a_hint(folder: Path) -> None:
    outside = folder.parent / "secret.png"
    wrong = [
        ("look", {"input": str(outside)}, "is outside"),
        ("look", {"input": "../secret.png"}, "'..' is refused"),
        ("look", {"input": "link.png"}, "is outside, or reached by a link"),
        ("look", {"input": "none.png"}, "no such file"),
        ("list_files", {"folder": ".."}, "'..' is refused"),
        ("inpaint", {"input": "a.png", "mask": str(outside), "model": "telea"}, "is outside"),
        ("inpaint", {"input": "a.png", "box": "1,1,4,4", "model": "telea", "output": str(outside)}, "is outside"),
        ("inpaint", {"input": "a.png", "box": "1,1,4,4", "model": "telea", "output": "link.png"}, "reached by a link"),
        ("cutout", {"input": "a.png", "behind": str(outside)}, "is outside"),
        ("upscale", {"input": "a.png", "model": "/etc/passwd"}, "no such model"),
        ("upscale", {"input": "a.png", "scal": 2}, "did you mean scale"),
        ("run", {"input": "a.png", "steps": [{"verb": "inpaint", "mask": str(outside)}]}, "is outside"),
        ("run", {"input": "a.png", "steps": [{"verb": "upscal"}]}, "is no step"),
        ("evaluate", {"input": "a.png", "against": str(outside)}, "is outside"),
        ("evaluate", {"input": "../", "against": "a.png"}, "'..' is refused"),
        ("evaluate", {"input": "a.png", "metric": ["psnr"]}, "needs a reference"),
        ("generate", {"prompt": "cat", "output": str(outside)}, "is outside"),
        ("generate", {"prompt": "cat", "output": "link.png"}, "reached by a link"),
        ("generate", {"prompt": "cat", "image": str(outside)}, "is outside"),
        ("generate", {"class": "../../x", "output": "{class}.png"}, "'..' is refused"),
        ("generate", {"prompt": "cat", "seeds": "0-99999999999"}, "more than"),
        ("generate", {"prompt": ["cat"] * 65}, "too many"),
    ]

    async def conversation(session: ClientSession) -> None:
        for name, given, said in wrong:
            answer = await session.call_tool(name, given)
            assert answer.is_error, name
            assert said in answer.content[0].text, answer.content

    talk(folder, conversation)
    assert outside.read_bytes() == png(seed=9)
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "link.png", "m.png"]


def test_a_client_draws_and_measures(folder: Path) -> None:
    (folder / "results").mkdir()
    (folder / "truth").mkdir()
    for number in range(2):
        (folder / "results" / f"{number}_x1.png").write_bytes(png(seed=number + 4))
        (folder / "truth" / f"{number}.png").write_bytes(png(seed=0))

    async def conversation(session: ClientSession) -> None:
        asked = {"prompt": "a red apple", "seed": 7, "count": 2, "output": "drawn"}
        drawn = await session.call_tool("generate", asked)
        assert not drawn.is_error, drawn.content
        outputs = [each["output"] for each in drawn.structured_content["outputs"]]
        assert outputs == ["drawn/a-red-apple_7.png", "drawn/a-red-apple_8.png"]
        assert [each["seed"] for each in drawn.structured_content["results"]] == [7, 8]
        assert [part.type for part in drawn.content] == ["text", "image", "image"]
        again = await session.call_tool("generate", {**asked, "count": 1})
        assert again.is_error and "exists" in again.content[0].text
        one = await session.call_tool("generate", {"prompt": "a red apple"})
        assert one.structured_content["output"] == "a-red-apple_0.png"
        same = await session.call_tool("evaluate", {"input": "a.png", "against": "a.png"})
        assert same.structured_content["values"]["psnr"] is None  # no number of JSON is infinite
        assert same.structured_content["size"] == [48, 32]
        many = await session.call_tool("evaluate", {"input": "results", "against": "truth", "metric": ["psnr"]})
        assert not many.is_error, many.content
        told = many.structured_content
        assert [each["input"] for each in told["files"]] == ["results/0_x1.png", "results/1_x1.png"]
        each = [file["values"]["psnr"] for file in told["files"]]
        assert each[0] > each[1] and told["values"]["psnr"] == pytest.approx(sum(each) / 2)
        (folder / "results" / "2.png").symlink_to(folder.parent / "secret.png")
        led_out = await session.call_tool("evaluate", {"input": "results", "metric": ["niqe"]})
        assert led_out.is_error and "reached by a link" in led_out.content[0].text

    talk(folder, conversation)


def test_a_recipe_file_names_what_lies_beside_it(folder: Path) -> None:
    (folder / "recipes").mkdir()
    (folder / "recipes" / "hole.png").write_bytes(mask_png())
    step = '[[step]]\nverb = "inpaint"\nmodel = "telea"\nmask = '
    (folder / "recipes" / "clean.toml").write_text(f'{step}"hole.png"')
    (folder / "recipes" / "sly.toml").write_text(f'{step}"{folder.parent / "secret.png"}"')
    tools = Tools(Places((folder,)), "cpu")

    def run(recipe: str) -> Any:
        return tools.call("run", {"input": "a.png", "recipe": recipe}, lambda done, total: None)

    assert run("recipes/clean.toml").facts["output"] == "a_filled.png"
    with pytest.raises(UsageError, match="is outside"):
        run("recipes/sly.toml")
    with pytest.raises(UsageError, match="refused"):
        run("../recipes/clean.toml")


def test_what_is_chosen_is_told_with_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.png").write_bytes(png(100, 60))
    found = Finding(*PEOPLE)
    for name in ("segmenter", "detector"):
        monkeypatch.setattr(ModelTools, name, lambda self, name=name: getattr(found, name)())
    tools = Tools(Places((folder,)), "cpu")
    listed = tools.call("select", {"input": "a.png", "list": True}, lambda done, total: None)
    assert sorted(region["name"] for region in listed.facts["regions"]) == ["dog", "person", "person"]
    assert listed.thumbnails == () and not (folder / "a_mask.png").exists()
    chosen = tools.call("select", {"input": "a.png", "object": "dog"}, lambda done, total: None)
    assert [region["name"] for region in chosen.facts["regions"]] == ["dog"]
    assert (folder / chosen.facts["output"]).is_file()


def test_a_folder_that_is_a_link_may_be_named_and_nothing_in_it_that_is_one(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "real" / "deep" / "a.png").write_bytes(png())
    (tmp_path / "named").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "way-out").symlink_to(tmp_path / "other")
    places = Places((tmp_path / "named",))
    assert places.find("deep/a.png") == tmp_path / "real" / "deep" / "a.png"
    assert places.shown(places.find("deep/a.png")) == "deep/a.png"
    assert places.find("deep/new.png", new=True).parent == tmp_path / "real" / "deep"
    for text in ("way-out/x.png", "../other/x.png", "deep/../a.png", str(tmp_path / "other" / "x.png"), "a\0b", "", 7):
        with pytest.raises(UsageError):
            places.find(text, new=True)
    with pytest.raises(InputError):
        places.find("none.png")
    with pytest.raises(UsageError):
        Places((tmp_path / "nowhere",))
