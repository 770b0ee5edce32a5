"""Damage that libtiff notices is said by us, and not printed by it."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from imgfix.errors import InputError
from imgfix.media import libtiff
from imgfix.media.image import read

FOLDER = Path(PIL.__file__).parent
pytestmark = pytest.mark.skipif(
    not [*FOLDER.parent.glob("pillow.libs/libtiff*"), *FOLDER.glob(".dylibs/libtiff*")],
    reason="this Pillow brings no libtiff of its own",
)


def fax(damaged: bool) -> bytes:
    """A page of dots as fax machines pack it."""
    dots = np.random.default_rng(0).integers(0, 2, (64, 64), dtype=np.uint8) * 255
    stream = io.BytesIO()
    Image.fromarray(dots).convert("1").save(stream, "TIFF", compression="group4")
    data = bytearray(stream.getvalue())
    if damaged:
        data[100:140] = b"\xa5" * 40
    return bytes(data)


def test_damage_that_does_not_stop_the_decoder_is_a_note(capfd: pytest.CaptureFixture[str]) -> None:
    assert read(fax(False)).metadata.notes == ()
    picture = read(fax(True))
    assert (picture.width, picture.height) == (64, 64)
    assert any("the file is damaged: parts of the picture may be wrong" in note for note in picture.metadata.notes)
    assert capfd.readouterr() == ("", "")


def test_damage_that_does_is_an_error_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "TIFF", compression="tiff_lzw")
    data = bytearray(stream.getvalue())
    data[200:260] = b"\xff" * 60
    with pytest.raises(InputError, match="is damaged"):
        read(bytes(data))
    assert capfd.readouterr() == ("", "")


def test_what_one_thread_hears_is_of_its_own_files() -> None:
    heard: dict[bool, int] = {}
    both = threading.Barrier(2)

    def work(damaged: bool) -> None:
        with libtiff.heard() as said:
            both.wait(60)
            for _ in range(20):
                with Image.open(io.BytesIO(fax(damaged))) as image:
                    image.load()
            both.wait(60)
        heard[damaged] = len(said)

    threads = [threading.Thread(target=work, args=(damaged,)) for damaged in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert heard[False] == 0 < heard[True]
