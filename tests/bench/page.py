"""How quick the page is with a large photo, as its browser measures it.

    python -m tests.bench.page --megapixels 24

Prints one JSON object: seconds from choosing the file to its first frame on the screen, frames a second while a brush
paints and while the view is moved and zoomed, seconds until the server has it, and until a painted mask is sent.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.server.browsing import TOKEN, Desk, launched
from tests.server.serving import in_thread

_FIRST = "() => performance.getEntriesByName('first-paint').at(-1)?.duration"
_COUNT = """() => {
  window.frames_ = [];
  const tick = (now) => { window.frames_.push(now); window.ticking_ = requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""
_COUNTED = "() => { cancelAnimationFrame(window.ticking_); return window.frames_; }"


def main() -> None:
    """Open a large photo, paint, move, zoom."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        source = _photo(folder / "large.jpg", asked.megapixels)
        with in_thread(folder / "server", token=TOKEN) as address, launched() as browser:
            runs = [_run(browser, address, source) for _ in range(asked.runs)]
            said = {"megapixels": asked.megapixels, "bytes": source.stat().st_size, "browser": browser.version}
        print(json.dumps(said | {name: sorted(run[name] for run in runs) for name in runs[0]}))


def _run(browser: Any, address: str, source: Path) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    desk = Desk(context.new_page(), address).ready()
    start = time.monotonic()
    desk.page.set_input_files("#picker", str(source))
    desk.page.wait_for_function(_FIRST)
    found = {"first_paint_s": desk.page.evaluate(_FIRST) / 1000}
    desk.page.wait_for_selector("#download:not([disabled])")
    found["sent_s"] = time.monotonic() - start
    desk.page.click("[data-tool=brush]")
    desk.page.evaluate("() => { document.getElementById('brush-size').value = 120; }")
    desk.page.locator("#brush-size").dispatch_event("input")
    found |= _rate("brush", desk, lambda: _stroke(desk))
    desk.page.mouse.move(500, 400)
    found |= _rate("zoom", desk, lambda: _wheel(desk))
    desk.page.click("[data-tool=hand]")
    found |= _rate("pan", desk, lambda: _stroke(desk))
    start = time.monotonic()
    desk.page.click("#run-inpaint")
    desk.page.wait_for_selector("#cancel:visible")
    found["mask_sent_s"] = time.monotonic() - start
    desk.page.click("#cancel")
    desk.page.wait_for_selector("#run", state="hidden")
    assert not desk.faults, desk.faults
    context.close()
    return {name: round(value, 3) for name, value in found.items()}


def _rate(name: str, desk: Desk, act: Any) -> dict[str, float]:
    """Frames a second while something is done, and the longest time between two of them."""
    desk.page.evaluate(_COUNT)
    act()
    times = np.diff(desk.page.evaluate(_COUNTED))
    return {f"{name}_fps": float(1000 / times.mean()), f"{name}_worst_ms": float(times.max())}


def _stroke(desk: Desk) -> None:
    """Seconds of circles over the picture."""
    angles = np.linspace(0, 8 * np.pi, 240)
    desk.page.mouse.move(700, 450)
    desk.page.mouse.down()
    for angle in angles:
        desk.page.mouse.move(600 + 250 * np.cos(angle), 450 + 200 * np.sin(angle))
    desk.page.mouse.up()


def _wheel(desk: Desk) -> None:
    for turn in range(60):
        desk.page.mouse.wheel(0, -60 if turn < 30 else 60)


def _photo(path: Path, megapixels: float) -> Path:
    """A photo-like JPEG of 3:2: large shapes, texture and noise."""
    width = round((megapixels * 1e6 * 1.5) ** 0.5 / 8) * 8
    height = round(width / 1.5)
    random = np.random.default_rng(0)
    shapes = Image.fromarray(random.integers(0, 255, (24, 36, 3), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    texture = random.normal(0, 8, (height, width, 1)).astype(np.float32)
    Image.fromarray((np.asarray(shapes) + texture).clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return path


if __name__ == "__main__":
    main()
