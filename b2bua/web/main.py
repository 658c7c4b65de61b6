"""The main of the web process: `python -m b2bua.web.main SETUP`.

It ignores SIGINT and SIGTERM and leaves when its channel ends. First of all it makes itself
small: what it imports afterwards takes a processor for a second, just when the media workers
start, too.
"""

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
import threading

import msgspec

from b2bua.logs import logging_to_stderr
from b2bua.media.channel import ChildChannel
from b2bua.media.messages import Counters
from b2bua.web.setup import WebSetup

NICE = 10

SIGN_S = 1.0


class SignsOfLife:
    """Reports from a thread while the main one imports.

    On a machine that is busy with calls that may take longer than the parent waits for a word.
    """

    def __init__(self, channel: ChildChannel[Counters]) -> None:
        self._channel = channel
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alive", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave the channel to the one who goes on with it."""
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.wait(SIGN_S):
            self._channel.send(Counters(values={}))


def main() -> None:
    """Run the web process."""
    # The terminal's Ctrl-C reaches the whole process group; the parent decides.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no passwords, no audio in core dumps
    setup = msgspec.json.decode(sys.argv[1], type=WebSetup)
    channel: ChildChannel[Counters] = ChildChannel(socket.socket(fileno=setup.channel_fd), Counters)
    with logging_to_stderr():
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        signs = SignsOfLife(channel)
        try:
            from b2bua.web.serving import serve  # noqa: PLC0415 - after becoming small, see above

            asyncio.run(serve(setup, channel, signs.stop))
        except Exception:
            logging.getLogger("b2bua.web").exception("the web process failed")
    # A thread that waits for a share that hangs must not keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
