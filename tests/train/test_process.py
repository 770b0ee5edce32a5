"""The trainer as a process: killed, interrupted, out of disk space, in a team, called wrongly."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imgfix.train.checkpoint import load_checkpoint
from tests.train.conftest import assert_same_curve, curve

Start = Callable[..., "subprocess.Popen[str]"]


def _logged(folder: Path) -> int:
    log = folder / "log.jsonl"
    return len(log.read_bytes().splitlines()) if log.exists() else 0


def _wait_for(folder: Path, lines: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while _logged(folder) < lines and process.poll() is None:
        assert time.monotonic() < deadline, "the trainer does not get on"
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_at_random_moments_the_loss_curve_is_that_of_an_uninterrupted_run(
    command: Start, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["--steps", "400", "--set", "validate_every=100", "--set", "adversarial=0.05", "--set", "dropout=0.1"]
    whole = command(photos, "-o", tmp_path / "whole", *settings)
    parts = tmp_path / "parts"
    moments, kills = random.Random(0), 0
    for _ in range(2):
        # It waits before it could end, so that it is killed in time however busy the machine is.
        monkeypatch.setenv("IMGFIX_TEST_HALT", str(_logged(parts) + 140))
        # checkpoint_minutes=0: one after every step, so that a kill often hits the middle of writing one
        process = command(photos, "-o", parts, *settings, "--set", "checkpoint_minutes=0")
        _wait_for(parts, _logged(parts) + moments.randrange(20, 100), process)
        process.kill()
        kills += process.wait() == -signal.SIGKILL
        process.communicate()
    assert kills == 2 and 0 < load_checkpoint(parts / "checkpoint.pt")["step"] < 400
    monkeypatch.delenv("IMGFIX_TEST_HALT")
    last = command(photos, "-o", parts, *settings)
    _, said = last.communicate(timeout=300)
    assert last.returncode == 0 and "going on at step" in said
    assert whole.wait(timeout=300) == 0
    whole.communicate()
    assert len(curve(parts)) > 400 and not list(parts.glob(".*"))
    assert curve(parts) == curve(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_saves_and_the_same_command_goes_on(
    command: Start, photos: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    process = command(photos, "-o", run, "--steps", "1000000", "--json")
    _wait_for(run, 30, process)
    process.send_signal(number)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 130 and "goes on from" in said
    record = json.loads(out)
    assert record["status"] == "interrupted" and record["step"] >= 20
    assert load_checkpoint(run / "checkpoint.pt")["step"] == record["step"]
    assert not (run / ".lock").exists()


def test_a_disk_that_fills_up_is_survived(command: Start, photos: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    run = tmp_path / "run"
    assert command(photos, "-o", run, "--steps", "5", "-q").wait(timeout=300) == 0
    before = (run / "checkpoint.pt").read_bytes()

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, len(before) // 2))

    process = command(photos, "-o", run, "--steps", "1000000", "--set", "checkpoint_minutes=0", preexec_fn=small_files)
    _wait_for(run, 30, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "checkpoint.pt: the disk is full" in said and "the checkpoint from before is whole" in said
    assert (run / "checkpoint.pt").read_bytes() == before
    assert not [p for p in run.iterdir() if p.name.startswith(".imgfix")]


@pytest.mark.slow
def test_two_processes_train_like_one_with_the_doubled_batch(command: Start, photos: Path, tmp_path: Path) -> None:
    settings = ["--steps", "12", "--set", "noise=0", "--set", "adversarial=0.05", "--device", "cpu"]
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")  # finds a free port itself
    pair = command(photos, "-o", tmp_path / "pair", *settings, "--batch", "4", "--json", launcher=launcher)
    one = command(photos, "-o", tmp_path / "one", *settings, "--batch", "8")
    out, said = pair.communicate(timeout=300)
    assert pair.returncode == 0, said
    assert len(out.splitlines()) == 1 and json.loads(out)["step"] == 12
    assert one.wait(timeout=300) == 0
    one.communicate()
    assert_same_curve(tmp_path / "pair", tmp_path / "one")


def test_help_needs_no_torch(command: Start) -> None:
    probe = "import sys; from imgfix.cli import run; run(['train', '--help']); assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False).returncode == 0


def test_training_needs_neither_pyav_nor_platformdirs() -> None:
    probe = """
import sys
sys.modules['av'] = sys.modules['platformdirs'] = None
import imgfix.cli.train, imgfix.train.run
from imgfix.train.kinds import available, find_kind
assert available()
for kind in available():
    find_kind(kind)
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
