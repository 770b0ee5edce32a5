"""What protects a run: from losses that are not numbers, and from being interrupted in the middle of something."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from types import FrameType

import torch
from torch import Tensor

from imgfix.errors import ImgfixError
from imgfix.train.checkpoint import copied
from imgfix.train.state import TrainState


class Guard:
    """Keeps a copy of the last good state and returns to it when a loss or a gradient is not a number.

    It watches on the device, without waiting for it; `found_bad` waits, and is therefore called once in a while.

    Args:
        state: what is kept and restored.
    """

    def __init__(self, state: TrainState) -> None:
        self.state = state
        self.names: list[str] = []
        self._bad = torch.full((2,), -1, dtype=torch.int64, device=state.placement.device)
        self._good = copied(state.saved(), "cpu")

    def watch(self, step: int, values: Mapping[str, Tensor]) -> None:
        """Note whether this step's losses and gradient norms are numbers; the first step that fails is remembered."""
        self.names = list(values)
        wrong = ~torch.stack([value.detach().float() for value in values.values()]).isfinite()
        which = (wrong * (2 ** torch.arange(len(values), device=wrong.device))).sum()
        found = torch.stack([torch.full_like(which, step), which])
        self._bad = torch.where((self._bad[0] < 0) & (which > 0), found, self._bad)

    def found_bad(self) -> bool:
        """Whether a step since the last return was bad; waits for the device."""
        return int(self._bad[0]) >= 0

    def keep(self) -> bool:
        """Copy the present state to return to, unless a weight is not a number; tells whether it is good."""
        if not self.state.is_finite():
            return False
        self._good = copied(self.state.saved(), "cpu")
        return True

    def go_back(self, latest: int) -> str:
        """Return to the last good state, leave the first bad step out from now on and lower the rate.

        Args:
            latest: the step that gets the blame when no loss was bad here (a weight was, or another process's loss).

        Returns:
            what happened, in a sentence.

        Raises:
            ImgfixError: it happened too often.
        """
        state, recipe = self.state, self.state.recipe
        bad, which = self._bad.tolist()
        bad = bad if bad >= 0 else latest
        names = [name for bit, name in enumerate(self.names) if which >= 0 and which >> bit & 1]
        what = " and ".join(names) or "a weight"
        best, skipped = (state.best, state.best_step), [*state.skipped, bad]
        state.restore(self._good, "the last good state")
        (state.best, state.best_step), state.skipped = best, skipped
        self._bad.fill_(-1)
        times = len(state.recent_incidents())
        sentence = f"step {bad + 1}: {what} became infinite or not a number"
        if times > recipe.guard_retries:
            raise ImgfixError(
                f"{sentence}, for the {times}. time; giving up. The last checkpoint is good",
                hint=f"lower the rate (`lr={recipe.lr / 4:g}`), "
                f"clip harder (`settings.clip={recipe.clip / 4 or 0.5:g}`)"
                + (", or use `precision=fp32`" if state.placement.precision != "fp32" else ""),
            )
        factor = recipe.guard_lr_factor**times
        return f"{sentence}; back to step {state.step}, leaving it out, at {factor:g} times the rate"


class Interruption:
    """Turns Ctrl-C, SIGTERM and a closed terminal into a question that the loop asks between steps.

    A second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup wants to be left alone
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
