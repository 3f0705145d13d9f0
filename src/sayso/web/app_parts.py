"""The API as an app: its doors, its envelope, its description."""

from collections.abc import Collection
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig

from sayso.web import errors, openapi
from sayso.web.api import (
    batch,
    blacklist,
    campaigns,
    catalogue,
    clients,
    contacts,
    events,
    oauth,
    optout_status,
    preferences,
    segments,
)  # fmt: skip
from sayso.web.envelope import Envelope

STREAMS: frozenset[str] = frozenset({"/api/v2/audience_checks"})
"""Paths whose bodies may have any size."""


_SILENT: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
"""Nothing is sent anywhere unless an operator asks for it; looking for somebody to send to took a third of each request."""


def api_routers() -> list[APIRouter]:
    """The routers of the API's doors."""
    doors = (oauth, preferences, batch, events, optout_status, blacklist, segments, catalogue, campaigns, clients, contacts)
    return [door.router for door in doors]


def api_app(*, streams: Collection[str] = STREAMS) -> FastAPI:
    """An app with every door of the API; the wiring sets `state.hub` before the first request and adds its own routers."""
    app = FastAPI(title="Sayso", version="2", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=_SILENT)
    errors.install(app)
    app.add_middleware(Envelope, base=lambda: app.state.hub.public_url, streams=streams)
    app.include_router(openapi.router)
    for router in api_routers():
        app.include_router(router)
    return app
