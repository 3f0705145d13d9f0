"""Ending background tasks for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

ASKED_EVERY: Final = 0.5


async def ended(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Returns when every task has ended; whatever they raise is nobody's business any more.

    They are asked again and again: one cancellation can be lost where a task turns failures into a pause, because closing a
    connection on the way out may raise a time-out in its place.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASKED_EVERY)
