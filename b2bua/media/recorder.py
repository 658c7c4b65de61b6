"""The recorder's process: wires `recording/worker.py` to its rings, its state and its parent.

    python -m b2bua.media.recorder --channel FD --rings FD[,FD...] --state FD
        --folder DIR --quality N --lock FD

It ignores SIGINT and SIGTERM and leaves when its channel ends: then it finishes every open
recording, within `FINISH_S`. The descriptor of the data folder's lock is only kept open, so
that no new server adopts a `.part` that is still being finished.
"""

import contextlib
import ctypes
import gc
import logging
import mmap
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from b2bua.media.channel import ChildChannel
from b2bua.media.from_recorder import RecorderLoad, RecorderReady, RecordingClosed, RecordingOpened
from b2bua.media.messages import Counters, LogLine
from b2bua.media.options import read_options
from recording.events import Closed, Opened
from recording.folder import Folder
from recording.pressure import Level
from recording.worker import RecordingWorker
from recording.writer_pool import WriterPool

TICK_NS: Final = 40_000_000
"Each has a price of its own, whatever there is to do; and each lets the file end later."

IDLE_TICK_NS: Final = 80_000_000
"""While nothing is recorded. A recording that begins is heard of that much later, but what was
said is in the ring; below `PIECE_NS` of `recording/lane.py`, so that it does not look late."""

COUNTERS_NS: Final = 1_000_000_000

FINISH_S: Final = 1.0

M_MMAP_THRESHOLD: Final = -3
"Of mallopt(3)."

NICE: Final = 10

logger = logging.getLogger("recording")


class ChannelHandler(logging.Handler):
    """Sends log records to the parent; from whatever thread, through the tick."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[LogLine] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record for the next tick."""
        text = self.format(record)
        recording_id = getattr(record, "recording_id", None)
        if recording_id is not None:
            text = f"recording {recording_id}: {text}"
        self.lines.append(LogLine(level=record.levelno, logger=record.name, text=text))

    def take(self) -> list[LogLine]:
        """Return what was kept."""
        lines, self.lines = self.lines, []
        return lines


class Recorder:
    """The loop: a tick every 40 ms (80 when idle), counters each second, until the parent goes."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._channel: ChildChannel[RecorderReady] = ChildChannel(
            socket.socket(fileno=int(options["--channel"])), RecorderReady
        )
        self._log = ChannelHandler()
        logging.getLogger().addHandler(self._log)
        logging.getLogger().setLevel(logging.INFO)
        self._memories = [_map(fd) for fd in _descriptors(options)]
        *rings, state = [memoryview(memory) for memory in self._memories]
        self._writers = WriterPool()
        self._worker = RecordingWorker(
            rings,
            state,
            folder=Folder(Path(options["--folder"])),
            writers=self._writers,
            quality=int(options["--quality"]),
            on_event=self._tell,
        )
        self._poll = select.poll()
        self._poll.register(self._channel.fileno(), select.POLLIN)
        self._counters_ns = 0
        self._level = Level.CALM
        "As the parent knows it."

    def run(self) -> None:
        """Record until the channel ends, then finish."""
        resumed = self._worker.start()
        # What is there now stays: the collector need not walk it again and again.
        gc.freeze()
        self._channel.send(RecorderReady(resumed=resumed))
        next_ns = time.monotonic_ns()
        while not self._channel.closed:
            now_ns = time.monotonic_ns()
            if now_ns >= next_ns:
                self._tick(now_ns)
                # A late tick is not made up for: the next one takes everything.
                interval_ns = IDLE_TICK_NS if self._worker.idle else TICK_NS
                next_ns = max(next_ns + interval_ns, time.monotonic_ns())
            self._wait(next_ns)
        self._finish()

    def _tick(self, now_ns: int) -> None:
        self._worker.tick(now_ns)
        self._tell_load()
        for line in self._log.take():
            self._channel.send(line)
        if now_ns >= self._counters_ns:
            self._counters_ns = now_ns + COUNTERS_NS
            values = self._worker.counters()
            values["cpu_s"] = time.process_time()
            values["messages_dropped"] = self._channel.dropped
            self._channel.send(Counters(values=values))

    def _wait(self, until_ns: int) -> None:
        """Sleep until the next tick, or until the parent says something (its end, that is)."""
        events = select.POLLIN | (select.POLLOUT if self._channel.backlog else 0)
        self._poll.modify(self._channel.fileno(), events)
        pause_ms = max(0, (until_ns - time.monotonic_ns()) / 1e6)
        for _, event in self._poll.poll(pause_ms):
            if event & ~select.POLLOUT:
                for _ in self._channel.receive():
                    pass
            self._channel.flush()

    def _finish(self) -> None:
        """Bring every file to its name; nobody is left to be told."""
        deadline = time.monotonic() + FINISH_S
        self._worker.finish_all(time.monotonic_ns())
        while not self._worker.idle and time.monotonic() < deadline:
            self._worker.tick(time.monotonic_ns())
            time.sleep(0.005)
        self._worker.give_up("the disk did not answer when the server stopped")
        self._worker.close()
        self._writers.close(max(0.0, deadline - time.monotonic()))

    def _tell_load(self) -> None:
        level = self._worker.level
        if level is not self._level:
            self._level = level
            self._channel.send(RecorderLoad(taking=level is not Level.FULL, level=level))

    def _tell(self, event: Opened | Closed) -> None:
        match event:
            case Opened():
                self._channel.send(RecordingOpened(recording_id=event.recording_id, at=event.at))
            case Closed():
                self._channel.send(
                    RecordingClosed(
                        recording_id=event.recording_id,
                        relative_path=event.relative_path,
                        duration_s=event.duration_s,
                        octets=event.octets,
                        sha256=event.sha256,
                        channels=event.channels,
                        failure=event.failure,
                        missing_s=event.missing_s,
                        undecoded=event.undecoded,
                    )
                )


def _map(fd: int) -> mmap.mmap:
    return mmap.mmap(fd, os.fstat(fd).st_size)


def _descriptors(options: Mapping[str, str]) -> list[int]:
    """Return those of the rings, and that of the state."""
    return [int(each) for each in (*options["--rings"].split(","), options["--state"])]


def stand_behind() -> None:
    """Ask to be scheduled as batch work: never to preempt the relay, which is late at once."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def return_memory() -> None:
    """Let glibc map blocks from 80 KiB on.

    The threshold starts at 128 KiB and, left to itself, grows with the first large block that
    is freed. LAME's tables then come from the heap, and the half of them that is never touched
    takes memory as well: 100 KB a recording. Without glibc nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 80 << 10)


def main() -> None:
    """Run the recorder."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    stand_behind()
    return_memory()
    Recorder(read_options(sys.argv[1:])).run()


if __name__ == "__main__":
    main()
