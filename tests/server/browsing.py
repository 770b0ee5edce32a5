"""A browser for tests of the page: Chromium through Playwright, and what is often done in it."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

AXE = "axe-core@4.14.1"
"""Rules of WCAG that a program can check (https://github.com/dequelabs/axe-core, MPL-2.0); fetched for a test alone."""
TOKEN = "a-token-for-tests"
SIZE = (100, 60)


def chromium() -> str | None:
    """The program, or None."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"] if root else [])
        try:
            yield browser
        finally:
            browser.close()


def photo(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """A smooth picture with noise, a profile and EXIF."""
    width, height = size
    y, x = np.mgrid[:height, :width] / 16
    waves = np.stack([np.sin(2 * x + channel) * np.cos(3 * y + channel) for channel in range(3)], -1)
    noise = np.random.default_rng(1).normal(0, 4, waves.shape)
    picture = Image.fromarray((127.5 + 90 * waves + noise).clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[0x010E] = "<b onclick=alert(1)>a description</b>"
    exif[0x0110] = "A camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(path, exif=exif, icc_profile=profile)
    return path


def pixels(data: bytes) -> np.ndarray:
    """(H, W, C) of a picture file."""
    return np.asarray(Image.open(io.BytesIO(data)))


class Desk:
    """A tab with the page in it; faults of its scripts are collected."""

    def __init__(self, page: Any, address: str, token: str | None = TOKEN) -> None:
        self.page, self.faults = page, []
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: (self.faults.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(f"{address}/#token={token}" if token else address)

    def ready(self) -> Desk:
        """Wait until the page is put together."""
        self.page.wait_for_selector("body[data-ready]")
        return self

    def open(self, *files: Path) -> Desk:
        """Choose files, as with the dialog."""
        self.page.set_input_files("#picker", list(map(str, files)))
        if len(files) == 1:
            self.page.wait_for_selector("#download:not([disabled])")
        return self

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the picture, of `SIZE`, is on the screen: the page shows it as large as it fits."""
        stage = self.page.locator("#stage").bounding_box()
        left, right, top, bottom = self.page.evaluate(ROOM)
        inner = stage["width"] - left - right, stage["height"] - top - bottom
        scale = min(inner[0] / SIZE[0], inner[1] / SIZE[1], 4)
        return (
            stage["x"] + left + (inner[0] - SIZE[0] * scale) / 2 + x * scale,
            stage["y"] + top + (inner[1] - SIZE[1] * scale) / 2 + y * scale,
        )

    def click(self, x: float, y: float, **more: Any) -> None:
        """Click a place of the picture."""
        self.page.mouse.click(*self.at(x, y), **more)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag from place to place of the picture."""
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=5)
        self.page.mouse.up()

    def marks(self, count: int) -> None:
        """Wait until so much is marked."""
        words = "Nothing is marked yet." if count == 0 else f"{count} mark{'s' if count > 1 else ''}"
        self.page.wait_for_selector(f"#mark-count:text-is('{words}')", state="attached")

    def run(self, verb: str, steps: int) -> None:
        """Do what a verb's form says; wait until the history holds so many steps."""
        self.page.click(f"#tab-{verb}")
        self.page.click(f"#run-{verb}")
        self.steps(steps)

    def steps(self, count: int) -> None:
        """Wait until the history holds so many steps, the opened file among them, and nothing runs."""
        self.page.wait_for_function(COUNTED, arg=count)

    def download(self, place: str = "#download") -> tuple[str, bytes]:
        """Name and bytes."""
        with self.page.expect_download() as given:
            self.page.click(place)
        return given.value.suggested_filename, Path(given.value.path()).read_bytes()


ROOM = """() => {
  const style = getComputedStyle(document.getElementById('stage'));
  return [style.paddingLeft, style.paddingRight, style.paddingTop, style.paddingBottom].map(parseFloat);
}"""
"""Around the picture."""
COUNTED = "count => document.querySelectorAll('#steps li').length === count && document.getElementById('run').hidden"


def axe(folder: Path) -> Path | None:
    """The script of axe-core: from a cache, or through npm where tests may use a registry; else None."""
    script = folder / "package" / "axe.min.js"
    if not script.is_file() and os.environ.get("IMGFIX_TEST_NETWORK") == "1" and shutil.which("npm"):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, check=True, capture_output=True)
        with tarfile.open(next(folder.glob("axe-core-*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
    return script if script.is_file() else None
