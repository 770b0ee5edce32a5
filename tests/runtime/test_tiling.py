"""Tiles cover every pixel, join without a trace, and grow smaller when memory runs out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from imgfix.errors import MemoryExhaustedError, UsageError
from imgfix.runtime import memory, tiling
from imgfix.runtime.engine import Engine
from tests.runtime.nets import Folded, Shuffle, Small, engine, shuffle_engine


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).random((height, width, 3), np.float32)


def reader(source: np.ndarray) -> Callable[[int, int, int, int], np.ndarray]:
    def read(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        assert 0 <= y0 < y1 <= source.shape[0] and 0 <= x0 < x1 <= source.shape[1]
        return source[y0:y1, x0:x1]

    return read


def tiled(runs: Engine, source: np.ndarray, grid: tiling.Plan, **options: bool) -> np.ndarray:
    return np.concatenate(list(tiling.bands(runs, reader(source), *source.shape[:2], grid, **options)))


def untiled(runs: Engine, source: np.ndarray) -> np.ndarray:
    return runs.run(torch.from_numpy(source).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 3000), st.integers(8, 400), st.integers(0, 60), st.sampled_from([1, 2, 4, 8]))
def test_windows_cover_a_side_with_context_and_near_equal_lengths(
    length: int, inner: int, overlap: int, multiple: int
) -> None:
    tile = inner + 2 * (overlap + multiple)
    axis = tiling.cover(length, tile, overlap, multiple)
    assert axis.cuts[0] == 0 and axis.cuts[-1] == length
    assert axis.window <= max(tile, multiple) + multiple
    for i in range(len(axis)):
        start, end, low, high = axis.bounds(i)
        assert start % multiple == 0 and low < high
        assert start == 0 or low - start >= overlap
        assert end == length or end - high >= overlap
    kept = np.diff(axis.cuts)
    if len(kept) > 2:
        assert kept[1:-1].max() - kept[1:-1].min() <= 2 * multiple + 1


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), tile=st.integers(24, 64), scale=st.sampled_from([1, 2, 3]))
def test_tiled_equals_untiled(height: int, width: int, tile: int, scale: int) -> None:
    runs, source = shuffle_engine(scale), picture(height, width)
    grid = tiling.plan(height, width, tile=(tile, tile + 3), overlap=runs.overlap)
    assert np.abs(tiled(runs, source, grid) - untiled(runs, source)).max() < 1e-5


def test_tiled_equals_untiled_in_low_precision() -> None:
    runs, source = shuffle_engine(precision="bf16"), picture(100, 130)
    out = tiled(runs, source, tiling.plan_for(runs, 100, 130, 40))
    assert np.abs(out - untiled(runs, source)).max() <= 1 / 255


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_windows_keep_the_phase_of_a_folding_network(height: int, width: int) -> None:
    torch.manual_seed(0)
    runs, source = engine(Folded(), receptive_field=6, size_multiple=2), picture(height, width)
    # Where a side is odd both are padded at the same place, so they agree everywhere.
    out = tiled(runs, source, tiling.plan_for(runs, height, width, 32))
    assert np.abs(out - untiled(runs, source)).max() < 1e-5


@pytest.mark.parametrize("fade", [1, 4, 8])
def test_shares_of_faded_windows_add_up_to_one(fade: int) -> None:
    runs = engine(nn.Identity(), receptive_field=None)
    source = picture(97, 83)
    grid = tiling.plan(97, 83, tile=(40, 36), overlap=8, fade=fade)
    assert grid.tiles > 6
    assert np.abs(tiled(runs, source, grid) - source).max() < 1e-6


def test_a_network_without_bound_is_faded_and_one_with_a_bound_is_cut() -> None:
    assert tiling.plan_for(shuffle_engine(receptive_field=349), 300, 300, 100).fade > 0
    assert tiling.plan_for(shuffle_engine(), 300, 300, 100).fade == 0


def test_fading_hides_the_joints_of_a_network_that_looks_further() -> None:
    class Mean(nn.Module):  # every window gets an offset of its own
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0 + x.mean()

    runs, source = engine(Mean()), np.linspace(0, 1, 200, dtype=np.float32)[None, :, None].repeat(40, 0).repeat(3, 2)
    cut = tiled(runs, source, tiling.plan(40, 200, tile=(40, 80), overlap=16))
    faded = tiled(runs, source, tiling.plan(40, 200, tile=(40, 80), overlap=16, fade=8))
    assert np.abs(np.diff(faded, axis=1)).max() < np.abs(np.diff(cut, axis=1)).max() / 10


def test_rows_come_top_to_bottom_each_once_in_small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "SLICE_BYTES", 20 * 60 * 2 * 3 * 4)
    runs, source = shuffle_engine(), picture(100, 60)
    heights = [len(band) for band in tiling.bands(runs, reader(source), 100, 60, tiling.plan_for(runs, 100, 60, 40))]
    assert sum(heights) == 200 and max(heights) <= 20


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_out_of_memory_means_smaller_tiles_and_the_same_tile_again(error: type[Exception]) -> None:
    torch.manual_seed(0)
    net = Shuffle()
    whole = untiled(engine(net, scale=2, receptive_field=3), picture(120, 100))
    runs = engine(Small(net, 1500, error), scale=2, receptive_field=3)
    notes: list[str] = []
    runs.note = notes.append
    out = tiled(runs, picture(120, 100), tiling.plan_for(runs, 120, 100, 64))
    assert np.abs(out - whole).max() < 1e-5
    # What did not fit once is not tried again.
    assert isinstance(runs._net, Small)
    failed = [h * w for h, w in runs._net.sizes if h * w > 1500]
    assert 0 < len(failed) < 4 and failed == sorted(failed, reverse=True)
    assert notes and "smaller tiles" in notes[0]


def test_splitting_keeps_faded_joints_exact() -> None:
    runs = engine(Small(nn.Identity(), 900), receptive_field=None)
    source = picture(130, 110)
    grid = tiling.plan(130, 110, tile=(64, 64), overlap=8, fade=4)
    assert np.abs(tiled(runs, source, grid) - source).max() < 1e-6


def test_when_not_even_the_smallest_tile_fits_it_is_said() -> None:
    runs = engine(Small(nn.Identity(), 10), receptive_field=2)
    with pytest.raises(MemoryExhaustedError, match="smallest tiles") as caught:
        tiled(runs, picture(64, 64), tiling.plan_for(runs, 64, 64, 48))
    assert caught.value.exit_code == 4
    assert not isinstance(caught.value, memory.OutOfMemory)


def test_a_model_whose_makers_advise_against_tiles_gets_them_only_where_the_whole_does_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = shuffle_engine(whole_first=True)
    monkeypatch.setattr(type(runs), "preferred_tile", 64)
    monkeypatch.setattr(memory, "budget", lambda device: 200 * 300 * runs.bytes_per_pixel)
    assert len(tiling.plan_for(runs, 200, 300).rows) == 1 == len(tiling.plan_for(runs, 200, 300).columns)
    assert tiling.plan_for(runs, 200, 400).tiles > 1
    assert tiling.plan_for(runs, 200, 300, 64).tiles > 1
    assert tiling.plan_for(shuffle_engine(), 200, 300).tiles > 1


def test_a_network_that_must_not_be_tiled_is_not() -> None:
    runs = shuffle_engine(tiling=False)
    assert tiling.plan_for(runs, 3000, 3000, 64).tiles == 1
    runs = engine(Small(nn.Identity(), 2000), tiling=False)
    with pytest.raises(MemoryExhaustedError, match="cannot be run in tiles"):
        tiled(runs, picture(64, 64), tiling.plan_for(runs, 64, 64))


def test_a_tile_without_room_beside_its_overlap_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="too small") as caught:
        tiling.plan_for(shuffle_engine(receptive_field=30), 500, 500, 60)
    assert "tile 76" in str(caught.value.hint)


def test_less_memory_means_smaller_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = shuffle_engine()
    plenty = tiling.plan_for(runs, 4000, 4000)
    monkeypatch.setattr(memory, "free_bytes", lambda device="cpu": 4 << 20)
    scarce = tiling.plan_for(runs, 4000, 4000)
    assert scarce.rows.window < plenty.rows.window and scarce.columns.window < plenty.columns.window
    assert scarce.rows.window * scarce.columns.window * runs.bytes_per_pixel <= memory.budget("cpu")


def test_wide_pictures_get_low_rows_of_tiles() -> None:
    runs = shuffle_engine(4)
    rows = tiling.plan_for(runs, 2000, 30000).rows.window
    assert rows * 30000 * 16 * 3 * 4 <= tiling.SHEET_BYTES


def test_constant_windows_are_filled_without_a_run() -> None:
    runs = engine(Small(nn.Identity(), 10**9))
    source = np.zeros((64, 200, 3), np.float32)
    source[:, 150:] = 1
    source[20, 100] = 0.5
    grid = tiling.plan(64, 200, tile=(64, 50), overlap=4)
    assert np.array_equal(tiled(runs, source, grid, skip_constant=True), source)
    net = runs._net
    assert isinstance(net, Small) and 0 < len(net.sizes) < grid.tiles


def test_progress_counts_tiles() -> None:
    runs, seen = shuffle_engine(), list[tuple[int, int]]()
    tiling.run_tiled(
        runs, reader(picture(50, 50)), 50, 50, lambda band: None, 30, lambda done, total: seen.append((done, total))
    )
    assert seen == [(i + 1, 4) for i in range(4)]


def test_windows_on_a_cpu_are_large_when_memory_is_plentiful(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = shuffle_engine(1)
    needed = round(runs.bytes_per_pixel * 1024**2)
    for room, side in ((3 * needed, 1024), (needed, 512), (needed // 16, 256)):
        monkeypatch.setattr(memory, "budget", lambda device, room=room: room)
        window = tiling.plan_for(runs, 3000, 3000).columns.window
        assert side // 2 < window <= side
