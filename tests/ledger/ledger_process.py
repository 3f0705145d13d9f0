"""A process that sequences without end, for a test that kills it: `python ledger_process.py DSN FOLDER`."""

import asyncio
import sys
import time
from pathlib import Path

import asyncpg
from ledger_writer import ORIGIN, PRIVATE

from sayso.anchor import AnchorFolder
from sayso.flows.sequence import sequence
from sayso.store.ledger import PostgresLog


async def run(dsn: str, folder: Path) -> None:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        while True:
            now = time.time_ns() // 1000
            anchor = AnchorFolder.of(folder, ORIGIN)
            await sequence(log=PostgresLog(pool), anchor=anchor, origin=ORIGIN, private=PRIVATE, now=now, batch=40)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2])))
