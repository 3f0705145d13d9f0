"""The post office of a hub, with a clock that tests turn."""

from pathlib import Path

import pytest
from postoffice import Office, office_over

from hub import Hub
from operators import bare, sayso


@pytest.fixture
async def office(hub: Hub, tmp_path: Path) -> Office:
    return office_over(hub, tmp_path)


__all__ = ["bare", "sayso"]
