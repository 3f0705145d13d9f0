"""The fake inbox: mails that a demonstration puts into a folder instead of sending them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from sayso.web.console.pages import page
from sayso.web.console.parts import Console

NEWEST: Final = 20
LARGEST: Final = 262_144
SHOWN: Final = ("From", "To", "Subject", "Date", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted")
_URL: Final = re.compile(r"(https?://[^\s<>\"]+)")


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as the inbox shows it; `one_click` is its List-Unsubscribe header, empty without one."""

    name: str
    to: str
    subject: str
    date: str
    one_click: str


@dataclass(frozen=True, slots=True)
class Opened:
    """One mail, opened: the headers that matter, and its plain text in pieces, each with the path it leads to here ("" for plain words)."""

    subject: str
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[tuple[str, str], ...] = field(repr=False)


async def show(request: Request) -> Response:
    """GET /inbox/{name}: one mail."""
    console: Console = request.app.state.console
    found = opened(console.mail_folder, request.path_params["name"], console.base_url)
    values = {"q": "", "mail": found}
    return page(request, "mail.html", values, status=200 if found else 404)


def mails(folder: Path | None) -> list[Mail]:
    """The newest mails of the folder; none where there is no folder yet. Files that are no mails are shown by their name."""
    return [_mail(place) for place in _files(folder)[:NEWEST]]


def opened(folder: Path | None, name: str, base: str) -> Opened | None:
    """The mail of this name, None where there is none. Only what lies in the folder itself is ever opened."""
    place = next((one for one in _files(folder) if one.name == name), None)
    if place is None:
        return None
    message = _read(place)
    headers = tuple((header, _line(message, header)) for header in SHOWN if header in message)
    body = message.get_body(("plain",))
    text = str(body.get_content()) if body is not None else ""
    return Opened(_line(message, "Subject") or name, headers, tuple((piece, _path(piece, base)) for piece in _URL.split(text) if piece))


def _path(piece: str, base: str) -> str:
    """Where a piece of text leads here; links that lead anywhere else are shown and not made."""
    return piece.removeprefix(base) if piece.startswith(base + "/") else ""


def _files(folder: Path | None) -> Sequence[Path]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(folder.glob("*.eml"), key=lambda place: place.stat().st_mtime, reverse=True)


def _read(place: Path) -> EmailMessage:
    with place.open("rb") as file:
        return message_from_bytes(file.read(LARGEST), policy=policy.default)


def _line(message: EmailMessage, header: str) -> str:
    return " ".join(str(message.get(header, "")).split())[:500]


def _mail(place: Path) -> Mail:
    message = _read(place)
    head = {name: _line(message, name) for name in ("To", "Subject", "Date", "List-Unsubscribe")}
    return Mail(place.name, head["To"], head["Subject"] or place.name, head["Date"], head["List-Unsubscribe"])
