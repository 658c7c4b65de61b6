"""What a media worker does of what it is asked, and what it tells.

It wires legs (`rtp/io/leg.py`), rings (`rtp/ring.py`) and the channel to the signalling
process into one epoll loop, and decides nothing. Everything that may go wrong with one leg
ends with that leg: it is muted, a log record goes out, and the loop runs on.
"""

import time
from collections.abc import Sequence
from typing import Final

from b2bua.media.channel import ChannelError, ChildChannel
from b2bua.media.from_worker import (
    FirstPacket,
    LegReleased,
    MediaResumed,
    MediaTimeout,
    PortsOffered,
)
from b2bua.media.messages import ERROR, WARNING, Counters, LogLine
from b2bua.media.to_worker import (
    Bridge,
    ChangeFormats,
    CloseTap,
    LendLeg,
    LoadSound,
    OfferPorts,
    OpenTap,
    ReleaseLeg,
    Route,
    SetRemote,
    StopRecording,
    ToMediaWorker,
    Unbridge,
)
from b2bua.media.worker.pairs import Pairs
from b2bua.media.worker.rings import Rings, UnknownRecorderError
from b2bua.media.worker.rounds import TURN_S, Rounds
from b2bua.media.worker.securing import secure
from b2bua.media.worker.tally import Tally
from b2bua.media.worker.tap import TapRefusedError, Taps
from b2bua.media.worker.transcoder import Transcoders, UnknownCodecError
from b2bua.media.worker.voice import Voice
from codec.laws import PCMA_TO_PCMU, PCMU_TO_PCMA
from rtp.io.leg import Leg, LegRoute, join
from rtp.io.leg_observer import LegObserver
from rtp.io.loop import EventLoop
from rtp.latch import LatchMode
from rtp.ring import RingWriter

LOGGER = "b2bua.media.worker"

COUNTED_ROUNDS: Final = 4
"A leg's figures are added to the totals in every fourth round: it is half of what a round costs."

TABLES = {"PCMA>PCMU": PCMA_TO_PCMU, "PCMU>PCMA": PCMU_TO_PCMA}


class UnknownError(Exception):
    """A message names a leg, a port or a conversion that is not there."""


class Worker:
    """All legs of one process, and what the signalling process asks of them."""

    def __init__(
        self,
        *,
        loop: EventLoop,
        channel: ChildChannel[ToMediaWorker],
        rings: Sequence[RingWriter],
        pairs: Pairs,
        media_timeout_s: float,
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._rings = Rings(rings)
        self._pairs = pairs
        self._media_timeout_ns = int(media_timeout_s * 1e9)
        self._fast_path = loop.fast_path
        self._observer = LegObserver(
            first_packet=self._first_packet, silent=self._silent, heard_again=self._heard_again
        )
        self._legs: dict[int, Leg] = {}
        self._rounds = Rounds(self._legs)
        self._tally = Tally()
        self._transcoders = Transcoders()
        self._voice = Voice(loop, self._legs, tell=channel.send, on_error=self._leg_failed)
        self._taps = Taps(self._rings, self._voice)

    def start(self) -> None:
        """Begin to listen to the channel, and to do what is due now and then."""
        self._loop.set(self._channel.fileno(), self.receive)
        self._loop.every(TURN_S, self.housekeeping)
        self._loop.every(1.0, self.report)
        self.report(0)  # the first word: we are here

    # --- from the signalling process

    def receive(self, now: int) -> None:
        """Obey what has arrived on the channel; leave when it has ended."""
        try:
            for message in self._channel.receive():
                self._obey(message, now)
        except ChannelError as error:
            self.log(ERROR, f"leaving, the channel is broken: {error}")
            self._channel.closed = True
        if self._channel.closed:
            self._loop.stop()

    def _obey(self, message: ToMediaWorker, now: int) -> None:
        try:
            self._dispatch(message, now)
        except (UnknownError, UnknownCodecError, UnknownRecorderError) as error:
            # A crossing of messages, e.g. with the release of the leg: no harm.
            self.log(WARNING, f"{type(message).__name__}: {error}")
        except TapRefusedError as error:
            self.log(ERROR, str(error))
        except Exception as error:  # noqa: BLE001 - a bulkhead: one message, not the worker
            self.log(ERROR, f"{type(message).__name__} failed: {error!r}")

    def _dispatch(self, message: ToMediaWorker, now: int) -> None:
        match message:
            case LendLeg(leg_id, port):
                self._lend(leg_id, port)
            case SetRemote():
                self._set_remote(message, now)
            case Bridge(leg_a, leg_b, a_to_b, b_to_a):
                self._join(self._leg(leg_a), self._leg(leg_b), a_to_b, b_to_a)
            case Unbridge(leg_a, leg_b):
                self._part(leg_a, leg_b)
            case OpenTap() | ChangeFormats() | CloseTap():
                self._taps.obey(self._leg(message.leg_id), message, now)
            case StopRecording(recorder, recording_id):
                self._rings.mark_stopped(recorder, recording_id, now)
            case ReleaseLeg(leg_id):
                self._release(leg_id, now)
            case OfferPorts(host, count):
                self._offer(host, count, now)
            case LoadSound():
                self._voice.load(message)
            case _:
                self._voice.obey(self._leg(message.leg_id), message, now)

    def _set_remote(self, message: SetRemote, now: int) -> None:
        leg, mode = self._leg(message.leg_id), LatchMode(message.latch)
        secure(leg, message.srtp)
        remote = (message.host, message.port)
        leg.set_remote(remote, mode, message.payload_types, now, message.signalling)
        leg.rtcp.agree(message.rtcp_port, message.clock_rate)

    def _join(self, leg_a: Leg, leg_b: Leg, a_to_b: Route, b_to_a: Route) -> None:
        join(leg_a, leg_b, self._leg_route(leg_a, a_to_b), self._leg_route(leg_b, b_to_a))

    def _leg_route(self, leg: Leg, route: Route) -> LegRoute:
        tables = {}
        for payload_type, conversion in route.transcode.items():
            if conversion not in TABLES:
                raise UnknownError(f"there is no conversion {conversion}")
            tables[payload_type] = TABLES[conversion]
        return LegRoute(
            payload_types=route.payload_types,
            tables=tables,
            clock_rates=route.clock_rates,
            recoder=self._transcoders.of(leg.leg_id, route),
        )

    def _part(self, leg_a: int, leg_b: int) -> None:
        first, second = self._leg(leg_a), self._leg(leg_b)
        if first.joined is second:
            first.part()

    def _leg(self, leg_id: int) -> Leg:
        try:
            return self._legs[leg_id]
        except KeyError:
            raise UnknownError(f"there is no leg {leg_id}") from None

    def _offer(self, host: str, count: int, now: int) -> None:
        ports, reason = self._pairs.offer(host, count, now)
        self._channel.send(PortsOffered(host, ports, reason))

    def _lend(self, leg_id: int, port: int) -> None:
        if leg_id in self._legs:
            raise UnknownError(f"leg {leg_id} exists already")
        try:
            pair = self._pairs.lend(port)
        except KeyError:
            raise UnknownError(f"port {port} was not offered") from None
        leg = Leg(leg_id, pair, loop=self._loop, fast_path=self._fast_path, observer=self._observer)
        self._legs[leg_id] = leg

    def _release(self, leg_id: int, now: int) -> None:
        leg = self._legs.pop(leg_id, None)
        if leg is None:
            # Whoever releases waits for an answer.
            self._channel.post(LegReleased(leg_id, 0, 0, 0, 0))
            return
        self._taps.close(leg, now)
        self._voice.forget(leg, now)
        self._transcoders.forget(leg_id)
        try:
            leg.say_goodbye(now)
        except Exception as error:  # noqa: BLE001 - a bulkhead: its ports come back all the same
            self._leg_failed(leg, error)
        # The joined leg's figures settle only when the two are parted.
        peer = leg.joined
        leg.release()
        self._pairs.take_back(leg.pair, now)
        self._tally.forget(leg)
        if peer is not None:
            self._tally.count(peer)
        self._channel.post(_last_words(leg))

    # --- to the signalling process

    def _first_packet(self, leg_id: int, now: int) -> None:
        self._channel.send(FirstPacket(leg_id, now / 1e9))

    def _silent(self, leg_id: int, silence_ns: int) -> None:
        self._channel.send(MediaTimeout(leg_id, silence_ns / 1e9))

    def _heard_again(self, leg_id: int) -> None:
        self._channel.send(MediaResumed(leg_id))

    def log(self, level: int, text: str) -> None:
        """Send a log record on its way; lost and counted where nobody reads."""
        self._channel.send(LogLine(level, LOGGER, text))

    def failed(self, fd: int, error: Exception) -> None:
        """Mute the leg whose callback raised: the others go on."""
        leg = next((leg for leg in self._legs.values() if fd in leg.descriptors()), None)
        where = "housekeeping" if leg is None else f"leg {leg.leg_id}, which is mute now"
        place = _place(error)
        self.log(ERROR, f"{type(error).__name__}: {error} at {place} in {where}")
        if leg is not None:
            leg.mute()

    def _leg_failed(self, leg: Leg, error: Exception) -> None:
        self.failed(leg.descriptors()[0], error)

    # --- now and then

    def housekeeping(self, now: int) -> None:
        """Look after some of the legs, and after what the channel could not take."""
        for leg in self._rounds.due(now):
            try:
                leg.sweep(now, self._media_timeout_ns)
            except Exception as error:  # noqa: BLE001 - a bulkhead: one leg
                self._leg_failed(leg, error)
            if not (leg.leg_id + self._rounds.number) % COUNTED_ROUNDS:
                self._tally.count(leg)
        self._rings.flush(now)
        self._channel.flush()

    def report(self, now: int) -> None:
        """Send the totals."""
        self._pairs.trim(now)
        totals = self._tally.totals
        totals["dropped_wrong_source"] += self._pairs.strangers
        values: dict[str, float] = {
            **totals,
            "legs_transcoded": self._transcoders.legs,
            **self._rings.totals,
            "channel_dropped": self._channel.dropped,
            "cpu_seconds": time.process_time(),
            "relay_delay_seconds": self._loop.batch_ns / 1e9,
            "relay_delay_samples": self._loop.batches_sampled,
        }
        self._channel.send(Counters(values))


def _last_words(leg: Leg) -> LegReleased:
    """Return what a released leg has counted."""
    received, dropped = leg.relay.received, leg.relay.drops.packets
    if not leg.has_media:
        return LegReleased(leg.leg_id, 0, 0, dropped, 0)
    figures = leg.rtcp.figures
    return LegReleased(
        leg_id=leg.leg_id,
        packets_received=received.packets,
        packets_sent=leg.packets_sent,
        packets_dropped=dropped,
        packets_lost=received.lost,
        jitter_ms=figures.jitter_ms,
        round_trip_ms=figures.round_trip_ms,
        peer_jitter_ms=figures.peer_jitter_ms,
        peer_packets_lost=figures.peer_lost,
    )


def _place(error: Exception) -> str:
    """Return file and line where `error` was raised, for a log without a traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
