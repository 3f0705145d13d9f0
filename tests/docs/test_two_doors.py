"""Checks have a hand-written lane and a documented door (decision 0013); nobody may be able to tell them apart."""

import io
import json
import re
from typing import Any

import pytest
from whole_hub import Whole
from yarl import URL

from running import served
from sayso.app import hub_of, web_app
from sayso.web.hot import HotLane

CHECK = {"contact_id": "c-1001", "channel": "email", "category": "promotional"}
OBJECTS: tuple[tuple[str, bytes], ...] = (
    ("", json.dumps(CHECK).encode()),
    ("", json.dumps({**CHECK, "category": "order_confirmations"}).encode()),
    ("", json.dumps({"address": "ada@example.com", "channel": "MAIL", "category": "events"}).encode()),
    ("", json.dumps({"address": "no address", "channel": "email", "category": "promotional"}).encode()),
    ("", json.dumps({"address": "ada@example.com", "channel": "sms", "category": "promotional"}).encode()),
    ("", json.dumps({"contact_id": "c-9", "channel": "email", "category": "promotional"}).encode()),
    ("", json.dumps({**CHECK, "category": "no such"}).encode()),
    ("?explain=true", json.dumps(CHECK).encode()),
    (":batch", json.dumps({"defaults": {"channel": "email", "category": "promotional"}, "items": [{"contact_id": "c-1001"}]}).encode()),
    (":batch", json.dumps({"items": [CHECK, {"channel": "email"}]}).encode()),
    ("", json.dumps({"channel": "email", "category": "promotional"}).encode()),
    ("", json.dumps({**CHECK, "colour": "red"}).encode()),
    ("", json.dumps({**CHECK, "channel": "pigeon", "country": "XX"}).encode()),
)
VOLATILE = re.compile(r"chk_[0-9a-f-]{36}|\d{4}-\d\d-\d\dT[\d:.]+Z")
PASSING = ("id", "permit", "request_id", "checked_at")


def settled(raw: bytes) -> Any:
    """The answer without what differs from call to call."""

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: (value is not None) if name in PASSING else walk(value) for name, value in node.items()}
        if isinstance(node, list):
            return [walk(item) for item in node]
        return VOLATILE.sub("…", node) if isinstance(node, str) else node

    return walk(json.loads(raw))


@pytest.mark.feature("I1")
async def test_the_hot_lane_and_the_documented_door_give_one_answer(whole: Whole) -> None:
    await whole.call(
        "POST", "/api/v2/contacts/c-1001/email_preferences", {"email": "ada@example.com", "email_pref_promotional": "opted_out"}
    )
    lane = web_app(whole.parts)
    assert isinstance(lane, HotLane)
    documented = lane._app
    token = await whole.token()
    async with served(documented) as behind:
        for suffix, body in OBJECTS:
            path = f"/api/v2/send_checks{suffix}"
            status, headers, raw = await whole.call("POST", path, raw=body, token=token)
            request = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            async with whole.session.post(behind + path, data=io.BytesIO(body), headers=request) as answer:
                other = await answer.read()
                assert (answer.status, settled(other)) == (status, settled(raw)), (path, body)
                assert answer.headers["Content-Type"].partition(";")[0] == headers["Content-Type"].partition(";")[0]
                assert headers["X-Request-Id"]
    assert hub_of(whole.parts).public_url  # both doors were made from the same parts


WRITES: tuple[tuple[str, bytes, dict[str, str]], ...] = (
    ("w-1", b'{"email_pref_promotional":"opted_out"}', {}),
    ("w-1", b'{"email_pref_promotional":"opted_out","email_pref_update_source":"preference_center"}', {}),
    ("w-1", b'{"email_opt_out_global":false,"country":"DE"}', {}),
    ("w-1", b"{}", {}),
    ("w-1", b'{"email_pref_promotional":"opted_in"}', {"If-Match": '"99"'}),
    ("w-1", b'{"email_pref_promotional":"opted_in"}', {"If-Match": "seven"}),
    ("w-1", b'{"email_pref_order_confirmations":"opted_out"}', {}),
    ("w-1", b'{"email_pref_promotional":"maybe"}', {}),
    ("w-1", b'{"colour":"red"}', {"X-Request-Id": "mine-1"}),
    ("w-1", b'{"email":', {}),
    ("w-1", b"[]", {}),
    ("w-1", b"{}", {"Content-Type": "text/plain"}),
    ("w-1", b'{"email_pref_events":"opted_out"}', {"Idempotency-Key": "k" * 300}),
    ("w-1", b'{"email_pref_update_reason":"' + b"x" * 1_100_000 + b'"}', {}),
    ("w" * 300, b"{}", {}),
    ("w-2", b'{"paused_until":"2001-01-01T00:00:00Z"}', {}),
)
OWN: tuple[str, ...] = ("contact_id", "entry", "entries", "token", "version")


def alike(raw: bytes) -> Any:
    """An answer about somebody without their name, and without what differs from call to call."""

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: (value is not None) if name in OWN else walk(value) for name, value in node.items()}
        return [walk(item) for item in node] if isinstance(node, list) else node

    return walk(settled(raw.replace(b"lane-", b"").replace(b"door-", b"")))


@pytest.mark.feature("B1", "I1")
async def test_plain_writes_and_all_others_give_one_answer(whole: Whole) -> None:
    """A path with an escaped letter is not plain: the documented door answers it."""
    token = await whole.token()
    await whole.call("POST", "/api/v2/contacts/w-0/email_preferences", {}, token=token)  # from here on the token is known
    for contact, body, more in WRITES:
        answers = []
        for who in (f"lane-{contact}", f"%64oor-{contact}"):
            request = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **more}
            async with whole.session.post(
                URL(f"{whole.base}/api/v2/contacts/{who}/email_preferences", encoded=True), data=io.BytesIO(body), headers=request
            ) as answer:
                kept = {name: answer.headers.get(name) for name in ("Content-Type", "Cache-Control", "ETag", "WWW-Authenticate")}
                own_id = answer.headers["X-Request-Id"] == more.get("X-Request-Id")
                answers.append((answer.status, alike(await answer.read()), kept, own_id))
        assert answers[0] == answers[1], (contact, body[:80])


async def test_a_repeat_is_known_whichever_lane_it_comes_by(whole: Whole) -> None:
    token = await whole.token()
    request = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": "once"}
    given = []
    for path in ("w-5", "w-5", "w-5?"):
        async with whole.session.post(
            URL(f"{whole.base}/api/v2/contacts/{path}/email_preferences".replace("?/email_preferences", "/email_preferences?"), encoded=True),
            data=b'{"email_pref_promotional":"opted_out"}', headers=request,
        ) as answer:  # fmt: skip
            given.append((answer.status, await answer.read(), answer.headers.get("Idempotency-Replayed")))
    assert given[0][0] == 200 and [one[:2] for one in given] == [given[0][:2]] * 3
    assert [one[2] for one in given] == [None, "true", "true"]
