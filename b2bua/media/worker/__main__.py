"""The main of a media worker.

    python -m b2bua.media.worker --channel FD --ring FD[,FD...] --ports LOW-HIGH
        --media-timeout SECONDS

The main module of a process is compiled at each start, so there is no more of it than this.
"""

import gc
import resource
import signal
import socket
import sys
from collections.abc import Sequence

from b2bua.media.channel import ChildChannel
from b2bua.media.options import read_options
from b2bua.media.to_worker import ToMediaWorker
from b2bua.media.worker.pairs import Pairs
from b2bua.media.worker.rings import attach
from b2bua.media.worker.worker import Worker
from codec.stream_coders import warm_up
from rtp.io.loop import EventLoop
from rtp.io.socket import SPARE_DESCRIPTORS, PortRange


def _pairs(ports: PortRange, loop: EventLoop) -> Pairs:
    """Return the pairs of these ports, as many as there may be descriptors for."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = allowed == resource.RLIM_INFINITY
    most = ports.pairs if unlimited else (allowed - SPARE_DESCRIPTORS) // 2
    return Pairs(ports, loop, most=most)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a media worker until its channel ends."""
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    # The terminal's Ctrl-C reaches the whole process group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no audio in core dumps
    channel: ChildChannel[ToMediaWorker] = ChildChannel(
        socket.socket(fileno=int(options["--channel"])), ToMediaWorker
    )
    rings = [attach(int(fd)) for fd in options["--ring"].split(",")]
    loop = EventLoop()
    worker = Worker(
        loop=loop,
        channel=channel,
        rings=rings,
        pairs=_pairs(PortRange.parse(options["--ports"]), loop),
        media_timeout_s=float(options["--media-timeout"]),
    )
    loop.on_error = worker.failed
    warm_up()
    worker.start()
    # Nothing here makes cycles once it runs (a test holds the legs to that), and a
    # collection over everything that was imported would make packets wait.
    gc.collect()
    gc.freeze()
    gc.disable()
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
