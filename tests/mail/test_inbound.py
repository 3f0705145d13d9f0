"""Opt-outs that arrive by mail: through a mail server's pipe and over SMTP, whatever else the mail says; machines' replies are ignored."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from postoffice import ADA, ADAS_MAIL, EVENTS, PROMO, RING, URL, Office, office_over

from hub import Hub
from operators import Sayso
from sayso.contracts.book import Unavailable
from sayso.contracts.mailer import Arrived
from sayso.flows.receive_mail import MAILBOX, Taken, receive_mail
from sayso.mail import listen
from sayso.mail.inbound import read
from sayso.mail.listen import listening
from sayso.rules.headers import mailto
from sayso.rules.tokens import Link, sign_link
from sayso.rules.words import Scope
from shared_files import shared

MAILBOX_ADDRESS = "unsubscribe@sayso.example"
HEADERS = "From: ada@example.com\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <1@example.com>\r\n{more}\r\n{body}\r\n"


def mail(to: str = MAILBOX_ADDRESS, subject: str = "unsubscribe", more: str = "", body: str = "") -> bytes:
    return HEADERS.format(to=to, subject=subject, more=more, body=body).encode()


async def link_of(office: Office, scope: Scope = PROMO) -> Link:
    await office.meet_ada()
    page = await office.hub.book.read([ADA, ADAS_MAIL])
    return Link(bytes.fromhex(page.keys[ADA]), bytes.fromhex(page.keys[ADAS_MAIL]), scope)


async def take(office: Office, arrived: Arrived) -> Taken:
    return await receive_mail(
        arrived, book=office.hub.book, ring=RING, mail_keys=office.mail_keys(), inbox=office.inbox(), ground=office.ground
    )


async def stopped(office: Office) -> list[tuple[str, str, str]]:
    """Source, door and category of every opt-out of Ada, each once."""
    page = await office.hub.book.read([ADA, ADAS_MAIL])
    entries = await office.hub.book.entries(sorted(page.keys.values()), kinds=("choice",))
    return sorted({(one.fields["src"], one.fields["via"], one.fields["scope"][2]) for one in entries if one.fields["effect"] == "applied"})


@pytest.mark.feature("G13", "H2", "R15")
@pytest.mark.parametrize("mailbox", [MAILBOX_ADDRESS, f"{'long-' * 11}name@sayso.example"])
async def test_the_mailto_half_of_a_header_stops_its_scope_whatever_else_the_mail_says(office: Office, mailbox: str) -> None:
    (key,) = await office.mail_keys().keep([await link_of(office)])
    url = mailto(mailbox, key)
    address, _, query = url.removeprefix("mailto:").partition("?subject=")
    raw = mail(address.upper(), query.replace("%20", " "), body="please stay subscribed! STOP")
    assert await take(office, read(raw)) == Taken("opted_out")
    assert await stopped(office) == [("email_link", "c:mail", "promotional")]
    assert await take(office, read(raw)) == Taken("repeated")
    own = await office.hub.pool.fetchval("SELECT count(*) FROM entry WHERE convert_from(leaf, 'UTF8')::json ->> 'own' = '1'")
    assert own == 4  # Ada's row and her address's, twice: the repeat is kept too


@pytest.mark.feature("G13")
async def test_a_link_in_the_subject_or_the_text_will_do_where_there_is_no_key(office: Office) -> None:
    token, other = sign_link(RING, await link_of(office)), sign_link(RING, await link_of(office, EVENTS), fresh_until=1_000_000)
    assert (await take(office, read(mail(subject=f"stop {token}")))).outcome == "opted_out"
    quoted = f"please stop\r\n> {URL}/preferences/{other[:60]}=\r\n{other[60:]}".replace("&", "=26")
    raw = mail(more="Content-Transfer-Encoding: quoted-printable\r\n", body=quoted)
    assert (await take(office, read(raw))).outcome == "opted_out"  # an expired fresh link goes on as an ordinary one
    assert [category for _, _, category in await stopped(office)] == ["events", "promotional"]


@pytest.mark.feature("G13")
@pytest.mark.parametrize(
    ("more", "sender", "why"),
    [
        ("Auto-Submitted: auto-replied\r\n", "ada@example.com", "auto_submitted"),
        ("Auto-Submitted: Auto-Generated; owner=x\r\n", "ada@example.com", "auto_submitted"),
        ("Return-Path: <>\r\n", None, "empty_return_path"),
        ("", "", "empty_return_path"),
        ("", "<>", "empty_return_path"),
        ("Precedence: Bulk\r\n", "ada@example.com", "precedence"),
        ("Precedence: auto_reply\r\n", "ada@example.com", "precedence"),
        ("X-Auto-Response-Suppress: OOF\r\n", "ada@example.com", "auto_response_suppress"),
        ("List-Id: <list.example.com>\r\n", "ada@example.com", "list"),
    ],
)
async def test_automatic_replies_stop_nothing(office: Office, more: str, sender: str | None, why: str) -> None:
    (key,) = await office.mail_keys().keep([await link_of(office)])
    arrived = read(mail(more=more), recipients=[f"unsubscribe+{key}@sayso.example"], sender=sender)
    assert await take(office, arrived) == Taken("automatic", why)
    assert await stopped(office) == []


async def test_a_person_s_mail_is_not_taken_for_a_machine_s(office: Office) -> None:
    (key,) = await office.mail_keys().keep([await link_of(office)])
    more = "Auto-Submitted: no\r\nPrecedence: first-class\r\nReturn-Path: <ada@example.com>\r\nX-Auto-Response-Suppress: None\r\n"
    arrived = read(mail(more=more), recipients=[f"unsubscribe+{key}@sayso.example"])
    assert (await take(office, arrived)).outcome == "opted_out"


@pytest.mark.feature("G13")
async def test_a_mail_that_names_nobody_is_kept_for_a_person_to_look_at(office: Office) -> None:
    await link_of(office)
    for raw in (
        mail(),
        mail(subject="unsubscribe " + "a" * 24),
        mail(body="1.k1.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA"),
        b"\xff\xfe no mail at all",
    ):
        assert (await take(office, read(raw))).outcome == "odd"
    assert await office.inbox().count_odd(MAILBOX) == 4
    kept = await office.inbox().odd(MAILBOX, 10)
    assert {one.call.body for one in kept} >= {mail()}
    assert await stopped(office) == []


async def test_somebody_who_was_erased_is_taken_note_of_and_nothing_is_written(office: Office) -> None:
    (key,) = await office.mail_keys().keep([await link_of(office)])
    await office.hub.pool.execute("DELETE FROM subject_key")
    arrived = read(mail(), recipients=[f"unsubscribe+{key}@sayso.example"])
    assert await take(office, arrived) == Taken("gone")


def test_mails_of_the_world_are_read_without_complaint() -> None:
    folder = shared("corpora/bounces-sisimai")
    places = sorted(place for place in folder.rglob("*") if place.suffix in (".eml", ".txt"))[::3]
    found = [read(place.read_bytes()) for place in places]
    assert len(found) > 50
    assert [one.tokens for one in found if one.tokens] == []


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\r\n\r\n", b"Subject: =?utf-8?b?\xff\xfe?=\r\n\r\n", b"Subject: =?nope?q?x?=\r\nTo: \xff@\xff\r\n\r\n", b"\x00" * 4096,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" * 5_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3_000)),
        b"Content-Type: text/plain; charset=utf-7; charset=x\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!=\r\n",
        b"To: " + b"a@b, " * 100_000 + b"\r\n\r\n",
    ],
    ids=range(9),
)  # fmt: skip
def test_hostile_mails_are_read_without_complaint(raw: bytes) -> None:
    assert read(raw).keys == ()


@pytest.fixture
async def box(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Office, int, list[str]]]:
    """A mailbox that listens, its port, and what became of each mail; `down` in there stands for a store that is away."""
    office, became = office_over(hub, tmp_path), list[str]()

    async def answer(arrived: Arrived) -> None:
        if "down" in became:
            raise Unavailable("the store is away")
        if "bug" in became:
            raise RuntimeError("a bug")
        became.append((await take(office, arrived)).outcome)

    async with listening("127.0.0.1", 0, MAILBOX_ADDRESS, answer) as port:
        yield office, port, became


def deliver(port: int, sender: str, to: list[str], raw: bytes) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as server:
        return server.sendmail(sender, to, raw)


@pytest.mark.feature("G13", "H2")
async def test_the_listener_takes_mail_for_its_mailbox_and_relays_nothing(box: tuple[Office, int, list[str]]) -> None:
    office, port, became = box
    (key,) = await office.mail_keys().keep([await link_of(office)])
    await asyncio.to_thread(deliver, port, "ada@example.com", [f"Unsubscribe+{key.upper()}@SAYSO.example"], mail("somebody@else.example"))
    assert became == ["opted_out"]
    assert await stopped(office) == [("email_link", "c:mail", "promotional")]
    for foreign in ("ada@example.com", "postmaster@sayso.example", f"unsubscribe+{key}@example.com", f"unsubscribe{key}@sayso.example"):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            await asyncio.to_thread(deliver, port, "ada@example.com", [foreign], mail())
        assert next(iter(refused.value.recipients.values()))[0] == 550
    await asyncio.to_thread(deliver, port, "", [f"unsubscribe+{key}@sayso.example"], mail())
    assert became == ["opted_out", "automatic"]


@pytest.mark.feature("G13")
async def test_while_the_store_is_away_the_sending_server_keeps_the_mail(box: tuple[Office, int, list[str]]) -> None:
    office, port, became = box
    (key,) = await office.mail_keys().keep([await link_of(office)])
    for trouble in ("down", "bug"):
        became.append(trouble)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await asyncio.to_thread(deliver, port, "ada@example.com", [f"unsubscribe+{key}@sayso.example"], mail())
        assert refused.value.smtp_code == 451
        became.clear()
    await asyncio.to_thread(deliver, port, "ada@example.com", [f"unsubscribe+{key}@sayso.example"], mail())
    assert became == ["opted_out"]


async def test_a_large_mail_is_taken_and_a_huge_one_is_not(box: tuple[Office, int, list[str]]) -> None:
    office, port, became = box
    (key,) = await office.mail_keys().keep([await link_of(office)])
    to = [f"unsubscribe+{key}@sayso.example"]
    await asyncio.to_thread(deliver, port, "ada@example.com", to, mail(body="x" * 70 + "\r\n") + b"y" * 900_000)
    assert became == ["opted_out"]
    with pytest.raises(smtplib.SMTPException):
        await asyncio.to_thread(deliver, port, "ada@example.com", to, mail() + (b"y" * 900 + b"\r\n") * (listen.LARGEST // 900))
    assert became == ["opted_out"]


async def test_too_many_talks_at_once_are_put_off(box: tuple[Office, int, list[str]]) -> None:
    _, port, _ = box
    talks = [await asyncio.open_connection("127.0.0.1", port) for _ in range(listen.AT_ONCE)]
    assert [(await reader.readline())[:3] for reader, _ in talks] == [b"220"] * listen.AT_ONCE
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert (await reader.readline())[:3] == b"421"
    for _, one in (*talks, (reader, writer)):
        one.close()
        await one.wait_closed()


@pytest.mark.feature("G13", "R15")
def test_the_pipe_answers_mail_servers_in_their_own_codes(
    sayso: Sayso, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    from sayso.cli import app

    def pipe(raw: bytes, *more: str) -> tuple[int, str, str]:
        try:
            done = CliRunner().invoke(app, ["receive-mail", *more], input=raw)
        finally:
            structlog.reset_defaults()  # a command logs to its own stderr, which ends with it
        return done.exit_code, done.stdout, done.stderr

    key = asyncio.run(key_in(database, tmp_path))
    assert pipe(mail(f"unsubscribe+{key}@sayso.example"), "--json") == (0, '{"outcome": "opted_out", "detail": ""}\n', "")
    assert pipe(mail(), "--recipient", f"unsubscribe+{key}@sayso.example", "--sender", "ada@example.com") == (0, "", "")
    code, out, err = pipe(mail())
    assert (code, out) == (0, "") and "odd: it names no key and no link of ours; kept as " in err
    assert pipe(mail(), "--sender", "", "--json")[1] == '{"outcome": "automatic", "detail": "empty_return_path"}\n'
    assert pipe(b"  \n")[0] == 65
    monkeypatch.setenv("SAYSO_DATABASE_URL", database.replace("@", "@nobody.invalid,").replace("nobody.invalid,", "", 1) + "x_gone")
    assert pipe(mail(f"unsubscribe+{key}@sayso.example"))[0] == 75
    monkeypatch.setenv("SAYSO_SURPRISE", "1")
    assert pipe(mail(f"unsubscribe+{key}@sayso.example"))[0] == 75


async def key_in(database: str, folder: Path) -> str:
    """A mail key for Ada in the hub of this folder."""
    from sayso.flows.record import Said, record
    from sayso.opening import opened
    from sayso.rules.statements import Voice
    from sayso.settings import read as settings
    from sayso.store.messages import PostgresMailKeys

    async with opened(settings({"SAYSO_DATA_DIR": str(folder / "data"), "SAYSO_DATABASE_URL": database}, cwd=folder)) as parts:
        ground = await parts.current.ground()
        await record(Said(Voice("api", False, "c:x:api", "c:x"), contact=ADA, ties=((ADAS_MAIL, True),)), book=parts.book, ground=ground)
        sub = (await parts.book.read([ADA])).keys[ADA]
        (key,) = await PostgresMailKeys(parts.pool, parts.keys.pepper).keep([Link(bytes.fromhex(sub), None, PROMO)])
    return key
