"""One running demo for the tests that only use it."""

from collections.abc import Iterator

import pytest

from demo_process import Demo, demo


@pytest.fixture(scope="session")
def running() -> Iterator[Demo]:
    with demo() as here:
        here.start()
        yield here
