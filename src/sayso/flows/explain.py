"""Explain: a check with every rule shown, in the order they are judged. Logged as every check is."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sayso.contracts.gatehouse import Gatehouse
from sayso.contracts.ground import Ground
from sayso.flows.check import Question, check
from sayso.rules.answer import Logged, explained


@dataclass(frozen=True, slots=True)
class Explained:
    """The verdict, the id it was logged under (None: the store could not be read), and each rule with its input and outcome."""

    check: UUID | None
    logged: Logged
    rules: tuple[dict[str, Any], ...]


async def explain(question: Question, *, gatehouse: Gatehouse, ground: Ground) -> Explained:
    """Why this may be sent, or why not. Never raises for an unreachable store: that is a verdict too."""
    [(found, logged)] = await check([question], gatehouse=gatehouse, ground=ground)
    return Explained(found, logged, tuple(explained(logged, ground.catalogue)))
