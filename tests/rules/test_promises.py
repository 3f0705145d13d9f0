"""The central promises, each with a sabotage twin: the same test against rules that are broken on purpose, where it must fail.

A test that cannot fail proves nothing (guarantees G1, G2, G4, G11).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import permutations, product
from typing import Any

import pytest
from broken import NARROW, last_writer_by_arrival, one_actor_for_all, pairwise_window, time_of_arrival, weak_counts_as_strong
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from oracle import Link, Spoken, stopped
from strategies import (
    ADA,
    EMAIL,
    EVERYTHING,
    MAIL,
    MESSAGES,
    OUTLET_PROMO,
    PROMO,
    QUINN,
    SECOND,
    TWIN_MAIL,
    WINDOW,
    World,
    ask,
    choice,
    entries_of,
    folded,
    links,
    people_at,
    person,
    quarrels,
    scopes,
    shop,
    talks,
    verdict,
)  # fmt: skip

from sayso.rules import leaves, view
from sayso.rules.entries import Entry, entry_of, leaf_fields
from sayso.rules.gate import Person
from sayso.rules.state import EMPTY, State, fold, to_bytes
from sayso.rules.statements import Choose, Tie
from sayso.rules.values import altered
from sayso.rules.words import Scope
from shares import Ran, share

Fold = Callable[[State, Entry], State]
Answers = tuple[bool, ...]
MAILS = [message for message in MESSAGES if message.channel == "email"]


def rows(entries: Iterable[Entry], by: Fold) -> dict[str, State]:
    found: dict[str, State] = {}
    for one in entries:
        found[one.sub] = by(found.get(one.sub, EMPTY), one)
    return found


def answers(found: Mapping[str, State], linked: set[Link], contacts: Iterable[str] = (ADA, QUINN, "")) -> Answers:
    """Every verdict that can be asked for: each message, for each contact or the address alone, in a strict and a lax place."""
    return tuple(
        verdict(ask(message, country=country), *people_at(dict(found), linked, who, MAIL), window=NARROW).allowed
        for message, who, country in product(MAILS, contacts, ("US", "DE"))
    )


settings.register_profile("hasty", settings.get_profile("steady"), phases=[Phase.generate], report_multiple_bugs=False)


def must_fail(promise: Callable[[], None]) -> None:
    """The promise is found to be broken; the first case that shows it is enough."""
    before = settings.get_current_profile_name()
    settings.load_profile("hasty")
    try:
        with pytest.raises(AssertionError):
            promise()
    finally:
        settings.load_profile(before)


# Order makes no difference, G2


def order_free(by: Fold, examples: int = 100) -> None:
    """Any order, repetition and batching of the same entries and links gives the same state and the same answers."""

    @settings(max_examples=examples)
    @given(quarrels() | talks(), links, st.randoms(use_true_random=False))
    def holds(said: tuple[Spoken, ...], linked: set[Link], chance: Any) -> None:
        entries = entries_of(said)
        shuffled = [[*chance.sample(entries, len(entries)), chance.choice(entries)] for _ in range(2)]
        every = permutations(entries) if len(entries) <= 4 else []
        found = [rows(order, by) for order in (*every, *shuffled)]
        assert len({tuple(sorted((sub, to_bytes(row)) for sub, row in one.items())) for one in found}) == 1
        assert len({answers(one, linked) for one in found[-3:]}) == 1

    holds()


@pytest.mark.soak
@pytest.mark.feature("F1", "F2", "F4", "F5")
def test_any_order_repetition_and_batching_give_the_same_state_and_answers(ran: Ran) -> None:
    examples = share("G2 examples")
    order_free(fold, examples)
    ran("G2 examples", examples)


@pytest.mark.parametrize("broken", [last_writer_by_arrival, pairwise_window])
def test_twin_rules_that_depend_on_order_are_found_out(broken: Fold) -> None:
    must_fail(lambda: order_free(broken, 1_000))


def test_three_statements_in_all_six_orders_give_one_answer_and_the_pairwise_rule_gives_several() -> None:
    said = [choice(1, PROMO, out=True, ts=0, by="x"), choice(2, PROMO, out=False, ts=8, by="y"), choice(3, PROMO, out=False, ts=16, by="z")]

    def results(by: Fold) -> set[Answers]:
        return {answers(rows(order, by), set(), [ADA]) for order in permutations(said)}

    assert len(results(fold)) == 1
    assert len(results(pairwise_window)) > 1


@pytest.mark.feature("F1")
@given(
    st.lists(st.tuples(scopes, st.booleans(), st.integers(0, 40), st.sampled_from([ADA, ""])), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_acts_with_their_own_times_give_the_same_answers_in_any_order_of_arrival(acts: list[Any], chance: Any) -> None:
    """Through `decide`: what is shown and answered depends on what was said, not on which door was quicker.

    An opt-in to everything of a brand also lifts the channels that are out when it is heard, so it is left out here.
    """
    acts = [act for act in acts if act[1] or act[0].channel != "*"]
    seen = set()
    for order in (acts, chance.sample(acts, len(acts))):
        world = World()
        world.say(shop(), Tie(MAIL, primary=True), contact=ADA)
        start = world.now - 10**9
        for scope, out, ts, contact in order:
            where = {"contact": ADA} if contact else {"address": MAIL}
            world.say(person(), Choose(scope, out=out), **where, given=start + ts * SECOND)
        seen.add(tuple(verdict(ask(message), world.person()).allowed for message in MESSAGES))
    assert len(seen) == 1


# No send after no, G1


def real(found: Mapping[str, State], contact: str, message: Scope) -> bool:
    return verdict(ask(message), *people_at(dict(found), set(), contact, MAIL), window=NARROW).allowed


def exact_scope_only(found: Mapping[str, State], contact: str, message: Scope) -> bool:
    """Looks at the scope of the message itself and forgets everything broader."""
    stamps = [found[sub].strong for sub in (contact, MAIL) if sub in found]
    return not any(at.scope == message and stamp.out for register in stamps for at, stamp in register.items())


def address_only(found: Mapping[str, State], contact: str, message: Scope) -> bool:
    """Forgets what was said about the contact."""
    return real({sub: row for sub, row in found.items() if sub == MAIL}, contact, message)


def no_send_after_no(allows: Callable[[Mapping[str, State], str, Scope], bool]) -> None:
    """After an opt-out that is later than everything, no message it covers is allowed, whatever had been said before."""

    @settings(max_examples=100)
    @given(talks(), scopes, st.sampled_from([(ADA, ""), ("", MAIL), (ADA, MAIL)]), st.sampled_from(["p:" + ADA, "x", "new"]))
    def holds(said: tuple[Spoken, ...], scope: Scope, where: tuple[str, str], actor: str) -> None:
        stop = Spoken(*where, scope, actor, 100, True, 99, actor.startswith("p:"))
        found = rows(entries_of([*said, stop]), fold)
        for message in (message for message in MAILS if scope.covers(message)):
            assert not allows(found, ADA, message)

    holds()


@pytest.mark.feature("I1", "I2", "I3", "I6")
def test_the_gate_never_allows_after_a_covering_opt_out() -> None:
    no_send_after_no(real)


@pytest.mark.parametrize("broken", [exact_scope_only, address_only])
def test_twin_gates_that_look_at_less_are_found_out(broken: Callable[[Mapping[str, State], str, Scope], bool]) -> None:
    must_fail(lambda: no_send_after_no(broken))


@given(talks(), links, st.sampled_from([ADA, QUINN]), scopes)
def test_one_more_opt_out_never_allows_anything(said: tuple[Spoken, ...], linked: set[Link], contact: str, scope: Scope) -> None:
    more = Spoken(contact, MAIL, scope, "another", 15, True, 99, False)
    before, after = (answers(rows(entries_of(heard), fold), linked) for heard in (said, [*said, more]))
    assert all(was or not now for was, now in zip(before, after, strict=True))


@given(talks(), scopes)
def test_a_look_alike_never_allows_anything(said: tuple[Spoken, ...], scope: Scope) -> None:
    found = rows(entries_of(said), fold)
    for out in (True, False):
        twin = folded([choice(99, scope, out=out, ts=999, own=True, sub=TWIN_MAIL, by="p:" + TWIN_MAIL)])
        for message in MAILS:
            plain = Person(ADA, found.get(ADA), found.get(MAIL, EMPTY))
            beside = verdict(ask(message), altered(plain, lookalikes=(twin,)), window=NARROW)
            assert verdict(ask(message), plain, window=NARROW).allowed or not beside.allowed


@given(talks(), scopes, st.booleans())
def test_another_address_of_the_contact_never_allows_anything(said: tuple[Spoken, ...], scope: Scope, out: bool) -> None:
    found = rows(entries_of(said), fold)
    other = folded([choice(99, scope, out=out, ts=999, own=True, sub=TWIN_MAIL, by="p:" + TWIN_MAIL)])
    for message in MAILS:
        alone = Person(ADA, found.get(ADA, EMPTY), found.get(MAIL, EMPTY))
        silent, with_other = (verdict(ask(message), altered(alone, linked=(row,)), window=NARROW).allowed for row in (EMPTY, other))
        plain = verdict(ask(message), alone, window=NARROW).allowed
        assert silent is plain, "an address that never heard anything changes nothing"
        assert plain or not with_other
        assert with_other is (plain and not (out and scope.covers(message)))


# Weak opt-ins never lift


def weak_never_lifts(by: Fold) -> None:
    @settings(max_examples=100)
    @given(talks(), scopes, st.integers(0, 10_000), st.sampled_from([(ADA, ""), ("", MAIL), (ADA, MAIL)]))
    def holds(said: tuple[Spoken, ...], scope: Scope, ts: int, where: tuple[str, str]) -> None:
        strong = [one for one in said if one.strong]
        weak = Spoken(*where, scope, "import", ts, False, 99, True, False)
        before, after = (rows(entries_of(heard), by) for heard in (strong, [*strong, weak]))
        for message in MAILS:
            assert real(after, ADA, message) is real(before, ADA, message)

    holds()


@pytest.mark.feature("A15", "F5")
def test_weak_opt_ins_never_lift() -> None:
    weak_never_lifts(fold)


def test_twin_a_fold_that_takes_weak_for_strong_is_found_out() -> None:
    must_fail(lambda: weak_never_lifts(weak_counts_as_strong))


# Off, on, off


def ends_as_clicked(by: Fold) -> None:
    """One actor's last word about a scope is what stands, however fast the clicks and in whatever order they arrive."""

    @settings(max_examples=60)
    @given(
        st.lists(st.booleans(), min_size=1, max_size=5),
        st.sampled_from([PROMO, EMAIL, EVERYTHING]),
        st.booleans(),
        st.randoms(use_true_random=False),
    )
    def holds(clicks: list[bool], scope: Scope, own: bool, chance: Any) -> None:
        made = [
            choice(n, scope, out=out, own=own, by="x", at=ts)
            for n, (out, ts) in enumerate(zip(clicks, chance.sample(range(9), 9), strict=False))
        ]
        found = rows(chance.sample(made, len(made)), by)
        assert real(found, ADA, OUTLET_PROMO) is not clicks[-1]

    holds()


@pytest.mark.feature("A23", "F2")
def test_off_on_off_by_one_actor_ends_as_clicked() -> None:
    ends_as_clicked(fold)


@pytest.mark.parametrize("broken", [last_writer_by_arrival, pairwise_window, time_of_arrival])
def test_twin_rules_that_forget_the_time_of_a_click_are_found_out(broken: Fold) -> None:
    must_fail(lambda: ends_as_clicked(broken))


# Simultaneous statements of different systems


def most_restrictive_within_the_window(by: Fold) -> None:
    for gap, way in product(range(-12, 13), (True, False)):
        made = [choice(1, PROMO, out=True, ts=50, by="x"), choice(2, PROMO, out=False, ts=50 + gap, by="y")]
        assert real(rows(made if way else made[::-1], by), ADA, PROMO) is (gap > NARROW)


@pytest.mark.feature("F1", "F2", "F4")
def test_of_simultaneous_statements_of_two_systems_the_most_restrictive_wins() -> None:
    most_restrictive_within_the_window(fold)


@pytest.mark.parametrize("broken", [one_actor_for_all, last_writer_by_arrival])
def test_twin_rules_without_a_window_are_found_out(broken: Fold) -> None:
    must_fail(lambda: most_restrictive_within_the_window(broken))


# Replaying the ledger, G4


def replay_gives_the_rows(by: Fold) -> None:
    """The leaves alone, folded, give every row back byte for byte."""

    @settings(max_examples=60)
    @given(st.lists(st.tuples(scopes, st.booleans(), st.integers(-60, 60), st.sampled_from([ADA, ""])), min_size=1, max_size=5))
    def holds(acts: list[tuple[Scope, bool, int, str]]) -> None:
        world = World(lookalikes=(TWIN_MAIL,))
        world.say(shop(), Tie(MAIL, primary=True), contact=ADA)
        for scope, out, back, contact in acts:
            voice = shop(method="explicit") if back % 2 else person()
            world.say(voice, Choose(scope, out=out), contact=contact, address=MAIL, given=world.now - back * SECOND)
        written = [leaves.build(leaf_fields(one, ver=1, prev="", commitment="")) for one in world.entries]
        found = rows((entry_of(leaves.parse(leaf)) for leaf in written), by)
        assert {sub: to_bytes(row) for sub, row in found.items()} == {
            sub: to_bytes(row.state) for sub, row in world.rows.items() if row.state.length
        }
        assert all(found[sub] == world.rows[sub].state for sub in found)

    holds()


@pytest.mark.feature("F3")
def test_the_leaves_alone_give_the_state() -> None:
    replay_gives_the_rows(fold)


def test_twin_a_replay_that_takes_another_time_is_found_out() -> None:
    must_fail(lambda: replay_gives_the_rows(time_of_arrival))


# Clocks that jump, G11


def clock_never_undoes_a_stop(shift: Callable[[World, int], int]) -> None:
    """However our clock jumps, an opt-out without its own time is denied right after it was said."""

    @settings(max_examples=80)
    @given(st.lists(st.tuples(st.integers(-86_400, 86_400), st.booleans(), st.booleans()), min_size=1, max_size=5))
    def holds(acts: Sequence[tuple[int, bool, bool]]) -> None:
        world = World()
        world.say(shop(), Tie(MAIL, primary=True), contact=ADA)
        for jump, out, at_contact in acts:
            where = {"contact": ADA} if at_contact else {"address": MAIL}
            given_ts = shift(world, jump)
            world.say(person(), Choose(PROMO, out=out), **where, after=jump * SECOND, **({"given": given_ts} if given_ts else {}))
            if out:
                assert not verdict(ask(PROMO), world.person(), now=world.now).allowed

    holds()


def test_a_clock_that_jumps_never_turns_a_stop_into_a_send() -> None:
    clock_never_undoes_a_stop(lambda world, jump: 0)


def test_twin_ordering_by_the_wall_clock_is_found_out() -> None:
    must_fail(lambda: clock_never_undoes_a_stop(lambda world, jump: world.now + jump * SECOND))


# The oracle itself can fail


def test_the_second_writing_of_the_rules_says_no_to_broken_ones() -> None:
    @settings(max_examples=120)
    @given(quarrels() | talks(), st.sampled_from(MAILS))
    def agree(said: tuple[Spoken, ...], message: Scope) -> None:
        found = rows(entries_of(said), one_actor_for_all)
        assert real(found, ADA, message) is not stopped(said, set(), ADA, MAIL, message, NARROW)

    must_fail(agree)


def test_the_worlds_of_these_tests_are_read_as_the_hub_reads_them() -> None:
    world = World()
    world.say(shop(), Tie(MAIL, primary=True), contact=ADA)
    world.say(person(), Choose(PROMO, out=True), contact=ADA)
    assert view.choice_at(world.read(MAIL), PROMO, WINDOW) == "opted_out"
    assert not verdict(ask(PROMO), world.person()).allowed
