from pathlib import Path

import pytest

from tests.unit.recording.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A recorder that writes below the test's folder."""
    return Rig(tmp_path)
