"""Earlier results beside their sources are known by their record and not taken as inputs of a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imgfix.media import image
from imgfix.media.earlier import earlier_results
from imgfix.media.picture import Metadata, Picture
from imgfix.media.sources import find_sources

PIXELS = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)


def save(path: Path, made_from: str | None = None) -> Path:
    record: dict[str, object] | None = None
    if made_from is not None:
        record = {"command": f"imgfix upscale {made_from} --model photo-x4", "model": "photo-x4"}
    image.write(path, Picture(PIXELS, None, Metadata(format="PNG")), record=record)
    return path


def found(folder: Path) -> set[str]:
    return {path.name for path in earlier_results(find_sources([folder]).sources)}


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif"])
def test_what_was_made_from_another_of_the_folder_is_known(tmp_path: Path, extension: str) -> None:
    save(tmp_path / "photo.png")
    save(tmp_path / f"photo_4x.{extension}", "photos/photo.png")
    assert found(tmp_path) == {f"photo_4x.{extension}"}


def test_a_source_that_is_not_there_makes_no_result_of_a_picture(tmp_path: Path) -> None:
    save(tmp_path / "photo_4x.png", "photo.png")
    save(tmp_path / "other.png")
    assert found(tmp_path) == set()


def test_what_only_looks_like_a_result_is_an_input(tmp_path: Path) -> None:
    save(tmp_path / "photo.png")
    save(tmp_path / "photo_4x.png")  # no record: another program's
    save(tmp_path / "frame1.png")
    save(tmp_path / "frame10.png", "frame10.png")  # a clip's frame, made from one of its own name elsewhere
    assert found(tmp_path) == set()


def test_results_in_a_folder_of_their_own_are_inputs_of_the_next_verb(tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    save(tmp_path / "photo.png")
    save(tmp_path / "clean" / "photo.png", "photo.png")
    assert {path.name for path in earlier_results(find_sources([tmp_path], recursive=True).sources)} == set()


def test_a_file_that_is_named_is_taken_whatever_it_is(tmp_path: Path) -> None:
    source = save(tmp_path / "photo.png")
    result = save(tmp_path / "photo_4x.png", "photo.png")
    assert earlier_results(find_sources([source, result]).sources) == set()
