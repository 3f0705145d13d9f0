"""An erasure that breaks off goes on where it stood: nothing promised is lost, nothing is half forgotten."""

from dataclasses import replace
from typing import Any

import pytest
from forgetting import ADA, check, codes, completed, forget, gone
from test_erasing import ada, sound

from sayso.contracts.privacy import JournalUnwritable, Remains
from sayso.flows.complete_erasure import complete_erasure
from sayso.journal import JournalFile
from sayso.opening import microseconds
from sayso.privacy_wiring import privacy_of
from sayso.rules.erasure import LONGEST
from sayso.store.privacy import PostgresErasures
from town import Receiver, Town, eventually

pytestmark = pytest.mark.feature("L6", "R14")


async def complete(town: Town, erasure: Any, *, later: int = 0, erasures: Any = None) -> bool:
    """One look at an erasure, as the worker takes it."""
    wired = privacy_of(town.parts)
    ground = await town.parts.current.ground()
    moved = replace(ground, clock=lambda: microseconds() + later)
    return await complete_erasure(
        erasure, erasures=erasures or wired.erasures, spokes=wired.spokes, feed=wired.feed, book=town.parts.book, ground=moved
    )


async def test_a_process_that_died_right_after_noting_it_down_has_promised_nothing_less(quiet_town: Town) -> None:
    town = quiet_town
    row = (await ada(town), await town.parts.book.read([_contact("c-1")]))[1]
    erasures = privacy_of(town.parts).erasures
    opened = await erasures.open(row.keys[_contact("c-1")], microseconds())
    assert opened is not None
    assert (await check(town, {"contact_id": "c-1"}))["allowed"]
    await town.start_worker()
    await completed(town, {"id": str(opened.id)})
    assert await gone(town, "c-1")
    assert "global_opt_out" in await codes(town, address=ADA)


def _contact(contact: str) -> Any:
    from sayso.contracts.book import Key

    return Key("contact", contact, contact)


class BrokenJournal:
    """A disk that is full."""

    def keep(self, remains: Any) -> None:
        raise JournalUnwritable("erasures: No space left on device")

    def kept(self) -> tuple[Remains, ...]:
        return ()


async def test_what_cannot_be_journaled_is_not_forgotten_yet_and_stays_denied(quiet_town: Town) -> None:
    town = quiet_town
    await ada(town)
    accepted = await forget(town, "c-1")
    [erasure] = await privacy_of(town.parts).erasures.due(microseconds(), 10)
    broken = PostgresErasures(town.parts.pool, town.parts.tools, BrokenJournal())
    with pytest.raises(JournalUnwritable, match="No space"):
        await complete(town, erasure, erasures=broken)
    assert (await town.ok("GET", "/api/v2/contacts/c-1", scopes="email_preferences"))["contact_id"] == "c-1"
    assert "unknown_state" in await codes(town, contact_id="c-1")
    assert await complete(town, erasure)
    assert not await complete(town, erasure)  # a second worker that took the same one finds nothing to do
    await completed(town, accepted)
    assert await gone(town, "c-1")


async def test_after_thirty_days_it_is_completed_whoever_has_not_answered(town: Town, shop: Receiver) -> None:
    hook = await town.webhook(shop)
    shop.server.plan("status", 100_000, status=503)
    await ada(town)
    accepted = await forget(town, "c-1")
    erasures = privacy_of(town.parts).erasures
    from uuid import UUID

    erasure = await erasures.erasure(UUID(accepted["id"]))
    assert not await complete(town, erasure, later=LONGEST - 60_000_000)
    assert await complete(town, erasure, later=LONGEST + 1)
    done = await completed(town, accepted)
    assert [(one["connection"], one["state"]) for one in done["systems"]] == [(hook["id"], "waiting")]
    assert await gone(town, "c-1")
    await eventually(lambda: sound(town))


async def test_a_line_that_a_crash_cut_off_does_not_spoil_the_journal(tmp_path: Any) -> None:
    journal = JournalFile.of(tmp_path)
    assert journal.kept() == ()
    first = Remains(b"\1" * 32, "email", "01" * 16, 5)
    second = Remains(b"\2" * 32, "contact", "02" * 16, 6)
    journal.keep([first])
    with journal.path.open("a") as file:
        file.write(second.id.hex()[:40])
    newer = replace(first, sub="03" * 16, at=7)
    journal.keep([second, newer])
    assert journal.kept() == (newer, second)
    assert journal.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(JournalUnwritable):
        JournalFile.of(tmp_path / "no such folder").keep([first])
