from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli import browser

BROWSER = browser.find()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
AT = "document.querySelector('.compare').style.getPropertyValue('--at')"
AREA = "(r => [r.left, r.top, r.width, r.height])(document.querySelector('.compare').getBoundingClientRect())"


def colour_at(screen: bytes, x: float, y: float) -> tuple[int, int, int]:
    return Image.open(io.BytesIO(screen)).convert("RGB").getpixel((round(x), round(y)))  # type: ignore[return-value]


def test_the_slider_moves_in_a_real_browser(imgfix: Any, tmp_path: Path) -> None:
    red, blue = np.zeros((2, 200, 400, 3), np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    Image.fromarray(red).save(tmp_path / "result.png")
    Image.fromarray(blue).save(tmp_path / "reference.png")
    report = tmp_path / "page.html"
    files = tmp_path / "result.png", "-a", tmp_path / "reference.png"
    assert imgfix("evaluate", *files, "--report", report).code == 0
    assert BROWSER is not None
    with browser.page(BROWSER, tmp_path / "profile") as tab:
        tab.open(report.as_uri())
        left, top, width, height = tab.value(AREA)
        assert (width, height) == (400, 200)
        middle = top + height / 2

        def seen() -> list[tuple[int, int, int]]:
            screen = tab.screenshot()
            return [colour_at(screen, left + part * width, middle) for part in (0.1, 0.4, 0.6, 0.9)]

        result, reference = (200, 0, 0), (0, 0, 200)
        assert seen() == [result, result, reference, reference]

        tab.drag((left + width / 2, middle), (left + 0.75 * width, middle))
        assert tab.value(AT) == "75%"
        assert tab.value("document.querySelector('input').value") == "75"
        assert seen() == [result, result, result, reference]

        tab.value("(s => { s.value = 20; s.dispatchEvent(new Event('input')) })(document.querySelector('input'))")
        assert seen() == [result, reference, reference, reference]

        assert tab.console == []
        outside = [url for url in tab.requests if not url.startswith(("file:", "data:"))]
        assert outside == []
