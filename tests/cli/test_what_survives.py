"""What the user did not ask to change does not change: mode x depth x container x orientation x profile.

Inputs are written and results are read by Pillow, OpenCV and tifffile, never by the code under test.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.cli.conftest import Run
from tests.media import make

HEIGHT, WIDTH = 24, 32
BOX = (8, 6, 10, 9)  # x, y, width, height of the hole, in the upright picture
MODES = {  # container -> mode and bits
    "png": ["1", "L8", "LA8", "RGB8", "RGBA8", "P8", "PA8", "L16", "LA16", "RGB16", "RGBA16"],
    "tif": ["1", "L8", "RGB8", "RGBA8", "P8", "CMYK8", "L16", "RGB16", "RGBA16"],
    "jpg": ["L8", "RGB8", "CMYK8"],
    "webp": ["RGB8", "RGBA8"],
    "avif": ["RGB8", "RGBA8"],
    "bmp": ["L8", "RGB8"],
    "gif": ["P8", "PA8"],
}
LOSSLESS = {"png", "tif", "webp", "bmp", "gif"}
TAGGED = {"png", "tif", "jpg", "webp"}  # hold an orientation and a profile as we write them here


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    container: str
    mode: str
    orientation: int
    profile: bool

    def __str__(self) -> str:
        return f"{self.container}-{self.mode}-turned{self.orientation}-{'icc' if self.profile else 'plain'}"

    @property
    def bits(self) -> int:
        return 16 if self.mode.endswith("16") else 8

    @property
    def layout(self) -> str:
        return self.mode.rstrip("0123456789") or "1"

    @property
    def colours(self) -> int:
        return {"1": 1, "L": 1, "LA": 1, "CMYK": 4}.get(self.layout, 3)

    @property
    def has_alpha(self) -> bool:
        return self.layout.endswith("A")

    @property
    def icc(self) -> bytes | None:
        if not self.profile:
            return None
        return {1: make.grey_profile, 3: lambda: make.rgb_profile("p3"), 4: make.cmyk_profile}[self.colours]()

    @property
    def exif(self) -> bytes | None:
        return make.exif_block(self.orientation) if self.container in TAGGED else None


CASES = [
    Case(container, mode, orientation, profile)
    for container, modes in MODES.items()
    for mode, orientation, profile in itertools.product(modes, (1, 6), (False, True))
    if container in TAGGED or (orientation == 1 and not profile)
]


def stored_pixels(case: Case) -> np.ndarray:
    """The picture as the file stores it (not upright), (H, W, colours + alpha)."""
    pixels = make.scene(HEIGHT, WIDTH, case.colours, case.bits)
    if case.layout == "1":
        pixels = np.where(pixels > 127, 255, 0).astype(np.uint8)
    if case.layout in ("P", "PA"):
        pixels = pixels // 64 * 64 + 20
    if case.has_alpha:
        alpha = make.alpha_plane(HEIGHT, WIDTH, case.bits)
        alpha = np.where(alpha > 100, 255, 0).astype(np.uint8) if case.layout == "PA" else alpha
        pixels = np.concatenate([pixels, alpha[..., None]], axis=2)
    return pixels


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    return np.rot90(pixels, -1) if orientation == 6 else pixels


def save(path: Path, case: Case) -> np.ndarray:
    """Write the input; returns its pixels, upright."""
    pixels = stored_pixels(case)
    if case.bits == 16:
        (_save_png16 if case.container == "png" else _save_tiff16)(path, pixels, case)
        return upright(pixels, case.orientation)
    mode = {"1": "L", "P": "RGB", "PA": "RGBA"}.get(case.layout, case.layout)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels, mode)
    options: dict[str, object] = {"icc_profile": case.icc} if case.icc else {}
    if case.exif:
        options["exif"] = (b"Exif\0\0" if case.container == "jpg" else b"") + case.exif
    if case.container in ("png", "tif", "jpg", "bmp"):
        options["dpi"] = (300, 300)
    if case.container in ("webp", "avif"):
        options |= {"lossless": True} if case.container == "webp" else {"quality": 100, "subsampling": "4:4:4"}
    if case.container == "jpg":
        options |= {"quality": 95}
    if case.layout == "1":
        picture = picture.convert("1")
    if case.layout in ("P", "PA"):
        picture = picture.convert("RGB").quantize(200, dither=Image.Dither.NONE)
    if case.layout == "PA":
        indices = np.asarray(picture).copy()
        indices[pixels[..., -1] == 0] = 255
        colours = picture.getpalette() or []
        picture = Image.fromarray(indices, "P")
        picture.putpalette(colours + [0] * (768 - len(colours)))
        options["transparency"] = 255
    picture.save(path, **options)
    if case.container == "tif" and case.orientation != 1:
        with tifffile.TiffFile(path, mode="r+b") as file:
            file.pages[0].tags[274].overwrite(case.orientation)
    return upright(decode(path), case.orientation)


def _save_png16(path: Path, pixels: np.ndarray, case: Case) -> None:
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, kind, 0, 0, 0))]
    if case.icc:
        chunks.append((b"iCCP", b"profile\0\0" + zlib.compress(case.icc)))
    assert case.exif is not None
    chunks.append((b"pHYs", struct.pack(">IIB", 11811, 11811, 1)))
    chunks.append((b"eXIf", case.exif))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    path.write_bytes(data)


def _save_tiff16(path: Path, pixels: np.ndarray, case: Case) -> None:
    extra = [(274, "H", 1, case.orientation, True), (271, "s", 8, "Testcam", True)]
    if case.icc:
        extra.append((34675, 7, len(case.icc), case.icc, True))
    tifffile.imwrite(
        path,
        pixels if pixels.shape[2] > 1 else pixels[..., 0],
        photometric="rgb" if pixels.shape[2] > 1 else "minisblack",
        extrasamples=["unassalpha"] if case.has_alpha else None,
        resolution=(300, 300),
        resolutionunit="INCH",
        extratags=extra,
        metadata=None,
    )


def decode(path: Path) -> np.ndarray:
    """The pixels of a file as stored, (H, W, colours + alpha), palettes resolved, by other libraries than ours."""
    if path.suffix == ".tif":
        return _decode_tiff(path)
    if path.suffix == ".png" and path.read_bytes()[24] == 16:
        return _decode_png16(path)
    with Image.open(path) as picture:
        if picture.mode == "P":
            picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
        elif picture.mode == "1":
            picture = picture.convert("L")
        array = np.asarray(picture)
        return array if array.ndim == 3 else array[..., None]


def _decode_tiff(path: Path) -> np.ndarray:
    # Not by Pillow, which turns a TIFF upright on its own.
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        array = page.asarray()
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            array = (page.colormap.T >> 8).astype(np.uint8)[array]
        if array.dtype == bool:
            array = array.astype(np.uint8) * 255
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            array = np.iinfo(array.dtype).max - array
    return array if array.ndim == 3 else array[..., None]


def _decode_png16(path: Path) -> np.ndarray:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if path.read_bytes()[25] == 4:  # OpenCV makes BGRA of grey with alpha
        array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        return array[..., [0, 3]]
    array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if array.ndim == 2:
        return array[..., None]
    return array[..., [2, 1, 0, *range(3, array.shape[2])]]


def check_kept(source: Path, target: Path, case: Case, size: tuple[int, int]) -> None:
    """Everything about the file but its pixels."""
    with Image.open(source) as before, Image.open(target) as after:
        assert after.format == before.format
        assert after.size == size
        assert after.getexif().get(274, 1) == 1
        assert after.info.get("icc_profile") == case.icc
        if case.exif:
            assert after.getexif().get(271) == "Testcam"
        if case.exif and case.bits == 8:
            assert after.getexif().get_ifd(0x8825) == before.getexif().get_ifd(0x8825)
        if case.container in ("png", "tif", "jpg", "bmp"):
            assert after.info["dpi"] == pytest.approx((300, 300), abs=1)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_upscale_keeps_everything_but_the_size(imgfix: Run, tmp_path: Path, plain: Path, case: Case) -> None:
    source, target = tmp_path / f"in.{case.container}", tmp_path / "out" / f"in.{case.container}"
    before = save(source, case)
    result = imgfix("upscale", source, "-o", f"{target.parent}/", "--model", plain, "--precision", "fp32")
    assert result.code == 0, result.err
    height, width = before.shape[:2]
    check_kept(source, target, case, (2 * width, 2 * height))
    after = decode(target)
    assert (after.dtype, after.shape[2]) == (before.dtype, before.shape[2])
    top = np.iinfo(before.dtype).max
    doubled = before.repeat(2, axis=0).repeat(2, axis=1).astype(int)
    colours, seen = case.colours, np.ones(doubled.shape[:2], bool)
    if case.has_alpha:
        # Alpha is resampled, not doubled; colours count where nothing of it is transparent.
        alpha = after[..., -1].astype(int)
        seen = (doubled[..., -1] == top) & (alpha > top * 0.9)
        assert np.abs(alpha - doubled[..., -1])[_inner(doubled[..., -1])].mean() < 0.04 * top
        assert alpha.min() < 0.1 * top and alpha.max() == top
    if case.layout == "CMYK":
        # The same colour may be printed with other inks, so what is compared is the light that they leave.
        error = np.abs(_light(after) - _light(doubled))[seen]
    else:
        error = np.abs(after[..., :colours].astype(int) - doubled[..., :colours])[seen]
    limit = (0.002 if case.container in LOSSLESS and case.colours < 4 and case.container != "gif" else 0.03) * top
    assert error.mean() < limit


def _light(inks: np.ndarray) -> np.ndarray:
    """CMYK in bytes -> RGB in bytes."""
    return (255.0 - inks[..., :3]) * (255.0 - inks[..., 3:]) / 255


def _inner(alpha: np.ndarray) -> np.ndarray:
    """Everything but the frame of the picture."""
    inside = np.zeros(alpha.shape, bool)
    inside[4:-4, 4:-4] = True
    return inside


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inpaint_changes_nothing_outside_the_hole(imgfix: Run, tmp_path: Path, case: Case) -> None:
    source, target = tmp_path / f"in.{case.container}", tmp_path / "out" / f"in.{case.container}"
    before = save(source, case)
    x, y, width, height = BOX
    box = f"{x},{y},{width},{height}"
    result = imgfix("inpaint", source, "-o", f"{target.parent}/", "--box", box, "--model", "telea", "--feather", "0")
    assert result.code == 0, result.err
    check_kept(source, target, case, (before.shape[1], before.shape[0]))
    after = decode(target)
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    hole = np.zeros(before.shape[:2], bool)
    hole[y : y + height, x : x + width] = True
    if case.container in LOSSLESS:
        seen = ~hole
        if case.layout == "PA":  # a fully transparent palette entry has no colour to keep
            seen &= before[..., -1] > 0
            assert np.array_equal(after[..., -1][~hole], before[..., -1][~hole])
        assert np.array_equal(after[seen], before[seen])
    else:
        error = np.abs(after.astype(int) - before.astype(int))[~hole]
        assert error.mean() < 4
    assert not np.array_equal(after[hole], before[hole])


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for noise and JPEG that changes nothing, so that what comes out can be foretold."""
    import torch

    from imgfix import zoo
    from imgfix.nets.dncnn import DnCNN

    config = {"channels": 3, "features": 4, "convolutions": 3}
    state = {name: torch.zeros_like(tensor) for name, tensor in DnCNN(**config).state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "silent.safetensors"
    return zoo.save(path, "dncnn", config, state, task="restore", name="silent", licence="CC0-1.0")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_restore_keeps_everything_but_the_damage(imgfix: Run, tmp_path: Path, silent: Path, case: Case) -> None:
    source, target = tmp_path / f"in.{case.container}", tmp_path / "out" / f"in.{case.container}"
    before = save(source, case)
    wanted = ("--denoise", "20", "--model", silent, "--precision", "fp32")
    result = imgfix("restore", source, "-o", f"{target.parent}/", *wanted)
    assert result.code == 0, result.err
    check_kept(source, target, case, (before.shape[1], before.shape[0]))
    after = decode(target)
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    seen = np.ones(before.shape[:2], bool)
    if case.has_alpha:
        seen = before[..., -1] > 0
        if case.container in LOSSLESS:
            assert np.array_equal(after[..., -1], before[..., -1])
    if case.layout == "CMYK":
        assert np.abs(_light(after) - _light(before)).mean() < 0.03 * 255
    elif case.container in LOSSLESS:
        assert np.abs(after[seen].astype(int) - before[seen]).max() <= (1 if case.bits == 8 else 40)
    else:
        assert np.abs(after[seen].astype(int) - before[seen]).mean() < 4


def test_the_table_has_a_row_for_every_container_and_depth() -> None:
    rows = {(case.container, case.bits) for case in CASES}
    assert {("png", 8), ("png", 16), ("tif", 8), ("tif", 16), ("jpg", 8), ("webp", 8), ("avif", 8)} <= rows
