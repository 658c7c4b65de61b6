"""Settings for every test: the Hypothesis profiles, and the peers that a test names."""

import os

import pytest
from hypothesis import settings

from tests.support import peers

# Deadlines measure the machine, not the code. CI draws the same examples each time, so that
# a red run is about the change at hand; elsewhere each run looks at new ones.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("peer"):
        peers.require(*marker.args)
