"""The feed of changes: every entry about a person once, in the order of the ledger, for whoever keeps a copy."""

import asyncio
import base64
import json
from typing import Any

import pytest

from town import ADA, Town, eventually

pytestmark = pytest.mark.feature("D4")


async def page(town: Town, query: str = "") -> Any:
    return await town.ok("GET", f"/api/v2/changes{query}", scopes="changes:read")


async def everything(town: Town, limit: int) -> list[Any]:
    found: list[Any] = []
    after = ""
    while True:
        here = await page(town, f"?limit={limit}{after}")
        assert here["next"] is not None
        if not here["items"] and after.endswith(here["next"]):
            return found
        found += here["items"]
        after = f"&after={here['next']}"


async def test_pages_hold_everything_once_and_in_order(town: Town) -> None:
    await town.sendgrid()  # configuration is in the ledger too, but is about nobody
    for choice in ("opted_out", "opted_in", "opted_out"):
        await town.say("c-1", {"email": ADA, "email_pref_promotional": choice, "email_pref_update_source": "preference_center"})
    await town.say("c-2", {"email_opt_out_global": True, "country": "DE"})

    async def complete() -> Any:
        items = await everything(town, 500)
        return items if [one for one in items if one["data"]["contact_id"] == "c-2" and one["data"]["new"] == "opted_out"] else None

    whole = await eventually(complete)
    for limit in (1, 2, 3):
        assert await everything(town, limit) == whole
    indices = [one["data"]["index"] for one in whole]
    assert indices == sorted(set(indices))
    first = [one["data"] for one in whole if one["data"]["contact_id"] == "c-1" and one["type"] == "preferences.changed"]
    assert [(one["old"], one["new"]) for one in first] == [("not_set", "opted_out"), ("opted_out", "opted_in"), ("opted_in", "opted_out")]
    assert {one["address"] for one in first} == {ADA}
    assert {one["type"] for one in whole} == {"preferences.changed", "contact.linked", "contact.located"}
    resumed = await page(town, f"?after={whole[2]['cursor']}")
    assert resumed["items"] == whole[3:]


async def test_a_reader_may_wait_for_news(town: Town) -> None:
    start = (await page(town))["next"]
    empty = await page(town, f"?after={start}")
    assert empty == {"items": [], "next": start}
    waiting = asyncio.create_task(page(town, f"?after={start}&wait=20"))
    await town.say("c-1", {"email_pref_promotional": "opted_out"})
    found = await asyncio.wait_for(waiting, 15)
    assert [one["data"]["new"] for one in found["items"]] == ["opted_out"] and found["next"] != start


async def test_cursors_of_others_are_gone_and_nonsense_is_refused(town: Town) -> None:
    await town.say("c-1", {"email_pref_promotional": "opted_out"})
    mine = await eventually(lambda: page(town))
    plain = json.loads(base64.urlsafe_b64decode(mine["next"] + "=="))

    def cursor(said: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")

    for gone in ({**plain, "o": "elsewhere"}, {**plain, "l": {"0": 10**9}}):
        status, problem = await town.call("GET", f"/api/v2/changes?after={cursor(gone)}", scopes="changes:read")
        assert (status, problem["code"]) == (410, "gone")
    for bad in (
        "x",
        "!!",
        cursor([]),
        cursor({"o": plain["o"]}),
        cursor({**plain, "l": {"0": -1}}),
        cursor({**plain, "l": {"0": True}}),
        "a" * 5_000,
    ):
        assert (await town.call("GET", f"/api/v2/changes?after={bad}", scopes="changes:read"))[0] == 422, bad
    for query in ("?limit=0", "?limit=501", "?wait=31", "?wait=nan", "?since=1"):
        assert (await town.call("GET", f"/api/v2/changes{query}", scopes="changes:read"))[0] == 422, query
    assert (await town.call("GET", "/api/v2/changes", scopes="events"))[0] == 403
