"""Handing mail over: to real mail servers that take it, refuse it or fail in the middle, to a folder, to the console."""

import asyncio
import io
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from postoffice import ADA, ADAS_MAIL, EVENTS, PROMO, RING, Office, links, post_server, stop

from sayso.contracts.book import Unavailable
from sayso.contracts.letters import Changed, Offer
from sayso.contracts.mailer import Mail, NeverTaken, NotNow
from sayso.flows.send_mail import BEGUN_WITHIN, send_mail
from sayso.mail.submit import to_console, to_folder, to_smtp
from sayso.rules.statements import Voice
from sayso.rules.tokens import read, read_undo
from sayso.rules.words import Scope

MAIL = Mail(UUID("019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e00"), "ada@example.com", b"Subject: Hello\r\n\r\nHello Ada.\r\n.\r\nEnd.\r\n")


@pytest.mark.feature("G5")
async def test_a_mail_server_gets_the_mail_with_an_empty_return_path(office: Office) -> None:
    await office.meet_ada()
    async with post_server() as server:
        await office.say(stop())
        await office.confirm()
        await office.send(server.submit)
        ((sender, to, raw),) = server.took
    assert (sender, to) == ("<>", ["ada@example.com"])
    assert raw == office.outbox[0].raw
    assert (await office.states())[0][1] == "sent"


async def test_addresses_of_other_scripts_are_sent_as_such() -> None:
    async with post_server() as server:
        raw = "To: adä@example.com\r\n\r\nHello.\r\n".encode()
        await server.submit(replace(MAIL, to="adä@example.com", raw=raw))
        assert server.took == [("<>", ["adä@example.com"], raw)]


async def test_lines_that_begin_with_a_dot_arrive_as_they_are() -> None:
    async with post_server() as server:
        await server.submit(MAIL)
        assert server.took == [("<>", ["ada@example.com"], MAIL.raw)]


@pytest.mark.parametrize(
    ("rcpt", "data", "outcome"),
    [
        ("450 4.2.0 Greylisted, come back", "250 OK", NotNow),
        ("550 5.1.1 <ada@example.com> is unknown here", "250 OK", NeverTaken),
        ("554 5.7.1 <ada@example.com>: Relay access denied", "250 OK", NotNow),
        ("550 5.1.1 No mailbox named Ada here", "250 OK", NeverTaken),
        ("550 5.7.26 Unauthenticated sender", "250 OK", NotNow),
        ("250 OK", "451 4.3.0 Try again", NotNow),
        ("250 OK", "554 5.6.0 Content refused", NeverTaken),
        ("250 OK", "552 5.3.4 Too big", NeverTaken),
    ],
)
async def test_only_an_answer_about_the_recipient_or_the_mail_is_final(rcpt: str, data: str, outcome: type[Exception]) -> None:
    async with post_server() as server:
        server.rcpt, server.data = rcpt, data
        with pytest.raises(outcome) as told:
            await server.submit(MAIL)
        assert "ada" not in str(told.value).lower()
        assert server.took == []


async def test_a_server_that_is_away_falls_silent_or_hangs_up_is_asked_again_later() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.close()

    silent = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 5.3.2 no service today\r\n")
        writer.close()

    for behave in (hang_up, say_nothing, turn_away):
        server = await asyncio.start_server(behave, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotNow):
            await to_smtp("127.0.0.1", port, seconds=0.5)(MAIL)
        silent.set()
        server.close()
        await server.wait_closed()
    with pytest.raises(NotNow):
        await to_smtp("127.0.0.1", port, seconds=0.5)(MAIL)


async def test_a_password_is_given_where_it_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def without_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while line := await reader.readline():
            seen.append(line)
            verb = line.split()[0].upper()
            answers = {b"EHLO": b"250-hello\r\n250 AUTH PLAIN LOGIN\r\n", b"AUTH": b"235 2.7.0 welcome\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}  # fmt: skip
            writer.write(answers.get(verb, b"250 OK\r\n") if not line.startswith(b"Subject") else b"")
            if verb == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(without_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr("sayso.mail.submit._is_here", lambda host: False)
    with pytest.raises(NotNow, match="no encryption"):
        await to_smtp("127.0.0.1", port, user="sayso", password="geheim", seconds=5)(MAIL)
    assert not any(line.upper().startswith(b"AUTH") for line in seen)
    monkeypatch.undo()
    seen.clear()
    with pytest.raises(NotNow):  # this server takes no mail, but it was given the password
        await to_smtp("localhost", port, user="sayso", password="geheim", seconds=2)(MAIL)
    assert any(line.upper().startswith(b"AUTH") for line in seen)
    server.close()
    await server.wait_closed()


async def test_a_certificate_of_somebody_else_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = self_signed(tmp_path)

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr("sayso.mail.submit._is_here", lambda host: False)
    with pytest.raises(NotNow):
        await to_smtp("127.0.0.1", port, tls=True, seconds=5)(MAIL)
    server.close()
    await server.wait_closed()


def self_signed(folder: Path) -> ssl.SSLContext:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mallory.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    cert = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    place = folder / "server.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    place.write_bytes(secret + cert.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place)
    return context


async def test_a_folder_gets_one_whole_file_a_mail_also_when_it_is_tried_twice(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    submit = to_folder(folder)
    await submit(MAIL)
    await submit(MAIL)
    assert [place.name for place in folder.iterdir()] == [f"{MAIL.id}.eml"]
    assert (folder / f"{MAIL.id}.eml").read_bytes() == MAIL.raw
    (tmp_path / "file").touch()
    with pytest.raises(NotNow, match="folder"):
        await to_folder(tmp_path / "file")(MAIL)


async def test_the_console_shows_the_whole_mail() -> None:
    shown = io.StringIO()
    await to_console(lambda: shown)(MAIL)
    assert "Hello Ada." in shown.getvalue()


async def test_what_one_address_does_holds_up_nobody_else(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()
    refused: list[Any] = []

    async def first_one_fails(mail: Mail) -> None:
        if not refused:
            refused.append(mail)
            raise RuntimeError("a bug")

    assert await office.send(first_one_fails) == []
    office.turn(61_000_000)
    await office.say(stop(EVENTS))
    await office.confirm()
    office.turn(61_000_000)
    assert len(await office.send(first_one_fails)) == 2


async def test_a_worker_that_is_stopped_hands_back_what_it_has_in_hand(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()
    begun, never = asyncio.Event(), asyncio.Event()

    async def hang(mail: Mail) -> None:
        begun.set()
        await never.wait()

    work = asyncio.create_task(office.send(hang))
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    (mail,) = await office.send()
    assert mail["To"] == "ada@example.com"


async def test_a_letter_that_is_not_begun_in_time_is_left_to_the_next_worker(office: Office) -> None:
    await office.meet_ada()
    for _ in range(2):
        await office.say(stop())
        await office.say(stop(EVENTS))
        await office.confirm()
        office.turn(61_000_000)
        await office.say(stop(Scope("*", "email", "educational")))
        await office.confirm()
    office.turn(61_000_000)
    assert len(await office.states()) == 2
    handed: list[Mail] = []

    async def slow(mail: Mail) -> None:
        handed.append(mail)
        office.turn(BEGUN_WITHIN)

    await send_mail(
        letters=office.letters, room=replace(office.room, submit=slow), book=office.hub.book, ground=office.ground, limit=9, at_once=1
    )
    assert len(handed) == 1
    office.turn(BEGUN_WITHIN)
    assert len(await office.send()) == 1


async def test_an_offer_asks_whether_it_was_meant_and_undoes_for_as_long_as_it_says(office: Office) -> None:
    await office.meet_ada()
    done = await office.say(stop(), address=ADAS_MAIL, voice=Voice("one_click", True, "", "c:center"))
    assert done.ruling is not None
    page = await office.hub.book.read([ADA, ADAS_MAIL])
    changed = Changed(done.ruling.told[0].entries[0], "choice", PROMO, "not_set", "opted_out", office.now, "one_click")
    until = office.now + 30 * 86_400_000_000
    offer = Offer(page.keys[ADA], page.keys[ADAS_MAIL], (changed,), until, "es")
    assert await office.letters.put(page.keys[ADAS_MAIL], offer, now=office.now, once="burst") is not None
    (mail,) = await office.send()
    assert mail["Subject"] == "¿Se dio usted de baja de Northwind Outfitters?"
    right = read(RING, links(mail)["undo"], kinds=("undo", "confirm"), now=until - 1_000_000)
    assert read_undo(right).contact == bytes.fromhex(page.keys[ADA]) and read_undo(right).address == bytes.fromhex(page.keys[ADAS_MAIL])
    assert await office.letters.put(page.keys[ADAS_MAIL], offer, now=office.now) is not None
    office.turn(31 * 86_400_000_000)
    assert await office.send() == []
    assert (await office.states())[-1] == ("offer", "dropped", "it is too late to undo")


async def test_what_is_not_taken_for_thirty_days_is_set_aside(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()

    async def busy(mail: Mail) -> None:
        raise NotNow("connection refused")

    await office.send(busy)
    office.turn(31 * 86_400_000_000)
    await office.send(busy)
    assert await office.states() == [("confirmation", "parked", "tried for 30 days: connection refused")]


async def test_a_store_that_is_lost_on_the_way_leaves_the_letter_to_its_lease(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()

    async def lost(mail: Mail) -> None:
        raise Unavailable("the store is away")

    with pytest.raises(Unavailable):
        await office.send(lost)
    assert await office.send() == []
    office.turn(11 * 60_000_000)
    assert len(await office.send()) == 1


async def test_a_letter_that_no_key_opens_any_more_is_dropped(office: Office) -> None:
    await office.meet_ada()
    await office.say(stop())
    await office.confirm()
    await office.hub.pool.execute("UPDATE letter SET sealed = substring(sealed FROM 2)")
    assert await office.send() == []
    assert await office.states() == [("confirmation", "dropped", "erased")]
