"""TIFF files of several pages: all are done and written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from imgfix.media import tiff_pages
from tests.cli.conftest import Run
from tests.cli.conftest import imgfix as imgfix
from tests.media import make

FILL = ("--box", "1,1,4,4", "--model", "telea")
PAGES = [make.scene(24, 32), make.scene(20, 30, 1, 16)[..., 0], make.scene(40, 16)]


def multipage(path: Path, pages: list[np.ndarray] = PAGES, **options: Any) -> Path:
    with tifffile.TiffWriter(
        path, byteorder=options.pop("byteorder", "<"), bigtiff=options.pop("bigtiff", False)
    ) as out:
        for number, page in enumerate(pages):
            out.write(
                page, photometric="rgb" if page.ndim == 3 else "minisblack", description=f"page {number}",
                metadata=None, resolution=(300, 300), **options,
            )  # fmt: skip
    return path


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "deflate"}, {"byteorder": ">"}, {"bigtiff": True}, {"tile": (16, 16)}],
    ids=str,
)
def test_every_page_is_worked_on_and_written(imgfix: Run, tmp_path: Path, options: dict[str, Any]) -> None:
    source, target = multipage(tmp_path / "in.tif", **options), tmp_path / "out.tif"
    result = imgfix("inpaint", source, *FILL, "-o", target, "--json")
    assert result.code == 0, result.err
    with tifffile.TiffFile(target) as written:
        assert len(written.pages) == len(PAGES)
        for number, (page, before) in enumerate(zip(written.pages, PAGES, strict=True)):
            after = page.asarray()
            assert after.dtype == before.dtype
            outside = np.ones(before.shape[:2], bool)
            outside[1:5, 1:5] = False
            assert np.array_equal(after[outside], before[outside])
            assert not np.array_equal(after, before)
            assert page.tags[270].value == f"page {number}"
            assert page.tags[297].value == (number, len(PAGES))
    assert result.items[0]["output"]["bytes"] == target.stat().st_size
    assert "only the first" not in result.err


def test_a_pipe_and_standard_output(imgfix: Run, tmp_path: Path) -> None:
    data = multipage(tmp_path / "in.tif").read_bytes()
    result = imgfix("inpaint", "-", *FILL, stdin=data)
    assert result.code == 0, result.err
    with tifffile.TiffFile(io.BytesIO(result.data)) as written:
        assert [page.shape for page in written.pages] == [page.shape for page in PAGES]


def test_the_plan_counts_all_pages(imgfix: Run, tmp_path: Path) -> None:
    result = imgfix("inpaint", multipage(tmp_path / "in.tif"), *FILL, "--dry-run")
    assert result.code == 0, result.err
    assert "3 pages" in result.err.splitlines()[-1]


def test_another_format_takes_the_first_page_and_says_so(imgfix: Run, tmp_path: Path) -> None:
    result = imgfix("inpaint", multipage(tmp_path / "in.tif"), *FILL, "-o", tmp_path / "out.png")
    assert result.code == 0, result.err
    assert "TIFF with 3 pages: only the first is used" in result.err


def test_a_page_that_is_broken_fails_the_file_by_its_number(imgfix: Run, tmp_path: Path) -> None:
    source = multipage(tmp_path / "in.tif")
    with tifffile.TiffFile(source) as tiff:
        entry = tiff.pages[1].tags[279]
    data = bytearray(source.read_bytes())
    data[entry.valueoffset : entry.valueoffset + 4] = (1 << 30).to_bytes(4, "little")
    source.write_bytes(bytes(data))
    result = imgfix("inpaint", source, *FILL, "-o", tmp_path / "out.tif")
    assert result.code == 1
    assert "page 2" in result.err
    assert not (tmp_path / "out.tif").exists()


def test_reduced_copies_are_no_pages(imgfix: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    with tifffile.TiffWriter(source) as out:
        out.write(PAGES[0], photometric="rgb", metadata=None)
        out.write(PAGES[0][::2, ::2], photometric="rgb", metadata=None, subfiletype=1)
    result = imgfix("inpaint", source, *FILL, "-o", tmp_path / "out.tif")
    assert result.code == 0, result.err
    with tifffile.TiffFile(tmp_path / "out.tif") as written:
        assert len(written.pages) == 1


def test_beyond_four_gigabytes_it_is_a_bigtiff(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tiff_pages, "_CLASSIC_LIMIT", 1000)
    data = multipage(tmp_path / "in.tif").read_bytes()
    stream = io.BytesIO()
    joiner = tiff_pages.PageJoiner(stream, 3)
    for number in range(3):
        joiner.add(tiff_pages.page(data, number))
    joiner.finish()
    stream.seek(0)
    with tifffile.TiffFile(stream) as written:
        assert written.is_bigtiff
        for page, before in zip(written.pages, PAGES, strict=True):
            assert np.array_equal(page.asarray(), before)
