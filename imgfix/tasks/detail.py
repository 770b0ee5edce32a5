"""Gives a coarse fill the fine detail of the picture around it.

A network that fills a large hole at a fraction of its size returns the right shapes, but soft. For each small patch of
the coarse fill the most alike patch of the known picture is found, at the coarse size; what that one has beyond its own
coarse version - grain, leaves, edges - is added to the fill at full size. Neighbours that can are made to copy from
where their neighbours do, so that whole pieces of texture come over and not a mosaic.

Source of the idea: Yi et al., "Contextual Residual Aggregation for Ultra High-Resolution Image Inpainting", CVPR 2020,
arXiv 2005.09704 (there with learned attention; here with patch distances and coherent copying as in Barnes et al.,
"PatchMatch", 2009).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

PATCH = 7  # coarse pixels along a side of the patches that are compared
STEP = 3  # coarse pixels between patches of the hole
STRIDE = 2  # coarse pixels between candidates
FEATURES = 32  # numbers that describe a patch, after a principal component analysis
CANDIDATES = 40_000
COHERENT = 1.6  # a neighbour's source is taken unless it is worse than the best by more than this factor
ROUNDS = 6
CALM = 0.02  # contrast, of 1, below which patches count as equally smooth
UNLIKE = 0.12  # mean difference of two patches, of 1, from which on they have little in common
_CHUNK = 2048


def refined(rgb: np.ndarray, hole: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Enlarge a coarse fill with the detail of its surroundings.

    rgb: (H, W, 3) float32 in [0, 1], the window at full size; what is in the hole is not looked at. hole: (H, W) bool.
    coarse: (h, w, 3) float32, the whole window at the size it was filled at, known part and fill. Returns (H, W, 3)
    float32, of which the hole is of interest.
    """
    height, width = hole.shape
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    sources = _sources(hole, coarse)
    if sources is None:
        return soft
    rest = np.where(hole[..., None], 0, rgb - soft)
    return np.clip(soft + _gathered(rest, hole, sources, coarse.shape[0] / height), 0, 1)


Sources = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _sources(hole: np.ndarray, coarse: np.ndarray) -> Sources | None:
    """For a grid over the hole, where in the known picture to copy from; coarse pixels.

    Returns the grid's rows and columns (n), (m), (n, m, 2) int32 offsets (down, right), and (n, m) float32 how much of
    the detail found there is to be trusted, 0 to 1.
    """
    height, width = coarse.shape[:2]
    share = cv2.resize(hole.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    taken = (share > 0).astype(np.uint8)
    half = PATCH // 2
    # A candidate must be known all over, and a pixel beyond, where the enlarged coarse picture still draws on it.
    size = PATCH + 4
    free = cv2.dilate(taken, np.ones((size, size), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0) == 0
    free[:half] = free[-half:] = free[:, :half] = free[:, -half:] = False
    at_y, at_x = np.nonzero(free[::STRIDE, ::STRIDE])
    if len(at_y) < 64:
        return None
    at_y, at_x = at_y * STRIDE, at_x * STRIDE
    if len(at_y) > CANDIDATES:
        pick = np.linspace(0, len(at_y) - 1, CANDIDATES).astype(int)
        at_y, at_x = at_y[pick], at_x[pick]
    inside = np.nonzero(taken)
    rows = np.arange(inside[0].min(), inside[0].max() + STEP, STEP)
    columns = np.arange(inside[1].min(), inside[1].max() + STEP, STEP)
    describe = _Descriptions(coarse, at_y, at_x)
    grid_y, grid_x = np.meshgrid(rows, columns, indexing="ij")
    near = cv2.dilate(taken, np.ones((2 * STEP + 1, 2 * STEP + 1), np.uint8)) > 0
    wanted = near[np.minimum(grid_y, height - 1), np.minimum(grid_x, width - 1)]
    nearest = np.zeros(grid_y.shape, np.int64)
    nearest[wanted] = describe.nearest(grid_y[wanted], grid_x[wanted])
    offsets = np.stack([at_y[nearest] - grid_y, at_x[nearest] - grid_x], axis=-1).astype(np.int32)
    offsets, error = _coherent(offsets, grid_y, grid_x, free, describe)
    contrast = _contrast(coarse)
    y, x = np.minimum(grid_y, height - 1), np.minimum(grid_x, width - 1)
    here = contrast[y, x]
    there = contrast[np.clip(y + offsets[..., 0], 0, height - 1), np.clip(x + offsets[..., 1], 0, width - 1)]
    # Strong edges bring strong detail: none of it belongs where the fill is smooth, or unlike anything that is known.
    trust = np.minimum(1, (here + CALM) / (there + CALM)) * np.exp(-error / (3 * PATCH**2 * UNLIKE**2))
    return rows, columns, offsets, trust.astype(np.float32)


def _contrast(picture: np.ndarray) -> np.ndarray:
    """(h, w) float32: the standard deviation in the patch around each pixel, averaged over the channels."""
    mean = cv2.blur(picture, (PATCH, PATCH))
    return np.sqrt(np.maximum(cv2.blur(picture * picture, (PATCH, PATCH)) - mean * mean, 0).mean(axis=2))


class _Descriptions:
    """Short descriptions of the patches around coarse pixels, and the candidates among them."""

    def __init__(self, coarse: np.ndarray, at_y: np.ndarray, at_x: np.ndarray) -> None:
        half = PATCH // 2
        padded = cv2.copyMakeBorder(coarse, half, half, half, half, cv2.BORDER_REFLECT)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (PATCH, PATCH), axis=(0, 1))
        self.windows = windows  # (h, w, 3, PATCH, PATCH), a view
        sample = self._flat(at_y[:: max(1, len(at_y) // 4000)], at_x[:: max(1, len(at_x) // 4000)])
        self.mean = sample.mean(dim=0)
        _, _, axes = torch.linalg.svd(sample - self.mean, full_matrices=False)
        self.axes = axes[:FEATURES].T.contiguous()
        self.size = coarse.shape[:2]
        self.candidates = self.of(at_y, at_x)

    def _flat(self, y: np.ndarray, x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.windows[y, x]).reshape(len(y), -1))

    def of(self, y: np.ndarray, x: np.ndarray) -> torch.Tensor:
        """(n) rows and columns -> (n, FEATURES); positions outside are moved to the border."""
        y, x = np.clip(y, 0, self.size[0] - 1), np.clip(x, 0, self.size[1] - 1)
        parts = [
            (self._flat(y[at : at + _CHUNK], x[at : at + _CHUNK]) - self.mean) @ self.axes
            for at in range(0, len(y), _CHUNK)
        ]
        return torch.cat(parts) if parts else torch.zeros(0, self.axes.shape[1])

    def nearest(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The most alike candidate for each position."""
        asked = self.of(y, x)
        norms = self.candidates.square().sum(dim=1)
        found = [
            (norms - 2 * asked[at : at + _CHUNK] @ self.candidates.T).argmin(dim=1)
            for at in range(0, len(asked), _CHUNK)
        ]
        return torch.cat(found).numpy()


def _coherent(
    offsets: np.ndarray, grid_y: np.ndarray, grid_x: np.ndarray, free: np.ndarray, describe: _Descriptions
) -> tuple[np.ndarray, np.ndarray]:
    """Let grid points copy from where their neighbours copy from, when that is nearly as alike."""
    shape = grid_y.shape
    asked = describe.of(grid_y.ravel(), grid_x.ravel())

    def cost(candidate: np.ndarray) -> np.ndarray:
        y, x = (grid_y + candidate[..., 0]).ravel(), (grid_x + candidate[..., 1]).ravel()
        ok = (y >= 0) & (y < free.shape[0]) & (x >= 0) & (x < free.shape[1])
        ok[ok] = free[y[ok], x[ok]]
        found = np.full(len(y), np.inf, np.float32)
        found[ok] = (describe.of(y[ok], x[ok]) - asked[torch.from_numpy(ok)]).square().sum(dim=1).numpy()
        return found.reshape(shape)

    best = cost(offsets)
    limit = best * COHERENT + 1e-4
    current = best.copy()
    for turn in range(ROUNDS):
        for axis, shift in ((0, 1), (1, 1), (0, -1), (1, -1)):
            candidate = np.roll(offsets, shift, axis=axis)
            price = cost(candidate)
            # On even turns a neighbour's source wins when it is good enough, on odd turns only when it is better.
            take = price <= (limit if turn % 2 == 0 else current)
            take &= (candidate != offsets).any(axis=-1) & _agreeing(candidate, offsets)
            offsets = np.where(take[..., None], candidate, offsets)
            current = np.where(take, price, current)
    return offsets, np.where(np.isfinite(current), current, 1e3)


def _agreeing(candidate: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Where more of the four neighbours have the candidate's offset than the present one."""
    votes = np.zeros(offsets.shape[:2], np.int32)
    for axis, shift in ((0, 1), (1, 1), (0, -1), (1, -1)):
        neighbour = np.roll(offsets, shift, axis=axis)
        votes += (neighbour == candidate).all(axis=-1).astype(np.int32)
        votes -= (neighbour == offsets).all(axis=-1).astype(np.int32)
    return votes >= 0


def _gathered(rest: np.ndarray, hole: np.ndarray, sources: Sources, scale: float) -> np.ndarray:
    """Copy the fine detail for every pixel of the hole, the pieces joined softly."""
    rows, columns, offsets, trust = sources
    height, width = hole.shape
    y, x = np.nonzero(hole)
    # Where a pixel lies in the grid, and how far towards the next point.
    v = np.clip(((y + 0.5) * scale - 0.5 - rows[0]) / STEP, 0, len(rows) - 1.001)
    u = np.clip(((x + 0.5) * scale - 0.5 - columns[0]) / STEP, 0, len(columns) - 1.001)
    top, left = v.astype(np.int32), u.astype(np.int32)
    down, right = _eased(v - top), _eased(u - left)
    total = np.zeros((len(y), 3), np.float32)
    moves = np.round(offsets / scale).astype(np.int32)
    for below in (0, 1):
        for beside in (0, 1):
            share = (down if below else 1 - down) * (right if beside else 1 - right)
            point = np.minimum(top + below, len(rows) - 1), np.minimum(left + beside, len(columns) - 1)
            move = moves[point]
            source_y = np.clip(y + move[:, 0], 0, height - 1)
            source_x = np.clip(x + move[:, 1], 0, width - 1)
            total += (share * trust[point])[:, None] * rest[source_y, source_x]
    found = np.zeros(rest.shape, np.float32)
    found[y, x] = total
    return found


def _eased(part: np.ndarray) -> np.ndarray:
    """0 to 1 with a short crossing in the middle."""
    t = np.clip((part.astype(np.float32) - 0.25) * 2, 0, 1)
    return t * t * (3 - 2 * t)
