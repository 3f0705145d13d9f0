"""People's rights on the command line, and the exchange of the key that wraps all others."""

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from forgetting import ADA
from test_erasing import ada

from operators import Sayso, bare, listed, sayso
from sayso import privacy_wiring
from sayso.keys import KekRing, KeysUnusable, destroy_old, exchange
from sayso.privacy_wiring import EXCHANGED_EVERY, SETTLED_AFTER
from sayso.store.vault import Sealed
from town import Town

__all__ = ["bare", "listed", "sayso"]


@pytest.mark.feature("L6", "R14")
def test_somebody_is_exported_and_forgotten_from_the_command_line(sayso: Sayso, listed: Callable[..., Path], tmp_path: Path) -> None:
    assert sayso("import", listed("email", ADA), "--opt-outs", "--json").code == 0
    packed = tmp_path / "ada.zip"
    done = sayso("export", ADA, "--address", "-o", packed, "--json")
    assert done.code == 0 and done.json["bytes"] == packed.stat().st_size and packed.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(packed) as opened:
        assert ADA.encode() in opened.read("profile.json")
    assert sayso("export", ADA, "--address", "-o", packed, "--json").code == 2
    accepted = sayso("erase", ADA, "--address", "--reason", "asked by letter", "--json")
    assert accepted.code == 0 and accepted.json["state"] == "accepted"
    told = sayso("erase", ADA, "--address", "--reason", "asked by letter")
    assert told.code == 0 and accepted.json["id"] in told.out.replace("\n", "")
    explained = sayso("explain", ADA, "--category", "order_confirmations", "--json")
    assert explained.json["allowed"] is False


@pytest.mark.feature("L6")
def test_mistakes_are_named(sayso: Sayso, tmp_path: Path) -> None:
    assert sayso("erase", "c-1", "--reason", " ", "--json").error["where"] == "--reason"
    assert sayso("erase", "c-1", "--reason", "x", "--json").error["where"] == "ID"
    assert sayso("erase", "no address", "--address", "--reason", "x", "--json").code == 2
    assert sayso("export", "c-1", "-o", tmp_path / "x.zip", "--json").code == 1
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.feature("L6")
def test_an_operator_exchanges_the_key_in_two_steps(sayso: Sayso, listed: Callable[..., Path], tmp_path: Path) -> None:
    assert sayso("import", listed("email", ADA), "--opt-outs", "--json").code == 0
    assert sayso("keys", "destroy-old", "--json").json == {"destroyed": 0}
    done = sayso("keys", "exchange", "--json")
    assert done.code == 0 and done.json["rewrapped"] >= 1 and done.json["unreadable"] == 0
    assert len(KekRing(tmp_path / "data")) == 2
    assert sayso("keys", "destroy-old", "--json").json == {"destroyed": 1}
    assert sayso("export", ADA, "--address", "-o", tmp_path / "ada.zip", "--json").code == 0
    assert sayso("verify", "--json").code == 0


@pytest.mark.feature("L6", "S7")
async def test_a_hub_with_its_own_database_exchanges_its_key_every_thirty_days(quiet_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town = quiet_town
    await ada(town)
    _, _ = await town.sendgrid()
    parts = replace(town.parts, settings=replace(town.parts.settings, database_url=None))
    folder = parts.settings.data_dir
    kek = folder / "keys" / "kek"
    [old] = KekRing(folder)
    assert await privacy_wiring._exchanged(town.parts) > 0 and list(KekRing(folder)) == [old]  # not ours alone: the operator does it
    await privacy_wiring._exchanged(parts)
    assert list(KekRing(folder)) == [old]
    _age(kek, EXCHANGED_EVERY)
    await privacy_wiring._exchanged(parts)
    fresh = KekRing(folder).newest()
    assert set(KekRing(folder)) == {old, fresh} and fresh != old
    await town.say("c-2", {"email": "bea@example.com"})  # the running hub wraps under the new key without being told
    assert set(await kids(town)) == {old, fresh}
    await privacy_wiring._exchanged(parts)
    assert set(await kids(town)) == {fresh}
    await privacy_wiring._exchanged(parts)
    assert set(KekRing(folder)) == {old, fresh}  # whoever wrapped under the old key a moment ago may still be writing
    _age(kek, SETTLED_AFTER)
    await privacy_wiring._exchanged(parts)
    assert list(KekRing(folder)) == [fresh]
    assert (await town.ok("GET", "/api/v2/contacts/c-1/email_preferences", scopes="email_preferences"))["email"] == ADA
    assert len(await town.parts.spokes.connections()) == 1


def _age(file: Path, microseconds: int) -> None:
    then = file.stat().st_mtime_ns - (microseconds + 1_000_000) * 1_000
    os.utime(file, ns=(then, then))


async def kids(town: Town) -> list[str]:
    """The ids of the keys that subjects' data keys lie under."""
    async with town.parts.pool.acquire() as connection:
        rows = await connection.fetch("SELECT wrapped FROM subject_key")
    return [row["wrapped"][1 : 1 + row["wrapped"][0]].decode() for row in rows]


async def test_a_ring_that_cannot_be_read_for_a_moment_goes_on_with_what_it_knows(quiet_town: Town) -> None:
    folder = quiet_town.parts.settings.data_dir
    ring = KekRing(folder)
    newest, kek = ring.newest(), folder / "keys" / "kek"
    whole = kek.read_bytes()
    kek.write_bytes(b"half a fi")
    assert ring.newest() == newest and "nobody" not in ring
    with pytest.raises(KeysUnusable):
        KekRing(folder)
    kek.write_bytes(whole)
    exchange(folder)
    assert len(ring) == 2 and destroy_old(folder) == 1
    with pytest.raises(Sealed):
        quiet_town.parts.tools.vault.unwrap(b"\x02k9" + b"x" * 60, b"anywhere")
