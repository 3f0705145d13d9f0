"""Wiring of people's own doors: what they stand on, from the parts of a hub."""

from fastapi import FastAPI

from sayso.contracts.center import House
from sayso.flows.present import Sources
from sayso.opening import Parts
from sayso.store.center import PostgresPages
from sayso.store.letters import PostgresLetters
from sayso.store.messages import PostgresSent
from sayso.web.api import center, center_texts, references
from sayso.web.center.parts import CenterParts
from sayso.web.center.routes import center_router
from sayso.web.center.showing import ShownPages


def open_center(app: FastAPI, parts: Parts) -> None:
    """Opens people's own doors on an app, and those that say what they look like."""
    app.state.center = center_parts_of(parts)
    for router in (center_router(), center.router, center_texts.router, references.router):
        app.include_router(router)


def center_parts_of(parts: Parts) -> CenterParts:
    """The parts of people's own doors."""
    settings = parts.settings
    pages = PostgresPages(parts.pool, parts.tools.vault)

    def house(brand: str) -> House:
        said = settings.brand(brand)
        return House(said.company, said.privacy_url, said.postal_address)

    return CenterParts(
        ring=parts.keys.token_ring,
        sources=Sources(parts.book, parts.spokes, PostgresSent(parts.pool, parts.tools), PostgresLetters(parts.pool, parts.tools)),
        pages=pages,
        ground=parts.current.ground,
        showing=ShownPages(pages, parts.current.ground),
        entries_within=pages.entries_within,
        house=house,
        embed_origins=lambda brand: settings.brand(brand).embed_origins,
        trusted_proxies=settings.trusted_proxies,
    )
