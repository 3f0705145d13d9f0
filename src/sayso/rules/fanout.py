"""Who must be told what: the work that a change of some rows makes for the connections (design section 4, fan-out by state)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sayso.rules.statements import Row


class Spoke(NamedTuple):
    """A connection as planning sees it: its id, and whether it is told about addresses or about contacts."""

    id: str
    grain: str


class Task(NamedTuple):
    """One connection must be told the current state of one subject (pseudonym in hex)."""

    connection: str
    sub: str


def plan(touched: Iterable[Row], rows: Mapping[str, Row], spokes: Iterable[Spoke], *, origin: str) -> tuple[Task, ...]:
    """The tasks for all spokes but the origin, sorted, each once.

    `touched` are the rows whose decisions moved, `rows` whatever else is known. A spoke of grain `address` is told about touched
    addresses and the addresses of touched contacts; one of grain `contact` about touched contacts, the contacts of touched
    addresses, and touched addresses that belong to nobody yet.
    """
    addresses: set[str] = set()
    people: set[str] = set()
    for row in touched:
        links = row.state.links
        if row.kind == "contact":
            people.add(row.sub)
            addresses.update(_addresses(row))
        else:
            addresses.add(row.sub)
            contacts = {sub for sub, link in links.items() if link.kind == "contact"}
            people.update(contacts or {row.sub})
            for sub in contacts & rows.keys():
                addresses.update(_addresses(rows[sub]))
    return tuple(
        sorted(Task(spoke.id, sub) for spoke in spokes if spoke.id != origin for sub in (addresses if spoke.grain == "address" else people))
    )


def _addresses(contact: Row) -> set[str]:
    return {sub for sub, link in contact.state.links.items() if link.kind != "contact"}
