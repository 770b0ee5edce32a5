"""Training on clips: what is read, cut, made up and damaged, and that a network learns from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from imgfix import zoo
from imgfix.errors import ImgfixError, InputError
from imgfix.runtime.resize import downscale
from imgfix.train.clips import ClipPool, load_clips
from imgfix.train.compress import compress
from imgfix.train.degrade import gaussian_downscale
from imgfix.train.job import Draw
from imgfix.train.kinds import find_kind
from imgfix.train.motion import render
from imgfix.train.recipe import build_recipe

CPU = torch.device("cpu")


def plane(seed: int, height: int = 120, width: int = 200) -> np.ndarray:
    random = np.random.default_rng(seed)
    cells = np.clip(random.normal(random.integers(30, 226, 3), 50, (18, 30, 3)), 0, 255).astype(np.float32)
    return np.clip(cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def pan(seed: int, count: int, height: int = 64, width: int = 80) -> list[np.ndarray]:
    return [np.ascontiguousarray(plane(seed)[4 : 4 + height, 2 * t : 2 * t + width]) for t in range(count)]


def write(path: Path, frames: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(3):
        write(folder / f"{number}.mkv", pan(number, 6) + pan(number + 20, 4))
    (folder / "broken.mkv").write_bytes(b"no video")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(plane(number)).save(folder / f"{number}.png")
    return folder


def job_for(*folders: Path, **settings: Any) -> Any:
    layer: dict[str, Any] = {"photos": tuple(map(str, folders)), "crop": 32, "batch": 2, "device": "cpu"}
    layer |= {"frames": 3, "net_config": {"scale": 4, "channels": 8, "blocks": 1, "convolutions": 1}}
    return find_kind("video").build(build_recipe("video", [layer | settings]), CPU)


def test_clips_are_cut_at_scene_changes_and_bad_files_are_named(clips: Path) -> None:
    found = load_clips([str(clips)], frames=4, crop=32, device=CPU)
    assert len(found.training) + len(found.held_out) == 2 * 3
    assert sorted(set(found.training.sizes[:, 0].tolist())) == [4, 6]
    assert any("broken.mkv" in line for line in found.skipped)
    names = {name.split("#")[0] for name in found.training.names}
    assert not names & {name.split("#")[0] for name in found.held_out.names}


def test_a_pool_of_too_many_pixels_is_thinned_evenly(clips: Path) -> None:
    found = load_clips([str(clips)], frames=2, crop=32, device=CPU, megapixels=0.05)
    assert 0 < found.training.megapixels < 0.15


def test_one_clip_alone_cannot_be_validated_on(clips: Path) -> None:
    with pytest.raises(InputError, match="only one usable clip"):
        load_clips([str(clips / "0.mkv")], frames=2, crop=32, device=CPU)


def test_a_batch_holds_consecutive_frames_of_one_place() -> None:
    frames = np.stack(pan(0, 6))
    pool = ClipPool([frames], ["a"], CPU)
    batch = pool.take(Draw(0, 0, 0, 1, 6), 3, 32)
    assert batch.shape == (6, 3, 3, 32, 32)
    steps = (batch[:, 1:] - batch[:, :-1]).abs().mean(dim=(1, 2, 3, 4))
    assert float(steps.max()) < 0.1  # a pan of two pixels a frame, not another place
    assert float(steps.min()) > 0
    assert torch.equal(batch, pool.take(Draw(0, 0, 0, 1, 6), 3, 32))
    assert not torch.equal(batch, pool.take(Draw(0, 1, 0, 1, 6), 3, 32))


def test_clips_that_are_too_short_are_refused() -> None:
    pool = ClipPool([np.stack(pan(0, 2))], ["a"], CPU)
    with pytest.raises(InputError, match="no clip has 5 frames"):
        pool.take(Draw(0, 0, 0, 1, 1), 5, 32)


def test_a_made_up_camera_moves_smoothly_and_the_same_every_time() -> None:
    photos = torch.from_numpy(np.stack([plane(n, 96, 96) for n in range(4)])).permute(0, 3, 1, 2).float() / 255
    made = [render(photos, 4, 48, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*made)
    clip = made[0]
    assert clip.shape == (4, 4, 3, 48, 48)
    assert 0 <= float(clip.min()) <= float(clip.max()) <= 1
    near = (clip[:, 1:] - clip[:, :-1]).abs().mean()
    far = (clip[:, 3] - clip[:, 0]).abs().mean()
    assert 0 < float(near) < float(far)


def test_made_up_frames_are_equally_sharp_at_every_phase() -> None:
    noise = torch.rand(6, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    clip = render(noise, 5, 48, torch.Generator().manual_seed(1))
    sharpness = (clip[..., 1:] - clip[..., :-1]).abs().mean(dim=(0, 2, 3, 4))
    assert float(sharpness.max() / sharpness.min()) < 1.15


@pytest.mark.parametrize(("codec", "light", "heavy"), [("h264", 8, 40), ("mpeg4", 2, 25)])
def test_compression_gives_all_frames_back_and_harms_more_when_asked_to(codec: str, light: int, heavy: int) -> None:
    frames = np.stack(pan(1, 5, 39, 50))
    errors = []
    for quality in (light, heavy):
        back = compress(frames, codec, quality)
        assert back.shape == frames.shape
        errors.append(float(np.abs(back.astype(int) - frames).mean()))
    assert 0 < errors[0] < errors[1]


def test_the_gaussian_input_is_blurred_and_not_shifted() -> None:
    ramp = torch.linspace(0, 1, 64)[None, None, None, :].expand(1, 3, 64, 64)
    small = gaussian_downscale(ramp, 4)
    assert small.shape == (1, 3, 16, 16)
    # A blur leaves a ramp alone: far from the border each sample is the mean of its block.
    assert torch.allclose(small[0, 0, 8, 3:13], ramp[0, 0, 0].reshape(16, 4).mean(1)[3:13], atol=1 / 255)
    point = torch.zeros(1, 1, 64, 64)
    point[..., 33:35, 33:35] = 1  # the middle of block 8
    steps = torch.arange(-5, 9).float() - 1.5
    taps = torch.exp(-(steps**2) / (2 * 1.6**2))
    middle = float((2 * taps[6] / taps.sum()) ** 2)
    assert abs(float(gaussian_downscale(point, 4)[0, 0, 8, 8]) - middle) < 1 / 255
    noise = torch.rand(1, 3, 32, 32)
    assert torch.equal(gaussian_downscale(noise.flip(-1), 4), gaussian_downscale(noise, 4).flip(-1))


@pytest.mark.parametrize("kind", ["bicubic", "gaussian", "real", "mixed"])
def test_every_kind_of_damage_fits_its_target(kind: str, clips: Path) -> None:
    job = job_for(clips, degradation=kind, compression=1.0, drift=1.0)
    batch = job.sample(Draw(0, 0, 0, 1, 2))
    assert batch["clip"].shape == (2, 3, 3, 8, 8)
    assert batch["clip_target"].shape == (2, 3, 3, 32, 32)
    assert batch["input"].shape == (6, 3, 8, 8)
    assert 0 <= float(batch["clip"].min()) <= float(batch["clip"].max()) <= 1
    if kind == "bicubic":
        expected = downscale(batch["target"], 4)
        assert torch.equal(batch["input"], expected)


def test_real_damage_is_held_over_a_sequence(clips: Path) -> None:
    """On a still clip the frames differ by noise alone: their means over space stay together."""
    job = job_for(clips, degradation="real", compression=0.0, drift=0.0)
    still = torch.rand(2, 1, 3, 64, 64).expand(2, 4, 3, 64, 64)
    low = job._damaged(still, torch.Generator().manual_seed(3), torch.Generator().manual_seed(4))
    assert float(low.mean(dim=(2, 3, 4)).std(dim=1).max()) < 0.01


def test_photos_and_clips_are_mixed_and_either_will_do(clips: Path, photos: Path) -> None:
    both = job_for(clips, photos, synthetic=0.5)
    assert both.clips is not None
    assert both.photos is not None
    assert both.sample(Draw(0, 0, 0, 1, 2))["clip"].shape == (2, 3, 3, 8, 8)
    alone = job_for(photos)
    assert alone.clips is None
    assert alone.validation
    assert job_for(clips, photos, synthetic=0.0).photos is None


def test_sequences_are_short_at_first(clips: Path) -> None:
    job = job_for(clips, short_frames=2, short_until=5)
    assert job.sample(Draw(0, 4, 0, 1, 2))["clip"].shape[1] == 2
    assert job.sample(Draw(0, 5, 0, 1, 2))["clip"].shape[1] == 3


def test_a_folder_without_clips_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ImgfixError, match="no clips"):
        job_for(tmp_path)


def test_a_job_learns_its_own_batch_measures_itself_and_exports(clips: Path, tmp_path: Path) -> None:
    job = job_for(clips)
    net = job.networks()["net"]
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=2e-3)
    batch = job.sample(Draw(0, 0, 0, 1, 2))
    values = []
    for step in range(25):
        terms = job.losses("net", {"net": net}, batch, step)
        assert set(terms) == {"pixel"}
        loss = sum(terms.values(), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    assert values[-1] < 0.9 * values[0]
    with torch.inference_mode():
        found = job.validate(net.eval())
    assert found.metrics["psnr"] == found.score
    assert {"bicubic", "output", "target"} == set(found.samples)
    identity = job.identity()
    path = tmp_path / "net.safetensors"
    zoo.save(path, identity.net, identity.config, job.exported(net), **identity.metadata)
    model = zoo.load(path, task="video")
    assert (model.descriptor.frames, model.descriptor.causal, model.descriptor.scale) == (0, True, 4)
    with torch.inference_mode():
        assert torch.allclose(model.net(batch["clip"]), net(batch["clip"]), atol=1e-4)
