"""Sounds as pictures: logarithmic mel spectrograms."""

from __future__ import annotations

import torch
from torch import Tensor

RATE, WINDOW, HOP, BANDS, FRAMES = 16_000, 1024, 320, 64, 128
"""Samples a second; samples of a window and between two; mel bands; frames of one look (2.56 seconds)."""


def log_mel(samples: Tensor) -> Tensor:
    """Compute the log-mel spectrogram of one sound, independent of its loudness.

    Args:
        samples: (S,) float32 at 16 kHz.

    Returns:
        (BANDS, T) float32, about [-1, 1]: the loudest cell is 1, what is 80 dB softer or more is -1. T is at least 1,
        one frame each 20 ms.
    """
    missing = WINDOW - len(samples)
    if missing > 0:
        samples = torch.nn.functional.pad(samples, (0, missing))
    window = torch.hann_window(WINDOW, device=samples.device)
    spectrum = torch.stft(samples, WINDOW, HOP, window=window, center=False, return_complex=True).abs().square()
    power = _bands(samples.device) @ spectrum
    decibels = 10 * torch.log10(power.clamp_min(1e-10))
    return ((decibels - decibels.max()).clamp_min(-80) / 40 + 1).contiguous()


def looks(spectrogram: Tensor, most: int = 4) -> Tensor:
    """Cut a spectrogram into windows to listen to: (1 .. most, 1, BANDS, FRAMES); a short sound is padded with silence.

    Of a long sound the windows with the most energy are taken.
    """
    frames = spectrogram.shape[1]
    if frames <= FRAMES:
        return torch.nn.functional.pad(spectrogram, (0, FRAMES - frames), value=-1.0)[None, None]
    starts = list(range(0, frames - FRAMES + 1, FRAMES // 2))
    loudest = sorted(starts, key=lambda s: -float(spectrogram[:, s : s + FRAMES].mean()))[:most]
    return torch.stack([spectrogram[None, :, s : s + FRAMES] for s in sorted(loudest)])


def _bands(device: torch.device) -> Tensor:
    """Triangular filters that are evenly spaced in mel (O'Shaughnessy 1987): (BANDS, WINDOW / 2 + 1)."""
    top = 2595 * torch.log10(torch.tensor(1 + RATE / 2 / 700))
    edges = 700 * (10 ** (torch.linspace(0, float(top), BANDS + 2) / 2595) - 1)
    frequencies = torch.linspace(0, RATE / 2, WINDOW // 2 + 1)
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp_min(0).to(device)
