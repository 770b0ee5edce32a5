"""The Python functions behind `import imgfix`: a picture in, a picture out; a clip in, a clip out.

They read their arguments and hand them to the same pipelines as the command line (`imgfix.pipelines`), so that the same
words give the same pixels, records and refusals. For more (your own loop, no files) see `imgfix.runtime.engine.Engine`
and `imgfix.tasks`.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from imgfix.errors import UsageError, worded
from imgfix.pipelines import arrays, pictures
from imgfix.pipelines.models import Listener
from imgfix.pipelines.moving.work import FRAMES, IMAGE, VIDEO
from imgfix.pipelines.options import (
    ClipOptions,
    CutoutRequest,
    GenerateRequest,
    InpaintRequest,
    Machine,
    Reading,
    RestoreRequest,
    Saving,
    SelectRequest,
    Several,
    UpscaleRequest,
)
from imgfix.pipelines.remote import Afar, Store, is_url
from imgfix.pipelines.result import Progress, unseen

if TYPE_CHECKING:
    from imgfix.pipelines.pipeline import Pipeline
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.generate import Generator
    from imgfix.tasks.measurement import Measurement
    from imgfix.train.loop import Outcome
    from imgfix.zoo.descriptor import Model

Given = Any
"""A path or URL, bytes, an open file, an array, a Pillow image, a tensor (`imgfix.pipelines.arrays.given`), a list."""
File = str | os.PathLike[str]
Function = TypeVar("Function", bound=Callable[..., Any])


class UnknownKeywordError(UsageError, TypeError):
    """A keyword that a function does not have, or an argument too few or too many."""


FORMER_KEYWORDS = {"restore": {"light": "low_light"}, "inpaint": {"grow": "dilate"}}
"""Function -> former name of a keyword -> its name today; still accepted."""


def _explained(function: Function) -> Function:
    """Say which keyword was meant where an unknown one is given; take former names of keywords."""
    signature = inspect.signature(function)
    former = FORMER_KEYWORDS.get(function.__name__, {})

    @functools.wraps(function)
    def called(*positional: Any, **keywords: Any) -> Any:
        for old in former.keys() & keywords.keys():
            if former[old] in keywords:
                raise UnknownKeywordError(
                    f"{function.__name__}: '{old}' is the former name of '{former[old]}'",
                    hint=f"give '{former[old]}' only",
                )
            keywords[former[old]] = keywords.pop(old)
        unknown = [name for name in keywords if name not in signature.parameters]
        if unknown:
            near = difflib.get_close_matches(unknown[0], signature.parameters, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(signature.parameters)}"
            raise UnknownKeywordError(f"{function.__name__} has no keyword '{unknown[0]}'", hint=hint)
        try:
            signature.bind(*positional, **keywords)
        except TypeError as error:
            raise UnknownKeywordError(f"{function.__name__}: {error}", hint=f"see: help({function.__name__})") from None
        return function(*positional, **keywords)

    return called  # type: ignore[return-value]


@_explained
def upscale(
    picture: Given,
    scale: float | None = None,
    *,
    width: int | None = None,
    height: int | None = None,
    long_side: int | None = None,
    megapixels: float | None = None,
    tta: bool = False,
    color_fix: bool | None = None,
    blend: float = 0.0,
    restore: bool = False,
    steady: bool | None = None,
    only: bool = False,
    except_: bool = False,
    mask: Given = None,
    boxes: Sequence[str | Sequence[float]] = (),
    color: str | Sequence[int] | None = None,
    tolerance: float = 12.0,
    alpha: bool = False,
    point: Several = None,
    not_point: Several = None,
    box_object: Several = None,
    object: Several = None,
    text: Several = None,
    subject: bool = False,
    background: bool = False,
    overlay: bool = False,
    detector: str | Path | Model = "auto",
    score: float | None = None,
    dilate: str | float = 0.0,
    feather: float | None = None,
    invert: bool = False,
    fit_mask: bool = False,
    at: str | float | None = None,
    save_mask: File | None = None,
    output: File | None = None,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    record: bool = True,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    pix_fmt: str | None = None,
    encoder_option: Sequence[str] | Mapping[str, Any] | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    audio: bool = True,
    fps: str | float | Fraction | None = None,
    deinterlace: str = "auto",
    frames: bool = False,
    resume: bool = False,
    smooth: int | str | None = None,
    smooth_model: str | Path | Model | Engine = "auto",
    model: str | Path | Model | Engine = "auto",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    tile: int | str | None = "auto",
    offline: bool = False,
    max_pixels: int | None = None,
    shard: str | None = None,
    progress: Progress = unseen,
    listener: Listener | None = None,
) -> Any:
    """Upscale a picture, or a clip.

    Args:
        picture: a path, bytes or an open file of a picture file; an array (H, W), (H, W, 1|3) or with alpha
            (H, W, 2|4), uint8, uint16 or float in [0, 1], sRGB or grey; a Pillow image; a tensor (C, H, W), uint8 or
            float in [0, 1]; or a list of any of them. A video needs an `output`; an animated picture stays animated
            with one, and gives its first frame without.
        scale: 1 to 16; the model's own without it.
        width, height, long_side, megapixels: the size instead of a scale.
        tta: mean of eight turned and mirrored runs.
        color_fix: keep the input's broad colours; None: for models whose colours drift.
        blend: share of plain resampling in the result, 0 to 1.
        restore: first take away the noise and the JPEG artefacts that are found.
        steady: of a clip, average what a model for pictures makes of each frame along the motion, against flicker;
            None: of videos and folders of frames, not of animated pictures.
        only, except_: the model draws a region alone, or all but it; plain resampling enlarges the rest.
        mask ... save_mask: the region, as of `inpaint`. feather: None: so much that the edge is not seen.
        output: also write the result there, with the metadata of the input; of a list, a folder or a template. What
            exists is an error unless `overwrite` or `skip_existing` (which gives what is there).
        format, quality: of the file that is written; like the input without them.
        record: whether the file says how it was made.
        codec, crf, preset, pix_fmt, encoder_option, start, end, audio, fps, deinterlace, frames, resume, smooth,
        smooth_model: of clips; see `imgfix.pipelines.options.ClipOptions`.
        model: a catalog name (pulled when missing), a weights file, `auto`, or what `load` gave; an `Engine` to run
            many pictures without preparing the model each time.
        device, precision, engine, tile, offline: as on the command line.
        max_pixels: refuse larger pictures; 0 takes any.
        shard: "3/8" does only the third of eight parts of the list, and gives None for the others; as on the command
            line.
        progress: told (done, total) tiles; frames for a clip.
        listener: told what happens: models that are pulled, work that will take long, what a format could not hold.

    Returns:
        Of the same type, layout and channels as the picture, in its colour space; of files an array (H, W, C). None for
        a clip, whose frames are in `output`. A list for a list.

    Raises:
        ImgfixError: with a message and a hint; InputError, OutputError, ModelError and UsageError are its kinds.
    """
    from imgfix.pipelines.upscale import UpscalePipeline

    return _run(UpscalePipeline, UpscaleRequest, _with_region(locals()))


@_explained
def inpaint(
    picture: Given,
    mask: Given = None,
    *,
    boxes: Sequence[str | Sequence[float]] = (),
    color: str | Sequence[int] | None = None,
    tolerance: float = 12.0,
    alpha: bool = False,
    expand: str | None = None,
    feather: float = 0.0,
    invert: bool = False,
    fit_mask: bool = False,
    tta: bool | None = None,
    grain: bool = True,
    variants: int = 1,
    sheet: File | None = None,
    point: Several = None,
    not_point: Several = None,
    box_object: Several = None,
    object: Several = None,
    text: Several = None,
    subject: bool = False,
    background: bool = False,
    overlay: bool = False,
    detector: str | Path | Model = "auto",
    score: float | None = None,
    at: str | float | None = None,
    dilate: str | float = "auto",
    save_mask: File | None = None,
    output: File | None = None,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    record: bool = True,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    pix_fmt: str | None = None,
    encoder_option: Sequence[str] | Mapping[str, Any] | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    audio: bool = True,
    fps: str | float | Fraction | None = None,
    deinterlace: str = "auto",
    frames: bool = False,
    resume: bool = False,
    smooth: int | str | None = None,
    smooth_model: str | Path | Model | Engine = "auto",
    model: str | Path | Model | Engine = "auto",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    offline: bool = False,
    max_pixels: int | None = None,
    shard: str | None = None,
    progress: Progress = unseen,
    listener: Listener | None = None,
) -> Any:
    """Fill a part of a picture or a clip; every pixel outside it stays bit-identical (until a lossy format encodes it).

    Args:
        picture: as for `upscale`.
        mask: a path (white = fill), an array (H, W): bool, unsigned integers (the largest value = fill) or float in
            [0, 1], a Pillow image, a tensor or bytes. A folder of masks that are paired by name; for a clip also a
            folder of masks or a clip of them, one for each frame.
        boxes: rectangles (x, y, width, height) in pixels, or "x,y,w,h" with percents, filled as well.
        color, tolerance: everything painted in a colour is filled, within so many of 255.
        alpha: the transparent part is filled.
        expand: new borders, such as "left=200,top=10%".
        feather: pixels over which the fill fades out beyond it.
        invert: in the mask, black is filled.
        fit_mask: resize a mask of another size but the same shape.
        tta: join several runs of the network into one; None: for small pictures and for large holes.
        grain: give the fill the grain of its surroundings.
        variants: several fills to choose from, 1 to 8, ranked; `output` has the best, `NAME-2` and so on the others.
        sheet: also write them side by side.
        point ... score: what is filled is chosen by what it is, as of `select`. In a clip it is followed from the
            first frame in which it is found; `overlay` is what stands still over all frames.
        at: seconds, or "h:m:s": the moment of a clip in which it is chosen; it is followed both ways.
        detector: the model that finds it, for its own task; "auto": the best on this machine.
        dilate: pixels by which the region is dilated, negative ones erode; "auto": only what is chosen, so that no halo
            of it stays.
        save_mask: also write the region, white = filled; of a clip to a folder, or without loss to a video.
        model: as for `upscale`; `telea` and `ns` are classical and need no weights.
        progress: told (done, total) groups of holes; frames for a clip.
        output ... listener: as for `upscale`.

    Returns:
        As `upscale`; of several variants a list, the best first.

    Raises:
        ImgfixError: as for `upscale`.
    """
    from imgfix.pipelines.inpaint import InpaintPipeline

    return _run(InpaintPipeline, InpaintRequest, _with_region(locals()))


@_explained
def select(
    picture: Given,
    *,
    point: Several = None,
    not_point: Several = None,
    box_object: Several = None,
    object: Several = None,
    text: Several = None,
    subject: bool = False,
    background: bool = False,
    overlay: bool = False,
    score: float | None = None,
    dilate: str | float = 0.0,
    invert: bool = False,
    preview: File | None = None,
    output: File | None = None,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    record: bool = True,
    model: str | Path | Model = "auto",
    device: str = "auto",
    offline: bool = False,
    max_pixels: int | None = None,
    shard: str | None = None,
    progress: Progress = unseen,
    listener: Listener | None = None,
) -> Any:
    """The mask of a part of a picture that is chosen by what it is.

    Args:
        picture: as for `upscale`; no clip.
        point, not_point: pairs (x, y) in pixels, or "x,y" with percents: on the thing, and not on it.
        box_object: rectangles (x, y, width, height) around a thing.
        object: names of COCO's things, such as "dog"; "person:2" is the second from the left.
        text: what is written; "*" for all writing (needs the extra `text`).
        subject, background: the main subject; all but it.
        overlay: what was laid over the picture: date stamps, captions, subtitles, logos, stickers, frames.
        score: how sure the detector has to be, 0 to 1; None: 0.4 of an object, 0.9 of an overlay.
        dilate: pixels that what is found is widened by; "auto": so that no halo of it stays.
        invert: the mask of everything else.
        preview: also write the picture with the chosen part marked.
        model: instead of the best on this machine, for its own task.
        output ... listener: as for `upscale`.

    A value that begins with "&" keeps only what is in it too, one with "-" takes it away; all others are joined first.

    Returns:
        (H, W) like the picture's own type of array, 255 = chosen.

    Raises:
        ImgfixError: as for `upscale`; InputError when nothing of it is there.
    """
    from imgfix.pipelines.select import SelectPipeline

    return _run(SelectPipeline, SelectRequest, locals())


@_explained
def cutout(
    picture: Given,
    *,
    behind: str | Sequence[int] | None = None,
    point: Several = None,
    not_point: Several = None,
    box_object: Several = None,
    object: Several = None,
    text: Several = None,
    subject: bool = False,
    overlay: bool = False,
    score: float | None = None,
    dilate: str | float = 0.0,
    save_mask: File | None = None,
    output: File | None = None,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    record: bool = True,
    model: str | Path | Model = "auto",
    device: str = "auto",
    offline: bool = False,
    max_pixels: int | None = None,
    shard: str | None = None,
    progress: Progress = unseen,
    listener: Listener | None = None,
) -> Any:
    """The main subject of a picture, or what is chosen, on transparency or on something else.

    Args:
        picture: as for `upscale`; no clip.
        behind: a colour, a picture's file, or "blur"; transparency without it.
        point ... score: what is cut out instead of the main subject, as of `select`.
        dilate: pixels that it is widened by.
        save_mask: also write the matte, white = kept.
        model: instead of the best on this machine, for its own task.
        output ... listener: as for `upscale`.

    Returns:
        As `upscale`; with alpha as the last channel where nothing is put behind.

    Raises:
        ImgfixError: as for `upscale`; InputError when there is no subject.
    """
    from imgfix.pipelines.cutout import CutoutPipeline

    return _run(CutoutPipeline, CutoutRequest, locals())


@_explained
def restore(
    picture: Given,
    *,
    denoise: float | str | None = None,
    jpeg: int | str | None = None,
    deblur: bool = False,
    low_light: bool = False,
    derain: bool = False,
    dehaze: bool = False,
    colorize: bool = False,
    faces: bool = False,
    fidelity: float = 0.0,
    old: bool = False,
    scratches: bool | None = None,
    scratch_mask: Given = None,
    fading: bool | None = None,
    deflicker: bool = False,
    steady: bool | None = None,
    strength: float = 1.0,
    only: bool = False,
    except_: bool = False,
    mask: Given = None,
    boxes: Sequence[str | Sequence[float]] = (),
    color: str | Sequence[int] | None = None,
    tolerance: float = 12.0,
    alpha: bool = False,
    point: Several = None,
    not_point: Several = None,
    box_object: Several = None,
    object: Several = None,
    text: Several = None,
    subject: bool = False,
    background: bool = False,
    overlay: bool = False,
    detector: str | Path | Model = "auto",
    score: float | None = None,
    dilate: str | float = 0.0,
    feather: float | None = None,
    invert: bool = False,
    fit_mask: bool = False,
    at: str | float | None = None,
    save_mask: File | None = None,
    output: File | None = None,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    record: bool = True,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    pix_fmt: str | None = None,
    encoder_option: Sequence[str] | Mapping[str, Any] | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    audio: bool = True,
    fps: str | float | Fraction | None = None,
    deinterlace: str = "auto",
    frames: bool = False,
    resume: bool = False,
    smooth: int | str | None = None,
    smooth_model: str | Path | Model | Engine = "auto",
    model: str | Path | Model | Engine = "auto",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    tile: int | str | None = "auto",
    offline: bool = False,
    max_pixels: int | None = None,
    shard: str | None = None,
    progress: Progress = unseen,
    listener: Listener | None = None,
) -> Any:
    """Undo damage; with none of it named, noise and JPEG artefacts are looked for and undone.

    Args:
        picture: as for `upscale`.
        denoise: standard deviation of the noise, of 255, or `auto`, or `off`.
        jpeg: quality of the JPEG it is or was, 1 to 100, or `auto`, or `off`.
        deblur, low_light, derain, dehaze: undo motion blur, darkness, rain, haze. (`light` is the former name.)
        colorize: make colours for a grey picture, after everything else; not for clips.
        faces: find faces and restore them, after everything else; what lies around them stays as it is.
        fidelity: share of the input in a restored face, 0 to 1.
        old: scratches and fading, and noise and JPEG artefacts as of `auto`, each where it is found; not for clips.
        scratches: find scratches and dust of a scan and fill them, before anything else; None: with `old`.
        scratch_mask: filled instead of what would be found: a file, a folder of files, or an array (H, W).
        fading: undo fading and colour cast of a print where they are found; None: with `old`.
        deflicker: even out the brightness from frame to frame; for clips alone.
        steady: average the restored frames of a clip along the motion; None: of videos and folders of frames.
        strength: share of the result, 0 to 1; the rest is the input.
        only, except_: undo it in a region alone, or in all but it; the rest stays bit-identical (until a lossy format
            encodes it).
        mask ... at: the region, as of `inpaint`. feather: None: so much that the edge is not seen.
        save_mask: also write what `scratches` found, white = filled; without it the region, white = worked on.
        model: as for `upscale`; it does what it is for (all of that when nothing is named), the rest is left to `auto`.
        tile: side of the windows that models are given.
        progress: told (done, total) tiles; frames for a clip.
        output ... listener: as for `upscale`.

    Returns:
        As `upscale`; the same values where there is nothing to do, and then `output` is the very same file.

    Raises:
        ImgfixError: as for `upscale`.
    """
    from imgfix.pipelines.restore import RestorePipeline

    return _run(RestorePipeline, RestoreRequest, _with_region(locals()))


@_explained
def run(
    recipe: File | Sequence[Mapping[str, Any]] | Mapping[str, Any],
    picture: Given,
    *,
    output: File | None = None,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    record: bool = True,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    pix_fmt: str | None = None,
    encoder_option: Sequence[str] | Mapping[str, Any] | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    audio: bool = True,
    fps: str | float | Fraction | None = None,
    deinterlace: str = "auto",
    frames: bool = False,
    resume: bool = False,
    smooth: int | str | None = None,
    smooth_model: str | Path | Model | Engine = "auto",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    offline: bool = False,
    max_pixels: int | None = None,
    shard: str | None = None,
    progress: Progress = unseen,
    listener: Listener | None = None,
) -> Any:
    """Do several steps one after the other: one decode, one encode, and between them nothing is lost.

    Args:
        recipe: a TOML file, or what it would hold: a list of steps, each a mapping with `verb` (`restore`, `inpaint`,
            `upscale`, `cutout`) and the options of that verb; or a mapping with `step` and options of the whole.
        picture: as for `upscale`.
        progress: told (done, total) of the whole; frames for a clip.
        output ... listener: as for `upscale`.

    Returns:
        As `upscale`: what the functions of these names would make of a picture one after the other.

    Raises:
        ImgfixError: as for `upscale`; a step that makes no sense is named before any work.
    """
    from imgfix.pipelines.recipes import RunRequest
    from imgfix.pipelines.run import RunPipeline

    return _run(RunPipeline, RunRequest, locals())


@_explained
def generate(
    prompt: str | Sequence[str] | None = None,
    *,
    label: str | None = None,
    sound: File | None = None,
    image: File | None = None,
    strength: float | None = None,
    like: File | None = None,
    interpolate: tuple[str, str] | None = None,
    frames: int = 60,
    count: int = 1,
    seed: int | None = None,
    seeds: str | Sequence[int] | None = None,
    truncation: float | None = None,
    grid: File | None = None,
    upscale: float | None = None,
    upscale_model: str | Path | Model | Engine = "auto",
    steps: int | None = None,
    guidance: float | None = None,
    negative: str | None = None,
    width: int | None = None,
    height: int | None = None,
    low_memory: bool = False,
    output: File | None = None,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    record: bool = True,
    model: str | Path | Model | Generator = "auto",
    device: str = "auto",
    offline: bool = False,
    progress: Progress = unseen,
    listener: Listener | None = None,
) -> Any:
    """Draw a picture from words, a class, a sound or another picture; or several, or a film from one to another.

    Args:
        prompt: what to draw; several give several pictures.
        label: a class of the model.
        sound: a sound file of it.
        image: a picture to start from, and `strength` (0.5) how far the words may lead from it, 0 to 1.
        like: an old picture, of whose record everything that is not said is taken.
        interpolate: two prompts, for a film of so many `frames` in `output`.
        count, seed, seeds: how many of each, and from which seeds; equal seeds give equal pictures.
        truncation: below 1 more typical.
        grid: also write all of them on one sheet.
        upscale, upscale_model: enlarge the result.
        steps, guidance, negative, width, height, low_memory: of diffusion models alone.
        output: also write the pictures there: a file, a folder or a template.
        model: a catalog name, a weights file, `auto`, what `load` gave, or an `imgfix.tasks.generate.Generator` to draw
            many pictures without loading the model each time.
        progress: told (done, total) pictures; frames for a film.
        format ... listener: as for `upscale`.

    Returns:
        (H, W, C) uint8: grey, RGB, or RGB with opacity; a list where several were asked for; None for a film.

    Raises:
        ImgfixError: as for `upscale`.
    """
    from imgfix.pipelines.generate import GeneratePipeline

    values = locals()
    values["prompts"] = None if prompt is None else [prompt] if isinstance(prompt, str) else list(prompt)
    saving = _record(Saving, values)
    pipeline = GeneratePipeline(
        _record(GenerateRequest, values), _in_memory(saving), _record(Machine, values), listener
    )  # fmt: skip
    if pipeline.film is not None:
        if pipeline.film.error is not None:
            raise pipeline.film.error
        pipeline.run_film(progress)
        return None
    pipeline.check_sheet_is_free()
    for order in pipeline.orders:
        if order.error is not None:
            raise order.error
    drawn = []
    for number, order in enumerate(pipeline.orders, 1):
        if order.skip is not None:
            drawn.append(arrays.array_of(pictures.read(order.target, None)))  # type: ignore[arg-type]
        else:
            found = pipeline.run(order, keep=True).picture
            assert found is not None
            drawn.append(arrays.array_of(found))
        progress(number, len(pipeline.orders))
    pipeline.write_sheet()
    one = len(drawn) == 1 and seeds is None and (prompt is None or isinstance(prompt, str))
    return drawn[0] if one else drawn


@_explained
def evaluate(
    results: File | Sequence[File],
    against: File | None = None,
    *,
    protocol: str | None = None,
    metric: str | Sequence[str] = (),
    crop: bool = False,
    max_pixels: int | None = None,
    progress: Progress = unseen,
    listener: Listener | None = None,
) -> tuple[list[Measurement], dict[str, float]]:
    """Measure pictures and clips against references: PSNR, SSIM, LPIPS, NIQE, FID, KID, flicker.

    Args:
        results: files, folders, globs.
        against: the reference: a file, or a folder whose files pair by name.
        protocol: `rgb`, `y`, `sr-y4` and the like; without it rgb, video or niqe.
        metric: measure these instead.
        crop: where sizes differ, compare the common top left part instead of refusing.
        max_pixels: refuse larger pictures; 0 takes any.
        progress: told (done, total) files.
        listener: told of files that have no reference.

    Returns:
        The numbers of each file, and their means (of whole sets FID and KID).

    Raises:
        ImgfixError: a file cannot be read, sizes differ, nothing pairs, no such protocol.
    """
    from imgfix.pipelines.evaluate import Comparison

    names = [results] if isinstance(results, str | os.PathLike) else list(results)
    metrics = [metric] if isinstance(metric, str) else list(metric)
    comparison = Comparison(
        [str(name) for name in names], None if against is None else str(against), protocol, metrics, crop,
        Reading(max_pixels=max_pixels), listener,
    )  # fmt: skip
    found = []
    for number, pair in enumerate(comparison.pairs, 1):
        if comparison.measures_files:
            found.append(comparison.measure(*pair))
        progress(number, len(comparison.pairs))
    return found, comparison.summary(found, comparison.measure_sets())


@_explained
def train(
    kind: str,
    photos: File | Sequence[File] | None = None,
    *,
    output: File | None = None,
    model: str | Path | None = None,
    net: str | None = None,
    teacher: str | None = None,
    recipe: File | None = None,
    settings: Mapping[str, Any] | None = None,
    input: File | None = None,
    target: File | None = None,
    val: File | None = None,
    val_fraction: float | None = None,
    crop: int | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    resume: bool | None = None,
    device: str | None = None,
    precision: str | None = None,
    compile: bool | None = None,
    listener: Listener | None = None,
) -> Outcome:
    """Train or fine-tune a model on a folder of your own pictures.

    Args:
        kind: a key of `imgfix.train.kinds.KINDS`: `upscale`, `inpaint`, `restore` ...
        photos: folders (with all below) or files.
        output: the run's folder, `runs/KIND` without it; it gets recipe, log, sheets, checkpoint, model.safetensors.
        model, net, teacher: what to start from and what to learn from.
        recipe: a TOML file with settings.
        settings: any setting of the recipe by name; the keywords win over it.
        input, target: folders of damaged and of good pictures, paired by name, instead of photos.
        val, val_fraction, crop, steps, minutes, batch, lr, seed, device, precision, compile: settings of the recipe.
        resume: True demands a checkpoint there, False starts over, None goes on if there is one.
        listener: told how the run goes; without one, what goes wrong on the way is a Python warning.

    Returns:
        How it ended, and the numbers of the last validation.

    Raises:
        ImgfixError: bad recipe, data, model, device, no memory, no disk space.
    """
    from imgfix.pipelines import training

    given = {
        "photos": None if photos is None else _names(photos),
        **{"input": _name(input), "target": _name(target), "val": _name(val), "val_fraction": val_fraction},
        **{"model": _name(model), "net": net, "teacher": teacher, "steps": steps, "minutes": minutes, "batch": batch},
        **{"crop": crop, "lr": lr, "seed": seed, "device": device, "precision": precision, "compile": compile},
    }
    out = Path(output) if output is not None else training.usual_folder(kind)
    file = Path(recipe) if recipe is not None else None
    wanted = training.recipe_of(kind, out, file, dict(settings or {}), given, resume)
    return training.run(wanted, out, resume, listener)


# -- arguments to records, and pictures back to what they were given as -----------------------------------------------


def _record(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """A record of what was asked for, from the arguments of a function that have its fields' names."""
    return kind(**{field.name: values[field.name] for field in fields(kind) if field.name in values})


def _with_region(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a function, its mask and boxes as the pipelines take them."""
    return {**values, "mask": arrays.mask_of(values["mask"]), "boxes": list(values["boxes"]) or None}


def _in_memory(saving: Saving) -> Saving:
    """Without an output nothing is written; the name `-` keeps a pipeline from making one up."""
    return replace(saving, output="-") if saving.output is None else saving


def _run(kind: type[Pipeline[Any]], request: type[Any], values: dict[str, Any]) -> Any:
    """Run a pipeline on what was handed over; `values`: the arguments of the function by name."""
    values["output"] = _name(values["output"])
    picture, progress = values["picture"], values["progress"]
    several = isinstance(picture, list | tuple)
    things = list(picture) if several else [picture]
    named = [*things, values["output"]]
    store = Store(named, values["offline"]) if any(map(is_url, named)) else None
    if store is not None:
        things = [store.named(one) if is_url(one) else one for one in things]
        values["output"] = store.local(values["output"]) if is_url(values["output"]) else values["output"]
    sources = [arrays.given(one) for one in things]
    pipeline = kind(
        _record(request, values), _record(Saving, values), _record(ClipOptions, values), _record(Machine, values),
        _record(Reading, values), values["listener"],
    )  # fmt: skip
    if store is not None:
        pipeline = cast("Pipeline[Any]", Afar(pipeline, store))
    places = _places(pipeline, sources, several)
    work = [(one, place.target) for one, place in zip(sources, places, strict=True) if not (place.skip or place.other)]
    if work and store is None:
        pipeline.prepare([_kind(pipeline, one.source, target) for one, target in work])
    made = [
        None if place.other else _run_one(pipeline, one, place.target, progress, place.skip)
        for one, place in zip(sources, places, strict=True)
    ]
    return made if several else made[0]


def _kind(pipeline: Pipeline[Any], source: Any, target: Path | None) -> str:
    """What a source is worked on as. Raises UsageError for a clip that has nowhere to go."""
    kind = pipeline.kind(source, target)
    if target is None and kind in (VIDEO, FRAMES):
        raise UsageError(
            f"{_called(pipeline, source)} is a clip, which does not fit into an array",
            hint="say where to write: output=...",
        )
    return kind


def _run_one(pipeline: Pipeline[Any], given: arrays.Given, target: Path | None, progress: Progress, skip: bool) -> Any:
    source: Any = given.source
    kind = pipeline.kind(source, target) if skip else _kind(pipeline, source, target)
    if skip:
        assert target is not None
        if kind != IMAGE:
            return None
        if isinstance(pipeline, Afar):
            pipeline.fetch(target)
        made = [given.back(pictures.read(file, None)) for file in pipeline.results_of(target)]
        return made[0] if len(made) == 1 else made
    if isinstance(pipeline, Afar):  # one after the other: each is only here while it is worked on
        pipeline.prepare([kind])
    if target is None and kind != IMAGE:  # an animated picture gives its first frame
        source = pictures.read(source, pipeline.reading.limit)
    result = pipeline.run(source, target, progress=progress, keep=True)
    for note in result.notes:
        pipeline.listener.warned(f"{_called(pipeline, given.source)}: {worded(note)}")
    if result.pictures:
        return [given.back(each) for each in result.pictures]
    return None if result.picture is None else given.back(result.picture)


def _called(pipeline: Pipeline[Any], source: Any) -> str:
    """A source as it was handed over."""
    url = pipeline.url(source) if isinstance(pipeline, Afar) else None
    return url or pictures.name_of(source)


@dataclass(frozen=True)
class _Place:
    """Where the result of a source goes."""

    target: Path | None = None
    skip: bool = False
    """It is there already and stays."""
    other: bool = False
    """Another shard makes it."""


def _places(pipeline: Pipeline[Any], sources: Sequence[arrays.Given], several: bool) -> list[_Place]:
    """Where each result goes. Raises OutputError, UsageError."""
    pipeline.alone = len(sources) == 1
    part, given = pipeline.reading.part, [each.source for each in sources]
    others = [not part.holds(one, Path(_key(one, number))) for number, one in enumerate(given, start=1)]
    if pipeline.saving.output is None:
        return [_Place(other=other) for other in others]
    jobs = pipeline.jobs_of(given, several)
    for job, other in zip(jobs, others, strict=True):
        if job.error is not None and not other:
            raise job.error
    return [
        _Place(job.target if isinstance(job.target, Path) else None, job.skip is not None, other)
        for job, other in zip(jobs, others, strict=True)
    ]


def _key(source: Any, number: int) -> str:
    """What tells the shard of a source: its name, as on the command line; the number of what has none."""
    return source.name if isinstance(source, Path) else str(number)


def _name(file: File | None) -> str | None:
    return None if file is None else os.fspath(file)


def _names(files: File | Sequence[File]) -> tuple[str, ...]:
    return (os.fspath(files),) if isinstance(files, str | os.PathLike) else tuple(os.fspath(file) for file in files)
