"""Export a person: everything held about somebody, as one ZIP that is written while it is sent."""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sayso.contracts.book import Act, Book, Judged, Key, Noted, Page, Scene
from sayso.contracts.desk import Desk
from sayso.contracts.ground import Ground
from sayso.contracts.messages import Sent
from sayso.contracts.spokes import Spokes
from sayso.flows.open_link import key_named
from sayso.flows.show import show
from sayso.flows.tell_events import tell_events
from sayso.flows.tell_history import tell_history
from sayso.rules import view
from sayso.rules.cells import cell, line
from sayso.rules.entries import Entry
from sayso.rules.erasure import members
from sayso.rules.state import fold
from sayso.rules.statements import Row, Ruling, Voice
from sayso.rules.subjects import CONTACT
from sayso.rules.times import format_time

PAGE: Final = 200
ACT: Final = "data_exported"
COLUMNS: Final = (
    "time", "kind", "what", "scope", "old_value", "new_value", "effect", "source", "actor", "rule", "method", "reason", "ip", "user_agent",
    "properties", "proof", "metadata", "address", "contact_id", "received_at", "entry", "ledger_index",
)  # fmt: skip
README: Final = """Everything {company} holds about you in its system for choices and consents
Made on {at} (UTC)

profile.json       who you are to them: ids, addresses, country, and what blocks messages to you
preferences.json   what you chose, as it stands now
history.json       every word about you, oldest first: when, by whom, through what, what stood before and after, and the rule that decided
history.csv        the same, for a spreadsheet
consents.json      what you agreed to, when, how, and which version of the wording you were shown
events.json        what happened: messages opened, complaints, and whatever other systems reported
messages.json      messages to you that senders told of
systems.json       which connected systems were told your choices, and when

Times are UTC. "opted_out" means: you said stop. "not_set" means: you said nothing.
"entry" and "ledger_index" name the record in the ledger; with them an auditor can prove that it was not changed later.
"""

Pages = Callable[[str], Awaitable[tuple[Sequence[Mapping[str, Any]], str | None]]]


@dataclass(frozen=True, slots=True)
class Archive:
    """What an export reads from."""

    book: Book
    desk: Desk
    sent: Sent
    spokes: Spokes
    company: str = ""


@dataclass(frozen=True, slots=True)
class _Whole:
    """The person: keys that are told by, and all rows with their names."""

    keys: tuple[Key, ...]
    rows: tuple[Row, ...]
    names: Mapping[str, str]


async def export_person(key: Key, *, voice: Voice, archive: Archive, ground: Ground) -> AsyncIterator[bytes] | None:
    """The bytes of the ZIP; None when nothing is held about them.

    That it was exported, and through which door, is on record before the first byte leaves. Raises Unavailable.
    """
    book = archive.book
    row = (await book.read([key])).known(key)
    if row is None:
        return None
    rows = await book.read_subs([row.sub])
    people = members(rows[row.sub], rows)
    names = await book.names([one.sub for one in people])
    owners = [one for one in people if one.kind == CONTACT] or [row]
    keys = [named for one in owners if (named := key_named(one.kind, names.get(one.sub, ""), ground.default_country))]
    await _noted(key, voice, book)
    return _archived(_Whole(tuple(keys), people, names), archive, ground)


async def _noted(key: Key, voice: Voice, book: Book) -> None:
    """Enters into the person's own chain that their data was handed out."""

    def judge(scene: Scene) -> Judged:
        sub = scene.page.keys[key]
        row = scene.page.rows[sub]
        at = max(scene.now, row.state.last_at + 1)
        by = f"p:{sub}" if voice.own else voice.actor
        entry = Entry(
            id=scene.new_id(sub),
            sub=sub,
            kind="rights",
            at=at,
            ts=at,
            act=ACT,
            src=voice.src,
            by=by,
            via=voice.via,
            effect="stored",
            own=voice.own,
        )
        return Judged(Ruling((entry,), {sub: Row(row.sub, row.kind, fold(row.state, entry))}, ()))

    await book.write(Act((key,), judge))


async def _archived(whole: _Whole, archive: Archive, ground: Ground) -> AsyncIterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as packed:
        readme = README.format(company=archive.company or "this company", at=format_time(ground.clock()))
        packed.writestr("README.txt", readme)
        packed.writestr("profile.json", _json(await _profile(whole, archive.book)))
        packed.writestr("preferences.json", _json(await _preferences(whole, archive, ground)))
        packed.writestr("systems.json", _json(await _systems(whole, archive.spokes)))
        yield pipe.taken()
        for name, begin, form, end, pages in _streams(whole, archive):
            with packed.open(name, "w") as file:
                file.write(begin.encode())
                is_first = True
                for items in pages:
                    after: str | None = ""
                    while after is not None:
                        found, after = await items(after)
                        for item in found:
                            file.write(form(item, is_first).encode())
                            is_first = False
                        yield pipe.taken()
                file.write(end.encode())
            yield pipe.taken()
    yield pipe.taken()


Form = Callable[[Mapping[str, Any], bool], str]


def _streams(whole: _Whole, archive: Archive) -> list[tuple[str, str, Form, str, list[Pages]]]:
    """The files of any length: name, beginning, how an item is written, end, and where its pages come from."""
    history = [_history(key, archive) for key in whole.keys]
    events = [_events(key, archive.book) for key in whole.keys]
    return [
        ("history.json", "[", _item, "\n]\n", history),
        ("history.csv", line(COLUMNS), lambda one, _: line(cell(one.get(column)) for column in COLUMNS), "", history),
        ("events.json", "[", _item, "\n]\n", events),
        ("consents.json", "[", _item, "\n]\n", [_consents(whole, archive.book)]),
        ("messages.json", "[", _item, "\n]\n", [_messages(whole, archive.sent)]),
    ]


def _item(one: Mapping[str, Any], is_first: bool) -> str:
    return ("\n" if is_first else ",\n") + json.dumps(one, ensure_ascii=False)


def _history(key: Key, archive: Archive) -> Pages:
    async def page(after: str) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        return await tell_history(key, after=after, limit=PAGE, book=archive.book, desk=archive.desk) or ([], None)

    return page


def _events(key: Key, book: Book) -> Pages:
    async def page(after: str) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        return await tell_events(key, after=after, limit=PAGE, book=book) or ([], None)

    return page


def _consents(whole: _Whole, book: Book) -> Pages:
    subs = [row.sub for row in whole.rows]

    async def page(after: str) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        found = await book.entries(subs, kinds=("choice",), after=after, limit=PAGE, newest_first=False)
        given = [_consent(one, whole.names) for one in found if one.fields.get("x", {}).get("new") == "opted_in"]
        return given, found[-1].id if len(found) == PAGE else None

    return page


def _consent(noted: Noted, names: Mapping[str, str]) -> Mapping[str, Any]:
    fields, detail = noted.fields, noted.detail or {}
    brand, channel, category = fields["scope"]
    shown = {name: detail.get(name) for name in ("wording", "language", "proof", "ip", "user_agent", "reason", "metadata")}
    return {
        "time": format_time(fields["ts"]), "about": names.get(noted.sub), "brand": brand, "channel": channel, "category": category,
        "method": fields["x"].get("method"), "source": fields["src"], "effect": fields["effect"], **shown, "entry": noted.id,
        "ledger_index": noted.index,
    }  # fmt: skip


def _messages(whole: _Whole, sent: Sent) -> Pages:
    subs = [row.sub for row in whole.rows]

    async def page(after: str) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        found = await sent.read(subs, after=after, limit=PAGE)
        told = [
            {
                "sent_at": format_time(one.at), "channel": one.channel, "category": one.category, "brand": one.brand, "subject": one.subject,
                "campaign_id": one.campaign or None, "message_id": one.message or None, "to": whole.names.get(one.sub),
                "not_permitted": one.violation or None,
            }
            for one in found
        ]  # fmt: skip
        return told, found[-1].id if len(found) == PAGE else None

    return page


async def _profile(whole: _Whole, book: Book) -> Any:
    rows = await book.read_subs([row.sub for row in whole.rows])
    page = Page({}, rows)
    return [
        {
            "kind": row.kind, "value": whole.names.get(row.sub), "country": row.state.place.country if row.state.place else None,
            "blocks": list(view.blocks_of(row.state)), "pseudonym_in_ledger": row.sub,
            "belongs_with": [whole.names[other.sub] for other in page.linked(row) if other.sub in whole.names],
        }
        for row in (rows.get(one.sub, one) for one in whole.rows)
    ]  # fmt: skip


async def _preferences(whole: _Whole, archive: Archive, ground: Ground) -> Any:
    found = [await show(key, brand=None, book=archive.book, ground=ground) for key in whole.keys]
    return [seen.document for seen in found if seen is not None]


async def _systems(whole: _Whole, spokes: Spokes) -> Any:
    named = {one.id: one for one in await spokes.connections()}
    return [
        {
            "system": named[one.connection].name, "connector": named[one.connection].connector, "about": whole.names.get(one.sub),
            "knows_the_newest_state": one.acknowledged >= one.wanted,
            "told_at": format_time(one.acknowledged_at) if one.acknowledged_at else None,
        }
        for one in await spokes.told([row.sub for row in whole.rows])
        if one.connection in named
    ]  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


class _Pipe(io.RawIOBase):
    """Where the ZIP is written: holds only what nobody has taken yet. It cannot be sought, so sizes stand behind the files."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        held, self._held = bytes(self._held), bytearray()
        return held
