"""The secrets of an instance are made once, whole, for one user; damage is noticed, loss is never papered over."""

import multiprocessing
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sayso.keys import COMPLETE, FILES, Keys, KeysUnusable, check_value, load


def facts(keys: Keys) -> tuple[object, ...]:
    rings = (keys.kek_ring, keys.token_ring, keys.permit_ring)
    return keys.pepper, *((ring.current, dict(ring.secrets)) for ring in rings), keys.ledger_key.private_bytes_raw(), keys.ledger_name


def load_facts(data_dir: Path) -> tuple[object, ...]:
    return facts(load(data_dir))


def test_keys_are_made_once_and_read_ever_after(tmp_path: Path) -> None:
    made = load(tmp_path / "data", ledger_host="prefs.example")
    again = load(tmp_path / "data", ledger_host="other.example")
    assert facts(made) == facts(again)
    assert made.ledger_name.startswith("prefs.example/")
    secrets = [made.pepper, *(next(iter(ring.secrets.values())) for ring in (made.kek_ring, made.token_ring, made.permit_ring))]
    assert len(set(secrets)) == 4
    assert all(len(secret) == 32 for secret in secrets)
    assert facts(load(tmp_path / "other")) != facts(made)


def test_only_this_user_can_read_them_and_nothing_else_is_left(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        load(tmp_path / "data")
    finally:
        os.umask(old)
    folder = tmp_path / "data" / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {place.name for place in folder.iterdir()} == {*FILES, COMPLETE, ".lock"}
    assert {stat.S_IMODE(place.stat().st_mode) for place in folder.iterdir()} == {0o600}


def test_processes_that_start_at_once_get_the_same(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(load_facts, [tmp_path / "data"] * 12)
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("survivors", [0, 1, 3, 5])
def test_a_first_creation_cut_short_is_finished(tmp_path: Path, survivors: int) -> None:
    made = load(tmp_path)
    folder = tmp_path / "keys"
    (folder / COMPLETE).unlink()
    for name in FILES[survivors:]:
        (folder / name).unlink()
        (folder / f".{name}.new").write_text("half a fi")
    again = load(tmp_path)
    assert (again.pepper == made.pepper) == (survivors >= 1)
    assert (again.ledger_name == made.ledger_name) == (survivors >= 5)
    assert facts(again) == facts(load(tmp_path))


@pytest.mark.parametrize("name", FILES)
def test_a_lost_file_is_not_made_anew(tmp_path: Path, name: str) -> None:
    load(tmp_path)
    (tmp_path / "keys" / name).unlink()
    with pytest.raises(KeysUnusable, match=f"{name} is missing: restore it"):
        load(tmp_path)
    assert not (tmp_path / "keys" / name).exists()


def cut(data: bytes) -> bytes:
    return data[:-1]


def halve(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    return data[:30] + bytes([data[30] ^ 1]) + data[31:]


def empty(data: bytes) -> bytes:
    return b""


def zeros(data: bytes) -> bytes:
    return bytes(len(data))


def add(data: bytes) -> bytes:
    return data + b"\n"


@pytest.mark.parametrize("damage", [cut, halve, flip, empty, zeros, add])
@pytest.mark.parametrize("name", [*FILES, COMPLETE])
def test_damage_is_noticed(tmp_path: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    load(tmp_path)
    place = tmp_path / "keys" / name
    place.write_bytes(damage(place.read_bytes()))
    with pytest.raises(KeysUnusable, match=f"keys/{name} is damaged or cut off"):
        load(tmp_path)


def test_a_file_in_another_ones_place_is_noticed(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / "keys" / "kek").write_bytes((tmp_path / "keys" / "pepper").read_bytes())
    with pytest.raises(KeysUnusable, match="belongs elsewhere"):
        load(tmp_path)


@pytest.mark.parametrize(("name", "mode"), [("pepper", 0o644), ("ledger", 0o640), ("tokens", 0o602), ("", 0o755), ("", 0o770)])
def test_files_open_to_others_are_refused(tmp_path: Path, name: str, mode: int) -> None:
    load(tmp_path)
    (tmp_path / "keys" / name).chmod(mode)
    with pytest.raises(KeysUnusable, match="chmod [67]00"):
        load(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(KeysUnusable, match="data"):
        load(tmp_path / "data")


def test_the_check_value_names_the_pepper_without_telling_it(tmp_path: Path) -> None:
    keys = load(tmp_path)
    assert check_value(keys.pepper) == check_value(keys.pepper) != check_value(bytes(32))
    assert keys.pepper not in check_value(keys.pepper)


def test_the_repr_shows_no_secret(tmp_path: Path) -> None:
    keys = load(tmp_path, random=lambda count: b"S" * count)
    assert "SSS" not in repr(keys)
    assert "Ed25519" not in repr(keys)
