"""`sayso lift`: an operator ends a block, with a reason."""

from typing import Annotated, Any

import typer

from sayso.commands.frame import USAGE, Failed, hub, run
from sayso.commands.output import AsJson, show
from sayso.contracts.book import readings_of
from sayso.flows.record import Said, key_of, record
from sayso.rules import view
from sayso.rules.statements import Block, Voice
from sayso.rules.subjects import InvalidAddress, parse_address

app = typer.Typer(no_args_is_help=True, help="End a block, with a reason.")

VOICE = Voice("manual", own=True, actor="c:operator:manual", via="c:operator")
REASON_LENGTH = 1_000


@app.callback()
def _group() -> None:
    """End a block, with a reason."""


@app.command()
def complaint(
    address: Annotated[str, typer.Argument(help="The e-mail address that a complaint blocks.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger.")],
    as_json: AsJson = False,
) -> None:
    """Lift the block that a complaint left. The opt-out that came with it stays: only the person can take that back."""
    done = run(_lift(address, reason.strip()), as_json)
    if done["effect"] == "unchanged":
        text = f"No complaint blocks {done['address']}; nothing was changed."
    else:
        still = "The opt-out of all e-mail that came with it stands." if done["still_opted_out"] else "Nothing else stops all e-mail."
        text = f"The complaint no longer blocks {done['address']} (entry {done['entry']}). {still}"
    show(done, text, as_json=as_json)


async def _lift(raw: str, reason: str) -> dict[str, Any]:
    if not 1 <= len(reason) <= REASON_LENGTH:
        raise Failed(f"a reason has 1 to {REASON_LENGTH:,} characters", where="--reason", code=USAGE)
    try:
        address = parse_address("email", raw, default_region=None)
    except InvalidAddress as bad:
        raise Failed(bad.detail, where="ADDRESS", code=USAGE) from bad
    key = key_of(address)
    async with hub() as parts:
        ground = await parts.current.ground()
        row = (await parts.book.read([key])).row(key)
        if row is None or "complaint" not in view.blocks_of(row.state):
            return {"address": address.given, "effect": "unchanged", "entry": None, "still_opted_out": None}
        said = Said(VOICE, (Block("complaint", on=False),), address=key, personal={"reason": reason})
        done = await record(said, book=parts.book, ground=ground)
        assert done.ruling is not None  # it carries no key and no event id
        assert done.about is not None  # it is about an address
        out = view.is_out(readings_of(done.about, done.page.linked(done.about)), "*", "email", ground.window)
        [told] = done.ruling.told
        return {"address": address.given, "effect": told.effect, "entry": told.entries[0], "still_opted_out": out}
