"""The hub's main job, end to end: somebody unsubscribes in one system, and every other one knows, provably."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest
from tlog_scales.backend import HttpBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

from sayso.rules.leaves import parse
from sayso.rules.merkle import leaf_hash
from sayso.rules.notes import key_of, key_text
from sayso.rules.proofs import parse_proof
from sayso.testing.fake_server import Seen
from shared_files import shared
from town import Receiver, Town, eventually

OWN_UNSUBSCRIBE = [
    {"email": "Ada@Example.com", "timestamp": 1_513_299_569, "event": "unsubscribe", "sg_event_id": "own-1", "ip": "192.0.2.7"}
]
pytestmark = pytest.mark.feature("D1", "D3", "D5", "D6", "D7", "D8", "C11", "J8")


@pytest.mark.vendor
async def test_sendgrid_s_own_unsubscribe_reaches_everybody(town: Town, shop: Receiver) -> None:
    events = json.loads(shared("vendor-apis/sendgrid/webhooks/unsubscribe.json").read_text())
    described = json.loads(shared("vendor-apis/mailchimp/openapi3.json").read_text())
    asked = await the_main_job(town, shop, events, events[0]["email"])
    vendor = OpenAPI.from_dict(described, config=Config(spec_validator_cls=None))
    assert {"GET", "PUT"} <= {seen.method for seen in asked}, "it was asked, and told"
    for seen in asked:
        parts = urlsplit(seen.target)
        vendor.validate_request(MockRequest(
            "https://server.api.mailchimp.com", seen.method.lower(), parts.path, args=dict(parse_qsl(parts.query)), headers=dict(seen.headers),
            data=seen.body or None, content_type=seen.header("content-type") or "application/json",
        ))  # fmt: skip


async def test_an_unsubscribe_reaches_everybody(town: Town, shop: Receiver) -> None:
    await the_main_job(town, shop, OWN_UNSUBSCRIBE, "Ada@Example.com")


async def the_main_job(town: Town, shop: Receiver, events: Any, address: str) -> list[Seen]:
    """Everything from the vendor's call to the proof; gives back what Mailchimp was asked."""
    sendgrid, source = await town.sendgrid()
    mailchimp, audience = await town.mailchimp()
    mailchimp.add(address)
    await town.say("c-1001", {"email": address})
    hook = await town.webhook(shop)
    await eventually(lambda: town.has(shop.of("preferences.changed")))
    await eventually(lambda: said(town, "opted_in"))  # the audience was read
    check = {"contact_id": "c-1001", "address": address, "channel": "email", "category": "product_updates", "country": "US"}
    before = await town.ok("POST", "/api/v2/send_checks", check, scopes="send_checks")
    assert before["allowed"], before

    headers, body = sendgrid.signed(events)
    assert await town.hook(source, headers, body) == (200, {"recorded": 1, "duplicates": 0, "flagged": 0})

    await eventually(lambda: town.has(mailchimp.status(address) == "unsubscribed" and shop.flagged()))
    delivered = [one for one in shop.verified(hook["secret"]) if one["type"] == "preferences.changed"][-1]["data"]
    assert (delivered["contact_id"], delivered["address"]) == ("c-1001", address)
    assert delivered["preferences"]["email_opt_out_global"] is True and delivered["origin"] == source["id"]
    assert delivered["changed"]["email_opt_out_global"] == {"old": False, "new": True}
    assert not [seen for seen in sendgrid.server.seen if seen.method != "GET"], "the origin is not told its own news"

    answer = await town.ok("POST", "/api/v2/send_checks", check, scopes="send_checks")
    assert not answer["allowed"] and answer["decision"] == "block"
    assert "global_opt_out" in {reason["code"] for reason in answer["reasons"]}

    entry = await the_change_in_the_feed(town, address)
    assert entry["entry"] in {reason["entry"] for reason in answer["reasons"]}
    await the_history_tells_it(town, entry["entry"])
    await both_acknowledgements_are_in_the_trail(town, {audience["id"], hook["id"]})
    await asyncio.to_thread(others_verify, town, await proof_of(town, entry["entry"]), entry["entry"])
    return mailchimp.server.seen


async def said(town: Town, choice: str) -> Any:
    """The feed's entries about e-mail with this choice."""
    items = (await town.ok("GET", "/api/v2/changes", scopes="changes:read"))["items"]
    found = [one["data"] for one in items if one["type"] == "preferences.changed"]
    return [one for one in found if one["scope"]["channel"] == "email" and one["new"] == choice]


async def the_change_in_the_feed(town: Town, address: str) -> Any:
    [entry] = await eventually(lambda: said(town, "opted_out"))
    assert entry["address"] == address and entry["scope"] == {"brand": "*", "channel": "email", "category": "*"}
    assert (entry["old"], entry["new"], entry["source"], entry["own"]) == ("opted_in", "opted_out", "connection", True)
    return entry


async def the_history_tells_it(town: Town, entry: str) -> None:
    items = (await town.ok("GET", "/api/v2/contacts/c-1001/history", scopes="email_preferences"))["items"]
    [told] = [one for one in items if one["entry"] == entry]
    assert (told["old_value"], told["new_value"], told["source"]) == ("opted_in", "opted_out", "connection")
    assert told["time"] and told["actor"]


async def both_acknowledgements_are_in_the_trail(town: Town, who: set[str]) -> None:
    async def acknowledged() -> bool:
        leaves = [parse(row["leaf"]) for row in await town.parts.pool.fetch("SELECT leaf FROM entry WHERE kind = 'ack'")]
        return {leaf["by"].removeprefix("k:") for leaf in leaves if leaf["act"] == "applied"} >= who

    await eventually(acknowledged)
    told = (await town.ok("GET", "/api/v2/contacts/c-1001/propagation", scopes="email_preferences"))["items"]
    assert {(one["connector"], one["state"]) for one in told} >= {("mailchimp", "in_sync"), ("webhook", "in_sync")}
    accuracy = await town.ok("GET", "/api/v2/sync/accuracy", scopes="reports:read")
    assert accuracy["accuracy"] == 1.0 and accuracy["pairs"] == 3 and len(accuracy["by_connection"]) == 3


async def proof_of(town: Town, entry: str) -> bytes:
    async def proven() -> Any:
        status, text = await town.call("GET", f"/api/v2/entries/{entry}/proof", scopes="audit:read")
        return text if status == 200 else None

    return bytes(await eventually(proven))


def others_verify(town: Town, proof: bytes, entry: str) -> None:
    """The change's proof as tlog-scales, which nobody here wrote, checks it."""
    vkey = key_text(key_of(town.parts.keys.ledger_name, town.parts.keys.ledger_key))
    backend = HttpBackend(f"{town.base}/ledger")
    try:
        reader = TilesReader(backend)
        checkpoint = reader.get_checkpoint()
        checkpoint.verify(Vkey.from_string(vkey))
        index = parse_proof(proof).index
        leaf = reader.get_entry(index)
        assert json.loads(leaf)["id"] == entry
        reader.get_inclusion_proof(index, checkpoint.size).check(leaf_hash(leaf), checkpoint.root_hash)
    finally:
        backend.session.close()
