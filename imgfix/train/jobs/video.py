"""Training an upscaler for video: sequences of frames, damaged alike, and losses over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from imgfix.degradations import TRAINED
from imgfix.errors import InputError, UsageError
from imgfix.metrics.psnr import psnr
from imgfix.runtime.resize import downscale, resize
from imgfix.train.clips import ClipPool, detail, load_clips
from imgfix.train.compress import compress
from imgfix.train.degrade import LIGHT, Damage, damage, gaussian_downscale
from imgfix.train.job import Batch, Draw, NetIdentity
from imgfix.train.jobs.base import PairedJob
from imgfix.train.jobs.common import LossWeights, left_out, mean_of, sheet_column
from imgfix.train.motion import render
from imgfix.train.pool import Pool, find_pictures, load_photos
from imgfix.train.recipe import Recipe
from imgfix.train.split import spread

Degradation = Literal["bicubic", "gaussian", "real", "mixed"]


@dataclass(frozen=True)
class Options(LossWeights):
    """Settings of `imgfix train video`."""

    scale: int = 4
    """Output pixels per input pixel along a side."""
    frames: int = 8
    """Frames of a training sequence; gradients go back through all of them."""
    short_frames: int = 3
    """Frames of a sequence at the start, when most of what is learned is in single frames."""
    short_until: int = 0
    """Step from which sequences have their whole length."""
    degradation: Degradation = "bicubic"
    """What happens to the frames: MATLAB's bicubic shrinking (BI); a Gaussian blur of sigma 1.6, sampled every four
    pixels (BD); Real-ESRGAN's second-order damage, held or slowly drifting over the sequence; or `mixed`: per step one
    of real (50 %), bicubic (30 %) and gaussian (20 %)."""
    drift: float = 0.3
    """Chance that real damage drifts from one set of parameters to another over the sequence."""
    compression: float = 0.5
    """Chance that a sequence with real damage is also compressed as video (H.264 or MPEG-4)."""
    synthetic: float = 0.5
    """Part of the samples made by moving a camera over photos, where photos are given beside clips."""
    pixel_kind: Literal["l1", "charbonnier"] = "charbonnier"
    """Mean absolute error, or its smooth relative."""
    val_crop: int = 256
    """Largest side of a validation sequence."""


DEFAULTS = {"crop": 160, "batch": 4, "lr": 1e-3}
NET_DEFAULTS = {"basicvsr": {"lr": 1e-4}}


def build(recipe: Recipe, device: torch.device) -> VideoJob:
    """Make the job; raises ImgfixError for unusable clips, photos, models or sizes."""
    return VideoJob(recipe, device)


Sequences = list[Tensor]
"""Of each held-out sequence (T, 3, H, W)."""


class VideoJob(PairedJob[Sequences]):
    """See `imgfix.train.job.TrainJob`. `recipe.photos` are folders with clips, with photos, or with both."""

    BASELINE = "bicubic"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self.options = recipe.options or Options()
        options, scale = self.options, self.options.scale
        if recipe.input:
            raise UsageError("video training makes its damage itself", hint="give clips instead of input and target")
        if recipe.crop % scale:
            raise UsageError(f"crop = {recipe.crop} is not a multiple of the scale {scale}")
        if min(options.frames, options.short_frames) < 2:
            raise UsageError(
                f"video.frames = {options.frames}, video.short_frames = {options.short_frames}: at least 2"
            )
        self._start(task="video", key="videogate", config={"scale": scale}, check={"scale": scale})
        self._judge_by(options)
        skipped: list[str] = []
        self.clips: ClipPool | None = None
        self.photos: Pool | None = None
        held: list[Tensor] = []
        clips = load_clips(
            recipe.photos,
            frames=options.frames,
            crop=recipe.crop,
            device=device,
            held_out=recipe.val,
            fraction=recipe.val_fraction,
        )
        skipped += clips.skipped
        if len(clips.training):
            self.clips = clips.training
        held += [
            clips.held_out.sequence(i, options.val_crop, 4 * scale)
            for i in spread(len(clips.held_out), recipe.val_limit)
        ]
        if find_pictures(recipe.photos) and (options.synthetic or self.clips is None):
            side = round(1.5 * recipe.crop)
            photos = load_photos(recipe.photos, crop=side, device=device, fraction=recipe.val_fraction)
            self.photos = photos.training
            skipped += photos.skipped
            shortest = min(int(pool.heights.min()) for pool in (photos.training, photos.held_out))
            narrowest = min(int(pool.widths.min()) for pool in (photos.training, photos.held_out))
            self.side = min(round(2.6 * recipe.crop), shortest, narrowest)
            if not held:
                held = [
                    self._filmed(photos.held_out, Draw(recipe.seed, step, 0, 1, 1, device), options.frames)
                    for step in range(min(recipe.val_limit, 8))
                ]
        if self.clips is None and self.photos is None:
            raise InputError(
                f"no clips in {', '.join(recipe.photos)}",
                hint="give a folder with videos in it, or photos to move over",
            )
        if not held:
            raise InputError(
                "nothing is held out to validate on", hint="add clips, or name a folder of some with `val`"
            )
        self.validation = [(self._low(clip, number), clip) for number, clip in enumerate(held)]
        if self.clips is not None:
            count, total = len(self.clips), self.clips.megapixels
            self._facts.append(f"{count} sequences, {self.clips.frames} frames, {total:.0f} MP; {len(held)} held out")
        if self.photos is not None:
            self._facts.append(f"{len(self.photos)} photos to move over, {self.photos.megapixels:.0f} MP")
        self._facts += left_out(skipped)

    def sample(self, draw: Draw) -> Batch:
        parts, options = [], self.options
        frames = min(options.short_frames, options.frames) if draw.step < options.short_until else options.frames
        if self.clips is not None:
            parts.append(self.clips.take(draw, frames, self.recipe.crop))
        if self.photos is not None:
            parts.append(self._filmed(self.photos, draw, frames))
        if len(parts) == 2:
            made_up = draw.uniform(1, "synthetic")[:, 0] < self.options.synthetic
            target = torch.where(made_up.to(self.device)[:, None, None, None, None], parts[1], parts[0])
        else:
            target = parts[0]
        low = self._damaged(target, draw.cpu_generator, draw.generator)
        return {"clip": low, "clip_target": target, "input": low.flatten(0, 1), "target": target.flatten(0, 1)}

    def net_losses(self, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        return self.loss_terms.net_terms(networks, batch, networks["net"](batch["clip"]).flatten(0, 1), step)

    def results(self, net: nn.Module) -> Sequences:
        return [net(low).float().clamp(0, 1)[0] for low, _ in self.validation]

    def without_net(self) -> Sequences:
        pairs = [(low[0], (high.shape[-2], high.shape[-1])) for low, high in self.validation]
        return [resize(low, size, "cubic").clamp(0, 1) for low, size in pairs]

    def samples(self, made: Sequences) -> dict[str, Tensor]:
        last = [(low[0, -1:], high[0, -1:]) for low, high in self.validation[: self.recipe.sheet_rows]]
        inputs = [resize(low, (high.shape[-2], high.shape[-1]), "cubic") for low, high in last]
        return {
            "bicubic": sheet_column(inputs, 256),
            "output": sheet_column([frames[-1:] for frames in made[: len(last)]], 256),
            "target": sheet_column([high for _, high in last], 256),
        }

    def measured(self, made: Sequences) -> dict[str, float]:
        rows = []
        for flat, (_, high) in zip(made, self.validation, strict=True):
            target = high[0]
            row = {"psnr": float(psnr(flat, target, y=True, border=self.options.scale).clamp(max=100).mean())}
            rows.append(row | self.metric(flat[-1:], target[-1:]))
        return mean_of(rows)

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        low, high = batch["clip"], batch["clip_target"]
        return {
            "first input": low[:, 0],
            "last input": low[:, -1],
            "first target": high[:, 0],
            "last target": high[:, -1],
        }

    def identity(self) -> NetIdentity:
        kind = self.options.degradation
        words = {"bicubic": "bicubic", "gaussian": "Gaussian blur of sigma 1.6, sampled every four pixels"}
        facts = {
            "task": "video",
            "scale": self.options.scale,
            "degradation": words.get(kind, "real-world"),
            "facts": {"gan_trained": bool(self.options.adversarial), "expects": TRAINED[kind]},
        }
        config = self.config | ({"merged": True} if self.key == "videogate" else {})
        return NetIdentity(self.key, config, facts)

    def _filmed(self, photos: Pool, draw: Draw, frames: int) -> Tensor:
        # Of two places the one with more detail, as with clips.
        pairs = photos.take(photos.windows(replace(draw, batch=2 * draw.batch), self.side), self.side)
        levels = (pairs.permute(0, 2, 3, 1) * 255).byte()
        better = [2 * n + int(detail(levels[2 * n + 1]) > detail(levels[2 * n])) for n in range(draw.batch)]
        pictures = pairs[better]
        generator = torch.Generator().manual_seed(draw.seed_for("motion"))
        return render(pictures, frames, self.recipe.crop, generator)

    def _damaged(self, target: Tensor, cpu: torch.Generator, device: torch.Generator) -> Tensor:
        """(B, T, 3, H, W) to (B, T, 3, H / scale, W / scale): every frame of a sequence suffers the same."""
        kind, scale = self.options.degradation, self.options.scale
        if kind == "mixed":
            choice = float(torch.rand((), generator=cpu))
            kind = "real" if choice < 0.5 else "bicubic" if choice < 0.8 else "gaussian"
        count, frames = target.shape[:2]
        if kind == "bicubic":
            made = downscale(target.flatten(0, 1), scale)
        elif kind == "gaussian":
            made = gaussian_downscale(target.flatten(0, 1), scale)
        else:
            return self._spoilt(target, cpu, device)
        return made.reshape(count, frames, *made.shape[1:])

    def _spoilt(self, target: Tensor, cpu: torch.Generator, device: torch.Generator) -> Tensor:
        frames = target.shape[1]
        seeds = torch.randint(2**31, (2,), generator=cpu).tolist()
        drifts = float(torch.rand((), generator=cpu)) < self.options.drift
        model = LIGHT if float(torch.rand((), generator=cpu)) < 0.5 else Damage()
        made = []
        for index in range(frames):
            # A generator seeded alike draws the same kernels, sizes and levels; the noise itself is fresh.
            held = [damage(target[:, index], self.options.scale, model, _seeded(seeds[0]), device)]
            if drifts and index:
                share = index / (frames - 1)
                other = damage(target[:, index], self.options.scale, model, _seeded(seeds[1]), device)
                held[0] = held[0] + share * (other - held[0])
            made.append(held[0])
        low = torch.stack(made, dim=1)
        chances = torch.rand(len(low), 3, generator=cpu).tolist()
        for index, (compressed, which, strength) in enumerate(chances):
            if compressed < self.options.compression:
                codec, quality = (
                    ("h264", 16 + round(20 * strength)) if which < 0.7 else ("mpeg4", 2 + round(8 * strength))
                )
                frames_in = (low[index].permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
                back = torch.from_numpy(np.ascontiguousarray(compress(frames_in, codec, quality)))
                low[index] = back.permute(0, 3, 1, 2).to(low.device).float() / 255
        return low

    def _low(self, clip: Tensor, number: int) -> Tensor:
        """Damage a held-out sequence, the same way in every run."""
        return self._damaged(clip, _seeded(number), torch.Generator(device=clip.device).manual_seed(number))


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
