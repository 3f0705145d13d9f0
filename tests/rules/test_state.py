"""State: maxima and sets, so that neither order nor repetition of entries can change it, and nothing is lost in keeping it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    ADA,
    DAY,
    EMAIL,
    EVENTS,
    EVERYTHING,
    MAIL,
    NOON,
    OLD_MAIL,
    OUTLET_PROMO,
    PROMO,
    QUINN,
    SECOND,
    choice,
    entry,
    folded,
    ident,
)  # fmt: skip

from sayso.rules.entries import BLOCKS, Entry
from sayso.rules.replay import state_bytes
from sayso.rules.state import EMPTY, SOFT_KEPT, State, fold, from_bytes, to_bytes
from sayso.rules.values import altered
from sayso.rules.words import Scope

times = st.integers(0, 12)


@st.composite
def entries(draw: st.DrawFn, number: int) -> Entry:
    ts = draw(times)
    more: dict[str, Any] = {"ts": ts, "by": draw(st.sampled_from(["x", "y", "p:" + ADA])), "own": draw(st.booleans())}
    more["effect"] = draw(st.sampled_from(["applied", "unchanged", "superseded", "stored", "quarantined", "refused"]))
    match draw(st.sampled_from(["choice", "choice", "choice", "block", "soft", "pause", "link", "place", "event", "ack", "seal"])):
        case "choice":
            scope = draw(st.sampled_from([EVERYTHING, EMAIL, PROMO, OUTLET_PROMO]))
            out = draw(st.booleans())
            about = draw(st.sampled_from(["", ADA, QUINN]))
            return choice(number, scope, out=out, strong=out or draw(st.booleans()), about=about, **more)
        case "block":
            return entry(number, "block", **more | {"act": draw(st.sampled_from(BLOCKS)), "new": draw(st.sampled_from(["set", "lifted"]))})
        case "soft":
            return entry(number, "block", **more | {"act": "soft_bounce", "new": "set"})
        case "pause":
            scope = draw(st.sampled_from([None, Scope("outlet", "*", "*")]))
            return entry(number, "pause", scope=scope, until=draw(times), **more)
        case "link":
            other = draw(st.sampled_from([MAIL, OLD_MAIL]))
            return entry(number, "link", other=other, other_kind="email", primary=draw(st.booleans()), **more)
        case "place":
            return entry(number, "place", new=draw(st.sampled_from(["DE", "US"])), **more)
        case "event":
            return entry(number, "event", **more | {"act": draw(st.sampled_from(["mail.delivered", "mail.open"]))})
        case kind:
            return entry(number, kind, **more)


@st.composite
def chains(draw: st.DrawFn) -> list[Entry]:
    return [draw(entries(number)) for number in range(draw(st.integers(0, 9)))]


def without_place(state: State) -> State:
    return altered(state, version=0, length=0, last_at=0)


@pytest.mark.feature("F2")
@given(chains(), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_give_the_same_state(chain: list[Entry], chance: Any) -> None:
    straight = folded(chain)
    for _ in range(4):
        shuffled = chance.sample(chain, len(chain)) + [chance.choice(chain) for _ in range(3) if chain]
        found = folded(shuffled)
        assert without_place(found) == without_place(straight)
        assert to_bytes(found) == to_bytes(straight)
    assert straight.length == len(chain)
    assert straight.last_at == max((one.at for one in chain), default=0)


@given(chains())
def test_a_repeated_entry_never_moves_the_version(chain: list[Entry]) -> None:
    state = folded(chain)
    for one in chain:
        assert fold(state, one).version == state.version


@given(chains(), st.integers(0, 99))
def test_a_state_survives_its_bytes(chain: list[Entry], place: int) -> None:
    state = folded(chain)
    assert from_bytes(to_bytes(state), version=state.version, length=state.length, last_at=state.last_at) == state
    assert from_bytes(state_bytes(state), version=place) == altered(without_place(state), version=place)


def test_nothing_folded_in_is_kept_as_nothing() -> None:
    assert state_bytes(EMPTY) == b""
    assert from_bytes(b"", version=3, length=4, last_at=5) == State(version=3, length=4, last_at=5)


@pytest.mark.feature("A11")
@given(chains())
def test_the_version_moves_exactly_when_what_decides_moves(chain: list[Entry]) -> None:
    state = EMPTY
    for one in chain:
        after = fold(state, one)
        assert after.version - state.version == (decides(after) != decides(state))
        state = after


def decides(state: State) -> tuple[object, ...]:
    counted = [soft for soft in state.soft if soft[0] >= state.delivered]
    bounce = state.blocks.get("hard_bounce")
    in_force = bool(bounce and bounce.on and bounce.ts >= state.delivered)
    return (state.strong, state.weak, state.blocks, state.pauses, state.links, state.place, counted, in_force)


@pytest.mark.parametrize("kind", ["ack", "config", "seal", "event"])
def test_acknowledgements_and_events_never_move_the_version(kind: str) -> None:
    state = fold(folded([choice(1, PROMO, out=True)]), entry(2, kind))
    assert (state.version, state.length, state.last_at) == (1, 2, 2)


@pytest.mark.feature("I5")
def test_a_soft_bounce_that_completes_a_streak_moves_the_version() -> None:
    def bounced(state: State, number: int, ts: int) -> State:
        return fold(state, entry(number, "block", act="soft_bounce", new="set", ts=ts))

    state = EMPTY
    for number in range(1, SOFT_KEPT + 1):  # five in two months: no streak
        state = bounced(state, number, NOON + number * 12 * DAY)
    for number in range(6, 10):
        before, state = state.version, bounced(state, number, NOON + 60 * DAY + number * SECOND)
        assert state.version == before + 1, number


@pytest.mark.feature("I5")
def test_lifting_soft_bounces_is_not_one_more() -> None:
    state = folded(entry(n, "block", act="soft_bounce", new="set") for n in range(4))
    lifted = fold(state, entry(9, "block", act="soft_bounce", new="lifted"))
    assert len(lifted.soft) == 4


@pytest.mark.parametrize("effect", ["quarantined", "refused"])
def test_what_was_not_accepted_changes_nothing_but_the_place_in_the_chain(effect: str) -> None:
    state = folded([choice(1, PROMO, out=True)])
    for one in (choice(2, PROMO, out=False), entry(2, "pause", until=9), entry(2, "place", new="US")):
        after = fold(state, altered(one, effect=effect))
        assert (after.version, after.length) == (state.version, 2)
        assert to_bytes(after) == to_bytes(state)


@pytest.mark.feature("P5")
def test_who_left_once_is_remembered_after_coming_back() -> None:
    state = folded([choice(1, PROMO, out=True), choice(2, PROMO, out=False), choice(3, EVENTS, out=False)])
    assert state.left == {PROMO}


def test_a_choice_without_a_scope_is_refused() -> None:
    with pytest.raises(ValueError, match="without a scope"):
        fold(EMPTY, entry(1, "choice", new="opted_out"))


@given(st.randoms(use_true_random=False))
def test_the_newest_primary_link_stays_on_top_in_any_order(chance: Any) -> None:
    made = [
        entry(1, "link", other=OLD_MAIL, other_kind="email", primary=True),
        entry(2, "link", other=MAIL, other_kind="email", primary=True),
        entry(3, "link", other=OLD_MAIL, other_kind="email"),
    ]
    links = folded(chance.sample(made, 3)).links
    assert links[MAIL].primary == 2 > links[OLD_MAIL].primary == 1


DAMAGED = [
    b"[]", b"5", b"null", b'"r"', b"{", b"\xff", b'{"r":5}', b'{"r":[[1]]}', b'{"r":{"a":1}}', b'{"b":[]}', b'{"b":{"x":5}}', b'{"b":{"x":[1]}}',
    b'{"c":[]}', b'{"c":5}', b'{"l":[["*"]]}', b'{"s":[1]}', b'{"p":{"*":[1]}}', b'{"k":{"a":[]}}', b"[" * 100_000, b'{"d":"x"}', b'{"d":null}',
    b'{"newer":1}', b'{"l":[],"z":[]}', b'{"d":1.5}',
]  # fmt: skip


@pytest.mark.parametrize("raw", DAMAGED, ids=lambda raw: repr(raw[:24]))
def test_bytes_that_are_no_state_are_refused_never_read_as_an_empty_one(raw: bytes) -> None:
    with pytest.raises(ValueError):
        from_bytes(raw)


def test_a_state_of_a_newer_kind_is_refused_because_it_may_hold_a_stop_we_cannot_read() -> None:
    raw = to_bytes(folded([choice(1, PROMO, out=False)]))
    with pytest.raises(ValueError, match="cannot be read"):
        from_bytes(raw[:-1] + b',"stop":1}')


def test_equal_times_are_settled_by_the_restrictive_side_then_by_the_id() -> None:
    both = [choice(1, PROMO, out=True, ts=5), choice(2, PROMO, out=False, ts=5)]
    for order in (both, both[::-1]):
        [stamp] = folded(order).strong.values()
        assert stamp.out
    [stamp] = folded([choice(1, PROMO, out=True, ts=5), choice(2, PROMO, out=True, ts=5)]).strong.values()
    assert stamp.entry == ident(2)
