"""For machines that watch: alive, ready, and numbers for Prometheus."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

from sayso.contracts.book import Unavailable
from sayso.contracts.ledger import LogReader
from sayso.contracts.spokes import Accuracy, Connection

_UNREADY: Final[dict[int | str, dict[str, Any]]] = {503: {"content": {"text/plain": {}}, "description": "Why checks are denied just now."}}


@dataclass(frozen=True, slots=True)
class Count:
    """A number of another part, counted up for ever (without its `_total`); by the values of `label`, under "" where it has none."""

    name: str
    help: str
    read: Callable[[], Awaitable[Mapping[str, int]]]
    label: str = ""
    gauge: bool = False
    """Whether it also goes down; then its name is used as it is."""


def health_router(
    *, unready: Callable[[], Awaitable[str]], accuracy: Callable[[], Awaitable[list[Accuracy]]],
    connections: Callable[[], Awaitable[list[Connection]]], log: LogReader, counts: Sequence[Count] = (),
) -> APIRouter:  # fmt: skip
    """The routes; `unready` says why checks can only be denied ("" when they can be answered)."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", response_class=Response, operation_id="livez")
    async def livez() -> Response:
        """200 while the process answers."""
        return Response("ok\n", media_type="text/plain")

    @router.get("/readyz", response_class=Response, responses=_UNREADY, operation_id="readyz")
    async def readyz() -> Response:
        """200 when checks can be answered with more than unknown_state; else 503."""
        why = await unready()
        return Response(f"{why or 'ready'}\n", 503 if why else 200, media_type="text/plain")

    @router.get("/metrics", response_class=Response, operation_id="metrics")
    async def metrics() -> Response:
        """Numbers in Prometheus' text format: this process's counters, and the state of the sync as the database has it."""
        return Response(generate_latest() + await _sync(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _sync() -> bytes:
        registry = CollectorRegistry()
        up = Gauge("sayso_store_up", "1 while the store answers.", registry=registry)
        try:
            counted = [(count, await count.read()) for count in counts]
            rows, spokes, signed = await accuracy(), {one.id: one for one in await connections()}, await log.newest()
        except Unavailable:
            up.set(0)
            return generate_latest(registry)
        up.set(1)
        pairs = Gauge("sayso_sync_pairs", "Pairs of (connection, subject).", ["connection"], registry=registry)
        in_sync = Gauge("sayso_sync_in_sync", "Pairs that are acknowledged.", ["connection"], registry=registry)
        lag = Gauge(
            "sayso_sync_oldest_lag_seconds", "Age of the oldest change that is not acknowledged.", ["connection"], registry=registry
        )
        size = Gauge("sayso_ledger_signed_size", "Entries under the newest signed checkpoint.", registry=registry)
        for row in rows:
            name = spokes[row.connection].name if row.connection in spokes else str(row.connection)
            pairs.labels(name).set(row.pairs)
            in_sync.labels(name).set(row.in_sync)
            lag.labels(name).set(row.oldest_lag / 1_000_000)
        size.set(signed.size if signed else 0)
        for count, numbers in counted:
            _meter(count, numbers, registry)
        return generate_latest(registry)

    return router


def _meter(count: Count, numbers: Mapping[str, int], registry: CollectorRegistry) -> None:
    """Puts another part's numbers into the registry."""
    meter = (Gauge if count.gauge else Counter)(count.name, count.help, [count.label] if count.label else [], registry=registry)
    for value, number in numbers.items():
        (meter.labels(value) if count.label else meter).inc(number)
