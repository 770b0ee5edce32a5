"""What a request may say: a list of allowed fields for each verb, and nothing else.

Fields that name places on the server's disk are not on it. Where a second picture is meant, a request gives the
identifier of an upload. A test compares the list with the records of `imgfix.pipelines.options`, so that a field which
is new there has to be allowed or refused here.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, replace
from dataclasses import fields as fields_of
from typing import Any, Literal

from imgfix.errors import UsageError
from imgfix.pipelines import recipes
from imgfix.pipelines.options import (
    CLASSICAL,
    DEINTERLACE,
    RESAMPLING,
    SMOOTHING,
    ClipOptions,
    CutoutRequest,
    GenerateRequest,
    InpaintRequest,
    Machine,
    RestoreRequest,
    Saving,
    SelectRequest,
    UpscaleRequest,
    number,
)
from imgfix.pipelines.recipes import RunRequest

Kind = Literal["flag", "whole", "number", "text", "list", "file", "file or text", "steps", "recipe"]
_LONGEST = 2000
"""Letters of a value."""
_MOST = 256
"""Values of a field."""
_TRUE, _FALSE = {"true", "1", "yes", "on", ""}, {"false", "0", "no", "off"}


@dataclass(frozen=True)
class Field:
    """One thing that a request may say."""

    name: str
    """As in a request: the option of the command line with underscores."""
    kind: Kind
    help: str
    attribute: str = ""
    """In the record, where that is another name."""
    choices: tuple[str, ...] = ()
    also: str = ""
    """A second name under which it is understood."""

    @property
    def target(self) -> str:
        """The attribute of the record."""
        return self.attribute or self.name


_CHOOSING = (
    Field("point", "list", "x,y of a point on it, in pixels or percent", also="points"),
    Field("not_point", "list", "x,y of a point that is not on it", also="not_points"),
    Field("box_object", "list", "x,y,w,h around a thing"),
    Field("object", "list", "a name of COCO, such as dog; dog:2 for the second from the left", also="objects"),
    Field("text", "list", "what is written there; * for all writing"),
    Field("subject", "flag", "the main subject"),
    Field("background", "flag", "all but the main subject"),
    Field("overlay", "flag", "what was laid over the picture: dates, captions, logos, stickers, frames"),
    Field("score", "number", "how sure the detector has to be, 0 to 1"),
)
_DILATE = Field("dilate", "text", "pixels by which what is found is widened, or auto")
_REGION = (
    Field("mask", "file", "white is the region: the identifier of an upload, or a part of the form"),
    Field("box", "list", "x,y,w,h in pixels or percent", "boxes", also="boxes"),
    *_CHOOSING,
    Field("detector", "text", "the model that finds what is chosen, or auto"),
    Field("color", "text", "everything of this colour"),
    Field("tolerance", "number", "how much a pixel may differ from color, of 255"),
    Field("alpha", "flag", "the transparent part"),
    Field("dilate", "text", "widen the region by so many pixels, or auto", also="grow"),
    Field("feather", "number", "blend over so many pixels"),
    Field("invert", "flag", "the black part of the mask is the region"),
    Field("fit_mask", "flag", "resize a mask of another size"),
    Field("at", "text", "in a clip, the moment in which it is chosen, in seconds or h:m:s"),
)
_PART = (
    Field("only", "flag", "work on the region alone"),
    Field("except", "flag", "work on all but the region", "except_"),
    *_REGION,
)
_PICTURE = (
    Field("format", "text", "format of the result; default: that of the input"),
    Field("quality", "whole", "1 to 100, for lossy formats"),
    Field("record", "flag", "say in the result how it was made"),
)
_MODEL = (
    Field("model", "text", "a name from /v1/models, or auto"),
    Field("precision", "text", "number format", choices=("auto", "fp32", "bf16", "fp16")),
    Field("engine", "text", "what computes the network", choices=("auto", "torch", "openvino", "onnx")),
    Field("tile", "text", "side of a tile in pixels, or auto"),
)
_CLIP = (
    Field("codec", "text", "h264, hevc, av1, vp9 ...; default: that of the input"),
    Field("crf", "number", "quality of the encoding, lower is better"),
    Field("preset", "text", "speed of the encoder"),
    Field("pix_fmt", "text", "pixel format, such as yuv420p"),
    Field("start", "text", "where the part of a clip begins, in seconds or h:m:s"),
    Field("end", "text", "where it ends"),
    Field("audio", "flag", "keep the sound"),
    Field("fps", "text", "a constant frame rate"),
    Field("deinterlace", "text", "auto: flagged frames", choices=DEINTERLACE),
    Field("smooth", "text", "make so many frames of each, 2 to 8; auto: as many as fps asks for"),
    Field("smooth_model", "text", "what makes them: a name, flow, or auto"),
)


@dataclass(frozen=True)
class Verb:
    """What can be asked of one verb."""

    name: str
    summary: str
    request: type[Any] | None
    fields: tuple[Field, ...]
    tasks: tuple[str, ...] = ()
    """What its models are for."""
    methods: tuple[str, ...] = ()
    """Names that are taken for a model and need no weights."""
    takes_input: bool = True
    moves: bool = False
    """Whether it works on clips."""

    def find(self, name: str) -> Field | None:
        """The field of a name in a request."""
        return next((field for field in self.fields if name in (field.name, field.also) and name), None)

    @property
    def public(self) -> dict[str, str]:
        """Attribute -> the name in requests."""
        return {field.target: field.name for field in self.fields if field.target != field.name}

    def described(self) -> list[dict[str, Any]]:
        """The fields as JSON: type, default, choices, help."""
        return [
            {
                "name": field.name, "type": field.kind, "default": default_of(self, field), "help": field.help,
                **({"choices": list(field.choices)} if field.choices else {}),
            }
            for field in self.fields
        ]  # fmt: skip


VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "upscale", "Larger pictures and clips", UpscaleRequest,
            (
                Field("scale", "number", "factor, such as 2 or 1.5; default: that of the model"),
                Field("width", "whole", "pixels of the result"),
                Field("height", "whole", "pixels of the result"),
                Field("long_side", "whole", "pixels of the result's longer side"),
                Field("megapixels", "number", "of the result"),
                Field("tta", "flag", "eight turned runs, merged"),
                Field("color_fix", "flag", "keep the colours of the input"),
                Field("blend", "number", "share of plain resampling, 0 to 1"),
                Field("restore", "flag", "first remove the noise and JPEG artefacts that are found"),
                Field("steady", "flag", "average the frames of a clip along the motion, against flicker"),
                *_PART, *_PICTURE, *_CLIP, *_MODEL,
            ),
            ("upscale", "video"), RESAMPLING, moves=True,
        ),
        Verb(
            "inpaint", "Fill or remove a part, extend the canvas", InpaintRequest,
            (
                *_REGION,
                Field("expand", "text", "extend the canvas: left=200,top=10% or all=15%"),
                Field("tta", "flag", "merge several runs"),
                Field("grain", "flag", "give the fill the grain of its surroundings; the default"),
                *_PICTURE, *_CLIP, *_MODEL,
            ),
            ("inpaint",), CLASSICAL, moves=True,
        ),
        Verb(
            "restore", "Noise, JPEG artefacts, blur, low light, scratches", RestoreRequest,
            (
                Field("denoise", "text", "auto, off, or the noise's standard deviation of 255"),
                Field("jpeg", "text", "auto, off, or the JPEG's quality"),
                Field("deblur", "flag", "motion blur"),
                Field("low_light", "flag", "darkness"),
                Field("derain", "flag", "rain"),
                Field("dehaze", "flag", "haze"),
                Field("colorize", "flag", "colours for a grey picture"),
                Field("faces", "flag", "find faces and restore them"),
                Field("fidelity", "number", "share of the input in restored faces, 0 to 1"),
                Field("old", "flag", "a scanned print: scratches, fading, noise and JPEG, where found"),
                Field("scratches", "flag", "scratches and specks of scans"),
                Field("scratch_mask", "file", "filled instead of what is found; white is filled"),
                Field("fading", "flag", "fading and colour cast of prints"),
                Field("deflicker", "flag", "even out the brightness of a flickering clip"),
                Field("steady", "flag", "average the frames of a clip along the motion, against flicker"),
                Field("strength", "number", "how much of it, 0 to 1"),
                *_PART, *_PICTURE, *_CLIP, *_MODEL,
            ),
            ("restore",), moves=True,
        ),
        Verb(
            "select", "The mask of what is clicked, named or written", SelectRequest,
            (
                *_CHOOSING, _DILATE,
                Field("invert", "flag", "the mask of everything else"),
                Field("list", "flag", "no mask: all that is there and has a name"),
                Field("hover", "flag", "a quick look: the mask of a copy of 1024 pixels"),
                _MODEL[0],
            ),
            ("select", "detect", "cutout"),
        ),
        Verb(
            "cutout", "The subject on transparency or on something else", CutoutRequest,
            (
                *_CHOOSING, _DILATE,
                Field("behind", "file or text", "a colour, blur, or the identifier of an upload", also="on"),
                *_PICTURE, _MODEL[0],
            ),
            ("select", "detect", "cutout"),
        ),
        Verb(
            "generate", "Pictures from words, a class, a sound or a picture", GenerateRequest,
            (
                Field("prompt", "list", "what to draw", "prompts", also="prompts"),
                Field("class", "text", "a class of the model", "label", also="label"),
                Field("sound", "file", "something that sounds like this: the identifier of an upload"),
                Field("image", "file", "start from this: the identifier of an upload"),
                Field("strength", "number", "how far the result may depart from it, 0 to 1"),
                Field("interpolate", "list", "two prompts: a film from one to the other"),
                Field("frames", "whole", "of the film"),
                Field("count", "whole", "pictures for each prompt", also="n"),
                Field("seed", "whole", "the first seed"),
                Field("seeds", "text", "seeds such as 0-35 or 3,7"),
                Field("truncation", "number", "below 1: more typical, less varied"),
                Field("upscale", "number", "enlarge the result, 1 to 16"),
                Field("upscale_model", "text", "a name from /v1/models, or auto"),
                *_PICTURE, _MODEL[0],
            ),
            ("generate",), takes_input=False,
        ),
        Verb(
            "run", "Several verbs one after the other, in one pass", RunRequest,
            (
                Field("steps", "steps", "a list of objects, each with `verb` and fields of that verb", "recipe"),
                Field("recipe", "recipe", "instead of them what a recipe file holds, in TOML"),
                *_PICTURE, *_CLIP,
            ),
            moves=True,
        ),
        Verb(
            "evaluate", "Measure a picture or a clip, against a reference or alone", None,
            (
                Field("against", "file", "the reference: the identifier of an upload"),
                Field("protocol", "text", "rgb, y, sr-y4, perceptual, video, niqe"),
                Field("metric", "list", "psnr, ssim, lpips ...", also="metrics"),
                Field("crop", "flag", "compare the common top left part"),
            ),
        ),
    )
}  # fmt: skip

STEPS = {
    name: replace(VERBS[name], fields=tuple(one for one in VERBS[name].fields if one not in (*_PICTURE, *_CLIP)))
    for name in recipes.VERBS
}  # fmt: skip
"""What can be asked of a step: all but how the result is written, which is said of the whole."""

REFUSED = {
    Saving: {"output", "overwrite", "skip_existing"},
    ClipOptions: {
        "encoder_option",  # encoders write statistics and dumps to files that options name
        "frames",
        "resume",
    },
    Machine: {"device", "offline"},
    SelectRequest: {"preview"},
    CutoutRequest: {"save_mask"},
    InpaintRequest: {"save_mask", "variants", "sheet"},
    RestoreRequest: {"save_mask"},
    UpscaleRequest: {"save_mask"},
    GenerateRequest: {
        *("prompt_file", "like", "grid"),
        *("steps", "guidance", "negative", "width", "height", "low_memory"),  # diffusion models come from folders
    },
}  # fmt: skip
"""Attributes of records that no request sets: they name places on this machine, or are the server's own affair."""

OWN = {"list", "hover"}
"""Fields that the server understands itself."""


def default_of(verb: Verb, field: Field) -> Any:
    """What holds when a request does not say it."""
    for record in (verb.request, Saving, ClipOptions, Machine):
        if record is None:
            continue
        for one in fields_of(record):
            if one.name == field.target:
                return None if one.default is MISSING else one.default
    return False if field.kind == "flag" else None


def read(verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says, by the public names of the fields, each of its type. Raises UsageError.

    given: values of a form, which are text or lists of it, or of JSON.
    """
    found: dict[str, Any] = {}
    for name, value in _unfolded(verb, given).items():
        field = verb.find(name)
        if field is None:
            known = [field.name for field in verb.fields]
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UsageError(f"'{name[:40]}' is no field of {verb.name}", hint=f"{hint}see /v1/options/{verb.name}")
        if value is None:
            continue
        found[field.name] = _value(field, value)
    return found


def _unfolded(verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
    """The same with what stands in a recipe file in place of it; what is said besides wins. Raises UsageError."""
    text = given.get("recipe")
    if text is None or verb.find("recipe") is None:
        return dict(given)
    if given.get("steps") is not None:
        raise UsageError("`steps` and `recipe` were both given", hint="give one of them")
    text = text[0] if isinstance(text, list) and len(text) == 1 else text
    if not isinstance(text, str):
        raise UsageError("`recipe` is no text", hint="give what stands in a recipe file")
    content = recipes.parsed(text.encode("utf-8", "surrogatepass"), "`recipe`")
    steps = content.pop("step", [])
    if isinstance(steps, list):
        steps = [_underscored(step) if isinstance(step, Mapping) else step for step in steps]
    return {**_underscored(content), "steps": steps, **{key: one for key, one in given.items() if key != "recipe"}}


def _underscored(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("-", "_"): value for name, value in options.items()}


def _steps(value: Any) -> list[dict[str, Any]]:
    """The steps of a recipe, each with its verb and the fields of that verb, read as a request of their own is."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):  # a form
        value = value[0]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list) or not value or not all(isinstance(step, Mapping) for step in value):
        raise UsageError("`steps` is no list of objects", hint='give [{"verb": "restore"}, {"verb": "upscale"}]')
    if len(value) > recipes.MOST:
        raise UsageError(f"`steps` are {len(value)}", hint=f"{recipes.MOST} at most")
    return [_step(number, step) for number, step in enumerate(value, 1)]


def _step(number: int, given: Mapping[str, Any]) -> dict[str, Any]:
    verb = given.get("verb")
    if verb not in recipes.VERBS:
        raise UsageError(f"`steps`, step {number}: '{str(verb)[:40]}' is no step", hint=f"one of {', '.join(STEPS)}")
    try:
        return {"verb": verb, **read(STEPS[verb], {name: one for name, one in given.items() if name != "verb"})}
    except UsageError as error:
        raise error.within(f"step {number} ({verb})", str) from None


def _value(field: Field, value: Any) -> Any:
    if field.kind == "steps":
        return _steps(value)
    if field.kind == "list":
        values = value if isinstance(value, list) and not _is_numbers(value) else [value]
        if len(values) > _MOST:
            raise UsageError(f"`{field.name}`: more than {_MOST} values", hint="send fewer")
        return [_part(field, one) for one in values]
    if isinstance(value, list) and field.name == "color" and _is_numbers(value) and len(value) == 3:
        return [int(part) for part in value]
    if isinstance(value, list):
        if len(value) != 1:
            raise UsageError(f"`{field.name}` was given {len(value)} times", hint="give it once")
        value = value[0]
    if isinstance(value, str):
        value = _text(field, value)
    if field.kind == "flag":
        return _flag(field, value)
    if field.kind == "whole":
        return _whole(field, value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"`{field.name}` is a value of the wrong type", hint=f"give a {field.kind}")
    if field.kind == "number":
        return _number(field, value)
    if field.choices and value not in field.choices:
        raise UsageError(f"`{field.name}` {value}: no such choice", hint=f"choose {', '.join(field.choices)}")
    return value


def _is_numbers(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(part, int | float) and not isinstance(part, bool) for part in value)


def _part(field: Field, value: Any) -> Any:
    if isinstance(value, str):
        return _text(field, value)
    if isinstance(value, list) and _is_numbers(value) and len(value) in (2, 4):
        return value
    raise UsageError(f"`{field.name}`: a value of the wrong type", hint=f"give text ({field.help}), or numbers")


def _text(field: Field, value: str) -> str:
    if len(value) > _LONGEST or "\0" in value:
        raise UsageError(f"`{field.name}` is too long or no text", hint=f"{_LONGEST} letters at most")
    return value


def _flag(field: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise UsageError(f"`{field.name}` {value}: neither true nor false", hint="give true or false")
    return word in _TRUE


def _number(field: Field, value: str | float) -> float:
    try:
        found = number(value)
    except UsageError as error:
        raise UsageError(f"`{field.name}`: {error.message}", hint=error.hint) from None
    if not math.isfinite(found):
        raise UsageError(f"`{field.name}` {value}: no number", hint="give one such as 2 or 1.5")
    return found


def _whole(field: Field, value: Any) -> int:
    try:
        if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"`{field.name}` {value}: no whole number", hint="give one such as 2") from None


def settings_of(verb: Verb, values: Mapping[str, Any], record: type[Any]) -> dict[str, Any]:
    """The values that belong to a record, by its attributes; what belongs to the request goes there first."""
    own = {one.name for one in fields_of(record)} - REFUSED.get(record, set())
    if record is not verb.request and verb.request is not None:
        own -= {one.name for one in fields_of(verb.request)}
    by_name = {field.name: field for field in verb.fields}
    return {
        by_name[name].target: value for name, value in values.items() if by_name[name].target in own
    }  # fmt: skip


MODELS: Mapping[str, tuple[str, ...]] = {
    "model": (), "upscale_model": (), "smooth_model": SMOOTHING, "detector": (),
}  # fmt: skip
"""Fields that name a model, and the methods that they name besides those of the verb."""


def check_models(values: Mapping[str, Any], verb: Verb) -> None:
    """Whether models are named by their names and no file, folder or address is meant. Raises UsageError."""
    for step in values.get("steps", ()):
        check_models(step, STEPS[step["verb"]])
    for field in verb.fields:
        if field.name in MODELS and field.name in values:
            _check_model(field.name, values[field.name], verb)


def _check_model(field: str, name: Any, verb: Verb) -> None:
    from imgfix.zoo import catalog

    if name in ("auto", *verb.methods, *MODELS[field]):
        return
    if name not in {entry.name for entry in (*catalog.entries(), *catalog.imported())}:
        raise UsageError(f"`{field}` {name}: no such model", hint="see /v1/models")
