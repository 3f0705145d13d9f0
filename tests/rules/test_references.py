"""References lead back to the entry they were made from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.ids import uuid7
from sayso.rules.references import BadReference, plain, reference, span

ids = st.builds(uuid7, st.integers(0, 1 << 52), st.binary(min_size=10, max_size=10), st.integers(0, 255))


@given(ids)
def test_an_entry_is_found_again_by_its_reference(entry: object) -> None:
    text = reference(str(entry))
    shard, first, last = span(text)
    assert shard == entry.int & 0xFF  # type: ignore[attr-defined]  # hypothesis gives a UUID
    assert first <= entry <= last  # type: ignore[operator]
    assert plain(text) == text


@given(ids)
def test_what_people_type_is_read_as_they_meant_it(entry: object) -> None:
    text = reference(str(entry))
    typed = f" {text.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')} "
    assert plain(typed) == text
    assert span(typed) == span(text)


@pytest.mark.parametrize("text", ["", "01KA-9WH2", "01KA-9WH2-M4PU", "01KA-9WH2-M4P9-0", "ééé"])
def test_other_texts_are_no_references(text: str) -> None:
    with pytest.raises(BadReference):
        span(text)
