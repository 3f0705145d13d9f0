"""A leaf has one canonical form, a closed list of fields, and no room for a person."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.entries import Entry, entry_of, leaf_fields
from sayso.rules.leaf_text import leaf_of
from sayso.rules.leaves import LeafRefused, _quickly, build, commitment, parse
from sayso.rules.values import altered
from sayso.rules.words import Scope

ADA = "4d" + "0a" * 15
FIELDS: dict[str, Any] = {
    "v": 1, "id": "019aa7b2-0000-7000-8000-00000000004d", "t": "choice", "at": 1_700_000_000_000_001, "ts": 1_700_000_000_000_000,
    "sub": ADA, "ver": 2, "prev": "ab" * 32, "scope": ["*", "email", "promotional"], "act": "set", "src": "one_click", "by": ADA,
    "via": "link", "own": 1, "strong": 1, "effect": "applied", "rule": "later_wins", "about": "4d" + "0b" * 15,
    "x": {"method": "explicit", "new": "opted_out", "until": 5}, "d": "cd" * 32,
}  # fmt: skip

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
microseconds = st.integers(0, (1 << 62))
pseudonyms = st.binary(min_size=16, max_size=16).map(bytes.hex)
entries = st.builds(
    Entry,
    id=st.uuids().map(str), sub=pseudonyms, kind=st.sampled_from(["choice", "block", "event"]), at=microseconds, ts=microseconds,
    act=words, src=words, by=words, via=words, effect=words, scope=st.one_of(st.none(), st.builds(Scope, words, words, words)),
    own=st.booleans(), strong=st.booleans(), rule=words, about=pseudonyms, old=words, new=words, until=microseconds, other=pseudonyms,
    other_kind=words, primary=st.booleans(), method=words, since=microseconds,
    x=st.dictionaries(st.sampled_from(["a", "seal"]), st.one_of(words, microseconds)).map(lambda x: tuple(sorted(x.items()))),
)  # fmt: skip


def test_the_bytes_are_sorted_dense_utf8() -> None:
    leaf = build(dict(reversed(FIELDS.items())))
    assert leaf.startswith(b'{"about":"4d')
    assert b" " not in leaf
    assert leaf == json.dumps(FIELDS, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert "Grün".encode() in build(FIELDS | {"scope": ["Grün", "*", "*"]})


few = entries.map(lambda one: altered(one, own=False, rule="", about="", until=0, since=0, other="", other_kind="", primary=False, x=()))


@given(st.one_of(entries, few), st.integers(1, 3))
def test_a_leaf_written_at_once_is_the_one_that_is_built(entry: Entry, ver: int) -> None:
    place: dict[str, Any] = {"ver": ver, "prev": "" if ver == 1 else "ab" * 32, "commitment": "cd" * 32}
    entry = altered(entry, id="019aa7b2-0000-7000-8000-00000000004d", sub=ADA)
    assert leaf_of(entry, **place) == build(leaf_fields(entry, **place))


@pytest.mark.parametrize(
    "odd",
    [
        {"ts": -1},
        {"at": 1 << 63},
        {"effect": ""},
        {"scope": Scope("*", "", "*")},
        {"by": "\ud800"},
        {"until": 1 << 63},
        {"by": "a" * 65_535},
    ],
)
def test_what_is_no_leaf_is_not_written_at_once_either(odd: dict[str, Any]) -> None:
    entry = altered(entry_of(FIELDS), **odd)
    for write in (leaf_of, lambda one, **place: build(leaf_fields(one, **place))):
        with pytest.raises(LeafRefused):
            write(entry, ver=1, prev="", commitment="")
    with pytest.raises(LeafRefused):
        leaf_of(entry_of(FIELDS), ver=2, prev="", commitment="")


@given(entries)
def test_every_entry_survives_its_leaf(entry: Entry) -> None:
    leaf = build(leaf_fields(entry, ver=1, prev="", commitment=""))
    assert entry_of(parse(leaf)) == entry
    assert build(parse(leaf)) == leaf


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - {"scope", "own", "strong", "rule", "about", "x"}))
def test_a_leaf_without_a_needed_field_is_refused(name: str) -> None:
    with pytest.raises(LeafRefused, match=f"needs {name}"):
        build({key: value for key, value in FIELDS.items() if key != name})


@pytest.mark.parametrize("name", ["email", "address", "phone", "ip", "user_agent", "name", "reason", "contact_id", "V", ""])
def test_there_is_no_field_for_personal_data(name: str) -> None:
    with pytest.raises(LeafRefused, match="no field"):
        build(FIELDS | {name: "ada@example.com"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", 2), ("v", True), ("id", "x"), ("id", FIELDS["id"].upper()), ("t", ""), ("t", "Choice"), ("at", -1), ("at", 1.0), ("at", True),
        ("at", 1 << 63), ("ts", "1"), ("ts", None), ("sub", "ada@example.com"), ("sub", "4D" * 16), ("sub", "4d" * 15), ("ver", 0),
        ("prev", "ab"), ("prev", ""), ("prev", None), ("scope", ["*", "email"]), ("scope", "*"), ("scope", ["*", "email", ""]), ("own", 0),
        ("own", True), ("strong", 2), ("effect", ""), ("rule", ""), ("about", "Ada"), ("x", {}), ("x", []), ("x", {"a": 1.5}),
        ("x", {"a": {"b": 1}}), ("x", {"A": 1}), ("x", {"a": True}), ("x", {"a": None}), ("d", "x"), ("src", 5), ("by", None),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_refused_by_field_and_not_repeated(name: str, value: object) -> None:
    with pytest.raises(LeafRefused) as refused:
        build(FIELDS | {name: value})
    assert "ada@example.com" not in str(refused.value)


def test_only_the_first_leaf_of_a_chain_has_no_prev() -> None:
    assert build(FIELDS | {"ver": 1, "prev": ""})
    with pytest.raises(LeafRefused, match="first leaf"):
        build(FIELDS | {"ver": 1})


def test_a_leaf_fits_an_entry_bundle() -> None:
    room = 65_535 - len(build(FIELDS | {"rule": "x"})) + 1
    assert len(build(FIELDS | {"rule": "x" * room})) == 65_535
    with pytest.raises(LeafRefused, match="65535"):
        build(FIELDS | {"rule": "x" * (room + 1)})
    with pytest.raises(LeafRefused, match="65535"):
        parse(b" " * 65_536)


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(LeafRefused, match="UTF-8"):
        build(FIELDS | {"rule": "\ud800"})


GOOD = build(FIELDS)


@pytest.mark.parametrize(
    "leaf",
    [
        b"", b"{}", b"[]", b"5", b"null", b"\xff", GOOD + b"\n", b" " + GOOD, GOOD.replace(b'"ver":2', b'"ver":2.0'), GOOD[:-1],
        GOOD.replace(b'"ver":2', b'"ver":2e0'), GOOD.replace(b'"ver":2', b'"ver":NaN'), GOOD.replace(b'"ver":2', b'"ver":1,"ver":2'),
        GOOD.replace(b'"link"', b'"\\u006cink"'), GOOD.replace(b'{"about', b'{"zz":1,"about'), b"[" * 60_000, GOOD.replace(b":2", b":" + b"9" * 5000),
        GOOD.replace(b'","', b'", "', 1), b"\xef\xbb\xbf" + GOOD,
    ],
)  # fmt: skip
def test_other_bytes_are_no_leaf(leaf: bytes) -> None:
    with pytest.raises(LeafRefused):
        parse(leaf)


def test_a_commitment_binds_and_hides_the_detail() -> None:
    salt = bytes(range(32))
    bound = commitment(salt, b'{"email":"ada@example.com"}')
    assert bound == hashlib.sha256(b"sayso/detail/1\0" + salt + b'{"email":"ada@example.com"}').digest()
    assert bound != commitment(bytes(32), b'{"email":"ada@example.com"}')
    assert bound != commitment(salt, b'{"email":"eve@example.com"}')
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(b"short", b"")


@given(entries, st.integers(1, 3), st.data())
def test_leaves_read_quickly_are_exactly_those_that_reading_closely_takes(entry: Entry, ver: int, data: st.DataObject) -> None:
    leaf = build(leaf_fields(entry, ver=ver, prev="" if ver == 1 else "ab" * 32, commitment="")).decode()
    at = data.draw(st.integers(0, len(leaf)))
    other = (
        leaf[:at]
        + data.draw(st.sampled_from(["", '"', "\\", ",", "0", "-", "1.5", " ", "é", "\\u0041", "\\u001f", '"a":1,']))
        + leaf[at + 1 :]
    )
    for text in (leaf, other):
        quick = _quickly(text)
        try:
            fields = json.loads(text)
            close = fields if isinstance(fields, dict) and build(fields).decode() == text else None
        except ValueError:
            close = None
        assert quick is None or quick == close
        try:
            assert parse(text.encode()) == close
        except LeafRefused:
            assert close is None


def test_names_in_a_leaf_come_once_and_in_order() -> None:
    leaf = build(FIELDS | {"x": {"aa": 'b":1,"c', "b": -5}}).decode()
    assert _quickly(leaf) == json.loads(leaf)
    for other in ('"b":-5,"aa":1', '"aa":1,"aa":1', '"aa":1,"aa":2', '"b":-0', '"b":00', '"b":1.0', ""):
        assert _quickly(leaf.replace('"aa":"b\\":1,\\"c","b":-5', other)) is None, other
