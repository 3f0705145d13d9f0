"""Alert of bursts: one entry of the ledger for each, once nobody joins it any more; webhooks hear of it from there."""

from sayso.contracts.book import Book
from sayso.contracts.bursts import Bursts
from sayso.contracts.ground import Ground
from sayso.flows.note_config import note_config
from sayso.rules.bursts import WINDOW
from sayso.rules.tidings import BURST_FOUND

CALLER = "hub"


async def alert_bursts(*, bursts: Bursts, book: Book, ground: Ground) -> int:
    """How many bursts were told of. A crash in between tells of one twice, never of none. Numbers only; the people are asked for apart."""
    waiting = await bursts.untold(ground.clock() - WINDOW)
    for one in waiting:
        detail = {
            "alert": "suspected_opt_outs", "burst": str(one.id), "people": one.people, "opt_outs": one.opt_outs, "networks": one.networks,
            "mail_hosts": one.hosts, "user_agents": one.agents, "first_at": one.first_at, "last_at": one.last_at,
        }  # fmt: skip
        await bursts.told(one.id, await note_config(BURST_FOUND, detail, CALLER, book=book, ground=ground))
    return len(waiting)
