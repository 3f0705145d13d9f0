"""Taking back one act gives exactly the state before it: never more, and nothing that was said since."""

from dataclasses import dataclass, field

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
    MESSAGES,
    MINUTE,
    OUTLET_EMAIL,
    OUTLET_PROMO,
    PROMO,
    SECOND,
    TWIN_MAIL,
    World,
    ask,
    person,
    shop,
    verdict,
)  # fmt: skip

from sayso.rules import view
from sayso.rules.entries import Entry
from sayso.rules.reversal import reversal
from sayso.rules.state import from_bytes, to_bytes
from sayso.rules.statements import Choose, Suspend, Told, Word
from sayso.rules.words import Choice, Scope

ME, TOOL, WEAK = person(), shop(method="explicit"), shop("c:weak:api", method="implicit")
VOICES = {"me": ME, "tool": TOOL, "weak": WEAK}
SCOPES = (EVERYTHING, EMAIL, PROMO, EVENTS, OUTLET_PROMO, OUTLET_EMAIL)


@dataclass
class Page:
    """Ada on her page: what she does there, and takes back."""

    world: World = field(default_factory=World)
    address: str = MAIL

    def does(self, *words: Word, after: int = SECOND) -> tuple[Entry, ...]:
        self.world.say(ME, *words, contact=ADA, address=self.address, after=after)
        return self.world.rulings[-1].entries

    def takes_back(self, act: tuple[Entry, ...], after: int = MINUTE) -> list[Told]:
        chain = [one for one in self.world.entries if one.sub == act[0].sub]
        words = reversal(act, chain)
        return self.world.say(ME, *words, contact=ADA, address=self.address, after=after) if words else []

    def choice(self, scope: Scope = PROMO) -> Choice:
        return view.choice_at(self.world.read(ADA), scope, 10 * SECOND)

    def decisions(self) -> list[tuple[bool, frozenset[str]]]:
        """What may be sent to Ada, with the codes of every reason, under a law that lets and one that asks."""
        asked = [ask(message, country=country) for message in MESSAGES for country in ("US", "DE")]
        found = [verdict(one, self.world.person(), now=self.world.now) for one in asked]
        return [(each.allowed, frozenset(reason.code for reason in each.reasons)) for each in found]


past = st.lists(
    st.tuples(st.sampled_from(sorted(VOICES)), st.sampled_from(SCOPES), st.booleans(), st.sampled_from([SECOND, MINUTE, DAY])), max_size=6
)
acts = st.lists(st.tuples(st.sampled_from(SCOPES), st.booleans()), min_size=1, max_size=3, unique_by=lambda one: one[0])


@pytest.mark.feature("N3")
@given(past, acts, st.sampled_from([SECOND, MINUTE]))
def test_an_undo_gives_back_what_could_be_sent_before(
    said: list[tuple[str, Scope, bool, int]], act: list[tuple[Scope, bool]], soon: int
) -> None:
    page = Page()
    for who, scope, out, after in said:
        page.world.say(VOICES[who], Choose(scope, out=out), contact=ADA, address=MAIL if who == "me" else "", after=after)
    page.world.now += MINUTE
    before, could = [page.choice(scope) for scope in SCOPES], page.decisions()
    page.takes_back(page.does(*(Choose(scope, out=out) for scope, out in act)), after=soon)
    assert page.decisions() == could
    assert [page.choice(scope) for scope in SCOPES] == before


@given(past, st.sampled_from(SCOPES), past)
def test_an_undo_never_allows_what_somebody_stopped_since(
    said: list[tuple[str, Scope, bool, int]], scope: Scope, since: list[tuple[str, Scope, bool, int]]
) -> None:
    page = Page()
    for who, where, out, after in said:
        page.world.say(VOICES[who], Choose(where, out=out), contact=ADA, after=after)
    act = page.does(Choose(scope, out=True))
    for who, where, _, after in since:
        page.world.say(VOICES[who], Choose(where, out=True), contact=ADA, after=after)
    stopped = [where for _, where, _, _ in since]
    page.takes_back(act)
    for where in stopped:
        assert view.standing_at(page.world.read(ADA), where, 10 * SECOND), where


def test_silence_comes_back_as_silence_and_is_no_consent() -> None:
    page = Page()
    told = page.takes_back(page.does(Choose(PROMO, out=True)))
    assert [(one.effect, one.became) for one in told] == [("applied", "not_set")]
    assert page.decisions() == Page(World(now=page.world.now)).decisions()
    assert {(one.rule, one.new) for one in page.world.entries[-2:]} == {("undo", "not_set")}


def test_consent_comes_back_with_the_time_it_was_given() -> None:
    page = Page()
    page.does(Choose(PROMO, out=False))
    page.world.say(TOOL, Choose(EMAIL, out=True), contact=ADA, after=MINUTE)
    page.takes_back(page.does(Choose(PROMO, out=True), after=MINUTE))
    assert page.choice() == "opted_in"
    assert not any(allowed for allowed, _ in page.decisions()[:2])  # the older consent does not answer the newer stop of everything


def test_what_the_person_said_since_stands() -> None:
    page = Page()
    first = page.does(Choose(PROMO, out=True))
    page.does(Choose(PROMO, out=False))
    page.does(Choose(PROMO, out=True))
    told = page.takes_back(first)[0]
    assert (told.effect, told.rule, told.became, told.entries) == ("superseded", "newer_statement_stands", "opted_out", ())


def test_a_press_that_is_repeated_at_once_is_one_act_and_later_it_is_another_word() -> None:
    page = Page()
    act = page.does(Choose(PROMO, out=True))
    page.does(Choose(PROMO, out=True))
    page.takes_back(act)
    assert page.choice() == "not_set"
    act = page.does(Choose(PROMO, out=True))
    page.does(Choose(PROMO, out=True), after=2 * MINUTE)
    assert [one.rule for one in page.takes_back(act)] == ["newer_statement_stands"]
    assert page.choice() == "opted_out"


def test_an_undo_can_be_taken_back_too() -> None:
    page = Page()
    page.does(Choose(PROMO, out=False))
    page.takes_back(page.does(Choose(PROMO, out=True)))
    page.takes_back(page.world.rulings[-1].entries)
    assert page.choice() == "opted_out"
    page.takes_back(page.world.rulings[-1].entries)
    assert page.choice() == "opted_in"


def test_the_pause_before_it_comes_back() -> None:
    page = Page()
    month, quarter = page.world.now + 30 * DAY, page.world.now + 90 * DAY
    page.does(Suspend("*", month))
    second = page.does(Suspend("*", quarter))
    page.takes_back(second)
    assert view.paused_until(page.world.read(ADA), "*", page.world.now) == month
    told = page.takes_back(second)
    assert [one.rule for one in told] == ["newer_statement_stands"]
    first = Page()
    first.takes_back(first.does(Suspend("*", month)))
    assert view.paused_until(first.world.read(ADA), "*", first.world.now) is None


@pytest.mark.parametrize("scope", [EMAIL, PROMO])
def test_what_was_spread_and_what_look_alikes_heard_comes_back_too(scope: Scope) -> None:
    page = Page(World(lookalikes=(TWIN_MAIL,)))
    act = page.does(Choose(scope, out=True))
    assert view.standing_at(page.world.read(TWIN_MAIL), PROMO, 10 * SECOND)
    page.takes_back(act)
    for sub in (ADA, MAIL, TWIN_MAIL):
        for channel in ("email", "ads", "social"):
            assert not view.standing_at(page.world.read(sub), Scope("*", channel, "promotional"), 10 * SECOND)


def test_a_restored_word_is_kept_and_read_whole() -> None:
    page = Page()
    page.does(Choose(PROMO, out=False))
    page.takes_back(page.does(Choose(PROMO, out=True)))
    state = page.world.state(ADA)
    stamp = next(iter(state.strong.values()))
    assert stamp.since < stamp.ts and not stamp.out
    assert from_bytes(to_bytes(state)).strong == state.strong
