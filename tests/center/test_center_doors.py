"""People's own doors: what every answer carries, what nobody may do through them, and that looking changes nothing."""

import asyncio
import itertools
import re
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from people import ADA, ONE_CLICK, PROMO, Town, admin, town

from sayso.rules.tokens import Link, Ring, Undo, sign_link, sign_undo
from sayso.rules.words import ANY, Scope
from shares import Ran, patience, share

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCANNERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "Barracuda Sentinel (EE)", "Mimecast-LinkScanner/1.0", "Mozilla/5.0 (compatible; Proofpoint URL Defense)", "GoogleImageProxy",
    "BingPreview/1.0b", "Microsoft Office/16.0 (Microsoft Outlook 16.0)", "curl/8.5.0", "",
)  # fmt: skip
FORM = "application/x-www-form-urlencoded"


async def rows(town: Town) -> dict[str, tuple[int, int]]:
    """How many rows every table has, and a sum over the transactions that wrote them: any change at all changes it."""
    connection = await asyncpg.connect(town.parts.dsn)
    try:
        tables = [
            one["relname"]
            for one in await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        ]
        return {
            name: tuple(
                await connection.fetchrow(
                    f'SELECT count(*), coalesce(sum((xmin::text)::bigint + (xmax::text)::bigint), 0)::bigint FROM "{name}"'
                )
            )
            for name in sorted(tables)
        }
    finally:
        await connection.close()


async def doors(town: Town) -> list[str]:
    """Every door of a person, fresh and ordinary."""
    ordinary, fresh = await town.link(campaign="spring-26", message="m-77"), await town.link(fresh=True)
    await town.opts_in("promotional")
    saved = await town.save(ordinary)
    found = []
    for token in (ordinary, fresh, await town.link(expired=True)):
        found += [f"/u/{token}", f"/preferences/{token}", f"/preferences/{token}?lang=ar", f"/preferences/{token}/form",
                  f"/preferences/{token}/data", f"/why/{token}", f"/api/v2/center/{token}"]  # fmt: skip
    return [*found, saved.undo, "/preferences/link", "/u/nonsense", "/preferences/1.k1.AAAA.BBBB", "/preferences/logo/abc"]


@pytest.mark.timeout(patience(180))
@pytest.mark.feature("G7", "S4")
async def test_whatever_looks_changes_nothing(hub_town: Town, ran: Ran) -> None:
    paths = await doors(hub_town)
    before = await rows(hub_town)
    gate = asyncio.Semaphore(8)

    async def look(method: str, path: str, agent: str) -> int:
        async with gate:
            answer = await hub_town.call(
                method, path, headers={"User-Agent": agent, "Purpose": "prefetch", "Origin": "https://shop.example"}
            )
            return answer.status

    ways = itertools.cycle(itertools.product(SCANNERS, ("GET", "HEAD", "OPTIONS"), paths))
    count = share("G7 GETs")
    for start in range(0, count, 1_000):
        part = itertools.islice(ways, min(1_000, count - start))
        statuses = await asyncio.gather(*(look(method, path, agent) for agent, method, path in part))
        assert set(statuses) <= {200, 204, 404, 405}
    assert await rows(hub_town) == before
    ran("G7 GETs", count)
    assert (await hub_town.post(paths[0], ONE_CLICK)).status == 200
    assert await rows(hub_town) != before, "what is compared would not notice a change"


@pytest.mark.feature("G7")
async def test_posts_without_what_they_need_change_nothing(hub_town: Town) -> None:
    token = await hub_town.link()
    other = await hub_town.link(email="ben@example.com", contact="c-2002")
    await hub_town.opts_in("promotional")
    page, foreign = await hub_town.get(f"/preferences/{token}"), await hub_town.get(f"/preferences/{other}")
    before = await rows(hub_town)
    bodies = (
        b"", b"List-Unsubscribe=Two-Click", b"list-unsubscribe=One-Click", b"List-Unsubscribe=One-Click&List-Unsubscribe=One-Click",
        b"\xff\xfe", b"List-Unsubscribe%00=One-Click", b'{"List-Unsubscribe":"One-Click"}',
    )  # fmt: skip
    for body in bodies:
        assert (await hub_town.post(f"/u/{token}", body, headers={"Content-Type": FORM})).status == 400, body
    assert (await hub_town.post(f"/u/{token}", b"{}", headers={"Content-Type": "application/json"})).status == 400
    assert (await hub_town.post(f"/u/{token}", b"x=" + b"y" * 70_000, headers={"Content-Type": FORM})).status == 413
    for path in (f"/preferences/{token}", f"/why/{token}", f"/preferences/{token}/form"):
        assert (await hub_town.post(path, {"action": "save", "stop": "company"})).status == 400
        assert (await hub_town.post(path, {"action": "save", "stop": "company", "form": foreign.hidden()})).status == 400
        assert (await hub_town.post(path, b"x=" + b"y" * 70_000, headers={"Content-Type": FORM})).status == 413
    assert (await hub_town.post(f"/preferences/{token}/data", {"form": page.hidden(), "sure": "yes"})).status == 403
    assert await rows(hub_town) == before


async def test_one_click_comes_in_both_encodings_without_cookies_or_redirects(hub_town: Town) -> None:
    token = await hub_town.link()
    multipart = aiohttp.FormData(default_to_multipart=True)
    multipart.add_field("List-Unsubscribe", "One-Click")
    for data in (multipart, ONE_CLICK):
        answer = await hub_town.post(f"/u/{token}", data)
        assert (answer.status, answer.text) == (200, "Unsubscribed.\n")
        assert "Set-Cookie" not in answer.headers and "Location" not in answer.headers
    assert [one.fields["effect"] for one in await hub_town.entries()] == ["applied", "unchanged"]


async def test_every_page_carries_the_headers_that_protect_it(hub_town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for path in await doors(hub_town):
        answer = await hub_town.get(path)
        if path.startswith(("/api/", "/preferences/logo")):
            continue
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script" not in policy and "unsafe" not in policy
        framed = path.endswith("/form")
        assert ("X-Frame-Options" in answer.headers) != framed
        assert policy.endswith("frame-ancestors https://shop.example" if framed else "frame-ancestors 'none'")
        assert "Set-Cookie" not in answer.headers and "Location" not in answer.headers
        assert "<script" not in answer.text and " style=" not in answer.text and hub_town.email not in answer.text
        assert len(answer.text.encode()) < 30_000, path
        assert path.split("/")[2].partition("?")[0][-20:] not in caplog.text, "a link was logged"
    framed_save = await hub_town.save(await hub_town.link(), at="/form")
    assert framed_save.status == 200 and "X-Frame-Options" not in framed_save.headers


@pytest.mark.feature("S8")
async def test_a_fresh_link_that_is_over_goes_on_as_an_ordinary_one(hub_town: Town) -> None:
    await hub_town.opts_in("promotional", "events")
    over, fresh = await hub_town.link(expired=True), await hub_town.link(fresh=True)
    assert (await hub_town.get(f"/api/v2/center/{over}")).json["history"] == []
    assert len((await hub_town.get(f"/api/v2/center/{fresh}")).json["history"]) == 2
    await hub_town.save(over, "promotional", "events", "educational")
    assert not any(one.fields["scope"][2] == "educational" and one.fields["x"]["new"] == "opted_in" for one in await hub_town.entries())
    await hub_town.save(fresh, "promotional", "events", "educational")
    last = (await hub_town.entries())[-1]
    assert (last.fields["scope"][2], last.fields["x"]["new"], last.fields["own"]) == ("educational", "opted_in", 1)


@pytest.mark.feature("G8")
async def test_unknown_forged_and_garbled_links_are_all_the_same_page(hub_town: Town) -> None:
    who, at = await hub_town.meets()
    link = Link(bytes.fromhex(who), bytes.fromhex(at), PROMO)
    forged = sign_link(Ring("k5", {"k5": b"f" * 32}), link)
    good = await hub_town.link()
    names = ("nonsense", "1.k1.AAAA.BBBB", "%F0%9F%A6%8A", "a%2Fb", forged, good[:-2], good + "A", "." * 4_000, "x" * 5_000)
    for path in ("/preferences/{}", "/why/{}", "/u/{}", "/preferences/{}/form", "/preferences/{}/data", "/undo/{}", "/confirm/{}"):
        texts = set()
        for name in names:
            answer = await hub_town.get(path.format(name))
            assert answer.status == 404
            texts.add(answer.text.replace(path.format(name), "HERE"))
        assert len({text.partition("<main")[2] for text in texts}) == 1
    for name in names:
        assert (await hub_town.post(f"/u/{name}", ONE_CLICK)).status == 404


@pytest.mark.feature("G7")
async def test_links_of_all_earlier_keys_go_on_working(hub_town: Town) -> None:
    keys = hub_town.parts.keys.token_ring
    who, at = await hub_town.meets()
    link = Link(bytes.fromhex(who), bytes.fromhex(at), PROMO)
    for kid in list(keys.secrets):
        token = sign_link(Ring(kid, keys.secrets), link)
        assert (await hub_town.get(f"/preferences/{token}")).status == 200
        assert (await hub_town.post(f"/u/{token}", ONE_CLICK)).status == 200


async def test_an_undo_ends_after_half_an_hour_and_is_nobody_elses(hub_town: Town) -> None:
    who, at = await hub_town.meets()
    ring, now = hub_town.parts.keys.token_ring, hub_town.parts.current.held.clock()
    over = sign_undo(ring, Undo(bytes.fromhex(who), bytes.fromhex(at), ()), expires_at=now - 1_000_000)
    answer = await hub_town.get(f"/undo/{over}")
    assert answer.status == 410
    assert 'method="post"' not in answer.text
    link = await hub_town.link()
    assert (await hub_town.get(f"/undo/{link}")).status == 404
    assert (await hub_town.get(f"/preferences/{over}")).status == 404


@pytest.mark.feature("R10")
async def test_the_language_is_the_one_asked_for_then_used_last_then_wished(hub_town: Town) -> None:
    token = await hub_town.link()
    await hub_town.opts_in("promotional")

    async def spoken(path: str = "", **headers: str) -> str:
        return (await hub_town.get(f"/preferences/{token}{path}", headers=headers)).text.partition('lang="')[2][:2]

    assert await spoken() == "en"
    assert await spoken(**{"Accept-Language": "xx, fr-CA;q=0.8, de;q=0.9"}) == "de"
    assert await spoken("?lang=ar") == "ar"
    page = await hub_town.get(f"/preferences/{token}?lang=es")
    await hub_town.post(f"/preferences/{token}", [("form", page.hidden()), ("lang", "es"), ("shown", "promotional"), ("action", "save")])
    assert await spoken() == "es"
    assert await spoken(**{"Accept-Language": "de"}) == "es"
    assert (await hub_town.entries())[-1].detail["wording"].endswith(", es")


async def test_while_the_store_is_away_nothing_is_said_to_be_done(own_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await own_town.link()
    await own_town.parts.pool.close()
    try:
        one_click = await own_town.post(f"/u/{token}", ONE_CLICK)
        assert (one_click.status, "Retry-After" in one_click.headers) == (503, True)
        page = await own_town.get(f"/preferences/{token}")
        assert (page.status, page.headers["Retry-After"]) == (503, "5")
        assert "<form" not in page.text
    finally:
        monkeypatch.undo()


@pytest.mark.feature("G10")
async def test_a_brand_speaks_for_itself(database: str, tmp_path: Path) -> None:
    (tmp_path / "sayso.toml").write_text(
        'company = "Northwind"\n[brand.outlet]\ncompany = "Outlet"\npostal_address = "2 Quay"\nprivacy_url = "https://outlet.example/privacy"\n'
        'embed_origins = ["https://outlet.example"]\n'
    )
    async with town(database, tmp_path) as found:
        token = await found.link(scope=Scope("outlet", "email", "promotional"))
        page = await found.get(f"/preferences/{token}")
        assert "Outlet" in page.text and "2 Quay" in page.text and "https://outlet.example/privacy" in page.text
        form = await found.get(f"/preferences/{token}/form")
        assert form.headers["Content-Security-Policy"].endswith("frame-ancestors https://outlet.example")
        company = await found.get(f"/preferences/{await found.link()}/form")
        assert company.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
        await found.opts_in("promotional", brand="outlet")
        await found.save(token, "promotional", stop="brand")
        stopped = [one.fields["scope"] for one in await found.entries()][-1]
        assert stopped == ["outlet", "email", ANY]


@pytest.mark.feature("R14")
async def test_a_fresh_link_hands_out_everything_and_forgets(hub_town: Town) -> None:
    await hub_town.opts_in("promotional")
    ordinary, fresh = await hub_town.link(), await hub_town.link(fresh=True)
    closed = await hub_town.get(f"/preferences/{ordinary}/data")
    assert closed.status == 200 and 'value="forget"' not in closed.text
    page = await hub_town.get(f"/preferences/{fresh}/data")
    zipped = await hub_town.post(f"/preferences/{fresh}/data", {"form": page.hidden(), "action": "download"})
    assert (zipped.status, zipped.headers["Content-Type"], zipped.text[:2]) == (200, "application/zip", "PK")
    unsure = await hub_town.post(f"/preferences/{fresh}/data", {"form": page.hidden(), "action": "forget"})
    assert unsure.status == 400 and "Error:" in unsure.text
    assert (await hub_town.get(f"/preferences/{fresh}")).ticked == {"promotional"}
    accepted = await hub_town.post(f"/preferences/{fresh}/data", {"form": page.hidden(), "action": "forget", "sure": "yes"})
    assert accepted.status == 200
    for token in (fresh, ordinary):
        gone = await hub_town.get(f"/preferences/{token}")
        assert gone.status == 200 and "<form" not in gone.text
        assert (await hub_town.get(f"/why/{token}")).status == 200
        assert (await hub_town.post(f"/u/{token}", ONE_CLICK)).status == 200
        twin = (await hub_town.get(f"/api/v2/center/{token}")).json
        assert (twin["gone"], twin["categories"]) == (True, [])
        assert (
            await hub_town.post(f"/preferences/{token}", {"form": page.hidden(), "action": "save", "keep": "promotional"})
        ).status == 200
    assert not any(one.fields["x"]["new"] == "opted_in" for one in (await hub_town.entries(kinds=("choice",)))[1:])


async def test_a_reason_is_kept_with_the_entries_it_is_about(hub_town: Town) -> None:
    token = await hub_town.link()
    await hub_town.opts_in("promotional")
    saved = await hub_town.save(token)
    entries = [one.id for one in await hub_town.entries()][1:]
    fields = re.findall(r'name="form" value="([^"]+)"', saved.text)
    thanked = await hub_town.post(
        f"/preferences/{token}", {"form": fields[-1], "action": "reason", "reason": "too_many", "words": " a lot "}
    )
    assert thanked.status == 200
    last = (await hub_town.entries())[-1]
    assert (last.act, last.detail["reason"]) == ("preference_reason", "too_many")
    assert last.detail["properties"]["words"] == "a lot" and set(last.detail["properties"]["entries"]) == set(entries)
    count = len(await hub_town.entries())
    assert (await hub_town.post(f"/preferences/{token}", {"form": fields[-1], "action": "reason"})).status == 200
    assert len(await hub_town.entries()) == count


async def test_a_link_can_be_asked_for_and_everybody_hears_the_same(own_town: Town) -> None:
    await own_town.meets()
    known = await own_town.post("/preferences/link", {"email": ADA})
    unknown = await own_town.post("/preferences/link", {"email": "nobody@example.com"})
    assert (known.status, known.text) == (unknown.status, unknown.text)
    assert "Set-Cookie" not in known.headers
    wrong = await own_town.post("/preferences/link", {"email": "no address"})
    assert wrong.status == 400 and "Error:" in wrong.text and 'value="no address"' in wrong.text
    letters = await own_town.parts.pool.fetch("SELECT kind FROM letter")
    assert [one["kind"] for one in letters] == ["link"]
    ben = await own_town.link(email="ben@example.com", contact="c-2002")
    page = await own_town.get(f"/preferences/{ben}")
    assert (await own_town.post(f"/preferences/{ben}", {"form": page.hidden(), "action": "fresh"})).status == 200
    assert len(await own_town.parts.pool.fetch("SELECT kind FROM letter")) == 2


async def test_a_reference_leads_back_to_its_entry(hub_town: Town) -> None:
    token = await hub_town.link()
    await hub_town.opts_in("promotional")
    saved = (await hub_town.post(f"/api/v2/center/{token}", body={"stop": "brand"})).json["result"]
    headers = await admin(hub_town)
    found = await hub_town.get(f"/api/v2/references/{saved['reference'].lower()}", headers=headers)
    # A stop is copied to other channels in the same millisecond; one copy in sixteen has the same reference as its original.
    assert set(saved["entries"]) <= {one["entry"] for one in found.json["items"]} <= {one.id for one in await hub_town.entries()}
    assert (await hub_town.get("/api/v2/references/0000-0000-0000", headers=headers)).status == 404
    assert (await hub_town.get("/api/v2/references/nothing", headers=headers)).status == 422
    assert (await hub_town.get(f"/api/v2/references/{saved['reference']}")).status == 401
