"""Checkpoints: everything a run needs to go on exactly where it stopped, in one file that is never half-written."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from imgfix.errors import InputError
from imgfix.media.files import atomic_stream

FORMAT = 1


def copied(tree: Any, device: torch.device | str | None = None) -> Any:
    """Copy a nested state (dicts, lists, tensors, plain values) so that it shares no memory with the original."""
    if isinstance(tree, torch.Tensor):
        return tree.detach().to(device if device is not None else tree.device, copy=True)
    if isinstance(tree, dict):
        return {key: copied(value, device) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(copied(value, device) for value in tree)
    return tree


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint; the one from before stays whole until the new one is complete.

    Raises:
        OutputError: no space, or no right to write; the old checkpoint is untouched.
    """
    buffer = io.BytesIO()  # serialised first: torch's own file writer turns a full disk into an obscure error
    torch.save({"format": FORMAT, **state}, buffer)
    with atomic_stream(path) as file:
        file.write(buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; nothing but tensors and plain values is ever unpickled.

    Raises:
        InputError: the file is not a checkpoint of this program, or is damaged.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path}: not a checkpoint of imgfix train, or damaged: {reason}",
            hint="start over with `resume=False`, or give another folder as `output`",
        ) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT or "step" not in state:
        raise InputError(
            f"{path}: not a checkpoint of this version of imgfix train",
            hint="start over with `resume=False`, or give another folder as `output`",
        )
    return state
