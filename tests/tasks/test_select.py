"""Choosing a part of a picture: what is written is understood, sets combine, what was found is named. No weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imgfix.errors import InputError, MissingExtraError, UsageError
from imgfix.nets.mobilesam import MobileSAM
from imgfix.tasks.select import text as writing
from imgfix.tasks.select.choose import (
    Selector,
    choose,
    list_things,
    parse_box,
    parse_object,
    parse_point,
    parse_text,
    without_specks,
)
from imgfix.tasks.select.detect import Detection, _best, decoded, keep_best
from imgfix.tasks.select.names import COCO, NAMES, canonical, nearest
from imgfix.tasks.select.segment import Segment, Segmenter
from imgfix.tasks.select.subject import SubjectFinder
from imgfix.tasks.select.text import Writing

HEIGHT, WIDTH = 60, 100


class Boxes:
    """A segmenter for which a thing is the rectangle it was shown; a point means the half of the picture it is in."""

    def __init__(self) -> None:
        self.looked = 0

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        self.looked += 1
        return rgb

    def segment(self, picture: np.ndarray, points=(), not_points=(), box=None) -> Segment:
        if box is not None:
            return self._rectangle(picture, box)
        x = points[0][0]
        half = (0, 0, WIDTH / 2, HEIGHT) if x < WIDTH / 2 else (WIDTH / 2, 0, WIDTH, HEIGHT)
        return self._rectangle(picture, half)

    def segment_boxes(self, picture: np.ndarray, boxes) -> list[Segment]:
        return [self._rectangle(picture, box) for box in boxes]

    def _rectangle(self, picture: np.ndarray, box) -> Segment:
        logits = np.full(picture.shape[:2], -5.0, np.float32)
        left, top, right, bottom = (round(edge) for edge in box)
        logits[top:bottom, left:right] = 5
        return Segment(logits, 0.9)


class Known:
    """Finds what it was told is there."""

    def __init__(self, *things: Detection) -> None:
        self.things = list(things)

    def find(self, rgb: np.ndarray, least: float) -> list[Detection]:
        return [one for one in self.things if one.score >= least]


class Told:
    """Reads what it was told is written."""

    def __init__(self, *lines: Writing) -> None:
        self.lines = list(lines)

    def read(self, rgb: np.ndarray) -> list[Writing]:
        return self.lines


class Middle:
    """The subject is the middle of the picture, or nothing."""

    def __init__(self, there: bool = True) -> None:
        self.there = there

    def find(self, rgb: np.ndarray) -> np.ndarray | None:
        if not self.there:
            return None
        found = np.zeros(rgb.shape[:2], np.float32)
        found[20:40, 30:70] = 1
        return found


class Tools:
    def __init__(
        self, *things: Detection, lines: tuple[Writing, ...] = (), there: bool = True, over: tuple[Detection, ...] = ()
    ) -> None:
        self.boxes, self.known, self.told, self.middle = Boxes(), Known(*things), Told(*lines), Middle(there)
        self.over = Known(*over)

    def segmenter(self) -> Boxes:
        return self.boxes

    def detector(self) -> Known:
        return self.known

    def subject(self) -> Middle:
        return self.middle

    def reader(self) -> Told:
        return self.told

    def overlays(self) -> Known:
        return self.over


def picture() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def corners(left: float, top: float, right: float, bottom: float) -> writing.Corners:
    return (left, top), (right, top), (right, bottom), (left, bottom)


PEOPLE = (
    Detection("person", 0.9, (60, 10, 80, 50)),
    Detection("person", 0.8, (10, 10, 30, 50)),
    Detection("dog", 0.7, (35, 30, 55, 50)),
)
SIGN = Writing(
    "Rome 2019",
    0.95,
    corners(10, 10, 60, 20),
    (Writing("Rome", 0.9, corners(10, 10, 30, 20)), Writing("2019", 0.9, corners(40, 10, 60, 20))),
)


def area(mask: np.ndarray) -> int:
    return int((mask >= 0.5).sum())


def test_every_object_of_a_name_is_chosen() -> None:
    found = choose(picture(), [parse_object("person")], Tools(*PEOPLE))
    assert area(found.mask) == 2 * 20 * 40
    assert [(one.name, one.number, one.score) for one in found.things] == [("person", 1, 0.8), ("person", 2, 0.9)]
    assert found.things[0].box == (10, 10, 30, 50) and found.things[0].area == 800


def test_objects_are_numbered_from_left_to_right() -> None:
    found = choose(picture(), [parse_object("person:2")], Tools(*PEOPLE))
    assert found.things[0].box == (60, 10, 80, 50)


def test_a_number_that_is_too_high_says_how_many_there_are() -> None:
    with pytest.raises(InputError, match="no person:3, only 2 found"):
        choose(picture(), [parse_object("person:3")], Tools(*PEOPLE))


def test_a_name_that_is_not_there_lists_what_is() -> None:
    with pytest.raises(InputError, match="no cat was found") as caught:
        choose(picture(), [parse_object("cat")], Tools(*PEOPLE))
    assert caught.value.hint == "found: person (2), dog"


def test_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UsageError, match="'girafe' is not among the names") as caught:
        parse_object("girafe")
    assert caught.value.hint is not None and "giraffe" in caught.value.hint


@pytest.mark.parametrize("text", ["person:0", "person:x", "person:", "person:-1"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no number"):
        parse_object(text)


@pytest.mark.parametrize(
    ("word", "name"),
    [("Dogs", "dog"), ("man", "person"), ("sofa", "couch"), ("buses", "bus"), ("hot-dog", "hot dog"), ("TV", "tv")],
)
def test_other_words_and_plurals_are_understood(word: str, name: str) -> None:
    assert canonical(word) == name


def test_there_are_eighty_names_and_each_is_its_own() -> None:
    assert len(NAMES) == len(set(NAMES)) == 80
    assert all(canonical(name) == name for name in NAMES)
    assert nearest("xyzzy") == []


def test_sets_are_joined_then_met_then_taken_away() -> None:
    left_half = parse_box("&0,0,50%,100%")
    choices = [parse_object("-dog"), parse_object("person"), left_half, Selector("subject")]
    mask = choose(picture(), choices, Tools(*PEOPLE)).mask >= 0.5
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[10:50, 10:30] = expected[10:50, 60:80] = expected[20:40, 30:70] = True
    expected[:, 50:] = False
    expected[30:50, 35:55] = False
    assert np.array_equal(mask, expected)


def test_taking_away_alone_begins_with_the_whole_picture() -> None:
    found = choose(picture(), [parse_object("-dog")], Tools(*PEOPLE))
    assert area(found.mask) == HEIGHT * WIDTH - 20 * 20


def test_what_adds_is_widened_and_what_is_taken_away_is_not() -> None:
    wide = choose(picture(), [parse_object("dog")], Tools(*PEOPLE), dilate=4)
    assert (wide.mask >= 0.5)[30, 31] and not (wide.mask >= 0.5)[30, 30]
    without = choose(picture(), [parse_object("-dog")], Tools(*PEOPLE), dilate=4)
    assert area(without.mask) == HEIGHT * WIDTH - 20 * 20


def test_the_default_width_leaves_no_halo_and_is_larger_on_larger_pictures() -> None:
    small = choose(picture(), [parse_object("dog")], Tools(*PEOPLE), dilate=None)
    rows = np.flatnonzero((small.mask >= 0.5)[:, 45])
    assert (rows[0], rows[-1]) == (27, 52)
    large = np.zeros((600, 1000, 3), np.uint8)
    wide = choose(large, [parse_object("dog")], Tools(*PEOPLE), dilate=None)
    assert np.flatnonzero((wide.mask >= 0.5)[:, 45])[0] == 22


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing is left"):
        choose(picture(), [parse_object("dog"), parse_object("-dog")], Tools(*PEOPLE))
    with pytest.raises(UsageError, match="nothing says what to choose"):
        choose(picture(), [], Tools())


def test_points_on_different_things_mean_both() -> None:
    found = choose(picture(), [parse_point("10,10"), parse_point("90%,50%")], Tools())
    assert area(found.mask) == HEIGHT * WIDTH


@pytest.mark.parametrize(("text", "words"), [("100,10", "100,10"), ("10,60", "10,60"), ("120%,0", "120")])
def test_a_point_outside_says_how_large_the_picture_is(text: str, words: str) -> None:
    with pytest.raises(InputError, match="outside the picture, which is 100x60"):
        # 100 % itself is the last pixel, more than that is a mistake.
        choose(picture(), [parse_point(text)], Tools())


def test_a_hundred_percent_is_the_last_pixel() -> None:
    assert area(choose(picture(), [parse_point("100%,100%")], Tools()).mask) == HEIGHT * WIDTH // 2


@pytest.mark.parametrize("text", ["10", "10,20,30", "a,b", "-,3", ""])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_point(text)


def test_only_points_that_are_not_on_it_are_refused() -> None:
    with pytest.raises(UsageError, match="only points that are not on it"):
        choose(picture(), [parse_point("10,10", on=False)], Tools())


def test_a_picture_is_looked_at_once_for_all_objects_of_a_choice() -> None:
    tools = Tools(*PEOPLE)
    choose(picture(), [parse_object("person")], tools)
    assert tools.boxes.looked == 1


def test_the_background_is_all_but_the_subject_and_never_widened() -> None:
    subject = choose(picture(), [Selector("subject")], Tools()).mask
    background = choose(picture(), [Selector("background")], Tools(), dilate=5).mask
    assert np.array_equal(background, 1 - subject)


def test_a_picture_without_a_subject_says_so() -> None:
    with pytest.raises(InputError, match="no main subject"):
        choose(picture(), [Selector("subject")], Tools(there=False))


def test_a_word_is_chosen_alone_and_a_phrase_as_its_line() -> None:
    tools = Tools(lines=(SIGN,))
    word = choose(picture(), [parse_text("2019")], tools)
    assert [one.name for one in word.things] == ["2019"] and word.things[0].box[0] == 40
    line = choose(picture(), [parse_text("rome 2019")], tools)
    assert [one.name for one in line.things] == ["Rome 2019"] and line.things[0].box[0] == 10
    assert area(choose(picture(), [parse_text("*")], tools).mask) == area(line.mask)


def test_letters_may_be_left_open() -> None:
    assert [one.text for one in writing.matching([SIGN], "20??")] == ["2019"]
    assert writing.matching([SIGN], "21*") == []


def test_writing_is_widened_by_the_height_of_its_letters() -> None:
    mask = choose(picture(), [parse_text("*")], Tools(lines=(SIGN,)), dilate=None).mask >= 0.5
    rows = np.flatnonzero(mask[:, 30])
    assert (rows[0], rows[-1]) == (8, 22)  # letters of 10 pixels, a quarter of it on each side


def test_text_that_is_not_there_says_what_is_written() -> None:
    with pytest.raises(InputError, match="no writing that says 'Paris'") as caught:
        choose(picture(), [parse_text("Paris")], Tools(lines=(SIGN,)))
    assert caught.value.hint == "found: 'Rome 2019'"
    with pytest.raises(InputError, match="no writing was found"):
        choose(picture(), [parse_text("*")], Tools())


def test_reading_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtraError, match="text"):
        writing.TextReader()


def test_a_list_numbers_things_of_each_name() -> None:
    found = list_things(picture(), Tools(*PEOPLE), least=0.75)
    assert [(one.name, one.number, one.box[0]) for one in found] == [("person", 1, 10), ("person", 2, 60)]


def test_of_boxes_that_overlap_the_surer_one_stays() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [50, 0, 60, 10]])
    assert keep_best(boxes, torch.tensor([0.5, 0.9, 0.3])) == [1, 2]


def test_specks_and_pinholes_are_no_part_of_a_thing() -> None:
    inside = np.zeros((60, 60), bool)
    inside[10:50, 10:50] = True
    clean = inside.copy()
    clean[52:58, 10:20] = True  # a part that lies apart, but is no speck
    rough = clean.copy()
    rough[2, 2] = True
    rough[30, 30] = False
    assert np.array_equal(without_specks(rough), clean)
    assert not without_specks(np.zeros((4, 4), bool)).any()


def test_one_thing_under_two_names_keeps_the_surer_one() -> None:
    scores = torch.zeros(3, 90)
    scores[0, COCO.index("cat")], scores[1, COCO.index("dog")], scores[2, COCO.index("dog")] = 0.9, 0.5, 0.6
    boxes = torch.tensor([[0.0, 0, 100, 100], [1, 1, 100, 100], [0, 0, 100, 50]])
    assert [(one.name, one.box[3]) for one in _best(scores, boxes, 0.4)] == [("cat", 100), ("dog", 50)]


def test_an_answer_of_nothing_is_the_anchor_itself() -> None:
    base = torch.tensor([[30.0, 40.0, 10.0, 20.0]])  # centre y, x, height, width
    assert decoded(torch.zeros(1, 4), base).tolist() == [[30.0, 25.0, 50.0, 35.0]]
    moved = decoded(torch.tensor([[1.0, 0.0, 0.0, np.log(2.0)]]), base)
    assert moved[0].tolist() == pytest.approx([20.0, 35.0, 60.0, 45.0])


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    net = MobileSAM(side=64).eval().requires_grad_(False)
    return Segmenter(net)


def test_a_picture_that_was_seen_is_not_looked_at_again(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    look = segmenter.net.embed
    monkeypatch.setattr(segmenter.net, "embed", lambda x: seen.append(1) or look(x))
    rgb = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    first = segmenter.embed(rgb)
    assert segmenter.embed(rgb.copy()) is first and len(seen) == 1
    segmenter.embed(255 - rgb)
    assert len(seen) == 2


@pytest.mark.parametrize(("height", "width"), [(40, 30), (30, 90), (1, 1)])
def test_masks_have_the_size_of_the_picture(segmenter: Segmenter, height: int, width: int) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    embedded = segmenter.embed(rgb)
    assert segmenter.segment(embedded, [(0, 0)]).mask.shape == (height, width)
    assert [one.inside.shape for one in segmenter.segment_boxes(embedded, [(0, 0, 1, 1)] * 3)] == [(height, width)] * 3


def test_grey_and_16_bit_pictures_are_the_same_to_the_network(segmenter: Segmenter) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (20, 20, 1), np.uint8)
    colour = np.repeat(grey, 3, axis=2)
    deep = colour.astype(np.uint16) * 257
    values = [segmenter.embed(one).values for one in (grey, colour, deep)]
    assert torch.equal(values[0], values[1]) and torch.allclose(values[1], values[2], atol=1e-5)


def test_a_flat_map_is_no_subject() -> None:
    class Nothing(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full((1, 1, *x.shape[2:]), 0.01)

    assert SubjectFinder(Nothing(), side=32).find(picture()) is None
