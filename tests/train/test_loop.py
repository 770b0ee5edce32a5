"""The loop itself: what it leaves behind, and that nothing it survives can be seen in its numbers."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix import zoo
from imgfix.errors import (
    ImgfixError,
    InputError,
    MemoryExhaustedError,
    MissingExtraError,
    ModelError,
    OutputError,
    UsageError,
)
from imgfix.pipelines.option_names import option
from imgfix.train import folder as folders
from imgfix.train import loop
from imgfix.train.checkpoint import load_checkpoint
from imgfix.train.log import read_log
from imgfix.train.placement import Placement
from imgfix.train.progress import Display
from imgfix.train.recipe import Recipe, build_recipe, read_toml
from imgfix.train.run import dry_run, run_training
from imgfix.zoo.files import read_header, read_tensors
from tests.train.conftest import assert_same_curve, curve
from tests.train.told import Told

Make = Callable[..., Recipe]


def test_a_run_leaves_recipe_log_checkpoint_sheets_and_a_model_that_loads(recipe_of: Make, tmp_path: Path) -> None:
    recipe = recipe_of()
    outcome = run_training(recipe, tmp_path / "run")
    assert outcome.step == 20 and outcome.reason == "finished" and outcome.metrics["psnr"] == outcome.best
    names = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert names == {
        *("recipe.toml", "log.jsonl", "checkpoint.pt", "model.safetensors"),
        *("samples/step_000010.png", "samples/step_000020.png"),
    }
    model = zoo.load(tmp_path / "run" / "model.safetensors")
    assert (model.descriptor.task, model.descriptor.scale) == ("upscale", 2)
    assert model.net(torch.rand(1, 3, 8, 8)).shape == (1, 3, 16, 16)
    trained = read_header(tmp_path / "run" / "model.safetensors")["trained"]
    assert trained["steps"] == 20 and trained["recipe"]["tiny"]["noise"] == 0.02 and "photos" not in trained["recipe"]
    assert build_recipe("tiny", [read_toml(tmp_path / "run" / "recipe.toml")]) == recipe


def test_training_learns(recipe_of: Make, tmp_path: Path) -> None:
    run_training(recipe_of(steps=120, lr=3e-3, ema=0.9), tmp_path / "run")
    losses = [record["loss"] for record in curve(tmp_path / "run") if record["kind"] == "train"]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"adversarial": 0.1, "dropout": 0.2},
        {"accumulate": 2, "precision": "bf16"},
        {"optimizer": "muon", "channels_last": False},
    ],
)
def test_a_resumed_run_is_the_uninterrupted_run(
    recipe_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    run_training(recipe_of(**settings), tmp_path / "whole")
    taken = loop.take_step

    def break_off(job: Any, state: Any, team: Any) -> Any:
        if state.step in stops:
            stops.remove(state.step)
            raise KeyboardInterrupt
        return taken(job, state, team)

    stops = [7, 13]
    monkeypatch.setattr(loop, "take_step", break_off)
    monkeypatch.setattr(folders.RunFolder, "due", lambda self, state: state.step % 5 == 0)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_training(recipe_of(**settings), tmp_path / "parts")
    assert run_training(recipe_of(**settings), tmp_path / "parts").step == 20
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    one, other = (read_tensors(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_accumulated_batches_are_one_batch_of_twice_the_size(recipe_of: Make, tmp_path: Path) -> None:
    run_training(recipe_of(batch=8, noise=0), tmp_path / "whole")
    run_training(recipe_of(batch=4, noise=0, accumulate=2), tmp_path / "halves")
    assert_same_curve(tmp_path / "whole", tmp_path / "halves")


def test_more_steps_go_on_and_a_finished_run_stays_as_it_is(recipe_of: Make, tmp_path: Path) -> None:
    run_training(recipe_of(), tmp_path / "run")
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert run_training(recipe_of(), tmp_path / "run").step == 20
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before
    assert run_training(recipe_of(steps=25), tmp_path / "run").step == 25


def test_another_recipe_in_the_same_folder_is_refused_with_the_difference(recipe_of: Make, tmp_path: Path) -> None:
    run_training(recipe_of(), tmp_path / "run")
    with pytest.raises(UsageError, match=r"lr: 0\.0002 in the run's folder, now 0\.001"):
        run_training(recipe_of(lr=1e-3), tmp_path / "run")
    assert run_training(recipe_of(lr=1e-3, steps=3), tmp_path / "run", resume=False).step == 3
    assert [r["step"] for r in curve(tmp_path / "run") if r["kind"] == "train"] == [1, 2, 3]


def test_resume_demands_a_checkpoint(recipe_of: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        run_training(recipe_of(), tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_is_refused_before_anything_is_lost(recipe_of: Make, tmp_path: Path) -> None:
    run_training(recipe_of(), tmp_path / "run")
    file = tmp_path / "run" / "checkpoint.pt"
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not a checkpoint"):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match="checkpoint"):
            run_training(recipe_of(), tmp_path / "run")
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_a_checkpoint_of_another_network_is_refused(recipe_of: Make, tmp_path: Path) -> None:
    run_training(recipe_of(), tmp_path / "run")
    state = load_checkpoint(tmp_path / "run" / "checkpoint.pt")
    state["networks"]["net"]["body.0.weight"] = torch.zeros(5, 3, 3, 3)
    torch.save(state, tmp_path / "run" / "checkpoint.pt")
    with pytest.raises(ModelError, match=r"another network: .*body\.0\.weight is \(5, 3, 3, 3\) there"):
        run_training(recipe_of(steps=30), tmp_path / "run")


def test_fine_tuning_starts_from_the_given_model_and_measures_it_first(recipe_of: Make, tmp_path: Path) -> None:
    run_training(recipe_of(lr=3e-3, ema=0), tmp_path / "first")
    model = tmp_path / "first" / "model.safetensors"
    outcome = run_training(recipe_of(model=str(model), lr=1e-9, ema=0), tmp_path / "second")
    records = [r for r in curve(tmp_path / "second") if r["kind"] == "validate"]
    assert records[0]["step"] == 0 and outcome.best == pytest.approx(records[0]["score"], abs=1e-3)
    with pytest.raises(UsageError, match="together"):
        run_training(recipe_of(model=str(model), net="srvgg"), tmp_path / "third")


def test_what_is_frozen_stays_and_the_rest_learns(recipe_of: Make, tmp_path: Path) -> None:
    run_training(recipe_of(steps=5), tmp_path / "first")
    first = tmp_path / "first" / "model.safetensors"
    names = list(read_tensors(first))
    frozen = ".".join(names[0].split(".")[:2])
    run_training(recipe_of(model=str(first), freeze=(frozen,), export="last"), tmp_path / "second")
    start, end = read_tensors(first), load_checkpoint(tmp_path / "second" / "checkpoint.pt")["networks"]["net"]
    for name, tensor in end.items():
        assert torch.equal(tensor, start[name].float()) == name.startswith(f"{frozen}."), name
    with pytest.raises(UsageError, match="freeze = tail: the network has no such part") as caught:
        run_training(recipe_of(freeze=("tail",)), tmp_path / "third")
    assert caught.value.hint == f"it has {names[0].split('.')[0]}"
    with pytest.raises(UsageError, match="nothing to train"):
        run_training(recipe_of(freeze=(names[0].split(".")[0],)), tmp_path / "fourth")


def test_a_model_of_another_scale_is_refused(recipe_of: Make, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="scale is 3, but this training needs 2"):
        run_training(recipe_of(**{"net_config.scale": 3}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_net_or_hyper_parameter_is_refused(recipe_of: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run_training(recipe_of(net="srvg"), tmp_path / "run")
    assert "srvgg" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="featuers"):
        run_training(recipe_of(**{"net_config.featuers": 3}), tmp_path / "run")


def test_a_loss_that_is_not_a_number_is_left_out_and_the_rate_lowered(recipe_of: Make, tmp_path: Path) -> None:
    said: list[str] = []
    settings = {"poison": (6, 13), "snapshot_every": 5, "schedule": "constant", "warmup": 0}
    outcome = run_training(recipe_of(**settings), tmp_path / "run")
    assert outcome.step == 20 and outcome.incidents == 2
    said = [record["text"] for record in read_log(tmp_path / "run" / "log.jsonl") if record["kind"] == "event"]
    assert "step 7: loss and l1 became infinite or not a number; back to step 5" in said[0] and "0.5 times" in said[0]
    train = [record for record in curve(tmp_path / "run") if record["kind"] == "train"]
    assert [record["step"] for record in train] == [*range(1, 7), *range(8, 14), *range(15, 21)]
    assert train[4]["lr"] == 2e-4 and train[5]["lr"] == 1e-4 and train[-1]["lr"] == 5e-5
    assert all(torch.isfinite(t).all() for t in read_tensors(tmp_path / "run" / "model.safetensors").values())


def test_the_guard_forgets_old_incidents(recipe_of: Make, tmp_path: Path) -> None:
    settings = {"poison": (3,), "guard_window": 5, "schedule": "constant", "warmup": 0}
    run_training(recipe_of(**settings), tmp_path / "run")
    rates = [record["lr"] for record in curve(tmp_path / "run") if record["kind"] == "train"]
    assert rates[3] == 1e-4 and rates[-1] == 2e-4


def test_the_guard_gives_up_with_a_remedy_and_leaves_the_good_checkpoint(recipe_of: Make, tmp_path: Path) -> None:
    settings = {"poison": tuple(range(6, 20)), "guard_retries": 3}
    run_training(recipe_of(**settings, steps=6), tmp_path / "run")
    with pytest.raises(ImgfixError, match=r"4\. time; giving up") as caught:
        run_training(recipe_of(**settings), tmp_path / "run")
    assert "lr" in (caught.value.hint or "")
    state = load_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert state["step"] == 6 and all(torch.isfinite(t).all() for t in state["networks"]["net"].values())


def test_a_full_disk_costs_a_checkpoint_but_not_the_run(
    recipe_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, full = folders.save_checkpoint, {6, 7, 8}
    told = Told()

    def save(path: Path, state: dict[str, Any]) -> None:
        if state["step"] in full:
            full.discard(state["step"])
            assert load_checkpoint(path)["step"] == 5
            raise OutputError(f"{path}: the disk is full")
        saved(path, state)

    monkeypatch.setattr(folders, "save_checkpoint", save)
    monkeypatch.setattr(folders, "RETRY_SECONDS", 0.0)
    outcome = run_training(recipe_of(checkpoint_minutes=0), tmp_path / "run", reporter=told)
    assert outcome.step == 20 and load_checkpoint(tmp_path / "run" / "checkpoint.pt")["step"] == 20
    assert "the disk is full; the checkpoint from before is whole" in " ".join(told.warnings)


def test_a_full_disk_at_the_very_end_is_waited_for(
    recipe_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, tries = folders.save_checkpoint, []

    def save(path: Path, state: dict[str, Any]) -> None:
        tries.append(state["step"])
        if len(tries) < 4:
            raise OutputError(f"{path}: the disk is full")
        saved(path, state)

    monkeypatch.setattr(folders, "save_checkpoint", save)
    monkeypatch.setattr(loop, "RETRY_SECONDS", 0.0)
    run_training(recipe_of(), tmp_path / "run")
    assert tries == [20] * 4
    tries.clear()
    tries += [0] * -99
    monkeypatch.setattr(loop, "END_RETRIES", 2)
    with pytest.raises(OutputError):
        run_training(recipe_of(), tmp_path / "other")


def test_the_old_checkpoint_survives_a_write_that_fails_half_way(
    recipe_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_training(recipe_of(), tmp_path / "run")
    file = tmp_path / "run" / "checkpoint.pt"
    before = file.read_bytes()

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OutputError, match="full"):
        folders.save_checkpoint(file, {"step": 1})
    assert file.read_bytes() == before
    assert sorted(p.name for p in file.parent.iterdir() if p.name.startswith(".")) == []


def test_a_time_limit_ends_the_run_with_a_validation_and_a_model(recipe_of: Make, tmp_path: Path) -> None:
    outcome = run_training(recipe_of(steps=10_000_000, minutes=0.01, validate_every=10**6), tmp_path / "run")
    assert outcome.reason == "out of time" and 0 < outcome.step < 10**6 and "psnr" in outcome.metrics
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_without_held_out_pictures_the_latest_weights_are_exported(recipe_of: Make, tmp_path: Path) -> None:
    outcome = run_training(recipe_of(val_fraction=0), tmp_path / "run")
    assert outcome.best is None and (tmp_path / "run" / "model.safetensors").exists()


def test_the_best_or_the_latest_weights_are_kept(recipe_of: Make, tmp_path: Path) -> None:
    settings = {"lr": 0.3, "clip": 0, "warmup": 0, "ema": 0, "schedule": "constant", "validate_every": 1, "steps": 8}
    run_training(recipe_of(**settings), tmp_path / "best")
    run_training(recipe_of(**settings, export="last"), tmp_path / "last")
    scores = {r["step"]: r["score"] for r in curve(tmp_path / "best") if r["kind"] == "validate"}
    steps = {name: read_header(tmp_path / name / "model.safetensors")["trained"]["steps"] for name in ("best", "last")}
    assert steps == {"best": max(scores, key=scores.__getitem__), "last": 8}


def test_two_runs_in_one_folder_are_refused(recipe_of: Make, tmp_path: Path) -> None:
    first = folders.RunFolder(tmp_path / "run")
    first.claim()
    with pytest.raises(UsageError, match="another imgfix train"):
        run_training(recipe_of(), tmp_path / "run")
    first.close()
    assert not (tmp_path / "run").exists()
    run_training(recipe_of(steps=1), tmp_path / "run")


def test_an_empty_folder_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        run_training(build_recipe("tiny", [{"photos": (str(tmp_path / "empty"),)}]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_dry_run_measures_and_writes_nothing(
    recipe_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, where = dry_run(recipe_of(adversarial=0.1, steps=1000))
    assert where.device.type == "cpu" and set(found.parameters) == {"net", "discriminator"}
    assert found.step_seconds > 0 and found.run_seconds == pytest.approx(1000 * found.step_seconds)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_notices_losses_that_are_no_numbers(recipe_of: Make) -> None:
    with pytest.raises(ImgfixError, match="not all numbers"):
        dry_run(recipe_of(poison=(0,)))


def test_the_log_is_json_and_says_everything(recipe_of: Make, tmp_path: Path) -> None:
    run_training(recipe_of(adversarial=0.1), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[5])
    assert record.keys() == {
        *("kind", "step", "seconds", "lr", "loss", "l1", "adversarial", "gradient"),
        *("discriminator_loss", "discriminator_hinge", "discriminator_gradient"),
    }


def test_tensorboard_is_asked_for_by_name_where_it_is_missing(
    recipe_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError) as caught:
        run_training(recipe_of(tensorboard=True), tmp_path / "run")
    assert caught.value.hint == "pip install 'imgfix[tensorboard]'" and not (tmp_path / "run").exists()


def test_a_model_file_that_is_no_runs_is_not_replaced(recipe_of: Make, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"precious")
    with pytest.raises(UsageError, match="no run's"):
        run_training(recipe_of(), tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == b"precious"


def test_memory_that_does_not_suffice_gets_a_remedy(
    recipe_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop, "take_step", too_much)
    with pytest.raises(MemoryExhaustedError, match="batches of 4 crops of 16") as caught:
        run_training(recipe_of(), tmp_path / "run")
    assert "--batch 2 --set accumulate=2" in (caught.value.renamed(option).hint or "")


def test_speed_and_time_left_are_shown_in_plain_lines(recipe_of: Make, tmp_path: Path) -> None:
    told = Told()
    run_training(recipe_of(), tmp_path / "run", reporter=told)
    text = "\n".join(told.lines)
    assert "step 20/20" in text and "loss" in text and "(best so far)" in text
    show = Display(recipe_of(steps=100), None)
    show.losses = {"loss": 0.5}
    show._speed = 0.5
    assert show._text(40, 1e-4, 10.0) == "loss 0.5  rate 0.0001  2.0 s/step  2 min left"


def test_time_that_is_over_is_not_spent_again(recipe_of: Make, tmp_path: Path) -> None:
    settings = {"steps": 10**7, "minutes": 0.005}
    first = run_training(recipe_of(**settings), tmp_path / "run")
    again = run_training(recipe_of(**settings), tmp_path / "run")
    assert (again.step, again.reason) == (first.step, "out of time")
    assert run_training(recipe_of(steps=10**7, minutes=0.01), tmp_path / "run").step > first.step


def test_a_device_that_runs_ahead_is_caught_at_the_first_bad_step(
    recipe_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"poison": (8, 9), "steps": 40, "snapshot_every": 5}
    run_training(recipe_of(**settings), tmp_path / "waits")
    monkeypatch.setitem(loop.PATIENCE, "cpu", 7)
    outcome = run_training(recipe_of(**settings, log_every=3), tmp_path / "ahead")
    assert outcome.step == 40 and outcome.incidents == 2
    ends = [curve(tmp_path / name)[-1] for name in ("waits", "ahead")]
    assert ends[0] == ends[1] and ends[0]["step"] == 40


def test_half_precision_leaves_out_steps_whose_scaled_gradients_overflow(
    recipe_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Placement(torch.device("cpu"), "fp16")
    monkeypatch.setattr("imgfix.train.run.place", lambda *_: half)
    outcome = run_training(recipe_of(adversarial=0.05, steps=10), tmp_path / "run")
    assert outcome.step == 10 and outcome.incidents == 0
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["scaler"]["scale"] > 0
    assert run_training(recipe_of(adversarial=0.05, steps=12), tmp_path / "run").step == 12
