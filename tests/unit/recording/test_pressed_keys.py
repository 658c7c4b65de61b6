"""Keys that a party presses: what it sends meanwhile is not in the file."""

import struct
from itertools import pairwise
from pathlib import Path

import pytest

from recording.pressed_keys import EDGE_SAMPLES, blank_range
from recording.spec import StreamFormat
from rtp.ring import Kind
from tests.support import audio
from tests.support.audio import Pcm
from tests.unit.codec.coders import OpusCoder
from tests.unit.recording.hearing import A, B
from tests.unit.recording.rig import EVENTS, OPUS_FORMAT, PCMA, TICK_NS, Phone, Rig, tone

END = 0x80


def event(key: int, duration: int, flags: int = 10) -> bytes:
    return struct.pack("!BBH", key, flags, duration)


def put_event(rig: Rig, phone: Phone, timestamp: int, payload: bytes) -> None:
    header = (
        bytes((0x80, EVENTS.payload_type))
        + (phone.sequence & 0xFFFF).to_bytes(2, "big")
        + (timestamp & 0xFFFFFFFF).to_bytes(4, "big")
        + phone.ssrc.to_bytes(4, "big")
    )
    phone.sequence += 1
    rig.put(phone.leg, rig.now_ns, header + payload)


def press(rig: Rig, phone: Phone, *, key: int = 5, frames: int = 10) -> None:
    """Have a key down for so many frames of 20 ms, while the phone sends its audio as well."""
    timestamp = phone.timestamp
    for frame in range(1, frames + 1):
        rig.run(TICK_NS / 1e9)
        put_event(rig, phone, timestamp, event(key, frame * 160))
    for _ in range(3):
        put_event(rig, phone, timestamp, event(key, frames * 160, END | 10))


def finish(rig: Rig) -> tuple[Pcm, Pcm]:
    rig.mark(Kind.STOPPED)
    rig.settle()
    assert rig.closed[0].failure is None
    return audio.decode_stereo(rig.folder / "2026/1.mp3")


def call(rig: Rig, *, blank_dtmf: bool = True) -> Phone:
    """Two phones that sound all the time, in stereo; the caller's is returned."""
    spec = rig.spec(channels=2, blank_dtmf=blank_dtmf)
    rig.phones += [Phone(1, tone(A), timestamp=0xFFFF8000), Phone(2, tone(B), ssrc=0xEF)]
    rig.tap(1, 0, spec=spec)
    rig.tap(2, 1, spec=spec)
    return rig.phones[0]


def holes(pcm: Pcm, hz: float) -> list[tuple[float, float]]:
    """Return the pauses of a tone as (beginning, length), seconds."""
    heard = audio.tone_intervals(pcm, hz, above=-30.0, shortest=0.05)
    return [(a[1], b[0] - a[1]) for a, b in pairwise(heard)]


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("killed", [False, True])
def test_what_is_sent_while_a_key_is_down_is_silence(tmp_path: Path, *, killed: bool) -> None:
    rig = Rig(tmp_path)
    phone = call(rig)
    rig.run(3.2)
    press(rig, phone)
    if killed:
        rig.kill()
        rig.run(0.4, recorder=False)
        rig.start()
    else:
        rig.run(0.4)
    rig.run(2.0)
    left, right = finish(rig)
    ((begin, length),) = holes(left, A)
    assert begin == pytest.approx(3.2, abs=0.06)
    assert length == pytest.approx(0.24, abs=0.06)
    assert audio.rms_level(left, 3.23, 3.37) < -50
    audio.assert_tone(right, B, 0.2, 5.0, level=-12.2)


@pytest.mark.peer("ffmpeg", "libopus")
@pytest.mark.parametrize("rate", [8000, 16000])
def test_keys_beside_opus_have_its_clock(tmp_path: Path, rate: int) -> None:
    rig = Rig(tmp_path)
    phone = Phone(1, tone(A), law=OPUS_FORMAT, coder=OpusCoder(), timestamp=0xFFFE0000)
    rig.phones.append(phone)
    events = StreamFormat(EVENTS.payload_type, "telephone-event", 48000)
    rig.tap(1, 0, spec=rig.spec(channels=2, rate=rate), formats=(OPUS_FORMAT, events))
    rig.run(3.2)
    timestamp = phone.timestamp
    for frame in range(1, 11):
        rig.run(TICK_NS / 1e9)
        put_event(rig, phone, timestamp, event(5, frame * 960))
    rig.run(2.0)
    left, _ = finish(rig)
    ((begin, length),) = holes(left, A)
    assert begin == pytest.approx(3.2, abs=0.06)
    assert length == pytest.approx(0.24, abs=0.06)


@pytest.mark.peer("ffmpeg")
def test_events_on_a_clock_that_is_nobodys_blank_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    phone = Phone(1, tone(A))
    rig.phones.append(phone)
    events = StreamFormat(EVENTS.payload_type, "telephone-event", 48000)
    rig.tap(1, 0, spec=rig.spec(channels=2), formats=(PCMA, events))
    rig.run(2.0)
    press(rig, phone)
    rig.run(1.0)
    left, _ = finish(rig)
    assert holes(left, A) == []


@pytest.mark.peer("ffmpeg")
def test_where_it_is_not_wanted_all_stays_in_the_file(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    phone = call(rig, blank_dtmf=False)
    rig.run(2.0)
    press(rig, phone)
    rig.run(2.0)
    left, _ = finish(rig)
    assert holes(left, A) == []


@pytest.mark.peer("ffmpeg")
def test_keys_after_a_pause_lie_where_they_were_pressed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    phone = call(rig)
    rig.run(2.0)
    rig.mark(Kind.PAUSED)
    rig.run(1.5)
    press(rig, phone)
    rig.mark(Kind.RESUMED)
    rig.run(1.0)
    press(rig, phone)
    rig.run(1.5)
    left, _ = finish(rig)
    ((begin, length),) = holes(left, A)
    assert begin == pytest.approx(3.0, abs=0.06)
    assert length == pytest.approx(0.24, abs=0.06)


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("odd", ["flash", "short", "far", "stranger"])
def test_what_is_no_key_blanks_nothing(tmp_path: Path, odd: str) -> None:
    rig = Rig(tmp_path)
    phone = call(rig)
    rig.run(2.0)
    at, known = phone.timestamp, phone.ssrc
    if odd == "flash":
        put_event(rig, phone, at - 1600, event(16, 1600))
    elif odd == "short":
        put_event(rig, phone, at - 1600, b"\5\12")
    elif odd == "far":
        for away in (80_000, -200_000, 1 << 31):
            put_event(rig, phone, at + away, event(5, 0xFFFF))
    else:
        phone.ssrc = 0xBAD
        put_event(rig, phone, at - 1600, event(5, 1600))
        phone.ssrc = known
    rig.run(2.0)
    left, _ = finish(rig)
    assert holes(left, A) == []


def test_an_event_reaches_no_further_than_it_can_have_lasted() -> None:
    assert blank_range(event(0, 800), 1000, 1850) == (1000 - EDGE_SAMPLES, 1800 + EDGE_SAMPLES)
    assert blank_range(event(15, 0xFFFF), 1000, 1400) == (
        1000 - EDGE_SAMPLES,
        1400 + 2 * EDGE_SAMPLES,
    )
    assert blank_range(event(16, 800), 1000, 1850) is None
    assert blank_range(event(1, 800)[:3], 1000, 1850) is None
    assert blank_range(event(1, 800), 1000, 90_000) is None
    assert blank_range(event(1, 800), 9000, 1000) is None
