"""The page in a browser, over a real server; the networks that find things are stand-ins, the one that fills ships."""

from __future__ import annotations

import base64
import io
import os
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright")
pytest.importorskip("starlette")

from imgfix.pipelines.choosing import ModelTools
from imgfix.runtime import tiling
from imgfix.server.jobs import Queue
from imgfix.server.orders import Executor
from tests.media import clips
from tests.server.browsing import SIZE, TOKEN, Desk, axe, chromium, launched, photo, pixels
from tests.server.serving import in_thread
from tests.tasks.test_select import PEOPLE, SIGN, Boxes, Tools

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium"),
]
LEFT = PEOPLE[1].box  # person:1
REACH = 12
"""Pixels around a thing that belong to its region: it is widened, and filled a little beyond."""


class Clicked(Boxes):
    """A point means the thing around it."""

    def segment(self, picture: np.ndarray, points=(), not_points=(), box=None) -> Any:  # type: ignore[no-untyped-def]
        for thing in PEOPLE:
            left, top, right, bottom = thing.box
            if points and left <= points[0][0] < right and top <= points[0][1] < bottom:
                return self._rectangle(picture, (left, top, right, (top + bottom) / 2 if not_points else bottom))
        return super().segment(picture, points, not_points, box)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server whose networks find two people and a dog."""
    tools = Tools(*PEOPLE, lines=(SIGN,))
    tools.boxes = Clicked()
    for name in ("segmenter", "detector", "subject", "reader"):
        monkeypatch.setattr(ModelTools, name, lambda self, name=name: getattr(tools, name)())
    with in_thread(tmp_path / "server", token=TOKEN) as found:
        yield found


@pytest.fixture
def tab(browser: Any, address: str) -> Iterator[Callable[..., Desk]]:
    """Opens tabs with the page, by default a window of 1200 x 800; their scripts may not fail."""
    contexts: list[Any] = []
    desks: list[Desk] = []

    def opened(context: Any = None, token: str | None = TOKEN, **wishes: Any) -> Desk:
        if context is None:
            usual = {"viewport": {"width": 1200, "height": 800}, "locale": "en-GB", "accept_downloads": True}
            context = browser.new_context(**usual | wishes)
            contexts.append(context)
        desks.append(Desk(context.new_page(), address, token))
        return desks[-1]

    yield opened
    faults = [fault for desk in desks for fault in desk.faults]
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def desk(tab: Callable[..., Desk]) -> Desk:
    return tab().ready()


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs take seconds, and tell of it."""
    carry_out = Executor.carry_out

    def slow(self: Executor, order: Any, job: str, progress: Callable[[int, int], None]) -> Any:
        for number in range(20 if order.verb != "select" else 0):
            progress(number, 20)
            time.sleep(0.15)
        return carry_out(self, order, job, progress)

    monkeypatch.setattr(Executor, "carry_out", slow)


def outside(box: tuple[int, int, int, int], reach: int = REACH) -> np.ndarray:
    """(H, W) bool: what is not in a box or close to it."""
    found = np.ones(SIZE[::-1], bool)
    left, top, right, bottom = box
    found[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach] = False
    return found


def test_a_click_marks_a_thing_and_removing_it_changes_nothing_else(desk: Desk, tmp_path: Path) -> None:
    source = photo(tmp_path / "photo.png")
    desk.open(source).click(20, 30)
    desk.marks(1)
    desk.run("inpaint", 2)
    name, data = desk.download()
    assert name == "photo_filled.png"
    before, after = pixels(source.read_bytes()), pixels(data)
    left, top, right, bottom = LEFT
    assert (before[top:bottom, left:right] != after[top:bottom, left:right]).mean() > 0.5
    assert np.array_equal(before[outside(LEFT)], after[outside(LEFT)])
    old, new = Image.open(source), Image.open(io.BytesIO(data))
    assert new.info["icc_profile"] == old.info["icc_profile"]
    assert new.getexif()[0x010E] == old.getexif()[0x010E] and new.getexif()[0x0110] == "A camera"


def test_steps_are_undone_and_done_again_one_by_one(desk: Desk, tmp_path: Path) -> None:
    source = photo(tmp_path / "photo.png")
    desk.open(source).click(20, 30)
    desk.marks(1)
    desk.click(70, 30)
    desk.marks(2)
    desk.page.keyboard.press("Control+z")
    desk.marks(1)
    desk.page.click("#redo")
    desk.marks(2)
    desk.run("inpaint", 2)
    desk.marks(0)
    removed = desk.download()[1]
    desk.page.click("#undo")
    desk.marks(2)
    assert desk.download()[1] == source.read_bytes()
    desk.page.keyboard.press("Control+Shift+z")
    desk.marks(0)
    assert desk.download()[1] == removed
    desk.run("upscale", 3)
    assert pixels(desk.download()[1]).shape[:2] == (120, 200)
    desk.page.click("#steps li:nth-child(1) .step")
    assert desk.download()[1] == source.read_bytes()


def test_the_history_is_commands_of_a_shell(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png")).click(20, 30)
    desk.marks(1)
    desk.run("inpaint", 2)
    desk.run("upscale", 3)
    commands = desk.page.locator("#steps code").all_inner_texts()
    assert commands[0].startswith("imgfix inpaint photo.png --point 2")
    assert commands[1] == "imgfix upscale photo_filled.png --scale 2"


def test_a_click_again_takes_the_mark_away_and_alt_click_limits_it(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png")).click(20, 20)
    desk.marks(1)
    desk.page.keyboard.down("Alt")
    desk.click(20, 45)
    desk.page.keyboard.up("Alt")
    desk.page.wait_for_timeout(500)
    desk.click(20, 45)  # not marked any more, so this marks the whole
    desk.marks(2)
    desk.click(20, 45)
    desk.marks(1)


def test_what_a_click_would_mark_is_shown_before(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png"))
    assert coloured(desk) == 0
    desk.page.mouse.move(*desk.at(20, 30))
    desk.page.wait_for_function(COLOURED)
    desk.page.mouse.move(1, 1)
    desk.page.wait_for_function(f"() => !({COLOURED})()")
    desk.marks(0)


COLOURED = """() => {
  const canvas = document.getElementById('marks');
  return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0);
}"""


def coloured(desk: Desk) -> int:
    """Pixels of the screen that are marked."""
    return int(desk.page.evaluate(COLOURED))


def test_brush_eraser_and_box_make_the_mask_that_is_sent(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png"))
    desk.page.click("[data-tool=box]")
    desk.drag((10, 10), (40, 30))
    desk.marks(1)
    desk.page.click("[data-tool=erase]")
    desk.drag((10, 10), (40, 10))
    desk.marks(2)
    desk.page.click("[data-tool=brush]")
    desk.drag((70, 40), (90, 40))
    desk.marks(3)
    desk.run("inpaint", 2)
    name, data = desk.download("#steps li:nth-child(2) button:has-text('Mask')")
    assert name == "photo_mask.png"
    mask = pixels(data)[..., 0]
    assert mask.shape == SIZE[::-1]
    assert (mask[18:29, 11:39] == 255).all() and mask[11, 25] == 0  # the brush is 10 pixels wide here
    assert mask[40, 80] == 255 and mask[50, 80] == 0 and mask[5, 5] == 0
    assert " --mask photo_mask.png" in desk.page.locator("#steps code").inner_text()


def test_a_box_may_be_given_in_numbers_and_inverted(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png"))
    desk.page.click("summary:has-text('Box in numbers')")
    for label, value in (("Left", 10), ("Top", 5), ("Width", 60), ("Height", 50)):
        desk.page.get_by_label(label, exact=True).fill(str(value))
    desk.page.click("text=Add box")
    desk.marks(1)
    desk.page.click("text=Invert")
    desk.marks(2)
    desk.run("inpaint", 2)
    mask = pixels(desk.download("#steps li:nth-child(2) button:has-text('Mask')")[1])[..., 0]
    expected = np.full(SIZE[::-1], 255, np.uint8)
    expected[5:55, 10:70] = 0
    assert np.array_equal(mask, expected)


def test_things_are_found_listed_and_chosen_by_name(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png"))
    desk.page.click("text=Find things")
    chips = desk.page.locator(".chip")
    chips.first.wait_for()
    assert sorted(chips.all_inner_texts()) == ["dog 1, 70%", "person 1, 80%", "person 2, 90%"]
    desk.page.click(".chip:has-text('dog 1')")
    desk.marks(1)
    desk.page.click("#verb-panels button:has-text('Subject')")
    desk.marks(2)
    desk.page.click("#verb-panels button:has-text('Writing')")
    desk.marks(3)
    desk.page.click(".chip:has-text('dog 1')")
    desk.marks(2)


def test_variants_can_be_chosen(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png")).click(20, 30)
    desk.marks(1)
    desk.run("inpaint", 2)
    first = desk.download()[1]
    for count in (2, 3):
        desk.page.click("#variants button:has-text('Another one')")
        desk.page.wait_for_selector(f"#variant-list li:nth-child({count}) button[aria-pressed=true]")
    assert desk.download()[1] != first
    desk.steps(2)
    desk.page.click("#variant-list li:nth-child(1) button")
    assert desk.download()[1] == first


def test_before_and_after_are_compared(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png")).click(20, 30)
    desk.marks(1)
    desk.run("inpaint", 2)
    desk.page.click("#compare")
    split = desk.page.locator("#split")
    split.focus()
    split.press("Home")
    after = shown(desk)
    split.press("End")
    before = shown(desk)
    assert not np.array_equal(before, after)
    assert split.get_attribute("aria-valuenow") == "100"
    box = split.bounding_box()
    desk.page.mouse.move(box["x"] + 10, box["y"] + 200)
    desk.page.mouse.down()
    desk.page.mouse.move(300, box["y"] + 200, steps=4)
    desk.page.mouse.up()
    assert 0 < int(split.get_attribute("aria-valuenow") or 0) < 60
    desk.page.click("#compare")
    assert np.array_equal(shown(desk), after)
    desk.page.hover("#hold")
    desk.page.mouse.down()
    assert np.array_equal(shown(desk), before)
    desk.page.mouse.up()
    assert np.array_equal(shown(desk), after)


def shown(desk: Desk) -> np.ndarray:
    """The pixels of the picture as the screen has them."""
    desk.page.wait_for_timeout(250)
    side = desk.page.evaluate("() => document.getElementById('picture').toDataURL()")
    return pixels(base64.b64decode(side.split(",")[1]))


def test_zoom_goes_to_actual_pixels_and_back(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png", (3000, 2000)))
    fitted = desk.page.inner_text("#zoom-value")
    desk.page.click("#zoom-full")
    assert desk.page.inner_text("#zoom-value") == "100%"
    desk.page.mouse.move(500, 400)
    desk.page.mouse.wheel(0, -300)
    desk.page.wait_for_function("() => parseInt(document.getElementById('zoom-value').textContent) > 110")
    desk.page.click("#zoom-fit")
    assert desk.page.inner_text("#zoom-value") == fitted


def test_everything_can_be_done_by_keyboard(desk: Desk, tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "photo.png"))
    surface = desk.page.locator("#surface")
    surface.focus()
    for key in ("m", "Enter", "ArrowLeft", "ArrowUp", "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter"):
        surface.press(key)
    desk.marks(1)
    for key in ("b", "ArrowRight", "Enter"):
        surface.press(key)
    desk.marks(2)
    desk.page.locator("#run-inpaint").press("Enter")
    desk.steps(2)
    desk.page.locator("#tab-inpaint").press("ArrowRight")
    assert desk.page.locator("#tab-restore").get_attribute("aria-selected") == "true"
    surface.press("c")
    assert desk.page.locator("#split").is_visible()


def test_a_second_tab_needs_no_token_and_has_its_own_work(desk: Desk, tab: Callable[..., Desk], tmp_path: Path) -> None:
    desk.open(photo(tmp_path / "one.png")).click(20, 30)
    desk.marks(1)
    other = tab(desk.page.context, token=None).ready()
    assert other.page.evaluate("() => document.body.dataset.view") == "start"
    other.open(photo(tmp_path / "two.png"))
    assert other.page.inner_text("#file-name") == "two.png"
    assert desk.page.inner_text("#file-name") == "one.png"
    desk.marks(1)
    assert "token" not in desk.page.url


@pytest.mark.parametrize("token", [None, "not-the-token"])
def test_without_the_token_the_page_asks_for_it(tab: Callable[..., Desk], token: str | None) -> None:
    found = tab(token=token)
    found.page.fill("#token", TOKEN)
    found.page.click("#token-form button")
    found.ready()
    assert not found.page.locator("#token-form").is_visible()


def test_a_reload_keeps_steps_and_marks(desk: Desk, tmp_path: Path) -> None:
    source = photo(tmp_path / "photo.png")
    desk.open(source).click(20, 30)
    desk.marks(1)
    desk.run("inpaint", 2)
    removed = desk.download()[1]
    desk.click(70, 30)
    desk.marks(1)
    desk.page.reload()
    desk.ready()
    desk.steps(2)
    desk.marks(1)
    assert desk.download()[1] == removed
    desk.page.click("#undo")
    desk.marks(0)
    desk.page.click("#undo")
    desk.marks(1)
    assert desk.download()[1] == source.read_bytes()


def test_a_reload_in_the_middle_of_work_takes_it_up(desk: Desk, tmp_path: Path, slowly: None) -> None:
    desk.open(photo(tmp_path / "photo.png"))
    desk.page.click("#tab-upscale")
    desk.page.click("#run-upscale")
    desk.page.wait_for_selector("#run-text:has-text('of 20')")
    desk.page.reload()
    desk.ready()
    desk.page.wait_for_selector("#run-text:has-text('of 20')")
    desk.steps(2)
    assert pixels(desk.download()[1]).shape[:2] == (120, 200)


def test_work_is_cancelled(desk: Desk, tmp_path: Path, slowly: None) -> None:
    desk.open(photo(tmp_path / "photo.png"))
    desk.page.click("#tab-upscale")
    desk.page.click("#run-upscale")
    desk.page.wait_for_selector("#run-text:has-text('of 20')")
    desk.page.click("#cancel")
    desk.page.wait_for_selector("#run", state="hidden")
    desk.steps(1)
    assert desk.page.locator("#run-upscale").is_enabled()


def test_a_large_picture_that_is_cancelled_ends_at_the_next_tile(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, total, cancelled = [], [], threading.Event()
    cancel = Queue.cancel

    def told(queue: Queue, job: str) -> bool:
        found = cancel(queue, job)
        cancelled.set()
        return found

    def counted(work: tiling._Tiles, *tile: object) -> None:  # in place of the network
        begun.append(tile)
        total.append(work.grid.tiles)
        assert len(begun) < 3 or cancelled.wait(300)

    monkeypatch.setattr(Queue, "cancel", told)
    monkeypatch.setattr(tiling._Tiles, "add", counted)
    monkeypatch.setattr(tiling, "window_size", lambda engine, height, width, least: (128, 128))
    desk.open(photo(tmp_path / "photo.png", (600, 400)))
    desk.page.click("#tab-upscale")
    desk.page.click("#run-upscale")
    desk.page.wait_for_selector("#run-text:has-text('2 of')")
    desk.page.click("#cancel")
    desk.page.wait_for_selector("#run", state="hidden")
    desk.steps(1)
    assert len(begun) == 3 < total[0]


def test_what_fails_is_said_with_its_remedy(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgfix.errors import ModelError

    def missing(self: ModelTools) -> Any:
        raise ModelError("no model for this is installed", hint="imgfix weights pull mobile-sam")

    monkeypatch.setattr(ModelTools, "segmenter", missing)
    desk.open(photo(tmp_path / "photo.png")).click(20, 30)
    desk.page.wait_for_selector("#fault:has-text('imgfix weights pull mobile-sam')")
    desk.page.click("#fault button")
    assert not desk.page.locator("#fault").is_visible()
    desk.marks(0)


def test_a_file_that_is_no_picture_is_refused(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    desk.page.set_input_files("#picker", str(path))
    desk.page.wait_for_selector("#fault")
    assert desk.page.evaluate("() => document.body.dataset.view") == "start"


def test_html_in_names_and_exif_stays_text(desk: Desk, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    desk.open(photo(tmp_path / name)).click(20, 30)
    desk.marks(1)
    desk.run("inpaint", 2)
    assert desk.page.inner_text("#file-name").startswith("<img src=x onerror=alert(1)>")
    assert desk.page.locator("img[onerror], b[onclick]").count() == 0
    desk.open(tmp_path / name, photo(tmp_path / "b.png"))
    assert desk.page.locator("tbody th").first.inner_text() == name
    assert desk.page.locator("img[onerror]").count() == 0


def test_a_batch_runs_one_recipe_and_comes_as_a_zip(desk: Desk, tmp_path: Path) -> None:
    paths = [photo(tmp_path / name) for name in ("a.png", "b.png")]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    desk.open(*paths, broken)
    desk.page.uncheck("#batch-restore")
    desk.page.check("#batch-upscale")
    desk.page.check("#batch-inpaint")
    desk.page.get_by_label("Subject", exact=True).last.check()
    desk.page.click("#batch-go")
    desk.page.wait_for_selector("#batch-zip:not([disabled])")
    assert desk.page.inner_text("#batch-sum") == "2 of 3 done, 1 failed"
    name, data = desk.download("#batch-zip")
    assert name == "imgfix.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a_filled_x2.png", "b_filled_x2.png"]
        assert pixels(archive.read("a_filled_x2.png")).shape[:2] == (120, 200)
    desk.page.reload()
    desk.ready()
    assert desk.page.inner_text("#batch-sum") == "2 of 3 done, 1 failed"
    desk.page.click("text=Edit >> nth=0")
    desk.page.wait_for_selector("#download:not([disabled])")
    assert desk.page.inner_text("#file-name") == "a_filled_x2.png"


RECIPE = """
format = "webp"

[[step]]
verb = "inpaint"
object = "dog"

[[step]]
verb = "upscale"
model = "bicubic"
long-side = 150
"""


def test_a_recipe_file_is_dropped_with_the_files(desk: Desk, tmp_path: Path) -> None:
    paths = [photo(tmp_path / name) for name in ("a.png", "b.png")]
    wrong, recipe = tmp_path / "wrong.toml", tmp_path / "clean.toml"
    wrong.write_text('[[step]]\nverb = "upscale"\nlong_sid = 150')
    recipe.write_text(RECIPE)
    desk.open(*paths, wrong)
    fault = desk.page.wait_for_selector(".recipe [role=alert]:not([hidden])")
    assert "step 1 (upscale): 'long_sid'" in fault.inner_text()
    desk.page.click("#batch-go")
    desk.page.wait_for_selector("#batch-sum:text-is('Choose what to do.')")
    desk.page.set_input_files("#recipe-picker", str(recipe))
    shown = desk.page.locator(".recipe-list:visible")
    shown.wait_for()
    assert shown.locator(".step-title").all_inner_texts() == ["Remove", "Upscale", "Output"]
    assert "long_side = 150" in shown.inner_text()
    desk.page.click("#batch-go")
    desk.page.wait_for_selector("#batch-zip:not([disabled])")
    assert desk.page.inner_text("#batch-sum") == "2 of 2 done, 0 failed"
    with zipfile.ZipFile(io.BytesIO(desk.download("#batch-zip")[1])) as archive:
        assert archive.namelist() == ["a_filled_large.webp", "b_filled_large.webp"]
        assert pixels(archive.read("b_filled_large.webp")).shape[:2] == (90, 150)


def test_what_was_done_to_a_picture_is_done_to_others_and_kept_as_a_recipe(desk: Desk, tmp_path: Path) -> None:
    from imgfix import cli

    one = photo(tmp_path / "one.png")
    desk.open(one)
    desk.page.click("[data-tool=box]")
    desk.drag((10, 10), (30, 30))
    desk.marks(1)
    desk.run("inpaint", 2)
    mask = desk.download("#steps li:nth-child(2) button:has-text('Mask')")[1]
    desk.run("upscale", 3)
    alone = desk.download()[1]
    desk.page.click("#apply")
    assert desk.page.locator(".recipe-list:visible .step-title").all_inner_texts() == ["Remove", "Upscale"]
    assert "stay at the same place" in desk.page.inner_text(".recipe")
    desk.page.set_input_files("#picker", str(one))
    desk.page.click("#batch-go")
    desk.page.wait_for_selector("#batch-zip:not([disabled])")
    assert desk.page.inner_text("#batch-sum") == "1 of 1 done, 0 failed"
    with zipfile.ZipFile(io.BytesIO(desk.download("#batch-zip")[1])) as archive:
        assert archive.namelist() == ["one_filled_x2.png"]
        assert np.array_equal(pixels(archive.read("one_filled_x2.png")), pixels(alone))
    name, text = desk.download("#recipe-save")
    (tmp_path / name).write_bytes(text)
    (tmp_path / "one_mask.png").write_bytes(mask)
    code = cli.run(["run", str(tmp_path / name), str(one), "-o", str(tmp_path / "shell.png"), "--device", "cpu"])
    assert code == 0 and np.array_equal(pixels((tmp_path / "shell.png").read_bytes()), pixels(alone))


def test_a_folder_keeps_its_tree_in_the_zip(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "trip" / "day").mkdir(parents=True)
    photo(tmp_path / "trip" / "a.png")
    photo(tmp_path / "trip" / "day" / "a.png")
    desk.page.set_input_files("#folder-picker", str(tmp_path / "trip"))
    desk.page.uncheck("#batch-restore")
    desk.page.check("#batch-upscale")
    desk.page.click("#batch-go")
    desk.page.wait_for_selector("#batch-zip:not([disabled])")
    with zipfile.ZipFile(io.BytesIO(desk.download("#batch-zip")[1])) as archive:
        assert sorted(archive.namelist()) == ["trip/a_x2.png", "trip/day/a_x2.png"]


def film(path: Path) -> Path:
    """Five seconds of a clip."""
    rows, columns = np.mgrid[:60, :100]
    pictures = [np.stack([rows + n, 2 * columns, rows + columns], -1).astype(np.uint8) for n in range(50)]
    times = tuple(number / 10 for number in range(50))
    clips.make(path, clips.Recipe(times=times, size=SIZE, pictures=pictures))
    return path


def test_a_clip_is_painted_tried_and_run(desk: Desk, tmp_path: Path) -> None:
    desk.open(film(tmp_path / "film.mp4"))
    desk.page.locator("#time").fill("1")
    desk.page.wait_for_selector("#time-value:has-text('0:01.00 /')")
    desk.page.click("[data-tool=box]")
    desk.drag((10, 10), (30, 30))
    desk.marks(1)
    desk.page.click("#sample-inpaint")
    desk.page.wait_for_selector("#sample:has-text('0:01.00')")
    desk.steps(1)
    assert desk.page.locator("#split").is_visible()
    desk.page.click("#sample-leave")
    desk.run("inpaint", 2)
    name, data = desk.download()
    assert name == "film_filled.mp4" and len(data) > 1000
    assert re.search(r"imgfix inpaint film.mp4 .*--mask film_mask.png", desk.page.inner_text("#steps code"))


def test_a_click_in_a_clip_marks_what_its_frame_shows(desk: Desk, tmp_path: Path) -> None:
    desk.open(film(tmp_path / "film.mp4")).click(20, 30)
    desk.marks(1)
    desk.run("inpaint", 2)


def test_the_other_language_is_german(tab: Callable[..., Desk], tmp_path: Path) -> None:
    found = tab(locale="de-DE").ready()
    assert found.page.inner_text("#start h2") == "Foto, Clip oder Ordner hierher ziehen"
    found.page.click("#settings")
    found.page.select_option("#language", "en")
    found.ready()
    found.page.wait_for_selector("#start h2:has-text('Drop a photo')")
    assert found.page.evaluate("() => document.documentElement.lang") == "en"


def test_a_finger_paints_and_two_zoom(tab: Callable[..., Desk], tmp_path: Path) -> None:
    found = tab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).ready()
    found.open(photo(tmp_path / "photo.png"))
    found.page.tap("[data-tool=brush]")
    found.page.touchscreen.tap(*found.at(50, 30))
    found.marks(1)
    touch = found.page.context.new_cdp_session(found.page)
    before = found.page.inner_text("#zoom-value")
    x, y = found.at(50, 30)
    for kind, apart in (("touchStart", 20), ("touchMove", 60), ("touchMove", 80), ("touchEnd", None)):
        points = [] if apart is None else [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    found.page.wait_for_timeout(200)
    assert found.page.inner_text("#zoom-value") != before
    found.marks(1)
    assert found.page.evaluate("() => document.documentElement.scrollWidth") == 390


def test_a_finger_that_stays_says_not_this(tab: Callable[..., Desk], tmp_path: Path) -> None:
    found = tab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).ready()
    found.open(photo(tmp_path / "photo.png"))
    found.page.touchscreen.tap(*found.at(20, 20))
    found.marks(1)
    touch = found.page.context.new_cdp_session(found.page)
    x, y = found.at(20, 45)

    def limits(request: Any) -> bool:
        return request.url.endswith("/v1/select") and "not_point" in (request.post_data or "")

    with found.page.expect_request(limits, timeout=60_000):
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y, "id": 1}]})
        found.page.wait_for_timeout(700)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    found.marks(1)


RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 800, 390])
def test_axe_finds_nothing_against_wcag(
    tab: Callable[..., Desk], tmp_path: Path, axe_script: Path, scheme: str, width: int
) -> None:
    found = tab(viewport={"width": width, "height": 844}, color_scheme=scheme).ready()
    looks: list[str] = []

    def look(state: str) -> None:
        found.page.wait_for_timeout(200)
        found.page.evaluate(axe_script.read_text("utf-8"))
        said = found.page.evaluate("rules => axe.run(document, rules)", RULES)
        looks.extend(
            f"{state}: {one['id']}: {node['html'][:200]}" for one in said["violations"] for node in one["nodes"]
        )

    look("start")
    found.page.click("#settings")
    look("settings")
    found.page.keyboard.press("Escape")
    found.open(photo(tmp_path / "photo.png")).click(20, 30)
    found.marks(1)
    look("marked")
    found.page.click("text=Find things")
    found.page.locator(".chip").first.wait_for()
    for details in found.page.locator("summary:visible").all():
        details.click()
    look("found")
    found.run("inpaint", 2)
    found.page.click("#compare")
    look("compared")
    for verb in ("restore", "upscale", "cutout"):
        found.page.click(f"#tab-{verb}")
        look(verb)
    found.page.set_input_files("#picker", [str(photo(tmp_path / name)) for name in ("a.png", "b.png")])
    look("batch")
    for source in ("Recipe file", "History"):
        found.page.click(f".recipe .segments label:has-text('{source}')")
        look(f"batch, {source}")
    recipe = tmp_path / "clean.toml"
    recipe.write_text(RECIPE)
    found.page.set_input_files("#recipe-picker", str(recipe))
    found.page.locator(".recipe-list:visible").wait_for()
    look("batch, a recipe")
    assert not looks, "\n".join(looks)


@pytest.fixture(scope="module")
def axe_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = os.environ.get("IMGFIX_TEST_CACHE")
    found = axe(Path(cache) / "axe" if cache else Path.home() / ".cache" / "imgfix-tests" / "axe")
    if found is None:
        pytest.skip("axe-core is not in the cache; IMGFIX_TEST_NETWORK=1 fetches it through npm")
    return found
