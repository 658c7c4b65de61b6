from collections.abc import Iterator

import pytest

from tests.unit.b2bua.media_rig import Worker, running


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A media worker with two rings, in a process of its own."""
    with running() as worker:
        yield worker
