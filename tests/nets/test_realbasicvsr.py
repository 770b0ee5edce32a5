"""RealBasicVSR: a BasicVSR of cleaned frames."""

from __future__ import annotations

import torch

from imgfix.nets.basicvsr import BasicVSR
from imgfix.nets.realbasicvsr import RealBasicVSR


def test_it_upscales_what_its_cleaner_gives() -> None:
    torch.manual_seed(0)
    net = RealBasicVSR(features=4, blocks=1, cleaning=1, cleanings=2).eval()
    plain = BasicVSR(features=4, blocks=1).eval()
    plain.load_state_dict({name: t for name, t in net.state_dict().items() if not name.startswith("cleaner.")})
    clip = torch.rand(1, 3, 3, 32, 40)
    with torch.inference_mode():
        once = clip[0] + net.cleaner(clip[0])
        cleaned = once + net.cleaner(once)
        assert float((cleaned - clip[0]).abs().mean()) > 1e-3
        torch.testing.assert_close(net(clip), plain(cleaned[None]))


def test_frames_are_cleaned_once_as_published() -> None:
    torch.manual_seed(0)
    net = RealBasicVSR(features=4, blocks=1, cleaning=1).eval()
    frame = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(net.clean(frame), frame + net.cleaner(frame))
