"""`sayso bursts`: opt-outs that a machine may have made, and the one offer to their people to confirm or undo."""

from typing import Annotated, Any
from uuid import UUID

import typer

from sayso.commands.client import OPERATOR
from sayso.commands.frame import USAGE, Failed, hub, run
from sayso.commands.output import AsJson, out, print_json, show_rows, table
from sayso.flows.offer_undo import AlreadyOffered, NoSuchBurst, offer_undo
from sayso.flows.tell_bursts import tell_burst, tell_bursts
from sayso.rules.times import format_time
from sayso.store.bursts import PostgresBursts
from sayso.web.api.bursts import marked, shown

app = typer.Typer(no_args_is_help=True, help="Opt-outs that a machine may have made. They are honoured all the same.")

REASON_LENGTH = 1_000
NEWEST = 100
BurstId = Annotated[str, typer.Argument(help="The burst's id, as `sayso bursts list` shows it.", metavar="ID")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List bursts, newest first, with the evidence."""
    rows = run(_list(), as_json)
    if as_json:
        print_json({"items": rows})
        return
    show_rows([_row(one) for one in rows], _COLUMNS, as_json=False, empty="No burst was found: nothing looks like a machine's opt-outs.")


@app.command()
def show(burst: BurstId, as_json: AsJson = False) -> None:
    """Show one burst: the evidence, and each of its opt-outs."""
    found = run(_show(burst), as_json)
    if as_json:
        print_json(found)
        return
    out().print(table([_row(found)], _COLUMNS))
    out().print(
        table(found["marks"], ("time", "contact_id", "address", "category", "source", "seconds_after_delivery", "ip", "user_agent"))
    )


@app.command()
def offer(
    burst: BurstId,
    reason: Annotated[str, typer.Option(help="Why these people are asked; it is kept in the ledger.")],
    as_json: AsJson = False,
) -> None:
    """Mail each of its people once: confirm, or undo within 30 days. Nothing is undone without the person."""
    found = run(_offer(burst, reason.strip()), as_json)
    if as_json:
        print_json(found)
        return
    out().print(f"{found['people']} people will be asked, once (entry {found['offer']['entry']}). The worker mails them.", markup=False)


_COLUMNS = ("id", "first_at", "people", "opt_outs", "median_seconds", "networks", "mail_hosts", "user_agents", "offered_at")


def _row(found: dict[str, Any]) -> dict[str, Any]:
    """A burst on one line."""
    return {
        **{name: found[name] for name in ("id", "first_at", "people", "opt_outs")},
        "median_seconds": found["seconds_after_delivery"]["median"],
        "networks": [one["network"] for one in found["networks"]],
        "mail_hosts": [one["mail_host"] for one in found["mail_hosts"]],
        "user_agents": [one["user_agent"] for one in found["user_agents"]],
        "offered_at": found["offer"]["offered_at"] if found["offer"] else None,
    }


async def _list() -> list[dict[str, Any]]:
    async with hub() as parts:
        bursts = PostgresBursts(parts.pool, parts.tools)
        return [shown(one) for one in await tell_bursts(None, NEWEST, bursts=bursts, book=parts.book)]


async def _show(raw: str) -> dict[str, Any]:
    async with hub() as parts:
        story = await tell_burst(_known(raw), bursts=PostgresBursts(parts.pool, parts.tools), book=parts.book)
    if story is None:
        raise _nowhere(raw)
    return {**shown(story), "marks": [marked(one) for one in story.marks]}


async def _offer(raw: str, reason: str) -> dict[str, Any]:
    if not 1 <= len(reason) <= REASON_LENGTH:
        raise Failed(f"a reason has 1 to {REASON_LENGTH:,} characters", where="--reason", code=USAGE)
    burst = _known(raw)
    async with hub() as parts:
        bursts, ground = PostgresBursts(parts.pool, parts.tools), await parts.current.ground()
        try:
            await offer_undo(burst, reason, OPERATOR, bursts=bursts, book=parts.book, ground=ground)
        except NoSuchBurst:
            raise _nowhere(raw) from None
        except AlreadyOffered as before:
            raise Failed(f"the people of this burst were asked on {format_time(before.offered.at)}; nobody is asked twice") from None
        story = await tell_burst(burst, bursts=bursts, book=parts.book)
    assert story is not None  # it was offered just now
    return shown(story)


def _known(raw: str) -> UUID:
    try:
        return UUID(raw)
    except ValueError:
        raise _nowhere(raw) from None


def _nowhere(raw: str) -> Failed:
    return Failed(f"there is no burst {raw[:80]!r}", where="ID", fix="sayso bursts list")
