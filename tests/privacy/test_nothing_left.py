"""G6: after a completed erasure nothing of a person is left in any byte of the data folder; the ledger verifies; they are still denied."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from forgetting import check, codes, completed, forget, gone
from haystack import checkpoint, data_keys, plain_hits, table_hits
from test_erasing import sound

from database import reachable_folder, remove_server
from running import UNHURRIED, served
from sayso.app import web_app
from sayso.keys import destroy_old, exchange
from sayso.opening import compare_log, erasures_of, opened
from sayso.settings import read
from sayso.store.rewrap import rewrap
from shares import Ran, patience, share
from town import Receiver, Town, eventually, receiver, town_over

BATCH = 100
pytestmark = pytest.mark.feature("L6", "S7", "L5")


TOKENS: dict[str, str] = {}
"""Access tokens of the one database that the tests here share."""


@asynccontextmanager
async def own_town(folder: Path) -> AsyncIterator[Town]:
    """A town that runs its own database server in its data folder."""
    async with AsyncExitStack() as stack:
        env = {"SAYSO_DATA_DIR": str(folder), "SAYSO_WEBHOOK_ALLOW": "127.0.0.0/8", "SAYSO_DEFAULT_COUNTRY": "US"}
        parts = await stack.enter_async_context(opened(read(env), patience=UNHURRIED))
        base = await stack.enter_async_context(served(web_app(parts)))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        town = Town(parts, base, session, stack, _tokens=TOKENS)
        await town.start_worker()
        yield town
        for one in await parts.spokes.connections():  # nobody waits for the systems of an earlier test
            await town.ok("DELETE", f"/api/v2/connections/{one.id}")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder with a server of its own; tests use it one after the other, the last one leaves it unsound."""
    place = reachable_folder()
    (place / "postgres").mkdir(mode=0o711)
    (place / "postgres" / "local.conf").write_text("fsync = off\nautovacuum = off\n")
    (place / "postgres" / "local.conf").chmod(0o644)
    yield place
    remove_server(place)


class Canary:
    """A person all of whose words hold one token that stands nowhere else."""

    def __init__(self) -> None:
        self.token = f"zq{secrets.token_hex(6)}"
        self.contact = f"c-{self.token}"
        self.email = f"{self.token}@example.com"
        self.tagged = f"{self.token}+news@example.com"

    async def live(self, town: Town, shop: Receiver) -> None:
        """Comes through every door there is."""
        t, at = self.token, f"/api/v2/contacts/{self.contact}"
        everything = {
            "email": self.email, "addresses": [{"channel": "email", "address": self.tagged}, {"channel": "push", "address": f"token-{t}"}],
            "email_pref_promotional": "opted_out", "email_pref_update_source": "preference_center", "email_pref_update_reason": f"because {t}",
            "email_pref_consent_ip": "203.0.113.77", "user_agent": f"Agent/{t}", "proof": f"proof {t}", "metadata": {f"name {t}": f"value {t}"},
        }  # fmt: skip
        repeat = {"Idempotency-Key": f"key-{t}", "X-Request-Id": f"r-{t}"}
        await town.ok("POST", f"{at}/email_preferences", everything, scopes="email_preferences", headers=repeat)
        await town.say(self.contact, {"email_pref_promotional": "opted_in", "email_pref_update_source": "preference_center"})
        events = [{"event": f"Bought {t}", "properties": {f"item {t}": t}}, {"event": "mail.open", "properties": {"subject": t}}]
        await town.ok("POST", "/events", {"id": self.contact, "email": self.email, "events": events}, scopes="events")
        asked = {"contact_id": self.contact, "address": self.email, "message_id": f"m-{t}", "campaign_id": "spring-26", "sender": "shop"}
        await check(town, asked)
        about = {"contact_id": self.contact, "channel": "email", "category": "promotional"}
        sent = {**about, "subject": f"Hello {t}", "sent_at": "2026-11-20T10:00:00Z", "message_id": f"m-{t}", "campaign_id": f"s-{t}"}
        await town.ok("POST", "/api/v2/messages", sent, scopes="messages")
        links = await town.ok("POST", "/api/v2/links", {**about, "message_id": f"m-{t}"}, scopes="messages")
        form = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": f"Agent/{t}"}
        path = "/u/" + links["unsubscribe_url"].partition("/u/")[2]
        assert (await town.call("POST", path, scopes="", raw=b"List-Unsubscribe=One-Click", headers=form))[0] == 200
        assert (await town.call("POST", "/preferences/link", scopes="", raw=f"email={self.email}".encode(), headers=form))[0] == 200
        await town.call("POST", f"{at}/email_preferences", scopes="email_preferences", raw=f'{{"email": "{t}'.encode())
        await town.call("POST", f"{at}/email_preferences", {"colour": t}, scopes="email_preferences")
        await town.ok("PUT", f"/users/{self.contact}/blacklist", {"blacklisted": True, "reason": f"court {t}"}, scopes="admin")
        await town.ok("GET", f"{at}/history", scopes="audit:read")
        await town.settled()
        assert any(self.contact == one["data"].get("contact_id") for one in shop.got)

    async def subs(self, town: Town) -> list[str]:
        """The pseudonyms that stand for them now."""
        from sayso.contracts.book import Key

        page = await town.parts.book.read([Key("contact", self.contact), Key("email", self.email), Key("email", self.tagged)])
        return sorted({*page.keys.values(), *(sub for row in page.rows.values() for sub in row.state.links)})


async def a_month_passes(town: Town, folder: Path) -> None:
    """The key-encryption key is exchanged and the old one destroyed."""
    exchange(folder)
    done, lost = await rewrap(town.parts.pool, town.parts.tools.vault)
    assert done > 0 and lost == 0
    assert await rewrap(town.parts.pool, town.parts.tools.vault) == (0, 0)
    assert destroy_old(folder) == 1


async def test_no_byte_of_the_data_folder_tells_of_somebody_who_was_erased(
    folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    ada, bea = Canary(), Canary()
    caplog.set_level(logging.DEBUG)
    async with receiver() as shop, own_town(folder) as town:
        await town.webhook(shop)
        await ada.live(town, shop)
        await bea.live(town, shop)
        await checkpoint(town.parts)
        subs = await ada.subs(town)
        assert len(subs) >= 4
        assert data_keys(folder, subs)  # whoever stole the machine now could read everything
        await completed(town, await forget(town, ada.contact, f"wanted by {ada.token}"), 60)
        assert await gone(town, ada.contact)
        assert await erasures_of(town.parts).sweep()
        await checkpoint(town.parts)
        assert plain_hits(folder, [ada.token, bea.token]) == [], plain_hits(folder, [ada.token, bea.token])
        assert await table_hits(town.parts.dsn, [ada.token, bea.token]) == []
        assert data_keys(folder, subs)  # twin: without exchanging keys, what was deleted can still be opened
        await a_month_passes(town, folder)
        await checkpoint(town.parts)
        assert data_keys(folder, subs) == []
        assert data_keys(folder, await bea.subs(town))
        assert (await town.ok("GET", f"/api/v2/contacts/{bea.contact}", scopes="email_preferences"))["contact_id"] == bea.contact
        for category in ("promotional", "order_confirmations"):
            for about in ({"contact_id": ada.contact}, {"address": ada.email}, {"address": ada.tagged}):
                assert await codes(town, category=category, **about)
        assert "blacklisted" in await codes(town, address=ada.email)
        await eventually(lambda: sound(town))
    said = caplog.text + "".join(capfd.readouterr())
    assert ada.token not in said and bea.token not in said


@pytest.mark.soak
@pytest.mark.timeout(patience(180))
async def test_of_a_crowd_that_is_forgotten_nobody_is_found_and_nobody_is_allowed(folder: Path, ran: Ran) -> None:
    crowd, name = share("G6 erasures"), f"zq{secrets.token_hex(4)}crowd"
    async with own_town(folder) as town:
        for start in range(0, crowd, BATCH):
            people = range(start, min(start + BATCH, crowd))
            items = [{"contact_id": f"{name}{n}", "email": f"{name}{n}@example.com", "email_pref_events": "opted_in"} for n in people]
            await town.ok("POST", "/api/v2/email_preferences:batch", {"items": items}, scopes="email_preferences")
            await asyncio.gather(*(forget(town, f"{name}{n}", f"why {name}{n}") for n in people))

        async def all_done() -> bool:
            return not await town.parts.pool.fetchval("SELECT count(*) FROM erasure WHERE state <> 'completed'")

        await eventually(all_done, 120 + crowd)
        assert await erasures_of(town.parts).sweep()
        await checkpoint(town.parts)
        assert plain_hits(folder, [name]) == [] and await table_hits(town.parts.dsn, [name]) == []
        for start in range(0, crowd, BATCH):
            asked = [{"address": f"{name}{n}@example.com"} for n in range(start, min(start + BATCH, crowd))]
            body = {"defaults": {"channel": "email", "category": "events", "country": "US"}, "items": asked}
            answers = await town.ok("POST", "/api/v2/send_checks:batch", body, scopes="send_checks")
            assert [one for one in answers["items"] if one["allowed"]] == []
        assert (await eventually(lambda: sound(town), 60 + crowd)).erased >= 2 * crowd
    ran("G6 erasures", crowd)


async def test_a_database_that_is_put_back_forgets_again_before_it_answers(database: str, tmp_path: Path) -> None:
    ada, folder = Canary(), tmp_path / "data"
    async with town_over(database, folder) as town:
        await town.say(
            ada.contact, {"email": ada.email, "email_pref_promotional": "opted_in", "email_pref_update_source": "preference_center"}
        )
        before = await _copy(town)
        await completed(town, await forget(town, ada.contact))
        await _put_back(town, before)
        assert not await gone(town, ada.contact)
        town.parts.doubt.why = "an operator is about to accept this"
        await compare_log(town.parts)
        assert town.parts.doubt.why == ""
        assert await gone(town, ada.contact)
        assert "global_opt_out" in await codes(town, address=ada.email)
        async with town.parts.pool.acquire() as connection:  # a backup from before they ever came
            await connection.execute("DELETE FROM subject WHERE kind IN ('contact', 'email')")
        town.parts.doubt.why = "once more"
        await compare_log(town.parts)
        assert "global_opt_out" in await codes(town, address=ada.email)
        journal = (folder / "erasures").read_text()
        assert ada.token not in journal and len(journal.splitlines()) >= 2


TABLES = ("subject", "subject_key", "entry", "detail", "to_sequence", "erasure")


async def _copy(town: Town) -> dict[str, list[Any]]:
    async with town.parts.pool.acquire() as connection:
        return {table: await connection.fetch(f"SELECT * FROM {table}") for table in TABLES}


async def _put_back(town: Town, copies: dict[str, list[Any]]) -> None:
    """People, keys and erasures as they were; the log stays, so that only the forgetting is looked at."""
    async with town.parts.pool.acquire() as connection, connection.transaction():
        for table in ("subject", "subject_key", "erasure"):
            await connection.execute(f"DELETE FROM {table}")
            for row in copies[table]:
                marks = ", ".join(f"${n}" for n in range(1, len(row) + 1))
                await connection.execute(f"INSERT INTO {table} VALUES ({marks})", *row.values())
        known = [row["id"] for row in copies["entry"]]
        await connection.execute(
            "DELETE FROM entry WHERE sub = ANY($1) AND NOT id = ANY($2)", [row["pseudonym"] for row in copies["subject"]], known
        )


async def test_twin_a_plain_delete_forgets_the_stop_and_keeps_the_key(folder: Path) -> None:
    ada = Canary()
    async with receiver() as shop, own_town(folder) as town:
        await town.webhook(shop)
        await ada.live(town, shop)
        subs = await ada.subs(town)
        raw = [bytes.fromhex(sub) for sub in subs]
        async with town.parts.pool.acquire() as connection:
            for table, column in (("subject", "pseudonym"), ("subject_key", "pseudonym"), ("work", "sub")):
                await connection.execute(f"DELETE FROM {table} WHERE {column} = ANY($1::bytea[])", raw)
        await checkpoint(town.parts)
        assert data_keys(folder, subs)
        answer = await check(town, {"address": ada.email, "category": "product_updates"})
        assert answer["allowed"]
        with pytest.raises(AssertionError, match="no erasure ended its chain"):
            await eventually(lambda: sound(town))
