"""The app: which door and which duty gets which part. The only wiring besides opening.py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from sayso.audience_wiring import screening_of
from sayso.burst_wiring import burst_duties_of, burst_parts_of, suspected_of
from sayso.center_wiring import open_center
from sayso.contracts.book import Unavailable
from sayso.contracts.connector import Connector
from sayso.contracts.ledger import LedgerRolledBack
from sayso.contracts.spokes import Connection
from sayso.flows.deliver import Round, deliver
from sayso.flows.portray import Recent
from sayso.flows.seal import seal
from sayso.flows.sequence import Sequenced, sequence
from sayso.mail_wiring import backlog_of, letters_of, mail_duties_of
from sayso.opening import Parts, compare_log, microseconds
from sayso.privacy_wiring import privacy_duties_of, privacy_of
from sayso.rules.footer import Sender
from sayso.spoke_wiring import Beside, portray_of, spoke_parts_of
from sayso.store.messages import PostgresMailKeys, PostgresSent
from sayso.store.segments import PostgresSegments
from sayso.web import hooks
from sayso.web.api import audiences, bursts, changes, connections, double_opt_in, links, messages, privacy, propagation, webhooks
from sayso.web.api.decisions import decisions_router
from sayso.web.api.messaging import Messaging
from sayso.web.app_parts import api_app
from sayso.web.asking import Asking, Campaigns
from sayso.web.auth import RateLimit, TokenCache, require
from sayso.web.docs import docs_router
from sayso.web.gate import gate_router
from sayso.web.health import health_router
from sayso.web.hot import HotLane
from sayso.web.hot_writes import HotWrites
from sayso.web.hub import Hub
from sayso.web.ledger import ledger_router
from sayso.worker import Duties, Worker


def hub_of(parts: Parts) -> Hub:
    """The hub as its doors see it."""
    return Hub(
        book=parts.book,
        desk=parts.desk,
        current=parts.current,
        callers=TokenCache(parts.desk.grant, parts.clocks.later),
        ring=parts.keys.token_ring,
        segments=PostgresSegments(parts.pool, parts.tools.vault),
        public_url=parts.settings.public_url,
        rate=RateLimit(parts.settings.rate_limit) if parts.settings.rate_limit else None,
    )


def web_app(parts: Parts) -> ASGIApp:
    """Every door of a hub, the hot lane in front."""
    hub = hub_of(parts)
    asking = Asking(parts.gatehouse, parts.current, Campaigns(parts.desk), parts.keys.permit_ring)
    app = api_app()
    app.state.hub = hub
    app.include_router(docs_router())
    app.include_router(gate_router(asking))
    app.include_router(decisions_router(asking))
    app.include_router(ledger_router(parts.log, guards=[require("audit:read", "email_preferences", "email_preferences:read")]))
    app.include_router(
        health_router(
            unready=lambda: unready(parts),
            accuracy=parts.spokes.accuracy,
            connections=parts.spokes.connections,
            log=parts.log,
            counts=(suspected_of(parts), backlog_of(parts)),
        )
    )
    app.state.spokes = spoke_parts_of(parts)
    app.state.screening = screening_of(parts)
    app.state.bursts = burst_parts_of(parts)
    app.state.letters = letters_of(parts)
    app.include_router(bursts.router)
    app.state.messaging = messaging_of(parts, asking.campaigns)
    app.state.privacy = privacy_of(parts)
    for router in (audiences.router, hooks.router, connections.router, webhooks.router, changes.router, propagation.router):
        app.include_router(router)
    for router in (links.router, messages.router, double_opt_in.router, privacy.router):
        app.include_router(router)
    open_center(app, parts)
    return HotLane(HotWrites(app, hub), hub, asking)


def messaging_of(parts: Parts, campaigns: Campaigns) -> Messaging:
    """What the doors about messages need."""

    def sender(brand: str) -> Sender:
        said = parts.settings.brand(brand)
        return Sender(said.company, said.postal_address, said.privacy_url)

    return Messaging(
        PostgresSent(parts.pool, parts.tools), PostgresMailKeys(parts.pool, parts.keys.pepper), parts.settings.unsubscribe_mailbox,
        parts.keys.permit_ring, campaigns, sender,
    )  # fmt: skip


async def unready(parts: Parts) -> str:
    """Why checks can only be denied just now; "" when the store is prepared, answers and is believed."""
    if not parts.ready.is_set():
        return "the store cannot be reached or is not prepared yet"
    try:
        await parts.log.newest()
    except Unavailable:
        return "the store cannot be reached"
    return f"checks deny, writes go on: {parts.doubt.why}" if parts.doubt.why else ""


def duties_of(parts: Parts) -> Duties:
    """What a worker of this hub does."""

    async def sequence_once() -> Sequenced:
        try:
            return await sequence(
                log=parts.log, anchor=parts.anchor, origin=parts.origin, private=parts.keys.ledger_key, now=microseconds()
            )
        except LedgerRolledBack as broken:
            await parts.log.stop(str(broken))  # for every process: others may have no anchor to compare with
            await compare_log(parts)
            raise

    async def seal_once() -> int:
        return await seal(gatehouse=parts.gatehouse, book=parts.book)

    async def checkpoint() -> str | None:
        signed = await parts.log.newest()
        return signed.note if signed else None

    drawn = portray_of(parts, Recent())

    async def deliver_once(connection: Connection, probing: bool) -> Round:
        connector = parts.connectors.get(connection.connector)
        if connector is None:
            return Round()
        return await deliver(
            connection, connector, spokes=parts.spokes, book=parts.book, drive=parts.engine, portray=drawn,
            checkpoint=checkpoint, ground=await parts.current.ground(), limit=1 if probing else limit_of(connector), early=probing,
            lifts=not parts.doubt.why,
        )  # fmt: skip

    beside = Beside(parts)
    return Duties(
        sequence=sequence_once, seal=seal_once, deliver=deliver_once, pull=beside.pull, events=beside.events, backfill=beside.backfill,
        repair=beside.repair, tidy=parts.tidy, spokes=parts.spokes, wait=parts.wake.wait,
        further=(*burst_duties_of(parts), *mail_duties_of(parts), *privacy_duties_of(parts)),
    )  # fmt: skip


@asynccontextmanager
async def working(parts: Parts) -> AsyncIterator[Worker]:
    """A worker at work until the block ends."""
    worker = Worker(duties_of(parts))
    await worker.open()
    try:
        yield worker
    finally:
        await worker.close()


def limit_of(connector: Connector) -> int:
    """How many changes one round takes: what the vendor takes in one request, for every request it takes at once.

    Where each change is a request of its own, twice as many: a slow answer keeps no other request waiting, and where none comes at all
    the round still ends before its lease.
    """
    about = connector.about
    return max(1, about.batch * about.pace.concurrency * (2 if about.batch == 1 else 1))
