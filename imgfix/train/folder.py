"""The folder of a run: which files it has, whether a run may go on in it, and one run at a time."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from imgfix.errors import InputError, UsageError
from imgfix.media.files import output_errors, write_atomic
from imgfix.train.checkpoint import load_checkpoint, save_checkpoint
from imgfix.train.job import TrainJob
from imgfix.train.log import RunLog
from imgfix.train.recipe import Recipe, differences, read_toml, to_dict, to_toml
from imgfix.train.state import TrainState

RETRY_SECONDS = 60.0


class RunFolder:
    """Files of one run.

    recipe.toml         every setting
    log.jsonl           losses, metrics, events
    checkpoint.pt       everything needed to go on
    samples/            sample sheets
    model.safetensors   the averaged weights, for every other verb's `model`
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.toml"
        self.checkpoint = path / "checkpoint.pt"
        self.samples = path / "samples"
        self.model = path / "model.safetensors"
        self.log: RunLog
        self._lock_path = path / ".lock"
        self._lock: Any = None
        self._made: list[Path] = []
        self._saved_at = time.monotonic()
        self._saved_step = -1

    def previous(self, recipe: Recipe, resume: bool | None) -> dict[str, Any] | None:
        """Find the state to go on from.

        Args:
            recipe: what this run wants.
            resume: True demands a checkpoint, False starts over, None goes on where there is something to go on from.

        Raises:
            InputError: a checkpoint is demanded and missing, or damaged.
            UsageError: the run in this folder has another recipe; the difference is in the message.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"`output={self.path}`: is a file", hint="give a folder for the run")
        if resume is False:
            return None
        if self.model.exists() and not self.recipe.exists():
            raise UsageError(
                f"{self.path} holds a model.safetensors that is no run's",
                hint="give another folder as `output`, or `resume=False` to replace it",
            )
        if not self.checkpoint.exists():
            if resume:
                raise InputError(f"{self.checkpoint}: no checkpoint to go on from", hint="leave out `resume`")
            return None
        state = load_checkpoint(self.checkpoint)
        changed = differences(state["recipe"], to_dict(recipe))
        if changed:
            raise UsageError(
                f"{self.path} holds a run with another recipe:\n  " + "\n  ".join(changed),
                hint="give another folder as `output`, the same settings, or `resume=False` to start over here",
            )
        return state

    def alike(self, recipe: Recipe) -> Recipe:
        """The recipe with batch and crop of the run that is here, where they were chosen by the clock (`pace`)."""
        if not (recipe.pace and self.checkpoint.exists() and self.recipe.exists()):
            return recipe
        saved = read_toml(self.recipe)
        if not saved.get("pace"):
            return recipe
        known = {name: saved[name] for name in ("batch", "crop") if isinstance(saved.get(name), int)}
        return replace(recipe, **known)

    def claim(self) -> None:
        """Make the folder and take its lock, before anything takes long.

        Raises:
            OutputError: the folder cannot be written.
            UsageError: another process is training in it.
        """
        with output_errors(self.recipe):
            self._made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._lock_path)
        for litter in (*self.path.glob(".imgfix-*.part*"), *self.samples.glob(".imgfix-*.part*")):
            litter.unlink(missing_ok=True)  # left by a run that was killed while it wrote

    def open(self, recipe: Recipe, step: int) -> None:
        """Write the recipe and set the log to `step`; 0 starts over and removes what an earlier run left.

        Raises:
            OutputError: the folder cannot be written.
        """
        self.log = RunLog(self.path, tensorboard=recipe.tensorboard)
        self._made = []
        if step:
            self.log.rewind(step)
        else:
            self.log.start_over()
        for stale in () if step else (self.checkpoint, self.model, *self.samples.glob("step_*.png")):
            stale.unlink(missing_ok=True)
        write_atomic(self.recipe, to_toml(recipe))

    def save(self, job: TrainJob, state: TrainState) -> None:
        """Write a checkpoint now, and the model file where it holds the latest weights.

        Raises:
            OutputError: no space or no right; the files from before are whole, and `due` asks again in a minute.
        """
        if self._saved_step == state.step:
            return
        self._saved_at = time.monotonic() - 60 * state.recipe.checkpoint_minutes + RETRY_SECONDS
        save_checkpoint(self.checkpoint, {**state.saved(), "recipe": to_dict(state.recipe)})
        if state.best is None or state.recipe.export == "last":
            self.export(job, state, {})
        self._saved_at, self._saved_step = time.monotonic(), state.step

    def due(self, state: TrainState) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() - self._saved_at >= 60 * state.recipe.checkpoint_minutes

    def export(self, job: TrainJob, state: TrainState, metrics: dict[str, float]) -> None:
        """Write the averaged weights as a model file that says how it was made.

        Raises:
            OutputError: the file cannot be written.
        """
        from imgfix import zoo

        identity = job.identity()
        weights = job.exported(state.average.module)
        trained = {
            "steps": state.step,
            "seconds": round(state.seconds),
            "metrics": metrics,
            "recipe": to_dict(state.recipe, private=False),
        }
        zoo.save(self.model, identity.net, identity.config, weights, **identity.metadata, trained=trained)

    def close(self) -> None:
        """Release the log and the lock; a folder that was made for nothing is removed."""
        if hasattr(self, "log"):
            self.log.close()
        if self._lock is not None:
            with suppress(OSError):
                self._lock_path.unlink()
            self._lock.close()
            self._lock = None
            with suppress(OSError):
                for folder in self._made:
                    folder.rmdir()


def _locked(path: Path) -> Any:
    """Hold a lock as long as the returned file is open; the system frees it however the process ends."""
    file = path.open("w")
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows: no lock, the user is trusted not to start two runs in one folder
        pass
    except BlockingIOError:
        file.close()
        raise UsageError(f"{path.parent}: another imgfix train is running in this folder") from None
    except OSError:  # a file system without locks
        pass
    return file
