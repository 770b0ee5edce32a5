"""Which files are read and where results go."""

from __future__ import annotations

import io
import itertools
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgfix.errors import InputError, OutputError, UsageError
from imgfix.media.jobs import FileJob, Stdin, Stdout, find_sources, natural_key, plan


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def targets(jobs: list[FileJob], root: Path) -> dict[str, str]:
    return {
        Path(str(job.source)).relative_to(root).as_posix(): Path(str(job.target)).relative_to(root).as_posix()
        for job in jobs
    }


def test_a_file_gets_its_result_beside_it(tmp_path: Path) -> None:
    touch(tmp_path, "a.b.jpg")
    (job,) = plan([str(tmp_path / "a.b.jpg")], suffix="_x4")
    assert job.target == tmp_path / "a.b_x4.jpg"
    assert (job.relative, job.kind, job.error, job.skip) == (Path("a.b.jpg"), "image", None, None)


def test_a_folder_is_mirrored_without_hidden_and_foreign_files(tmp_path: Path) -> None:
    touch(tmp_path, "in/b.png", "in/.hidden.png", "in/notes.txt", "in/sub/c.JPG", "in/.git/d.png", "in/sub/clip.mp4")
    found = plan([str(tmp_path / "in")], str(tmp_path / "out"), recursive=True)
    assert targets(found, tmp_path) == {"in/b.png": "out/b.png", "in/sub/c.JPG": "out/sub/c.JPG"}
    flat = plan([str(tmp_path / "in")], str(tmp_path / "out"))
    assert targets(flat, tmp_path) == {"in/b.png": "out/b.png"}
    both = plan([str(tmp_path / "in")], str(tmp_path / "out"), recursive=True, kinds=("image", "video"))
    assert [job.kind for job in both] == ["image", "image", "video"]


def test_files_come_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, *(f"in/f{n}.png" for n in (10, 2, 1, 33)))
    found = plan([str(tmp_path / "in")], str(tmp_path / "out"))
    assert [Path(str(job.source)).stem for job in found] == ["f1", "f2", "f10", "f33"]


def test_quoted_globs_are_expanded_here_and_keep_their_tree(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png", "in/x/b.png", "in/x/y/c.png", "in/x/d.txt")
    found = plan([str(tmp_path / "in/**/*.png")], str(tmp_path / "out"))
    assert targets(found, tmp_path) == {
        "in/a.png": "out/a.png", "in/x/b.png": "out/x/b.png", "in/x/y/c.png": "out/x/y/c.png",
    }  # fmt: skip
    everything = plan([str(tmp_path / "in/x/*")], str(tmp_path / "out"))
    assert targets(everything, tmp_path) == {"in/x/b.png": "out/b.png"}


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path: Path) -> None:
    touch(tmp_path, "scan [1].png", "scan 1.png")
    (job,) = plan([str(tmp_path / "scan [1].png")], suffix="_x2")
    assert job.source == tmp_path / "scan [1].png"


def test_lists_name_one_path_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png", "Ünïcode 文.png", "sub/c.png")
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_bytes("\ufeffa.png\r\n\nÜnïcode 文.png\nsub\n".encode())
    found = plan(["@list.txt"], "out/")
    assert [str(job.target) for job in found] == ["out/a.png", "out/Ünïcode 文.png", "out/c.png"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("a.png\n"))
    assert [job.source for job in plan(["@-"], "out/")] == [Path("a.png")]
    with pytest.raises(UsageError, match="no such list"):
        plan(["@missing.txt"])


@pytest.mark.parametrize("line", ["a\0b.png", "\0", "x" * 5000 + ".png", "y" * 300 + ".png"])
def test_a_line_that_can_be_no_name_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    touch(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_bytes(f"{line}\na.png\n".encode())
    bad, good = plan(["@list.txt"], "out/")
    assert isinstance(bad.error, InputError) and "name" in bad.error.message
    assert good.error is None


def test_a_dash_is_stdin_and_stdout() -> None:
    (job,) = plan(["-"])
    assert (job.source, job.target, job.kind) == (Stdin(), Stdout(), "unknown")
    (job,) = plan(["-"], "out.png")
    assert job.target == Path("out.png")
    with pytest.raises(UsageError, match="cannot be mixed"):
        plan(["-", "-", "a.png"])


def test_several_results_cannot_go_to_stdout_or_to_one_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png")
    both = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    with pytest.raises(UsageError, match="standard output"):
        plan(both, "-")
    with pytest.raises(UsageError, match="one file"):
        plan(both, str(tmp_path / "out.png"))
    assert [job.target for job in plan(both, str(tmp_path / "new"))] == [tmp_path / "new/a.png", tmp_path / "new/b.png"]


@pytest.mark.parametrize(
    "output, expected", [("out.webp", "out.webp"), ("out/", "out/a.png"), ("there", "there/a.png")]
)
def test_an_output_is_a_file_or_a_folder(tmp_path: Path, output: str, expected: str) -> None:
    touch(tmp_path, "a.png")
    (tmp_path / "there").mkdir()
    word = f"{tmp_path}/{output}"
    (job,) = plan([str(tmp_path / "a.png")], word)
    assert job.target == tmp_path / expected


def test_a_template_is_filled(tmp_path: Path) -> None:
    touch(tmp_path, "in/s/a.png", "in/b.jpg")
    found = plan(
        [str(tmp_path / "in")],
        str(tmp_path / "out/{parent}/{n:03d}-{stem}_{scale}x_{model}{ext}"),
        recursive=True,
        variables={"scale": 4, "model": "tiny"},
        target_format="webp",
    )
    assert targets(found, tmp_path) == {
        "in/b.jpg": "out/001-b_4x_tiny.webp", "in/s/a.png": "out/s/002-a_4x_tiny.webp",
    }  # fmt: skip
    with pytest.raises(UsageError, match="unknown name"):
        plan([str(tmp_path / "in")], "{stemm}.png")
    with pytest.raises(UsageError, match="cannot be filled"):
        plan([str(tmp_path / "in")], "{stem:04d}.png")
    with pytest.raises(UsageError, match="broken"):
        plan([str(tmp_path / "in")], "{stem}.{png")


def test_two_inputs_for_one_output_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.png", "y/a.png", "y/A.png")
    with pytest.raises(UsageError, match="both be written") as caught:
        plan([str(tmp_path / "x/a.png"), str(tmp_path / "y/a.png")], str(tmp_path / "out/"))
    assert caught.value.hint is not None and "out/{n}_{stem}{ext}" in caught.value.hint  # a way out that works
    assert len(plan([str(tmp_path / "x/a.png"), str(tmp_path / "y/a.png")], str(tmp_path / "out/{n}_{stem}{ext}"))) == 2
    with pytest.raises(UsageError, match="both be written"):  # one file on Windows and macOS
        plan([str(tmp_path / "x/a.png"), str(tmp_path / "y/A.png")], str(tmp_path / "out/"))
    with pytest.raises(UsageError, match="both be written"):
        plan([str(tmp_path / "x/a.png"), str(tmp_path / "y/a.png")], str(tmp_path / "{scale}.png"))


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="a device of POSIX")
def test_a_device_gets_no_extension(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    (job,) = plan([str(tmp_path / "a.png")], "/dev/null", target_format="webp")
    assert job.target == Path("/dev/null")


def test_the_same_file_named_twice_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    name = str(tmp_path / "a.png")
    assert len(plan([name, f"{tmp_path}/./a.png", str(tmp_path)], suffix="_x2")) == 1


def test_an_output_over_its_own_input_needs_overwrite(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png")
    with pytest.raises(UsageError, match="over itself"):
        plan([str(tmp_path / "a.png")], str(tmp_path / "a.png"))
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="over itself"):
        plan([str(tmp_path / "a.png")], str(tmp_path / "link/a.png"))
    (job,) = plan([str(tmp_path / "a.png")], str(tmp_path / "a.png"), overwrite=True)
    assert job.error is None
    with pytest.raises(UsageError, match="another input"):
        plan([str(tmp_path / "a.png"), str(tmp_path / "b.png")], str(tmp_path / "b{ext}"), overwrite=True)


def test_an_existing_output_is_the_items_error(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png", "in/b.png", "out/a.png")
    args = [str(tmp_path / "in")], str(tmp_path / "out")
    first, second = plan(*args)
    assert isinstance(first.error, OutputError)
    assert "overwrite" in (first.error.hint or "")
    assert second.error is None
    first, second = plan(*args, skip_existing=True)
    assert first.skip
    assert not second.skip
    first, _ = plan(*args, overwrite=True)
    assert first.error is None


def test_a_missing_input_is_the_items_error(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    missing, there = plan([str(tmp_path / "nope.png"), str(tmp_path / "a.png")], suffix="_x2")
    assert isinstance(missing.error, InputError)
    assert there.error is None


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "sub/a.png")
    with pytest.raises(UsageError, match="nothing to do") as caught:
        plan([str(tmp_path)])
    assert "recursive" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="nothing to do"):
        plan([str(tmp_path / "*.tif")])


def test_earlier_results_are_not_taken_as_inputs(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a_x4.png", "b_x4.png")
    found = plan([str(tmp_path)], suffix="_x4")
    assert targets(found, tmp_path) == {"a.png": "a_x4.png", "b_x4.png": "b_x4_x4.png"}
    assert found[0].error is not None
    named = plan([str(tmp_path / "a_x4.png")], suffix="_x4")  # but a file that is named is taken
    assert targets(named, tmp_path) == {"a_x4.png": "a_x4_x4.png"}


def test_an_output_folder_inside_the_input_is_not_read(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "done/a.png", "s/b.png")
    found = plan([str(tmp_path)], str(tmp_path / "done"), recursive=True, skip_existing=True)
    assert targets(found, tmp_path) == {"a.png": "done/a.png", "s/b.png": "done/s/b.png"}


def test_a_link_in_a_circle_ends(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    assert len(plan([str(tmp_path / "in")], str(tmp_path / "out"), recursive=True)) == 1


def test_a_named_file_is_taken_whatever_its_extension(tmp_path: Path) -> None:
    touch(tmp_path, "scan", "photo.dat")
    found = plan([str(tmp_path / "scan"), str(tmp_path / "photo.dat")], str(tmp_path / "out"), target_format="png")
    assert targets(found, tmp_path) == {"scan": "out/scan.png", "photo.dat": "out/photo.png"}


def test_a_device_is_no_existing_output(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    (job,) = plan([str(tmp_path / "a.png")], "/dev/null")
    assert job.error is None


names = st.text("aAbB1290é._ -", min_size=1, max_size=6).filter(
    lambda name: not name.startswith(".") and name.strip(" ")
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(names, names), min_size=1, max_size=8, unique=True))
def test_no_plan_writes_one_place_twice_or_leaves_its_folder(tmp_path_factory, pairs) -> None:
    root = tmp_path_factory.mktemp("tree")
    for folder, name in pairs:
        touch(root, f"in/{folder}/{name}.png")
    try:
        found = plan([str(root / "in")], str(root / "out"), recursive=True)
    except UsageError as error:
        assert "both be written" in error.message
        return
    places = [str(job.target).casefold() for job in found]
    assert len(set(places)) == len(places) == len({str(job.source) for job in found})
    for job in found:
        assert isinstance(job.target, Path)
        assert job.target.relative_to(root / "out") == Path(str(job.source)).relative_to(root / "in")


@given(st.lists(st.text("ab019_.", max_size=8), max_size=6))
def test_natural_order_is_an_order(words: list[str]) -> None:
    once = sorted(words, key=natural_key)
    assert all(natural_key(a) <= natural_key(b) for a, b in itertools.pairwise(once))
    assert len({str(natural_key(word)) for word in words}) == len(set(words))  # no two names are equal
    assert sorted(["v10", "v9", "v1.10", "v1.9"], key=natural_key) == ["v1.9", "v1.10", "v9", "v10"]


def test_a_folder_that_cannot_be_listed_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/one.png", "a/locked/two.png", "b/three.png")
    locked, scandir = tmp_path / "a" / "locked", os.scandir

    def listed(folder: Path) -> object:
        if folder == locked:
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", listed)
    found = plan([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "out"), recursive=True)
    assert [Path(str(job.source)).name for job in found if job.error is None] == ["one.png", "three.png"]
    (failed,) = [job for job in found if job.error is not None]
    assert "locked cannot be listed" in str(failed.error)


def test_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png", "in/notes.txt", "in/list.csv", "in/.hidden", "in/deep/b.png", "in/more/c.png")
    found = find_sources([tmp_path / "in"])
    assert found.passed.words == ["passed over: 2 other files, 2 subfolders without `recursive`"]
    assert find_sources([tmp_path / "in"], recursive=True).passed.words == ["passed over: 2 other files"]
    assert find_sources([f"{tmp_path}/in/*"]).passed.words == found.passed.words
    assert find_sources([tmp_path / "in" / "a.png"]).passed.words == []
