"""Sound files: formats, rates, and what is no sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from imgfix.errors import InputError
from imgfix.media.sound import RATE, read_sound
from imgfix.nets.spectrogram import BANDS, FRAMES, log_mel, looks
from tests.making import tone


def encoded(path: Path, codec: str, source: Path) -> Path:
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream(codec, rate=48000, layout="stereo")
        resampler = av.AudioResampler(format=stream.format, layout="stereo", rate=48000)
        fifo = av.AudioFifo()
        for frame in given.decode(audio=0):
            for one in resampler.resample(frame):
                one.pts = None
                fifo.write(one)
        size = stream.codec_context.frame_size or 1024
        while block := fifo.read(size, partial=True):
            made.mux(stream.encode(block))
        made.mux(stream.encode())
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.ogg", "libopus"), ("a.flac", "flac"), ("a.mp3", "libmp3lame")])
def test_every_format_gives_the_same_tone(tmp_path: Path, name: str, codec: str) -> None:
    source = tone(tmp_path / "a.wav", 880)
    for path in (source, encoded(tmp_path / name, codec, source)):
        samples = read_sound(path)
        spectrum = np.abs(np.fft.rfft(samples))
        assert abs(spectrum.argmax() * RATE / len(samples) - 880) < 5
        assert len(samples) == pytest.approx(RATE / 2, rel=0.15)


def test_only_the_start_of_a_long_sound_is_read(tmp_path: Path) -> None:
    assert len(read_sound(tone(tmp_path / "long.wav", seconds=4), seconds=1)) == RATE


@pytest.mark.parametrize("content", [b"", b"not a sound at all", b"RIFF\x00\x00\x00\x00WAVE"])
def test_what_is_no_sound_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.wav"):
        read_sound(path)


def test_a_missing_file_and_silence_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such sound file"):
        read_sound(tmp_path / "nowhere.ogg")
    silent = tone(tmp_path / "silent.wav", pitch=0)
    with pytest.raises(InputError, match="silence"):
        read_sound(silent)


def test_a_higher_tone_lies_in_a_higher_band_and_loudness_does_not_matter() -> None:
    time = torch.arange(RATE) / RATE
    low, high = (log_mel(torch.sin(2 * torch.pi * pitch * time)) for pitch in (300, 3000))
    assert low.shape[0] == BANDS
    assert int(low.mean(1).argmax()) < int(high.mean(1).argmax())
    quiet = log_mel(0.01 * torch.sin(2 * torch.pi * 300 * time))
    assert float((quiet - low).abs().max()) < 0.02
    assert float(low.max()) == 1 and float(low.min()) >= -1


@pytest.mark.parametrize("frames", [1, FRAMES, FRAMES + 1, 10 * FRAMES])
def test_looks_have_one_size_whatever_the_length(frames: int) -> None:
    found = looks(torch.zeros(BANDS, frames))
    assert found.shape[1:] == (1, BANDS, FRAMES) and 1 <= len(found) <= 4
