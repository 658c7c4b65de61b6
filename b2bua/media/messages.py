"""What the processes of the media plane say to each other, and what each of them says of itself.

Small typed messages, MessagePack with a tag, over socket pairs (`b2bua/media/channel.py`).
The signalling process decides, a media worker owns packets, a recorder owns samples: the one is
asked (`to_worker.py`), and both tell (`from_worker.py`, `from_recorder.py`). `leg_id` and
`recording_id` are numbers that the signalling process gives out; times are CLOCK_MONOTONIC
seconds, which all processes of a machine share.
"""

from typing import Final

import msgspec


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message or a part of one: both ends are of the same build, so fields need no names."""


class Counters(Message, frozen=True, tag=True):
    """A snapshot, once a second; totals since the process started, but for `GAUGES`."""

    values: dict[str, float]


GAUGES = frozenset(
    {"legs_transcoded", "recordings_open", "lag_s", "encoder_lag_s", "pressure", "busy"}
)
"Counters that say how things stand now: they end with the process that sent them."

WARNING: Final = 30
ERROR: Final = 40
"Levels of `logging`, which a media worker does not import."


class LogLine(Message, frozen=True, tag=True):
    """A log record of a process that writes no log of its own."""

    level: int
    logger: str
    text: str
