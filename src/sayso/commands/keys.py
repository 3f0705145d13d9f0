"""`sayso keys`: exchanges the key that wraps all data keys, where hubs on several machines share a database.

A hub with its own database does this by itself every 30 days (docs/explanation/erasure.md).
"""

from typing import Any

import typer

from sayso.commands.frame import Failed, hub, run
from sayso.commands.output import AsJson, show
from sayso.flows.note_config import note_config
from sayso.keys import KekRing, destroy_old, exchange
from sayso.store.rewrap import rewrap

app = typer.Typer(no_args_is_help=True, help="Exchange the key-encryption key.")


@app.callback()
def _group() -> None:
    """Exchange the key-encryption key."""


@app.command("exchange")
def exchange_key(as_json: AsJson = False) -> None:
    """Make a new key-encryption key and wrap every data key under it. The old one still opens what lies under it."""
    done = run(_exchange(), as_json)
    text = (
        f"The new key is {done['key']}; {done['rewrapped']:,} keys lie under it now. Copy keys/kek of the data folder to every other machine of "
        "this hub, then run: sayso keys destroy-old"
    )
    show(done, text, as_json=as_json)


@app.command("destroy-old")
def destroy_old_keys(as_json: AsJson = False) -> None:
    """Destroy every key-encryption key but the newest, once nothing lies under them any more. Backups older than the exchange lose all names."""
    done = run(_destroy_old(), as_json)
    show(done, f"{done['destroyed']} old keys were destroyed here; do the same on every other machine.", as_json=as_json)


async def _exchange() -> dict[str, Any]:
    async with hub() as parts:
        key = exchange(parts.settings.data_dir)
        done, lost = await rewrap(parts.pool, parts.tools.vault)
        return {"key": key, "rewrapped": done, "unreadable": lost}


async def _destroy_old() -> dict[str, Any]:
    async with hub() as parts:
        if len(KekRing(parts.settings.data_dir)) == 1:
            return {"destroyed": 0}
        done, _ = await rewrap(parts.pool, parts.tools.vault)
        if done:
            raise Failed(f"{done:,} keys lay under an old key and were wrapped anew just now", fix="run it again in a minute")
        await note_config("keys_exchanged", {}, "c:operator", book=parts.book, ground=await parts.current.ground())
        return {"destroyed": destroy_old(parts.settings.data_dir)}
