"""The small parts of the loop: draws, schedule, average, split, log, sheets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from imgfix.train.ema import Average
from imgfix.train.job import Draw
from imgfix.train.log import RunLog, read_log
from imgfix.train.progress import duration
from imgfix.train.recipe import Recipe
from imgfix.train.schedule import rate_factor
from imgfix.train.sheet import write_sheet
from imgfix.train.split import held_out


def test_a_draw_depends_on_its_fields_and_on_nothing_else() -> None:
    draw, same, other = Draw(1, 7, 0, 1, 4), Draw(1, 7, 0, 1, 4), Draw(1, 8, 0, 1, 4)
    torch.manual_seed(3)
    first = torch.randn(5, generator=draw.generator)
    torch.manual_seed(4)
    assert torch.equal(first, torch.randn(5, generator=same.generator))
    assert not torch.equal(first, torch.randn(5, generator=other.generator))
    assert torch.equal(draw.uniform(3), same.uniform(3))
    assert not torch.equal(draw.uniform(3), draw.uniform(3, "crop"))


def test_two_processes_draw_the_rows_that_one_process_with_the_doubled_batch_draws() -> None:
    whole = Draw(5, 9, 0, 1, 8).uniform(3)
    halves = torch.cat([Draw(5, 9, slot, 2, 4).uniform(3) for slot in range(2)])
    assert torch.equal(whole, halves)


def test_draws_are_even_and_unrelated_from_step_to_step() -> None:
    numbers = torch.stack([Draw(0, step, 0, 1, 8).uniform(2) for step in range(2000)])
    assert numbers.min() >= 0 and numbers.max() < 1
    assert abs(float(numbers.mean()) - 0.5) < 0.01
    flat = numbers.reshape(2000, -1)
    correlation = torch.corrcoef(torch.stack([flat[:-1].flatten(), flat[1:].flatten()]))[0, 1]
    assert abs(float(correlation)) < 0.02


def test_the_rate_warms_up_and_falls(recipe_of: Callable[..., Recipe]) -> None:
    cosine = recipe_of(steps=100, warmup=9, lr_floor=0.1)
    rates = [rate_factor(cosine, step) for step in range(101)]
    assert rates[0] < 0.2 and max(rates) > 0.97
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[100] == pytest.approx(0.1)
    drops = recipe_of(steps=100, warmup=0, schedule="step")
    assert [rate_factor(drops, step) for step in (0, 49, 50, 75, 90)] == [1, 1, 0.5, 0.25, 0.125]
    assert rate_factor(recipe_of(steps=100, warmup=0, schedule="constant"), 99) == 1


def test_with_a_time_limit_the_rate_follows_the_clock(recipe_of: Callable[..., Recipe]) -> None:
    recipe = recipe_of(steps=100_000, minutes=10, warmup=0, lr_floor=0)
    assert rate_factor(recipe, 50, 0) == pytest.approx(1, abs=1e-3)
    assert rate_factor(recipe, 50, 300) == pytest.approx(0.5)
    assert rate_factor(recipe, 50, 700) == pytest.approx(0)


def test_the_average_trails_the_network_and_catches_up_with_a_constant_one() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = Average(net, 0.9)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1.0)
        net[1].running_mean.fill_(4.0)
    for step in range(400):
        average.update(step)
    assert all(torch.allclose(p, torch.ones_like(p)) for p in average.module.parameters())
    assert float(average.module[1].running_mean[0]) == 4.0
    assert not any(p.requires_grad for p in average.module.parameters())
    assert Average(net, 0).module is net


def test_a_picture_stays_held_out_when_others_come_or_the_folder_moves() -> None:
    few = [Path(f"a/img{i}.jpg") for i in range(100)]
    many = [Path(f"elsewhere/img{i}.jpg") for i in reversed(range(1000))]
    names = {p.name for p in held_out(few, 0.1)[1]}
    assert names == {p.name for p in held_out(many, 0.1)[1]} & {p.name for p in few}
    assert 60 < len(held_out(many, 0.1)[1]) < 140


def test_a_split_keeps_something_on_both_sides() -> None:
    two = [Path("a"), Path("b")]
    for fraction in (0.001, 0.999):
        training, held = held_out(two, fraction)
        assert len(training) == len(held) == 1
    assert held_out(two, 0) == (two, [])
    assert held_out(two[:1], 0.5) == (two[:1], [])


def test_the_log_survives_a_torn_last_line_and_rewinds(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    for step in range(1, 6):
        log.write("train", step, loss=step / 3)
    log.write("event", 5, text="something")
    log.close()
    with log.path.open("a") as file:
        file.write('{"kind": "train", "st')
    log.rewind(3)
    log.write("train", 4, loss=float("nan"))
    assert [(r["kind"], r["step"]) for r in read_log(log.path)] == [
        *(("train", step) for step in (1, 2, 3)),
        ("event", 5),
        ("train", 4),
    ]


def test_a_sheet_shows_columns_of_different_sizes(tmp_path: Path) -> None:
    columns = {"input": torch.rand(3, 3, 16, 24), "output": torch.rand(3, 3, 64, 96), "mask": torch.rand(3, 1, 64, 96)}
    write_sheet(tmp_path / "deep" / "sheet.png", columns, rows=2)
    with Image.open(tmp_path / "deep" / "sheet.png") as sheet:
        assert sheet.size == (4 + 3 * 100, 18 + 2 * 68)
        enlarged = sheet.getpixel((4, 18))
    red = round(float(columns["input"][0, 0, 0, 0]) * 255)
    assert enlarged[0] == red


def test_time_spans_read_like_speech() -> None:
    assert [duration(s) for s in (3, 89, 600, 7200, 12000)] == ["3 s", "89 s", "10 min", "2 h 0 min", "3 h 20 min"]
