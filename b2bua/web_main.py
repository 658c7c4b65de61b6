"""The main of the web process: `python -m b2bua.web_main SETUP`.

It ignores SIGINT and SIGTERM and leaves when its channel ends. First of all it makes itself
small: what it imports afterwards takes a processor for a second, just when the media workers
start, too.
"""

import asyncio
import logging
import os
import resource
import signal
import sys

import msgspec

from b2bua.logs import logging_to_stderr
from b2bua.web_setup import WebSetup

NICE = 10


def main() -> None:
    """Run the web process."""
    # The terminal's Ctrl-C reaches the whole process group; the parent decides.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no passwords, no audio in core dumps
    setup = msgspec.json.decode(sys.argv[1], type=WebSetup)
    with logging_to_stderr():
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        try:
            from b2bua.web_serving import serve  # noqa: PLC0415 - after becoming small, see above

            asyncio.run(serve(setup))
        except Exception:
            logging.getLogger("b2bua.web").exception("the web process failed")
    # A thread that waits for a share that hangs must not keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
