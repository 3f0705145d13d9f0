"""What the Mailchimp connector promises, beyond the contract: it takes people out, and never puts a stranger in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sayso.connectors import mailchimp
from sayso.contracts.connector import BadSettings, BadSignature, Call, Change, Heard, Settings, Standing, TargetAddress, UnknownEvent
from sayso.testing.connector_suite import NOW, Case, World, change, contract_of, pull_all, push, talk
from sayso.testing.fake_mailchimp import FakeMailchimp, form, signature
from sayso.testing.fake_server import serving

SECRET = "northwind-hook-secret"


class Clock:
    """Microseconds that tests move by hand."""

    now = NOW - 3_600_000_000

    def __call__(self) -> int:
        return self.now


def call(content: Any) -> Call:
    """A signed form webhook; bytes are sent as they are."""
    body = content if isinstance(content, bytes) else form(content)
    headers = (("X-Mailchimp-Signature", signature(SECRET, body, NOW // 1_000_000)),)
    return Call("POST", headers, (), body, NOW)


@asynccontextmanager
async def audience(**more: Any) -> AsyncIterator[tuple[World, FakeMailchimp, Clock]]:
    """An audience with Ada and Ben in it, and Chris, whom the company unsubscribed."""
    clock = Clock()
    fake = FakeMailchimp(clock)
    fake.add("ada@example.com")
    fake.add("ben@example.com")
    fake.add("chris@example.com", "unsubscribed", "N/A (Unsubscribed by admin)")
    clock.now += 60_000_000
    async with serving(fake.app(), fake.server) as base:
        given = {"api_key": fake.api_key, "list_id": fake.list_id, "webhook_secret": SECRET, "base_url": base, **more}
        yield (
            World(Settings(given), fake.server, lambda: {one["email_address"]: one["status"] for one in fake.members.values()}, call),
            fake,
            clock,
        )


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with audience() as (here, _, _):
        yield here


CASE = Case(mailchimp, world, Path(__file__).parent / "fixtures", "fields", {"type": "eclipse", "data[email]": "ada@example.com"})
TestContract = contract_of(CASE)


@pytest.mark.feature("E1", "D7")
async def test_out_becomes_unsubscribed_also_for_somebody_unknown() -> None:
    async with audience() as (here, fake, _):
        assert [one.kind for one in await push(CASE, here, change())] == ["applied"]
        assert [one.kind for one in await push(CASE, here, change(address="new@example.com"))] == ["applied"]
        assert (fake.status("ada@example.com"), fake.status("new@example.com")) == ("unsubscribed", "unsubscribed")


async def test_back_never_makes_a_subscriber_of_a_stranger() -> None:
    async with audience() as (here, fake, _):
        (outcome,) = await push(CASE, here, change("back", address="new@example.com"))
        assert outcome.kind == "already_so" and fake.status("new@example.com") is None
        assert not [seen for seen in fake.server.seen if b'"subscribed"' in seen.body]


async def test_back_subscribes_who_was_unsubscribed_by_the_company() -> None:
    async with audience() as (here, fake, _):
        assert [one.kind for one in await push(CASE, here, change("back", address="chris@example.com"))] == ["applied"]
        assert fake.status("chris@example.com") == "subscribed"


@pytest.mark.feature("E12")
async def test_only_the_person_ends_a_compliance_state() -> None:
    async with audience() as (here, fake, _):
        fake.leave("ada@example.com")
        (outcome,) = await push(CASE, here, change("back"))
        assert outcome.kind == "needs_confirmation" and "Compliance" in outcome.reason
        fake.add("ben@example.com", "cleaned")
        assert [one.kind for one in await push(CASE, here, change("back", address="ben@example.com"))] == ["needs_confirmation"]
        assert (fake.status("ada@example.com"), fake.status("ben@example.com")) == ("unsubscribed", "cleaned")


async def test_the_erased_count_as_out_and_cannot_come_back() -> None:
    async with audience() as (here, fake, _):
        fake.forgotten.add("ada@example.com")
        told = [change("out"), change("out", address="ben@example.com", key="2")]
        assert [one.kind for one in await push(CASE, here, *told)] == ["already_so", "applied"]
        assert [one.kind for one in await push(CASE, here, change("out"))] == ["already_so"]


async def test_off_the_blacklist_is_not_a_wish_to_return() -> None:
    async with audience() as (here, fake, _):
        assert [one.kind for one in await push(CASE, here, change("silent", blacklisted=True))] == ["applied"]
        assert [one.kind for one in await push(CASE, here, change("silent", lifted_blacklist=True))] == ["needs_confirmation"]
        assert fake.status("ada@example.com") == "unsubscribed"


async def test_many_leave_in_calls_of_five_hundred_and_one_bad_address_stops_nobody() -> None:
    async with audience() as (here, fake, _):
        told = [change(address=f"p{number}@example.com", key=str(number)) for number in range(1_100)]
        told[700] = change(address="not-an-address", key="bad")
        outcomes = await push(CASE, here, *told)
        assert [one.kind for one in outcomes].count("applied") == 1_099 and outcomes[700].kind == "refused"
        assert len(fake.server.seen) == 3
        fake.server.plan("status", 1, status=400)
        again = await push(CASE, here, change(), change(address="ben@example.com", key="2"))
        assert [one.kind for one in again] == ["applied", "applied"]
        assert [seen.method for seen in fake.server.seen[3:]] == ["POST", "PUT", "PUT"]


async def test_a_friendly_answer_that_did_nothing_is_not_an_acknowledgement() -> None:
    async with audience() as (here, fake, _):
        fake.server.plan("dropped")
        assert {one.kind for one in await push(CASE, here, change(), change(address="ben@example.com", key="2"))} == {"unknown"}


@pytest.mark.parametrize(
    ("word", "category", "audience_of", "expected"),
    [
        ("out", "promotional", "promotional", "unsubscribed"),
        ("out", "events", "promotional", "subscribed"),
        ("out", "promotional", None, "unsubscribed"),
        ("out", "product_updates", None, "subscribed"),
        ("out", "*", "promotional", "unsubscribed"),
        ("silent", "*", None, "subscribed"),
    ],
)
async def test_what_an_audience_is_about_decides(word: Any, category: str, audience_of: str | None, expected: str) -> None:
    more = {"category": audience_of} if audience_of else {}
    async with audience(**more) as (here, fake, _):
        (outcome,) = await push(CASE, here, change(word, category=category))
        assert outcome.acknowledged and fake.status("ada@example.com") == expected
        assert ("whole audience" in outcome.reason) == (category == "promotional" and audience_of is None)


def test_one_marketing_category_back_does_not_lift_another() -> None:
    standings = (Standing("email", "promotional", "back", "marketing"), Standing("email", "events", "out", "marketing"))
    assert _word(change("silent", standings=standings)) == "out"
    assert _word(change("silent", standings=standings[:1])) == "back"


def _word(one: Change) -> str:
    from sayso.connectors.mailchimp.writes import audience_word

    return audience_word(one, None)


async def test_every_address_of_a_contact_is_told() -> None:
    both = (TargetAddress("email", "ada@example.com"), TargetAddress("phone", "+15550100"), TargetAddress("email", "ben@example.com"))
    async with audience() as (here, fake, _):
        (outcome,) = await push(CASE, here, change(addresses=both))
        assert outcome.kind == "applied"
        assert (fake.status("ada@example.com"), fake.status("ben@example.com")) == ("unsubscribed", "unsubscribed")


async def test_a_bare_403_is_a_limit_and_a_named_one_a_closed_door() -> None:
    async with audience() as (here, fake, _):
        fake.api_key = "another-us21"
        assert [one.kind for one in await push(CASE, here, change())] == ["broken_auth"]
        health = (await talk(mailchimp, here.settings, mailchimp.check(here.settings))).value
        assert not health.ok and "credentials" in health.detail


async def test_reading_back_tells_agreement_from_drift() -> None:
    async with audience() as (here, fake, _):
        told = [change(), change("back", address="chris@example.com"), change("silent"), change(address="new@example.com")]
        await push(CASE, here, *told)
        fake.add("new@example.com", "subscribed")
        assert (await talk(mailchimp, here.settings, mailchimp.read_back(here.settings, told))).value == [True, True, True, False]
        fake.server.plan("status", 9)
        assert (await talk(mailchimp, here.settings, mailchimp.read_back(here.settings, told))).value == [None, None, True, None]


async def test_pulling_loses_nobody_while_the_list_is_being_written() -> None:
    async with audience() as (here, fake, clock):
        for number in range(2_500):
            clock.now += 10_000
            fake.add(f"p{number}@example.com", "unsubscribed", "N/A (Unsubscribed by admin)")
        heard: set[str] = set()
        since, more = None, True
        while more:
            page = (await talk(mailchimp, here.settings, mailchimp.pull(here.settings, since, NOW))).value
            heard.update(fact.address or "" for fact in page.heard if fact.kind == "opt_out")
            since, more = page.next, page.more
            clock.now += 2_000_000
            fake.add(f"p{len(heard) % 100}@example.com", "unsubscribed", "No longer interested")
        assert {f"p{number}@example.com" for number in range(2_500)} <= heard


async def test_pulling_moves_on_when_a_whole_page_changed_in_one_second() -> None:
    async with audience() as (here, fake, _):
        for number in range(2_300):
            fake.add(f"p{number}@example.com", "unsubscribed")
        heard, _ = await pull_all(CASE, here)
        assert len({fact.address for fact in heard}) == 2_303


async def test_what_members_say_and_how_much_it_counts() -> None:
    async with audience(category="promotional") as (here, fake, _):
        fake.leave("dora@example.com")
        fake.add("eve@example.com", "unsubscribed", "This is spam: reported abuse")
        fake.add("finn@example.com", "cleaned")
        fake.add("gus@example.com", "pending")
        heard, _ = await pull_all(CASE, here)
        said = {fact.address: (fact.kind, fact.category, fact.own) for fact in heard}
        assert said == {
            "ada@example.com": ("opt_in", "promotional", False),
            "ben@example.com": ("opt_in", "promotional", False),
            "chris@example.com": ("opt_out", "promotional", False),
            "dora@example.com": ("opt_out", "promotional", True),
            "eve@example.com": ("complaint", "*", True),
            "finn@example.com": ("hard_bounce", "*", False),
            "gus@example.com": ("seen", "*", False),
        }


async def test_our_own_writing_is_recognised() -> None:
    async with audience() as (here, _, _):
        await push(CASE, here, change())
        fact = next(one for one in (await pull_all(CASE, here))[0] if one.address == "ada@example.com")
        assert mailchimp.echo(here.settings, change("out"), fact)
        assert not mailchimp.echo(here.settings, change("silent"), fact)
        assert not mailchimp.echo(here.settings, change("out"), replace(fact, own=True))


def _hear(**twist: Any) -> list[Heard]:
    settings = {"api_key": "k-us21", "list_id": "a6b5da1054", "webhook_secret": SECRET, **twist.pop("settings", {})}
    fields = {"type": "unsubscribe", "fired_at": "2026-11-22 10:00:00", "data[email]": "ada@example.com"}
    return mailchimp.hear(Settings(settings), replace(call(form({**fields, **twist.pop("fields", {})})), **twist))


@pytest.mark.feature("D6")
def test_probes_are_answered_and_say_nothing() -> None:
    assert _hear(method="GET", headers=()) == [] and _hear(body=b"", headers=()) == []


@pytest.mark.parametrize("proof", [{"query": (("secret", SECRET),)}, {"path_secret": SECRET}])
def test_an_unsigned_call_needs_the_secret_in_its_address(proof: Any) -> None:
    assert _hear(headers=(), **proof)[0].kind == "opt_out"
    for wrong in ({"query": (("secret", SECRET + "x"),)}, {"path_secret": "ü"}, {"query": (("secret", ""),)}, {}):
        with pytest.raises(BadSignature):
            _hear(headers=(), **wrong)


def test_a_signature_decides_where_there_is_one() -> None:
    moment, body = NOW // 1_000_000, form({"type": "unsubscribe", "data[email]": "ada@example.com"})
    good = signature(SECRET, body, moment)
    rotated = good.replace(",v1=", f",v1={'0' * 64},v1=")
    for header in (good, rotated, good.upper().replace("T=", "t=").replace("V1=", "v1=")):
        assert _hear(headers=(("x-mailchimp-signature", header),), body=body)
    bad = [
        signature("another", body, moment),
        signature(SECRET, body + b" ", moment),
        signature(SECRET, body, moment - 301),
        signature(SECRET, body, moment + 301),
        good.partition(",")[2],
        f"t={moment}",
        f"t={moment},t={moment},{good.partition(',')[2]}",
        "t=²,v1=",
        "",
    ]
    for header in bad:
        with pytest.raises(BadSignature):
            _hear(headers=(("x-mailchimp-signature", header),), body=body, query=(("secret", SECRET),))


def test_a_signing_secret_of_its_own_makes_signatures_compulsory() -> None:
    body = form({"type": "unsubscribe", "data[email]": "ada@example.com"})
    more = {"settings": {"signing_secret": "signer"}, "body": body}
    assert _hear(headers=(("X-Mailchimp-Signature", signature("signer", body, NOW // 1_000_000)),), **more)
    with pytest.raises(BadSignature, match="not signed"):
        _hear(headers=(), query=(("secret", SECRET),), settings={"signing_secret": "signer"}, body=body)


def test_the_audience_category_names_what_somebody_left() -> None:
    (fact,) = _hear(settings={"category": "promotional"})
    assert (fact.category, fact.kind) == ("promotional", "opt_out")
    (fact,) = _hear(settings={"category": "promotional"}, fields={"data[reason]": "abuse"})
    assert (fact.category, fact.kind) == ("*", "complaint")


def test_hostile_texts_are_made_storable() -> None:
    (fact,) = _hear(fields={"data[reason]": "a\0b", "data[campaign_id]": "x" * 9_000, "fired_at": "yesterday"})
    assert "\0" not in repr(fact) and fact.ts is None and max(len(value) for _, value in fact.properties) <= 500


def test_events_nobody_knows_are_named_cut() -> None:
    with pytest.raises(UnknownEvent) as raised:
        _hear(fields={"type": "z" * 500})
    assert raised.value.names == ("z" * 80,)


def test_a_key_without_a_data_centre_needs_a_server() -> None:
    with pytest.raises(BadSettings, match="data centre"):
        next(mailchimp.push(Settings({"api_key": "abc", "list_id": "1"}), [change()], NOW))
    request = next(mailchimp.push(Settings({"api_key": "abc-us21", "list_id": "1"}), [change()], NOW))
    assert request.url.startswith("https://us21.api.mailchimp.com/3.0/lists/1/members/")  # type: ignore[union-attr]  # never a Wait
