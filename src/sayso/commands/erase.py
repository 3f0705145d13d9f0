"""`sayso erase` and `sayso export`: people's rights on the command line."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sayso.commands.frame import USAGE, Failed, hub, run
from sayso.commands.output import AsJson, show
from sayso.contracts.book import Key
from sayso.flows.erase import erase
from sayso.flows.export_person import export_person
from sayso.opening import Parts
from sayso.privacy_wiring import privacy_of
from sayso.rules.statements import Voice
from sayso.rules.subjects import CONTACT, InvalidAddress, parse_address, parse_contact_id
from sayso.rules.times import format_time
from sayso.web.privacy import erasure_shown, systems_of

REASON_LENGTH = 1_000
Who = Annotated[str, typer.Argument(help="The contact's id; with --address an e-mail address or phone number.")]
IsAddress = Annotated[bool, typer.Option("--address", help="ID is an address, not a contact's id.")]


def erase_person(
    who: Who,
    reason: Annotated[str, typer.Option(help="Why; it is kept until they are forgotten.")],
    is_address: IsAddress = False,
    as_json: AsJson = False,
) -> None:
    """Forget somebody. Everything is denied at once; a running hub forgets them once every connected system knows."""
    done = run(_erase(who, reason.strip(), is_address=is_address), as_json)
    text = (
        f"Accepted at {done['accepted_at']} as {done['id']}. Everything is denied from now on; it is completed when every system knows, "
        f"at the latest on {done['completed_at_the_latest'][:10]}."
    )
    show(done, text, as_json=as_json)


def export_data(
    who: Who,
    out: Annotated[Path, typer.Option("-o", "--out", help="The ZIP to write; it must not exist yet.")],
    is_address: IsAddress = False,
    as_json: AsJson = False,
) -> None:
    """Write everything held about somebody into one ZIP. That it was handed out is entered into the ledger."""
    done = run(_export(who, out, is_address=is_address), as_json)
    show(
        done,
        f"{done['bytes']:,} bytes were written to {done['file']}. They are somebody's personal data: hand them to nobody else.",
        as_json=as_json,
    )


async def _erase(who: str, reason: str, *, is_address: bool) -> dict[str, Any]:
    if not 1 <= len(reason) <= REASON_LENGTH:
        raise Failed(f"a reason has 1 to {REASON_LENGTH:,} characters", where="--reason", code=USAGE)
    async with hub() as parts:
        ground, wired = await parts.current.ground(), privacy_of(parts)
        voice = Voice("manual", own=True, actor="", via="c:operator")
        key = _key(who, parts, is_address=is_address)
        done = await erase(key, voice=voice, personal={"reason": reason}, erasures=wired.erasures, book=parts.book, ground=ground)
        if done is None:
            raise Failed("nothing is held about this one", where="ID")
        return erasure_shown(done[0], await systems_of(done[0], wired, parts.book))


async def _export(who: str, out: Path, *, is_address: bool) -> dict[str, Any]:
    if out.exists():
        raise Failed("the file exists already", where=str(out), fix="name another one", code=USAGE)
    async with hub() as parts:
        ground = await parts.current.ground()
        voice = Voice("manual", own=False, actor="c:operator:manual", via="c:operator")
        pieces = await export_person(_key(who, parts, is_address=is_address), voice=voice, archive=privacy_of(parts).archive, ground=ground)
        if pieces is None:
            raise Failed("nothing is held about this one", where="ID")
        size = 0
        with out.open("xb") as file:
            out.chmod(0o600)
            async for piece in pieces:
                size += file.write(piece)
        return {"file": str(out), "bytes": size, "exported_at": format_time(ground.clock())}


def _key(who: str, parts: Parts, *, is_address: bool) -> Key:
    """Whom the command names. Raises Failed."""
    try:
        if not is_address:
            return Key(CONTACT, value := parse_contact_id(who), value)
        channel = "email" if "@" in who else "sms"
        found = parse_address(channel, who, default_region=parts.settings.default_country)
    except InvalidAddress as bad:
        raise Failed(bad.detail, where="ID", code=USAGE) from bad
    return Key(found.kind, found.value, found.given)
