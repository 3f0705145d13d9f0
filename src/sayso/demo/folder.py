"""The demo's own folder: begun, finished, wiped. Nothing outside of it is ever touched."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sayso.store import embedded

MARK: Final = "northwind.demo"
"""Lies in every folder that is a demo's, so that no other one is ever removed."""
WORLD: Final = "world.json"
READY: Final = "seeded"


class DemoFolder(Exception):
    """The demo cannot use its folder; the message says what to do."""


@contextmanager
def held(place: Path) -> Iterator[None]:
    """The folder for this process alone, made if it is not there. Raises DemoFolder while another demo uses it."""
    place.parent.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    handle = os.open(place.parent / f".{place.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFolder(f"A demo is running already with the data in {place}. Open that one, or stop it first.") from None
        yield
    finally:
        os.close(handle)


def prepare(place: Path, *, reset: bool, people: int) -> bool:
    """Whether the folder holds a whole story already; one that was not finished, is of another size, or is to be reset is removed.

    Raises DemoFolder for a folder that is not a demo's.
    """
    if place.exists() and any(place.iterdir()) and not (place / MARK).exists():
        raise DemoFolder(f"{place} holds something that is not a demo. Choose another folder: SAYSO_DATA_DIR=/some/where")
    whole = (place / READY).exists() and (place / READY).read_text() == str(people)
    if whole and not reset:
        return True
    if place.exists():
        asyncio.run(embedded.stop(place))
        shutil.rmtree(place)
    place.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    (place / MARK).touch()
    return False


def finish(place: Path, people: int) -> None:
    """Notes that the story is whole."""
    (place / READY).write_text(str(people))
