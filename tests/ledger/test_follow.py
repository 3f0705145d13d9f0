"""What an audit lets through at once is nothing that a close look would find fault with, and comes to the same chain."""

import json
import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.entries import Entry, leaf_fields
from sayso.rules.ids import uuid7_text
from sayso.rules.leaves import LeafRefused, build, parse
from sayso.rules.replay import ACT_LETTERS, Columns, Link, follow, replay
from sayso.rules.words import Scope

pytestmark = pytest.mark.feature("S9", "Q3")

SUB = "0a" * 16
TEXT = st.text(max_size=12)
WORD = st.sampled_from(("choice", "set", "api", "custom", 'say "so"', "Ä\u2028\x7f\x01", "x" * 70))
X = st.dictionaries(st.sampled_from(("ip_seen", "waited_ms", "twin")), st.one_of(TEXT, st.integers(-(2**62), 2**62)), max_size=3)
ENTRIES = st.builds(
    Entry, id=st.just(uuid7_text(1_750_000_000_000_000, bytes(10), 10)), sub=st.just(SUB), kind=st.sampled_from(("choice", "event", "link")),
    at=st.just(1_750_000_000_000_000), ts=st.integers(0, 2**62), act=WORD, src=WORD, by=TEXT, via=TEXT,
    effect=st.sampled_from(("applied", "superseded")), scope=st.just(Scope("*", "email", "promotional")), own=st.booleans(),
    strong=st.booleans(), method=TEXT, rule=TEXT, about=st.sampled_from(("", "0b" * 16)), old=TEXT, new=TEXT,
    until=st.integers(0, 2**60), since=st.integers(0, 2**60), primary=st.booleans(), other_kind=TEXT, other=st.sampled_from(("", "0c" * 16)), x=X.map(lambda x: tuple(sorted(x.items()))),
)  # fmt: skip


def columns_of(leaf: bytes) -> tuple[str, Columns] | None:
    """The id and the columns that a store would have copied from a leaf; None where it is none."""
    try:
        fields = parse(leaf)
    except LeafRefused:
        return None
    scope = fields.get("scope", (None, None, None))
    columns = (fields["ver"], fields["at"], fields["t"], fields["act"][:ACT_LETTERS], *scope, fields["src"], fields["effect"])
    return str(UUID(fields["id"])), columns


def same_as_looking_closely(leaf: bytes, one: str, columns: Columns, link: Link) -> bool:
    """Whether it was let through; if so, a close look must agree in everything."""
    followed = follow(link, leaf, (0, 7), one, columns)
    if followed is None:
        return False
    replayed = replay(link, leaf, (0, 7))
    assert replayed.fields is not None
    assert (replayed.problems, replayed.breaks, replayed.gap) == ((), False, "")
    assert followed == (replayed.link, replayed.fields["d"])
    assert columns_of(leaf) == (one, columns)
    return True


@given(ENTRIES, st.booleans())
def test_a_sound_leaf_is_let_through(entry: Entry, bound: bool) -> None:
    leaf = build(leaf_fields(entry, ver=1, prev="", commitment="ab" * 32 if bound else ""))
    found = columns_of(leaf)
    assert found is not None
    assert same_as_looking_closely(leaf, *found, Link(SUB))


@given(ENTRIES, st.randoms(use_true_random=False))
def test_whatever_is_let_through_is_sound(entry: Entry, chance: random.Random) -> None:
    leaf = build(leaf_fields(entry, ver=1, prev="", commitment="ab" * 32))
    found = columns_of(leaf)
    assert found is not None
    one, columns = found
    for _ in range(20):
        at, byte = chance.randrange(len(leaf)), chance.choice(b'{}[]",:\\0123456789abcdefnut -.\x00\xc3')
        changed = chance.choice(
            (leaf[:at] + bytes([byte]) + leaf[at + 1 :], leaf[:at] + leaf[at + 1 :], leaf[:at] + bytes([byte]) + leaf[at:])
        )
        if changed != leaf:
            same_as_looking_closely(changed, one, columns, Link(SUB))
    fields = json.loads(leaf)
    for name, value in (("v", True), ("at", float(fields["at"])), ("own", 1), ("rule", ""), ("x", {}), ("zz", 1), ("ver", 0)):
        same_as_looking_closely(
            json.dumps({**fields, name: value}, sort_keys=True, separators=(",", ":")).encode(), one, columns, Link(SUB)
        )


@pytest.mark.parametrize("place", range(9))
def test_a_column_that_differs_is_looked_at_closely(place: int) -> None:
    entry = Entry(
        uuid7_text(5, bytes(10), 10), SUB, "choice", 5, 5, "set", "api", "", "", scope=Scope("*", "email", "promotional"), new="opted_out"
    )
    leaf = build(leaf_fields(entry, ver=1, prev="", commitment=""))
    found = columns_of(leaf)
    assert found is not None
    one, columns = found
    other = tuple((value + 1 if isinstance(value, int) else "event") if n == place else value for n, value in enumerate(columns))
    assert follow(Link(SUB), leaf, None, one, columns) is not None
    assert follow(Link(SUB), leaf, None, one, other) is None  # type: ignore[arg-type] # one value is another
    assert follow(Link("0b" * 16), leaf, None, one, columns) is None
    assert follow(Link(SUB, head=b"1" * 32), leaf, None, one, columns) is None
    assert follow(Link(SUB, act="erased"), leaf, None, one, columns) is None
    assert follow(Link(SUB, place=(0, 3)), leaf, (0, 3), one, columns) is None


@pytest.mark.parametrize(
    "x", ["{}", '{"primary":1,"method":"a"}', '{"method":"a","method":"a"}', '{"since":9223372036854775808}',
          '{"until":-9223372036854775808}', '{"old":null}', '{"primary":true}', '{"method": "a"}', '{"since":1.0}'],
)  # fmt: skip
def test_an_extra_field_that_nobody_would_write_so_is_never_let_through(x: str) -> None:
    entry = Entry(
        uuid7_text(1_750_000_000_000_000, bytes(10), 10), SUB, "link", 1_750_000_000_000_000, 5, "tied", "api", "c:a", "c:a", "applied"
    )
    leaf = build(leaf_fields(entry, ver=1, prev="", commitment=""))
    found = columns_of(leaf)
    assert found is not None
    assert follow(Link(SUB), leaf, None, *found) is not None
    assert follow(Link(SUB), leaf[:-1] + b',"x":%s}' % x.encode(), None, *found) is None
