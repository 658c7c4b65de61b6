"""Codecs with a memory in the recorder: the order of speech decides, not that of arrival."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codec import optional
from mixer.jitter_buffer import CAPACITY, JitterBuffer
from recording.codecs import G722, codec_of, refusal
from recording.in_order import MAX_PACKETS, InOrder, Waiting
from recording.reasons import render
from recording.spec import StreamFormat, encode_formats
from rtp.ring import Kind
from tests.support import audio
from tests.unit.codec.coders import G722Coder, OpusCoder
from tests.unit.recording.hearing import SILENT, SOUNDS, A, B, finish, level
from tests.unit.recording.rig import OPUS_FORMAT, PCMA, WIDE, Phone, Rig, tone

Arrive = Callable[[int, int], int | None]


def wide(leg: int = 1, hz: float = A) -> Phone:
    return Phone(leg, tone(hz), law=WIDE, coder=G722Coder())


def recorded(rig: Rig, arrive: Arrive, seconds: float = 5.0) -> str:
    """Record speech that arrives so; returns what the file is, to the bit."""
    speech = audio.speech(seconds + 1, seed=5, rate=16000)
    phone = wide()
    phone.sound = lambda places: speech[np.rint(places * 16000).astype(int)].astype(np.float64)
    phone.arrive = arrive
    rig.phones.append(phone)
    rig.tap(1, formats=(WIDE,))
    rig.run(seconds)
    rig.mark(Kind.STOPPED)
    rig.settle()
    assert rig.closed[0].failure is None
    return hashlib.sha256((rig.folder / "2026/1.mp3").read_bytes()).hexdigest()


def in_time(_number: int, at_ns: int) -> int:
    return at_ns


def shuffled(number: int, at_ns: int) -> int:
    """Up to five packets overtake one another, but the first and the last ones do not."""
    delays_ms = (0, 90, 10, 45, 70, 0, 25)
    return at_ns + (delays_ms[number % 7] * 1_000_000 if 2 < number < 235 else 0)


@pytest.mark.peer("ffmpeg")
def test_a_wideband_party_is_heard_with_its_pitch_and_level(rig: Rig) -> None:
    rig.phones += [wide(1, A), Phone(2, tone(B))]
    rig.tap(1, 0, formats=(WIDE,))
    rig.tap(2, 1)
    rig.run(7.3)
    pcm = finish(rig)
    assert rig.closed[0].failure is None
    assert abs(audio.seconds(pcm) - 7.3) <= 0.040
    for hz in (A, B):
        assert audio.tone_levels(pcm, hz)[3:-4].min() > SOUNDS, "without a dip"
        assert level(pcm, hz, 0.2, 7.0) == pytest.approx(level(pcm, B, 0.2, 7.0), abs=0.5)


def test_reordering_and_duplicates_change_no_bit_of_the_file(tmp_path: Path) -> None:
    rigs = []
    for name in ("straight", "shuffled", "doubled"):
        (tmp_path / name).mkdir()
        rigs.append(Rig(tmp_path / name))
    first, overtaken, doubled = rigs
    straight = recorded(first, in_time)
    assert recorded(overtaken, shuffled) == straight
    put = doubled.put

    def put_twice(leg: int, at_ns: int, packet: bytes) -> None:
        put(leg, at_ns, packet)
        put(leg, at_ns, packet)

    doubled.put = put_twice  # type: ignore[method-assign]
    assert recorded(doubled, in_time) == straight


@pytest.mark.peer("ffmpeg", "libopus")
@pytest.mark.parametrize("timestamp", [12345, 0xFFFFFFFF - 3 * 48000], ids=["plain", "wraps"])
@pytest.mark.parametrize("ptime_ms", [20, 60])
def test_opus_is_heard_whatever_its_clock(rig: Rig, ptime_ms: int, timestamp: int) -> None:
    phone = Phone(1, tone(A), law=OPUS_FORMAT, coder=OpusCoder(2), timestamp=timestamp)
    phone.ptime_ms = ptime_ms
    phone.arrive = shuffled
    rig.phones += [phone, Phone(2, tone(B))]
    rig.tap(1, 0, formats=(OPUS_FORMAT,))
    rig.tap(2, 1)
    rig.run(7.3)
    pcm = finish(rig)
    assert rig.closed[0].failure is None
    assert abs(audio.seconds(pcm) - 7.3) <= 0.040
    assert audio.tone_levels(pcm[800:], A)[3:-8].min() > SOUNDS
    assert rig.worker.counters()["stream_jumps"] == 0


@pytest.mark.peer("ffmpeg", "libopus")
def test_opus_with_dtx_is_silent_for_its_time(rig: Rig) -> None:
    phone = Phone(1, lambda s: tone(A)(s) * (np.floor(s / 2) % 2 == 0), law=OPUS_FORMAT)
    phone.coder = OpusCoder(dtx=True)
    put, left_out = rig.put, []

    def without_nothing(leg: int, at_ns: int, packet: bytes) -> None:
        # A packet of at most two octets need not be sent (RFC 6716, 3.1 and libopus).
        if len(packet) > 14:
            put(leg, at_ns, packet)
        else:
            left_out.append(packet)

    rig.put = without_nothing  # type: ignore[method-assign]
    rig.phones.append(phone)
    rig.tap(1, formats=(OPUS_FORMAT,))
    rig.run(6.0)
    pcm = finish(rig)
    assert len(left_out) > 40
    assert rig.closed[0].failure is None
    assert abs(audio.seconds(pcm) - 6.0) <= 0.040
    for start, end, sounds in ((0.2, 1.9, True), (2.2, 3.9, False), (4.1, 5.8, True)):
        assert (level(pcm, A, start, end) > SOUNDS) is sounds


@pytest.mark.peer("ffmpeg")
def test_loss_is_concealed(rig: Rig) -> None:
    phone = wide()
    phone.arrive = lambda number, at_ns: None if number % 25 == 12 else at_ns
    rig.phones.append(phone)
    rig.tap(1, formats=(WIDE,))
    rig.run(5.0)
    pcm = finish(rig)
    assert audio.tone_levels(pcm, A)[3:-4].min() > SOUNDS - 3
    assert rig.worker.counters()["concealed_s"] == pytest.approx(0.18, abs=0.021)


@pytest.mark.peer("ffmpeg")
def test_a_packet_behind_its_time_is_late_and_disturbs_nothing(rig: Rig) -> None:
    phone = wide()
    phone.arrive = lambda number, at_ns: at_ns + (2_000_000_000 if number == 50 else 0)
    rig.phones.append(phone)
    rig.tap(1, formats=(WIDE,))
    rig.run(6.0)
    pcm = finish(rig)
    assert audio.tone_levels(pcm, A)[3:-4].min() > SOUNDS - 3
    assert rig.worker.counters()["concealed_s"] == pytest.approx(0.02, abs=0.001)


@pytest.mark.peer("ffmpeg")
def test_from_narrow_to_wide_and_back_in_a_running_recording(rig: Rig) -> None:
    phone = Phone(1, tone(A))
    rig.phones.append(phone)
    rig.tap(1)
    for law, coder in ((WIDE, G722Coder()), (PCMA, None)):
        rig.run(2.0)
        rig.producer.mark(Kind.FORMAT_CHANGED, 1, rig.now_ns, encode_formats((law,)))
        phone.law, phone.coder = law, coder
    rig.run(2.0)
    pcm = finish(rig)
    assert rig.closed[0].failure is None
    assert abs(audio.seconds(pcm) - 6.0) <= 0.040
    assert audio.tone_levels(pcm, A)[3:-4].min() > SOUNDS - 2


@pytest.mark.peer("ffmpeg")
def test_a_pause_and_a_new_stream_leave_their_time_and_no_more(rig: Rig) -> None:
    phone = wide()
    rig.phones.append(phone)
    rig.tap(1, formats=(WIDE,))
    rig.run(2.0)
    rig.mark(Kind.PAUSED)
    rig.run(2.0)
    rig.mark(Kind.RESUMED)
    rig.run(2.0)
    phone.ssrc, phone.timestamp, phone.coder = 0x5555, 0xFFFFFF00, G722Coder()
    rig.run(2.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 6.0) <= 0.040
    assert level(pcm, A, 0.1, 1.9) > SOUNDS
    assert level(pcm, A, 2.1, 3.9) > SOUNDS
    assert level(pcm, A, 4.1, 5.9) > SOUNDS


@pytest.mark.peer("ffmpeg")
def test_a_recorder_that_was_killed_goes_on(rig: Rig) -> None:
    rig.phones.append(wide())
    rig.tap(1, formats=(WIDE,))
    rig.run(8.0)
    rig.kill()
    rig.run(0.5, recorder=False)
    rig.start()
    rig.run(4.0)
    pcm = finish(rig)
    assert rig.closed[0].failure is None
    assert abs(audio.seconds(pcm) - 12.5) <= 0.040
    assert audio.tone_levels(pcm, A)[3:-4].min() > SOUNDS - 3


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("pace", [0.998, 1.002])
def test_drifting_clocks_are_followed(rig: Rig, pace: float) -> None:
    phone = wide()
    phone.pace = pace
    rig.phones.append(phone)
    rig.tap(1, formats=(WIDE,))
    rig.run(30.0)
    pcm = finish(rig)
    assert rig.worker.counters()["corrected_s"] != 0
    assert audio.tone_levels(pcm, A)[3:-4].min() > SOUNDS - 3


@pytest.mark.peer("ffmpeg")
def test_without_the_library_it_is_silence_and_named(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing(monkeypatch)
    rig.phones.append(wide())
    rig.tap(1, formats=(WIDE,))
    rig.run(2.0)
    assert audio.rms_level(finish(rig)) < SILENT
    assert rig.closed[0].undecoded == ("G722",)


def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library be one that nobody has."""
    monkeypatch.setattr(optional, "G722_MODULE", "no_such_library")


def test_a_refusal_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(WIDE) is None
    missing(monkeypatch)
    why = refusal(WIDE)
    assert why is not None
    assert "install mitschnitt[wideband]" in render(why, "en")
    assert "fehlt dem Server mitschnitt[wideband]" in render(why, "de")
    assert codec_of(WIDE) == 0


@pytest.mark.parametrize(
    "law",
    [
        StreamFormat(payload_type=18, encoding="G729", clock_rate=8000),
        StreamFormat(payload_type=96, encoding="G722", clock_rate=16000),
        StreamFormat(payload_type=96, encoding="opus", clock_rate=48000),
        StreamFormat(payload_type=96, encoding="PCMA", clock_rate=8000, channels=2),
    ],
)
def test_what_no_extra_helps_with_is_named(law: StreamFormat) -> None:
    why = refusal(law)
    assert why is not None
    assert law.encoding in render(why, "en")
    assert law.encoding in render(why, "de")


def test_a_hostile_sender_can_not_fill_the_memory() -> None:
    buffer = JitterBuffer()
    row = buffer.open(origin_ns=0, base=0, floor=0)
    in_order = InOrder(buffer, row)
    for place in range(2 * CAPACITY):
        in_order.put(place, Waiting(G722, 1, b"x"))
    assert len(in_order._packets) == MAX_PACKETS
    assert buffer.early_packets == 2 * CAPACITY - MAX_PACKETS
    in_order.decode_before(CAPACITY)
    assert not in_order._packets
    in_order.put(CAPACITY - 1, Waiting(G722, 1, b"x"))
    assert buffer.late_packets == 1
