"""Load: wrk for throughput, a paced client for latency. Both stop by themselves and talk to loopback only."""

import asyncio
import json
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bench.line import lines

SCRIPT = """
math.randomseed({seed})
local made = {{}}
for n = 1, 20000 do
  local i = math.random(0, {people} - 1)
  made[n] = wrk.format("POST", {path}, {{["Authorization"] = "Bearer {token}", ["Content-Type"] = "application/json"}}, {body})
end
local n = 0
request = function()
  n = n % #made + 1
  return made[n]
end
"""
NEWCOMERS = 1_000_000_000
"""Of so many people hardly one is drawn twice."""
OPT_OUT_PATH = "string.format('/api/v2/contacts/s-%d/email_preferences', i)"
OPT_OUT = """'{"email_pref_promotional":"opted_out"}'"""
CHECK = (
    """string.format('{"contact_id":"c-%d","address":"p%d@example.com","channel":"email","category":"promotional","country":"US"}', i, i)"""
)


def have_wrk() -> bool:
    """Whether wrk is installed (Debian: apt-get install wrk)."""
    return shutil.which("wrk") is not None


async def throughput(
    port: int, path: str, *, token: str, people: int, body: str = CHECK, seconds: float = 4, connections: int = 64, seed: int = 1
) -> float:
    """Requests per second that were answered 2xx, from one thread of wrk. `path` may be a Lua expression of `i`, as `body` is."""
    text = SCRIPT.format(seed=seed, people=people, path=f"'{path}'" if path.startswith("/") else path, token=token, body=body)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(text)
        script.flush()
        run = await asyncio.create_subprocess_exec(
            "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", script.name, f"http://127.0.0.1:{port}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said = (await run.communicate())[0].decode()
    if "Non-2xx" in said or "Requests/sec" not in said:
        raise RuntimeError(f"the server on {port} did not answer as it should:\n{said}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]  # it is in there


async def latencies(port: int, *, token: str, people: int, per_second: int, seconds: float) -> list[float]:
    """Milliseconds of each check, asked at a steady pace whatever the answers take (an open loop hides no waiting).

    Where it may (as root), the client goes before everybody else meanwhile: it stands for one on a machine of its own, and what it waited
    for a processor would count as the hub's.
    """
    chance, taken = random.Random(7), []
    async with lines(port, token) as hub:

        async def one(due: float) -> None:
            n = chance.randrange(people)
            body = json.dumps(
                {"contact_id": f"c-{n}", "address": f"p{n}@example.com", "channel": "email", "category": "promotional", "country": "US"}
            )
            status, _ = await hub.post("/api/v2/send_checks", body.encode())
            if status != 200:
                raise RuntimeError(f"a check was answered {status}")
            taken.append((time.perf_counter() - due) * 1000)

        with _first():
            start, running = time.perf_counter(), set()
            for n in range(int(per_second * seconds)):
                due = start + n / per_second
                if (ahead := due - time.perf_counter()) > 0:
                    await asyncio.sleep(ahead)
                task = asyncio.create_task(one(due))
                running.add(task)
                task.add_done_callback(running.discard)
            await asyncio.gather(*running)
    return taken


@contextmanager
def _first() -> Iterator[None]:
    """Lets this process go before all others where it may (as root)."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    try:
        yield
    finally:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, 0)


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
