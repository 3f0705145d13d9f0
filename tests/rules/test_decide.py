"""What a statement becomes: its effect, the rule that decided, the entries it leaves, and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    ADA,
    DAY,
    EMAIL,
    EVENTS,
    EVERYTHING,
    LOUD,
    MAIL,
    MINUTE,
    NOON,
    OLD_MAIL,
    OUTLET_EMAIL,
    OUTLET_PROMO,
    PHONE,
    PROMO,
    QUINN,
    SECOND,
    SMS,
    TWIN_MAIL,
    World,
    folded,
    person,
    shop,
)  # fmt: skip

from sayso.rules import conflict, view
from sayso.rules.decide import AHEAD
from sayso.rules.statements import Block, Choose, Happen, Locate, Suspend, Tie, Told, Voice
from sayso.rules.words import Scope

OUT, IN = Choose(PROMO, out=True), Choose(PROMO, out=False)
SPREAD_ADS, SPREAD_SOCIAL = Scope("*", "ads", "*"), Scope("*", "social", "*")


@pytest.fixture
def world() -> World:
    return World()


def brief(told: Told) -> tuple[str, str, str]:
    return (told.effect, told.rule, told.became)


def standing(world: World, sub: str, scope: Scope) -> bool:
    return bool(view.standing_at(world.read(sub), scope, 10 * SECOND))


# What stood before (who, word, seconds before), the word now, and what it becomes.
RELAY, TOOL, ME = shop(**LOUD), shop("c:tool:api", **LOUD), person()
EFFECTS: dict[str, tuple[list[tuple[Voice, Choose]], tuple[Voice, Choose], tuple[str, str, str]]] = {
    "the first opt-out": ([], (RELAY, OUT), ("applied", "", "opted_out")),
    "an opt-out again": ([(RELAY, OUT)], (RELAY, OUT), ("unchanged", "", "opted_out")),
    "an opt-out somebody else said": ([(RELAY, OUT)], (TOOL, OUT), ("unchanged", "", "opted_out")),
    "an opt-out of a category inside a stopped channel": ([(RELAY, Choose(EMAIL, out=True))], (RELAY, OUT), ("applied", "", "opted_out")),
    "a brand's opt-out inside the company's": ([(RELAY, OUT)], (RELAY, Choose(OUTLET_PROMO, out=True)), ("unchanged", "", "opted_out")),
    "an opt-out after an opt-in": ([(RELAY, IN)], (TOOL, OUT), ("applied", "", "opted_out")),
    "the first opt-in": ([], (RELAY, IN), ("applied", "", "opted_in")),
    "an opt-in again": ([(RELAY, IN)], (RELAY, IN), ("unchanged", "", "opted_in")),
    "a weak opt-in": ([], (shop(), IN), ("applied", "", "opted_in")),
    "a weak opt-in again": ([(shop(), IN)], (shop(), IN), ("unchanged", "", "opted_in")),
    "a weak opt-in against an opt-out": ([(RELAY, OUT)], (shop(), IN), ("superseded", "weak_opt_in_never_lifts", "opted_out")),
    "the same relay's opt-in": ([(RELAY, OUT)], (RELAY, IN), ("applied", "", "opted_in")),
    "another relay's at once": ([(RELAY, OUT)], (TOOL, IN), ("superseded", "most_restrictive_within_window", "opted_out")),
    "the person's at once": ([(RELAY, OUT)], (ME, IN), ("applied", "", "opted_in")),
    "a relay's against a broader opt-out": (
        [(RELAY, Choose(EMAIL, out=True))], (RELAY, IN), ("applied", "covered_by_broader_opt_out", "opted_in")),
    "the same again": (
        [(RELAY, IN), (RELAY, Choose(EMAIL, out=True))], (RELAY, IN), ("unchanged", "covered_by_broader_opt_out", "opted_in")),
    "a relay's for a brand against the company's": (
        [(RELAY, OUT)], (RELAY, Choose(OUTLET_PROMO, out=False)), ("superseded", "covered_by_broader_opt_out", "opted_out")),
    "the person's carve-out": ([(RELAY, Choose(EMAIL, out=True))], (ME, IN), ("applied", "", "opted_in")),
    "a channel's opt-in against everything": (
        [(RELAY, Choose(EVERYTHING, out=True))], (RELAY, Choose(EMAIL, out=False)), ("applied", "", "opted_in")),
    "another's channel opt-in against everything at once": (
        [(RELAY, Choose(EVERYTHING, out=True))], (TOOL, Choose(EMAIL, out=False)),
        ("superseded", "most_restrictive_within_window", "opted_out")),
    "a weak opt-in to a category under a broader opt-out": (
        [(RELAY, Choose(EMAIL, out=True))], (shop(), IN), ("applied", "covered_by_broader_opt_out", "opted_in")),
}  # fmt: skip


@pytest.mark.feature("A2", "F1", "F2", "F3", "F4")
@pytest.mark.parametrize("case", EFFECTS, ids=lambda name: name.replace(" ", "-"))
def test_every_effect_and_the_rule_that_made_it(world: World, case: str) -> None:
    before, (voice, word), expected = EFFECTS[case]
    for who, said in before:
        world.say(who, said, contact=ADA)
    [told] = world.say(voice, word, contact=ADA)
    assert brief(told) == expected
    kept = next(one for one in world.entries if one.id == told.entries[0])
    assert (kept.effect, kept.rule, kept.new) == (told.effect, told.rule, "opted_out" if word.out else "opted_in")
    assert kept.act == "choice" and kept.by.startswith("p:" if voice.own else "c:")


@pytest.mark.feature("F1", "F2", "F3")
def test_an_older_statement_that_arrives_late_is_kept_and_loses_to_the_newer_one(world: World) -> None:
    world.say(ME, IN, contact=ADA)
    [told] = world.say(RELAY, OUT, contact=ADA, given=world.now - MINUTE)
    assert brief(told) == ("superseded", "newer_statement_stands", "opted_in")
    world.say(RELAY, OUT, contact=ADA)
    [told] = world.say(TOOL, IN, contact=ADA, given=world.now - DAY)
    assert brief(told) == ("superseded", "newer_statement_stands", "opted_out")
    assert len(world.entries) == 4


@pytest.mark.feature("F3")
def test_the_trail_names_what_was_shown_before_and_after(world: World) -> None:
    for word in (OUT, IN, OUT):
        world.say(ME, word, contact=ADA)
    assert [(one.old, one.new) for one in world.entries] == [("not_set", "opted_out"), ("opted_out", "opted_in"), ("opted_in", "opted_out")]


def test_a_refused_act_is_kept_and_changes_nothing(world: World) -> None:
    words = (Choose(PROMO, out=False), Suspend("*", NOON + DAY), Block("blacklist", on=True), Locate("DE"), Tie(MAIL, primary=True))
    told = world.say(ME, *words, contact=ADA, refused="transactional_cannot_be_refused")
    assert [(one.effect, one.rule, one.became) for one in told] == [("refused", "transactional_cannot_be_refused", "not_set")]
    assert [(one.effect, one.rule) for one in world.entries] == [("refused", "transactional_cannot_be_refused")]
    assert world.state(ADA).version == 0 and world.state(ADA).length == 1


@pytest.mark.feature("F2")
@pytest.mark.parametrize("ahead", [1, AHEAD])
def test_a_time_a_little_ahead_counts_as_now(world: World, ahead: int) -> None:
    for word in (OUT, IN):
        [told] = world.say(ME, word, contact=ADA, given=world.now + SECOND + ahead)
        assert told.effect == "applied"
        assert world.entries[-1].ts == world.entries[-1].at == world.now


def test_an_opt_in_from_the_future_is_set_apart_while_an_opt_out_applies_now(world: World) -> None:
    future = world.now + 2 * SECOND + AHEAD + 2
    [told] = world.say(ME, OUT, contact=ADA, given=future)
    assert (told.effect, world.entries[-1].ts) == ("applied", world.now)
    [told] = world.say(ME, IN, contact=ADA, given=future)
    assert brief(told) == ("quarantined", "opt_in_from_the_future", "opted_out")
    assert (world.entries[-1].effect, world.state(ADA).version) == ("quarantined", 1)
    [told] = world.say(ME, Choose(EVERYTHING, out=False), contact=ADA, given=world.now + DAY)
    assert told.effect == "quarantined" and standing(world, ADA, PROMO)


def test_a_statement_without_a_time_is_as_late_as_we_heard_it(world: World) -> None:
    world.say(ME, OUT, contact=ADA)
    assert (world.entries[-1].ts, world.entries[-1].at) == (world.now, world.now)
    world.say(ME, IN, contact=ADA, given=NOON - DAY)
    assert (world.entries[-1].ts, world.entries[-1].at) == (NOON - DAY, world.now)


@pytest.mark.parametrize("back", [0, -SECOND, -DAY])
def test_the_clock_of_a_person_never_stands_still_nor_goes_back(world: World, back: int) -> None:
    for word in (OUT, IN, OUT, IN):
        world.say(ME, word, contact=ADA, address=MAIL, after=back)
        assert view.choice_at(world.read(ADA), PROMO, 10 * SECOND) == ("opted_out" if word.out else "opted_in")
    for sub in (ADA, MAIL):
        at = [one.at for one in world.entries if one.sub == sub]
        assert at == sorted(set(at))
        assert all(one.ts <= one.at for one in world.entries)


@pytest.mark.parametrize("back", [0, -SECOND, -DAY])
def test_an_opt_out_without_its_own_time_counts_even_if_the_clock_went_back_since_the_other_row_spoke(world: World, back: int) -> None:
    world.say(RELAY, Tie(MAIL, primary=True), contact=ADA)
    for said_in, said_out in (({"address": MAIL}, {"contact": ADA}), ({"contact": ADA}, {"address": MAIL})):
        world.say(ME, IN, **said_in, after=MINUTE)
        [told] = world.say(ME, OUT, **said_out, after=back)
        assert brief(told) == ("applied", "", "opted_out")
        assert standing(world, ADA, PROMO)


def test_the_address_made_primary_last_is_the_primary_one_even_if_the_clock_goes_back(world: World) -> None:
    for address, after in ((MAIL, SECOND), (OLD_MAIL, -DAY), (MAIL, 0), (OLD_MAIL, 0)):
        world.say(RELAY, Tie(address, primary=True), contact=ADA, after=after)
        newest = max(world.state(ADA).links.items(), key=lambda item: (item[1].primary, item[1].entry))[0]
        assert newest == address


# Where words are kept


def test_a_word_about_a_contact_is_kept_in_its_row(world: World) -> None:
    world.say(RELAY, OUT, contact=ADA)
    assert [(one.sub, one.about, one.by) for one in world.entries] == [(ADA, ADA, "c:shop:api")]


@pytest.mark.feature("A20")
def test_a_word_through_an_address_is_kept_there_and_the_address_is_who_spoke(world: World) -> None:
    world.say(ME, OUT, address=MAIL)
    assert [(one.sub, one.about, one.by, one.own) for one in world.entries] == [(MAIL, "", f"p:{MAIL}", True)]


def test_a_word_through_an_address_that_names_a_contact_is_kept_in_both_and_the_second_names_the_first(world: World) -> None:
    [told] = world.say(ME, OUT, contact=ADA, address=MAIL)
    first, second = world.entries
    assert [(one.sub, one.about, one.by) for one in (first, second)] == [(ADA, ADA, f"p:{ADA}"), (MAIL, ADA, f"p:{ADA}")]
    assert told.entries == (first.id, second.id)
    assert (first.x, second.x) == ((), (("twin", first.id),))


def test_an_opt_out_is_kept_at_look_alikes_too_and_an_opt_in_never(world: World) -> None:
    world.lookalikes = (TWIN_MAIL,)
    world.say(ME, OUT, address=MAIL)
    world.say(ME, IN, address=MAIL)
    assert [one.sub for one in world.entries] == [MAIL, TWIN_MAIL, MAIL]
    assert standing(world, TWIN_MAIL, PROMO) and not standing(world, MAIL, PROMO)


def test_facts_about_deliverability_belong_to_the_address_when_it_is_known(world: World) -> None:
    world.say(RELAY, Block("hard_bounce", on=True), Happen("mail.open"), contact=ADA, address=MAIL)
    world.say(RELAY, Block("complaint", on=True), contact=ADA)
    assert [(one.sub, one.kind, one.act, one.new) for one in world.entries] == [
        (MAIL, "block", "hard_bounce", "set"), (MAIL, "event", "mail.open", ""), (ADA, "block", "complaint", "set"),
    ]  # fmt: skip


def test_pauses_and_places_are_kept_where_they_were_said(world: World) -> None:
    world.say(ME, Suspend("outlet", NOON + DAY), Locate("DE"), contact=ADA, address=MAIL)
    assert [(one.sub, one.kind) for one in world.entries] == [(ADA, "pause"), (MAIL, "pause"), (ADA, "place"), (MAIL, "place")]
    assert world.entries[0].scope == Scope("outlet", "*", "*") and world.entries[0].until == NOON + DAY


def test_facts_say_whether_they_changed_anything(world: World) -> None:
    pause, place, black, open_ = Suspend("*", NOON + DAY), Locate("DE"), Block("blacklist", on=True), Happen("mail.open")
    words = (pause, pause, place, place, black, black, open_, Suspend("*", None), Suspend("*", None), Block("blacklist", on=False))
    told = world.say(RELAY, *words, contact=ADA)
    assert [one.effect for one in told] == [
        "applied", "unchanged", "applied", "unchanged", "applied", "unchanged", "stored", "applied", "unchanged", "applied",
    ]  # fmt: skip
    by_kind = [(one.kind, one.old, one.new) for one in world.entries if one.kind in ("block", "place")]
    assert by_kind == [
        ("place", "", "DE"), ("place", "DE", "DE"), ("block", "", "set"), ("block", "set", "set"), ("block", "set", "lifted"),
    ]  # fmt: skip


@pytest.mark.feature("A20")
def test_ties_are_kept_at_both_ends_once(world: World) -> None:
    [told] = world.say(RELAY, Tie(MAIL, primary=False), contact=ADA)
    assert told.effect == "applied"
    assert [(one.sub, one.other, one.other_kind) for one in world.entries] == [(ADA, MAIL, "email"), (MAIL, ADA, "contact")]
    assert [brief(one) for one in world.say(RELAY, Tie(MAIL, primary=False), contact=ADA)] == [("unchanged", "", "")]
    [told] = world.say(RELAY, Tie(MAIL, primary=True), contact=ADA)
    assert (told.effect, len(told.entries)) == ("applied", 1)
    assert [one.effect for one in world.say(RELAY, Tie(MAIL, primary=True), contact=ADA)] == ["unchanged"]
    world.say(RELAY, Tie(OLD_MAIL, primary=True), contact=ADA)
    assert [one.effect for one in world.say(RELAY, Tie(MAIL, primary=True), contact=ADA)] == ["applied"]


# Everything at once


@pytest.mark.feature("A18", "A23")
def test_an_opt_in_to_everything_lifts_the_channels_that_were_out_and_leaves_categories(world: World) -> None:
    for scope in (EVERYTHING, EMAIL, SMS, PROMO):
        world.say(RELAY, Choose(scope, out=True), contact=ADA)
    [told] = world.say(RELAY, Choose(EVERYTHING, out=False), contact=ADA, after=MINUTE)
    assert brief(told) == ("applied", "", "opted_in")
    lifted = [one.scope for one in world.entries if one.rule == "opt_in_to_all"]
    assert lifted == [SPREAD_ADS, EMAIL, SMS, SPREAD_SOCIAL]
    assert set(told.entries) >= {one.id for one in world.entries if one.rule == "opt_in_to_all"}
    assert not standing(world, ADA, EVENTS) and not standing(world, ADA, SMS)
    assert standing(world, ADA, PROMO)


def test_an_opt_in_to_everything_of_a_brand_lifts_that_brands_channels_only(world: World) -> None:
    for scope in (EMAIL, OUTLET_EMAIL):
        world.say(RELAY, Choose(scope, out=True), contact=ADA)
    world.say(RELAY, Choose(Scope("outlet", "*", "*"), out=False), contact=ADA, after=MINUTE)
    assert [one.scope for one in world.entries if one.rule == "opt_in_to_all"] == [OUTLET_EMAIL]
    assert standing(world, ADA, PROMO) and not standing(world, ADA, OUTLET_PROMO)


# Spread


@pytest.mark.feature("A18")
def test_no_more_e_mail_at_all_reaches_advertising_and_social_media(world: World) -> None:
    [told] = world.say(ME, Choose(EMAIL, out=True), contact=ADA)
    assert [(one.scope, one.rule, one.by) for one in world.entries[1:]] == [
        (SPREAD_ADS, "spread_from_email", f"p:{ADA}{conflict.SPREAD}"), (SPREAD_SOCIAL, "spread_from_email", f"p:{ADA}{conflict.SPREAD}"),
    ]  # fmt: skip
    assert standing(world, ADA, SPREAD_ADS) and standing(world, ADA, SPREAD_SOCIAL)
    assert not standing(world, ADA, SMS)
    assert told.entries == (world.entries[0].id,)


def test_the_opt_in_that_answers_lifts_what_was_spread_and_no_more(world: World) -> None:
    world.say(RELAY, Choose(SPREAD_ADS, out=True), contact=ADA)
    world.say(RELAY, Choose(EMAIL, out=True), contact=ADA)
    world.say(ME, Choose(EMAIL, out=False), contact=ADA, after=MINUTE)
    assert not standing(world, ADA, SPREAD_SOCIAL) and not standing(world, ADA, EMAIL)
    assert standing(world, ADA, SPREAD_ADS)


@pytest.mark.parametrize("scope", [PROMO, OUTLET_EMAIL, SMS, EVERYTHING])
def test_nothing_else_spreads(world: World, scope: Scope) -> None:
    world.say(ME, Choose(scope, out=True), contact=ADA)
    assert len(world.entries) == 1


def test_neither_a_weak_nor_a_quarantined_nor_a_refused_word_spreads(world: World) -> None:
    world.say(shop(), Choose(EMAIL, out=False), contact=ADA)
    world.say(ME, Choose(EMAIL, out=False), contact=ADA, given=world.now + DAY)
    world.say(ME, Choose(EMAIL, out=True), contact=ADA, refused="no")
    assert len(world.entries) == 3


# Contacts and addresses


def test_a_later_word_about_the_contact_answers_an_older_one_at_its_address_and_the_other_way_round(world: World) -> None:
    world.say(RELAY, Tie(MAIL, primary=True), contact=ADA)
    world.say(ME, Choose(EMAIL, out=True), address=MAIL)
    assert standing(world, ADA, EMAIL)
    world.say(ME, Choose(EMAIL, out=False), contact=ADA)
    assert not standing(world, MAIL, EMAIL)
    world.say(ME, Choose(EMAIL, out=True), contact=ADA)
    [told] = world.say(ME, Choose(EMAIL, out=False), address=MAIL)
    assert told.effect == "applied" and not standing(world, ADA, EMAIL)


def test_whoever_shares_the_address_stays_out(world: World) -> None:
    for contact in (ADA, QUINN):
        world.say(RELAY, Tie(MAIL, primary=True), contact=contact)
    world.say(ME, Choose(EMAIL, out=True), address=MAIL)
    world.say(ME, Choose(EMAIL, out=False), contact=ADA)
    assert not standing(world, ADA, EMAIL)
    assert standing(world, QUINN, EMAIL) and standing(world, MAIL, EMAIL)


def test_linking_and_changing_the_primary_address_moves_and_lifts_nothing(world: World) -> None:
    world.say(ME, Choose(EMAIL, out=True), address=OLD_MAIL)
    for address in (OLD_MAIL, MAIL, PHONE):
        world.say(RELAY, Tie(address, primary=True), contact=ADA)
        assert standing(world, ADA, EMAIL)


WORDS = st.one_of(
    st.builds(Choose, st.sampled_from([EVERYTHING, EMAIL, SMS, PROMO, OUTLET_PROMO, OUTLET_EMAIL]), out=st.booleans()),
    st.builds(Block, st.sampled_from(["hard_bounce", "soft_bounce", "complaint", "blacklist"]), on=st.booleans()),
    st.builds(Suspend, st.sampled_from(["*", "outlet"]), st.sampled_from([None, NOON + DAY])),
    st.builds(Locate, st.sampled_from(["DE", "US"])),
    st.builds(Happen, st.sampled_from(["mail.delivered", "mail.open"])),
)
VOICES = st.sampled_from(
    [shop(), RELAY, TOOL, ME, Voice("import", False, "import", "cli", "explicit"), Voice("connection", False, "k1", "k1")]
)
ACTS = st.tuples(
    VOICES, st.lists(WORDS, max_size=3), st.sampled_from([(ADA, ""), (ADA, MAIL), ("", MAIL), (QUINN, MAIL)]),
    st.integers(-MINUTE, MINUTE), st.none() | st.integers(NOON - MINUTE, NOON + 10 * MINUTE),
)  # fmt: skip


@pytest.mark.feature("F3")
@given(st.lists(ACTS, max_size=6))
def test_whatever_is_said_the_rows_are_the_fold_of_the_entries_and_nothing_is_lost(acts: list[tuple[object, ...]]) -> None:
    world = World(lookalikes=(TWIN_MAIL,))
    for contact in (ADA, QUINN):
        world.say(RELAY, Tie(MAIL, primary=True), contact=contact)
    for voice, words, (contact, address), after, given_ts in acts:  # type: ignore[misc, attr-defined]  # tuples of ACTS
        told = world.say(voice, *words, contact=contact, address=address, after=after, given=given_ts)
        assert [one.word for one in told] == list(words)
        assert all(one.entries for one in told)
        for one in told:
            if isinstance(one.word, Choose):
                shown = view.choice_at(world.read(contact or address), one.word.scope, 10 * SECOND)
                assert len(words) > 1 or one.became == shown
                if one.word.out and given_ts is None:
                    assert one.effect in ("applied", "unchanged"), "an opt-out without its own time always counts"
    assert len({one.id for one in world.entries}) == len(world.entries)
    for sub, row in world.rows.items():
        assert folded(one for one in world.entries if one.sub == sub) == row.state
