import pytest

from tests.support.sip_pair import Wire, make_wire
from tests.support.sip_raw import Bench


@pytest.fixture
def wire() -> Wire:
    return make_wire()


@pytest.fixture
def bench() -> Bench:
    return Bench()
