"""Logging: JSON lines on standard error, written by a thread of their own.

The call path only puts a record into a bounded queue; a full queue drops and counts.
Passwords, Authorization headers, DTMF digits and audio never reach a log.
"""

import json
import logging
import logging.handlers
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

QUEUE_SIZE = 10_000

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line; fields given as `extra` stand beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({k: v for k, v in vars(record).items() if k not in _STANDARD})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class BoundedQueueHandler(logging.handlers.QueueHandler):
    """Never blocks; what does not fit is counted in `dropped`."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue the record or count it as dropped."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


@contextmanager
def logging_to_stderr(level: int = logging.INFO) -> Iterator[BoundedQueueHandler]:
    """Set up the root logger for the life of the process."""
    records: queue.Queue[logging.LogRecord] = queue.Queue(QUEUE_SIZE)
    handler = BoundedQueueHandler(records)
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(JsonFormatter())
    listener = logging.handlers.QueueListener(records, output)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    listener.start()
    try:
        yield handler
    finally:
        listener.stop()
        root.removeHandler(handler)
