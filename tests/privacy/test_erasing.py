"""Forgetting somebody: denied at once, told to every system, completed, and denied ever after."""

import asyncio
from typing import Any

import pytest
from forgetting import ADA, RIGHTS, check, codes, completed, forget, gone

from town import Receiver, Town, eventually

pytestmark = pytest.mark.feature("L6", "R14", "S7")


async def ada(town: Town, contact: str = "c-1", email: str = ADA) -> Any:
    said = {"email": email, "email_pref_promotional": "opted_in", "email_pref_update_source": "preference_center"}
    return await town.say(contact, said)


async def test_everything_is_denied_when_it_is_accepted_and_ever_after(quiet_town: Town) -> None:
    town = quiet_town
    await ada(town)
    assert (await check(town, {"contact_id": "c-1"}))["allowed"]
    accepted = await forget(town, "c-1", "asked for by telephone")
    assert accepted["state"] == "accepted" and accepted["completed_at"] is None and accepted["receipt"]["entries"]
    for about in ({"contact_id": "c-1"}, {"address": ADA}, {"contact_id": "c-1", "address": ADA}):
        for category in ("promotional", "product_updates", "order_confirmations"):
            assert "unknown_state" in await codes(town, category=category, **about)
    again = await forget(town, "c-1")
    assert (again["id"], again["receipt"]["entries"]) == (accepted["id"], accepted["receipt"]["entries"])
    await town.start_worker()
    done = await completed(town, accepted)
    assert done["completed_at"] and await gone(town, "c-1")
    status, _ = await town.call("GET", f"/api/v2/addresses/email/{ADA}/preferences", scopes="email_preferences")
    assert status == 404
    for about in ({"contact_id": "c-1"}, {"address": ADA}, {"contact_id": "c-1", "address": ADA}):
        for category in ("promotional", "order_confirmations"):
            assert await codes(town, category=category, **about)
    assert "global_opt_out" in await codes(town, address=ADA)
    status, _ = await town.call("DELETE", "/api/v2/contacts/c-1", scopes=RIGHTS)
    assert status == 404


async def test_nobody_without_the_scope_and_nobody_unknown_is_erased(quiet_town: Town) -> None:
    await ada(quiet_town)
    for scopes in ("email_preferences", "admin", "audit:read"):
        for method, path in (("DELETE", "/api/v2/contacts/c-1"), ("POST", "/api/v2/contacts/c-1/export")):
            assert (await quiet_town.call(method, path, scopes=scopes))[0] == 403
    assert (await quiet_town.call("DELETE", "/api/v2/contacts/c-9", scopes=RIGHTS))[0] == 404
    assert (await quiet_town.call("GET", "/api/v2/erasures/no-id", scopes=RIGHTS))[0] == 404
    assert (await check(quiet_town, {"contact_id": "c-1"}))["allowed"]


async def test_no_import_and_no_system_brings_marketing_back_but_the_person_may(town: Town) -> None:
    await ada(town)
    await completed(town, await forget(town, "c-1"))
    for source, choice in (("import", "opted_in"), ("import", "opted_out"), ("connection", "opted_in")):
        await town.say("c-1", {"email": ADA, "email_pref_promotional": choice, "email_pref_update_source": source})
        assert await gone(town, "c-1")
    await town.ok("PUT", "/users/c-1/optout-status?channelType=ALL", {"optOut": False}, scopes="email_preferences")
    back = await town.say("c-1", {"email": ADA, "email_pref_promotional": "opted_in", "email_pref_consent_method": "explicit"})
    assert back["email"] == ADA and back["still_blocked_by"]
    assert "global_opt_out" in await codes(town, contact_id="c-1", address=ADA)
    assert "global_opt_out" in await codes(town, contact_id="c-1", address=ADA, category="product_updates")
    assert (await check(town, {"contact_id": "c-1", "category": "order_confirmations"}))["allowed"]
    await ada(town)
    assert (await check(town, {"contact_id": "c-1"}))["allowed"]
    assert not (await check(town, {"contact_id": "c-1", "category": "product_updates"}))["allowed"]
    history = await town.ok("GET", "/api/v2/contacts/c-1/history", scopes="audit:read")
    assert history["items"][0]["kind"] == "kept"


async def test_every_system_is_told_before_anything_is_forgotten(town: Town, shop: Receiver) -> None:
    hook = await town.webhook(shop)
    await ada(town)
    await town.say("c-1", {"addresses": [{"channel": "sms", "address": "+15550101234"}]})
    await town.settled()
    shop.server.plan("status", 1_000, status=503)
    accepted = await forget(town, "c-1")
    waiting = (await town.ok("GET", f"/api/v2/erasures/{accepted['id']}", scopes=RIGHTS))["systems"]
    assert [(one["connection"], one["state"]) for one in waiting] == [(hook["id"], "waiting")]
    profile = await town.ok("GET", "/api/v2/contacts/c-1", scopes="email_preferences")
    assert "erasing" in profile["blocks"]
    shop.server.heal()
    done = await completed(town, accepted, 60)
    assert [one["state"] for one in done["systems"]] == ["acknowledged"]
    assert shop.flagged()[-1]["contact_id"] == "c-1"
    erased = shop.of("contact.erased")
    assert [(one["data"]["contact_id"], one["data"]["address"]) for one in erased] == [("c-1", ADA)]


async def test_vendors_are_told_to_stop(town: Town) -> None:
    fake, _ = await town.sendgrid()
    await ada(town)
    await town.settled()
    done = await completed(town, await forget(town, "c-1"))
    assert [one["state"] for one in done["systems"]] == ["acknowledged"]
    assert ADA in {address for group in fake.groups.values() for address in group}


async def test_what_is_said_while_it_is_open_is_denied_told_and_forgotten_too(quiet_town: Town) -> None:
    town = quiet_town
    await ada(town)
    accepted = await forget(town, "c-1")
    await ada(town, email="second@example.com")
    assert "unknown_state" in await codes(town, contact_id="c-1")
    await town.start_worker()
    await completed(town, accepted)
    assert await gone(town, "c-1")
    assert "global_opt_out" in await codes(town, address="second@example.com")


async def test_writes_that_arrive_while_it_is_completed_never_lose_the_stop(town: Town) -> None:
    for turn in range(4):
        contact, email = f"c-{turn}", f"ada{turn}@example.com"
        await ada(town, contact, email)
        accepted = await forget(town, contact)
        body = {"email": email, "email_pref_promotional": "opted_in"}

        async def write(contact: str = contact, body: Any = body) -> int:
            return (await town.call("POST", f"/api/v2/contacts/{contact}/email_preferences", body, scopes="email_preferences"))[0]

        answers = await asyncio.gather(*(write() for _ in range(30)), completed(town, accepted))
        assert set(answers[:-1]) == {200}
        assert "global_opt_out" in await codes(town, contact_id=contact, address=email)
    await eventually(lambda: sound(town))


async def sound(town: Town) -> Any:
    """Whether the whole ledger verifies once everything is sequenced."""
    from sayso.flows.verify import verify
    from sayso.rules.notes import key_of
    from sayso.store.details import PostgresDetails

    parts = town.parts
    async with parts.log.audit() as audit:
        details = PostgresDetails(parts.pool, parts.tools.vault)
        found = await verify(audit=audit, anchor=parts.anchor, key=key_of(parts.origin, parts.keys.ledger_key), details=details)
    assert found.problems == []
    return found if found.unsequenced == 0 and found.erased else None


async def test_the_ledger_verifies_after_erasures_and_counts_them(town: Town) -> None:
    await ada(town)
    await ada(town, "c-2", "bea@example.com")
    await completed(town, await forget(town, "c-1"))
    found = await eventually(lambda: sound(town))
    assert found.erased == 2 and found.details_gone > 0


async def test_an_audience_that_was_screened_before_is_screened_anew(town: Town) -> None:
    async def screened(category: str) -> list[str]:
        path = f"/api/v2/audience_checks?category={category}&channel=email"
        status, rows = await town.call(
            "POST", path, scopes="send_checks", raw=f"email\n{ADA}\n".encode(), headers={"Content-Type": "text/csv"}
        )
        assert status == 200
        return rows.decode().split()[1].split(",")

    await ada(town)
    assert (await screened("promotional"))[1] == "true"
    accepted = await forget(town, "c-1")
    assert (await screened("order_confirmations"))[1:] == ["false", "unknown_state"]
    await completed(town, accepted)
    for category in ("promotional", "order_confirmations"):
        assert (await screened(category))[1:] == ["false", "unknown_state"]


async def test_who_shares_an_address_stays_and_stays_denied_there(town: Town) -> None:
    await ada(town)
    await ada(town, "c-2", "bea@example.com")
    await town.say("c-2", {"addresses": [{"channel": "email", "address": ADA}]})
    await completed(town, await forget(town, "c-1"))
    shown = await town.ok("GET", "/api/v2/contacts/c-2", scopes="email_preferences")
    assert [one["address"] for one in shown["addresses"]] == ["bea@example.com"]
    assert "global_opt_out" in await codes(town, contact_id="c-2", address="bea@example.com")
    assert (await check(town, {"contact_id": "c-2", "category": "order_confirmations"}))["allowed"]
    await ada(town, "c-2", "bea@example.com")
    assert (await check(town, {"contact_id": "c-2"}))["allowed"]
    await eventually(lambda: sound(town))


async def test_old_links_lead_nowhere_and_one_click_still_answers_200(town: Town) -> None:
    await ada(town)
    body = {"contact_id": "c-1", "channel": "email", "category": "promotional"}
    links = await town.ok("POST", "/api/v2/links", body, scopes="messages")
    await completed(town, await forget(town, "c-1"))
    path = links["unsubscribe_url"].partition("/u/")[2]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _ = await town.call("POST", f"/u/{path}", scopes="", raw=b"List-Unsubscribe=One-Click", headers=form)
    assert status == 200
    status, page = await town.call("GET", f"/preferences/{path}", scopes="")
    assert ADA.encode() not in page and b"ada" not in page
    assert await gone(town, "c-1")
