"""Devices and precisions are chosen by asking the machine."""

from __future__ import annotations

import pytest
import torch

from imgfix.errors import UsageError
from imgfix.runtime import device
from imgfix.zoo.descriptor import Descriptor
from tests.runtime.nets import pretend_bf16

UNCHECKED = Descriptor(name="m", task="upscale", net="n", precisions=("fp32",))


def test_cpu_is_always_there_and_last() -> None:
    assert device.available()[-1] == "cpu"


def test_auto_takes_the_best_device_present() -> None:
    assert device.select().device.type == device.available()[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3"])
def test_a_device_that_is_missing_is_a_usage_error_that_names_those_here(name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' is not available") as caught:
        device.select(name)
    assert "cpu" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "cpu:1"])
def test_nonsense_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError):
        device.select(name)


def test_unknown_precision_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="fp8"):
        device.select("cpu", "fp8")


def test_fp16_on_a_cpu_is_refused_with_the_alternatives() -> None:
    with pytest.raises(UsageError) as caught:
        device.select("cpu", "fp16")
    assert "bf16" in str(caught.value.hint)


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16"), (False, "fp32")])
def test_a_cpu_uses_bf16_only_where_it_is_native(monkeypatch: pytest.MonkeyPatch, native: bool, expected: str) -> None:
    pretend_bf16(monkeypatch, native)
    assert device.select("cpu").precision == expected


def test_auto_keeps_to_precisions_in_which_the_model_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_bf16(monkeypatch)
    assert device.select("cpu", "auto", UNCHECKED).precision == "fp32"
    assert device.select("cpu", "bf16", UNCHECKED).precision == "bf16"  # as asked


def test_the_cpu_is_asked_and_not_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for told, expected in (({"avx512_bf16": True}, True), ({"avx2": True, "avx512_bf16": False}, False)):
        device.cpu_has_bf16.cache_clear()
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda told=told: told, raising=False)
        assert device.cpu_has_bf16() is expected
    device.cpu_has_bf16.cache_clear()
