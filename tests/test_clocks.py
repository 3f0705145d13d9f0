"""Two clocks, of which either may be wrong or step: nothing that has ended begins again, and nothing lives longer than it should."""

import random

import pytest

from sayso.clocks import Clocks
from sayso.rules.tokens import BadToken, Ring, read, sign_permit
from shares import Ran, share

DAY = 86_400_000_000
HOUR = 3_600_000_000
TRUE = 1_760_000_000_000_000
RING = Ring("k1", {"k1": b"p" * 32})


class Hands:
    """Time that only moves when told, and two clocks that show it wrongly by their skews."""

    def __init__(self) -> None:
        self.true, self.wall_skew, self.database_skew = TRUE, 0, 0

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.true + self.wall_skew, lambda: self.true / 1_000_000)

    def look(self, clocks: Clocks) -> int:
        return clocks.saw(self.true + self.database_skew)


def test_before_the_database_said_anything_the_own_clock_counts() -> None:
    hands = Hands()
    clocks = hands.clocks()
    assert clocks.later() == clocks.earlier() == TRUE


def test_what_ends_ends_by_the_later_and_what_begins_begins_by_the_earlier() -> None:
    hands = Hands()
    clocks = hands.clocks()
    for wall, database in ((-DAY, 0), (DAY, 0), (0, 0)):
        hands.wall_skew, hands.database_skew = wall, database
        hands.look(clocks)
        assert clocks.later() == TRUE + max(wall, database)
        assert clocks.earlier() == TRUE + min(wall, database)
    hands.true += HOUR
    assert clocks.later() == clocks.earlier() == TRUE + HOUR, "it counts on between two looks"


def test_a_database_clock_that_steps_back_is_not_followed_and_is_told() -> None:
    hands = Hands()
    clocks = hands.clocks()
    assert hands.look(clocks) == 0
    hands.database_skew = -HOUR
    assert hands.look(clocks) == HOUR
    assert clocks.later() == TRUE


def denied_again(ran_out: int, events: int, seed: int, *, later: bool = True) -> int:
    """Random steps of both clocks around a permit that ran out: how often it was good again after it had been refused."""
    chance = random.Random(seed)
    found = 0
    for _ in range(events):
        hands = Hands()
        clocks = hands.clocks()
        hands.look(clocks)
        permit = sign_permit(RING, chance_uuid(chance), "email", "promotional", expires_at=TRUE + ran_out)
        hands.true += ran_out + chance.randrange(1, HOUR)
        if chance.random() < 0.5:
            hands.wall_skew = -chance.choice((1, 1_000_000, HOUR, DAY))
        else:
            hands.database_skew = -chance.choice((1, 1_000_000, HOUR, DAY))
        hands.look(clocks)
        now = clocks.later() if later else clocks.wall()
        try:
            read(RING, permit, kinds={"permit"}, now=now)
        except BadToken:
            continue
        found += 1
    return found


def chance_uuid(chance: random.Random) -> object:
    from uuid import UUID

    return UUID(int=chance.getrandbits(128))


@pytest.mark.soak
@pytest.mark.feature("Q4")
def test_no_step_of_either_clock_makes_a_permit_good_again(ran: Ran) -> None:
    events = share("G11 skew events")
    assert denied_again(60_000_000, events, 11) == 0
    ran("G11 skew events", events)


def test_twin_one_clock_alone_makes_it_good_again() -> None:
    assert denied_again(60_000_000, 50, 11, later=False) > 0
