"""The kinds of things that are laid over pictures, each as a function that draws some."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from imgfix.train.overlays import wording
from imgfix.train.overlays.assets import Assets, sticker
from imgfix.train.overlays.layer import Layer, region_of, resized, turned
from imgfix.train.overlays.lettering import JOIN, Colour, Style, write_line

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_DISPLAY = ((255, 140, 20), (255, 90, 20), (255, 60, 40), (250, 200, 40), (255, 240, 90), (120, 230, 90))
"""Colours of the dates that cameras print."""


@dataclass(frozen=True)
class Sheet:
    """The picture that is drawn on, and what it is drawn from."""

    width: int
    height: int
    assets: Assets
    rng: np.random.Generator

    @property
    def side(self) -> int:
        """The shorter side in pixels, which sizes are parts of."""
        return min(self.width, self.height)

    def chance(self, share: float) -> bool:
        """True so often."""
        return bool(self.rng.random() < share)

    def between(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self.rng.uniform(low, high))

    def colour(self) -> Colour:
        """White and black often, else any, most of them strong."""
        dice = self.rng.random()
        if dice < 0.35:
            return _WHITE
        if dice < 0.45:
            return _BLACK
        red, green, blue = colorsys.hsv_to_rgb(self.rng.random(), self.between(0.3, 1), self.between(0.35, 1))
        return round(red * 255), round(green * 255), round(blue * 255)

    def font(self, alphabet: str = "latin") -> Path | None:
        """Some font with an alphabet's letters."""
        fonts = self.assets.fonts[alphabet]
        return fonts[int(self.rng.integers(len(fonts)))]

    def alphabet(self) -> str:
        """Latin mostly, else another one that there is a font for."""
        others = [name for name, fonts in self.assets.fonts.items() if fonts and name not in ("latin", "digits")]
        return str(self.rng.choice(others)) if others and self.chance(0.2) else "latin"


def _placed(kind: str, rgba: np.ndarray, left: float, top: float, gap: float = 0.0) -> Layer:
    alpha = rgba[..., 3]
    return Layer(kind, rgba[..., :3], alpha, region_of(alpha, gap), round(left), round(top))


def _fitted(sheet: Sheet, text: str, font: Path | None, size: int, style: Style, widest: float) -> np.ndarray:
    """A line that is no wider than a part of the picture; smaller letters where it would be."""
    found = write_line(text, font, size, style)
    if found.shape[1] > widest * sheet.width and size > 8:
        found = write_line(text, font, max(8, int(size * widest * sheet.width / found.shape[1])), style)
    return found


def date(sheet: Sheet) -> list[Layer]:
    """A date in a corner, as cameras print it."""
    text = wording.date(sheet.rng)
    segments = sheet.assets.segments
    font = segments[int(sheet.rng.integers(len(segments)))] if segments and sheet.chance(0.55) else sheet.font("digits")
    size = max(9, round(sheet.between(0.025, 0.07) * sheet.side))
    colour = _DISPLAY[int(sheet.rng.integers(len(_DISPLAY)))] if sheet.chance(0.75) else sheet.colour()
    style = Style(
        colour,
        alpha=sheet.between(0.75, 1),
        glow=sheet.between(0.02, 0.1) if sheet.chance(0.45) else 0,
        outline=0.08 if sheet.chance(0.12) else 0,
        outline_colour=(200, 40, 20) if sheet.chance(0.5) else _BLACK,
    )
    rgba = _fitted(sheet, text, font, size, style, 0.6)
    h, w = rgba.shape[:2]
    x, y = sheet.between(0.01, 0.09) * sheet.width, sheet.between(0.01, 0.09) * sheet.height
    left = sheet.width - w - x if sheet.chance(0.7) else x
    top = sheet.height - h - y if sheet.chance(0.82) else y
    return [_placed("date", rgba, left, top, JOIN * size)]


def subtitle(sheet: Sheet) -> list[Layer]:
    """One or two lines at the foot of the picture."""
    alphabet, size = sheet.alphabet(), round(sheet.between(0.035, 0.085) * sheet.side)
    colour = _WHITE if sheet.chance(0.65) else (255, 230, 60) if sheet.chance(0.6) else sheet.colour()
    boxed = sheet.chance(0.2)
    style = Style(
        colour,
        outline=0.0 if boxed else sheet.between(0.05, 0.11) if sheet.chance(0.8) else 0.0,
        outline_colour=_BLACK if sum(colour) > 250 else _WHITE,
        shadow=sheet.between(0.04, 0.1) if sheet.chance(0.3) else 0.0,
        box=sheet.between(0.4, 1.0) if boxed else 0.0,
        margin=sheet.between(0.12, 0.4),
    )
    font, found = sheet.font(alphabet), []
    bottom = sheet.height * (1 - sheet.between(0.02, 0.1)) if sheet.chance(0.92) else sheet.height * 0.16
    for _ in range(2 if sheet.chance(0.45) else 1):
        text = wording.words(sheet.rng, int(sheet.rng.integers(2, 8)), alphabet)
        rgba = _fitted(sheet, text, font, max(9, size), style, 0.92)
        if not rgba.size:
            continue
        found.append(_placed("subtitle", rgba, (sheet.width - rgba.shape[1]) / 2, bottom - rgba.shape[0], JOIN * size))
        bottom -= size * 1.2
    return found


def caption(sheet: Sheet) -> list[Layer]:
    """A large line, as on memes, banners, adverts and story pictures; perhaps turned."""
    alphabet = sheet.alphabet()
    size = round(sheet.between(0.05, 0.17) * sheet.side)
    colour, boxed = sheet.colour(), sheet.chance(0.3)
    style = Style(
        colour,
        alpha=sheet.between(0.85, 1),
        outline=sheet.between(0.04, 0.1) if not boxed and sheet.chance(0.5) else 0.0,
        outline_colour=_BLACK if sum(colour) > 380 else _WHITE,
        shadow=sheet.between(0.04, 0.12) if sheet.chance(0.3) else 0.0,
        box=sheet.between(0.6, 1) if boxed else 0.0,
        box_colour=sheet.colour() if sheet.chance(0.6) else _BLACK,
        margin=sheet.between(0.1, 0.5),
    )
    font, degrees = sheet.font(alphabet), sheet.between(-40, 40) if sheet.chance(0.15) else 0.0
    left, top = sheet.between(0.02, 0.4) * sheet.width, sheet.between(0.02, 0.85) * sheet.height
    centred, found = sheet.chance(0.6), []
    for _ in range(1 if degrees else int(sheet.rng.integers(1, 4))):
        text = wording.words(sheet.rng, int(sheet.rng.integers(1, 5)), alphabet)
        rgba = _fitted(sheet, text, font, size, style, 0.95)
        if not rgba.size:
            continue
        if degrees:
            rgba = turned(rgba, degrees)
        x = (sheet.width - rgba.shape[1]) / 2 if centred else min(left, sheet.width - rgba.shape[1])
        found.append(_placed("caption", rgba, x, top, JOIN * size))
        top += rgba.shape[0] * (1.0 if boxed else 0.85)
    return found


def stickers(sheet: Sheet) -> list[Layer]:
    """An emoji or a piece of clip art, some with a white border or a shadow; or several small ones."""
    if not sheet.assets.stickers:
        return []
    several, found = sheet.chance(0.25), []
    for _ in range(int(sheet.rng.integers(2, 5)) if several else 1):
        rgba = sticker(sheet.assets.stickers[int(sheet.rng.integers(len(sheet.assets.stickers)))])
        side = (sheet.between(0.06, 0.16) if several else sheet.between(0.08, 0.5)) * sheet.side
        factor = side / max(rgba.shape[:2])
        rgba = resized(rgba, max(6, round(rgba.shape[1] * factor)), max(6, round(rgba.shape[0] * factor)))
        if sheet.chance(0.5):
            rgba = rgba[:, ::-1]
        if sheet.chance(0.4):
            rgba = turned(rgba, sheet.between(-35, 35))
        if sheet.chance(0.2):
            rgba = _bordered(rgba, max(2, round(sheet.between(0.02, 0.05) * side)))
        if sheet.chance(0.12):
            rgba = np.concatenate([rgba[..., :3], rgba[..., 3:] * sheet.between(0.6, 0.95)], axis=-1)
        left = sheet.between(-0.1, 1) * sheet.width - rgba.shape[1] * 0.4
        top = sheet.between(-0.05, 1) * sheet.height - rgba.shape[0] * 0.4
        found.append(_placed("sticker", rgba, left, top))
    return found


def _bordered(rgba: np.ndarray, width: int) -> np.ndarray:
    """With a white border and a faint shadow, as cut from a sheet of stickers."""
    room = 2 * width + 2
    padded = np.pad(rgba, ((room, room), (room, room), (0, 0)))
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    wide = cv2.GaussianBlur(cv2.dilate(padded[..., 3], brush), (0, 0), 0.6)
    part = (padded[..., 3] / np.maximum(wide, 1e-4)).clip(0, 1)[..., None]
    rgb = padded[..., :3] * part + 255 * (1 - part)
    shadow = 0.45 * np.roll(cv2.GaussianBlur(wide, (0, 0), width), (width // 2, width // 2), (0, 1))
    whole = wide + shadow * (1 - wide)
    rgb *= (wide / np.maximum(whole, 1e-4))[..., None]
    return np.concatenate([rgb, whole[..., None]], axis=-1).astype(np.float32)


def stamp(sheet: Sheet) -> list[Layer]:
    """A rubber stamp: a ring or a frame of ink with writing in it."""
    size = round(sheet.between(0.06, 0.13) * sheet.side)
    ink = ((200, 30, 40), (30, 60, 170), (20, 20, 30), (20, 120, 60))[int(sheet.rng.integers(4))]
    text = wording.words(sheet.rng, 1) if sheet.chance(0.6) else wording.date(sheet.rng)
    line = write_line(text.upper(), sheet.font(), size, Style(ink))
    if not line.size:
        return []
    h, w = line.shape[:2]
    thick = max(2, size // 10)
    if sheet.chance(0.5):
        across, down = w + size, h + size // 2
        alpha = np.zeros((down, across), np.float32)
        cv2.rectangle(alpha, (thick, thick), (across - thick - 1, down - thick - 1), 1.0, thick, cv2.LINE_AA)
    else:
        across = down = round(1.25 * max(w, h)) + 2 * thick
        alpha = np.zeros((down, across), np.float32)
        for radius in (across // 2 - thick - 1, across // 2 - 4 * thick):
            if radius > thick:
                cv2.circle(alpha, (across // 2, down // 2), radius, 1.0, thick, cv2.LINE_AA)
    y, x = (down - h) // 2, (across - w) // 2
    alpha[y : y + h, x : x + w] = np.maximum(alpha[y : y + h, x : x + w], line[..., 3])
    if sheet.chance(0.6):  # ink that did not reach the paper everywhere
        rough = cv2.resize(sheet.rng.random((down // 3 + 1, across // 3 + 1), np.float32), (across, down))
        alpha *= np.clip(rough * 2.2, 0.25, 1)
    rgba = np.empty((down, across, 4), np.float32)
    rgba[..., :3], rgba[..., 3] = ink, alpha * sheet.between(0.6, 1)
    rgba = turned(rgba, sheet.between(-30, 30))
    if rgba.shape[1] > 0.7 * sheet.width:
        factor = 0.7 * sheet.width / rgba.shape[1]
        rgba = resized(rgba, round(rgba.shape[1] * factor), round(rgba.shape[0] * factor))
    left = sheet.between(0, 1) * max(1, sheet.width - rgba.shape[1])
    top = sheet.between(0, 1) * max(1, sheet.height - rgba.shape[0])
    return [_placed("stamp", rgba, left, top, 0.9 * size)]


def logo(sheet: Sheet) -> list[Layer]:
    """A mark of a channel, a photographer or an agency, most of them let the picture through; in a corner or tiled."""
    if sheet.chance(0.2):
        return _tiled(sheet)
    alpha = sheet.between(0.3, 1.0)
    size = round(sheet.between(0.035, 0.09) * sheet.side)
    ink = _WHITE if sheet.chance(0.6) else sheet.colour()
    parts: list[np.ndarray] = []
    drawn = sheet.chance(0.65)
    if drawn:
        parts.append(_sign(sheet, round(size * sheet.between(1.2, 3.0)), ink))
    if not drawn or sheet.chance(0.6):
        style = Style(ink, shadow=0.06 if sheet.chance(0.3) else 0)
        parts.append(_fitted(sheet, wording.name(sheet.rng), sheet.font(), max(9, size), style, 0.5))
    rgba = _joined([part for part in parts if part.size], across=sheet.chance(0.6))
    rgba = np.concatenate([rgba[..., :3], rgba[..., 3:] * alpha], axis=-1)
    h, w = rgba.shape[:2]
    if sheet.chance(0.75):
        x, y = sheet.between(0.01, 0.07) * sheet.width, sheet.between(0.01, 0.07) * sheet.height
        left = x if sheet.chance(0.5) else sheet.width - w - x
        top = y if sheet.chance(0.5) else sheet.height - h - y
    else:
        left, top = sheet.between(0, 1) * max(1, sheet.width - w), sheet.between(0, 1) * max(1, sheet.height - h)
    return [_placed("logo", rgba, left, top, 0.8 * size)]


def _sign(sheet: Sheet, side: int, ink: Colour) -> np.ndarray:
    """A simple sign, or a sticker in one colour."""
    side = max(12, side)
    if sheet.assets.stickers and sheet.chance(0.35):
        shape = sticker(sheet.assets.stickers[int(sheet.rng.integers(len(sheet.assets.stickers)))])
        factor = side / max(shape.shape[:2])
        found = resized(shape, max(4, round(shape.shape[1] * factor)), max(4, round(shape.shape[0] * factor)))
        if sheet.chance(0.6):
            found[..., :3] = np.mean(found[..., :3], axis=-1, keepdims=True)
        return found
    alpha = np.zeros((4 * side, 4 * side), np.float32)
    middle, radius = 2 * side, int(1.8 * side)
    thick = -1 if sheet.chance(0.5) else max(2, side // 3)
    form = int(sheet.rng.integers(4))
    if form == 0:
        cv2.circle(alpha, (middle, middle), radius, 1.0, thick)
    elif form == 1:
        cv2.rectangle(alpha, (middle - radius, middle - radius), (middle + radius, middle + radius), 1.0, thick)
    else:
        count = int(sheet.rng.integers(3, 9))
        angles = np.arange(2 * count if form == 3 else count) * (np.pi / count if form == 3 else 2 * np.pi / count)
        reach = np.where(np.arange(len(angles)) % 2 == 0, radius, radius * (0.45 if form == 3 else 1.0))
        points = middle + reach[:, None] * np.stack([np.sin(angles), -np.cos(angles)], axis=1)
        cv2.fillPoly(alpha, [points.astype(np.int32)], 1.0)
    if thick == -1 and sheet.chance(0.5):
        cv2.circle(alpha, (middle, middle), int(radius * sheet.between(0.3, 0.6)), 0.0, -1)
    rgba = np.empty((side, side, 4), np.float32)
    rgba[..., :3] = ink
    rgba[..., 3] = cv2.resize(alpha, (side, side), interpolation=cv2.INTER_AREA)
    return rgba


def _joined(parts: list[np.ndarray], across: bool) -> np.ndarray:
    """Drawings beside or below each other, in the middle of each other."""
    axis, other = (1, 0) if across else (0, 1)
    room = max(part.shape[other] for part in parts)
    padded = []
    for part in parts:
        missing = room - part.shape[other]
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[other] = (missing // 2, missing - missing // 2)
        padded.append(np.pad(part, pad))
    return np.concatenate(padded, axis=axis)


def _tiled(sheet: Sheet) -> list[Layer]:
    """The same faint words again and again, or once, large, across the picture."""
    text, font = wording.name(sheet.rng), sheet.font()
    once = sheet.chance(0.5)
    size = round((sheet.between(0.09, 0.2) if once else sheet.between(0.035, 0.07)) * sheet.side)
    ink = _WHITE if sheet.chance(0.75) else _BLACK
    style = Style(ink, alpha=sheet.between(0.25, 0.6))
    rgba = _fitted(sheet, text, font, size, style, 0.9 if once else 0.4)
    if not rgba.size:
        return []
    rgba = turned(rgba, sheet.between(20, 45) if sheet.chance(0.7) else 0.0)
    h, w = rgba.shape[:2]
    if once:
        return [_placed("logo", rgba, (sheet.width - w) / 2, (sheet.height - h) / 2, JOIN * size)]
    step_x, step_y = w * sheet.between(1.1, 2), h * sheet.between(1.1, 2)
    return [
        _placed("logo", rgba, x, y, JOIN * size)
        for y in np.arange(sheet.between(0, 0.5) * step_y, sheet.height - 0.6 * h, step_y)
        for x in np.arange(sheet.between(0, 0.5) * step_x, sheet.width - 0.6 * w, step_x)
    ]


def frame(sheet: Sheet) -> list[Layer]:
    """Bars of one colour along the edges: a frame, or above and below, or at both sides."""
    colour = _BLACK if sheet.chance(0.4) else _WHITE if sheet.chance(0.5) else sheet.colour()
    thick = round(sheet.between(0.025, 0.14) * sheet.side)
    form = int(sheet.rng.integers(4))
    bars = []
    if form != 1:
        bars += [(0, 0, sheet.width, thick), (0, sheet.height - thick, sheet.width, thick)]
    if form != 2:
        bars += [(0, 0, thick, sheet.height), (sheet.width - thick, 0, thick, sheet.height)]
    found = []
    for left, top, w, h in bars:
        rgb = np.empty((h, w, 3), np.float32)
        rgb[:] = colour
        found.append(Layer("frame", rgb, np.ones((h, w), np.float32), np.ones((h, w), bool), left, top))
    return found
