"""Saying preferences through a door: preconditions, repeats, the write, its answer. One function serves single calls and batches."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from fastapi import Request, Response

from sayso.contracts.book import Key, StaleVersion, version_of
from sayso.contracts.ground import Ground
from sayso.flows.record import Memory, Recorded, Said, record
from sayso.flows.show import show
from sayso.rules.subjects import CONTACT
from sayso.rules.values import Value
from sayso.web.api.wanted import READ_ONLY, Wanted, read_wanted
from sayso.web.auth import Caller
from sayso.web.errors import Problem, invalid
from sayso.web.hub import Hub
from sayso.web.reading import escaped, fingerprint, idempotency_key, if_match, read_object
from sayso.web.render import etag, written
from sayso.web.voices import voice_of


class Repeat(Value, frozen=True):
    """A client's idempotency key, and the fingerprint of the request that it stands for."""

    key: str
    fingerprint: bytes


class Answered(Value, frozen=True):
    """An answer's status and JSON bytes; `version` None when it was an earlier one, repeated."""

    status: int
    body: bytes
    version: int | None = None


class Saying(Value, frozen=True, gc=True):
    """What a body wants of a subject, ready to be recorded: what is said, what is kept of its answer, and how that is rendered."""

    said: Said
    ground: Ground
    memo: Memory | None
    render: Callable[[Recorded], tuple[int, bytes]]
    brand: str | None


async def saying(
    body: Mapping[str, Any], key: Key, *, hub: Hub, caller: Caller, extra: Mapping[str, Any] | None = None, repeat: Repeat | None = None,
    demanded: int | str | None = None, at: str = "#",
) -> Saying:  # fmt: skip
    """What a body wants of a subject. Raises Problem.

    `extra` are members that this door shows besides the document, `demanded` the version a precondition names.
    """
    ground = await hub.current.ground()
    wanted = read_wanted(body, key, catalogue=ground.catalogue, region=ground.default_country, now=ground.clock(), at=at)
    if wanted.equal or demanded is not None:
        await _compare(wanted, key, hub, ground, extra or {}, demanded, at)
    contact = key.kind == CONTACT
    said = Said(
        voice=voice_of(caller, wanted.source, method=wanted.method, reason=wanted.reason), words=wanted.words,
        contact=key if contact else None, address=None if contact else key, ties=wanted.ties, given_ts=wanted.given_ts,
        personal=wanted.personal, if_version=demanded if isinstance(demanded, int) else None, refused=wanted.refused, shown=True,
    )  # fmt: skip

    def render(done: Recorded) -> tuple[int, bytes]:
        shown = written(done, wanted, ground, hub.ring)
        return 200, msgspec.json.encode({**extra, **shown} if extra else shown)

    # A refused request is not remembered: it may be mended and sent again under its key.
    memo = (caller.client_id, repeat.key, repeat.fingerprint, render) if repeat and not wanted.refused else None
    return Saying(said, ground, memo, render, wanted.brand)


def answered(one: Saying, done: Recorded) -> Answered:
    """The answer to what was recorded."""
    if done.replayed is not None:
        return Answered(*done.replayed)
    status, rendered = one.render(done)
    return Answered(status, rendered, version_of(done.about, done.page.linked(done.about)) if done.about else 0)


async def say(
    body: Mapping[str, Any], key: Key, *, hub: Hub, caller: Caller, extra: Mapping[str, Any] | None = None, repeat: Repeat | None = None,
    demanded: int | str | None = None,
) -> Answered:  # fmt: skip
    """Keeps what a body wants of a subject and answers with its document. Raises Problem and what `record` raises."""
    one = await saying(body, key, hub=hub, caller=caller, extra=extra, repeat=repeat, demanded=demanded)
    try:
        done = await record(one.said, book=hub.book, ground=one.ground, memo=one.memo)
    except StaleVersion:
        raise await _moved_on(key, one.brand, hub, one.ground) from None
    return answered(one, done)


async def _compare(
    wanted: Wanted, key: Key, hub: Hub, ground: Ground, extra: Mapping[str, Any], demanded: int | str | None, at: str
) -> None:
    """Refuses read-only members that are not as they are, and preconditions that nobody unknown can meet."""
    now = await show(key, brand=wanted.brand, book=hub.book, ground=ground)
    if now is None and demanded not in (None, 0):
        raise Problem("conflict_version", "Nothing was ever recorded here, so there is no version to match.", more={"current": None})
    current: dict[str, Any] = {**extra, **now.document} if now else {**extra, "version": 0}
    if key.kind == CONTACT:
        current["contact_id"] = key.value
    elif "email" in wanted.equal and wanted.equal["email"] == key.given:
        current["email"] = key.given
    wrong = [name for name, value in wanted.equal.items() if current.get(name) != value]
    if wrong:
        detail = "cannot be written here and is not what it says" if READ_ONLY & set(wrong) else "cannot be taken away by null"
        raise invalid(*((detail, f"{at}/{escaped(name)}") for name in wrong))


async def _moved_on(key: Key, brand: str | None, hub: Hub, ground: Ground) -> Problem:
    now = await show(key, brand=brand, book=hub.book, ground=ground)
    version = now.version if now else 0
    return Problem(
        "conflict_version", f"The state is at version {version} now; read it, decide again, and send that version.",
        headers=etag(version), more={"current": now.document if now else None},
    )  # fmt: skip


async def answer_write(request: Request, key: Key, hub: Hub, caller: Caller, extra: Mapping[str, Any] | None = None) -> Response:
    """One call's answer, with its headers."""
    body = await read_object(request)
    name = idempotency_key(request)
    repeat = Repeat(name, fingerprint(request, body)) if name else None
    found = await say(body, key, hub=hub, caller=caller, extra=extra, repeat=repeat, demanded=if_match(request))
    headers = {"Cache-Control": "no-store", **(etag(found.version) if found.version is not None else {"Idempotency-Replayed": "true"})}
    return Response(found.body, found.status, headers, media_type="application/json")
