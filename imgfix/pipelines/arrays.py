"""What Python hands over as a picture, and the same kind of thing given back: arrays, Pillow images, tensors, bytes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.errors import UsageError
from imgfix.media import image
from imgfix.media.picture import Metadata, Picture
from imgfix.pipelines.pictures import Stream

if TYPE_CHECKING:
    from PIL import Image

_DEEP = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class Given:
    """A picture as a pipeline takes it, and how its result is given back."""

    source: Path | bytes | Picture
    back: Callable[[Picture], Any]


def given(thing: Any) -> Given:
    """Understand what was handed over.

    Args:
        thing: a path; bytes or an open binary file that hold a picture file; an array (H, W) or (H, W, C), C = 1 grey,
            2 grey with alpha, 3 RGB, 4 RGB with alpha, uint8, uint16 or float in [0, 1]; a Pillow image; a tensor
            (C, H, W), uint8 or float in [0, 1].

    Returns:
        With `back`, which makes of a result an array, image or tensor of the same type and layout; of files an array
        (H, W, C).

    Raises:
        UsageError: it is none of that.
        InputError: a Pillow image that cannot be read.
    """
    if isinstance(thing, np.ndarray):
        return _of_array(thing)
    if isinstance(thing, str | os.PathLike):
        return Given(Path(thing), array_of)
    if isinstance(thing, bytes | bytearray | memoryview):
        return Given(Stream.of(bytes(thing), "the given bytes"), array_of)
    if _is_instance(thing, "PIL.Image", "Image"):
        return Given(_of_pillow(thing), _as_pillow)
    if _is_instance(thing, "torch", "Tensor"):
        return _of_tensor(thing)
    read = getattr(thing, "read", None)
    if callable(read):
        data = read()
        if isinstance(data, bytes):
            return Given(Stream.of(data, str(getattr(thing, "name", "the open file"))), array_of)
        raise UsageError("the open file gives text, not bytes", hint="open it with mode 'rb'")
    raise UsageError(
        f"{type(thing).__name__} is neither a path nor an array",
        hint="give a path, an array, a Pillow image, a tensor, bytes or an open file, or a list of them",
    )


def array_of(picture: Picture) -> np.ndarray:
    """(H, W, C), alpha as the last channel."""
    if picture.alpha is None:
        return np.ascontiguousarray(picture.pixels)
    return np.concatenate([picture.pixels, picture.alpha[..., None]], axis=2)


def mask_of(thing: Any) -> Any:
    """A mask that was handed over: paths and arrays as they are, all else as an array (H, W) or the bytes of a file."""
    if thing is None or isinstance(thing, str | os.PathLike):
        return None if thing is None else Path(thing)
    if isinstance(thing, np.ndarray):
        return thing
    if _is_instance(thing, "PIL.Image", "Image"):
        return _encoded(thing)
    if _is_instance(thing, "torch", "Tensor"):
        array = thing.detach().cpu().numpy()
        return array[0] if array.ndim == 3 and array.shape[0] == 1 else array
    source = given(thing).source
    assert isinstance(source, bytes)
    return source


def _of_array(array: np.ndarray) -> Given:
    whole = array[..., None] if array.ndim == 2 else array
    fits = whole.ndim == 3 and whole.shape[2] in (1, 2, 3, 4) and 0 not in whole.shape
    if not fits or (whole.dtype not in (np.uint8, np.uint16) and whole.dtype.kind != "f"):
        raise UsageError(
            f"an array of {array.dtype} with shape {array.shape} is no picture",
            hint="give (H, W), (H, W, 3) or (H, W, 4), uint8, uint16 or float in [0, 1]",
        )

    def back(picture: Picture) -> np.ndarray:
        made = array_of(picture)
        if array.dtype.kind == "f":
            made = (made / np.float64(_DEEP)).astype(array.dtype)
        return made[..., 0] if array.ndim == 2 else made

    return Given(_picture(_integers(whole)), back)


def _integers(array: np.ndarray) -> np.ndarray:
    """Unsigned integers as they are; floats in [0, 1] with 16 bits. Raises UsageError."""
    if array.dtype.kind != "f":
        return array
    if not (array.min() >= 0 and array.max() <= 1):  # what is not a number fails this too
        raise UsageError("an array of floats holds values outside [0, 1]", hint="divide it by its largest value first")
    return (array.astype(np.float64) * _DEEP + 0.5).astype(np.uint16)


def _picture(array: np.ndarray) -> Picture:
    if array.shape[2] in (1, 3):
        return Picture(np.ascontiguousarray(array), None, Metadata())
    return Picture(np.ascontiguousarray(array[..., :-1]), np.ascontiguousarray(array[..., -1]), Metadata())


def _of_tensor(tensor: Any) -> Given:
    if tensor.ndim != 3 or tensor.shape[0] not in (1, 2, 3, 4):
        raise UsageError(
            f"a tensor with shape {tuple(tensor.shape)} is no picture",
            hint="give (C, H, W) with C = 1 grey, 3 RGB or 4 with alpha; of a batch, list(batch)",
        )
    import torch

    plain = tensor.detach().cpu()
    if not (plain.dtype == torch.uint8 or plain.dtype.is_floating_point):
        raise UsageError(f"a tensor of {tensor.dtype} is no picture", hint="give uint8, or float in [0, 1]")
    array = (plain.float() if plain.dtype.is_floating_point else plain).permute(1, 2, 0).numpy()
    inner = _of_array(np.ascontiguousarray(array))

    def back(picture: Picture) -> Any:
        made = torch.from_numpy(np.ascontiguousarray(inner.back(picture).transpose(2, 0, 1)))
        return made.to(device=tensor.device, dtype=tensor.dtype)

    return Given(inner.source, back)


def _of_pillow(picture: Image.Image) -> Picture:
    """As it would be read from a file, so that modes and profiles mean the same; CMYK and LAB go through TIFF."""
    return image.read(_encoded(picture), name="the Pillow image")


def _encoded(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    form = "PNG" if picture.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "TIFF"
    options: dict[str, Any] = {"compress_level": 1} if form == "PNG" else {}
    try:
        picture.save(stream, form, icc_profile=picture.info.get("icc_profile"), **options)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"a Pillow image of mode {picture.mode} is no picture ({error})", hint="convert it to RGB"
        ) from None
    return stream.getvalue()


def _as_pillow(picture: Picture) -> Image.Image:
    """The result as a Pillow image; what Pillow has no mode for (colours of 16 bits, grey with alpha of 16) in 8."""
    from PIL import Image

    array = array_of(picture)
    if array.dtype == np.uint16 and array.shape[2] != 1:
        array = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if picture.channels == 4:
        made = Image.frombytes("CMYK", (picture.width, picture.height), array[..., :4].tobytes())
    else:
        made = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    if picture.metadata.icc:
        made.info["icc_profile"] = picture.metadata.icc
    return made


def _is_instance(thing: Any, module: str, name: str) -> bool:
    """Whether it is an object of a class of a module that need not be imported for that: without it there is none."""
    found = sys.modules.get(module)
    return found is not None and isinstance(thing, getattr(found, name))
