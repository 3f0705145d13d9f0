"""The post office of a hub, with a clock that tests turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub import Hub
from operators import bare, sayso
from postoffice import Office, office_over


@pytest.fixture
async def office(hub: Hub, tmp_path: Path) -> AsyncIterator[Office]:
    yield office_over(hub, tmp_path)


__all__ = ["bare", "sayso"]
