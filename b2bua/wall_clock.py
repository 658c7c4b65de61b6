"""The time of day, in the unit of the tables."""

import time
from typing import Final

MICROSECONDS: Final = 1_000_000
"Of a second."


def wall_us() -> int:
    """Return the wall clock in microseconds."""
    return time.time_ns() // 1000
