"""A compact set says the same as Python's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imgfix.media.seen import Seen


@given(st.lists(st.text(max_size=4), max_size=200))
def test_it_holds_what_was_taken_in_and_nothing_else(names: list[str]) -> None:
    seen, known = Seen(), set[str]()
    for name in names:
        assert (name in seen) == (name in known)
        assert seen.add(name) == (name not in known)
        known.add(name)
    assert len(seen) == len(known)


def test_it_grows_without_losing_a_name() -> None:
    seen = Seen()
    assert all(seen.add(f"photos/{number}.jpg") for number in range(10_000))
    assert not any(seen.add(f"photos/{number}.jpg") for number in range(10_000))
    assert "photos/10000.jpg" not in seen and len(seen) == 10_000


def test_a_name_that_is_no_unicode_is_a_name() -> None:
    seen = Seen()
    assert seen.add("\udce9.jpg") and not seen.add("\udce9.jpg") and seen.add("\udce8.jpg")
