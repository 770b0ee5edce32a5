"""A blind denoiser as the one in it that is told the level, for where the level is known."""

from __future__ import annotations

from dataclasses import replace

from imgfix.zoo.descriptor import Model


def as_told(model: Model) -> Model:
    """The FFDNet in a BlindFFDNet whose hints are unused, of the same name and weights; any other model as it is."""
    from imgfix.nets.ffdnet import BlindFFDNet, FFDNet
    from imgfix.zoo.architectures import ARCHITECTURES

    if not isinstance(model.net, BlindFFDNet) or bool(model.net.hint.weight.any()):
        return model
    config = {"features": model.descriptor.config.get("features", 96), "convolutions": len(model.net.layers)}
    net = FFDNet(channels=3, **config)
    net.layers = model.net.layers
    facts = ARCHITECTURES["ffdnet"].describe({"channels": 3, **config})
    descriptor = replace(model.descriptor, net="ffdnet", config={"channels": 3, **config}, **facts)
    return Model(descriptor, net.eval())
