"""Scanners at people's own doors: whatever they look at changes nothing; those that press are honoured, marked, and their people asked (G7)."""

import asyncio
import re
from collections.abc import Sequence
from email import message_from_bytes, policy
from itertools import islice, product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from starlette.requests import Request
from starlette.responses import Response

from sayso.flows.choose import Manner
from sayso.flows.open_link import open_link
from sayso.flows.unsubscribe import unsubscribe
from sayso.opening import microseconds
from sayso.rules.times import MINUTE, format_time
from sayso.rules.tokens import Link, sign_link, sign_undo
from sayso.rules.tokens import Undo as Right
from sayso.rules.words import Scope
from sayso.web.center import one_click
from sayso.web.center.parts import center_parts
from shares import Ran, patience, share
from town import Town, eventually, town_over

SCANNERS = (
    "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/119.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Google-Read-Aloud", "python-requests/2.32.3", "Go-http-client/2.0", "curl/8.11.0", "",
)  # fmt: skip
PURPOSES: tuple[dict[str, str], ...] = (
    {},
    {"Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"X-Moz": "prefetch"},
    {"Range": "bytes=0-0"},
)
LOOKS = ("GET", "HEAD", "GET", "OPTIONS")
PEOPLE = 5
UNDO = re.compile(r"/undo/[\w.-]+")
AT_ONCE = 16


async def contents(town: Town) -> dict[str, tuple[int, str]]:
    """Every table's count of rows and a sum over all of them."""
    tables = await town.parts.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    found = {}
    for table in (row["tablename"] for row in tables):
        row = await town.parts.pool.fetchrow(
            f"SELECT count(*) AS n, coalesce(sum(hashtextextended(t::text, 0)), 0)::text AS all FROM {table} t"
        )
        found[table] = (row["n"], row["all"])
    return found


async def links(town: Town) -> list[dict[str, Any]]:
    """The links of a mailing to people of one company, sent now."""
    items = [
        {"contact_id": f"c-{n}", "address": f"person{n}@company.example", "channel": "email", "category": "promotional", "campaign_id": "spring",
         "message_id": f"m-{n}"} for n in range(PEOPLE)
    ]  # fmt: skip
    made = (await town.ok("POST", "/api/v2/links", {"items": items}, scopes="messages"))["items"]
    sent = [{**item, "subject": "Spring", "sent_at": format_time(microseconds())} for item in items]
    await town.ok("POST", "/api/v2/messages", {"items": sent}, scopes="messages")
    return list(made)


async def doors(town: Town, made: Sequence[dict[str, Any]]) -> list[str]:
    """Every path that such a mail, and later ones, lead to: with what any key would find behind each."""
    one, ring, now = made[0]["token"], town.parts.keys.token_ring, microseconds()
    subs = await town.parts.pool.fetch(
        "SELECT pseudonym, kind FROM subject WHERE kind IN ('contact', 'email') ORDER BY kind, pseudonym LIMIT 20"
    )
    contact = next(row["pseudonym"] for row in subs if row["kind"] == "contact")
    entry = UUID((await town.say("c-9", {"email_pref_promotional": "opted_out"}))["result"][0]["entry"])
    fresh = sign_link(ring, Link(contact, None, Scope("*", "email", "*")), fresh_until=now + 10 * MINUTE)
    undo = sign_undo(ring, Right(contact, None, (entry,)), expires_at=now + 10 * MINUTE)
    named = [
        path.removeprefix(town.parts.settings.public_url)
        for path in (made[0]["unsubscribe_url"], made[0]["preferences_url"], made[0]["why_url"])
    ]
    return [
        *named, f"/preferences/{one}?stop=company&choice=off", f"/u/{one}?List-Unsubscribe=One-Click", f"/preferences/{one}/form",
        f"/api/v2/center/{one}", f"/preferences/{fresh}", f"/u/{fresh}", f"/undo/{undo}", f"/confirm/{one}", f"/confirm/{undo}", "/preferences/link",
        "/preferences/link?email=person0@company.example", "/u/garbled", "/undo/1.k1.AAAA.BBBB",
    ]  # fmt: skip


async def storm(town: Town, paths: Sequence[str], count: int) -> set[tuple[str, int]]:
    """So many requests of scanners that only look, all paths in turn; the first parts of paths with the statuses they were answered."""
    turns = asyncio.Semaphore(AT_ONCE)
    seen: set[tuple[str, int]] = set()

    async def look(n: int, path: str) -> None:
        headers = {"User-Agent": SCANNERS[n % len(SCANNERS)], **PURPOSES[n % len(PURPOSES)]}
        async with turns, town.session.request(LOOKS[n % len(LOOKS)], town.base + path, headers=headers, allow_redirects=False) as answer:
            body = await answer.read()
            seen.add((path.split("/")[1], answer.status))
            assert answer.status < 500
            assert answer.status not in (301, 302, 303, 307, 308)
            assert "set-cookie" not in answer.headers
            assert not re.search(rb"<script|http-equiv=.refresh", body, re.IGNORECASE)

    turn = islice(product(range(count), paths), count)
    await asyncio.gather(*(look(n, path) for n, (_, path) in enumerate(turn)))
    return seen


@pytest.mark.feature("S4", "H1")
async def test_whatever_scanners_look_at_no_row_of_any_table_changes(database: str, tmp_path: Path, ran: Ran) -> None:
    count = share("G7 GETs")
    async with town_over(database, tmp_path / "data", worker=False) as town, asyncio.timeout(patience(120)):
        paths = await doors(town, await links(town))
        before = await contents(town)
        assert before["sent"][0] == PEOPLE
        seen = await storm(town, paths, count)
        assert {("u", 200), ("preferences", 200), ("why", 200), ("undo", 200)} <= seen
        assert await contents(town) == before
        ran("G7 GETs", count)


async def test_twin_a_door_that_acts_on_get_is_found_out(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hasty(request: Request) -> Response:
        parts = center_parts(request)
        ground = await parts.ground()
        opened = await open_link(request.path_params["token"], book=parts.book, ring=parts.ring, ground=ground)
        await unsubscribe(opened, Manner("one_click", {}), book=parts.book, ground=ground)
        return Response("Unsubscribed.")

    monkeypatch.setattr(one_click, "_show", hasty)
    async with town_over(database, tmp_path / "data", worker=False) as town:
        made = await links(town)
        before = await contents(town)
        await storm(town, [made[0]["unsubscribe_url"].removeprefix(town.parts.settings.public_url)], 1)
        assert await contents(town) != before


@pytest.mark.feature("S4", "H1")
async def test_those_that_press_are_honoured_marked_and_their_people_asked(database: str, tmp_path: Path) -> None:
    async with town_over(database, tmp_path / "data") as town:
        for one in await links(town):
            path = one["unsubscribe_url"].removeprefix(town.parts.settings.public_url)
            for _ in range(2):  # it works again and again
                form, agent = {"List-Unsubscribe": "One-Click"}, {"User-Agent": SCANNERS[3]}
                async with town.session.post(town.base + path, data=form, headers=agent, allow_redirects=False) as answer:
                    assert (answer.status, "set-cookie" in answer.headers) == (200, False)
        for n in range(PEOPLE):
            asked = {"contact_id": f"c-{n}", "channel": "email", "category": "promotional", "country": "US"}
            assert (await town.ok("POST", "/api/v2/send_checks", asked, scopes="send_checks"))["allowed"] is False

        async def found() -> Any:
            [*bursts] = (await town.ok("GET", "/api/v2/bursts"))["items"]
            return bursts[0] if bursts and bursts[0]["people"] == PEOPLE else None

        burst = await eventually(found, 60)
        assert burst["mail_hosts"][0]["mail_host"] == "company.example"
        assert 0 <= burst["seconds_after_delivery"]["latest"] < 60
        await town.ok("POST", f"/api/v2/bursts/{burst['id']}/offer", {"reason": "their gateway pressed"})

        async def mailed() -> bool:
            return bool(await town.parts.pool.fetchval("SELECT count(*) FROM letter WHERE kind = 'offer' AND state = 'sent'") == PEOPLE)

        await eventually(mailed, 60)
        await takes_it_back(town, "c-0")
        assert [await said(town, n) for n in range(PEOPLE)] == ["not_set", *["opted_out"] * (PEOPLE - 1)]


async def said(town: Town, n: int) -> str:
    document = await town.ok("GET", f"/api/v2/contacts/c-{n}/email_preferences", scopes="email_preferences")
    return str(document["email_pref_promotional"])


async def takes_it_back(town: Town, contact: str) -> None:
    """Somebody who never pressed opens the link in the offer and presses the button there."""
    mails = Path(town.parts.settings.data_dir) / "mail"
    read = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in mails.rglob("*.eml")]
    links = {found[0] for one in read if f"person{contact[2:]}@" in str(one["To"]) for found in [UNDO.findall(body_of(one))] if found}
    for path in sorted(links):
        async with town.session.get(town.base + path) as page:
            text = await page.text()
        fields = dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', text))
        async with town.session.post(town.base + path, data={**fields, "action": "undo"}) as answer:
            assert answer.status == 200


def body_of(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())
