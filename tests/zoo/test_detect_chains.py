from __future__ import annotations

import torch

from imgfix.nets.dncnn import DnCNN
from imgfix.nets.ffdnet import FFDNet
from imgfix.zoo import checkpoint


def published(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The tensors under the names of the published checkpoints: convolutions and ReLUs numbered together."""
    return {
        f"model.{2 * int(name.split('.')[1])}.{name.split('.')[2]}": tensor for name, tensor in net.state_dict().items()
    }


def test_published_ffdnet_and_dncnn_are_told_apart_and_renamed() -> None:
    for net, key in ((FFDNet(3, 8, 4), "ffdnet"), (FFDNet(1, 8, 4), "ffdnet"), (DnCNN(1, 8, 5), "dncnn")):
        found = checkpoint.recognise(published(net))
        assert found is not None
        spec, config, state = found
        assert spec.key == key
        built = spec.build(config)
        built.load_state_dict(state)
        pixels = torch.rand(1, spec.describe(config)["in_channels"], 8, 8)
        assert torch.equal(built(pixels), net(pixels))


def test_ffdnet_uses_the_noise_map_where_it_is() -> None:
    torch.manual_seed(0)
    net = FFDNet(3, 8, 2)
    pixels = torch.rand(1, 4, 32, 32)
    louder = pixels.clone()
    louder[:, 3, :, :8] += 0.3
    changed = (net(pixels) != net(louder)).any(dim=1)[0]
    assert changed[:, :8].any() and not changed[:, 16:].any()
