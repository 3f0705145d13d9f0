"""What `record` writes is what the ledger proves: sealed details, custom events, contacts with their addresses."""

import asyncio
import hashlib
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub import Hub, api, person, tools
from sayso.anchor import AnchorFolder
from sayso.contracts.book import Key
from sayso.contracts.verified import Verified
from sayso.flows.prove import prove
from sayso.flows.record import Recorded, Said, record
from sayso.flows.sequence import sequence
from sayso.flows.verify import verify
from sayso.rules.notes import key_of
from sayso.rules.statements import Choose, Happen
from sayso.rules.words import Scope
from sayso.store.details import PostgresDetails
from sayso.store.ledger import PostgresLog

ORIGIN = "sayso.example/test"
PRIVATE = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the log's key").digest())
PROMO = Scope("*", "email", "promotional")
ADA = Key("contact", "c-1001", "c-1001")
ADAS_MAIL = Key("email", "ada@example.com", "Ada@example.com")


async def said_by_ada(hub: Hub) -> list[Recorded]:
    said = [
        Said(api(), (Choose(PROMO, out=False),), contact=ADA, ties=((ADAS_MAIL, True),), personal={"reason": "shop"}),
        Said(person("email_link"), (Choose(Scope("*", "email", "*"), out=True),), address=ADAS_MAIL, personal={"ip": "192.0.2.7"}),
        Said(api(), (Happen("Cart Abandoned by Ada"), Happen("mail.delivered")), contact=ADA, address=ADAS_MAIL),
        Said(person(), (Choose(PROMO, out=False), Choose(Scope("outlet", "email", "events"), out=True)), contact=ADA, personal={"ip": "::1"}),
    ]  # fmt: skip
    return [await record(each, book=hub.book, ground=hub.ground) for each in said]


async def sequenced(hub: Hub, folder: Path) -> PostgresLog:
    log = PostgresLog(hub.pool)
    anchor = AnchorFolder.of(folder, ORIGIN)
    await sequence(log=log, anchor=anchor, origin=ORIGIN, private=PRIVATE, now=hub.ground.clock())
    return log


async def verified(hub: Hub, folder: Path) -> Verified:
    async with PostgresLog(hub.pool).audit() as audit:
        details = PostgresDetails(hub.pool, tools().vault)
        return await verify(audit=audit, anchor=AnchorFolder.of(folder, ORIGIN), key=key_of(ORIGIN, PRIVATE), details=details)


@pytest.mark.feature("S9", "Q3")
async def test_everything_recorded_replays_verifies_and_can_be_proven(hub: Hub, tmp_path: Path) -> None:
    done = await said_by_ada(hub)
    log = await sequenced(hub, tmp_path)
    await said_by_ada(hub)
    found = await verified(hub, tmp_path)
    assert found.problems == []
    assert found.size == found.signed == found.entries - found.unsequenced > 0
    assert found.details == found.entries
    for each in done:
        assert each.ruling is not None
        for entry in each.ruling.entries:
            assert (await prove(UUID(entry.id), log=log)).startswith(b"c2sp")


@pytest.mark.feature("S9")
async def test_details_that_were_changed_or_lost_are_found_and_erased_ones_are_not_missed(hub: Hub, tmp_path: Path) -> None:
    await said_by_ada(hub)
    await sequenced(hub, tmp_path)
    await hub.pool.execute("UPDATE detail SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))")
    found = await verified(hub, tmp_path)
    assert found.problem_count == found.entries
    assert "lost" in found.problems[0].what
    await hub.pool.execute("DELETE FROM detail")
    assert (await verified(hub, tmp_path)).problem_count == found.entries
    await hub.pool.execute("DELETE FROM subject_key")
    erased = await verified(hub, tmp_path)
    assert erased.problems == []
    assert erased.details_gone == erased.entries


@pytest.mark.feature("S9", "Q3")
async def test_the_ledger_verifies_while_it_is_written(hub: Hub, tmp_path: Path) -> None:
    async def writing() -> None:
        for place in range(30):
            key = Key("contact", f"c-{place % 5}", f"c-{place % 5}")
            await record(Said(api(), (Choose(PROMO, out=bool(place % 2)),), contact=key), book=hub.book, ground=hub.ground)

    async def sequencing() -> None:
        for _ in range(10):
            await sequenced(hub, tmp_path)

    async def verifying() -> None:
        for _ in range(6):
            assert (await verified(hub, tmp_path)).problems == []

    await asyncio.gather(writing(), writing(), writing(), sequencing(), verifying())
    await sequenced(hub, tmp_path)
    found = await verified(hub, tmp_path)
    assert (found.problems, found.size) == ([], 90)
