"""Checks have a hand-written lane and a documented door (decision 0013); nobody may be able to tell them apart."""

import json
import re
from typing import Any

import pytest
from whole_hub import Whole

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
            async with whole.session.post(behind + path, data=body, headers=request) as answer:
                other = await answer.read()
                assert (answer.status, settled(other)) == (status, settled(raw)), (path, body)
                assert answer.headers["Content-Type"].partition(";")[0] == headers["Content-Type"].partition(";")[0]
                assert headers["X-Request-Id"]
    assert hub_of(whole.parts).public_url  # both doors were made from the same parts
