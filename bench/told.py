"""How long it takes until others know: opt-out acknowledged → webhook received, beside a bare POST over loopback."""

import asyncio
import json
import time

import aiohttp
from aiohttp import web

from bench import load
from bench.figures import ROUNDS, Figure
from bench.hub import Bench, free_port
from bench.line import Lines, lines

RECEIVERS = 3
PER_SECOND = 300


async def webhooks(hub: Bench) -> Figure:
    """p99 milliseconds from the acknowledgement of an opt-out to its arrival at the last of three receivers."""
    arrived: dict[tuple[int, str], float] = {}
    runners, ports = [], [free_port() for _ in range(RECEIVERS)]
    for port in ports:

        async def receive(request: web.Request, port: int = port) -> web.Response:
            body = await request.json()
            arrived.setdefault((port, str(body["data"]["contact_id"])), time.perf_counter())
            return web.Response()

        app = web.Application()
        app.router.add_post("/told", receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        runners.append(runner)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{hub.port}", headers=hub.headers) as session, lines(hub.port, hub.token) as line:
        hooks = [await _hook(session, port) for port in ports]
        await _round(line, ports, arrived, -1, PER_SECOND // 10)  # until the worker has begun
        found = [await _round(line, ports, arrived, n) for n in range(ROUNDS)]
        for hook in hooks:
            await session.delete(f"/api/v2/webhooks/{hook}")
    for runner in runners:
        await runner.cleanup()
    return Figure(f"opt-out acked → webhook received, p99 at {PER_SECOND}/s to {RECEIVERS} receivers", "", "1000 ms", "100 ms", "ms", found)


async def _hook(session: aiohttp.ClientSession, port: int) -> str:
    body = {"url": f"http://127.0.0.1:{port}/told", "events": ["preferences.changed"]}
    async with session.post("/api/v2/webhooks", data=json.dumps(body)) as answer:
        made = await answer.json()
        if answer.status != 201:
            raise RuntimeError(f"no webhook was made: {made}")
        return str(made["id"])


async def _round(line: Lines, ports: list[int], arrived: dict[tuple[int, str], float], n: int, count: int = 3 * PER_SECOND) -> float:
    acked: dict[str, float] = {}

    async def one(contact: str) -> None:
        status, _ = await line.post(f"/api/v2/contacts/{contact}/email_preferences", b'{"email_pref_promotional":"opted_out"}')
        if status != 200:
            raise RuntimeError(f"an opt-out was answered {status}")
        acked[contact] = time.perf_counter()

    start, running = time.perf_counter(), []
    for i in range(count):
        due = start + i / PER_SECOND
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        running.append(asyncio.create_task(one(f"w-{n}-{i}")))
    await asyncio.gather(*running)
    for _ in range(600):
        if all((port, contact) in arrived for port in ports for contact in acked):
            break
        await asyncio.sleep(0.1)
    waits = [max(arrived.get((port, contact), float("inf")) for port in ports) - at for contact, at in acked.items()]
    return load.percentile([1000 * max(0.0, wait) for wait in waits], 0.99)
