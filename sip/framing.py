"""Messages in a stream of octets: where one ends and the next begins (RFC 3261 section 18.3).

On TCP only Content-Length tells where a message ends, so here it is mandatory, and what two
readers could read differently (two of them, a sign, a blank inside) breaks the stream: nothing
after it can be trusted. Header lines are cut by the same rules as in `sip/message.py`, which
reads the whole message afterwards; two opinions about Content-Length would let a peer smuggle
a request inside a body.

Between messages there may be CRLFs. Two in a row are the ping of RFC 5626 section 4.4.1 and
come out as `PING`; single ones (its pong) and NULs are passed over.

The result does not depend on how the network cut the stream into pieces.
"""

from sip.errors import RemoteProtocolError, StreamError
from sip.message import MAX_HEADER, MAX_HEADERS, MAX_MESSAGE, Request, parse

PING = b"\r\n\r\n"
"The keep-alive of a client; the server owes it one CRLF."

_BLANK = b"\r\n\0"
_LENGTH_NAMES = (b"content-length", b"l")
_FOLDS = (b" ", b"\t")
_MAX_LINE = MAX_HEADER + 64
"Octets of a header line with its folds: the name as well, which has no limit of its own."


class Framer:
    """Cuts one direction of one connection into messages."""

    def __init__(self) -> None:
        self.error: StreamError | None = None
        "Set when the stream can't be read any further; nothing comes out after that."
        self._buffer = bytearray()
        self._start_message()

    @property
    def pending(self) -> bool:
        """Whether a message has begun and is not complete."""
        return self.error is None and bool(self._buffer) and not PING.startswith(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """Take octets and return the messages that they complete, and a `PING` for each ping."""
        found: list[bytes] = []
        if self.error is not None:
            return found
        self._buffer += data
        try:
            while (message := self._next()) is not None:
                found.append(message)
        except StreamError as error:
            self.error = error
            self._buffer.clear()
        return found

    def give_up(self) -> StreamError:
        """Return the error of a message whose rest does not come (RFC 4475 section 3.1.2.2)."""
        self.error = self.error or self._broken(400, "Incomplete Message")
        self._buffer.clear()
        return self.error

    def _start_message(self) -> None:
        self._line_start = 0
        "Where the header line being read starts, in the buffer."
        self._searched = 0
        "No line end stands before this."
        self._lines = 0
        "Header lines, folds not counted; the start line is one."
        self._line_octets = 0
        "Octets of the last header line with its folds."
        self._length: bytes | None = None
        "The value of Content-Length, as far as it was read."
        self._reading_length = False
        self._end: int | None = None
        "Where the message ends, once its header is complete."

    def _next(self) -> bytes | None:
        """Take the next message or ping off the buffer; None: more octets are needed."""
        buffer = self._buffer
        if self._lines == 0 and self._searched == 0:
            self._skip_blank()
            if buffer.startswith(PING):
                del buffer[: len(PING)]
                return PING
            if not self.pending:
                return None
        while self._end is None:
            if not self._read_line():
                return None
        if len(buffer) < self._end:
            return None
        message = bytes(buffer[: self._end])
        del buffer[: self._end]
        self._start_message()
        return message

    def _skip_blank(self) -> None:
        """Drop what may stand before a message, up to where a ping begins or may begin."""
        buffer, skipped = self._buffer, 0
        while skipped < len(buffer) and buffer[skipped] in _BLANK:
            ahead = buffer[skipped : skipped + len(PING)]
            if PING.startswith(ahead):
                break
            skipped += 1
        del buffer[:skipped]

    def _read_line(self) -> bool:
        """Read one line of the header; false: its end has not come."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(buffer)
            # The last octet may be the CR of the line end.
            self._check_size(len(buffer) - self._line_start - 1, self._is_fold())
            return False
        line = bytes(buffer[self._line_start : end]).removesuffix(b"\r")
        if not line:
            self._end = end + 1 + self._body_length(end + 1)
            return True
        self._note(line)
        self._line_start = self._searched = end + 1
        return True

    def _note(self, line: bytes) -> None:
        """Take in a header line, or the continuation of one (section 7.3.1)."""
        folded = self._is_fold()
        self._check_size(len(line), folded)
        if folded:
            self._line_octets += len(line)
            if self._reading_length:
                self._length = (self._length or b"") + b" " + line.strip(b" \t")
            return
        self._lines += 1
        self._line_octets = len(line)
        if self._lines > MAX_HEADERS + 1:
            raise self._broken(400, "Too Many Headers")
        name, _, value = line.partition(b":")
        self._reading_length = self._lines > 1 and name.rstrip(b" \t").lower() in _LENGTH_NAMES
        if self._reading_length:
            if self._length is not None:
                raise self._broken(400, "Several Content-Length")
            self._length = value

    def _is_fold(self) -> bool:
        return self._lines > 0 and self._buffer[self._line_start : self._line_start + 1] in _FOLDS

    def _check_size(self, octets: int, folded: bool) -> None:  # noqa: FBT001 - of the line at hand
        """Raise as soon as the line at hand can only be too long.

        The bound that lies nearer decides, so that the verdict does not depend on how much of the
        line has come.
        """
        room_in_line = _MAX_LINE - (self._line_octets if folded else 0)
        room_in_message = MAX_MESSAGE - self._line_start
        if octets > min(room_in_line, room_in_message):
            if room_in_message < room_in_line:
                raise self._broken(513, "Message Too Large")
            raise self._broken(400, "Header Too Long")

    def _body_length(self, header_end: int) -> int:
        """Return the octets of the body; the header is complete."""
        if self._length is None:
            raise self._broken(400, "Missing Content-Length", header_end)
        text = self._length.strip(b" \t")
        if not text.isdigit() or len(text) > 6:
            raise self._broken(400, "Bad Content-Length", header_end)
        length = int(text)
        if header_end + length > MAX_MESSAGE:
            raise self._broken(513, "Message Too Large", header_end)
        return length

    def _broken(self, status: int, reason: str, header_end: int | None = None) -> StreamError:
        """Return the error, with the request where its whole lines are enough for an answer."""
        if header_end is None:
            header_end = self._line_start
        request = None
        if self._lines > 1:
            try:
                message = parse(bytes(self._buffer[:header_end]))
            except RemoteProtocolError as error:
                request = error.request
            else:
                request = message if isinstance(message, Request) else None
        return StreamError(status, reason, request=request)
