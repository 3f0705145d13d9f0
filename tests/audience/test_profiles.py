"""Profiles are the gate's answers written down: whatever the place, the brand and the category, both say the same."""

import random

import duckdb
import pyarrow as pa
import pytest
from crowd import NOW, Crowd
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub import PEPPER
from sayso.audience.keys import Keyer
from sayso.audience.rows import ASKED
from sayso.contracts.audience import Known
from sayso.contracts.gatehouse import Found
from sayso.flows.check import Question, people_of
from sayso.flows.profile import SOMEBODY, profile
from sayso.rules.audience import Answer, Seen, from_json, nobody, probes, recipe_of, shadows, stranger, to_json, told
from sayso.rules.catalogue import DEFAULT
from sayso.rules.gate import Ask, Person, may_send
from sayso.rules.state import EMPTY
from sayso.rules.statements import Row
from sayso.rules.subjects import CONTACT, Address, address_or_fault, aliases, parse_address, subject_id
from sayso.rules.values import altered
from sayso.rules.words import CHANNELS, Scope

WINDOW = 10_000_000
RECIPE = recipe_of(DEFAULT, WINDOW)
SEEN: Seen = {}
"""Shared by all examples: people of one shape stand for each other."""
PLACES = st.sampled_from([None, "US", "DE", "CA", "JP", "ZZ"])
ASKS = st.builds(
    Ask,
    st.sampled_from(CHANNELS),
    st.sampled_from(DEFAULT.categories),
    st.sampled_from([None, "outlet", "main", "unheard of"]),
    PLACES,
    st.just(""),
)


def asked(ask: Ask, people: tuple[Person, ...], default: str | None) -> Answer:
    verdict = may_send(ask, people, version=0, now=NOW, window=WINDOW, default_country=default)
    return Answer(verdict.allowed, verdict.reasons[0].code)


@pytest.mark.feature("R7")
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(ASKS, min_size=5, max_size=20), PLACES)
def test_a_profile_answers_as_the_gate_or_says_that_it_cannot(seed: int, asks: list[Ask], default: str | None) -> None:
    crowd = Crowd(random.Random(seed))
    crowd.grow(3)
    agree(crowd, asks, default, SEEN)


MUCH = [Ask(channel, one, brand, "DE") for channel in ("email", "sms") for one in DEFAULT.categories for brand in (None, "outlet")]


@pytest.mark.feature("R7")
def test_whoever_said_one_word_is_answered_as_the_gate_does() -> None:
    seen: Seen = {}
    for seed in range(600):
        agree(one_word(random.Random(seed)), MUCH, None, seen)


@pytest.mark.parametrize("new", ["opted_in", "opted_out"])
@pytest.mark.parametrize("scope", [Scope("*", "email", "promotional"), Scope("*", "email", "*")])
def test_a_weak_word_and_the_same_said_strongly_do_not_pass_for_each_other(scope: Scope, new: str) -> None:
    seen: Seen = {}
    for strong in (True, False, True):
        crowd = Crowd(random.Random(1))
        ada = crowd.subject("email", "ada@example.com")
        crowd.say(ada, "choice", act="choice", scope=scope, new=new, own=True, strong=strong, method="explicit")
        agree(crowd, MUCH, None, seen)


def one_word(chance: random.Random) -> Crowd:
    """A contact and one or two addresses, tied or not, of whom one said one word: what most people are."""
    crowd = Crowd(chance)
    contact, *addresses = (
        crowd.subject("contact", "c-1"),
        *(crowd.subject("email", f"p{n}@example.com") for n in range(chance.choice((1, 1, 2)))),
    )
    for address in addresses:
        if chance.random() < 0.8:
            crowd.tie(contact, address, primary=chance.random() < 0.6)
    crowd.choose(chance.choice((contact, *addresses)), [contact.sub])
    return crowd


def agree(crowd: Crowd, asks: list[Ask], default: str | None, seen: Seen) -> None:
    """Everybody's profile, made with what was seen of others, answers each of these as the gate does."""
    known = {one.sub: Known(one.sub.encode(), Row(one.sub, one.kind, one.state)) for one in crowd.subjects.values()}
    rows = {sub: one.row for sub, one in known.items()}
    for one in known.values():
        [line] = profile([one], known, RECIPE, NOW, seen)
        again = from_json(to_json(line.profile))
        assert again == line.profile
        for ask in asks:
            named = one.row if one.row.kind == CONTACT else None
            if named is None:
                ask = altered(ask, channel="email" if one.row.kind == "email" else "sms")
            address = None if named else Address(one.row.kind, "", "")
            found = Found(named, None if named else one.row, (), rows)
            person = people_of(Question(ask, None if named is None else SOMEBODY, address), found)
            answer = told(again, ask, default)
            timed = any(pause.until > NOW for row in rows.values() for pause in row.state.pauses.values())
            assert answer == asked(ask, person, default) or (answer is None and timed)


@given(ASKS, PLACES)
def test_nobody_and_strangers_are_answered_as_the_gate_does(ask: Ask, default: str | None) -> None:
    assert told(nobody(RECIPE), ask, default) == asked(ask, (Person("", None, EMPTY),), default)
    assert told(stranger(RECIPE), ask, default) == asked(ask, (Person(missing="unknown_state"),), default)


def test_an_empty_profile_never_answers() -> None:
    assert told((), Ask("email", DEFAULT.get("promotional")), None) is None


def test_profiles_answer_no_question_with_a_fault() -> None:
    with pytest.raises(ValueError, match="fault"):
        told(nobody(RECIPE), Ask("email", DEFAULT.get("promotional"), fault="invalid_address"), None)


def test_each_channel_has_a_country_that_asks_for_consent() -> None:
    assert all(probes(channel)[0] for channel in CHANNELS) and probes("email")[0] != probes("email")[1]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_a_row_that_casts_no_shadow_changes_no_answer_as_a_look_alike(seed: int) -> None:
    crowd = Crowd(random.Random(seed))
    look, ask = crowd.subject("email", "look@gmail.com"), Ask("email", DEFAULT.get("promotional"), None, "US")
    for _ in range(3):
        crowd.speak(look, [])
    if not shadows(look.state):
        alone = Person("", None, EMPTY)
        assert asked(ask, (altered(alone, lookalikes=(look.state,)),), None) == asked(ask, (alone,), None)


EMAILS = st.one_of(
    st.emails(),
    st.from_regex(
        r"[A-Za-z0-9_+.-]{1,12}@(gmail\.com|GoogleMail\.com|a--b\.example\.com|x\.test|example\.local|b-c\.example)", fullmatch=True
    ),
    st.text(max_size=20),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(EMAILS, min_size=1, max_size=40))
@example([" Ada.B+x@GMAIL.com ", "a@xn--mnchen-3ya.example", "ä@münchen.example", "a" * 64 + "@example.com", "a" * 65 + "@example.com", ""])
def test_sql_makes_the_keys_that_the_rules_make(raw: list[str]) -> None:
    raw = [one for one in raw if "\x00" not in one and one.isprintable()]
    with duckdb.connect() as database:
        keyer = Keyer(PEPPER, "email", None, None)
        keyer.prepare(database)
        columns = [pa.array(raw, pa.string()), *(pa.nulls(len(raw), pa.string()) for _ in range(4))]
        database.register("chunk", pa.table(columns, schema=ASKED).append_column("n", pa.array(range(len(raw)), pa.int32())))
        keyer.spell(database, contacts=False)
        made = database.execute(
            "SELECT coalesce(s.k, a.k), coalesce(s.look1, a.look1), coalesce(s.look2, a.look2), coalesce(a.fault, '') FROM spelt s "
            "LEFT JOIN read_addresses a ON a.raw = s.odd AND a.place = s.place ORDER BY n"
        ).fetchall()
    for text, (key, *looks, fault) in zip(raw, made, strict=True):
        address, said = address_or_fault("email", text, None)
        if not text.strip():
            continue
        assert fault == said
        wanted = [subject_id(PEPPER, "email", one.value)[:16] for one in aliases(address)] if address else []
        assert [key.bytes for key in [key] if key] == wanted[:1]
        assert {look.bytes for look in looks if look} == set(wanted[1:])


def test_a_key_is_the_beginning_of_a_subject_id() -> None:
    address = parse_address("email", "ada@example.com", default_region=None)
    with duckdb.connect() as database:
        Keyer(PEPPER, "email", None, None).prepare(database)
        [(email, contact)] = database.execute("SELECT address_key('ada@example.com'), contact_key('c-é')").fetchall()
    assert email.bytes == subject_id(PEPPER, "email", address.value)[:16]
    assert contact.bytes == subject_id(PEPPER, "contact", "c-é")[:16]
