"""What the SendGrid connector promises, beyond the contract: groups for categories, the account-wide list only where it may."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from sayso.connectors import sendgrid
from sayso.connectors.sendgrid.bounces import classify
from sayso.contracts.connector import BadSettings, BadSignature, Call, Settings, Standing, UnknownEvent
from sayso.testing.connector_suite import NOW, Case, World, change, contract_of, pull_all, push, talk
from sayso.testing.fake_sendgrid import FakeSendGrid
from sayso.testing.fake_server import serving

SECOND = 1_000_000


@asynccontextmanager
async def account(**more: Any) -> AsyncIterator[tuple[World, FakeSendGrid]]:
    """An account with groups for promotional mail (101) and events (102)."""
    fake = FakeSendGrid(lambda: NOW - 60 * SECOND)

    def call(content: Any) -> Call:
        body = content if isinstance(content, bytes) else (json.dumps(content) + "\r\n").encode()
        return Call("POST", fake.signed_bytes(body, NOW // SECOND), (), body, NOW)

    async with serving(fake.app(), fake.server) as base:
        given = {
            "api_key": fake.api_key,
            "webhook_public_key": fake.public_key,
            "groups": {"promotional": 101, "events": 102},
            "base_url": base,
            **more,
        }
        yield (
            World(
                Settings(given), fake.server, lambda: ({key: set(held) for key, held in fake.groups.items()}, set(fake.everywhere)), call
            ),
            fake,
        )


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with account() as (here, _):
        yield here


UNKNOWN = [{"email": "ada@example.com", "event": "eclipse", "timestamp": 1, "sg_event_id": "x"}]
CASE = Case(sendgrid, world, Path(__file__).parent / "fixtures", "events", UNKNOWN)
TestContract = contract_of(CASE)


@pytest.mark.feature("D7", "E12")
async def test_all_e_mail_out_means_every_mapped_group_and_never_the_account_wide_list() -> None:
    async with account() as (here, fake):
        assert [one.kind for one in await push(CASE, here, change())] == ["applied"]
        assert ({*fake.groups[101]}, {*fake.groups[102]}, fake.everywhere) == ({"ada@example.com"}, {"ada@example.com"}, {})


@pytest.mark.feature("D14")
async def test_one_category_out_means_its_group() -> None:
    async with account() as (here, fake):
        assert [one.kind for one in await push(CASE, here, change(category="events"))] == ["applied"]
        assert (fake.groups[101], {*fake.groups[102]}, fake.everywhere) == ({}, {"ada@example.com"}, {})


async def test_what_has_no_place_is_named_and_the_rest_still_told() -> None:
    async with account(groups={"promotional": 101}) as (here, fake):
        standings = (Standing("email", "promotional", "out", "marketing"), Standing("email", "educational", "out", "relationship"))
        (outcome,) = await push(CASE, here, change("silent", standings=standings))
        assert outcome.kind == "cannot_express" and "educational" in outcome.reason and "promotional" not in outcome.reason
        assert {*fake.groups[101]} == {"ada@example.com"} and not fake.everywhere
    async with account(groups={}) as (here, fake):
        (outcome,) = await push(CASE, here, change())
        assert outcome.kind == "cannot_express" and not fake.server.seen


async def test_a_marketing_only_account_may_use_its_account_wide_list() -> None:
    async with account(groups={}, marketing_only=True) as (here, fake):
        told = [
            change(),
            change(address="ben@example.com", category="events", key="2"),
            change(address="cy@example.com", category="educational", key="3"),
        ]
        assert [one.kind for one in await push(CASE, here, *told)] == ["applied", "applied", "already_so"]
        assert {*fake.everywhere} == {"ada@example.com", "ben@example.com"}
        assert [
            one.kind for one in await push(CASE, here, change("back"), change("back", address="ben@example.com", category="events"))
        ] == ["applied"] * 2
        assert not fake.everywhere


@pytest.mark.feature("P1")
async def test_a_blacklist_reaches_the_account_wide_list_and_leaves_it_again() -> None:
    async with account() as (here, fake):
        assert [one.kind for one in await push(CASE, here, change("silent", blacklisted=True))] == ["applied"]
        assert {*fake.everywhere} == {"ada@example.com"} and not fake.groups[101]
        assert [one.kind for one in await push(CASE, here, change("silent", lifted_blacklist=True))] == ["applied"]
        assert not fake.everywhere
        fake.everywhere["ada@example.com"] = 1
        await push(CASE, here, change("out", lifted_blacklist=True))
        assert {*fake.everywhere} == {"ada@example.com"}, "somebody who left all e-mail stays on the list"


@pytest.mark.feature("C15")
async def test_coming_back_clears_every_layer() -> None:
    async with account() as (here, fake):
        fake.everywhere["ada@example.com"] = 1
        await push(CASE, here, change())
        assert [one.kind for one in await push(CASE, here, change("back"))] == ["applied"]
        assert not fake.everywhere and not fake.groups[101] and not fake.groups[102]


async def test_categories_that_share_a_group_keep_the_stricter_word() -> None:
    async with account(groups={"promotional": 101, "events": 101}) as (here, fake):
        standings = (Standing("email", "promotional", "back", "marketing"), Standing("email", "events", "out", "marketing"))
        await push(CASE, here, change("silent", standings=standings))
        assert {*fake.groups[101]} == {"ada@example.com"}


async def test_one_bad_address_stops_nobody() -> None:
    async with account() as (here, _):
        told = [change(key="1"), change(address="broken", key="2"), change(address="ben@example.com", key="3")]
        outcomes = await push(CASE, here, *told)
        assert [one.kind for one in outcomes] == ["applied", "refused", "applied"] and "invalid address" in outcomes[1].reason


async def test_a_group_that_does_not_exist_is_found_by_the_check() -> None:
    async with account(groups={"promotional": 555}) as (here, _):
        health = (await talk(sendgrid, here.settings, sendgrid.check(here.settings))).value
        assert not health.ok and "555" in health.detail
        assert [one.kind for one in await push(CASE, here, change())] == ["refused"]


async def test_the_check_says_what_cannot_be_heard_or_expressed() -> None:
    async with account(webhook_public_key="") as (here, _):
        assert "webhook_public_key" in (await talk(sendgrid, here.settings, sendgrid.check(here.settings))).value.detail
    async with account(groups={}) as (here, _):
        health = (await talk(sendgrid, here.settings, sendgrid.check(here.settings))).value
        assert health.ok and "cannot be expressed" in health.detail


async def test_reading_back_tells_agreement_from_drift() -> None:
    async with account() as (here, fake):
        told = [change(), change("back", address="ben@example.com"), change("out", address="cy@example.com", key="3")]
        await push(CASE, here, *told)
        fake.groups[101].pop("cy@example.com")
        assert (await talk(sendgrid, here.settings, sendgrid.read_back(here.settings, told))).value == [True, True, False]
        fake.everywhere["ben@example.com"] = 1
        assert (await talk(sendgrid, here.settings, sendgrid.read_back(here.settings, told))).value == [True, False, False]
        fake.server.plan("status", 9)
        assert (await talk(sendgrid, here.settings, sendgrid.read_back(here.settings, told[:1]))).value == [None]


async def test_pulling_reads_every_list_to_its_end() -> None:
    async with account() as (here, fake):
        fake.everywhere.update({f"p{number}@example.com": 1_700_000_000 + number for number in range(1_200)})
        fake.lists["spam_reports"].append({"created": 1_700_000_000, "email": "eve@example.com", "ip": "203.0.113.7"})
        fake.lists["bounces"] += [
            {"created": 1_700_000_000, "email": "finn@example.com", "reason": "550 5.1.1 unknown", "status": "5.1.1"},
            {"created": 1_700_000_000, "email": "full@example.com", "reason": "552 mailbox full", "status": "5.2.2"},
            {"created": 1_700_000_000, "email": "policy@example.com", "reason": "550 rejected", "status": "5.7.1"},
            {"created": 1_700_000_000, "email": "mute@example.com", "reason": "", "status": ""},
        ]
        fake.lists["invalid_emails"].append({"created": 1_700_000_000, "email": "gone@example.com", "reason": "Mail domain is invalid"})
        fake.groups[101]["hal@example.com"] = 1_700_000_000
        fake.groups[999] = {"ida@example.com": 1_700_000_000}
        heard, page = await pull_all(CASE, here)
        said = {fact.address: (fact.kind, fact.category) for fact in heard}
        assert len([fact for fact in heard if fact.event_name == "suppression.unsubscribes"]) == 1_200
        assert {name: said[f"{name}@example.com"] for name in ("eve", "finn", "full", "policy", "mute", "gone", "hal", "ida")} == {
            "eve": ("complaint", "*"),
            "finn": ("hard_bounce", "*"),
            "full": ("soft_bounce", "*"),
            "policy": ("seen", "*"),
            "mute": ("hard_bounce", "*"),
            "gone": ("hard_bounce", "*"),
            "hal": ("opt_out", "promotional"),
            "ida": ("opt_out", "*"),
        }
        assert next(fact for fact in heard if fact.address == "hal@example.com").ts == 1_700_000_000 * SECOND
        fake.everywhere["late@example.com"] = NOW // SECOND
        again, _ = await pull_all(CASE, here, page.next)
        assert [fact.address for fact in again] == ["late@example.com"]


async def test_our_own_writing_is_recognised() -> None:
    async with account() as (here, _):
        told = change("silent", blacklisted=True, standings=(Standing("email", "promotional", "out", "marketing"),))
        await push(CASE, here, told)
        heard, _ = await pull_all(CASE, here)
        assert [sendgrid.echo(here.settings, told, fact) for fact in heard] == [True, True]
        assert [sendgrid.echo(here.settings, change("silent"), fact) for fact in heard] == [False, False]
        assert not sendgrid.echo(here.settings, told, replace(heard[0], own=True))


@pytest.mark.feature("C11", "D6")
async def test_known_facts_survive_an_unknown_event_beside_them() -> None:
    async with account() as (here, _):
        assert here.call is not None
        events = [{"email": "ada@example.com", "event": "unsubscribe", "timestamp": 1, "sg_event_id": "a"}, *UNKNOWN, 7, {"event": "open"}]
        with pytest.raises(UnknownEvent) as raised:
            sendgrid.hear(here.settings, here.call(events))
        assert raised.value.names == ("eclipse", "(no event name)", "open")
        assert [(fact.kind, fact.address) for fact in raised.value.heard] == [("opt_out", "ada@example.com")]


async def test_the_window_judges_the_header_and_never_the_event() -> None:
    async with account() as (here, fake):
        events = [{"email": "ada@example.com", "event": "unsubscribe", "timestamp": 1_380_822_437}]
        for age, passes in ((0, True), (300, True), (-300, True), (301, False), (-301, False)):
            headers, body = fake.signed(events, NOW // SECOND - age)
            call = Call("POST", headers, (), body, NOW)
            if passes:
                (fact,) = sendgrid.hear(here.settings, call)
                assert (fact.ts, fact.event_id, fact.own) == (1_380_822_437 * SECOND, None, True)
            else:
                with pytest.raises(BadSignature, match="five minutes"):
                    sendgrid.hear(here.settings, call)


async def test_a_changed_byte_or_header_is_refused() -> None:
    async with account() as (here, fake):
        headers, body = fake.signed([], NOW // SECOND)
        kind, signature, moment = headers
        strangers, _ = FakeSendGrid(lambda: NOW).signed([], NOW // SECOND)
        bad = [
            (headers, body[:-2]),
            (strangers, body),
            ((kind, moment), body),
            ((kind, signature), body),
            ((kind, (signature[0], "%%%"), moment), body),
            ((kind, (signature[0], base64.b64encode(b"x" * 70).decode()), moment), body),
            ((kind, signature, (moment[0], moment[1] + "0" * 9)), body),
            ((kind, signature, (moment[0], "²")), body),
        ]
        for given, content in bad:
            with pytest.raises(BadSignature):
                sendgrid.hear(here.settings, Call("POST", given, (), content, NOW))


def _der(key: Any) -> bytes:
    encoded: bytes = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


@pytest.mark.parametrize(
    "key",
    ["", "not base64!", base64.b64encode(b"x" * 90).decode(), "other curve", "other kind"],
)
async def test_no_usable_key_passes_nothing(key: str) -> None:
    if key == "other curve":
        key = base64.b64encode(_der(ec.generate_private_key(ec.SECP384R1()))).decode()
    if key == "other kind":
        key = base64.b64encode(_der(ed25519.Ed25519PrivateKey.generate())).decode()
    async with account(webhook_public_key=key) as (here, _):
        assert here.call is not None
        with pytest.raises(BadSignature, match="webhook_public_key"):
            sendgrid.hear(here.settings, here.call([]))


async def test_a_key_with_pem_lines_is_read() -> None:
    async with account() as (here, fake):
        pem = f"-----BEGIN PUBLIC KEY----- {fake.public_key[:64]} {fake.public_key[64:]} -----END PUBLIC KEY-----"
        assert here.call is not None
        assert sendgrid.hear(Settings({**here.settings.values, "webhook_public_key": pem}), here.call([])) == []


async def test_hostile_events_are_made_storable() -> None:
    async with account() as (here, fake):
        body = b'[{"email":"a\\ud800@example.com","event":"bounce","timestamp":1e400,"reason":"x\\u0000y","status":7}]'
        call = Call("POST", fake.signed_bytes(body, NOW // SECOND), (), body, NOW)
        (fact,) = sendgrid.hear(here.settings, call)
        assert fact.ts is None
        repr(fact).encode()
        json.dumps(fact.properties).encode()
        assert "\0" not in f"{fact.address}{fact.reason}"


@pytest.mark.parametrize("groups", ["[]", "nonsense", ["101"], {"promotional": "x"}, {"promotional": True}, {"promotional": -1}])
def test_groups_that_are_no_table_are_refused(groups: Any) -> None:
    with pytest.raises(BadSettings, match="groups"):
        next(sendgrid.push(Settings({"api_key": "k", "groups": groups}), [change()], NOW))


def test_groups_may_be_written_as_text() -> None:
    request = next(sendgrid.push(Settings({"api_key": "k", "groups": '{"promotional": "7"}'}), [change()], NOW))
    assert request.url == "https://api.sendgrid.com/v3/asm/groups/7/suppressions"  # type: ignore[union-attr]  # never a Wait


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        ("5.1.1", "", "hard"),
        ("5.1.10", "", "hard"),
        ("5.4.4", "", "hard"),
        ("5.2.1", "mailbox disabled", "hard"),
        ("5.2.2", "user unknown", "soft"),
        ("4.2.2", "", "soft"),
        ("4.7.1", "greylisted", "not_theirs"),
        ("5.2.3", "", "not_theirs"),
        ("5.3.4", "", "not_theirs"),
        ("5.7.26", "unauthenticated", "not_theirs"),
        ("5.0.0", "", "unclear"),
        ("5.0.0", "550 unknown user", "hard"),
        ("550", "550 5.1.1 who?", "hard"),
        ("550", "550 Unknown user kijitora@example.ne.jp", "hard"),
        ("554", "This user doesn't have an account", "hard"),
        ("450", "try later", "soft"),
        ("", "552 insufficient storage", "soft"),
        ("", "", "unclear"),
        ("5.6.0", "bad content", "unclear"),
        ("", "550 from 10.5.1.1.9 refused", "unclear"),
    ],
)
def test_bounces_are_judged_by_code_then_by_words(status: str, words: str, expected: str) -> None:
    assert classify(status, words) == expected
