"""Caps over real HTTP: one budget a person over all senders, promised one message at a time."""

import asyncio
from typing import Any

import pytest

from sayso.rules.catalogue import DEFAULT, to_json
from sayso.rules.times import DAY, format_time, parse_time
from town import Town

pytestmark = pytest.mark.feature("I8", "S6")
MAIL = {"address": "ada@example.com", "channel": "email", "category": "promotional", "country": "US"}


@pytest.fixture
async def capped(town: Town) -> Town:
    """A hub that lets two promotional mails a week through to each person, and four of any kind a day."""
    body = to_json(DEFAULT)
    caps = [{"channel": "MAIL", "category": "promotional", "messages": 2, "per": "7d"}, {"messages": 4, "per": "1d"}]
    known = {name: body[name] for name in ("categories", "message_types")}
    kept = await town.ok("PUT", "/api/v2/catalogue", {**known, "caps": caps})
    assert kept["caps"][0] == {"business_unit": "*", "channel": "email", "category": "promotional", "messages": 2, "per": "7d"}
    return town


async def ask(town: Town, **more: Any) -> Any:
    return await town.ok("POST", "/api/v2/send_checks", {**MAIL, **more}, scopes="send_checks")


async def tell(town: Town, **more: Any) -> Any:
    sent = {name: value for name, value in MAIL.items() if name != "country"}
    return await town.ok("POST", "/api/v2/messages", {**sent, **more}, scopes="messages")


def codes(answer: Any) -> list[str]:
    return [reason["code"] for reason in answer["reasons"]]


async def test_only_as_many_are_promised_as_fit_however_many_ask_at_once(capped: Town) -> None:
    answers = await asyncio.gather(*(ask(capped, sender=f"tool-{n}", reserve=True) for n in range(12)))
    assert sum(answer["allowed"] for answer in answers) == 2
    refused = next(answer for answer in answers if not answer["allowed"])
    assert codes(refused) == ["frequency_cap"] and refused["permit"] is None
    again = parse_time(refused["retry_after"]) - parse_time(refused["checked_at"])
    assert 6 * DAY < again <= 7 * DAY
    assert refused["reasons"][0]["scope"] == {"brand": "*", "channel": "email", "category": "promotional"}


async def test_a_batch_promises_no_more_than_single_checks_do(capped: Town) -> None:
    body = {"defaults": {**MAIL, "reserve": True}, "items": [{"sender": f"tool-{n}"} for n in range(5)]}
    items = (await capped.ok("POST", "/api/v2/send_checks:batch", body, scopes="send_checks"))["items"]
    assert [item["allowed"] for item in items] == [True, True, False, False, False]


async def test_asking_without_reserving_promises_nothing(capped: Town) -> None:
    assert all([(await ask(capped))["allowed"] for _ in range(4)])


async def test_what_was_sent_counts_whoever_sent_it_and_a_promise_kept_counts_once(capped: Town) -> None:
    promised = await ask(capped, reserve=True)
    told = await tell(capped, permit=promised["permit"], message_id="m-1")
    assert told["violation"] is None
    assert (await ask(capped))["allowed"]
    await tell(capped, message_id="m-2")
    assert codes(await ask(capped)) == ["frequency_cap"]


async def test_old_messages_leave_the_period(capped: Town) -> None:
    long_ago = format_time(capped.parts.current.held.clock() - 8 * DAY)
    for n in range(3):
        await tell(capped, message_id=f"m-{n}", sent_at=long_ago)
    assert (await ask(capped))["allowed"]


async def test_a_contact_and_its_address_have_one_budget(capped: Town) -> None:
    await capped.say("c-1", {"email": "ada@example.com"})
    assert (await ask(capped, contact_id="c-1", reserve=True))["allowed"]
    assert (await ask(capped, reserve=True))["allowed"]
    assert codes(await ask(capped, contact_id="c-1")) == ["frequency_cap"]
    by_contact = {name: value for name, value in MAIL.items() if name != "address"}
    answer = await capped.ok("POST", "/api/v2/send_checks", {**by_contact, "contact_id": "c-1"}, scopes="send_checks")
    assert codes(answer) == ["frequency_cap"]


async def test_nobody_waits_for_a_message_they_cannot_refuse_and_other_categories_have_their_own_room(capped: Town) -> None:
    for _ in range(2):
        await ask(capped, reserve=True)
    assert (await ask(capped, category="account_security"))["allowed"]
    assert (await ask(capped, category="events", reserve=True))["allowed"]
    assert (await ask(capped, category="events", reserve=True))["allowed"]
    assert codes(await ask(capped, category="events")) == ["frequency_cap"]  # four of any kind a day


async def test_an_opt_out_is_told_beside_the_cap(capped: Town) -> None:
    for _ in range(2):
        await ask(capped, reserve=True)
    body = {"email_pref_promotional": "opted_out"}
    await capped.ok("POST", "/api/v2/addresses/email/ada@example.com/preferences", body, scopes="email_preferences")
    answer = await ask(capped)
    assert codes(answer) == ["category_opted_out", "frequency_cap"] and answer["retry_after"] is None


async def test_a_cap_on_mail_that_cannot_be_refused_is_refused(town: Town) -> None:
    body = {name: value for name, value in to_json(DEFAULT).items() if name in ("categories", "message_types")}
    status, problem = await town.call(
        "PUT", "/api/v2/catalogue", {**body, "caps": [{"category": "legal_notices", "messages": 1, "per": "1d"}]}
    )
    assert (status, problem["errors"][0]["pointer"]) == (422, "#/caps/0/category")
