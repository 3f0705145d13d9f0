"""The parts that the doors of connections take from `request.app.state.spokes`, and how connections are written on the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Request

from sayso.contracts.connector import Connector
from sayso.contracts.feed import Feed
from sayso.contracts.spokes import Connection, Delivery, NoSuchConnection
from sayso.flows.connect import Setup, secret_keys
from sayso.flows.receive import Ears
from sayso.rules.times import format_time
from sayso.web.errors import Problem


@dataclass(frozen=True, slots=True)
class SpokeParts:
    """The parts of one web process that talk about connections. `origin` names the log that grows now, which cursors belong to."""

    setup: Setup
    ears: Ears
    feed: Feed
    origin: Callable[[], str]


def spoke_parts(request: Request) -> SpokeParts:
    """The parts of the process that a request came to."""
    parts: SpokeParts = request.app.state.spokes
    return parts


async def found(parts: SpokeParts, raw: str, *, connector: str | None = None) -> Connection:
    """The connection of an id in a path; 404 for one that is unknown, gone, or of another connector than asked for."""
    try:
        connection = await parts.setup.spokes.connection(UUID(raw))
    except (ValueError, NoSuchConnection):
        raise Problem("not_found", "There is no connection of this id.") from None
    if connector is not None and connection.connector != connector:
        raise Problem("not_found", "There is no webhook of this id.")
    return connection


def connector_of(parts: SpokeParts, connection: Connection) -> Connector:
    """The translator of a connection; 503 while its package is not installed."""
    connector = parts.setup.connectors.get(connection.connector)
    if connector is None:
        raise Problem("unavailable", f"The connector {connection.connector} is not installed here.")
    return connector


def shown(connection: Connection, parts: SpokeParts, public_url: str) -> dict[str, Any]:
    """A connection on the wire: no secret, only the names of those that are set."""
    connector = parts.setup.connectors.get(connection.connector)
    hidden = secret_keys(connector) if connector else frozenset(connection.settings.values)
    values = connection.settings.values
    hears = connector is not None and connector.about.hears
    return {
        "id": str(connection.id),
        "connector": connection.connector,
        "name": connection.name,
        "business_unit": connection.brand,
        "description": connection.description,
        "state": connection.state,
        "cause": connection.cause,
        "settings": {key: value for key, value in values.items() if key not in hidden},
        "secrets_set": sorted(key for key, value in values.items() if key in hidden and value and key != "retire_at"),
        "hook_url": f"{public_url}/hooks/{connection.id}" if hears else None,
        "backfilled": connection.backfilled,
        "pulled_at": format_time(connection.pulled_at) if connection.pulled_at else None,
        "created_at": format_time(connection.created_at),
    }


def shown_delivery(delivery: Delivery) -> dict[str, Any]:
    """One attempt on the wire, redacted; its content is null once its day's key was destroyed."""
    return {
        "id": str(delivery.id),
        "webhook_id": str(delivery.delivery) if delivery.delivery else None,
        "time": format_time(delivery.at),
        "status": delivery.status or None,
        "milliseconds": delivery.milliseconds,
        "outcome": delivery.outcome,
        "attempt": dict(delivery.attempt) if delivery.attempt else None,
    }
