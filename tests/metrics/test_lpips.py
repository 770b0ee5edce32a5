from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from imgfix.errors import ModelError
from imgfix.nets.lpips import LPIPS, Trunk
from imgfix.zoo.perceptual import lpips_from_flax, lpips_from_layers, read_pickled_arrays


def random_net(trunk: Trunk = "alex") -> LPIPS:
    torch.manual_seed(0)
    net = LPIPS(trunk).eval()
    for head in net.heads:
        torch.nn.init.uniform_(head.weight)
    return net


@pytest.mark.parametrize(("trunk", "side"), [("alex", 31), ("vgg", 16)])
def test_equal_pictures_are_at_distance_zero_and_others_are_not(trunk: Trunk, side: int) -> None:
    net = random_net(trunk)
    first, second = torch.rand(2, 2, 3, side, side + 5)
    with torch.inference_mode():
        assert net(first, first).tolist() == [0, 0]
        assert (net(first, second) > 0).all()


@pytest.mark.parametrize("trunk", ["alex", "vgg"])
def test_a_picture_too_small_for_the_trunk_is_refused(trunk: Trunk) -> None:
    net = random_net(trunk)
    small = torch.rand(1, 3, net.minimum_size - 1, 64)
    with pytest.raises(ValueError, match="sides of"):
        net(small, small)


def test_the_gradient_is_finite_where_all_features_are_zero() -> None:
    net = random_net()
    with torch.no_grad():
        net.features[0].bias.fill_(-100)  # nothing passes the first ReLU
    result = torch.rand(1, 3, 40, 40, requires_grad=True)
    net(result, torch.rand(1, 3, 40, 40)).sum().backward()
    assert result.grad is not None and torch.isfinite(result.grad).all()


def test_weights_kept_as_layers_come_over() -> None:
    net = random_net()
    state = net.state_dict()
    trunk = [
        {"weight": state[f"features.{i}.weight"], "bias": state[f"features.{i}.bias"], "stride": 1}
        for i in (0, 3, 6, 8, 10)
    ]
    blob = {"trunk": trunk, "lin": [state[f"heads.{i}.weight"] for i in range(5)]}
    converted = lpips_from_layers(blob)
    assert converted.keys() == state.keys()
    assert all(torch.equal(converted[name], state[name]) for name in state)


def test_weights_kept_as_a_pickled_flax_tree_come_over(tmp_path: Path) -> None:
    net = random_net()
    state = net.state_dict()

    def kernel(name: str) -> np.ndarray:
        return state[name].numpy().transpose(2, 3, 1, 0)

    trunk = {
        f"Conv_{n}": {"kernel": kernel(f"features.{i}.weight"), "bias": state[f"features.{i}.bias"].numpy()}
        for n, i in enumerate((0, 3, 6, 8, 10))
    }
    tree = {"AlexNet_0": trunk} | {
        f"NetLinLayer_{i}": {"Conv_0": {"kernel": kernel(f"heads.{i}.weight")}} for i in range(5)
    }
    (tmp_path / "net.ckpt").write_bytes(pickle.dumps(tree))
    converted = lpips_from_flax(read_pickled_arrays(tmp_path / "net.ckpt"))
    assert converted.keys() == state.keys()
    assert all(torch.equal(converted[name], state[name]) for name in state)


def test_a_pickle_with_code_in_it_is_refused(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "net.ckpt").write_bytes(pickle.dumps({"a": Harmful()}))
    with pytest.raises(ModelError, match="not a pickle of plain arrays"):
        read_pickled_arrays(tmp_path / "net.ckpt")
    assert not (tmp_path / "ran").exists()
