"""Listen: a small mail server for the one mailbox that takes opt-outs. It takes mail for that mailbox only and relays nothing.

It runs in the event loop of its process, answers 250 once a mail was dealt with, and 451 while the store is away, so that the sending
server brings it again: nothing is kept that was not recorded.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from sayso.contracts.book import Unavailable
from sayso.contracts.mailer import Arrived
from sayso.mail.inbound import read

log = structlog.get_logger("sayso.mail")

LARGEST: Final = 10 << 20
"""Bytes of one mail. An opt-out with a large signature is one all the same."""
LONGEST_LINE: Final = 1 << 20
"""Longer than the standard's 998 characters: who writes such lines wants to stop something all the same."""
AT_ONCE: Final = 20
IDLE_SECONDS: Final = 60.0
RECIPIENTS: Final = 20

Take = Callable[[Arrived], Awaitable[object]]
"""Deals with one mail. Raises Unavailable when it must be brought again."""


class Mailbox:
    """What the server does with each step of a talk (aiosmtpd calls these by name)."""

    def __init__(self, mailbox: str, take: Take) -> None:
        self._local, _, self._domain = mailbox.lower().rpartition("@")
        self._take = take

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        """Takes the mailbox itself and whatever stands behind its ``+``."""
        local, _, domain = address.lower().rpartition("@")
        if domain != self._domain or (local != self._local and not local.startswith(f"{self._local}+")):
            return "550 5.1.1 No such mailbox here"
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Records what the mail says before it is acknowledged."""
        content = envelope.original_content or b""
        try:
            await self._take(read(content, recipients=envelope.rcpt_tos, sender=envelope.mail_from or ""))
        except Unavailable:
            return "451 4.3.0 Try again later"
        except Exception:  # whatever it was, the mail must come again rather than be lost
            log.exception("mail could not be dealt with")
            return "451 4.3.0 Try again later"
        return "250 2.0.0 Recorded"


class _Full(asyncio.Protocol):
    """Sends away whoever comes while too many are served."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"421 4.3.2 Too busy, try again later\r\n")
        transport.close()


class _Counted(SMTP):
    """One talk, counted while it lasts."""

    line_length_limit = LONGEST_LINE

    def __init__(self, open_talks: set["_Counted"], *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._open_talks = open_talks
        open_talks.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_talks.discard(self)
        super().connection_lost(error)


@asynccontextmanager
async def listening(host: str, port: int, mailbox: str, take: Take) -> AsyncIterator[int]:
    """The port that is listened on (0 chooses one) until the block ends. Raises OSError when it cannot be listened on."""
    loop, talks = asyncio.get_running_loop(), set[_Counted]()

    def answer() -> asyncio.Protocol:
        if len(talks) >= AT_ONCE:
            return _Full()
        return _Counted(
            talks, Mailbox(mailbox, take), loop=loop, hostname=mailbox.rpartition("@")[2], ident="ESMTP", data_size_limit=LARGEST,
            timeout=IDLE_SECONDS, enable_SMTPUTF8=True,
        )  # fmt: skip

    server = await loop.create_server(answer, host, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()
