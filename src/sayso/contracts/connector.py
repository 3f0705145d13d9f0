"""What a connector is: a translator between the hub's words and one vendor's requests, without any I/O.

A connector is a module (or any object) with `about`, `check`, `push`, `pull` and `hear`. The first three verbs that talk are
generators: they yield a `Request` or a `Wait` and are sent a `Response`, so that the engine alone owns sockets, pace, timeouts,
retries and redaction. Times are integer microseconds since the epoch. Source: docs/adr/0006-connectors-as-translators.md.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar, runtime_checkable

from sayso.contracts.settings import BadSettings, Setting, Settings

__all__ = [
    "About",
    "Attempt",
    "BadCall",
    "BadSettings",
    "BadSignature",
    "Call",
    "Change",
    "Connector",
    "Drive",
    "Driven",
    "Flow",
    "Health",
    "Heard",
    "HeardKind",
    "KnowsEchoes",
    "MessageClass",
    "Outcome",
    "OutcomeKind",
    "Pace",
    "Page",
    "ReadsBack",
    "Request",
    "Response",
    "Setting",
    "Settings",
    "Standing",
    "TargetAddress",
    "UnknownEvent",
    "Wait",
    "Word",
    "header_in",
]

T = TypeVar("T")
Headers = tuple[tuple[str, str], ...]
Word = Literal["out", "back", "silent"]
MessageClass = Literal["*", "transactional", "relationship", "marketing"]


def header_in(headers: Headers, name: str) -> str | None:
    """The first value of a header, its name compared without regard to case; None when absent."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


# --- talking -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request a connector asks for.

    `secrets` beyond the settings' own (session tokens) are redacted from the log too; of an answer, `max_answer` bytes are read.
    """

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    max_answer: int = 1_048_576


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Status 0 = no complete answer, then `failure` says how the attempt ended.

    `not_sent`: no byte of the request left (name not found, connection refused, deadline over before the start).
    `forbidden`: the destination is not allowed; nothing was sent. `no_answer`: the request may or may not have taken effect.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    failure: Literal["", "not_sent", "forbidden", "no_answer"] = ""
    detail: str = ""

    def header(self, name: str) -> str | None:
        """The first value of a header, any case; None when absent."""
        return header_in(self.headers, name)

    @property
    def ok(self) -> bool:
        """Whether the vendor said 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause the connector asks for, in seconds; it is answered by an empty `Response(0)`."""

    seconds: float


Flow = Generator[Request | Wait, Response, T]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request as the attempt log keeps it: secrets replaced, bodies cut. Milliseconds are whole."""

    at: int
    request_line: str
    status: int
    failure: str
    milliseconds: int
    request_headers: Headers
    request_excerpt: str
    response_headers: Headers
    response_excerpt: str


@dataclass(frozen=True, slots=True)
class Driven(Generic[T]):
    """What a flow came to, with every attempt made on the way, oldest first."""

    value: T
    attempts: tuple[Attempt, ...]


# --- being told --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TargetAddress:
    """One address of the subject: its kind (`email`, `phone`, …) and the value as it was given."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How the subject stands in one scope now.

    `out` = denied by choice; a category is also out when something broader covers it. `back` = open now, and a strong opt-in
    answered an opt-out that existed. `silent` = never left: a connector changes nothing for it. Brand `*` = all of the company.
    """

    channel: str
    category: str
    word: Word
    message_class: MessageClass = "*"
    brand: str = "*"


@dataclass(frozen=True, slots=True)
class Change:
    """What one connection must be told about one subject: always the current state, never a step.

    `key` is opaque. `standings` holds, per channel, `*` and every refusable category. `document` and `changed` are JSON texts
    (the preferences document, and the difference to the last acknowledged state). `delivery_id` stays the same over the retries
    of one state. `occurred_at` is when the change happened; `lifted_blacklist` = it was on the blacklist and no longer is. For an
    event type other than `preferences.changed`, `document` is the JSON text of the event's own data.
    """

    key: str
    contact_id: str | None
    addresses: tuple[TargetAddress, ...]
    version: int
    standings: tuple[Standing, ...]
    document: str
    changed: str
    delivery_id: str
    event_type: str
    occurred_at: int
    blacklisted: bool = False
    lifted_blacklist: bool = False
    complaint: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    origin: str | None = None
    checkpoint: str | None = None

    def word(self, channel: str, category: str) -> Word:
        """The strictest word said about a channel and category, whatever the brand; `silent` where nothing is said."""
        said = {one.word for one in self.standings if (one.channel, one.category) == (channel, category)}
        return "out" if "out" in said else "back" if "back" in said else "silent"

    def values(self, kind: str) -> tuple[str, ...]:
        """The addresses of one kind, in order, as given."""
        return tuple(address.value for address in self.addresses if address.kind == kind)


OutcomeKind = Literal["applied", "already_so", "refused", "later", "broken_auth", "unknown", "needs_confirmation", "cannot_express"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the connection answered about one change.

    `applied`, `already_so`: acknowledged. `refused`: the vendor says no (`permanent`: stop asking, e.g. the endpoint is gone).
    `later`: try again, not before `retry_after` (the header's text: seconds or an HTTP date). `broken_auth`: nothing works until
    the settings are mended. `unknown`: the attempt ended without an answer, it may have taken effect. `needs_confirmation`: only
    the person can do it there. `cannot_express`: the system has no place for this; shown, not retried. `reason` is for people.
    """

    kind: OutcomeKind
    reason: str = ""
    permanent: bool = False
    retry_after: str | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the system now holds what it was told."""
        return self.kind in ("applied", "already_so")


# --- hearing -----------------------------------------------------------------------------------------------------------------

HeardKind = Literal["opt_out", "opt_in", "hard_bounce", "soft_bounce", "complaint", "delivered", "open", "click", "seen"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One fact a vendor told us about one person, not yet judged.

    `address` is raw, as the vendor wrote it; `ts` is the vendor's own time or None; `event_id` removes duplicates. `own`: the
    person acted themselves. An opt-in from a vendor is always relayed and weak unless the sync profile grants more: that is
    decided by the hub. `seen` changes no status. `reason` is for the history. `properties` are JSON-safe texts.
    """

    kind: HeardKind
    channel: str
    event_name: str
    address: str | None = None
    contact_id: str | None = None
    category: str = "*"
    ts: int | None = None
    event_id: str | None = None
    own: bool = False
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One inbound webhook call, exactly as it came: the body is the raw bytes that a signature covers."""

    method: str
    headers: Headers
    query: tuple[tuple[str, str], ...]
    body: bytes
    received_at: int
    path_secret: str | None = None

    def header(self, name: str) -> str | None:
        """The first value of a header, any case; None when absent."""
        return header_in(self.headers, name)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what the vendor holds: keep `next` for the following pull; `more` = ask again at once."""

    heard: tuple[Heard, ...]
    next: str | None
    more: bool = False
    outcome: Outcome = Outcome("applied")


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the settings work, and a sentence for the operator."""

    ok: bool
    detail: str


class BadSignature(Exception):
    """Refuse the call: it does not prove that it comes from the vendor. Nothing in it may be believed."""


class BadCall(Exception):
    """Refuse the call: it is signed but cannot be read (not the vendor's format). Keep the bytes and look at them."""


class UnknownEvent(Exception):
    """Flag loudly: the call is genuine but names events this connector does not know. `heard` holds the facts it did know."""

    def __init__(self, names: Sequence[str], heard: Sequence[Heard] = ()) -> None:
        self.names = tuple(names)
        self.heard = tuple(heard)
        super().__init__("unknown event: " + ", ".join(self.names))


# --- the connector -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a vendor may be asked: requests per second, and how many at once."""

    per_second: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class About:
    """The facts about a connector as data. `states` maps the vendor's words to ours, for the docs and the console.

    One that is told `by_document` passes on the whole document of a change, and gets no standings: working them out takes long.
    """

    name: str
    title: str
    channels: tuple[str, ...]
    grain: Literal["address", "contact"]
    can_resubscribe: bool
    pace: Pace
    batch: int
    settings: tuple[Setting, ...]
    docs: str
    states: tuple[tuple[str, str], ...] = ()
    pulls: bool = True
    hears: bool = True
    by_document: bool = False


@runtime_checkable
class Connector(Protocol):
    """What every connector offers; a module with these names is one.

    `push` answers one outcome per change, in order, and may be replayed from its start. `pull` gives the vendor's facts since a
    cursor (None = from the beginning). `hear` raises BadSignature, BadCall or UnknownEvent. All raise BadSettings.
    """

    @property
    def about(self) -> About: ...

    def check(self, settings: Settings) -> Flow[Health]: ...

    def push(self, settings: Settings, changes: Sequence[Change], now: int) -> Flow[list[Outcome]]: ...

    def pull(self, settings: Settings, since: str | None, now: int) -> Flow[Page]: ...

    def hear(self, settings: Settings, call: Call) -> list[Heard]: ...


@runtime_checkable
class ReadsBack(Protocol):
    """A connector that can also say what the vendor holds now: per change True (as told), False (differs), None (cannot tell)."""

    def read_back(self, settings: Settings, changes: Sequence[Change]) -> Flow[list[bool | None]]: ...


@runtime_checkable
class KnowsEchoes(Protocol):
    """A connector that can tell its own writing from news: whether a fact only shows what this change had told the vendor."""

    def echo(self, settings: Settings, change: Change, fact: Heard) -> bool: ...


class Drive(Protocol):
    """The engine as flows see it: runs one connector flow to its end before `deadline` (microseconds) for one connection."""

    async def __call__(self, flow: Flow[T], *, connection: str, about: About, settings: Settings, deadline: int) -> Driven[T]: ...
