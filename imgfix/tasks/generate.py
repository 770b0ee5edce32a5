"""Generation: from words, a class, a sound or a picture to a picture, the same bytes for the same seed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgfix.errors import ModelError, UsageError
from imgfix.media.sound import read_sound
from imgfix.nets import spectrogram
from imgfix.nets.words import split
from imgfix.runtime import device as devices
from imgfix.tasks.recolour import recolour
from imgfix.tasks.remembered import CaptionedMemory, Drawing
from imgfix.tasks.several import several
from imgfix.zoo.descriptor import Descriptor, Model

LARGEST_SEED = 2**63 - 1
WEIGHT_OF_CLASS, WEIGHT_OF_CHANCE = 0.6, 0.2
"""Of the vector of a class beside words: where it was asked for, and where the seed chose it."""
_NEXT_POSE = 0x9E3779B97F4A7C15 % LARGEST_SEED
"""What the seed of each further drawing on a square is larger by: far from the seeds that a user counts through."""


@dataclass(frozen=True)
class GenerationRequest:
    """What a picture should be; at least one of them is given."""

    prompt: str | None = None
    """Words."""
    label: str | None = None
    """Name of a class."""
    sound: Path | None = None
    """A sound file."""
    image: Path | None = None
    """A picture to start from."""
    strength: float = 0.5
    """How far the result may be from that picture, 0 to 1 (where the model draws words, too)."""

    def __post_init__(self) -> None:
        if self.prompt is not None and not split(self.prompt):
            raise UsageError(
                f"the prompt {self.prompt!r} holds no word", hint='say what to draw: imgfix generate "a red apple"'
            )
        if not 0 <= self.strength <= 1:
            raise UsageError(f"`strength` {self.strength:g} is out of range", hint="choose 0 to 1")
        if self.prompt is None and self.label is None and self.sound is None and self.image is None:
            raise UsageError(
                "nothing says what to draw", hint="give a prompt, `label`, `sound` or `image`, or `like` an old picture"
            )


class Generator:
    """A generating model, ready to draw.

    Pictures are computed one at a time, so that a picture depends on its wish and seed alone and never on what else is
    drawn in the same call.

    Args:
        model: of the task `generate`.
        device: as on the command line; arithmetic is in fp32.

    Raises:
        ModelError: the model is for another task.
        UsageError: the device is not there.
    """

    def __init__(self, model: Model, device: str = "auto") -> None:
        if model.descriptor.task != "generate" or not hasattr(model.net, "draw"):
            raise ModelError(
                f"{model.descriptor.name} does not draw from words",
                hint="imgfix weights list shows models that generate",
            )
        self.placement = devices.select(device, "fp32", model.descriptor)
        if self.placement.on_cpu:
            devices.respect_quota()
        self.model = model
        self.net: Any = model.net.to(self.placement.device)
        self._latest: tuple[tuple[GenerationRequest, int, float] | None, Drawing | None] = None, None

    @property
    def descriptor(self) -> Descriptor:
        """What the model says of itself."""
        return self.model.descriptor

    @property
    def side(self) -> int:
        """Pixels of a side of what it draws."""
        return int(self.net.side)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes it knows."""
        return self.net.conditions.classes

    @cached_property
    def draws_words(self) -> bool:
        """Whether it takes a prompt."""
        return self.net.conditions.words is not None

    @cached_property
    def memory(self) -> CaptionedMemory | None:
        """Its memory of captioned pictures; None where it has none, or does not keep the captions."""
        plan = getattr(self.net, "plan", None)
        return CaptionedMemory(self.net) if getattr(plan, "captions", None) is not None else None

    def check(self, wish: GenerationRequest) -> None:
        """Find out whether the model can be asked this.

        Raises:
            UsageError: it takes no prompt, sound or picture, or does not know the class (the nearest are named).
        """
        name = self.descriptor.name
        if wish.prompt is not None and not self.draws_words:
            raise UsageError(f"{name} takes no prompt", hint=f"give `label`: {_listed(self.classes)}")
        if wish.label is not None and wish.label not in self.classes:
            if not self.classes:
                raise UsageError(f"{name} knows no classes", hint="give a prompt instead")
            near = difflib.get_close_matches(wish.label.lower(), self.classes, n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it knows: {_listed(self.classes)}"
            raise UsageError(f"'{wish.label}' is not a class of {name}", hint=hint)
        if wish.sound is not None and self.net.conditions.sound is None:
            raise UsageError(f"{name} does not listen to sounds", hint="leave `sound` out, or train with sounds")
        if wish.image is not None and not hasattr(self.net, "encode"):
            raise UsageError(f"{name} does not start from a picture", hint="train one: imgfix train translate")

    def unknown_words(self, prompt: str) -> list[str]:
        """Words of a prompt that are put together from pieces, because the model has no vector for them."""
        table = self.net.conditions.words
        return [] if table is None else [word for word in split(prompt) if not table.knows(word)]

    def misspelled(self, prompt: str) -> dict[str, str]:
        """Unknown words of a prompt, and the known ones that they are taken for, where the spelling is near."""
        table = self.net.conditions.words
        found = {word: table.near(word) for word in self.unknown_words(prompt)}
        return {word: meant for word, meant in found.items() if meant is not None}

    def _spelled(self, prompt: str) -> str:
        meant = self.misspelled(prompt)
        return " ".join(meant.get(word, word) for word in split(prompt)) if meant else prompt

    @torch.inference_mode()
    def condition(self, wish: GenerationRequest, seed: int = 0) -> Tensor:
        """Encode a wish.

        Args:
            wish: what is asked for.
            seed: chooses the class (the style of drawing) where a model that draws words has some and none is asked.

        Returns:
            (1, total) on the device.

        Raises:
            UsageError: see `check`.
            InputError: the sound cannot be read.
        """
        self.check(wish)
        encoder, device = self.net.conditions, self.placement.device
        parts: list[Tensor] = []
        if wish.prompt is not None:
            words = encoder.words.embed(self._spelled(wish.prompt))[None].to(device)
            mask = torch.ones(words.shape[:2], dtype=torch.bool, device=device)
            parts.append(encoder.text(words, mask))
        if wish.sound is not None:
            parts.append(self._heard(wish.sound))
        content = torch.stack(parts).mean(0) if parts else encoder.nothing[None]
        number = self.classes.index(wish.label) if wish.label is not None else self._class_of(seed)
        joined = encoder.join(content, {"class": torch.tensor([number], device=device)})
        if self.draws_words and self.classes:  # a style must not outweigh what is to be drawn
            joined[:, encoder.size :] *= WEIGHT_OF_CLASS if wish.label is not None else WEIGHT_OF_CHANCE
        return joined

    def _heard(self, sound: Path) -> Tensor:
        """What a sound says: (1, size)."""
        looks = spectrogram.looks(spectrogram.log_mel(torch.from_numpy(read_sound(sound))))
        device, encoder = self.placement.device, self.net.conditions.sound
        return torch.cat([encoder(look[None].to(device)) for look in looks]).mean(0, keepdim=True)

    def _class_of(self, seed: int) -> int:
        """The class that a seed asks for; -1 where classes are not styles of drawing."""
        if not self.draws_words or not self.classes:
            return -1
        return int(self.noise(seed)[0, : len(self.classes)].argmax())

    def noise(self, seed: int, truncation: float = 1.0) -> Tensor:
        """Draw the noise of a seed: (1, noise) on the device.

        Args:
            seed: 0 to 2**63 - 1.
            truncation: what the noise is multiplied by; below 1 pictures are more typical, 0 is without chance.
        """
        if not 0 <= seed <= LARGEST_SEED:
            raise UsageError(f"`seed` {seed} is out of range", hint="choose 0 or more")
        drawn = torch.randn(1, self.net.noise, generator=torch.Generator().manual_seed(seed)) * truncation
        return drawn.to(self.placement.device)

    @torch.inference_mode()
    def draw(self, wish: GenerationRequest, seed: int = 0, truncation: float = 1.0) -> np.ndarray:
        """Draw one picture.

        Returns:
            (side, side, C) uint8: grey, RGB, or RGB with opacity (not premultiplied).

        Raises:
            UsageError, InputError: see `condition`.
        """
        self.check(wish)
        if wish.image is not None:
            return finished(self._from_picture(wish, seed, truncation))
        drawing = self.drawing(wish, seed, truncation)
        if drawing is None:
            return finished(self.net.draw(self.noise(seed, truncation), self.condition(wish, seed))[0])
        return self._finished(drawing, seed, truncation)

    @torch.inference_mode()
    def drawing(self, wish: GenerationRequest, seed: int = 0, truncation: float = 1.0) -> Drawing | None:
        """Choose the remembered picture that a wish and a seed give; None where the model keeps no captions.

        Raises:
            UsageError, InputError: see `condition`.
        """
        if self.memory is None:
            return None
        key, found = self._latest
        if key == (wish, seed, truncation):  # asked for twice: to be drawn, and to be told of
            return found
        self.check(wish)
        prompt = self._spelled(wish.prompt) if wish.prompt is not None else None
        number = self.classes.index(wish.label) if wish.label is not None else -1
        heard = self._heard(wish.sound) if wish.sound is not None else None
        found = self.memory.choose(prompt, heard, number, self.noise(seed, truncation))
        if found.colour is not None:
            plain = finished(self.net.decode(found.code)[0])
            if recolour(plain, found.colour) is plain:  # it has that colour already
                found = replace(found, colour=None)
        self._latest = (wish, seed, truncation), found
        return found

    def _finished(self, drawing: Drawing, seed: int, truncation: float) -> np.ndarray:
        """Draw one remembered picture, recoloured and several times where that is asked for."""
        assert self.memory is not None
        drawn = [finished(self.net.decode(drawing.code, self._placed(drawing.places))[0])]
        for number in range(1, drawing.count):  # each in a pose of its own
            noise = self.noise((seed + number * _NEXT_POSE) % LARGEST_SEED, truncation)
            places = self.memory.pose(noise, drawing.caption or "")
            drawn.append(finished(self.net.decode(drawing.code, self._placed(places))[0]))
        if drawing.colour is not None:
            drawn = [recolour(each, drawing.colour) for each in drawn]
        return several(drawn) if drawing.count > 1 else drawn[0]

    def _placed(self, places: Tensor | None) -> Tensor | None:
        return None if places is None else places.to(self.placement.device)

    def _from_picture(self, wish: GenerationRequest, seed: int, truncation: float) -> Tensor:
        """Draw what lies between a picture and what the rest of the wish says."""
        own = self.net.encode(self._read(wish.image))
        if wish.prompt is None and wish.sound is None:
            return self.net.decode(own)[0]
        return self.net.decode(torch.lerp(own, self._code(wish, seed, truncation), wish.strength))[0]

    def _code(self, wish: GenerationRequest, seed: int, truncation: float) -> Tensor:
        """The code that a wish and a seed give: (1, codes); of the finished picture, where there is a memory."""
        drawing = self.drawing(wish, seed, truncation)
        if drawing is not None:
            pixels = torch.from_numpy(self._finished(drawing, seed, truncation)).permute(2, 0, 1)[None].float() / 255
            if pixels.shape[1] == 4:
                pixels[:, :3] *= pixels[:, 3:]
            return self.net.encode(pixels.to(self.placement.device))
        return self.net.plan(torch.cat((self.noise(seed, truncation), self.condition(wish, seed)), 1))

    def _read(self, path: Path | None) -> Tensor:
        from imgfix.media import image
        from imgfix.tasks.squares import squared

        assert path is not None
        pixels = squared(image.read(path), self.side, self.net.channels)
        return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().to(self.placement.device) / 255

    @torch.inference_mode()
    def morph(
        self, wishes: Sequence[GenerationRequest], frames: int, seeds: Sequence[int], truncation: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Draw the way from one wish to another: between codes, or between conditions and noise where there are none.

        Args:
            wishes: two.
            frames: pictures in all, the two ends among them.
            seeds: one for each end; equal ones keep everything but the wish.
        """
        if frames < 2:
            raise UsageError(f"`frames` {frames}: a way has at least 2")
        ends = list(zip(wishes, seeds, strict=True))
        parts = [number / (frames - 1) for number in range(frames)]
        eased = [part * part * (3 - 2 * part) for part in parts]
        if hasattr(self.net, "plan"):  # what is remembered is chosen abruptly; codes change smoothly
            one, other = (self._code(wish, seed, truncation) for wish, seed in ends)
            yield from (finished(self.net.decode(torch.lerp(one, other, part))[0]) for part in eased)
            return
        begin, end = (self.condition(wish, seed) for wish, seed in ends)
        first, last = (self.noise(seed, truncation) for seed in seeds)
        for part in eased:
            yield finished(self.net.draw(between(first, last, part), torch.lerp(begin, end, part))[0])


def between(first: Tensor, second: Tensor, part: float) -> Tensor:
    """Interpolate noise on a great circle, where it stays as likely as at the ends (Shoemake 1985)."""
    cosine = (first * second).sum() / (first.norm() * second.norm()).clamp_min(1e-12)
    angle = torch.acos(cosine.clamp(-1, 1))
    if float(angle) < 1e-4:
        return torch.lerp(first, second, part)
    return (torch.sin((1 - part) * angle) * first + torch.sin(part * angle) * second) / torch.sin(angle)


def finished(picture: Tensor) -> np.ndarray:
    """Turn what a network drew, (C, H, W) in about [0, 1], into (H, W, C) bytes; colours are divided by the opacity."""
    picture = picture.float().clamp(0, 1).cpu()
    if picture.shape[0] == 4:
        opacity = picture[3:]
        colours = torch.where(opacity > 0.5 / 255, picture[:3] / opacity.clamp_min(0.5 / 255), 0)
        picture = torch.cat((colours.clamp(0, 1), opacity))
    return np.ascontiguousarray((picture * 255).round().byte().permute(1, 2, 0).numpy())


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" ... ({len(names)} in all)" if len(names) > most else "")
