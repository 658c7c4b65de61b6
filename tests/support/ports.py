"""Free ports on the loopback address, spaced as the peers need them.

Each pytest-xdist worker draws from a slice of its own below the ports that the system gives
to sockets without a wish, and tries each port, so that neighbours rarely meet.
"""

import os
import random
import socket

LOOPBACK = "127.0.0.1"
FIRST = 10240
SLICE = 2560
SLICES = 8


def take(count: int = 2) -> int:
    """Return the first, even one, of `count` neighbouring ports that are free for UDP and TCP.

    Baresip listens for TLS one above its port, and RTCP lives one above RTP.
    """
    low = _slice()
    draw = random.SystemRandom()
    for _ in range(1000):
        first = draw.randrange(low, low + SLICE - count, 2)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} free ports in a row from {low} on")


def window(count: int) -> int:
    """Return the first, even one, of `count` ports of this worker's slice, taken or not.

    For the server's RTP range: it passes over ports that somebody has.
    """
    low = _slice()
    return random.SystemRandom().randrange(low, low + SLICE - count, 2)


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
