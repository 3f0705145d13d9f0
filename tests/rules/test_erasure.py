"""What outlives an erasure, who is meant by one, and what may bring somebody back."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules import conflict, leaves
from sayso.rules.catalogue import DEFAULT
from sayso.rules.decide import decide
from sayso.rules.entries import Entry, entry_of, leaf_fields
from sayso.rules.erasure import ALL, LONGEST, Waits, end_of, is_erasing, is_orphan, kept_of, may_end, members, relinked
from sayso.rules.gate import Ask, Person, may_send
from sayso.rules.replay import Link, replay
from sayso.rules.state import EMPTY, KEPT, State, fold, from_bytes, is_tombstone, to_bytes
from sayso.rules.statements import Block, Choose, Restore, Row, Statement, Suspend, Tie, Voice
from sayso.rules.times import HOUR
from sayso.rules.values import altered
from sayso.rules.view import Reading
from sayso.rules.words import CHANNELS, Scope

WINDOW = 10_000_000
NOW = 1_795_000_000_000_000
CONTACT, ADDRESS, OTHER = "01" * 16, "02" * 16, "03" * 16
FRESH = "02" + "ff" * 15
PERSON = Voice("preference_center", True, "", "center")
SHOP = Voice("api", False, "c:shop:api", "c:shop", outright=True)
LIST = Voice("import", False, "c:list", "c:list")
VENDOR = Voice("connection", False, "k:1", "k:1", granted=True)
PROMOTIONAL = Scope("*", "email", "promotional")

pytestmark = [pytest.mark.feature("L6", "S7")]


class Pen:
    """Writes down statements one after the other, a minute apart."""

    def __init__(self, contact: State = EMPTY, address: State = EMPTY) -> None:
        self.rows = {CONTACT: Row(CONTACT, "contact", contact), ADDRESS: Row(ADDRESS, "email", address)}
        self.now, self.count = NOW, 0

    def new_id(self, sub: str) -> str:
        self.count += 1
        return f"019a0000-0000-7000-8000-{self.count:012x}"

    def say(self, voice: Voice, *words: object) -> None:
        self.now += 60_000_000
        said = Statement(voice, words, CONTACT, ADDRESS)  # type: ignore[arg-type]  # words of every kind
        self.rows = dict(decide(said, self.rows, readings=read, now=self.now, new_id=self.new_id, window=WINDOW).rows)

    def allowed(self, category: str = "promotional", channel: str = "email") -> bool:
        person = Person(CONTACT, self.rows[CONTACT].state, self.rows[ADDRESS].state)
        ask = Ask(channel, DEFAULT.get(category), None, "US")
        return may_send(ask, (person,), version=0, now=self.now, window=WINDOW, default_country=None).allowed

    def erase(self) -> None:
        self.now += 60_000_000
        for sub, row in self.rows.items():
            _, after = kept_of(row, sub, entry=self.new_id(sub), now=self.now)
            self.rows[sub] = after


def read(rows: Mapping[str, Row]) -> tuple[Reading, ...]:
    return (Reading(CONTACT, (rows[CONTACT].state, rows[ADDRESS].state)),)


def erased() -> Pen:
    pen = Pen()
    pen.say(SHOP, Tie(ADDRESS, primary=True))
    pen.say(PERSON, Choose(PROMOTIONAL, out=False))
    pen.erase()
    return pen


def test_everything_is_denied_from_the_moment_it_is_accepted_and_nothing_lifts_that() -> None:
    pen = Pen()
    pen.say(PERSON, Tie(ADDRESS, primary=True), Choose(PROMOTIONAL, out=False))
    assert pen.allowed() and pen.allowed("order_confirmations")
    pen.say(PERSON, Choose(ALL, out=True), Block("erasing", on=True))
    assert is_erasing(pen.rows[ADDRESS].state)
    for category in DEFAULT.categories:
        assert not any(pen.allowed(category.key, channel) for channel in CHANNELS)
    pen.say(PERSON, Choose(ALL, out=False), Choose(PROMOTIONAL, out=False))
    pen.say(SHOP, Tie(ADDRESS, primary=True), Choose(ALL, out=False))
    assert not pen.allowed() and not pen.allowed("order_confirmations")


def test_what_is_kept_holds_no_name_time_actor_or_entry_of_before() -> None:
    pen = Pen()
    pen.say(SHOP, Tie(ADDRESS, primary=True))
    pen.say(PERSON, Choose(PROMOTIONAL, out=True), Suspend("outlet", pen.now + 5 * HOUR), Block("blacklist", on=True))
    before = pen.rows[ADDRESS].state
    entry, after = kept_of(pen.rows[ADDRESS], FRESH, entry=pen.new_id(FRESH), now=pen.now + 1)
    leaf = leaves.build(leaf_fields(entry, ver=1, prev="", commitment=""))
    traces = {CONTACT, ADDRESS, "c:shop", *(stamp.entry for stamp in before.strong.values()), *(str(s.ts) for s in before.strong.values())}
    assert [trace for trace in traces if trace in leaf.decode() or trace in to_bytes(after.state).decode()] == []
    assert {at.scope for at in after.state.strong} == {ALL, PROMOTIONAL} and {at.actor for at in after.state.strong} == {KEPT}
    assert set(after.state.blocks) == {"blacklist", "erased"} and set(after.state.pauses) == {"outlet"}
    assert after.state.pauses["outlet"].until % HOUR == 0
    assert is_tombstone(after.state) and not is_tombstone(before)


def test_what_stopped_a_contact_goes_on_stopping_its_addresses() -> None:
    pen = Pen()
    pen.now += 1
    said = Statement(PERSON, (Block("blacklist", on=True), Choose(PROMOTIONAL, out=True)), CONTACT)
    rows = decide(said, pen.rows, readings=read, now=pen.now, new_id=pen.new_id, window=WINDOW).rows
    _, address = kept_of(rows[ADDRESS], FRESH, entry=pen.new_id(FRESH), now=pen.now + 1, owners=[rows[CONTACT].state])
    assert _on(address.state, "blacklist") and PROMOTIONAL in {at.scope for at in address.state.strong}


choices = st.builds(
    Choose,
    st.builds(
        Scope, st.sampled_from(["*", "outlet"]), st.sampled_from(["*", "email", "sms"]), st.sampled_from(["*", "promotional", "events"])
    ),
    out=st.booleans(),
)
blocks = st.builds(Block, st.sampled_from(["hard_bounce", "soft_bounce", "complaint", "blacklist", "carrier_stop"]), on=st.booleans())
pauses = st.builds(Suspend, st.sampled_from(["*", "outlet"]), st.none() | st.integers(NOW, NOW + 90 * 24 * HOUR))
said = st.lists(st.tuples(st.sampled_from([PERSON, SHOP, LIST, VENDOR]), st.one_of(choices, blocks, pauses)), max_size=12)


@given(said)
def test_replaying_the_leaf_alone_gives_the_state_and_nothing_that_was_denied_is_allowed(statements: list[tuple[Voice, object]]) -> None:
    pen = Pen()
    for voice, word in statements:
        pen.say(voice, word)
    for row in pen.rows.values():
        entry, after = kept_of(row, FRESH, entry=pen.new_id(FRESH), now=pen.now + 1, links=[(OTHER, "contact", 0)])
        leaf = leaves.build(leaf_fields(entry, ver=1, prev="", commitment=""))
        replayed = replay(Link(FRESH), leaf, (0, 0))
        assert replayed.problems == () and not replayed.gap and not replayed.breaks
        assert replayed.link.state == after.state and entry_of(leaves.parse(leaf)) == entry
        state = after.state
        assert from_bytes(to_bytes(state), version=state.version, length=state.length, last_at=state.last_at) == state
    denied = {name for row in pen.rows.values() for name in ("blacklist", "complaint", "carrier_stop") if _on(row.state, name)}
    pen.erase()
    assert {name for row in pen.rows.values() for name in denied if _on(row.state, name)} == denied
    assert not any(pen.allowed(category.key, channel) for category in DEFAULT.categories for channel in CHANNELS)


def _on(state: State, name: str) -> bool:
    return name in state.blocks and state.blocks[name].on


@pytest.mark.parametrize("voice", [SHOP, LIST, VENDOR])
@given(st.lists(choices, min_size=1, max_size=6))
def test_no_system_brings_marketing_back(voice: Voice, words: list[Choose]) -> None:
    pen = erased()
    pen.say(voice, Tie(ADDRESS, primary=True))
    for word in words:
        pen.say(voice, word)
    assert not pen.allowed() and not pen.allowed("product_updates")


def test_twin_without_the_mark_of_what_was_kept_a_nightly_list_brings_marketing_back() -> None:
    pen = erased()
    pen.rows = {sub: altered(row, state=_anonymous(row.state)) for sub, row in pen.rows.items()}
    pen.say(SHOP, Tie(ADDRESS, primary=True))
    pen.say(SHOP, Choose(ALL, out=False))
    assert pen.allowed("product_updates")


def _anonymous(state: State) -> State:
    return altered(state, strong={at._replace(actor="somebody"): stamp for at, stamp in state.strong.items()})


def test_a_customer_who_comes_again_gets_what_cannot_be_refused_and_no_marketing() -> None:
    pen = erased()
    assert not pen.allowed("order_confirmations")
    pen.say(LIST, Tie(ADDRESS, primary=True))
    assert not pen.allowed("order_confirmations")
    pen.rows[CONTACT] = altered(pen.rows[CONTACT], state=altered(pen.rows[CONTACT].state, links={}))
    pen.say(SHOP, Tie(ADDRESS, primary=True))
    assert pen.allowed("order_confirmations") and not pen.allowed()


def test_the_person_may_consent_again_to_what_they_name() -> None:
    pen = erased()
    pen.say(PERSON, Choose(PROMOTIONAL, out=False))
    assert pen.allowed() and pen.allowed("order_confirmations")
    assert not pen.allowed("product_updates")


def test_taking_back_the_opt_out_of_an_erasure_does_not_undo_the_erasure() -> None:
    pen = Pen()
    pen.say(PERSON, Choose(PROMOTIONAL, out=False))
    pen.say(PERSON, Choose(ALL, out=True), Block("erasing", on=True))
    [stamp] = [stamp for at, stamp in pen.rows[CONTACT].state.strong.items() if at.scope == ALL]
    pen.say(PERSON, Restore(ALL, stamp.entry))
    assert not pen.allowed()


def test_a_contact_is_meant_with_all_its_addresses_and_an_address_with_those_whose_mail_goes_there() -> None:
    mine, shared, other = (Row(sub, kind, EMPTY) for sub, kind in ((CONTACT, "contact"), (ADDRESS, "email"), (OTHER, "contact")))
    phone = Row("04" * 16, "phone", EMPTY)
    theirs = Row("05" * 16, "email", EMPTY)
    mine = tied(tied(mine, shared, 5), phone, 6)
    other = tied(tied(other, shared, 1), theirs, 2)
    shared = tied(tied(shared, mine, 0), other, 0)
    rows = {row.sub: row for row in (mine, shared, other, phone, theirs)}
    assert [row.sub for row in members(mine, rows)] == [CONTACT, ADDRESS, phone.sub]
    assert [row.sub for row in members(shared, rows)] == [CONTACT, ADDRESS, phone.sub]
    assert [row.sub for row in members(theirs, rows)] == [theirs.sub]
    assert is_orphan(phone, [CONTACT]) and not is_orphan(shared, [CONTACT])


def tied(row: Row, to: Row, primary: int) -> Row:
    entry = Entry(
        id=f"019a0000-0000-7000-8000-{len(row.state.links):012x}", sub=row.sub, kind="link", at=1, ts=max(primary, 1), act="link", src="api",
        by="c", via="c", other=to.sub, other_kind=to.kind, primary=primary > 0,
    )  # fmt: skip
    return altered(row, state=fold(row.state, entry))


def test_who_shares_an_address_stays_tied_to_what_is_left_of_it() -> None:
    other = tied(tied(Row(OTHER, "contact", EMPTY), Row(ADDRESS, "email", EMPTY), 1), Row("05" * 16, "email", EMPTY), 2)
    entry, after = relinked(other, ADDRESS, FRESH, entry="019a0000-0000-7000-8000-0000000000ff", now=NOW)
    assert after.state.links[FRESH] == ("email", 0, entry.id)  # their other address stays the main one


def test_it_ends_when_all_know_or_after_thirty_days() -> None:
    assert may_end(Waits(0, NOW), NOW)
    assert not may_end(Waits(1, NOW), NOW + LONGEST - 1)
    assert may_end(Waits(1, NOW), NOW + LONGEST)


def test_a_chain_that_was_erased_takes_no_further_leaf() -> None:
    row = Row(ADDRESS, "email", EMPTY)
    last = end_of(row, entry="019a0000-0000-7000-8000-000000000001", now=NOW)
    leaf = leaves.build(leaf_fields(last, ver=1, prev="", commitment=""))
    ended = replay(Link(ADDRESS), leaf, (0, 0))
    assert ended.problems == ()
    more = altered(last, id="019a0000-0000-7000-8000-000000000002", at=NOW + 5, act="custom", kind="event")
    late = replay(ended.link, leaves.build(leaf_fields(more, ver=2, prev=ended.link.head.hex(), commitment="")), (0, 1))
    assert late.problems == ("its chain had ended with an erasure",)


def test_only_the_person_answers_what_was_kept() -> None:
    _, kept = kept_of(Row(ADDRESS, "email", EMPTY), FRESH, entry="019a0000-0000-7000-8000-000000000001", now=NOW)
    message = Scope("*", "email", "promotional")
    assert conflict.standing(conflict.merged([kept.state], ""), message, WINDOW)
    assert members(kept, {}) == (kept,)
