"""The fake inbox: mails that a demonstration puts into a folder instead of sending them."""

from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Final

NEWEST: Final = 20
LARGEST: Final = 262_144


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as the inbox shows it; `one_click` is its List-Unsubscribe header, empty without one."""

    name: str
    to: str
    subject: str
    date: str
    one_click: str


def mails(folder: Path | None) -> list[Mail]:
    """The newest mails of the folder; none where there is no folder yet. Files that are no mails are shown by their name."""
    if folder is None or not folder.is_dir():
        return []
    files = sorted(folder.glob("*.eml"), key=lambda place: place.stat().st_mtime, reverse=True)[:NEWEST]
    return [_mail(place) for place in files]


def _mail(place: Path) -> Mail:
    with place.open("rb") as file:
        message = message_from_bytes(file.read(LARGEST), policy=policy.default)
    head = {name: " ".join(str(message.get(name, "")).split())[:200] for name in ("To", "Subject", "Date", "List-Unsubscribe")}
    return Mail(place.name, head["To"], head["Subject"] or place.name, head["Date"], head["List-Unsubscribe"])
