"""Keys that a party presses, kept out of the file.

A telephone event (:rfc:`4733#section-2.3`) makes no sound by itself, but many telephones
send the tone as audio besides, and whoever listens to the file would hear a card number
or a PIN. What a party sends while one of its events lasts is silence in the file. On the
line nothing changes.

Which samples these are is told by the event's timestamp and duration, on the clock of the
party's audio; both streams have one (:rfc:`4733#section-2.1`). An event in hand is told
again and again, longer each time, well before the samples are mixed.
"""

import struct
from typing import Final

from mixer.jitter_buffer import JUMP_SAMPLES, RATE

_EVENT: Final = struct.Struct("!BBH")
"Event code; E, R and volume; duration so far."

EDGE_SAMPLES: Final = 20 * RATE // 1000
"Blanked before and behind as well: a tone begins in the packet that was being filled."

LONGEST_SAMPLES: Final = 0xFFFF

LAST_KEY: Final = 15
"Behind it come flash, fax and modem tones (:rfc:`4733#section-3.2`)."


def blank_range(
    payload: bytes, start: int, arrival: int, *, per_place: int = 1
) -> tuple[int, int] | None:
    """Return the places to be silent for a packet of an event, or None for none.

    `start` is the place of its timestamp, `arrival` that of the instant at which it came: an
    event can't have lasted longer than until then, and one that is far from it is no event.
    `per_place`: units of its duration that make a place.
    """
    if len(payload) < _EVENT.size:
        return None
    code, _, duration = _EVENT.unpack_from(payload)
    if code > LAST_KEY or not -JUMP_SAMPLES <= arrival - start <= LONGEST_SAMPLES + JUMP_SAMPLES:
        return None
    end = min(start + duration // per_place, arrival + EDGE_SAMPLES) + EDGE_SAMPLES
    return (start - EDGE_SAMPLES, end)
