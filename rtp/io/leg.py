"""A media leg: a port pair, whom it is joined with, and what its packets go through.

The socket's life: bound and unread (the kernel keeps what comes early) → `set_remote` →
learning, as long as the search for the peer lasts (`rtp/io/peer_search.py`) → the fast path,
where the kernel has dropped the strangers. A leg in NAT mode that falls silent goes back to
learning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from rtp.fast_path import ANY_TYPE, FastPath, Send, Sink, nowhere
from rtp.io.leg_observer import LegObserver
from rtp.io.loop import EventLoop
from rtp.io.peer_search import PeerSearch
from rtp.io.rtcp_port import RtcpPort
from rtp.io.socket import PortPair
from rtp.latch import LatchMode, Source
from rtp.outgoing import OutgoingStream
from rtp.recoder import Recoder
from rtp.relay import Relay
from rtp.srtp import Keys, Lock
from rtp.statistics import NO_SSRC


class State(Enum):
    """What is done with the RTP socket."""

    UNREAD = auto()
    "Nothing: the peer is not signalled yet, or the leg is muted or released."
    LEARNING = auto()
    FAST = auto()


@dataclass(frozen=True, slots=True)
class LegRoute:
    """How packets of one leg leave on another; see `Relay.accept`."""

    payload_types: Mapping[int, int]
    tables: Mapping[int, bytes]
    clock_rates: Mapping[int, int]
    recoder: Recoder | None = None


class Leg:
    """One party's media. All times are ns of the monotonic clock."""

    __slots__ = (
        "_lock",
        "_loop",
        "_observer",
        "_outgoing",
        "_peer",
        "_search",
        "_silence_from",
        "_silence_told",
        "_speaking",
        "_state",
        "_types",
        "leg_id",
        "pair",
        "relay",
        "rtcp",
        "send",
    )

    def __init__(
        self,
        leg_id: int,
        pair: PortPair,
        *,
        loop: EventLoop,
        fast_path: FastPath,
        observer: LegObserver,
    ) -> None:
        self.leg_id = leg_id
        self.pair = pair
        self._loop = loop
        self._observer = observer
        self._outgoing = OutgoingStream()
        self._peer: Leg | None = None
        self._lock: Lock | None = None
        self._state = State.UNREAD
        self.send: Send = nowhere
        "What sends to this leg's party, as it is found at present."
        self._silence_from = 0
        self._silence_told = False
        self._speaking = False
        self._types = ANY_TYPE
        self.relay = Relay(leg_id, pair.rtp.recv_into, fast_path, self.wire)
        self.rtcp = RtcpPort(
            pair.rtcp,
            fast_path.buffer,
            received=self.relay.received,
            outgoing=self._outgoing,
            drops=self.relay.drops,
        )
        self._search = PeerSearch(pair, self.relay, self.rtcp, observer)

    @property
    def port(self) -> int:
        """The RTP port."""
        return self.pair.port

    @property
    def packets_sent(self) -> int:
        """Packets sent to this leg's party."""
        running = 0 if self._peer is None else self._peer.relay.forwarded
        return self._outgoing.packets + running

    def descriptors(self) -> tuple[int, int]:
        """Return the descriptors of the RTP and the RTCP socket."""
        return self.pair.rtp.fileno(), self.pair.rtcp.fileno()

    # --- what the negotiation says

    def set_remote(
        self,
        remote: Source,
        mode: LatchMode,
        payload_types: tuple[int, ...],
        now: int,
        signalling: str = "",
    ) -> None:
        """Take `remote` as what SDP names and search for the peer anew.

        `signalling`: where the peer's signalling comes from, for NAT mode; empty: not known.
        Raises `ValueError` where the address is no numeric one and `OSError` where the
        kernel does not take it; the leg is as it was before then.
        """
        self._search.begin(remote, mode, now, signalling)
        self._follow_search()
        self._types = _unchanged(payload_types) or ANY_TYPE
        if self._peer is None:
            self.relay.accept(self._types, {})
        self._silence_from = now
        self._silence_told = False
        self._learn_from_now_on()

    def secure(self, keys: Keys | None) -> None:
        """Take and send nothing but SRTP under these keys from now on, or plain RTP for None.

        Raises `SrtpUnavailableError`; the leg is as it was before then.
        """
        before = self._lock
        if keys is None:
            self._lock = None
        elif before is None or not before.fits(keys):
            self._lock = Lock(keys, self.relay.drops, before)
        if self._lock is before:
            return
        receive = self.pair.rtp.recv_into
        self.relay.receive = self._lock.opener.receiving(receive) if self._lock else receive
        self.rtcp.secure(self._lock)
        self._search.opener = self._lock.opener if self._lock else None
        self._follow_search()
        self.wire()

    # --- whom it hears, and who hears it

    @property
    def joined(self) -> "Leg | None":
        """The leg that this one is joined with."""
        return self._peer

    def part(self) -> None:
        """Undo `join`, for both legs."""
        peer = self._peer
        self.stand_alone()
        if peer is not None:
            peer.stand_alone()

    def stand_alone(self) -> None:
        """Send this leg's packets nowhere: one half of `part`."""
        self._peer = None
        self.relay.stop_forwarding()
        self.relay.accept(self._types, {})
        self.wire()

    def forward_to(self, peer: "Leg", route: LegRoute) -> None:
        """Send this leg's packets to `peer` from now on: one half of `join`."""
        self._peer = peer
        self.relay.clock_rates = route.clock_rates
        self.relay.accept(route.payload_types, route.tables, route.recoder)
        peer.take_over(self)

    def take_over(self, source: "Leg") -> None:
        """Let `source` send to this leg's party, as the stream that the party knows."""
        if self._speaking:
            source.relay.stop_forwarding()
        else:
            source.relay.forward_to(self._outgoing, self.send)
        source.wire()

    def speak(self) -> OutgoingStream:
        """Let the caller send to this leg's party, with `send`, until `fall_silent`.

        A joined leg is received and tapped meanwhile, but not heard.
        """
        self._speaking = True
        if self._peer is not None:
            self.take_over(self._peer)
        return self._outgoing

    def fall_silent(self) -> None:
        """Let a joined leg be heard again."""
        self._speaking = False
        if self._peer is not None:
            self.take_over(self._peer)

    def tap(self, sink: Sink | None) -> None:
        """Hand each good packet to `sink` as well."""
        self.relay.sink = sink
        self.wire()

    # --- its end

    def mute(self) -> None:
        """Read nothing any more; what comes is the kernel's to drop."""
        self._state = State.UNREAD
        for fd in self.descriptors():
            self._loop.remove(fd)

    def say_goodbye(self, now: int) -> None:
        """Send the last report, with BYE; before `release`, while the leg is joined still."""
        if self.has_media:
            self.rtcp.goodbye(now, *self._sent())

    def release(self) -> None:
        """Let go of everything; read nothing from `pair` any more, which is its owner's."""
        self._state = State.UNREAD
        peer, self._peer = self._peer, None
        self.relay.stop_forwarding()
        if peer is not None:
            peer.stand_alone()
        for fd in self.descriptors():
            self._loop.park(fd)
        self.relay.release()

    # --- time

    def sweep(self, now: int, media_timeout_ns: int) -> None:
        """Look after silence and reports; to be called about once a second."""
        if self._state is State.UNREAD:
            return
        if self.rtcp.turn(now):
            self.rtcp.report(now, *self._sent())
        arrival = self.relay.received.arrival_ns
        if arrival > self._silence_from:
            self._silence_from = arrival
            if self._silence_told:
                self._silence_told = False
                self._observer.heard_again(self.leg_id)
        silence = now - self._silence_from
        if silence >= media_timeout_ns and not self._silence_told:
            self._silence_told = True
            self._observer.silent(self.leg_id, silence)
        if self._search.needs_another(silence):
            self._search.begin_again()
            self._follow_search()
            self._learn_from_now_on()

    @property
    def has_media(self) -> bool:
        """Whether anything was ever received or sent."""
        return self.relay.received.ssrc != NO_SSRC or self._outgoing.ssrc != NO_SSRC

    def _sent(self) -> tuple[int, int]:
        """Return packets and octets sent, and see to it that the stream's place is known."""
        if self._peer is None:
            return self.packets_sent, self._outgoing.octets
        self._peer.relay.note_position()
        return self.packets_sent, self._outgoing.octets + self._peer.relay.forwarded_octets

    # --- wiring

    def wire(self) -> None:
        """Put the right handler in place after a change, once the fast path has begun."""
        if self._state is State.FAST:
            self._loop.set(self.pair.rtp.fileno(), self.relay.handler())

    def _learn_from_now_on(self) -> None:
        self._state = State.LEARNING
        self._loop.set(self.pair.rtp.fileno(), self._learn)
        self._loop.set(self.pair.rtcp.fileno(), self.rtcp.receive)

    def _learn(self, now: int) -> None:
        """Let the search go on with what has come."""
        search = self._search
        before = search.send
        over = search.read(now)
        if search.send is not before:
            self._follow_search()
        if over:
            self._state = State.FAST
            self.wire()

    def _follow_search(self) -> None:
        """Let whoever speaks on this leg send to where the peer is by now."""
        send = self._search.send
        self.send = send if self._lock is None else self._lock.sealer.sending(send)
        if self._peer is not None:
            self.take_over(self._peer)


@lru_cache(maxsize=256)
def _unchanged(payload_types: tuple[int, ...]) -> Mapping[int, int]:
    """Return the route that leaves these types as they are; legs share it."""
    return {number: number for number in payload_types}


def join(a: Leg, b: Leg, a_to_b: LegRoute, b_to_a: LegRoute) -> None:
    """Let two legs hear each other; also changes the routes of legs that do already."""
    for leg, other in ((a, b), (b, a)):
        if leg.joined is not None and leg.joined is not other:
            leg.part()
    a.forward_to(b, a_to_b)
    b.forward_to(a, b_to_a)
