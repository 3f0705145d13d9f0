"""Wires mail: where it goes, what a worker does for it, and what takes in what arrives."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from prometheus_client import Counter

from sayso.contracts.letters import OwnWords
from sayso.contracts.mailer import Arrived, Sender, Submit
from sayso.flows.confirm_changes import confirm_changes
from sayso.flows.examine import Finding
from sayso.flows.receive_mail import MAILBOX, Taken, receive_mail
from sayso.flows.send_mail import Mailroom, send_mail
from sayso.mail.compose import compose
from sayso.mail.listen import listening
from sayso.mail.submit import to_console, to_folder, to_smtp
from sayso.opening import Parts, microseconds
from sayso.rules.colours import LIGHT
from sayso.rules.times import MINUTE
from sayso.rules.words import ANY
from sayso.settings_forms import MailRoute
from sayso.store.center import PostgresPages
from sayso.store.feed import PostgresFeed
from sayso.store.inbox import PostgresInbox
from sayso.store.letters import PostgresLetters
from sayso.store.messages import PostgresMailKeys
from sayso.web.health import Count

log = structlog.get_logger("sayso.mail")

LOOK_EVERY: Final = 0.5
AT_ONCE: Final = 50
LATE: Final = 10 * MINUTE
"""A letter that waits longer than this has no worker to send it."""
TIDY_EVERY: Final = 3_600.0
LISTEN_AGAIN: Final = 30.0
RECEIVED: Final = Counter("sayso_mail_received", "Mails that came in, by what became of them.", ["outcome"])


def letters_of(parts: Parts) -> PostgresLetters:
    """Where letters are kept."""
    return PostgresLetters(parts.pool, parts.tools)


def submit_of(route: MailRoute) -> Submit:
    """Where the settings send mail to."""
    if route.kind == "console":
        return to_console()
    if route.folder is not None:
        return to_folder(route.folder)
    return to_smtp(route.host, route.port, user=route.user, password=route.password, tls=route.kind == "smtps")


def room_of(parts: Parts) -> Mailroom:
    """What writing and sending takes."""
    settings, pages = parts.settings, PostgresPages(parts.pool, parts.tools.vault)

    async def sender(brand: str) -> Sender:
        said, styles = settings.brand(brand), (await pages.live()).pages.styles
        style = styles.get(brand) or styles.get(ANY)
        colours = {**LIGHT, **(style.colours if style else {})}
        return Sender(said.company, said.mail_from, said.postal_address, said.privacy_url, colours["accent"], colours["on-accent"])

    mail_keys = PostgresMailKeys(parts.pool, parts.keys.pepper)
    return Mailroom(
        compose, submit_of(settings.mail_url), sender, parts.keys.token_ring, settings.public_url, settings.unsubscribe_mailbox, mail_keys
    )


def take_of(parts: Parts) -> Callable[[Arrived], Awaitable[Taken]]:
    """Deals with one mail that came in."""
    mail_keys, inbox = PostgresMailKeys(parts.pool, parts.keys.pepper), PostgresInbox(parts.pool, parts.tools)

    async def take(arrived: Arrived) -> Taken:
        ground = await parts.current.ground()
        taken = await receive_mail(arrived, book=parts.book, ring=parts.keys.token_ring, mail_keys=mail_keys, inbox=inbox, ground=ground)
        RECEIVED.labels(taken.outcome).inc()
        return taken

    return take


def backlog_of(parts: Parts) -> Count:
    """How many letters wait, fail and are parked, for machines that watch."""
    letters = letters_of(parts)

    async def read() -> Mapping[str, int]:
        held = await letters.backlog(microseconds())
        return {"waiting": held.waiting, "failing": held.failing, "parked": held.parked}

    return Count("sayso_letters", "Letters that are not sent: waiting, of these failing, and parked.", read, "state", gauge=True)


async def look_at_mail(parts: Parts) -> list[Finding]:
    """How mail stands, for `sayso doctor`."""
    settings = parts.settings
    held, odd = await letters_of(parts).backlog(microseconds()), await PostgresInbox(parts.pool, parts.tools).count_odd(MAILBOX)
    found = []
    if held.failing or held.oldest > LATE:
        why = f", because: {held.cause}" if held.cause else ""
        found.append(
            Finding("mail", "warn", f"{held.waiting} letters wait, {held.failing} of them were not taken{why}", "mend SAYSO_MAIL_URL")
        )
    if held.parked:
        fix = "see why; write to these people another way"
        found.append(Finding("mail", "warn", f"{held.parked} letters will never be taken; one of them because: {held.cause}", fix))
    if odd:
        fix = "look who they are from; they are kept for seven days"
        found.append(Finding("mail in", "warn", f"{odd} mails to the mailbox for opt-outs name nobody", fix))
    if settings.inbound_smtp is not None and settings.unsubscribe_mailbox is None:
        fix = "set SAYSO_UNSUBSCRIBE_MAILBOX"
        found.append(Finding("mail in", "warn", "SAYSO_INBOUND_SMTP is set, but no mailbox: nothing listens", fix))
    return found or [Finding("mail", "ok", f"{held.waiting} letters wait")]


def mail_duties_of(parts: Parts) -> tuple[tuple[str, Callable[[], Awaitable[float]]], ...]:
    """What a worker does for mail. It listens too: there is one worker where there are many web processes, and a port has one owner."""
    letters, room = letters_of(parts), room_of(parts)

    def words(number: int) -> OwnWords:
        return PostgresFeed(parts.pool, parts.tools.vault, number)

    async def confirm() -> float:
        more = await confirm_changes(words=words, newest=parts.log.log, letters=letters, now=microseconds())
        return 0.0 if more else LOOK_EVERY

    async def send() -> float:
        sent = await send_mail(letters=letters, room=room, book=parts.book, ground=await parts.current.ground(), limit=AT_ONCE)
        return 0.0 if sent == AT_ONCE else LOOK_EVERY

    async def tidy() -> float:
        await letters.tidy(microseconds())
        return TIDY_EVERY

    duties = (("confirm changes", confirm), ("send mail", send), ("forget letters", tidy))
    place, mailbox = parts.settings.inbound_smtp, parts.settings.unsubscribe_mailbox
    if place is None:
        return duties
    if mailbox is None:
        log.warning("nothing listens for mail", reason="SAYSO_INBOUND_SMTP is set, SAYSO_UNSUBSCRIBE_MAILBOX is not")
        return duties

    async def listen() -> float:
        try:
            async with listening(place.host, place.port, mailbox, take_of(parts)) as port:
                log.info("listening for mail", host=place.host, port=port, mailbox=mailbox)
                await asyncio.Event().wait()
        except OSError as taken:
            log.error("mail cannot be listened for", host=place.host, port=place.port, problem=taken.strerror)
        return LISTEN_AGAIN

    return (*duties, ("take in mail", listen))
