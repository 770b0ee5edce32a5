"""One self-contained HTML page: before and after under a slider for every picture, and the table of numbers."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Template

import numpy as np
from PIL import Image

from imgfix.tasks.sheet import to_bytes

LOSSLESS_PIXELS = 1_000_000  # larger pictures go in as JPEG, or the page would be too heavy to mail


@dataclass(frozen=True)
class Comparison:
    """Two versions of one picture."""

    name: str
    left: np.ndarray
    """(H, W, 1 or 3) in [0, 1]"""
    right: np.ndarray
    """The same size."""
    left_label: str
    right_label: str
    numbers: Sequence[tuple[str, str]]
    """Heading and value of each number."""


PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222;
  background: #fafafa }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin: 2.2rem 0 .4rem } p { color: #555 }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .25rem .8rem; text-align: right }
th:first-child, td:first-child { text-align: left } tr { border-bottom: 1px solid #ddd } tfoot { font-weight: 600 }
.compare { --at: 50%; position: relative; display: inline-block; max-width: 100%; line-height: 0; touch-action: none;
  cursor: ew-resize; overflow: hidden; user-select: none }
.compare img { display: block; max-width: 100%; image-rendering: pixelated }
.compare .over { position: absolute; inset: 0; clip-path: inset(0 calc(100% - var(--at)) 0 0) }
.compare .line { position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px; margin-left: -1px;
  background: #fff; box-shadow: 0 0 3px #000; pointer-events: none }
.compare span { position: absolute; bottom: .4rem; padding: .1rem .5rem; line-height: 1.4; color: #fff;
  background: #0009; pointer-events: none }
.compare .l { left: .4rem } .compare .r { right: .4rem }
input[type=range] { display: block; width: 100%; max-width: 40rem }
</style></head><body>
<h1>$title</h1><p>$subtitle</p>
$table
$pictures
<script>
for (const box of document.querySelectorAll(".compare")) {
  const slider = box.nextElementSibling;
  const set = value => { box.style.setProperty("--at", value + "%"); slider.value = value; };
  slider.addEventListener("input", () => set(slider.value));
  const follow = event => {
    const area = box.getBoundingClientRect();
    set(Math.min(100, Math.max(0, 100 * (event.clientX - area.left) / area.width)));
  };
  box.addEventListener("pointerdown", event => {
    event.preventDefault(); box.setPointerCapture(event.pointerId); follow(event);
  });
  box.addEventListener("pointermove", event => { if (event.buttons) follow(event); });
}
</script></body></html>
""")

COMPARISON = Template("""<section id="$anchor"><h2>$name</h2><p>$numbers</p>
<div class="compare"><img src="$right" alt="$right_label"><img class="over" src="$left" alt="$left_label">
<div class="line"></div><span class="l">$left_label</span><span class="r">$right_label</span></div>
<input type="range" min="0" max="100" step="0.1" value="50" aria-label="$left_label or $right_label"></section>
""")


def embedded(pixels: np.ndarray) -> str:
    """A picture as a data address: PNG, or JPEG of quality 95 where it is large."""
    values = to_bytes(pixels)
    stream = io.BytesIO()
    small = values.shape[0] * values.shape[1] <= LOSSLESS_PIXELS
    if small:
        Image.fromarray(values).save(stream, "PNG")
    else:
        Image.fromarray(values).save(stream, "JPEG", quality=95, subsampling=0)
    return f"data:image/{'png' if small else 'jpeg'};base64,{base64.b64encode(stream.getvalue()).decode()}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], foot: Sequence[str] | None = None) -> str:
    """An HTML table; every cell is escaped."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    end = f"<tfoot>{line(foot, 'td')}</tfoot>" if foot else ""
    return f"<table><thead>{line(headings, 'th')}</thead><tbody>{body}</tbody>{end}</table>"


def page(title: str, subtitle: str, numbers: str, comparisons: Sequence[Comparison]) -> Iterator[str]:
    """The page in pieces, so that its pictures are never all in memory at once; `numbers` is an HTML table."""
    mark = "<!-- pictures -->"
    escaped = {"title": html.escape(title), "subtitle": html.escape(subtitle), "table": numbers, "pictures": mark}
    head, tail = PAGE.substitute(escaped).split(mark)
    yield head
    for index, item in enumerate(comparisons):
        yield COMPARISON.substitute(
            anchor=f"picture-{index}",
            name=html.escape(item.name),
            numbers=html.escape(", ".join(f"{heading} {value}" for heading, value in item.numbers)),
            left=embedded(item.left),
            right=embedded(item.right),
            left_label=html.escape(item.left_label),
            right_label=html.escape(item.right_label),
        )
    yield tail
