"""`sayso accept-rollback`: an operator accepts that an older database was put back, and checks are answered again."""

from typing import Annotated, Any

import typer

from sayso.commands.frame import USAGE, Failed, hub, run
from sayso.commands.output import AsJson, show
from sayso.contracts.ledger import LedgerDamaged
from sayso.flows.accept_rollback import Accepted, LogBusy, NothingToAccept, accept_rollback
from sayso.flows.sequence import sequence
from sayso.opening import microseconds
from sayso.rules.notes import key_of, key_text

REASON_LENGTH = 1_000
CALLER = "c:operator"


def accept(
    reason: Annotated[str, typer.Option(help="Why the database was put back; it is kept in the ledger.")],
    as_json: AsJson = False,
) -> None:
    """Close a log that is shorter or other than what was signed, and open a new one that says so. Until then every check is denied.

    What was lost stays lost: choices made after the copy was taken. Record them again first where you can.
    """
    done = run(_accept(reason.strip()), as_json)
    show(done, _text(done), as_json=as_json)


async def _accept(reason: str) -> dict[str, Any]:
    if not 1 <= len(reason) <= REASON_LENGTH or not reason.isprintable():
        raise Failed(f"a reason has 1 to {REASON_LENGTH:,} characters, on one line", where="--reason", code=USAGE)
    async with hub() as parts:
        private = parts.keys.ledger_key
        try:
            done = await accept_rollback(
                reason, CALLER, log=parts.log, anchor_of=parts.anchor_of, key_of=lambda origin: key_of(origin, private),
                name=parts.keys.ledger_name, book=parts.book, ground=await parts.current.ground(),
            )  # fmt: skip
        except NothingToAccept:
            raise Failed("the log holds everything that was signed: there is no rollback to accept", fix="sayso doctor") from None
        except LogBusy:
            raise Failed("another process works on the log", fix="try again") from None
        except LedgerDamaged as damaged:
            raise Failed(f"the log contradicts itself: {damaged}", where="ledger", fix="restore a backup; sayso verify") from damaged
        await parts.log.follow()
        await sequence(log=parts.log, anchor=parts.anchor, origin=parts.origin, private=private, now=microseconds())
        return _document(done, key_text(key_of(done.origin, private)))


def _document(done: Accepted, key: str) -> dict[str, Any]:
    closed = done.closed
    return {
        "closed": {
            "origin": closed.origin, "signed_size": closed.size, "signed_root": closed.root.hex(), "kept_size": closed.kept,
            "kept_root": closed.kept_root.hex(), "agreed_size": closed.agreed, "lost": closed.lost,
        },
        "opened": {"origin": done.origin, "log": done.log, "entry": done.entry, "key": key},
    }  # fmt: skip


def _text(done: dict[str, Any]) -> str:
    closed, fresh = done["closed"], done["opened"]
    return (
        f"Closed the log {closed['origin']}: {closed['signed_size']:,} entries were signed, {closed['kept_size']:,} are here, "
        f"{closed['lost']:,} of the signed ones are lost.\nOpened {fresh['origin']}; its first leaf says so (entry {fresh['entry']}). "
        f"Checks are answered again within a second.\nVerifier key of the new log: {fresh['key']}"
    )
