"""Free ports on the loopback address, spaced as the peers need them.

Each pytest-xdist worker draws from a slice of its own below the ports that the system gives
to sockets without a wish, and tries each port, so that neighbours rarely meet.
"""

import itertools
import os
import random
import socket

LOOPBACK = "127.0.0.1"
FIRST = 10240
SLICE = 2560
SLICES = 8
FOR_WINDOWS = 1280
"The upper half of a slice: a server's range never holds a port that a phone is about to bind."

_steps = itertools.count(random.SystemRandom().randrange(SLICE // 2))
"Where the last draw ended, in pairs: no port is given out twice before all were."


def take(count: int = 2) -> int:
    """Return the first, even one, of `count` neighbouring ports that are free for UDP and TCP.

    Baresip listens for TLS one above its port, and RTCP lives one above RTP.
    """
    low, pairs = _slice(), (SLICE - FOR_WINDOWS) // 2
    needed = -(-count // 2)
    for _ in range(pairs):
        start = next(_steps) % pairs
        if start + needed > pairs:
            continue
        first = low + 2 * start
        if all(_is_free(port) for port in range(first, first + count)):
            for _ in range(needed - 1):
                next(_steps)
            return first
    raise RuntimeError(f"no {count} free ports in a row from {low} on")


def window(count: int) -> int:
    """Return the first, even one, of `count` ports of this worker's slice, taken or not.

    For the server's RTP range: it passes over ports that somebody has.
    """
    low = _slice() + SLICE - FOR_WINDOWS
    return random.SystemRandom().randrange(low, low + FOR_WINDOWS - count, 2)


def _slice() -> int:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SLICES
    return FIRST + worker * SLICE


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True
