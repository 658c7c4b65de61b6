from collections.abc import Iterator

import pytest

from tests.unit.rtp.leg_bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Legs and telephones on real sockets."""
    bench = Bench()
    yield bench
    bench.close()
