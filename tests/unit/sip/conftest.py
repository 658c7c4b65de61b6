import pytest

from tests.support.sip_pair import Wire, make_wire
from tests.support.sip_raw import Bench


@pytest.fixture
def wire() -> Wire:
    """Two endpoints over UDP."""
    return make_wire()


@pytest.fixture
def bench() -> Bench:
    """One endpoint, and messages by hand."""
    return Bench()
