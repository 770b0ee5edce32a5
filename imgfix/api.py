"""The Python functions behind `import imgfix`: a path or an array in, an array out; a clip in, a clip out.

For more (streams, metadata, your own loop) see `imgfix.media.image`, `imgfix.runtime.engine.Engine` and `imgfix.tasks`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from imgfix.errors import ModelError, UsageError
from imgfix.media import colour, image
from imgfix.media import mask as masks
from imgfix.media.image import Metadata, Picture
from imgfix.media.mask import Box, Length

if TYPE_CHECKING:
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.engines import Engines
    from imgfix.tasks.footage import Footage
    from imgfix.tasks.generate import Generator
    from imgfix.tasks.restore import RestoreOptions
    from imgfix.tasks.sequence import SequenceTask
    from imgfix.zoo.descriptor import Model

Source = str | Path | np.ndarray
Progress = Callable[[int, int], None]


def upscale(
    picture: Source,
    scale: float | None = None,
    *,
    model: str | Model | Engine = "auto",
    output: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
    **options: Any,
) -> np.ndarray | None:
    """Upscale a picture, or a clip.

    Args:
        picture: a path, or an array (H, W), (H, W, 1|3) or with alpha (H, W, 2|4), uint8 or uint16, sRGB or grey. A
            video needs an `output`; an animated picture stays animated with one, and gives its first frame without.
        scale: 1 to 16; the model's own without it.
        model: a catalog name (pulled when missing), a weights file, `auto`, or what `load` gave; an `Engine` to run
            many pictures without preparing the model each time.
        output: also write the result there, with the metadata of the input.
        device, precision: as on the command line.
        progress: told (done, total) tiles; frames for a clip.
        options: fields of `imgfix.tasks.upscale.UpscaleOptions` (`width`, `long_side`, `tta`, `blend`, `tile` ...).

    Returns:
        An array of the same type and channels, in the colour space of the file; None for a clip, whose frames are in
        `output`.

    Raises:
        ImgfixError: with a message and a hint; InputError, OutputError, ModelError and UsageError are its kinds.
    """
    from imgfix.tasks.frames import sequence_for
    from imgfix.tasks.upscale import UpscaleOptions
    from imgfix.tasks.upscale import upscale as run

    moving = _moving(picture, output)
    if moving is not None:
        tasks = ("video", "upscale")
        wanted = UpscaleOptions(scale=scale, **options)
        engine = _engine(tasks, model, device, precision, round(scale) if scale else None)
        footage = _footage(moving, Path(str(picture)), output)
        multiple = footage.clip.encoding.multiple if footage.clip is not None else (1, 1)
        width, height = footage.clip.size if footage.clip is not None else footage.shown
        _write_clip(
            footage, output, sequence_for(engine, wanted, width, height, multiple),
            {"model": engine.descriptor.sha256, "options": repr(wanted)}, progress,
        )  # fmt: skip
        return None
    given = _picture(picture)
    engine = _engine("upscale", model, device, precision, round(scale) if scale else None)
    result = run(
        given.pixels,
        engine,
        UpscaleOptions(scale=scale, **options),
        alpha=given.alpha,
        colour=colour.transform(given.metadata, given.channels),
        progress=progress,
    )
    found = replace(given, pixels=result[..., : given.channels], alpha=_last(result, given))
    return _finished(found, output, like=picture)


def inpaint(
    picture: Source,
    mask: Source | None = None,
    *,
    boxes: Sequence[tuple[float, float, float, float]] = (),
    model: str | Model | Engine = "auto",
    output: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    grow: float = 0,
    feather: float = 0,
    progress: Progress | None = None,
) -> np.ndarray | None:
    """Fill a part of a picture or a clip; every pixel outside it stays bit-identical (until a lossy format encodes it).

    Args:
        picture: as for `upscale`.
        mask: a path (white = fill), or an array (H, W): bool, unsigned integers (the largest value = fill) or float in
            [0, 1]. For a clip also a folder of masks or a clip of them, one for each frame.
        boxes: rectangles (x, y, width, height) in pixels, filled as well.
        model: as for `upscale`; `telea` and `ns` are classical and need no weights.
        output: also write the result there, with the metadata of the input.
        device, precision: as on the command line.
        grow: pixels the region is widened by.
        feather: pixels over which the fill fades out beyond it.
        progress: told (done, total) groups of holes; frames for a clip.

    Returns:
        An array like the picture; None for a clip, whose frames are in `output`.

    Raises:
        ImgfixError: as for `upscale`.
    """
    from imgfix.tasks.inpaint import InpaintOptions
    from imgfix.tasks.inpaint import inpaint as run

    moving = _moving(picture, output)
    if moving is not None:
        filler = model if model in ("telea", "ns") else _engine("inpaint", model, device, precision)
        footage = _footage(moving, Path(str(picture)), output)
        _inpaint_clip(footage, output, mask, boxes, filler, grow, feather, progress)  # type: ignore[arg-type]
        return None
    given = _picture(picture)
    size = (given.width, given.height)
    parts = [masks.from_box(_box(numbers), size) for numbers in boxes]
    if mask is not None:
        parts.append(_mask(mask, size))
    if not parts:
        raise UsageError("nothing says what to fill", hint="give a mask or boxes")
    region = masks.grow(masks.combine(*parts), grow)
    masks.check(region)
    filler = model if model in ("telea", "ns") else _engine("inpaint", model, device, precision)
    pixels = run(
        given.pixels,
        region,
        filler,  # type: ignore[arg-type]
        InpaintOptions(feather=feather),
        colour=colour.transform(given.metadata, given.channels),
        alpha=given.alpha,
        progress=progress,
    )
    return _finished(replace(given, pixels=pixels), output, like=picture)


def _moving(source: Source, output: str | Path | None) -> str | None:
    """`video` or `animation` for what has to be written frame by frame, None for pictures. Raises UsageError."""
    from imgfix.media.kinds import ANIMATION, kind_of_file
    from imgfix.media.sources import VIDEO

    _check_source(source)
    if isinstance(source, np.ndarray):
        return None
    kind = kind_of_file(Path(source), Path(output) if output is not None else None)
    if kind == VIDEO and output is None:
        raise UsageError(f"{source} is a clip, which does not fit into an array", hint="say where to write: output=...")
    return kind if kind == VIDEO or (kind == ANIMATION and output is not None) else None


def _inpaint_clip(
    footage: Footage,
    output: str | Path | None,
    mask: Source | None,
    boxes: Sequence[tuple[float, float, float, float]],
    filler: Engine | str,
    grow: float,
    feather: float,
    progress: Progress | None,
) -> None:
    from imgfix.tasks.frame_masks import FrameMasks, Track, digest_of, is_track, open_track
    from imgfix.tasks.video_inpaint import VideoInpaint, VideoInpaintOptions

    if mask is None and not boxes:
        raise UsageError("nothing says what to fill", hint="give a mask or boxes")
    fixed = [masks.from_box(_box(numbers), footage.shown) for numbers in boxes]
    track: Track | None = None
    digest = ""
    if isinstance(mask, np.ndarray):
        fixed.append(_mask(mask, footage.shown))
        digest = hashlib.sha256(fixed[-1].tobytes()).hexdigest()
    elif mask is not None and is_track(Path(mask)):
        track = open_track(Path(mask), footage)
        digest = track.digest
    elif mask is not None:
        fixed.append(_mask(mask, footage.shown))
        digest = digest_of([Path(mask)])
    found = FrameMasks(footage, fixed=fixed, track=track, grow=grow)
    found.coverage()
    task = VideoInpaint(found.fixed if found.same else found, filler, VideoInpaintOptions(feather=feather))
    model = filler if isinstance(filler, str) else filler.descriptor.sha256
    job = {"model": model, "mask": digest, "boxes": [list(box) for box in boxes], "grow": grow, "feather": feather}
    _write_clip(footage, output, task, job, progress)


def _footage(kind: str, source: Path, output: str | Path | None) -> Footage:
    """The frames of a clip or an animated picture (`kind`: as of `_moving`)."""
    from imgfix.media import animation
    from imgfix.media.sources import VIDEO
    from imgfix.tasks import footage
    from imgfix.tasks.clip import Clip, Settings

    if kind == VIDEO:
        return footage.of_clip(Clip(source, Path(str(output)), Settings(overwrite=True)))
    return footage.of_animation(animation.inspect(source))


def _write_clip(
    footage: Footage,
    output: str | Path | None,
    task: SequenceTask,
    job: dict[str, Any],
    progress: Progress | None,
) -> None:
    from imgfix.media import animation
    from imgfix.tasks.animation import run

    target = Path(str(output))
    if footage.clip is not None:
        footage.clip.rehearse(*task.size(*footage.clip.size))
        footage.clip.run(task, job, progress=progress)
        return
    found = animation.inspect(Path(footage.name))
    form = animation.form_for(target, found.format, None)
    assert form is not None
    run(found, target, form, task, progress=progress)


def generate(
    prompt: str | None = None,
    *,
    label: str | None = None,
    sound: str | Path | None = None,
    image: str | Path | None = None,
    strength: float = 0.5,
    seed: int = 0,
    truncation: float = 1.0,
    model: str | Model | Generator = "auto",
    output: str | Path | None = None,
    device: str = "auto",
) -> np.ndarray:
    """Draw a picture from words, a class, a sound or another picture.

    Args:
        prompt: what to draw.
        label: a class of the model (`--class`).
        sound: a sound file of it.
        image: a picture to start from, and `strength` how far the words may lead from it, 0 to 1.
        seed: equal seeds give equal pictures.
        truncation: below 1 more typical.
        model: a catalog name, a weights file, `auto`, what `load` gave, or an `imgfix.tasks.generate.Generator` to draw
            many pictures without loading the model each time.
        output: also write the picture there.
        device: as on the command line.

    Returns:
        (H, W, C) uint8: grey, RGB, or RGB with opacity.

    Raises:
        ImgfixError: as for `upscale`.
    """
    from imgfix import zoo
    from imgfix.media.image import write  # `image` is an argument here
    from imgfix.tasks.generate import Generator, Wish
    from imgfix.zoo.descriptor import Model

    wish = Wish(prompt, label, Path(sound) if sound else None, Path(image) if image else None, strength)
    if not isinstance(model, Generator):
        model = Generator(model if isinstance(model, Model) else zoo.load(model, task="generate"), device)
    array = model.draw(wish, seed, truncation)
    if output is not None:
        transparent = array.shape[2] == 4
        alpha = np.ascontiguousarray(array[..., 3]) if transparent else None
        pixels = np.ascontiguousarray(array[..., :3] if transparent else array)
        write(Path(output), Picture(pixels, alpha, Metadata()))
    return array


def restore(
    picture: Source,
    *,
    denoise: float | Literal["auto"] | None = None,
    jpeg: int | Literal["auto"] | None = None,
    deblur: bool = False,
    light: bool = False,
    derain: bool = False,
    dehaze: bool = False,
    scratches: bool = False,
    strength: float = 1.0,
    model: str | Model | Engine = "auto",
    output: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> np.ndarray | None:
    """Undo damage; with none of it named, noise and JPEG artefacts are looked for and undone.

    Args:
        picture: as for `upscale`.
        denoise: standard deviation of the noise, of 255, or `auto`.
        jpeg: quality of the JPEG it is or was, 1 to 100, or `auto`.
        deblur, light, derain, dehaze: undo motion blur, darkness, rain, haze.
        scratches: find scratches and dust of a scan and fill them, before anything else; not for clips.
        strength: share of the result, 0 to 1; the rest is the input.
        model: as for `upscale`; it does what it is for (all of that when nothing is named), the rest is left to
            `auto`.
        output: also write the result there, with the metadata of the input.
        device, precision: as on the command line.
        tile: side of the windows that models are given.
        progress: told (done, total) tiles; frames for a clip.

    Returns:
        An array like the picture; the same values where there is nothing to do. None for a clip, whose frames are in
        `output`. Where there is nothing to do, `output` is the very same file.

    Raises:
        ImgfixError: as for `upscale`.
    """
    from imgfix.media.unchanged import write_unchanged
    from imgfix.tasks import restore as task

    moving = _moving(picture, output)
    if moving is not None and scratches:
        raise UsageError(f"{picture} moves, and scratches are looked for in pictures alone", hint="leave scratches out")
    wanted = task.RestoreOptions(
        denoise=denoise, jpeg=jpeg, deblur=deblur, light=light, derain=derain, dehaze=dehaze, strength=strength,
        tile=tile,
    )  # fmt: skip
    named = None if model == "auto" else _engine("restore", model, device, precision)
    own = named.descriptor.jobs if named is not None else None
    if named is not None and own is not None:
        wanted.check(named.descriptor.name, own)
    if not scratches or named is not None:
        wanted = wanted.filled(own)
    engines = _engines(named, device, precision)
    if moving is not None:
        _restore_clip(_footage(moving, Path(str(picture)), output), Path(str(output)), wanted, engines, progress)
        return None
    given = _picture(picture)
    transform = colour.transform(given.metadata, given.channels)
    pixels = _without_scratches(given, engines) if scratches else given.pixels
    found = task.find(pixels, transform, given.metadata.jpeg) if wanted.estimates else None
    made, _ = task.steps(wanted, found, engines)
    if not made and pixels is given.pixels and output is not None and not isinstance(picture, np.ndarray):
        write_unchanged(Path(picture), given, Path(output))
        return _finished(given, None, like=picture)
    pixels = task.restore(pixels, made, wanted, alpha=given.alpha, colour=transform, progress=progress)
    quality = task.quality_to_write(made, given.metadata.jpeg)
    return _finished(replace(given, pixels=pixels), output, like=picture, quality=quality)


def _restore_clip(
    footage: Footage, output: Path, wanted: RestoreOptions, engines: Engines, progress: Progress | None
) -> None:
    from imgfix.media.files import copy
    from imgfix.tasks import restore as task
    from imgfix.tasks.restore_frames import LOOKED_AT, RestoreFrames, look

    found = look(list(islice(footage.frames(), LOOKED_AT))) if wanted.estimates else None
    made, _ = task.steps(wanted, found, engines)
    if not made and output.suffix.lower() == Path(footage.name).suffix.lower():
        copy(Path(footage.name), output)
        return
    job = {"models": [step.engine.descriptor.sha256 for step in made], "options": repr(wanted)}
    _write_clip(footage, output, RestoreFrames(wanted, engines, found), job, progress)


def _engines(named: Engine | None, device: str, precision: str) -> Engines:
    from imgfix.tasks.engines import Engines

    def load(name: str, task: str, better: str | None) -> Engine:
        return _engine(task, name, device, precision)

    return Engines(load, named, named.descriptor.jobs if named is not None else ())


def _without_scratches(given: Picture, engines: Engines) -> np.ndarray:
    from imgfix.tasks import scratches
    from imgfix.tasks.inpaint import InpaintOptions
    from imgfix.tasks.inpaint import inpaint as fill

    transform = colour.transform(given.metadata, given.channels)
    mask = scratches.find(transform.to_srgb(given.pixels))
    if not mask.any():
        return given.pixels
    return fill(given.pixels, mask, engines.filler(), InpaintOptions(tta=False), colour=transform, alpha=given.alpha)


def _engine(
    task: str | tuple[str, ...], model: str | Model | Engine, device: str, precision: str, scale: int | None = None
) -> Engine:
    from imgfix import zoo
    from imgfix.runtime.engine import Engine
    from imgfix.zoo import auto
    from imgfix.zoo.descriptor import Model

    if not isinstance(model, Engine | Model):
        model = zoo.load(model, task=task, scale=scale)
    if model.descriptor.task not in auto.tasks(task):
        own = model.descriptor
        raise ModelError(
            f"{own.name} is a model for '{own.task}', not for '{auto.words(task)}'", hint="see: imgfix weights list"
        )
    if isinstance(model, Engine):
        return model
    return Engine(model, device, precision)


def _check_source(source: object) -> None:
    if not isinstance(source, str | os.PathLike | np.ndarray):
        raise UsageError(
            f"{type(source).__name__} is neither a path nor an array",
            hint="give a path, or an array: numpy.asarray(...) makes one of a Pillow picture",
        )


def _picture(source: Source) -> Picture:
    if not isinstance(source, np.ndarray):
        return image.read(Path(source))
    array = source[..., None] if source.ndim == 2 else source
    if (
        array.dtype not in (np.uint8, np.uint16)
        or array.ndim != 3
        or array.shape[2] not in (1, 2, 3, 4)
        or 0 in array.shape
    ):
        raise UsageError(
            f"an array of {source.dtype} with shape {source.shape} is no picture",
            hint="give (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16",
        )
    if array.shape[2] in (1, 3):
        return Picture(np.ascontiguousarray(array), None, Metadata())
    return Picture(np.ascontiguousarray(array[..., :-1]), np.ascontiguousarray(array[..., -1]), Metadata())


def _mask(mask: Source, size: tuple[int, int]) -> np.ndarray:
    _check_source(mask)
    if not isinstance(mask, np.ndarray):
        return masks.read_mask(Path(mask), size).values
    if mask.shape != size[::-1]:
        raise UsageError(f"the mask has shape {mask.shape} and the picture {size[::-1]}", hint="give a mask of (H, W)")
    if mask.dtype.kind not in "buf":
        raise UsageError(
            f"a mask of {mask.dtype} does not say which value means fill",
            hint="give it as bool: mask > 0, or as uint8 with 255 = fill",
        )
    top = 1 if mask.dtype.kind in "bf" else np.iinfo(mask.dtype).max
    highest = mask.max()
    if mask.dtype.kind == "f" and not (mask.min() >= 0 and highest <= 1):  # what is not a number fails this too
        raise UsageError("a mask of floats holds values outside [0, 1]", hint="give it as bool: mask > 0.5")
    if 0 < highest < masks.FAINTEST * top:
        raise UsageError(
            f"the mask holds no white: its highest value is {highest:g} of {top}", hint="give it as bool: mask > 0"
        )
    return mask.astype(np.float32) / np.float32(top)


def _box(numbers: tuple[float, float, float, float]) -> Box:
    x, y, width, height = (Length(float(number)) for number in numbers)
    return Box(x, y, width, height, ",".join(f"{number:g}" for number in numbers))


def _last(result: np.ndarray, given: Picture) -> np.ndarray | None:
    return np.ascontiguousarray(result[..., -1]) if given.alpha is not None else None


def _finished(picture: Picture, output: str | Path | None, like: Source, quality: int | None = None) -> np.ndarray:
    if output is not None:
        image.write(Path(output), replace(picture, pixels=np.ascontiguousarray(picture.pixels)), quality=quality)
    array = picture.pixels
    if picture.alpha is not None:
        array = np.concatenate([array, picture.alpha[..., None]], axis=2)
    return array[..., 0] if isinstance(like, np.ndarray) and like.ndim == 2 else array
