"""Plain bodies are read at once, all others closely: with the same result. Items of a batch about the same people take their turns."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.web.api.batch import _waves
from sayso.web.errors import Problem
from sayso.web.reading import DEEPEST, LARGEST_INT, _closely, object_of

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(1 << 64), 1 << 64), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)


def read(reader: Any, raw: bytes) -> object:
    try:
        return repr(reader(raw))
    except Problem as problem:
        return problem.code, problem.detail, problem.errors


@given(st.one_of(values, st.dictionaries(st.text(max_size=4), values, max_size=4)), st.booleans(), st.data())
def test_bodies_read_at_once_mean_what_they_mean_read_closely(value: Any, is_ascii: bool, data: st.DataObject) -> None:
    raw = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    at = data.draw(st.integers(0, len(raw)))
    torn = (
        raw[:at] + data.draw(st.sampled_from([b"", b'"', b"{", b",", b"\x00", b"\xff", b"1e999", b"NaN", b'"a":1,', b"-"])) + raw[at + 1 :]
    )
    for one in (raw, torn):
        assert read(object_of, one) == read(_closely, one)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b'{"a":%d}' % LARGEST_INT, b'{"a":[%d]}' % -LARGEST_INT, b'{"a":1e999}', b"[]", b"",
        b'{"a":' + b"[" * DEEPEST + b"1" + b"]" * DEEPEST + b"}", b'{"a":' + b"[" * (DEEPEST - 1) + b"1" + b"]" * (DEEPEST - 1) + b"}",
    ],
)  # fmt: skip
def test_what_two_readers_could_read_differently_is_looked_at_closely(raw: bytes) -> None:
    assert read(object_of, raw) == read(_closely, raw)


def test_items_about_the_same_people_wait_for_each_other_and_nobody_else() -> None:
    items = [
        {"contact_id": "ada"}, {"contact_id": "bob", "email": "Bob@example.com"}, {"contact_id": "eve", "email": "bob@example.com "},
        "no item", {"contact_id": "ada", "addresses": [{"address": "bob@example.com"}]}, {"contact_id": "dan"},
    ]  # fmt: skip
    assert _waves(items) == [[0, 1, 3, 5], [2], [4]]
    assert _waves([]) == []
