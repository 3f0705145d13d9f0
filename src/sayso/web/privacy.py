"""The parts that the doors of people's rights take from `request.app.state.privacy`, and how an erasure is written on the wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from sayso.contracts.book import Book
from sayso.contracts.feed import Feed
from sayso.contracts.privacy import Erasure, Erasures, Informed
from sayso.contracts.spokes import Spokes
from sayso.flows.complete_erasure import informed
from sayso.flows.export_person import Archive
from sayso.rules.erasure import LONGEST, members
from sayso.rules.times import format_time


@dataclass(frozen=True, slots=True)
class Privacy:
    """What erasing and exporting need in one web process."""

    erasures: Erasures
    spokes: Spokes
    feed: Feed
    archive: Archive


def privacy_parts(request: Request) -> Privacy:
    """The parts of the process that a request came to."""
    parts: Privacy = request.app.state.privacy
    return parts


async def systems_of(erasure: Erasure, parts: Privacy, book: Book) -> Sequence[Informed]:
    """How far each connection is with an erasure."""
    rows = await book.read_subs([erasure.start]) if erasure.start else {}
    subs = [row.sub for row in members(rows[erasure.start], rows)] if erasure.start in rows else []
    return await informed(erasure, subs, erasures=parts.erasures, spokes=parts.spokes, feed=parts.feed)


def erasure_shown(erasure: Erasure, systems: Sequence[Informed]) -> dict[str, Any]:
    """An erasure on the wire: nothing in it leads to the person."""
    return {
        "id": str(erasure.id),
        "state": erasure.state,
        "accepted_at": format_time(erasure.accepted_at),
        "completed_at": format_time(erasure.completed_at) if erasure.completed_at else None,
        "completed_at_the_latest": format_time(erasure.accepted_at + LONGEST),
        "systems": [
            {
                "connection": str(one.connection), "connector": one.connector, "name": one.name, "state": one.state,
                "acknowledged_at": format_time(one.at) if one.at else None,
            }
            for one in systems
        ],
    }  # fmt: skip
