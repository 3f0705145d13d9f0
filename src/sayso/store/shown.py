"""What is shown besides rows: names and personal details, opened under their subjects' keys. A destroyed key leaves its subject out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sayso.contracts.book import Noted, Shown
from sayso.rules import leaves
from sayso.rules.decide import SPREADS_TO
from sayso.rules.entries import Entry
from sayso.rules.happenings import HIDDEN
from sayso.store.pool import Connection
from sayso.store.queries import QUERIES
from sayso.store.rows import bound, shards_and_pseudonyms
from sayso.store.vault import Sealed, Vault


async def read_names(connection: Connection, subs: Sequence[str], vault: Vault) -> Mapping[str, str]:
    """The values of subjects as they were given, by pseudonym."""
    names = {}
    for record in await connection.fetch(QUERIES["names_of_subjects"], *shards_and_pseudonyms(sorted(set(subs)))):
        pseudonym = record["pseudonym"]
        try:
            key = vault.unwrap(record["wrapped"], bound("subject_key", pseudonym))
            names[pseudonym.hex()] = vault.open(key, record["sealed"], bound("subject", pseudonym)).decode()
        except Sealed:
            continue
    return names


def is_own_word(entry: Entry) -> bool:
    """Whether an entry counts for `latest`: an applied choice or pause that policy did not spread; the query latest_applied says the same."""
    spread = entry.scope is not None and entry.scope.channel in SPREADS_TO and entry.rule == "spread_from_email"
    return entry.kind in ("choice", "pause") and entry.effect == "applied" and not spread


async def read_shown(connection: Connection, subs: Sequence[str], vault: Vault) -> Shown:
    """Names, and each subject's latest applied choice or pause."""
    if not subs:
        return Shown({}, {})
    places = shards_and_pseudonyms(sorted(set(subs)))
    records = await connection.fetch(QUERIES["latest_applied"], *places)
    latest = [noted(record, record["wrapped"], vault) for record in records]
    return Shown(await read_names(connection, subs, vault), {one.sub: one for one in latest})


def noted(record: Any, wrapped: bytes | None, vault: Vault) -> Noted:
    """One entry's record as a value; its personal part stays shut where the key is gone."""
    detail = None
    if wrapped is not None and record["sealed"] is not None:
        try:
            key = vault.unwrap(wrapped, bound("subject_key", record["sub"]))
            detail = json.loads(vault.open(key, record["sealed"], bound("detail", record["id"].bytes))[leaves.SALT_BYTES :])
        except Sealed:
            detail = None
    act = str(record["act"])
    if act.startswith(HIDDEN):
        act = str(detail.pop("event", "custom")) if detail else "custom"
    return Noted(str(record["id"]), record["sub"].hex(), leaves.parse(record["leaf"]), detail, record["seq"], act)
