"""Portraits that several systems share are the portraits that each of them would have been given."""

import random
import time
from dataclasses import replace

import pytest

from hub import Hub, api, person
from sayso.contracts.book import Key
from sayso.contracts.portrait import Portrait
from sayso.flows.portray import KEPT_SECONDS, Mark, Recent, portray
from sayso.flows.record import Said, record
from sayso.rules.statements import Choose, Suspend
from sayso.rules.times import SECOND
from sayso.rules.words import Scope

pytestmark = pytest.mark.feature("D3")

ADA, BEN = Key("contact", "c-1", "c-1"), Key("contact", "c-2", "c-2")
MAIL, PHONE = Key("email", "ada@example.com", "Ada@example.com"), Key("phone", "+15550100", "+1 555 0100")
SCOPES = [Scope("*", "email", "promotional"), Scope("*", "email", "*"), Scope("acme", "sms", "*"), Scope("*", "email", "events")]


class OfSomeTimeAgo(Recent):
    """Recent portraits as they must not be: good for a person, however long their chain has become."""

    def find(self, mark: Mark) -> Portrait | None:
        return next((one for (brand, _, chains), (_, one) in self._kept.items() if (brand, chains[0][0]) == (mark[0], mark[2][0][0])), None)


async def differences(hub: Hub, recent: Recent) -> int:
    """How often, over a story of forty words, the shared portraits of everybody were not those drawn for nobody else."""
    chance, found = random.Random(5), 0
    for _ in range(40):
        word = Choose(chance.choice(SCOPES), out=chance.random() < 0.6)
        about = chance.choice([ADA, BEN, MAIL, PHONE])
        ties = ((chance.choice([MAIL, PHONE]), True),) if about in (ADA, BEN) and chance.random() < 0.3 else ()
        key = {"contact": about} if about in (ADA, BEN) else {"address": about}
        voice = chance.choice([api(), person()])
        await record(Said(voice, (word,), ties=ties, personal={"reason": str(chance.random())}, **key), book=hub.book, ground=hub.ground)
        subs = sorted((await hub.book.read([ADA, BEN, MAIL, PHONE])).rows)
        for brand in (None, "acme"):
            alone = await portray(subs, brand, book=hub.book, ground=hub.ground)
            for _ in range(2):  # the second time from what the first one kept
                found += alone != await portray(subs, brand, book=hub.book, ground=hub.ground, recent=recent)
    return found


async def test_a_shared_portrait_is_the_one_that_would_be_drawn_now(hub: Hub) -> None:
    assert await differences(hub, Recent()) == 0


async def test_portraits_that_outlive_the_next_word_are_found_out(hub: Hub) -> None:
    assert await differences(hub, OfSomeTimeAgo()) > 0


async def test_who_pauses_is_drawn_anew_because_pauses_end_by_themselves(hub: Hub) -> None:
    now = time.time_ns() // 1000
    await record(Said(person(), (Suspend("*", now + 60 * SECOND),), contact=ADA), book=hub.book, ground=hub.ground)
    [sub] = (await hub.book.read([ADA])).rows
    recent = Recent()
    paused = await portray([sub], None, book=hub.book, ground=hub.ground, recent=recent)
    later = await portray([sub], None, book=hub.book, ground=replace(hub.ground, clock=lambda: now + 61 * SECOND), recent=recent)
    assert paused[sub].document["paused_until"] is not None
    assert later[sub].document["paused_until"] is None


async def test_names_are_kept_for_seconds_only(hub: Hub) -> None:
    await record(Said(person(), (Choose(SCOPES[0], out=True),), contact=ADA), book=hub.book, ground=hub.ground)
    [sub] = (await hub.book.read([ADA])).rows
    now = 0.0
    recent = Recent(lambda: now)
    await portray([sub], None, book=hub.book, ground=hub.ground, recent=recent)
    [mark] = recent._kept
    assert recent.find(mark) is not None
    now = KEPT_SECONDS
    assert recent.find(mark) is None
