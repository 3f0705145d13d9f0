"""Who must be told: by grain, never the one it came from, and everybody whose judgement moved."""

import pytest
from strategies import ADA, MAIL, OLD_MAIL, PHONE, QUINN, World, shop

from sayso.rules.fanout import Spoke, Task, plan
from sayso.rules.state import Link, State
from sayso.rules.statements import Row, Tie

BY_ADDRESS, BY_CONTACT, ORIGIN = Spoke("k-addr", "address"), Spoke("k-people", "contact"), Spoke("k-orig", "address")
SPOKES = [BY_CONTACT, BY_ADDRESS, ORIGIN]


@pytest.fixture
def world() -> World:
    """Ada has two addresses, one of which she shares with Quinn; the phone belongs to nobody yet."""
    world = World()
    for contact, address in ((ADA, MAIL), (ADA, OLD_MAIL), (QUINN, MAIL)):
        world.say(shop(), Tie(address, primary=True), contact=contact)
    return world


def told(world: World, *touched: str, origin: str = "k-orig", known: bool = True) -> set[tuple[str, str]]:
    rows = world.rows if known else {}
    tasks = plan([world.rows[sub] for sub in touched], rows, SPOKES, origin=origin)
    assert list(tasks) == sorted(set(tasks))
    return {(task.connection, task.sub) for task in tasks}


def test_a_touched_contact_is_told_with_all_its_addresses(world: World) -> None:
    assert told(world, ADA) == {("k-people", ADA), ("k-addr", MAIL), ("k-addr", OLD_MAIL)}


def test_a_touched_address_is_told_with_its_contacts_and_their_other_addresses(world: World) -> None:
    assert told(world, MAIL) == {("k-people", ADA), ("k-people", QUINN), ("k-addr", MAIL), ("k-addr", OLD_MAIL)}
    assert told(world, OLD_MAIL) == {("k-people", ADA), ("k-addr", MAIL), ("k-addr", OLD_MAIL)}


def test_an_address_whose_contacts_are_not_at_hand_is_told_itself(world: World) -> None:
    assert told(world, OLD_MAIL, known=False) == {("k-people", ADA), ("k-addr", OLD_MAIL)}


@pytest.mark.feature("A20")
def test_a_lead_is_told_to_systems_of_contacts_too(world: World) -> None:
    assert told(world, PHONE) == {("k-people", PHONE), ("k-addr", PHONE)}


def test_the_origin_is_never_told_its_own_news(world: World) -> None:
    assert ("k-orig", MAIL) not in told(world, MAIL)
    assert ("k-orig", MAIL) in told(world, MAIL, origin="")
    assert {connection for connection, _ in told(world, ADA, MAIL, origin="k-addr")} == {"k-people", "k-orig"}


def test_each_is_told_once_however_much_was_touched(world: World) -> None:
    tasks = plan([world.rows[sub] for sub in (ADA, MAIL, OLD_MAIL, ADA)], world.rows, [BY_ADDRESS], origin="")
    assert tasks == (Task("k-addr", MAIL), Task("k-addr", OLD_MAIL))


def test_nothing_touched_or_nobody_connected_makes_no_work(world: World) -> None:
    assert plan([], world.rows, SPOKES, origin="") == ()
    assert plan([world.rows[ADA]], world.rows, [], origin="") == ()


def test_a_system_of_addresses_is_never_told_about_a_contact_that_became_another() -> None:
    merged = Row(ADA, "contact", State(links={QUINN: Link("contact", 0, "e"), MAIL: Link("email", 1, "f")}))
    assert plan([merged], {}, [BY_ADDRESS], origin="") == (Task("k-addr", MAIL),)
    mail = Row(MAIL, "email", State(links={ADA: Link("contact", 0, "e")}))
    assert plan([mail], {ADA: merged}, [BY_ADDRESS], origin="") == (Task("k-addr", MAIL),)
