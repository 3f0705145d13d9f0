"""The whole way, as one hub with its worker does it: pages and programs on one side, mails in a folder and a mailbox on the other."""

import asyncio
import re
import smtplib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from postoffice import parsed, plain

from running import UNHURRIED, served
from sayso.app import web_app, working
from sayso.contracts.book import Key
from sayso.contracts.desk import SCOPES
from sayso.contracts.letters import FreshLink
from sayso.flows.enrol import enrol
from sayso.flows.record import Said, record
from sayso.mail import inbound
from sayso.mail_wiring import LISTEN_AGAIN, letters_of, look_at_mail, mail_duties_of, submit_of, take_of
from sayso.opening import Parts, opened
from sayso.rules.statements import Voice
from sayso.rules.words import Scope
from sayso.settings import read
from sayso.settings_forms import mail_route

PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Whole:
    """A hub with its worker, a program's token, and the folder that mails go to."""

    parts: Parts
    base: str
    session: aiohttp.ClientSession
    token: str
    folder: Path
    smtp: int

    async def call(self, method: str, path: str, body: Any = None, *, form: dict[str, str] | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if path.startswith("/api") else {}
        async with self.session.request(method, self.base + path, json=body, data=form, headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.json() if path.startswith("/api") else await answer.text()

    async def mails(self, count: int) -> list[EmailMessage]:
        """All mails so far, oldest first, once there are as many."""
        end = time.monotonic() + PATIENCE
        while len(found := sorted(self.folder.glob("*.eml"))) < count:
            assert time.monotonic() < end, f"{len(found)} mails of {count}"
            await asyncio.sleep(0.05)
        return [parsed(place.read_bytes()) for place in found]

    async def press(self, path: str) -> str:
        """The page behind a link of a mail, after its one button was pressed."""
        status, page = await self.call("GET", path)
        assert status == 200, page
        hidden = re.search(r'name="form"\s+value="([^"]*)"', page)
        assert hidden, page
        status, page = await self.call("POST", path, form={"form": unescape(hidden[1])})
        assert status == 200, page
        return str(page)

    async def promotional(self) -> str:
        _, document = await self.call("GET", "/api/v2/contacts/c-1001/email_preferences")
        return str(document["email_pref_promotional"])


@asynccontextmanager
async def whole_hub(database: str, folder: Path) -> AsyncIterator[Whole]:
    port = free_port()
    env = {
        "SAYSO_DATA_DIR": str(folder / "data"), "SAYSO_DATABASE_URL": database, "SAYSO_PUBLIC_URL": "https://sayso.example",
        "SAYSO_UNSUBSCRIBE_MAILBOX": "unsubscribe@sayso.example", "SAYSO_INBOUND_SMTP": f"127.0.0.1:{port}",
    }  # fmt: skip
    async with opened(read(env, cwd=folder), patience=UNHURRIED) as parts:
        ground = await parts.current.ground()
        made = await enrol("shop", tuple(SCOPES), "c:operator", relay_only=False, desk=parts.desk, book=parts.book, ground=ground)
        async with served(web_app(parts)) as base, working(parts), aiohttp.ClientSession() as session:
            data = {"grant_type": "client_credentials", "client_id": made.client.id, "client_secret": made.secret}
            async with session.post(f"{base}/oauth/token", data=data) as answer:
                token = (await answer.json())["access_token"]
            yield Whole(parts, base, session, token, folder / "data" / "mail", port)


def path_of(mail: EmailMessage, door: str) -> str:
    found = re.search(rf"https://sayso\.example(/{door}/[\w.-]+)", plain(mail))
    assert found, plain(mail)
    return found[1]


@pytest.mark.feature("G5", "R5", "G13", "H2")
async def test_a_person_signs_up_stops_takes_it_back_and_stops_by_mail(database: str, tmp_path: Path) -> None:
    async with whole_hub(database, tmp_path) as hub:
        asked = await hub.call(
            "POST", "/api/v2/double_opt_in", {"contact_id": "c-1001", "address": "ada@example.com", "category": "promotional"}
        )
        assert asked[0] == 202
        (letter,) = await hub.mails(1)
        await hub.press(path_of(letter, "confirm"))
        # the double opt-in knew her address; now the shop says whose it is
        await hub.call("POST", "/api/v2/contacts/c-1001/email_preferences", {"email": "ada@example.com"})
        assert await hub.promotional() == "opted_in"
        assert (await hub.call("GET", f"/api/v2/double_opt_in/{asked[1]['id']}"))[1]["state"] == "confirmed"

        one_click = re.search(r"<https://sayso\.example(/u/[^>]+)>", letter["List-Unsubscribe"])
        assert one_click
        status, _ = await hub.call("POST", one_click[1], form={"List-Unsubscribe": "One-Click"})
        assert status == 200
        told = (await hub.mails(2))[1:]
        assert all(one["Subject"] == "Your choices at Northwind Outfitters were changed" for one in told)

        wanted = {"items": [{"contact_id": "c-1001", "address": "ada@example.com", "channel": "email", "category": "events"}]}
        _, made = await hub.call("POST", "/api/v2/links", wanted)
        mailto = re.search(r"<mailto:([^?>]+)", made["items"][0]["headers"]["List-Unsubscribe"])
        assert mailto

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", hub.smtp, timeout=20) as server:
                server.sendmail("ada@example.com", [mailto[1]], "From: ada@example.com\r\nSubject: unsubscribe\r\n\r\n")

        await asyncio.to_thread(send)
        _, document = await hub.call("GET", "/api/v2/contacts/c-1001/email_preferences")
        assert (document["email_pref_events"], document["email_pref_update_source"]) == ("opted_out", "email_link")
        _, metrics = await hub.call("GET", "/metrics")
        assert 'sayso_mail_received_total{outcome="opted_out"}' in metrics and 'sayso_letters{state="parked"} 0.0' in metrics


@pytest.mark.feature("G5")
async def test_the_button_in_a_confirmation_takes_the_change_back(database: str, tmp_path: Path) -> None:
    async with whole_hub(database, tmp_path) as hub:
        body = {"email": "ada@example.com", "email_pref_promotional": "opted_in", "email_pref_update_source": "preference_center"}
        assert (await hub.call("POST", "/api/v2/contacts/c-1001/email_preferences", body))[0] == 200
        (mail,) = await hub.mails(1)
        assert "Offers and news: you get it" in plain(mail)
        await hub.press(path_of(mail, "undo"))
        assert await hub.promotional() == "not_set"
        status, page = await hub.call("POST", "/preferences/link", form={"email": "ada@example.com"})
        assert status == 200 and "ada@example.com" not in page.split("<form")[0]
        fresh = next(one for one in await hub.mails(2) if one["Subject"].startswith("Your link"))
        assert (await hub.call("GET", path_of(fresh, "preferences")))[0] == 200


async def test_the_doctor_says_how_mail_stands(database: str, tmp_path: Path) -> None:
    env = {"SAYSO_DATA_DIR": str(tmp_path / "data"), "SAYSO_DATABASE_URL": database, "SAYSO_INBOUND_SMTP": "127.0.0.1:2525"}
    async with opened(read(env, cwd=tmp_path)) as parts:
        ground = await parts.current.ground()
        assert [name for name, _ in mail_duties_of(parts)] == ["confirm changes", "send mail", "forget letters"]
        said = Said(Voice("api", False, "c:x:api", "c:x"), address=Key("email", "ada@example.com"))
        page = (await record(said, book=parts.book, ground=ground)).page
        (sub,) = page.keys.values()
        letters = letters_of(parts)
        for cause in ("451 busy", "550 gone"):
            await letters.put(sub, FreshLink("", sub, Scope("*", "email", "*")), now=ground.clock())
            (held,) = await letters.claim(now=ground.clock(), limit=1, lease=60_000_000)
            await (
                letters.later(held, ground.clock() + 60_000_000, cause) if cause[0] == "4" else letters.park(held, cause, ground.clock())
            )
        await take_of(parts)(inbound.read(b"Subject: hello\r\n\r\n"))
        found = await look_at_mail(parts)
        assert [(one.name, one.level) for one in found] == [("mail", "warn"), ("mail", "warn"), ("mail in", "warn"), ("mail in", "warn")]
        assert "1 letters wait, 1 of them were not taken" in found[0].detail and "never be taken" in found[1].detail
        await parts.pool.execute("DELETE FROM letter")
        await parts.pool.execute("DELETE FROM inbox")
    del env["SAYSO_INBOUND_SMTP"]
    async with opened(read(env, cwd=tmp_path)) as parts:
        assert [(one.level, one.detail) for one in await look_at_mail(parts)] == [("ok", "0 letters wait")]
        assert [name for name, _ in mail_duties_of(parts)][-1] == "forget letters"


async def test_a_port_that_is_taken_is_tried_again(database: str, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        env = {
            "SAYSO_DATA_DIR": str(tmp_path / "data"), "SAYSO_DATABASE_URL": database, "SAYSO_UNSUBSCRIBE_MAILBOX": "u@sayso.example",
            "SAYSO_INBOUND_SMTP": f"127.0.0.1:{holder.getsockname()[1]}",
        }  # fmt: skip
        async with opened(read(env, cwd=tmp_path)) as parts:
            duties = dict(mail_duties_of(parts))
            assert await duties["take in mail"]() == LISTEN_AGAIN
            assert await duties["forget letters"]() > 0


@pytest.mark.parametrize(
    ("url", "made"), [("console:", "to_console"), ("folder:x", "to_folder"), ("smtp://h", "to_smtp"), ("smtps://u:p@h", "to_smtp")]
)
def test_every_way_of_the_settings_has_its_submitter(tmp_path: Path, url: str, made: str) -> None:
    assert submit_of(mail_route(url, tmp_path)).__qualname__.startswith(f"{made}.")
