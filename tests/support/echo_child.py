"""A child for the tests of `b2bua.children`: says its process id, then repeats counters."""

import os
import select
import socket
import sys

from b2bua.media.channel import ChildChannel
from b2bua.media.messages import Counters


def main(fd: int) -> None:
    channel: ChildChannel[Counters] = ChildChannel(socket.socket(fileno=fd), Counters)
    channel.send(Counters({"pid": float(os.getpid())}))
    while not channel.closed:
        writing = [channel.fileno()] if channel.backlog else []
        select.select([channel.fileno()], writing, [])
        for message in channel.receive():
            channel.send(message)
        channel.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
