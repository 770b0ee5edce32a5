"""Sound files as samples: wav, ogg, flac, mp3 and whatever else FFmpeg reads, through PyAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imgfix.errors import InputError

RATE = 16_000
"""Samples a second that every sound is brought to."""


def read_sound(path: Path | str, *, seconds: float = 20.0, rate: int = RATE) -> np.ndarray:
    """Decode the start of a sound file: one channel, float32 in about [-1, 1].

    Args:
        path: any file with an audio stream, a film's too.
        seconds: how much of it is read at most.
        rate: samples a second of the result.

    Raises:
        InputError: there is no such file, it is damaged, it has no sound, or nothing but silence.
    """
    import av

    from imgfix.media.video.opening import reading

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such sound file")
    parts: list[np.ndarray] = []
    wanted = int(seconds * rate)
    try:
        with reading(path) as container:
            if not container.streams.audio:
                raise InputError(f"{path}: no sound in it", hint="give a wav, ogg, flac or mp3 file")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
            for frame in container.decode(audio=0):
                parts += [one.to_ndarray().reshape(-1) for one in resampler.resample(frame)]
                if sum(map(len, parts)) >= wanted:
                    break
            else:
                parts += [one.to_ndarray().reshape(-1) for one in resampler.resample(None)]
    except (av.FFmpegError, ValueError, OSError) as error:
        if not parts:
            raise InputError(
                f"{path}: not a readable sound file", hint="give a wav, ogg, flac or mp3 file that plays"
            ) from error
    samples = np.concatenate(parts)[:wanted] if parts else np.zeros(0, np.float32)
    if len(samples) < rate // 50 or float(np.abs(samples).max()) < 1e-4:
        raise InputError(f"{path}: nothing but silence", hint="give a sound that can be heard")
    return samples.astype(np.float32)
