"""The door to large diffusion models: any pipeline that `diffusers` can load, from a folder or a hub."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imgfix.errors import DownloadError, MissingExtraError, ModelError, UsageError
from imgfix.media.picture import Picture
from imgfix.runtime import device as devices
from imgfix.tasks.squares import on_white

HUB = "hf:"


def is_diffusion(name: str) -> bool:
    """Whether a model's name means a diffusion pipeline: `hf:organisation/name`, or a folder with model_index.json."""
    return name.startswith(HUB) or (Path(name).expanduser() / "model_index.json").is_file()


@dataclass(frozen=True)
class DiffusionOptions:
    """How a pipeline is run; `None` leaves a setting to the pipeline."""

    steps: int | None = None
    """Denoising steps."""
    guidance: float | None = None
    """How strictly the prompt is followed (classifier-free guidance)."""
    negative: str | None = None
    """What should not be in the picture."""
    width: int | None = None
    height: int | None = None
    low_memory: bool = False
    """Compute attention and the decoder in slices; on an accelerator keep there only what computes."""

    def __post_init__(self) -> None:
        for name in ("steps", "width", "height"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} {value}: must be at least 1")
        for name in ("width", "height"):
            if (getattr(self, name) or 8) % 8:
                raise UsageError(f"--{name} {getattr(self, name)}: must be a multiple of 8")
        if self.guidance is not None and self.guidance < 0:
            raise UsageError(f"`guidance` {self.guidance:g}: must not be negative")


class Diffusion:
    """A diffusion pipeline, ready to draw; nothing but safetensors weights is read.

    Args:
        name: `hf:organisation/name`, or a folder that `save_pretrained` made.
        device, precision: as on the command line.
        offline: never ask the hub.

    Raises:
        MissingExtraError: diffusers is not installed.
        ModelError: the folder holds no pipeline that can be loaded.
        DownloadError: the hub cannot be reached, does not have it, or must not be asked.
    """

    def __init__(self, name: str, device: str = "auto", precision: str = "auto", *, offline: bool = False) -> None:
        try:
            import diffusers
        except ImportError:
            raise MissingExtraError("drawing with a diffusion model", "diffusion") from None
        self._diffusers = diffusers
        self.name = name
        self.placement = devices.select(device, precision)
        on_hub = name.startswith(HUB)
        source = name.removeprefix(HUB) if on_hub else str(Path(name).expanduser())
        kind = torch.float32 if self.placement.on_cpu else self.placement.dtype
        settings = {"torch_dtype": kind, "use_safetensors": True, "local_files_only": offline or not on_hub}
        try:
            self._text: Any = diffusers.DiffusionPipeline.from_pretrained(source, **settings)
        except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
            words = " ".join(str(error).split())[:200]
            if on_hub:
                hint = "leave out `offline` to fetch it" if offline else "is the name right, and the hub within reach?"
                raise DownloadError(f"{name}: cannot be fetched ({words})", hint=hint) from error
            raise ModelError(f"{name}: not a diffusion pipeline that can be loaded ({words})") from error
        self._text.set_progress_bar_config(disable=True)
        if hasattr(self._text, "safety_checker") and getattr(self._text, "safety_checker", None) is None:
            self._text.register_to_config(requires_safety_checker=False)

    def draw(
        self,
        prompt: str,
        seed: int = 0,
        options: DiffusionOptions | None = None,
        *,
        picture: Picture | None = None,
        mask: np.ndarray | None = None,
        strength: float = 0.5,
    ) -> np.ndarray:
        """Draw from a prompt; from a prompt and a picture; or fill a part of a picture as a prompt says.

        Args:
            prompt: what to draw.
            seed: equal seeds give equal pictures.
            options: steps, guidance, size ...
            picture: what to start from.
            mask: (H, W) in [0, 1], 1 where the picture is to be filled; outside it the result is the picture itself.
            strength: how far the result may be from the picture, 0 to 1.

        Returns:
            (H, W, 3) uint8; of the picture's size where there is one.

        Raises:
            UsageError: the pipeline cannot do that.
        """
        options = options or DiffusionOptions()
        run = self._pipeline(picture is not None, mask is not None)
        self._place(run, options.low_memory)
        given: dict[str, Any] = {"prompt": prompt, "generator": torch.Generator("cpu").manual_seed(seed)}
        given |= {"num_inference_steps": options.steps, "guidance_scale": options.guidance}
        given |= {"negative_prompt": options.negative}
        if picture is None:
            given |= {"width": options.width, "height": options.height}
        else:
            given |= self._start(picture, mask, strength)
        taken = inspect.signature(run.__call__).parameters
        said = {name: value for name, value in given.items() if value is not None}
        unknown = [name for name in said if name not in taken and "kwargs" not in taken]
        if unknown:
            raise UsageError(f"{self.name} takes no {', '.join(unknown)}", hint="leave that option out")
        drawn = np.asarray(run(**said).images[0].convert("RGB"))
        if picture is None:
            return drawn
        return self._finish(drawn, picture, mask)

    def _pipeline(self, starts: bool, fills: bool) -> Any:
        """The pipeline for a job, made of the same parts."""
        if not starts:
            return self._text
        auto = "AutoPipelineForInpainting" if fills else "AutoPipelineForImage2Image"
        try:
            made = getattr(self._diffusers, auto).from_pipe(self._text)
        except (ValueError, AttributeError, OSError) as error:
            job = "fill parts of pictures" if fills else "start from a picture"
            raise UsageError(f"{self.name} cannot {job}", hint="choose another diffusion model") from error
        made.set_progress_bar_config(disable=True)
        return made

    def _place(self, run: Any, low_memory: bool) -> None:
        if low_memory:
            for name in ("enable_attention_slicing", "enable_vae_slicing", "enable_vae_tiling"):
                if hasattr(run, name):
                    getattr(run, name)()
        if low_memory and not self.placement.on_cpu:
            run.enable_model_cpu_offload(device=self.placement.device)  # needs accelerate, which says so
        else:
            run.to(self.placement.device)

    def _start(self, picture: Picture, mask: np.ndarray | None, strength: float) -> dict[str, Any]:
        from PIL import Image

        rgb = Image.fromarray(_rgb(picture))
        size = max(64, round(rgb.width / 8) * 8), max(64, round(rgb.height / 8) * 8)
        given: dict[str, Any] = {"image": rgb.resize(size, Image.Resampling.LANCZOS), "strength": strength}
        if mask is not None:
            white = Image.fromarray((np.clip(mask, 0, 1) * 255).round().astype(np.uint8))
            given |= {"mask_image": white.resize(size), "width": size[0], "height": size[1]}
        return given

    def _finish(self, drawn: np.ndarray, picture: Picture, mask: np.ndarray | None) -> np.ndarray:
        """Bring a result to the picture's size; what lies outside the mask is the picture, bit for bit."""
        from PIL import Image

        own = _rgb(picture)
        if drawn.shape != own.shape:
            drawn = np.asarray(Image.fromarray(drawn).resize((picture.width, picture.height), Image.Resampling.LANCZOS))
        if mask is None:
            return drawn
        part = np.clip(mask, 0, 1)[..., None]
        return (own + (drawn.astype(np.float32) - own) * part).round().astype(np.uint8)


def _rgb(picture: Picture) -> np.ndarray:
    """The picture as (H, W, 3) uint8 on white."""
    pixels = picture.pixels if picture.pixels.dtype == np.uint8 else (picture.pixels >> 8).astype(np.uint8)
    if picture.alpha is not None:
        alpha = picture.alpha if picture.alpha.dtype == np.uint8 else (picture.alpha >> 8).astype(np.uint8)
        pixels = np.dstack([np.broadcast_to(pixels, (*pixels.shape[:2], 3)), alpha])
    return on_white(pixels)
