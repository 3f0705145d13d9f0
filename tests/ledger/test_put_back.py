"""An old database put back lacks what was said since: nobody is mailed by it until an operator has accepted the loss."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from put_back import Running, Shop, until

from sayso import opening
from sayso.contracts.connector import Change, Standing
from sayso.flows.deliver import without_lifting
from sayso.rules.notes import key_of, open_checkpoint
from sayso.store.embedded import Server

pytestmark = pytest.mark.feature("S9", "Q3")


@pytest.fixture
async def shop(empty_template: Server, database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop whose database was copied before Ada opted out, and put back after it: every write acknowledged and signed."""
    found = Shop(empty_template, urlsplit(database).path[1:], tmp_path / "data")
    async with found.running() as hub:
        assert await hub.prefer("ada", out=False) == await hub.prefer("ben", out=False) == 200
        assert (await hub.check("ada"))[0]
        await hub.signed()
    copy = await found.copy()
    async with found.running() as hub:
        assert await hub.prefer("ada", out=True) == 200
        await hub.signed()
        assert await hub.check("ada") == (False, ["category_opted_out"])
    await found.put_back(copy)
    found.copy_name = copy
    try:
        yield found
    finally:
        connection = await asyncpg.connect(empty_template.dsn)
        await connection.execute(f"DROP DATABASE {copy} WITH (FORCE)")
        await connection.close()


async def denies(hub: Running) -> bool:
    answers = [await hub.check(name, **more) for name in ("ada", "ben") for more in ({}, {"category": "order_confirmations"})]
    return all(answer == (False, ["unknown_state"]) for answer in answers)


async def test_nobody_is_mailed_until_the_loss_is_accepted_and_then_both_logs_verify(shop: Shop) -> None:
    async with shop.running() as hub:
        assert await denies(hub)
        status, why = await hub.ask("GET", "/readyz")
        assert status == 503
        assert "writes go on" in why and "were signed" in why
        assert await hub.prefer("cara", out=True) == 200
        doctor = (await shop.sayso("doctor", "--json")).json
        assert [one["level"] for one in doctor["findings"] if one["name"] == "rollback"] == ["fail"]
        assert "accept-rollback" in next(one["fix"] for one in doctor["findings"] if one["name"] == "rollback")
        found = await shop.sayso("verify", "--json")
        assert (found.code, "cut or rolled back" in found.json["first_bad"]["what"]) == (1, True)
        last = await hub.parts.anchor.last()
        assert last is not None

        assert (await shop.sayso("accept-rollback", "--reason", "  ")).code == 2
        done = await shop.sayso("accept-rollback", "--reason", "the disk died; restored the backup of 02:00", "--json")
        assert done.code == 0, done.err
        closed, fresh = done.json["closed"], done.json["opened"]
        signed = open_checkpoint(last.encode(), key_of(closed["origin"], hub.parts.keys.ledger_key))
        assert (closed["signed_size"], closed["signed_root"]) == (signed.size, signed.root.hex())
        assert closed["lost"] == closed["signed_size"] - closed["kept_size"] > 0
        assert fresh["origin"] == f"{closed['origin']}/2"

        async def allows() -> bool:
            return (await hub.check("ben"))[0]

        await until(allows, "checks to be answered again")
        assert (await hub.ask("GET", "/readyz"))[0] == 200
        assert await hub.check("cara") == (False, ["category_opted_out"])
        await hub.signed()
        assert (await hub.ask("GET", f"/api/v2/entries/{fresh['entry']}/proof"))[1].startswith("c2sp.org/tlog-proof@v1\nindex 0\n")
        leaf = (await hub.parts.log.leaves(0, 1))[0].decode()
        assert signed.root.hex() in leaf and "disk" not in leaf
    found = await shop.sayso("verify", "--json")
    assert (found.code, found.json["problem_count"], found.json["origin"]) == (0, 0, fresh["origin"])
    assert [(one["ok"], one["size"], one["lost"]) for one in found.json["closed"]] == [(True, closed["kept_size"], closed["lost"])]
    assert "closed by an accepted rollback" in (await shop.sayso("verify")).out
    assert (await shop.sayso("accept-rollback", "--reason", "again")).code == 1


async def test_a_hub_that_compares_nothing_mails_ada_all_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin: without the comparison the story above would not even begin."""

    async def believe(**_: object) -> None: ...

    monkeypatch.setattr(opening, "compare", believe)
    async with shop.running() as hub:
        assert not await denies(hub)
        assert (await hub.check("ada"))[0]


async def test_another_host_without_any_anchor_learns_it_from_the_first(shop: Shop, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(shop.folder / "keys", other / "keys")
    other.chmod(0o700)
    async with shop.running(other, worker=False) as elsewhere:
        assert (await elsewhere.check("ben"))[0]
        async with shop.running(worker=False) as here:
            assert await denies(here)

            async def learned() -> bool:
                return await denies(elsewhere)

            await until(learned, "the other host to deny")


async def test_put_back_behind_an_acceptance_no_origin_is_used_twice(shop: Shop) -> None:
    first = (await shop.sayso("accept-rollback", "--reason", "restored", "--json")).json
    assert first["opened"]["origin"].endswith("/2")
    await shop.put_back(shop.copy_name)
    async with shop.running() as hub:
        assert await denies(hub)
    again = (await shop.sayso("accept-rollback", "--reason", "restored once more", "--json")).json
    assert (again["opened"]["origin"], again["closed"]) == (first["closed"]["origin"] + "/3", first["closed"])
    async with shop.running() as hub:
        assert not await denies(hub)
        await hub.signed()
    assert (await shop.sayso("verify", "--json")).json["ok"]


async def test_whoever_reads_the_feed_begins_anew_and_misses_nothing_of_either_log(shop: Shop) -> None:
    """Places of the new log go on behind those of the closed one; a cursor from before the loss says so instead of skipping anything."""

    async def read(hub: Running, after: str = "") -> tuple[list[str], str]:
        said: list[str] = []
        while True:
            status, page = await hub.ask("GET", f"/api/v2/changes?limit=500{f'&after={after}' if after else ''}")
            assert status == 200, page
            said += [item["data"]["entry"] for item in page["items"]]
            if page["next"] == after:
                return said, after
            after = page["next"]

    async with shop.running() as hub:
        before, cursor = await read(hub)
        assert (await shop.sayso("accept-rollback", "--reason", "restored", "--json")).code == 0
        assert await hub.prefer("cara", out=True) == 200

        async def gone() -> bool:
            status, problem = await hub.ask("GET", f"/api/v2/changes?after={cursor}")
            return (status, problem.get("code")) == (410, "gone")

        await until(gone, "the cursor to be refused")
        await hub.signed()
        again, _ = await read(hub)
        assert again[: len(before)] == before and len(again) > len(before)
        kept = {str(row["id"]) for row in await hub.parts.pool.fetch("SELECT id FROM entry WHERE kind = 'choice'")}
        assert len(again) == len(set(again)) and kept <= set(again)


def test_connected_systems_are_told_of_restrictions_but_of_nothing_lifted() -> None:
    """While the store is in doubt: what an old database takes for open again may have been closed since."""
    standings = (Standing("email", "*", "out"), Standing("email", "promotional", "back"), Standing("sms", "*", "silent"))
    change = Change(
        key="4d" * 16, contact_id="c-1", addresses=(), version=3, standings=standings, document="{}", changed="{}", delivery_id="d",
        event_type="preferences.changed", occurred_at=1, lifted_blacklist=True,
    )  # fmt: skip
    told = without_lifting(change)
    assert [one.word for one in told.standings] == ["out", "silent", "silent"]
    assert not told.lifted_blacklist
