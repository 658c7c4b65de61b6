"""Transcoding between two legs: the sound, the timestamps, gaps, keys and the bounds."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest

from b2bua.media.to_worker import EventRecoding, Recoding, Route
from b2bua.media.worker.transcoder import AHEAD_MS, Transcoder, Transcoders, UnknownCodecError
from codec.stream_coders import CLOCK_RATES, make_stream_decoder, make_stream_encoder, working_rate
from rtp.fast_path import FastPath
from rtp.header import HEADER, RtpHeader
from rtp.outgoing import OutgoingStream
from rtp.recoder import Recoded
from rtp.relay import Relay
from tests.support import audio

MS = 1_000_000
PT = {"PCMA": 8, "PCMU": 0, "G722": 9, "OPUS": 96}

pytestmark = pytest.mark.peer("libopus")


@dataclass
class Source:
    """A telephone that sends a tone in one codec, and what the other one gets of it."""

    source: str
    target: str
    ptime_ms: int = 20
    target_ptime_ms: int = 20
    hz: float = 440.0
    outgoing: OutgoingStream = field(default_factory=OutgoingStream)
    now: int = 5_000 * MS
    sequence: int = 65530
    timestamp: int = (1 << 32) - 4000
    ssrc: int = 7

    def __post_init__(self) -> None:
        recoding = Recoding(self.source, self.target, PT[self.target], self.target_ptime_ms)
        events = {101: EventRecoding(102, CLOCK_RATES[self.source], CLOCK_RATES[self.target])}
        self.transcoder = Transcoder({PT[self.source]: recoding}, events)
        self.rate = working_rate(self.source, self.target)
        self.encoder = make_stream_encoder(self.source, self.rate)
        self.heard = make_stream_decoder(self.target, self.rate)
        self.pcm = audio.tone(self.hz, 20.0, rate=self.rate)
        self.position = 0
        self.packets: list[Recoded] = []

    def speak(self, packets: int, *, lost: tuple[int, ...] = ()) -> list[Recoded]:
        """Send `packets`; returns what came of them."""
        before = len(self.packets)
        for number in range(packets):
            payload = self.next_payload()
            if number not in lost:
                self.send(payload)
            self.advance()
        return self.packets[before:]

    def next_payload(self) -> bytes:
        samples = self.rate * self.ptime_ms // 1000
        piece = self.pcm[self.position : self.position + samples]
        self.position += samples
        return self.encoder.encode(piece.tobytes())

    def advance(self, ms: int | None = None) -> None:
        ms = self.ptime_ms if ms is None else ms
        self.now += ms * MS
        self.timestamp += CLOCK_RATES[self.source] * ms // 1000
        self.sequence += 1

    def send(self, payload: bytes, payload_type: int | None = None, **changes: int) -> None:
        header = RtpHeader(
            payload_type=PT[self.source] if payload_type is None else payload_type,
            sequence=changes.get("sequence", self.sequence) & 0xFFFF,
            timestamp=changes.get("timestamp", self.timestamp) & 0xFFFFFFFF,
            ssrc=self.ssrc,
        )
        for packet in self.transcoder.take(header, payload, self.now, self.outgoing):
            self.outgoing.ssrc = 1
            self.outgoing.timestamp, self.outgoing.sent_ns = packet[1], self.now
            self.packets.append(packet)

    def sound(self) -> audio.Pcm:
        """What the other telephone plays, gaps in the timestamps left out."""
        octets = b"".join(
            self.heard.decode(payload)
            for second, _, payload in self.packets
            if second & 0x7F == PT[self.target]
        )
        return np.frombuffer(octets, dtype=np.int16)

    def steps(self) -> set[int]:
        """Distances of the timestamps."""
        stamps = [timestamp for _, timestamp, _ in self.packets]
        return {b - a & 0xFFFFFFFF for a, b in itertools.pairwise(stamps)}


PAIRS = [(source, target) for source, target in itertools.permutations(("PCMA", "G722", "OPUS"), 2)]


@pytest.mark.parametrize(("source", "target"), [*PAIRS, ("OPUS", "PCMU"), ("PCMU", "G722")])
def test_a_tone_keeps_its_pitch_and_level(source: str, target: str) -> None:
    call = Source(source, target)
    call.speak(100)
    pcm = call.sound()
    assert len(call.packets) == 100
    assert call.steps() == {CLOCK_RATES[target] // 50}
    level = audio.tone_level(pcm, 440.0, 0.3, 1.9, rate=call.rate)
    assert level == pytest.approx(-12.0, abs=1.5)
    assert audio.rms_level(pcm, 0.3, 1.9, rate=call.rate) == pytest.approx(level, abs=0.5)


def test_two_wideband_codecs_meet_in_wideband() -> None:
    call = Source("G722", "OPUS", hz=6000.0)
    call.speak(100)
    assert call.rate == 16000
    assert audio.tone_level(call.sound(), 6000.0, 0.3, 1.9, rate=16000) > -18.0


@pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60])
@pytest.mark.parametrize("target_ptime_ms", [10, 20, 40, 60])
def test_each_party_has_its_own_packet_time(ptime_ms: int, target_ptime_ms: int) -> None:
    call = Source("OPUS", "PCMA", ptime_ms=ptime_ms, target_ptime_ms=target_ptime_ms)
    call.speak(1200 // ptime_ms)
    assert call.steps() == {8 * target_ptime_ms}
    assert {len(payload) for _, _, payload in call.packets} == {8 * target_ptime_ms}
    assert len(call.packets) == 1200 // target_ptime_ms
    assert audio.rms_level(call.sound(), 0.2, 1.1) == pytest.approx(-12.0, abs=1.0)


@pytest.mark.parametrize("source", ["PCMA", "G722", "OPUS"])
def test_a_lost_packet_is_filled_and_the_clock_goes_on(source: str) -> None:
    target = "G722" if source != "G722" else "PCMA"
    call = Source(source, target)
    call.speak(60, lost=(30, 31))
    assert len(call.packets) == 60
    assert call.steps() == {160}
    hole = audio.rms_level(call.sound(), 0.6, 0.62)
    assert hole > -24.0, "something is heard in the first 20 ms of the gap"


def test_what_comes_late_or_twice_is_dropped() -> None:
    call = Source("PCMA", "G722")
    call.speak(10)
    payload = call.next_payload()
    call.send(payload)
    call.send(payload)
    call.send(payload, sequence=call.sequence - 3, timestamp=call.timestamp - 480)
    assert len(call.packets) == 11
    assert call.transcoder.dropped == 2


def test_a_sender_who_is_silent_leaves_a_gap_with_a_marker_behind_it() -> None:
    call = Source("OPUS", "PCMA")
    call.speak(10)
    call.now += 3_000 * MS
    call.timestamp += 3 * 48000
    first, *_ = call.speak(5)
    assert first[0] == 0x80 | 8
    assert first[1] - call.packets[9][1] & 0xFFFFFFFF == 160 + 3 * 8000
    assert [second for second, _, _ in call.packets[11:]] == [8] * 4


def test_an_unfinished_packet_is_filled_with_silence_before_a_gap() -> None:
    call = Source("PCMA", "G722", ptime_ms=10)
    call.speak(3)
    call.advance(1_000)
    call.sequence -= 1
    call.speak(2)
    assert [len(payload) for _, _, payload in call.packets] == [160, 160, 160]
    gap = call.packets[2][1] - call.packets[1][1] & 0xFFFFFFFF
    assert gap == 8 * 1_010, "10 ms of it were heard before"


@pytest.mark.parametrize("jump", [1_000_000_000, -1_000_000])
def test_timestamps_that_jump_or_another_ssrc_go_on_by_the_clock(jump: int) -> None:
    call = Source("PCMA", "OPUS")
    call.speak(10)
    call.timestamp += jump
    call.now += 100 * MS
    first, *_ = call.speak(3)
    assert first[1] - call.packets[9][1] & 0xFFFFFFFF == 48 * 120
    call.ssrc, call.timestamp, call.sequence = 8, 12345, 4
    first, *_ = call.speak(3)
    assert first[1] - call.packets[12][1] & 0xFFFFFFFF == 48 * 20


def test_it_goes_on_behind_another_source_of_the_stream() -> None:
    call = Source("PCMA", "G722")
    call.outgoing.ssrc, call.outgoing.timestamp = 5, 1000
    call.outgoing.sent_ns = call.now - 60 * MS
    first, *_ = call.speak(2)
    assert first[1] == 1000 + 480
    assert first[0] >> 7 == 1


def test_a_key_keeps_its_place_and_its_length_on_another_clock() -> None:
    call = Source("OPUS", "PCMA")
    call.speak(10)
    started = call.timestamp
    for duration in (960, 1920, 1920):
        call.send(b"\x05\x0a" + duration.to_bytes(2, "big"), 101, timestamp=started)
        call.sequence += 1
        call.now += 20 * MS
    events = call.packets[10:]
    assert {second for second, _, _ in events} == {102}
    assert {timestamp for _, timestamp, _ in events} == {call.packets[9][1] + 160}
    assert [int.from_bytes(payload[2:], "big") for _, _, payload in events] == [160, 320, 320]
    call.timestamp = started + 48 * 60
    first, *_ = call.speak(1)
    assert first[1] == call.packets[9][1] + 160 + 480, "what was said behind it has its place"


def test_a_key_before_any_sound_has_its_place_too() -> None:
    call = Source("PCMA", "OPUS")
    call.outgoing.ssrc, call.outgoing.timestamp = 5, 1000
    call.outgoing.sent_ns = call.now - 20 * MS
    call.send(b"\x05\x0a\x00\xa0", 101)
    ((second, timestamp, payload),) = call.packets
    assert (second, timestamp) == (102, 1000 + 960)
    assert int.from_bytes(payload[2:], "big") == 960


def test_a_source_may_go_from_one_codec_to_another() -> None:
    wide = {9: Recoding("G722", "PCMA", 8), 96: Recoding("OPUS", "PCMA", 8)}
    call = Source("G722", "PCMA")
    call.transcoder = Transcoder(wide, {})
    call.speak(10)
    call.send(make_stream_encoder("OPUS", 8000).encode(bytes(320)), 96, timestamp=77)
    assert len(call.packets) == 11
    assert call.packets[10][0] == 0x80 | 8
    assert call.packets[10][1] - call.packets[9][1] & 0xFFFFFFFF == 160


def test_nobody_costs_more_than_a_call_does() -> None:
    call = Source("PCMA", "OPUS")
    payload = call.next_payload()
    for _ in range(2000):
        call.send(payload)
        call.timestamp += 160
        call.sequence += 1
        call.now += 50_000  # 20,000 packets a second
    assert len(call.packets) <= AHEAD_MS // 20 + 10
    assert call.transcoder.dropped > 1900


@pytest.mark.parametrize("source", ["G722", "OPUS", "PCMA"])
def test_any_octets_are_survived(source: str) -> None:
    call = Source(source, "PCMU" if source != "PCMA" else "OPUS")
    random = np.random.default_rng(3)
    for _ in range(300):
        call.send(random.bytes(int(random.integers(0, 400))))
        call.advance()
    call.send(b"\x01", 101)
    assert call.steps()


def test_a_bridge_that_is_told_again_keeps_its_coders() -> None:
    transcoders = Transcoders()
    route = Route({8: 9}, {}, recodings={8: Recoding("PCMA", "G722", 9)})
    made = transcoders.of(1, route)
    assert transcoders.of(1, route) is made
    assert transcoders.legs == 1
    assert transcoders.of(1, Route({8: 8}, {})) is None
    assert transcoders.legs == 0
    with pytest.raises(UnknownCodecError):
        transcoders.of(1, Route({18: 8}, {}, recodings={18: Recoding("G729", "PCMA", 8)}))


def test_the_relay_sends_it_as_one_stream_and_goes_back_to_the_fast_path() -> None:
    sent: list[bytes] = []
    queue: list[bytes] = []

    def receive(buffer: bytearray) -> int:
        data = queue.pop(0)
        buffer[: len(data)] = data
        return len(data)

    relay = Relay(1, receive, FastPath(), lambda: None)
    outgoing = OutgoingStream()
    transcoder = Transcoder({9: Recoding("G722", "PCMA", 8)}, {})
    relay.accept({9: 8, 8: 8}, {}, transcoder)
    relay.forward_to(outgoing, lambda view: sent.append(view.tobytes()))
    now = 1_000 * MS
    for number in range(30):
        now += 20 * MS
        payload_type = 9 if number < 10 or number >= 20 else 8
        queue.append(HEADER.pack(0x80, payload_type, number, 160 * number, 5) + bytes(160))
        relay.handler()(now)
    headers = [RtpHeader.parse(data) for data in sent]
    assert [h.sequence for h in headers] == list(range(30))
    assert {h.payload_type for h in headers} == {8}
    assert {h.ssrc for h in headers} == {5}
    stamps = [h.timestamp for h in headers]
    assert {b - a for a, b in itertools.pairwise(stamps)} == {160}
    relay.stop_forwarding()
    assert outgoing.packets == 30
    assert outgoing.octets == 30 * 160
    assert relay.received.lost == 0
