"""Connect: sets up, changes and ends connections. Each change is one entry on the hub's own chain; secrets go in and never come out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sayso.contracts.book import Book
from sayso.contracts.connecting import Connecting
from sayso.contracts.connector import BadSettings, Change, Connector, Drive, Health, Outcome, Setting, Settings
from sayso.contracts.ground import Ground
from sayso.contracts.settings import Value, problems
from sayso.contracts.spokes import Connection, Spokes, Talk
from sayso.flows.hearsay import GRANT
from sayso.flows.note_config import note_config
from sayso.rules.destinations import BadDestination, IPNetwork, parse_destination, refused_outright
from sayso.rules.times import DAY, SECOND, parse_duration
from sayso.rules.tokens import webhook_secret
from sayso.rules.words import ANY

WEBHOOK: Final = "webhook"
STATES: Final = "preferences.changed"
EVENT_TYPES: Final = (STATES, "event.received", "address.blocked", "contact.erased", "alert.raised")
"""What a webhook may ask for. Nothing raises the last two yet; asking for them is allowed, so that nobody has to change it later."""
OF_THE_HUB: Final = (
    Setting(GRANT, "true lets this system's explicit opt-ins answer opt-outs; absent, they only fill what nobody has said"),
    Setting("pull_every", "how often it is asked what changed there, such as 5m; at least 10s"),
)
"""Settings every connection has beside its connector's own: its sync profile."""
KEPT_OLD: Final = DAY
"""How long a replaced webhook secret goes on signing beside the new one."""
MOST_SECRETS: Final = 4
CHECK_TIME: Final = 20 * SECOND
NAME_LENGTH: Final = 100
SETTINGS_BYTES: Final = 65_536
_RETIRE: Final = "retire_at"


class SetupRefused(ValueError):
    """A connection cannot be set up like this; `errors` are (what to mend, JSON pointer)."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{pointer}: {detail}" for detail, pointer in errors))


@dataclass(frozen=True, slots=True)
class Setup:
    """The ports that setting up needs; `allow` are the networks that may be reached although they are not public."""

    connecting: Connecting
    spokes: Spokes
    book: Book
    drive: Drive
    connectors: Mapping[str, Connector]
    allow: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks for; None leaves as it is. A setting given as None is taken away, one not given stays."""

    name: str | None = None
    settings: Mapping[str, Value] | None = None
    brand: str | None = None
    description: str | None = None


async def add(connector: str, order: Order, caller: str, *, setup: Setup, ground: Ground, state_id: UUID) -> Connection:
    """A new connection, active; everybody who ever said something is told to it soon. Raises SetupRefused and Unavailable."""
    if connector not in setup.connectors:
        raise SetupRefused([(f"there is no connector of this name; known are {', '.join(sorted(setup.connectors))}", "#/connector")])
    given = dict(order.settings or {})
    if connector == WEBHOOK and not given.get("secrets"):
        given["secrets"] = [webhook_secret(ground.chance(32))]
    settings = _settled(setup, connector, given)
    connection = Connection(
        id=state_id, connector=connector, name=_named(order.name, connector), brand=order.brand or ANY,
        grain=_grain(setup.connectors[connector], settings), settings=settings, description=order.description or "", state="active",
        cause=None, created_at=ground.clock(), backfilled=False,
    )  # fmt: skip
    await setup.connecting.add(connection)
    await _note("connection_added", connection, caller, setup, ground)
    return connection


async def change(connection: Connection, order: Order, caller: str, *, setup: Setup, ground: Ground) -> Connection:
    """The connection as changed. One that leads elsewhere now, or to another brand, is told everything again. Raises SetupRefused."""
    kept = {key: value for key, value in connection.settings.values.items() if key != _RETIRE}
    merged = {key: value for key, value in {**kept, **(order.settings or {})}.items() if value is not None}
    settings = _settled(setup, connection.connector, merged)
    retire = connection.settings.values.get(_RETIRE)
    if retire is not None and merged.get("secrets") == kept.get("secrets"):
        settings = Settings({**settings.values, _RETIRE: retire})
    grain = _grain(setup.connectors[connection.connector], settings)
    brand = connection.brand if order.brand is None else order.brand or ANY
    elsewhere = any(merged.get(key) != kept.get(key) for key in merged.keys() | kept.keys() if key not in _HARMLESS)
    changed = replace(
        connection,
        name=connection.name if order.name is None else _named(order.name, connection.connector),
        settings=settings,
        brand=brand,
        grain=grain,
        description=connection.description if order.description is None else order.description,
        backfilled=connection.backfilled and not elsewhere and (brand, grain) == (connection.brand, connection.grain),
    )
    await setup.connecting.save(changed)
    if grain == "none" and connection.grain != "none":
        await setup.connecting.unplan(connection.id)
    await setup.spokes.hasten(connection.id)
    await _note("connection_changed", changed, caller, setup, ground, settings=sorted(order.settings or {}))
    return changed


async def pause(connection: Connection, caller: str, *, setup: Setup, ground: Ground) -> Connection:
    """The connection, paused: nothing is told or asked, everything is planned, and what it calls us about is still heard."""
    return await _into(replace(connection, state="paused", cause=None, backfilled=_complete(connection)), "paused", caller, setup, ground)


async def resume(connection: Connection, caller: str, *, setup: Setup, ground: Ground) -> Connection:
    """The connection, active again. Nothing was planned for a disabled one, so it is told everything again."""
    return await _into(replace(connection, state="active", cause=None, backfilled=_complete(connection)), "resumed", caller, setup, ground)


async def remove(connection: Connection, caller: str, *, setup: Setup, ground: Ground) -> None:
    """Ends a connection: its secrets and its work are forgotten, its acknowledgements stay in the ledger."""
    await setup.connecting.remove(connection.id)
    await _note("connection_removed", connection, caller, setup, ground)


async def examine(connection: Connection, *, setup: Setup, ground: Ground) -> Health:
    """Whether the settings work, as the other system says itself."""
    connector = setup.connectors.get(connection.connector)
    if connector is None:
        return Health(False, f"The connector {connection.connector} is not installed.")
    try:
        driven = await setup.drive(
            connector.check(connection.settings), connection=str(connection.id), about=connector.about, settings=connection.settings,
            deadline=ground.clock() + CHECK_TIME,
        )  # fmt: skip
    except BadSettings as bad:
        return Health(False, str(bad))
    return driven.value


async def rotate(connection: Connection, caller: str, *, setup: Setup, ground: Ground) -> str:
    """The new secret of a webhook endpoint; the one before goes on signing beside it for a day, so that rotation loses nothing."""
    secret, now = webhook_secret(ground.chance(32)), ground.clock()
    old, until = _secrets(connection.settings)
    kept = [(one, end or now + KEPT_OLD) for one, end in zip(old, until, strict=True) if not end or end > now][: MOST_SECRETS - 1]
    await setup.connecting.save(replace(connection, settings=_with_secrets(connection.settings, [(secret, 0), *kept])))
    await _note("secret_rotated", connection, caller, setup, ground)
    return secret


async def retire(connection: Connection, *, connecting: Connecting, ground: Ground) -> Connection:
    """The connection without the secrets whose day is over."""
    secrets, until = _secrets(connection.settings)
    left = [(one, end) for one, end in zip(secrets, until, strict=True) if not end or end > ground.clock()]
    if len(left) == len(secrets) or not left:
        return connection
    fresh = replace(connection, settings=_with_secrets(connection.settings, left))
    await connecting.save(fresh)
    return fresh


@dataclass(frozen=True, slots=True)
class Tried:
    """How a test delivery went: HTTP status (0: no answer), whole milliseconds, and what came of it."""

    status: int
    milliseconds: int
    outcome: Outcome


async def try_out(connection: Connection, delivery: str, *, setup: Setup, ground: Ground) -> Tried:
    """How an endpoint answered a signed `test.ping`; the attempt is in its list of deliveries."""
    connector, now = setup.connectors[connection.connector], ground.clock()
    said = json.dumps({"webhook_id": str(connection.id), "message": "This is a test; nothing has changed."})
    ping = Change("test", None, (), 0, (), said, "{}", delivery, "test.ping", now)
    try:
        driven = await setup.drive(
            connector.push(connection.settings, [ping], now), connection=str(connection.id), about=connector.about,
            settings=connection.settings, deadline=now + CHECK_TIME,
        )  # fmt: skip
    except BadSettings as bad:
        return Tried(0, 0, Outcome("broken_auth", str(bad)))
    await setup.spokes.log_attempts(connection.id, [Talk((), driven.value, driven.attempts)])
    last = driven.attempts[-1] if driven.attempts else None
    return Tried(last.status if last else 0, last.milliseconds if last else 0, driven.value[0])


def secret_keys(connector: Connector) -> frozenset[str]:
    """The settings that are never shown."""
    return frozenset({setting.key for setting in connector.about.settings if setting.secret} | {_RETIRE})


_HARMLESS: Final = frozenset({"secrets", "api_key", "webhook_secret", "signing_secret", "webhook_public_key", "names", "description", GRANT,
                              "pull_every"})  # fmt: skip
"""Settings whose change leads nowhere else."""


def _complete(connection: Connection) -> bool:
    return connection.backfilled and connection.state != "disabled"


async def _into(connection: Connection, act: str, caller: str, setup: Setup, ground: Ground) -> Connection:
    await setup.connecting.save(connection)
    await _note(f"connection_{act}", connection, caller, setup, ground)
    return connection


async def _note(act: str, connection: Connection, caller: str, setup: Setup, ground: Ground, **more: object) -> None:
    detail = {"connection": str(connection.id), "connector": connection.connector, "name": connection.name, **more}
    await note_config(act, detail, caller, book=setup.book, ground=ground)


def _secrets(settings: Settings) -> tuple[tuple[str, ...], list[int]]:
    """The secrets, newest first, and when each ends (0: not yet decided)."""
    secrets, given = settings.texts("secrets"), settings.values.get(_RETIRE)
    until = [one if isinstance(one, int) else 0 for one in given] if isinstance(given, list) else []
    return secrets, (until + [0] * len(secrets))[: len(secrets)]


def _with_secrets(settings: Settings, secrets: Sequence[tuple[str, int]]) -> Settings:
    kept: dict[str, Value] = {"secrets": [one for one, _ in secrets], _RETIRE: [end for _, end in secrets]}
    return Settings({**settings.values, **kept})


def _named(name: str | None, connector: str) -> str:
    text = (name or connector).strip()
    if not 1 <= len(text) <= NAME_LENGTH or not text.isprintable():
        raise SetupRefused([(f"a name has 1 to {NAME_LENGTH} printable characters", "#/name")])
    return text


def _grain(connector: Connector, settings: Settings) -> str:
    """Whom a connection is told about; `none` for an endpoint that asked for events only."""
    if connector.about.name == WEBHOOK and settings.values.get("events") not in (None, "", []):
        return connector.about.grain if STATES in settings.texts("events") else "none"
    return connector.about.grain


def _settled(setup: Setup, name: str, values: Mapping[str, Value]) -> Settings:
    """Settings that can be used. Raises SetupRefused naming everything that is wrong at first sight."""
    connector, settings = setup.connectors[name], Settings(dict(values))
    errors = [_pointed(sentence) for sentence in problems(settings, (*connector.about.settings, *OF_THE_HUB))]
    if len(json.dumps(dict(values))) > SETTINGS_BYTES:
        errors.append(("settings are too large", "#/settings"))
    for key in ("url", "base_url"):
        errors += _place_problem(key, settings, setup.allow)
    errors += _profile_problems(settings, name)
    if not errors:
        flow = connector.check(settings)
        try:
            next(flow)
        except StopIteration:
            pass
        except BadSettings as bad:
            errors.append((str(bad).removeprefix(f"{bad.key}: "), f"#/settings/{bad.key}"))
        finally:
            flow.close()
    if errors:
        raise SetupRefused(errors)
    return settings


def _pointed(sentence: str) -> tuple[str, str]:
    key, _, detail = sentence.partition(": ")
    return detail, f"#/settings/{key.replace('~', '~0').replace('/', '~1')}"


def _place_problem(key: str, settings: Settings, allow: tuple[IPNetwork, ...]) -> list[tuple[str, str]]:
    """Why a place may not be reached. Asked again, with the addresses its name leads to, at each delivery."""
    try:
        url = settings.text(key, "") if settings.values.get(key) else ""
        why = refused_outright(parse_destination(url), allow) if url else None
    except BadSettings as bad:
        why = str(bad).removeprefix(f"{key}: ")
    except BadDestination as bad:
        why = bad.detail
    return [(why, f"#/settings/{key}")] if why else []


def _profile_problems(settings: Settings, connector: str) -> list[tuple[str, str]]:
    found = []
    try:
        settings.flag(GRANT)
    except BadSettings:
        found.append(("must be true or false", f"#/settings/{GRANT}"))
    try:
        if settings.values.get("pull_every") is not None:
            pull_every(settings)
    except (BadSettings, ValueError) as bad:
        found.append((str(bad).removeprefix("pull_every: "), "#/settings/pull_every"))
    if connector == WEBHOOK:
        try:
            unknown = [one for one in settings.texts("events") if one not in EVENT_TYPES]
            settings.texts("names")
        except BadSettings as bad:
            found.append((str(bad).removeprefix(f"{bad.key}: "), f"#/settings/{bad.key}"))
        else:
            found += [(f"{one[:60]!r} is no event type; known are {', '.join(EVENT_TYPES)}", "#/settings/events") for one in unknown]
    return found


def pull_every(settings: Settings) -> int:
    """Microseconds between two pulls. Raises ValueError for a text that is no duration, or too short."""
    every = parse_duration(settings.text("pull_every", "5m"))
    if every < 10 * SECOND:
        raise ValueError("is at least 10s: vendors limit how often they may be asked")
    return every
