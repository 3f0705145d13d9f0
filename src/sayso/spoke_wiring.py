"""Wiring of the spokes: the parts of their doors, and what a worker does for them beside telling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sayso.contracts.portrait import Portrait, Portray
from sayso.contracts.spokes import Connection
from sayso.flows.connect import Setup, retire
from sayso.flows.emit import emit
from sayso.flows.portray import Recent, portray
from sayso.flows.pull import pull, read_back
from sayso.flows.receive import Ears, finish
from sayso.opening import Parts
from sayso.store.connecting import PostgresConnecting
from sayso.store.feed import PostgresFeed
from sayso.store.inbox import PostgresInbox
from sayso.web.spokes import SpokeParts


def portray_of(parts: Parts, recent: Recent | None = None) -> Portray:
    """Portraits as the catalogue in force has them; with `recent`, those of the last seconds are not drawn again."""

    async def portrayed(subs: Sequence[str], brand: str | None) -> Mapping[str, Portrait]:
        return await portray(subs, brand, book=parts.book, ground=await parts.current.ground(), recent=recent)

    return portrayed


def ears_of(parts: Parts) -> Ears:
    """What hearing needs."""
    return Ears(PostgresInbox(parts.pool, parts.tools), parts.book, parts.spokes, portray_of(parts))


def setup_of(parts: Parts) -> Setup:
    """What setting up connections needs."""
    connecting = PostgresConnecting(parts.pool, parts.tools)
    return Setup(connecting, parts.spokes, parts.book, parts.engine, parts.connectors, parts.settings.webhook_allow)


def spoke_parts_of(parts: Parts) -> SpokeParts:
    """The parts of the spokes' doors."""
    return SpokeParts(setup_of(parts), ears_of(parts), PostgresFeed(parts.pool, parts.tools.vault), lambda: parts.origin)


@dataclass(slots=True)
class Beside:
    """What a worker does for a connection beside telling it how people stand."""

    parts: Parts
    setup: Setup = field(init=False)
    ears: Ears = field(init=False)
    feed: PostgresFeed = field(init=False)

    def __post_init__(self) -> None:
        self.setup, self.ears = setup_of(self.parts), ears_of(self.parts)
        self.feed = PostgresFeed(self.parts.pool, self.parts.tools.vault)

    async def backfill(self, connection: Connection) -> bool:
        """Plans work for everybody."""
        return await self.setup.connecting.backfill(connection)

    async def events(self, connection: Connection) -> bool:
        """Tells single events; ends secrets whose day is over."""
        connector = self.parts.connectors.get(connection.connector)
        if connector is None:
            return False
        ground = await self.parts.current.ground()
        fresh = await retire(connection, connecting=self.setup.connecting, ground=ground)
        return await emit(
            fresh, connector, feed=self.feed, spokes=self.parts.spokes, portray=self.ears.portray, drive=self.parts.engine, ground=ground
        )

    async def pull(self, connection: Connection) -> bool:
        """Asks what changed there, and after a whole round looks whether it holds what it acknowledged."""
        connector = self.parts.connectors.get(connection.connector)
        if connector is None:
            return False
        ground, connecting, drive = await self.parts.current.ground(), self.setup.connecting, self.parts.engine
        pulled = await pull(connection, connector, connecting=connecting, ears=self.ears, drive=drive, ground=ground)
        if pulled is None or pulled.problem:
            return False
        if not pulled.more:
            await read_back(connection, connector, connecting=connecting, ears=self.ears, drive=drive, ground=ground)
        return pulled.more

    async def repair(self) -> int:
        """Records calls that were kept and never finished."""
        return await finish(connectors=self.parts.connectors, ears=self.ears, ground=await self.parts.current.ground())
