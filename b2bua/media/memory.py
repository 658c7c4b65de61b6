"""The memory that media workers and recorders share, made and owned by the signalling process."""

import mmap
import os

from b2bua.settings.media import MediaConfig
from rtp.ring import RingLayout, initialise

STATE_SIZE = 4 << 20
"Octets of a recorder's checkpoint memory; pages are only taken when written."


def make_memory(name: str, size: int) -> int:
    """Return the descriptor of `size` octets of memory for children to inherit."""
    fd = os.memfd_create(f"mitschnitt-{name}", os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    return fd


def make_rings(config: MediaConfig) -> list[list[int]]:
    """Return the descriptors of one ring for each media worker (row) and recorder (column)."""
    calls = -(-config.max_calls // (config.workers * config.recorders))
    layout = RingLayout.for_calls(calls)
    return [
        [_make_ring(f"ring-{worker}-{recorder}", layout) for recorder in range(config.recorders)]
        for worker in range(config.workers)
    ]


def _make_ring(name: str, layout: RingLayout) -> int:
    fd = make_memory(name, layout.size)
    with mmap.mmap(fd, layout.size) as memory, memoryview(memory) as view:
        initialise(view, layout)
    return fd
