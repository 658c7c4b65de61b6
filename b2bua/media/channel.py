"""Length-prefixed MessagePack over a socket pair: four bytes of length, then the message.

Framing is apart from I/O, so the signalling process (asyncio) and its children (a plain
loop) use the same lines. A frame above `MAX_FRAME` is a bug of ours and ends the channel.
"""

import struct
from collections.abc import Iterator

import msgspec

MAX_FRAME = 1 << 20
"Octets. The largest message is a log line; a frame beyond this means a lost boundary."

_LENGTH = struct.Struct("!I")


class ChannelError(Exception):
    """The other end sent something that is no message: the channel can't go on."""


def frame(message: msgspec.Struct) -> bytes:
    """Return `message` as one frame."""
    payload = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(payload)) + payload


class Deframer[M]:
    """Collects octets, gives out whole messages."""
