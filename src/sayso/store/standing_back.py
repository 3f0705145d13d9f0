"""Standing back: what the embedded server does for bulk work yields the processor to whatever answers checks, as the bulk work itself does."""

import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any


def standing_back(nice: int) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """What a pool does to each new connection: its backend runs at this nice value (0 to 19, see setpriority(2)).

    Only for a server that runs on this machine and belongs to this hub: elsewhere the backend's number is some other process's. Where the
    operating system does not allow it, everything stays as it was.
    """

    async def admit(connection: Any) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, connection.get_server_pid(), nice)

    return admit
