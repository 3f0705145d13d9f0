"""Submit: hands a mail to a mail server, a folder, or the console. What each of them answers becomes one of three outcomes.

Nothing raised: somebody else is answerable now. NotNow: not taken, or nobody knows. NeverTaken: this address, or this mail, never will be.
"""

import asyncio
import ipaddress
import os
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

import aiosmtplib

from sayso.contracts.mailer import Mail, NeverTaken, NotNow, Submit

SECONDS: Final = 30.0
"""How long a mail server may take for each step."""


def to_smtp(host: str, port: int, *, user: str = "", password: str = "", tls: bool = False, seconds: float = SECONDS) -> Submit:
    """Hands mails to a mail server; `tls` from the first byte (smtps), else STARTTLS wherever it is offered.

    A password is never sent in the clear, except to this machine, whose certificate need not be anybody's either.
    """
    here = _is_here(host)

    async def submit(mail: Mail) -> None:
        server = aiosmtplib.SMTP(
            hostname=host, port=port, timeout=seconds, use_tls=tls, start_tls=False if tls else None, validate_certs=not here,
            local_hostname=socket.gethostname(),
        )  # fmt: skip
        try:
            async with asyncio.timeout(seconds * 4):
                await server.connect()
                if user:
                    if not (tls or here or server.get_transport_info("sslcontext")):
                        raise NotNow(f"{host} offers no encryption, and a password is not sent without")
                    await server.login(user, password)
                options = [] if mail.to.isascii() and mail.raw.isascii() else ["SMTPUTF8"]
                await server.sendmail(mail.envelope_from, [mail.to], mail.raw, mail_options=options)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as failure:
            raise _outcome(failure, host, mail.to) from failure
        finally:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await _ended(server)

    return submit


def to_folder(folder: Path) -> Submit:
    """Writes one .eml a mail into a folder; each appears whole or not at all, and a second attempt replaces the first."""

    def write(mail: Mail) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = folder / f".{mail.id}.part"
        with part.open("wb") as file:
            file.write(mail.raw)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / f"{mail.id}.eml")

    async def submit(mail: Mail) -> None:
        try:
            await asyncio.to_thread(write, mail)
        except OSError as failure:
            raise NotNow(f"the folder cannot be written: {failure.strerror}") from failure

    return submit


def to_console(stream: Callable[[], TextIO] = lambda: sys.stdout) -> Submit:
    """Writes mails where people see them."""

    async def submit(mail: Mail) -> None:
        stream().write(f"{mail.raw.decode('utf-8', 'replace')}\n")
        stream().flush()

    return submit


def _outcome(failure: Exception, host: str, to: str) -> NotNow | NeverTaken:
    """What a failure means. Only an answer about this recipient or this mail is final; whatever is about us is mended, then tried again."""
    if isinstance(failure, aiosmtplib.SMTPRecipientsRefused) and failure.recipients:
        refused = failure.recipients[0]
        return _answered(refused.code, refused.message, to)
    if isinstance(failure, aiosmtplib.SMTPDataError | aiosmtplib.SMTPRecipientRefused):
        return _answered(failure.code, failure.message, to)
    if isinstance(failure, aiosmtplib.SMTPNotSupported):
        return NeverTaken(f"{host} cannot reach this address: {failure}")
    if isinstance(failure, aiosmtplib.SMTPResponseException):
        return NotNow(f"{host}: {failure.code} {_line(failure.message, to)}")
    return NotNow(f"{host}: {type(failure).__name__}")


def _answered(code: int, message: str, to: str) -> NotNow | NeverTaken:
    text = f"{code} {_line(message, to)}"
    # 5.7.x is about the sender's authentication, reputation or right to relay: somebody can mend that (standards section 2.2).
    policy = message.lstrip().startswith("5.7.") or "relay" in message.lower()
    return NeverTaken(text) if code >= 500 and not policy else NotNow(text)


def _line(message: str, to: str) -> str:
    """The first words of an answer without those that may name the recipient: this is logged, and kept longer than the person may be."""
    names = [piece for piece in re.split(r"[^\w]+", to.rpartition("@")[0].lower()) if len(piece) > 2]
    words = [word for word in message.split() if "@" not in word and not any(name in word.lower() for name in names)]
    return " ".join(words)[:200]


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _ended(server: aiosmtplib.SMTP) -> None:
    """Ends the talk politely where there still is one."""
    if not server.is_connected:
        return
    try:
        async with asyncio.timeout(5):
            await server.quit()
    finally:
        server.close()
