"""The forms single settings are written in: each function gives a typed value or raises ValueError with how to write it.

``raw`` is text from the environment, or whatever TOML made of a value. What may hold a password is never repeated in an error.
"""

import re
from dataclasses import dataclass, field
from email.utils import formataddr, parseaddr
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import phonenumbers

from sayso.rules.destinations import IPNetwork, parse_networks
from sayso.rules.subjects import InvalidAddress, parse_address
from sayso.rules.times import DAY, parse_duration
from sayso.store.reach import servers

_HOST = re.compile(r"[A-Za-z0-9_.:%-]{1,253}")
_MAIL_FORM = "write smtp://user:password@host:port, smtps://…, folder:/path or console:"
_DATABASE_FORM = "write postgresql://user:password@host/database"
_LISTENER_FORM = "write host:port, like 127.0.0.1:2525 or [::1]:2525"


@dataclass(frozen=True, slots=True)
class MailRoute:
    """Where outgoing mail goes: ``smtp``/``smtps`` to host and port, ``folder`` (one .eml a message), or ``console``."""

    kind: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """A host and port to listen on."""

    host: str
    port: int


def text(raw: object) -> str:
    """A non-empty text on one line."""
    if not isinstance(raw, str) or not raw.isprintable() or not raw.strip():
        raise ValueError("must be one line of text (in TOML in quotes), not empty, without control characters")
    return raw.strip()


def number(raw: object) -> int:
    """A whole number from 1."""
    if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,9}", raw.strip()):
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool) or not 1 <= raw <= 10**9:
        raise ValueError(f"{raw!r} is not a whole number from 1")
    return raw


def port(raw: object) -> int:
    """A TCP port."""
    found = number(raw)
    if found > 65_535:
        raise ValueError(f"{found} is not a port: it lies between 1 and 65535")
    return found


def host(raw: object) -> str:
    """A name or address to listen on (no brackets, no port)."""
    found = text(raw)
    if not _HOST.fullmatch(found):
        raise ValueError(f"{found!r} is not a host: write a name or address without scheme and port, like 127.0.0.1 or ::1")
    return found


def window(raw: object) -> int:
    """A duration in microseconds, at most a day."""
    found = parse_duration(text(raw))
    if found > DAY:
        raise ValueError("must be at most 1d")
    return found


def country(raw: object) -> str:
    """An ISO 3166 alpha-2 country code in capitals."""
    found = text(raw).upper()
    if found == "UK":
        raise ValueError("'UK' is not an ISO 3166 code: write GB")
    if found not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{found!r} is not a country: write its two letters from ISO 3166, like US or DE")
    return found


def networks(raw: object) -> tuple[IPNetwork, ...]:
    """A list of networks, in TOML also as a list of texts."""
    if isinstance(raw, list) and all(isinstance(one, str) for one in raw):
        return parse_networks(" ".join(raw))
    return parse_networks(text(raw))


def address(raw: object) -> str:
    """A bare e-mail address."""
    try:
        return parse_address("email", text(raw), default_region=None).given
    except InvalidAddress as error:
        raise ValueError(error.detail) from None


def mailbox(raw: object) -> str:
    """An e-mail address with or without a name: ``Name <address>``."""
    name, bare = parseaddr(text(raw))
    place = address(bare or "?")
    # formataddr would encode other letters for the wire; here the mailbox is still shown to people.
    return formataddr((name, place)) if name.isascii() else '"' + name.replace('"', "'") + f'" <{place}>'


def url(raw: object) -> str:
    """A web address that other paths can be put behind: no query, no fragment, no slash at the end."""
    found = text(raw)
    parts = _split(found, "write it like https://preferences.example.com")
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or "?" in found or "#" in found:
        raise ValueError("must be a web address without user, query or fragment, like https://preferences.example.com")
    return found.rstrip("/")


def origins(raw: object) -> tuple[str, ...]:
    """Origins of websites: scheme, host and port, with white space or commas between; in TOML also as a list of texts."""
    texts = raw if isinstance(raw, list) and all(isinstance(one, str) for one in raw) else re.split(r"[\s,]+", text(raw))
    found = [url(one).lower() for one in texts if one]
    for one in found:
        if urlsplit(one).path:
            raise ValueError(f"{one} is not an origin: write scheme and host only, like https://www.example.com")
    return tuple(dict.fromkeys(found))


def database_url(raw: object) -> str:
    """A PostgreSQL connection URL; it may name several servers, of which one takes writes."""
    found = text(raw)
    if any(_split(one, _DATABASE_FORM).scheme not in ("postgresql", "postgres") for one in _servers(found)):
        raise ValueError("must begin with postgresql://, like postgresql://user:password@host/database")
    return found


def _servers(url: str) -> list[str]:
    try:
        return servers(url)
    except ValueError:
        raise ValueError(f"not a URL: {_DATABASE_FORM}; of several hosts, one port for all or one for each") from None


def listener(raw: object) -> Listener:
    """``host:port``, an IPv6 address in brackets."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/@\s]+)):(\d{1,5})", text(raw), re.ASCII)
    if found is None:
        raise ValueError(_LISTENER_FORM)
    return Listener(host(found[1] or found[2]), port(found[3]))


def mail_route(raw: object, data_dir: Path) -> MailRoute:
    """The route a mail URL names; ``folder:`` alone is the folder ``mail`` under the data folder.

    Ports left out are 465 for smtps, 587 for smtp with a user, 25 without.
    """
    found = text(raw)
    parts = _split(found, _MAIL_FORM)
    if parts.scheme == "console" and found.rstrip("/") == "console:":
        return MailRoute("console")
    if parts.scheme == "folder" and not parts.netloc:
        return MailRoute("folder", folder=data_dir / unquote(parts.path or "mail"))
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(_MAIL_FORM)
    usual = 465 if parts.scheme == "smtps" else 587 if parts.username else 25
    return MailRoute(parts.scheme, parts.hostname, parts.port or usual, unquote(parts.username or ""), unquote(parts.password or ""))


def _split(found: str, form: str) -> SplitResult:
    # The parser's own words may repeat a password (it takes one for a port when an @ is missing).
    try:
        parts = urlsplit(found)
        _ = parts.port
    except ValueError:
        raise ValueError(f"not a URL: {form}") from None
    return parts
