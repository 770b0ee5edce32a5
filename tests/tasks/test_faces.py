"""Faces found, brought upright, restored and put back, with networks of which the result can be foretold."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imgfix.runtime.engine import Engine
from imgfix.tasks.faces.clip import FaceFrames
from imgfix.tasks.faces.face import SURE, TEMPLATE, Face, in_profile, similarity
from imgfix.tasks.faces.find import FaceFinder, kept
from imgfix.tasks.faces.restore import FaceRequest, oval, restore_faces
from imgfix.tasks.faces.tracks import RADIUS, steady
from imgfix.zoo.descriptor import Descriptor, Model
from tests.tasks import magenta

SIDE = 64


class Painter(nn.Module):
    """Does to the square whatever is said."""

    def __init__(self, paint: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.paint = paint

    def forward(self, x: Tensor) -> Tensor:
        return self.paint(x)


def restorer(paint: Callable[[Tensor], Tensor]) -> Engine:
    facts = Descriptor("painter", "restore", "painter", native_size=SIDE, tiling=False, jobs=("faces",))
    return Engine(Model(facts, Painter(paint)), "cpu", "fp32")


IDENTITY = restorer(lambda x: x.clone())


def grain(x: Tensor) -> Tensor:
    """A checkerboard, which is as fine as can be, so that no colour changes."""
    side = torch.arange(x.shape[-1])
    return (x + 0.2 * ((side[:, None] // 2 + side // 2) % 2 - 0.5)).clamp(0, 1)


def face_at(x: float, y: float, size: float = 64.0, angle: float = 0.0, score: float = 0.95) -> Face:
    """A face seen from the front, `size` the side of its square."""
    turn = np.exp(1j * np.radians(angle))
    offsets = ((TEMPLATE - 0.5) @ np.array([1, 1j])) * size * turn
    points = np.stack([x + offsets.real, y + offsets.imag], axis=1)
    half = size / 3
    return Face((x - half, y - half, x + half, y + half), points, score)


def picture(height: int = 120, width: int = 160, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    values = np.random.default_rng(5).uniform(0.2, 0.8, (height, width, channels))
    return (cv2.GaussianBlur(values, (0, 0), 1.2).reshape(values.shape) * top).astype(dtype)


# -- alignment ---------------------------------------------------------------------------------------------------------


def test_landmarks_are_brought_onto_the_template_whatever_their_place_size_and_turn() -> None:
    for size, angle in ((20.0, 0.0), (64.0, 30.0), (900.0, -75.0), (300.0, 180.0)):
        face = face_at(70, 40, size, angle)
        matrix = face.to_square(SIDE)
        landed = face.points @ matrix[:, :2].T + matrix[:, 2]
        np.testing.assert_allclose(landed, TEMPLATE * SIDE, atol=1e-6)


def test_a_similarity_neither_shears_nor_mirrors_what_does_not_fit() -> None:
    points = TEMPLATE * 100 * (1.3, 0.8) + np.random.default_rng(0).normal(0, 3, (5, 2))
    matrix = similarity(points[:, ::-1] * (1, -1), TEMPLATE)[:, :2]
    assert matrix[0, 0] == pytest.approx(matrix[1, 1]) and matrix[0, 1] == pytest.approx(-matrix[1, 0])
    assert np.linalg.det(matrix) > 0


def test_landmarks_on_one_point_are_an_error() -> None:
    with pytest.raises(ValueError, match="one point"):
        similarity(np.ones((5, 2)), TEMPLATE)


def test_a_face_from_the_side_is_told_from_one_that_is_turned_a_little() -> None:
    def turned(degrees: float) -> np.ndarray:
        """The landmarks of a head turned about its axis, the nose 0.45 of the distance of the eyes before it."""
        depth = np.array([0.0, 0.0, 0.11, 0.02, 0.02])
        angle = np.radians(degrees)
        x = (TEMPLATE[:, 0] - 0.5) * np.cos(angle) + depth * np.sin(angle)
        return np.stack([x + 0.5, TEMPLATE[:, 1]], axis=1) * 200

    assert [in_profile(turned(degrees)) for degrees in (0, 20, -30, 75, -80, 90)] == [False] * 3 + [True] * 3


# -- finding -----------------------------------------------------------------------------------------------------------


def test_a_find_inside_another_is_the_same_face_and_the_surer_one_stays() -> None:
    cells = np.zeros((4, 15))
    cells[:, :4] = (0, 0, 100, 100), (10, 10, 60, 60), (300, 0, 340, 40), (305, 2, 345, 42)
    cells[:, 14] = 0.9, 0.95, 0.8, 0.7
    assert kept(cells)[:, 14].tolist() == [0.95, 0.8]
    assert len(kept(np.zeros((0, 15)))) == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_faces_are_found_where_they_are(dtype: type) -> None:
    pixels = magenta.picture((1, 1), (3, 6)).astype(dtype) * (257 if dtype is np.uint16 else 1)
    found = FaceFinder(magenta.model()).find(pixels)
    assert sorted(((f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2) for f in found) == [
        pytest.approx(magenta.centre(1, 1)), pytest.approx(magenta.centre(3, 6))
    ]  # fmt: skip
    assert all(not face.left_alone for face in found)
    assert not FaceFinder(magenta.model()).find(magenta.picture().astype(dtype))


def test_what_is_too_large_for_a_look_is_found_in_a_smaller_copy() -> None:
    small = magenta.picture((1, 1))
    large = small.repeat(4, axis=0).repeat(4, axis=1)  # the square is 128 pixels, of which the first look sees parts
    finder = FaceFinder(magenta.model())
    whole = [face for face in finder.find(large) if face.size > 2 * magenta.SIZE]
    assert len(whole) == 1 and whole[0].size == pytest.approx(4 * magenta.SIZE)
    middle = np.add(whole[0].box[:2], whole[0].box[2:]) / 2
    np.testing.assert_allclose(middle, 4 * np.array(magenta.centre(1, 1)), atol=1e-3)


def test_a_large_picture_is_looked_at_in_windows_and_no_face_is_found_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = ((1, 1), (1, 6), (4, 3))
    finder = FaceFinder(magenta.model())
    whole = finder.find(magenta.picture(*cells))
    monkeypatch.setattr("imgfix.tasks.faces.find._WINDOW", 160)
    monkeypatch.setattr("imgfix.tasks.faces.find._OVERLAP", 64)
    again = finder.find(magenta.picture(*cells))
    assert len(again) == len(whole) == 3
    np.testing.assert_allclose(sorted(face.box for face in again), sorted(face.box for face in whole), atol=1e-3)


# -- restoring ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [16.0, 50.0, 64.0, 150.0, 700.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_network_that_changes_nothing_changes_no_bit(size: float, dtype: type) -> None:
    pixels = picture(dtype=dtype)
    made = restore_faces(pixels, [FaceRequest(face_at(70.3, 61.8, size, 17))], IDENTITY)
    assert np.array_equal(made, pixels)


@pytest.mark.parametrize("size", [40.0, 64.0, 110.0])
def test_outside_the_oval_no_bit_changes_and_inside_it_does(size: float) -> None:
    pixels, face = picture(), face_at(80, 60, size, -12)
    made = restore_faces(pixels, [FaceRequest(face)], restorer(grain))
    weight = oval(face.to_square(SIDE), SIDE, pixels.shape[:2])
    changed = (made != pixels).any(axis=2)
    assert not changed[weight == 0].any()
    assert changed[weight == 1].mean() > 0.5
    assert (weight == 1).sum() > 0.2 * size**2 and not weight[0].any() and not weight[:, 0].any()


@pytest.mark.parametrize(("size", "angle"), [(48.0, 0.0), (64.0, 25.0), (140.0, -40.0)])
def test_what_is_drawn_on_a_landmark_lands_on_it(size: float, angle: float) -> None:
    """A spot on the tip of the nose, to half a pixel, whatever the size and the turn of the face."""
    side = torch.arange(SIDE, dtype=torch.float32)
    x0, y0 = TEMPLATE[2] * SIDE
    spot = torch.exp(-((side - float(x0)) ** 2 + (side[:, None] - float(y0)) ** 2) / (2 * 2.0**2))
    pixels = np.full((220, 240, 3), 100, np.uint8)
    face = face_at(121.4, 108.7, size, angle)
    made = restore_faces(pixels, [FaceRequest(face)], restorer(lambda x: x + 0.4 * spot))
    change = np.maximum(made[..., 0].astype(float) - 100, 0)
    change[change < 0.3 * change.max()] = 0
    y, x = np.mgrid[: change.shape[0], : change.shape[1]]
    centre = np.array([(change * x).sum(), (change * y).sum()]) / change.sum()
    np.testing.assert_allclose(centre, face.points[2], atol=0.5)


def test_a_tint_that_the_network_adds_is_taken_back() -> None:
    tint = torch.tensor([0.12, -0.08, 0.05])[:, None, None]
    pixels = picture()
    made = restore_faces(pixels, [FaceRequest(face_at(80, 60, 80))], restorer(lambda x: (x + tint).clamp(0, 1)))
    assert np.abs(made.astype(int) - pixels).max() <= 1


def test_a_face_that_is_larger_than_the_square_keeps_its_finest_detail() -> None:
    fine = np.random.default_rng(1).integers(80, 170, (300, 300, 3)).astype(np.uint8)  # of no scale the square can hold
    smooth = restorer(lambda x: nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False))
    made = restore_faces(fine, [FaceRequest(face_at(150, 150, 280))], smooth)
    inside = np.s_[110:190, 110:190]
    assert made[inside].std() > 0.9 * fine[inside].std()


def test_fidelity_is_the_share_of_the_input() -> None:
    pixels, face = picture(), face_at(80, 60, 64)
    whole, half, none = (restore_faces(pixels, [FaceRequest(face, share)], restorer(grain)) for share in (1, 0.5, 0))
    change = whole.astype(int) - pixels
    assert np.abs(half.astype(int) - pixels - change / 2).max() <= 1 and np.abs(change).max() > 10
    assert none is pixels


def test_neighbours_share_what_lies_between_them_in_any_order() -> None:
    pixels, faces = picture(), [face_at(60, 60, 64), face_at(95, 62, 60, 8)]
    one, other = (
        restore_faces(pixels, [FaceRequest(face) for face in order], restorer(grain)) for order in (faces, faces[::-1])
    )
    assert np.abs(one.astype(int) - other).max() <= 1
    assert np.abs(one.astype(int) - pixels).max() <= 0.11 * 255  # not twice the change of one


@pytest.mark.parametrize("place", [(2, 3), (158, 118), (80, -10), (-400, 60)])
def test_a_face_at_the_edge_or_beyond_it_is_no_trouble(place: tuple[float, float]) -> None:
    pixels = picture()
    made = restore_faces(pixels, [FaceRequest(face_at(*place, 70))], restorer(grain))
    assert made.shape == pixels.shape
    assert np.array_equal(made, pixels) == (place == (-400, 60))


def test_grey_stays_grey_and_what_is_transparent_stays() -> None:
    grey = picture(channels=1)
    made = restore_faces(grey, [FaceRequest(face_at(80, 60))], restorer(grain))
    assert made.shape == grey.shape and (made != grey).any()
    alpha = np.full((120, 160), 255, np.uint8)
    alpha[:, :80] = 0
    half = restore_faces(picture(), [FaceRequest(face_at(80, 60))], restorer(grain), alpha=alpha)
    assert np.array_equal(half[:, :80], picture()[:, :80]) and (half[:, 80:] != picture()[:, 80:]).any()


# -- clips -------------------------------------------------------------------------------------------------------------


def around(faces: list[list[Face]], at: int) -> list[FaceRequest]:
    return steady(faces[max(0, at - RADIUS) : at], faces[at], faces[at + 1 : at + 1 + RADIUS])


def test_jitter_is_taken_out_and_even_motion_is_followed_without_lag() -> None:
    rng = np.random.default_rng(0)
    faces = []
    for number in range(30):
        exact = face_at(50 + 2.0 * number, 60, 64)
        faces.append([Face(exact.box, exact.points + rng.normal(0, 1.0, (5, 2)), 0.95)])
    smooth = np.array([around(faces, at)[0].face.points for at in range(30)])
    exact = np.array([face_at(50 + 2.0 * at, 60, 64).points for at in range(30)])
    raw = np.array([found[0].points for found in faces])
    inner = np.s_[RADIUS:-RADIUS]
    trembling = [np.diff(each - exact, axis=0)[inner].std() for each in (smooth, raw)]
    assert trembling[0] < 0.3 * trembling[1]
    assert abs((smooth - exact)[inner].mean()) < 0.15
    assert around(faces, 0)[0].share == 1


def test_a_face_that_is_lost_for_a_moment_is_restored_all_the_same() -> None:
    faces = [[face_at(50 + 2.0 * number, 60)] if number not in (10, 11) else [] for number in range(24)]
    for at in (10, 11):
        (one,) = around(faces, at)
        np.testing.assert_allclose(one.face.points, face_at(50 + 2.0 * at, 60).points, atol=0.01)
        assert one.share == 1


def test_a_face_that_comes_fades_in() -> None:
    faces = [[] if number < 12 else [face_at(80, 60)] for number in range(30)]
    shares = [sum(one.share for one in around(faces, at)) for at in range(30)]
    assert shares[11] == 0 and shares[20] == 1
    assert max(np.diff(shares)) < 0.6 and sorted(shares) == shares


def test_two_faces_stay_apart_and_what_is_never_sure_is_left_alone() -> None:
    faces = [[face_at(40 + n, 60), face_at(120 - n, 60, score=SURE - 0.02)] for n in range(20)]
    (one,) = around(faces, 10)
    assert one.face.points[:, 0].mean() == pytest.approx(face_at(50, 60).points[:, 0].mean(), abs=0.01)


def clip(length: int = 16, cut: int | None = None) -> list[np.ndarray]:
    """Frames with a magenta square; from `cut` on another scene without one."""
    other = np.random.default_rng(9).integers(0, 255, (12, 16, 3)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    other[..., 1] = 255
    return [other if cut is not None and number >= cut else magenta.picture((1, 2)) for number in range(length)]


def frames_of(task: FaceFrames, frames: list[np.ndarray]) -> list[np.ndarray]:
    return [made.frame for made in task.run(iter(frames))]


def test_every_frame_of_a_clip_has_its_face_restored_and_no_other_pixel_changes() -> None:
    task = FaceFrames(FaceFinder(magenta.model()), restorer(grain))
    frames = clip()
    made = frames_of(task, frames)
    assert len(made) == len(frames) == task.frames == task.with_faces
    for one, frame in zip(made, frames, strict=True):
        assert np.array_equal(one, made[0])  # nothing moves: nothing trembles
        assert (one != frame).any() and np.array_equal(one[:, 160:], frame[:, 160:])


def test_nothing_is_carried_into_another_scene() -> None:
    frames = clip(cut=9)
    task = FaceFrames(FaceFinder(magenta.model()), restorer(grain))
    made = frames_of(task, frames)
    assert np.array_equal(made[8], made[0]) and task.with_faces == 9
    assert all(one is frame for one, frame in zip(made[9:], frames[9:], strict=True))


@pytest.mark.parametrize("at", [1, 6, 11])
def test_a_clip_that_is_taken_up_again_gives_the_same_bytes(at: int) -> None:
    frames = [np.roll(frame, 3 * number, axis=1) for number, frame in enumerate(clip(14))]
    whole = list(FaceFrames(FaceFinder(magenta.model()), restorer(grain)).run(iter(frames)))
    place = whole[at].restart
    assert place is not None and place.index == at
    rest = FaceFrames(FaceFinder(magenta.model()), restorer(grain)).run(iter(frames[place.first_input :]), place)
    for one, other in zip(rest, whole[at:], strict=True):
        assert np.array_equal(one.frame, other.frame)


def test_alpha_of_frames_stays() -> None:
    frames = [np.concatenate([frame, np.full((*frame.shape[:2], 1), 200, np.uint8)], axis=2) for frame in clip(6)]

    def given() -> Iterator[np.ndarray]:
        yield from frames

    made = [each.frame for each in FaceFrames(FaceFinder(magenta.model()), restorer(grain)).run(given())]
    assert all(np.array_equal(one[..., 3], frames[0][..., 3]) and (one != frames[0]).any() for one in made)
