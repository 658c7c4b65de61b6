"""Holds one thread of another process still, its other threads run on: `hold_thread TID`.

Says `held`, and lets go when its standard input ends. So a loop can be made to hang that has no
switch for it.
"""

import ctypes
import os
import sys
from typing import Final

SEIZE: Final = 0x4206
INTERRUPT: Final = 0x4207
DETACH: Final = 17
WALL: Final = 0x40000000


def request(kind: int, thread: int) -> None:
    """Make one call of ptrace(2)."""
    if ctypes.CDLL(None, use_errno=True).ptrace(kind, thread, None, None) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    held = int(sys.argv[1])
    request(SEIZE, held)
    request(INTERRUPT, held)
    os.waitpid(held, WALL)
    print("held", flush=True)
    sys.stdin.read()
    request(DETACH, held)
