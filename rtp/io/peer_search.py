"""The search for a leg's peer: its RTP socket from unconnected to connected, and back.

Each packet is read together with its source, and the latch (`rtp/latch.py`) rules on it. Once the
socket is connected, sources are still asked for until nothing that was queued before `connect`
can be left. Then the search is over: the kernel has dropped the strangers. A peer in NAT mode that
falls silent is searched for again, since its NAT may have given it another port.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from rtp.fast_path import Send, nowhere
from rtp.io.leg_observer import LegObserver
from rtp.io.rtcp_port import RtcpPort
from rtp.io.socket import PortPair, disconnect, is_private, usable
from rtp.latch import Latch, LatchMode, Resumption, Source, Verdict
from rtp.relay import Relay
from rtp.srtp import ForgedError, Opener
from rtp.statistics import NO_SSRC

SETTLING_NS: Final = 100_000_000
"""After `connect`, for how long sources are still checked. A packet that the kernel was
just delivering on another processor may be queued behind the first empty read.
"""

NAT_SILENCE_NS: Final = 2_000_000_000
"A peer in NAT mode that is silent for this long is searched for again."

BURST: Final = 32
"Packets that are read per turn."


class PeerSearch:
    """What is known of where a leg's peer is. All times are ns of the monotonic clock.

    Knows its leg only by its parts. The leg looks at `send` after each call that may change it.
    """

    __slots__ = (
        "_connected",
        "_connected_ns",
        "_heard",
        "_latch",
        "_mode",
        "_observer",
        "_pair",
        "_recvfrom_into",
        "_relay",
        "_rtcp",
        "_signalled",
        "_signalling",
        "opener",
        "send",
    )

    def __init__(self, pair: PortPair, relay: Relay, rtcp: RtcpPort, observer: LegObserver) -> None:
        self._pair = pair
        self._recvfrom_into = pair.rtp.recvfrom_into
        self._relay = relay
        self._rtcp = rtcp
        self._observer = observer
        self._mode = LatchMode.EXACT
        self._signalled: Source | None = None
        self._signalling = ""
        self._latch: Latch | None = None
        self._connected: Source | None = None
        self._connected_ns = 0
        self._heard = False
        self.opener: Opener | None = None
        "Opens what comes before anything looks at it; None: it is plain RTP."
        self.send: Send = nowhere
        "What sends to the peer as it is found at present, sealing nothing."

    def begin(self, remote: Source, mode: LatchMode, now: int, signalling: str) -> None:
        """Search anew, as `Leg.set_remote` says; what is known is as before where that raises."""
        pair = self._pair
        signalled = (pair.address(usable(remote[0])), remote[1])
        self._signalling = pair.address(usable(signalling)) if signalling else ""
        known = self._resumption() if signalled == self._signalled else None
        if mode is LatchMode.EXACT:
            pair.rtp.connect(signalled)
            self._connected = signalled
            self.send = pair.rtp.send
            self._rtcp.aim(signalled)
        else:
            self._disconnect()
            self._latch = Latch(mode, signalled, known, signalling=self._signalling)
            # A peer that was found already goes on hearing us meanwhile.
            destination = known.source if known else first_guess(signalled, self._signalling)
            self.send = self._to(destination)
            self._rtcp.aim(destination)
        self._mode = mode
        self._signalled = signalled
        self._connected_ns = now
        self._heard = False

    def needs_another(self, silence_ns: int) -> bool:
        """Tell whether a peer that has been silent for so long may have moved."""
        return (
            silence_ns >= NAT_SILENCE_NS
            and self._mode is LatchMode.NAT
            and self._connected is not None
        )

    def begin_again(self) -> None:
        """Unlatch: the same stream may come from elsewhere."""
        resumption = self._resumption()
        assert self._signalled is not None
        self._disconnect()
        self._latch = Latch(
            self._mode, self._signalled, resumption, strict=True, signalling=self._signalling
        )
        self.send = self._to(resumption.source if resumption else self._signalled)

    def read(self, now: int) -> bool:
        """Read packets together with their sources; tell whether the search is over."""
        relay = self._relay
        for _ in range(BURST):
            try:
                length, address = self._recvfrom_into(relay.buffer.octets)
            except BlockingIOError:
                settled = self._connected and now - self._connected_ns >= SETTLING_NS
                return bool(settled and self._heard)
            except OSError as error:
                relay.receive_failed(error)
                return False
            source = (address[0].partition("%")[0], address[1])
            if self._connected not in (None, source):
                relay.drops.wrong_source += 1
                continue
            if self.opener is not None:
                try:
                    length = self.opener.open_in(relay.buffer.octets, length)
                except ForgedError:
                    continue
            if self._connected is None:
                self._offer(source, length, now)
            else:
                self._take(length, now)
        return False

    def _offer(self, source: Source, length: int, now: int) -> None:
        """Let the latch judge a packet, and take the first good one."""
        assert self._latch is not None
        header = self._relay.check(length)
        if header is None:
            return
        drops = self._relay.drops
        match self._latch.offer(source, header.ssrc, header.sequence):
            case Verdict.WRONG_SOURCE:
                drops.wrong_source += 1
            case Verdict.WRONG_SSRC:
                drops.wrong_ssrc += 1
            case Verdict.PROBATION:
                drops.probation += 1
            case Verdict.LATCHED:
                try:
                    self._latch_to(source, now)
                except OSError:
                    drops.wrong_source += 1
                else:
                    self._take(length, now)

    def _latch_to(self, source: Source, now: int) -> None:
        """Connect; raises `OSError` for a source that can't be one (port 0)."""
        self._pair.rtp.connect(source)
        self._connected = source
        self._connected_ns = now
        self._rtcp.aim(source)
        self.send = self._pair.rtp.send

    def _take(self, length: int, now: int) -> None:
        if self._relay.unusual(length, now) and not self._heard:
            self._heard = True
            self._rtcp.begin(now)
            self._observer.first_packet(self._relay.leg, now)

    def _resumption(self) -> Resumption | None:
        received = self._relay.received
        if self._connected is None or received.ssrc == NO_SSRC:
            return None
        return Resumption(
            source=self._connected, ssrc=received.ssrc, sequence=received.highest_sequence
        )

    def _disconnect(self) -> None:
        if self._connected is not None:
            disconnect(self._pair.rtp)
        self._connected = None

    def _to(self, destination: Source) -> Send:
        return partial(_send_to, self._pair.rtp.sendto, destination)


def first_guess(signalled: Source, signalling: str) -> Source:
    """Return where to send until the peer is found: nobody is behind a NAT's private address.

    Many a NAT gives its outside the port of the inside. `signalling`: as `PeerSearch.begin` has it.
    """
    if not signalling or not is_private(signalled[0]) or is_private(signalling):
        return signalled
    return signalling, signalled[1]


def _send_to(
    sendto: Callable[[memoryview, Source], int], destination: Source, packet: memoryview
) -> None:
    sendto(packet, destination)
