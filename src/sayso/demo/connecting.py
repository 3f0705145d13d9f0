"""Connecting the simulated vendors to the hub, with what they hold already: the story says they were connected all along."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from sayso.contracts.portrait import Portrait
from sayso.contracts.settings import Value
from sayso.contracts.spokes import Connection
from sayso.demo.seed import contact_key, email_key
from sayso.demo.story import CAST, Contact, contacts
from sayso.demo.world import GROUPS, NAMES, World
from sayso.flows.connect import Order, Setup, add, change
from sayso.flows.portray import portray
from sayso.opening import Parts, microseconds
from sayso.rules import telling, view
from sayso.rules.ids import RANDOM_BYTES, uuid7
from sayso.rules.times import DAY, HOUR, MINUTE, SECOND
from sayso.rules.words import ANY, Scope
from sayso.store.connecting import PostgresConnecting
from sayso.store.queries import load

QUERIES = {name: query.sql for name, query in load(Path(__file__).parent / "queries").items()}
CALLER = "c:demo"
TITLES = {"mailchimp": "Mailchimp", "sendgrid": "SendGrid", "shop": "Shop"}
ABOUT = {
    "mailchimp": "The audience of offers and news",
    "sendgrid": "Sends the campaigns; its groups stand for categories",
    "shop": "The webshop, told by webhook",
}
LIVE = 12
"""How many people the systems are really told about at the first start."""
CHUNK = 500
APART = 20 * MINUTE


def setup_of(parts: Parts) -> Setup:
    """The ports that setting up needs."""
    connecting = PostgresConnecting(parts.pool, parts.tools)
    return Setup(connecting, parts.spokes, parts.book, parts.engine, parts.connectors, parts.settings.webhook_allow)


async def connect(world: World, parts: Parts) -> None:
    """Makes the three connections, fills the vendors with what the hub holds, and marks them as in step."""
    setup, ground = setup_of(parts), await parts.current.ground()
    people = contacts(world.people)
    portraits = await _portraits(people, parts)
    await _fill(world, people, portraits, parts)
    told_live = people[max(len(CAST), len(people) - LIVE) :]
    page = await parts.book.read([key for one in told_live for key in (contact_key(one), email_key(one))])
    spared = [bytes.fromhex(sub) for sub in page.keys.values()]
    for name in NAMES:
        order = Order(name=TITLES[name], settings=_settings(name, world), description=ABOUT[name])
        connector = "webhook" if name == "shop" else name
        state_id = uuid7(ground.clock(), ground.chance(RANDOM_BYTES), 0)
        made = await add(connector, order, CALLER, setup=setup, ground=ground, state_id=state_id)
        await setup.connecting.backfill(made)
        await parts.pool.execute(QUERIES["hold_already"], made.id, spared)
        if name == "shop":
            await _remember(made, portraits, parts)
        else:
            await _read_up(made, setup, parts)
        world.connections[name] = str(made.id)


async def follow(world: World, moved: frozenset[str], parts: Parts) -> None:
    """Tells the hub the new addresses of vendors that had to move because their port was taken."""
    setup, ground = setup_of(parts), await parts.current.ground()
    for name in sorted(moved & world.connections.keys()):
        connection = await parts.spokes.connection(UUID(world.connections[name]))
        where = "url" if name == "shop" else "base_url"
        await change(connection, Order(settings={where: world.url(name)}), CALLER, setup=setup, ground=ground)


def _settings(name: str, world: World) -> Mapping[str, Value]:
    url = world.url(name)
    if name == "mailchimp":
        fake = world.mailchimp
        return {"api_key": fake.api_key, "list_id": fake.list_id, "category": "promotional", "base_url": url}
    if name == "sendgrid":
        groups: dict[str, Value] = dict(GROUPS.items())
        return {"api_key": world.sendgrid.api_key, "webhook_public_key": world.sendgrid.public_key, "groups": groups, "base_url": url}
    return {"url": url, "secrets": [world.shop.secret], "events": ["preferences.changed"]}


async def _portraits(people: Sequence[Contact], parts: Parts) -> dict[str, Portrait]:
    """Everybody as the systems are told about them, by contact id."""
    ground, found = await parts.current.ground(), {}
    for start in range(0, len(people), CHUNK):
        page = await parts.book.read([contact_key(one) for one in people[start : start + CHUNK]])
        portraits = await portray(list(page.keys.values()), None, book=parts.book, ground=ground)
        found.update({one.contact_id: one for one in portraits.values() if one.contact_id})
    return found


async def _fill(world: World, people: Sequence[Contact], portraits: Mapping[str, Portrait], parts: Parts) -> None:
    """Puts the people into the audience and the groups as they stand; each changed at a time of their own, long enough ago."""
    ground = await parts.current.ground()
    began = ground.clock() - DAY - len(people) * APART
    for n, one in enumerate(people):
        readings = portraits[one.id].readings
        at = began + n * APART
        words = {key: telling.word_for(readings, ANY, "email", key, ground.window) for key in GROUPS}
        for key, number in GROUPS.items():
            if words[key] == "out":
                world.sendgrid.groups[number][one.email] = at // SECOND
        said = view.choice_at(readings, Scope(ANY, "email", "promotional"), ground.window)
        if said != "not_set" or words["promotional"] == "out":
            world.mailchimp.clock = lambda at=at: at  # type: ignore[misc]  # binds the moment of this member
            world.mailchimp.add(one.email, "unsubscribed" if words["promotional"] == "out" else "subscribed")
    world.mailchimp.clock = world.clock
    world.save()


async def _remember(connection: Connection, portraits: Mapping[str, Portrait], parts: Parts) -> None:
    told = [(int(one.sub[:2], 16), bytes.fromhex(one.sub), telling.remembered(one.document).encode()) for one in portraits.values()]
    shards, subs, texts = (list(column) for column in zip(*told, strict=True))
    await parts.pool.execute(QUERIES["remember_told"], connection.id, shards, subs, texts)


async def _read_up(connection: Connection, setup: Setup, parts: Parts) -> None:
    """Reads the vendor's lists to their end, so that later pulls bring only what is new; the hub holds all of it already."""
    connector = parts.connectors[connection.connector]
    cursor, more = connection.cursor, True
    while more:
        now = microseconds()
        driven = await parts.engine(
            connector.pull(connection.settings, cursor, now), connection=str(connection.id), about=connector.about,
            settings=connection.settings, deadline=now + HOUR,
        )  # fmt: skip
        cursor, more = driven.value.next, driven.value.more and driven.value.next != cursor
    await setup.connecting.end_pull(connection.id, None, cursor, more=False)
