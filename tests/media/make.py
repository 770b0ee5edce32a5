"""Pictures, colour profiles and metadata blocks made by code, for the tests of the media layer."""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

D50 = np.array([0.9642, 1.0, 0.8249])
PRIMARIES = {  # xy of red, green, blue, white
    "adobe": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), (0.3127, 0.3290)),
    "p3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.3290)),
    "prophoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), (0.3457, 0.3585)),
    "srgb": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290)),
}


def scene(height: int = 24, width: int = 32, channels: int = 3, bits: int = 8, seed: int = 0) -> np.ndarray:
    """A smooth picture with a few edges; 16-bit ones use the low byte too."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    planes = []
    for _ in range(channels):
        a, b, c, d = rng.uniform(0.2, 2.5, 4)
        planes.append(0.5 + 0.3 * np.sin(3 * a * x + b) * np.cos(3 * c * y + d) + 0.1 * (x > a / 4))
    most = 2**bits - 1
    return np.clip(np.stack(planes, -1) * most + 0.5, 0, most).astype(np.uint16 if bits == 16 else np.uint8)


def alpha_plane(height: int = 24, width: int = 32, bits: int = 8) -> np.ndarray:
    """A round hole with a soft edge."""
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(y - height / 2, x - width / 2) / (min(height, width) / 3)
    most = 2**bits - 1
    return (np.clip(distance - 0.5, 0, 1) * most).astype(np.uint16 if bits == 16 else np.uint8)


# ---- colour profiles (ICC.1:2022)


def _tag(kind: bytes, body: bytes) -> bytes:
    data = kind + bytes(4) + body
    return data + bytes(-len(data) % 4)


def _profile(space: bytes, pcs: bytes, tags: dict[bytes, bytes], version: int = 4, kind: bytes = b"mntr") -> bytes:
    texts = {
        b"desc": _tag(b"mluc", struct.pack(">IIHHII", 1, 12, 0x656E, 0x5553, 8, 28) + "test".encode("utf-16-be")),
        b"cprt": _tag(b"mluc", struct.pack(">IIHHII", 1, 12, 0x656E, 0x5553, 8, 28) + "none".encode("utf-16-be")),
        b"wtpt": _xyz_tag(D50),
    }
    tags = texts | tags
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data
    size = offset + len(body)
    head = struct.pack(">I4sI4s4s4s12s4s", size, b"\0\0\0\0", version << 24, kind, space, pcs, bytes(12), b"acsp")
    head += bytes(24) + struct.pack(">I", 1) + struct.pack(">3i", *(round(v * 65536) for v in D50))
    return head.ljust(128, b"\0") + table + body


def _xyz_tag(values: np.ndarray) -> bytes:
    return _tag(b"XYZ ", struct.pack(">3i", *(round(float(v) * 65536) for v in values)))


def gamma_curve(gamma: float) -> bytes:
    return _tag(b"curv", struct.pack(">IH", 1, round(gamma * 256)))


def srgb_curve() -> bytes:
    values = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return _tag(b"para", struct.pack(">HH5i", 3, 0, *(round(v * 65536) for v in values)))


def table_curve(gamma: float = 2.0, count: int = 1024) -> bytes:
    at = np.linspace(0, 1, count) ** gamma
    return _tag(b"curv", struct.pack(f">I{count}H", count, *(round(v * 65535) for v in at)))


def primaries_d50(name: str) -> np.ndarray:
    """The matrix from linear RGB to XYZ, adapted to D50 (Bradford)."""
    *corners, white = PRIMARIES[name]

    def xyz(point: tuple[float, float]) -> np.ndarray:
        return np.array([point[0] / point[1], 1.0, (1 - point[0] - point[1]) / point[1]])

    columns = np.stack([xyz(corner) for corner in corners], axis=1)
    source = xyz(white)
    columns = columns * np.linalg.solve(columns, source)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    scale = np.diag((bradford @ D50) / (bradford @ source))
    return np.linalg.inv(bradford) @ scale @ bradford @ columns


@lru_cache
def rgb_profile(name: str) -> bytes:
    """A matrix profile: 'adobe' (gamma), 'p3' (parametric curve), 'prophoto' (gamma), 'srgb', 'table' (table curve)."""
    curve = {"adobe": gamma_curve(563 / 256), "p3": srgb_curve(), "prophoto": gamma_curve(1.8), "srgb": srgb_curve()}
    matrix = primaries_d50("adobe" if name == "table" else name)
    trc = curve.get(name, table_curve())
    tags = {b"rXYZ": _xyz_tag(matrix[:, 0]), b"gXYZ": _xyz_tag(matrix[:, 1]), b"bXYZ": _xyz_tag(matrix[:, 2])}
    return _profile(b"RGB ", b"XYZ ", {**tags, b"rTRC": trc, b"gTRC": trc, b"bTRC": trc})


@lru_cache
def grey_profile(gamma: float = 2.2) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": gamma_curve(gamma)})


def lab_of_xyz(xyz: np.ndarray) -> np.ndarray:
    t = xyz / D50
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t * 841 / 108 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def _lut8(ins: int, outs: int, grid: int, table: np.ndarray) -> bytes:
    """A table of bytes (mft1) with straight curves."""
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return _tag(b"mft1", bytes((ins, outs, grid, 0)) + matrix + ramp * ins + table.tobytes() + ramp * outs)


@lru_cache
def cmyk_profile() -> bytes:
    """A press with ideal inks on white paper, as tables: A2B0 and B2A0."""
    grid = 9
    axis = np.linspace(0, 1, grid)
    ink = np.stack(np.meshgrid(axis, axis, axis, axis, indexing="ij"), -1).reshape(-1, 4)
    light = (1 - ink[:, :3]) * (1 - ink[:, 3:])
    linear = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    lab = lab_of_xyz(linear @ primaries_d50("srgb").T)
    there = _lab_bytes(lab)
    back_grid = 33
    axis = np.linspace(0, 1, back_grid)
    pcs = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3) * 255
    lab = np.stack([pcs[:, 0] * 100 / 255, pcs[:, 1] - 128, pcs[:, 2] - 128], -1)
    fy = (lab[:, 0] + 16) / 116
    f = np.stack([fy + lab[:, 1] / 500, fy, fy - lab[:, 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 108 / 841) * D50
    linear = np.clip(xyz @ np.linalg.inv(primaries_d50("srgb")).T, 0, 1)
    light = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    most = light.max(axis=1, keepdims=True)
    inks = np.concatenate([(most - light) / np.maximum(most, 1e-3), 1 - most], 1)
    back = np.clip(inks * 255 + 0.5, 0, 255).astype(np.uint8)
    tables = {b"A2B0": _lut8(4, 3, 9, there), b"B2A0": _lut8(3, 4, back_grid, back)}
    return _profile(b"CMYK", b"Lab ", tables, version=2, kind=b"prtr")


@lru_cache
def rgb_table_profile() -> bytes:
    """A display with the primaries of sRGB and a plain gamma of 2, as tables."""
    grid = 33
    axis = np.linspace(0, 1, grid)
    rgb = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    there = _lab_bytes(lab_of_xyz((rgb**2) @ primaries_d50("srgb").T))
    pcs = rgb * 255
    lab = np.stack([pcs[:, 0] * 100 / 255, pcs[:, 1] - 128, pcs[:, 2] - 128], -1)
    fy = (lab[:, 0] + 16) / 116
    f = np.stack([fy + lab[:, 1] / 500, fy, fy - lab[:, 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 108 / 841) * D50
    back = np.sqrt(np.clip(xyz @ np.linalg.inv(primaries_d50("srgb")).T, 0, 1))
    tables = {b"A2B0": _lut8(3, 3, grid, there), b"B2A0": _lut8(3, 3, grid, (back * 255 + 0.5).astype(np.uint8))}
    return _profile(b"RGB ", b"Lab ", tables, version=2)


def _lab_bytes(lab: np.ndarray) -> np.ndarray:
    coded = np.stack([lab[:, 0] * 255 / 100, lab[:, 1] + 128, lab[:, 2] + 128], -1)
    return np.clip(coded + 0.5, 0, 255).astype(np.uint8)


def srgb_by_littlecms() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


# ---- EXIF and XMP


def exif_block(
    orientation: int = 1, *, order: str = "<", thumbnail: bytes = b"", size: tuple[int, int] = (32, 24)
) -> bytes:
    """An EXIF block as a camera writes it: make, orientation, resolution, size, maker note, GPS."""
    mark = b"II" if order == "<" else b"MM"

    def directory(entries: list[tuple[int, int, int, bytes]], at: int, following: int = 0) -> bytes:
        head, values = struct.pack(order + "H", len(entries)), b""
        values_at = at + 2 + 12 * len(entries) + 4
        for tag, kind, count, value in entries:
            head += struct.pack(order + "HHI", tag, kind, count)
            if len(value) <= 4:
                head += value.ljust(4, b"\0")
            else:
                head += struct.pack(order + "I", values_at + len(values))
                values += value + b"\0" * (len(value) % 2)
        return head + struct.pack(order + "I", following) + values

    def short(value: int) -> bytes:
        return struct.pack(order + "H", value)

    def long(value: int) -> bytes:
        return struct.pack(order + "I", value)

    def layout(exif_at: int, gps_at: int, thumb_at: int) -> tuple[bytes, bytes, bytes, bytes]:
        main = directory(
            [
                (0x010F, 2, 8, b"Testcam\0"),
                (0x0112, 3, 1, short(orientation)),
                (0x011A, 5, 1, long(300) + long(1)),
                (0x011B, 5, 1, long(300) + long(1)),
                (0x0128, 3, 1, short(2)),
                (0x8769, 4, 1, long(exif_at)),
                (0x8825, 4, 1, long(gps_at)),
            ],
            8,
            thumb_at if thumbnail else 0,
        )
        camera = directory(
            [
                (0x829A, 5, 1, long(1) + long(250)),
                (0x927C, 7, 12, b"makernote-42"),
                (0xA002, 4, 1, long(size[0])),
                (0xA003, 3, 1, short(size[1])),
            ],
            exif_at,
        )
        gps = directory(
            [(0x0001, 2, 2, b"N\0"), (0x0002, 5, 3, long(51) + long(1) + long(30) + long(1) + long(0) + long(1))],
            gps_at,
        )
        thumb = b""
        if thumbnail:
            thumb = directory(
                [(0x0103, 3, 1, short(6)), (0x0201, 4, 1, long(thumb_at + 42)), (0x0202, 4, 1, long(len(thumbnail)))],
                thumb_at,
            )
            thumb += thumbnail
        return main, camera, gps, thumb

    sizes = [len(part) for part in layout(0, 0, 0)]
    places = [8 + sizes[0], 8 + sizes[0] + sizes[1], 8 + sum(sizes[:3])]
    return mark + struct.pack(order + "HI", 42, 8) + b"".join(layout(*places))


def xmp_packet(orientation: int | None = None) -> bytes:
    turned = f'tiff:Orientation="{orientation}"' if orientation else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
        f' xmp:Rating="4" exif:PixelXDimension="32" {turned}>'
        '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Größe &amp; Höhe</rdf:li></rdf:Alt></dc:title>'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def encoded(array: np.ndarray, form: str, mode: str | None = None, **options: object) -> bytes:
    """The bytes of a file that Pillow writes."""
    stream = io.BytesIO()
    Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array, mode).save(
        stream, form, **options
    )
    return stream.getvalue()
