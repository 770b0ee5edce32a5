"""The engine pads, watches and falls back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgfix.errors import ModelError
from imgfix.runtime import memory
from imgfix.runtime.engine import pad_to_rule
from tests.runtime.nets import Folded, Shuffle, Small, engine, pretend_bf16, shuffle_engine


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_bf16(monkeypatch)


def picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (5, 5), (6, 8), (33, 17)])
def test_any_size_goes_in_and_comes_out_enlarged(size: tuple[int, int]) -> None:
    tiny = engine(Folded(), receptive_field=4, size_multiple=2, size_minimum=6)
    assert tiny.run(picture(*size)).shape == (1, 3, *size)
    assert shuffle_engine(3).run(picture(*size)).shape == (1, 3, 3 * size[0], 3 * size[1])


def test_padding_mirrors_where_it_can_and_repeats_where_it_cannot() -> None:
    row = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3).repeat(1, 1, 3, 1)
    assert pad_to_rule(row, 4, 1)[0, 0, 0].tolist() == [1, 2, 3, 2]
    assert pad_to_rule(row, 8, 1)[0, 0, 0].tolist() == [1, 2, 3, 3, 3, 3, 3, 3]
    assert pad_to_rule(row, 3, 3) is row


def test_padding_does_not_change_the_pixels_that_are_kept() -> None:
    torch.manual_seed(0)
    tiny = engine(Folded(), receptive_field=4, size_multiple=2)
    even = picture(20, 20)
    assert torch.allclose(tiny.run(even)[..., :14, :14], tiny.run(even[..., :19, :19])[..., :14, :14], atol=1e-6)


def test_low_precision_is_near_and_its_ends_stay_exact(bf16: None) -> None:
    plain, low = shuffle_engine(), shuffle_engine(precision="bf16")
    x = picture(24, 24)
    error = (plain.run(x) - low.run(x)).square().mean()
    assert 0 < float(error) < 1e-5
    assert low.placement.precision == "bf16"
    # No 8-bit stage: a slope of 4096 steps comes out with nearly as many.
    slope = torch.linspace(0.5, 1, 4096).view(1, 1, 1, -1).repeat(1, 3, 4, 1)
    assert len(low.run(slope)[0, 0, 4].unique()) > 3000


def test_pictures_above_8_bits_get_fp32_unless_a_precision_was_asked_for(bf16: None) -> None:
    chosen = shuffle_engine(precision="auto")
    assert chosen.for_samples(np.dtype(np.uint8)) is chosen and chosen.placement.precision == "bf16"
    exact = chosen.for_samples(np.dtype(np.uint16))
    assert exact.placement.precision == "fp32" and chosen.for_samples(np.dtype(np.float32)) is exact
    x = picture(24, 24)
    assert torch.equal(exact.run(x), shuffle_engine(precision="fp32").run(x))
    asked = shuffle_engine(precision="bf16")
    assert asked.for_samples(np.dtype(np.uint16)) is asked


class Overflowing(nn.Module):
    """Gives `value` in low precision, when the first pixel is white: the probe picture does not show it."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.middle = nn.Conv2d(3, 3, 1)
        self.last = nn.Conv2d(3, 3, 1)
        self.value = value
        self.formats: list[torch.dtype] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.middle(self.conv(x))
        self.formats.append(y.dtype)
        if y.dtype == torch.bfloat16 and float(x[0, 0, 0, 0]) > 0.995:
            return torch.full_like(x, self.value)
        return x + 0 * self.last(y)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.5])
def test_a_bad_or_flat_result_is_redone_in_fp32_and_the_rest_stays_there(bf16: None, value: float) -> None:
    net = Overflowing(value)
    tiny = engine(net, "bf16")
    notes: list[str] = []
    tiny.note = notes.append
    x = picture(8, 8)
    x[..., 0, 0] = 1
    assert torch.equal(tiny.run(x), x)
    assert tiny.placement.precision == "fp32"
    assert len(notes) == 1 and "fp32" in notes[0]
    tiny.run(x)
    assert len(notes) == 1


def test_a_flat_picture_may_give_a_flat_result(bf16: None) -> None:
    tiny = engine(Overflowing(0.5), "bf16")
    tiny.run(torch.ones(1, 3, 8, 8))
    assert tiny.placement.precision == "bf16"


def test_a_model_that_loses_too_much_on_the_probe_runs_in_fp32(bf16: None) -> None:
    class Coarse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (nn.Conv2d(3, 3, 1, bias=False) for _ in range(3))
            for conv in (self.a, self.b, self.c):
                nn.init.dirac_(conv.weight)

        def forward(self, x: Tensor) -> Tensor:
            # A large offset that low precision cannot carry beside the picture.
            return self.c(self.b(self.a(x) + 64) - 64)

    tiny = engine(Coarse(), "bf16")
    x = picture(8, 8)
    assert torch.allclose(tiny.run(x), x, atol=1e-4)
    assert tiny.placement.precision == "fp32"


def test_a_network_that_mixes_formats_is_cast_by_torch_instead(bf16: None) -> None:
    class Raw(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
            self.weight = nn.Parameter(torch.ones(3, 3, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            # fp32 picture, bf16 weight: a convolution takes only one of them.
            return self.last(self.first(x) + nn.functional.conv2d(x, self.weight))

    torch.manual_seed(0)
    tiny = engine(Raw(), "bf16")
    x = picture(8, 8)
    assert torch.allclose(tiny.run(x), tiny.model.net(x), atol=0.05)
    assert tiny.placement.precision == "bf16"


def test_nan_in_fp32_is_a_model_error() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * float("nan")

    with pytest.raises(ModelError, match="not numbers"):
        engine(Broken()).run(picture(4, 4))


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_running_out_of_memory_has_one_name(error: type[Exception]) -> None:
    tiny = engine(Small(nn.Identity(), 100, error))
    with pytest.raises(memory.OutOfMemory, match="20x10 pixels"):
        tiny.run(picture(10, 20))
    assert tiny.run(picture(10, 10)).shape == (1, 3, 10, 10)


def test_other_errors_pass() -> None:
    class Wrong(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("the size of tensor a must match")

    with pytest.raises(RuntimeError, match="must match"):
        engine(Wrong()).run(picture(4, 4))


def test_the_model_is_left_as_it_was(bf16: None) -> None:
    torch.manual_seed(0)
    net = Shuffle()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    engine(net, "bf16", scale=2, receptive_field=3).run(picture(8, 8))
    after = net.state_dict()
    assert all(value.dtype == torch.float32 and torch.equal(value, before[key]) for key, value in after.items())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in net.modules())


def test_same_input_same_bytes(bf16: None) -> None:
    x = picture(40, 30)
    assert torch.equal(shuffle_engine(precision="bf16").run(x), shuffle_engine(precision="bf16").run(x))


def test_cost_is_measured() -> None:
    cost = shuffle_engine().cost
    # At least the result and the features of one layer, at most some tens of such.
    assert 4 * 3 * 4 + 4 * 8 < cost.bytes_per_pixel < 4000
    assert 0 < cost.seconds_per_pixel < 1e-3


def test_overlap_follows_the_descriptor() -> None:
    assert shuffle_engine().overlap == 3 and shuffle_engine().exact_overlap
    assert not shuffle_engine(receptive_field=349).exact_overlap
    assert not shuffle_engine(receptive_field=None).exact_overlap
    measured = shuffle_engine(receptive_field=349, overlap=24)
    assert measured.overlap == 24 and not measured.exact_overlap
