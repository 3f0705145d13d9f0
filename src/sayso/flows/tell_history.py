"""Tell history: every entry about a contact or an address and what belongs to it, in words that people read (wire contract section 3)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sayso.contracts.book import Book, Key, Noted, Page
from sayso.contracts.desk import Desk
from sayso.rules.subjects import CONTACT
from sayso.rules.times import format_time

PERSON: Final = "the person"


@dataclass(frozen=True, slots=True)
class Chain:
    """Some entries of a subject and what is linked to it, oldest first, with the names involved and where the next page begins."""

    entries: tuple[Noted, ...]
    names: Mapping[str, str]
    kinds: Mapping[str, str]
    contact_id: str | None
    email: str | None
    next: str | None


async def read_chain(
    key: Key, *, after: str, limit: int, book: Book, kinds: Sequence[str] = (), wanted: Callable[[Noted], bool] = lambda _: True
) -> Chain | None:
    """One page of the entries of a subject and its linked rows that are `wanted`; None when nothing is known about it.

    A statement kept in two of these rows is told once.
    """
    page = await book.read([key])
    row = page.known(key)
    if row is None:
        return None
    near = [row, *(other for other in page.linked(row) if row.kind == CONTACT)]
    subs = [one.sub for one in near]
    found: list[Noted] = []
    cursor = after
    while len(found) <= limit:
        batch = await book.entries(subs, kinds=kinds, after=cursor, limit=limit + 1, newest_first=False)
        found += [one for one in batch if wanted(one) and not _is_copy(one, subs)]
        if len(batch) <= limit:
            break
        cursor = batch[-1].id
    shown = found[:limit]
    others = {str(one.fields.get("x", {}).get("other", "")) for one in shown} - {""}
    names = await book.names(sorted({*subs, *row.state.links, *others}))
    contact_id, email = _who(key, page, names)
    more = shown[-1].id if len(found) > limit else None
    return Chain(tuple(shown), names, {one.sub: one.kind for one in page.rows.values()}, contact_id, email, more)


def _is_copy(noted: Noted, subs: Sequence[str]) -> bool:
    """Whether the same statement is told by its first entry, in the row of the contact it was about or that it links."""
    x = noted.fields.get("x", {})
    return "twin" in x and bool({noted.fields.get("about"), x.get("other")} & (set(subs) - {noted.sub}))


def _who(key: Key, page: Page, names: Mapping[str, str]) -> tuple[str | None, str | None]:
    row = page.known(key)
    rows = (row, *page.linked(row)) if row else ()
    contact = next((names[one.sub] for one in rows if one.kind == CONTACT and one.sub in names), None)
    email = next((names[one.sub] for one in rows if one.kind == "email" and one.sub in names), None)
    return contact, email


async def tell_history(key: Key, *, after: str, limit: int, book: Book, desk: Desk) -> tuple[list[dict[str, Any]], str | None] | None:
    """One page of the history, oldest first, and the cursor of the next; None when nothing is known about the subject."""
    chain = await read_chain(key, after=after, limit=limit, book=book)
    if chain is None:
        return None
    actors = await desk.names([name for one in chain.entries if (name := _actor_id(one.fields))])
    return [_told(one, chain, actors) for one in chain.entries], chain.next


def _told(noted: Noted, chain: Chain, actors: Mapping[str, str]) -> dict[str, Any]:
    fields, detail = noted.fields, noted.detail or {}
    old, new = _values(fields, chain.names)
    spoken = chain.names.get(noted.sub) if chain.kinds.get(noted.sub) != CONTACT else None
    scope = fields.get("scope")
    return {
        "entry": noted.id,
        "contact_id": chain.contact_id,
        "email": spoken if chain.kinds.get(noted.sub) == "email" else chain.email,
        "address": spoken,
        "time": format_time(fields["ts"]),
        "received_at": format_time(fields["at"]),
        "kind": fields["t"],
        "what": noted.act or fields["act"],
        "source": fields["src"],
        "actor": _actor(fields, actors),
        "scope": {"brand": scope[0], "channel": scope[1], "category": scope[2]} if scope else None,
        "old_value": old,
        "new_value": new,
        "effect": fields["effect"],
        "rule": fields.get("rule"),
        "method": fields.get("x", {}).get("method"),
        "reason": detail.get("reason"),
        "ip": detail.get("ip"),
        "user_agent": detail.get("user_agent"),
        "properties": detail.get("properties"),
        "proof": detail.get("proof"),
        "metadata": detail.get("metadata"),
        "ledger_index": noted.index,
    }


def _values(fields: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str | None, str | None]:
    x = fields.get("x", {})
    match fields["t"]:
        case "pause":
            return None, format_time(x["until"]) if x.get("until") else "ended"
        case "link":
            return None, names.get(x.get("other", ""))
    return x.get("old") or None, x.get("new") or None


def _actor_id(fields: Mapping[str, Any]) -> str:
    """The id of the client or connection a statement came through ("" for none)."""
    _, _, rest = str(fields["via"]).partition(":")
    return rest


def _actor(fields: Mapping[str, Any], actors: Mapping[str, str]) -> str:
    through = actors.get(_actor_id(fields)) or _actor_id(fields) or str(fields["via"])
    if str(fields["by"]).startswith("p:"):
        return f"{PERSON}, through {through}"
    return through
