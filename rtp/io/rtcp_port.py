"""The RTCP socket of a leg: whose reports are believed, and where ours go.

Reports are believed of the address where the leg's RTP peer is, and of no other. The port may
be any: behind a NAT it is seldom the one above. They never move the RTP latch, and nothing is
sent because something came; what we send goes out by our own timer, to the port that the
peer's SDP names (`a=rtcp`, :rfc:`3605`) or else the one above its RTP port.
"""

import base64
import contextlib
import os
import random
import socket
import time
from typing import Final

from rtp.fast_path import PacketBuffer
from rtp.header import MAX_PACKET
from rtp.latch import Source
from rtp.outgoing import OutgoingStream
from rtp.relay import DEFAULT_CLOCK_RATE
from rtp.reporting import NO_FIGURES, Figures, Reporter, Sent
from rtp.rtcp import MalformedRtcpError, parse
from rtp.srtp import ForgedError, Lock
from rtp.statistics import NO_SSRC, Drops, ReceivedStream

MOST_PER_TURN: Final = 8
"Compounds that are parsed between two turns; a peer needs one in ten turns."

CNAME_OCTETS: Final = 12
"96 random bits: a name for the session that says nothing of the host (:rfc:`7022`)."


SSRC_OCTETS: Final = 4


class RtcpPort:
    """Knows its leg only by what it is given, so that a released leg is gone at once."""

    __slots__ = (
        "_buffer",
        "_clock_rate",
        "_destination",
        "_drops",
        "_lock",
        "_outgoing",
        "_patience",
        "_peer",
        "_received",
        "_reporter",
        "_socket",
    )

    def __init__(
        self,
        sock: socket.socket,
        buffer: PacketBuffer,
        *,
        received: ReceivedStream,
        outgoing: OutgoingStream,
        drops: Drops,
    ) -> None:
        self._socket = sock
        self._buffer = buffer
        self._outgoing = outgoing
        self._drops = drops
        self._lock: Lock | None = None
        self._peer: Source = ("", 0)
        self._destination: Source | None = None
        self._patience = MOST_PER_TURN
        self._received = received
        self._clock_rate = DEFAULT_CLOCK_RATE
        self._reporter: Reporter | None = None
        "Made when there is something to report: many a leg never has any media."

    @property
    def figures(self) -> Figures:
        """What the reports say by now."""
        return NO_FIGURES if self._reporter is None else self._reporter.figures

    def aim(self, peer: Source) -> None:
        """Take `peer` as where RTP goes."""
        if peer != self._peer:
            self._peer = peer
            self._send_to_port(peer[1] + 1)

    def agree(self, port: int, clock_rate: int) -> None:
        """Take over what SDP says, after `aim`: a port of its own (0: none), Hz of the audio."""
        self._clock_rate = clock_rate
        if self._reporter is not None:
            self._reporter.clock_rate = clock_rate
        self._send_to_port(port or self._peer[1] + 1)

    def secure(self, lock: Lock | None) -> None:
        """Take and send SRTCP from now on, or plain RTCP without `lock`."""
        self._lock = lock

    def _send_to_port(self, port: int) -> None:
        self._destination = (self._peer[0], port) if port < 0x10000 else None

    def receive(self, now: int) -> None:
        """Read one datagram."""
        octets = self._buffer.octets
        try:
            length, address = self._socket.recvfrom_into(octets)
        except OSError:
            return
        if address[0].partition("%")[0] != self._peer[0]:
            self._drops.rtcp_source += 1
            return
        self._patience -= 1
        if self._patience < 0 or length > MAX_PACKET:
            self._drops.rtcp += 1
            return
        compound = bytes(octets[:length])
        try:
            packets = parse(self._lock.opener.rtcp(compound) if self._lock else compound)
        except ForgedError:
            return
        except MalformedRtcpError:
            self._drops.rtcp += 1
            return
        self._reports().take(packets, now, self._outgoing.ssrc)

    def begin(self, now: int) -> None:
        """Take note that the first packet has come: the next turn may be a second away."""
        self._reports().begin(now)

    def turn(self, now: int) -> bool:
        """Look at the streams, and tell whether it is time to `report`."""
        self._patience = MOST_PER_TURN
        if self._reporter is None and NO_SSRC == self._received.ssrc == self._outgoing.ssrc:
            return False
        return self._reports().turn(now, self._outgoing.ssrc)

    def report(self, now: int, packets: int, octets: int) -> None:
        """Report; `packets` and `octets` of payload have been sent to the peer."""
        self._send(self._reports().report(now, self._sent(packets, octets)))

    def goodbye(self, now: int, packets: int, octets: int) -> None:
        """Report for the last time."""
        self._send(self._reports().goodbye(now, self._sent(packets, octets)))

    def _reports(self) -> Reporter:
        if self._reporter is None:
            drawn = os.urandom(CNAME_OCTETS + SSRC_OCTETS)
            self._reporter = Reporter(
                self._received,
                cname=base64.b64encode(drawn[SSRC_OCTETS:]),
                # Unpredictable, :rfc:`3550#section-5.1`.
                ssrc=int.from_bytes(drawn[:SSRC_OCTETS], "big"),
                wall_ns=time.time_ns() - time.monotonic_ns(),
                random=random.random,
            )
            self._reporter.clock_rate = self._clock_rate
        return self._reporter

    def _sent(self, packets: int, octets: int) -> Sent:
        outgoing = self._outgoing
        return Sent(
            ssrc=outgoing.ssrc,
            packets=packets,
            octets=octets,
            timestamp=outgoing.timestamp,
            at_ns=outgoing.sent_ns,
        )

    def _send(self, compound: bytes | None) -> None:
        """Send if there is somebody; a report that is lost is not missed."""
        if compound is not None and self._destination is not None:
            with contextlib.suppress(OSError):
                sealed = self._lock.sealer.rtcp(compound) if self._lock else compound
                self._socket.sendto(sealed, self._destination)
