"""The real media worker speaks: judged by the packets that phones get."""

import logging
import time
from array import array

import msgspec
import numpy as np
import pytest

from b2bua.media.from_worker import PlayFinished, PlayStarted
from b2bua.media.messages import LogLine
from b2bua.media.to_worker import (
    Bridge,
    CloseTap,
    CollectDigits,
    LoadSound,
    Play,
    PlayPart,
    ReleaseLeg,
    SendDigits,
    SetRemote,
    StopPlay,
)
from codec.optional import has_g722, has_opus
from codec.stream_coders import make_stream_decoder
from ivr.sound import PCMU_SILENCE, Sound
from recording.spec import OUR_VOICE
from rtp.header import timestamp_distance
from rtp.ring import Kind
from tests.support import audio
from tests.unit.b2bua.media_rig import (
    ALAW,
    CODES,
    HOST,
    SOUND,
    Worker,
    assert_gapless,
    hear_until,
    play,
    press,
    tap,
)


@pytest.fixture
def worker(worker: Worker) -> Worker:
    """One that has the sound."""
    worker.send(SOUND)
    return worker


TONE = audio.tone(600.0, 1.0)


@pytest.mark.parametrize(
    ("codec", "payload_type", "step", "seconds"), [("G722", 9, 160, 0.5), ("OPUS", 96, 960, 0.5)]
)
def test_a_sound_is_heard_in_another_codec_too(
    worker: Worker, codec: str, payload_type: int, step: int, seconds: float
) -> None:
    """Decoded by a coder of its own, it is the tone that was loaded."""
    if not (has_g722() if codec == "G722" else has_opus()):
        pytest.skip(f"without {codec}")
    alice, _ = worker.single()
    sound = Sound.from_pcm(array("h", TONE.tolist()))
    worker.send(LoadSound("tone", sound.pcma, sound.pcmu))
    worker.send(Play(1, 7, (PlayPart(sound="tone", loop=True),), payload_type, codec=codec))
    heard = [alice.hear() for _ in range(round(seconds * 50))]
    assert {header.payload_type for header, _ in heard} == {payload_type}
    assert_gapless(heard)
    first = heard[0][0].timestamp
    steps = [timestamp_distance(first, header.timestamp) for header, _ in heard]
    assert steps == list(range(0, step * len(heard), step))
    decoder = make_stream_decoder(codec, 8000)
    pcm = np.frombuffer(b"".join(decoder.decode(data) for _, data in heard), np.int16)
    audio.assert_tone(pcm, 600.0, 0.1, seconds - 0.1, level=-12.0)


def test_a_codec_that_there_is_none_of_is_said(worker: Worker) -> None:
    worker.single()
    worker.send(Play(1, 7, (PlayPart(sound=SOUND.name),), 18, codec="G729"))
    finished = worker.expect(PlayFinished)
    assert (finished.play_id, finished.completed) == (7, False)


@pytest.mark.parametrize("payload_type", [8, 0])
def test_a_prompt_is_heard_as_it_is_before_the_phone_has_sent_anything(
    worker: Worker, payload_type: int
) -> None:
    alice, _ = worker.single()
    began = time.monotonic()
    worker.send(play(1, 7, payload_type=payload_type))
    heard, at = [], []
    for _ in range(8):
        heard.append(alice.hear())
        at.append(time.monotonic())
    assert b"".join(data for _, data in heard) == (SOUND.pcma if payload_type else SOUND.pcmu)
    assert {h.payload_type for h, _ in heard} == {payload_type}
    assert [h.marker for h, _ in heard] == [True] + [False] * 7
    assert_gapless(heard)
    first = heard[0][0].timestamp
    assert [timestamp_distance(first, h.timestamp) for h, _ in heard] == list(range(0, 1280, 160))
    assert at[-1] - began >= 0.13
    started = worker.expect(PlayStarted)
    assert (started.leg_id, started.play_id) == (1, 7)
    assert began <= started.at < began + 0.2
    finished = worker.expect(PlayFinished)
    assert (finished.play_id, finished.played_ms, finished.completed) == (7, 160, True)
    # The end is when the last packet has been heard, not when it was sent. On a busy machine
    # the play is dated some ms early, by the wake-up in which the worker read what came before.
    assert 0.145 <= finished.at - began < 0.3
    assert alice.hears_nothing()


def test_packets_keep_their_distance(worker: Worker) -> None:
    alice, _ = worker.single()
    worker.send(play(1, loop=True))
    alice.hear()
    began = time.monotonic()
    for _ in range(50):
        alice.hear()
    assert time.monotonic() - began == pytest.approx(1.0, abs=0.1)
    worker.send(StopPlay(1))
    finished = worker.expect(PlayFinished)
    assert not finished.completed
    assert 1000 <= finished.played_ms <= 1100


def test_silence_parts_and_packets_of_30_ms(worker: Worker) -> None:
    alice, _ = worker.single()
    parts = (PlayPart(silence_ms=30), PlayPart(sound=SOUND.name), PlayPart(silence_ms=20))
    worker.send(Play(1, 1, parts, 0, ptime_ms=30))
    heard = [alice.hear() for _ in range(7)]
    assert {len(data) for _, data in heard} == {240}
    silence = bytes([PCMU_SILENCE])
    assert b"".join(d for _, d in heard) == silence * 240 + SOUND.pcmu + silence * 160
    assert worker.expect(PlayFinished).played_ms == 210


def test_the_bridge_goes_on_where_the_prompt_ended(worker: Worker) -> None:
    alice, bob = worker.phone(11), worker.phone(22)
    worker.leg(1)
    port_b = worker.leg(2)
    worker.send(SetRemote(1, HOST, alice.port), SetRemote(2, HOST, bob.port), play(1))
    heard = [alice.hear() for _ in range(8)]
    worker.expect(PlayFinished)
    worker.send(Bridge(1, 2, ALAW, ALAW))
    worker.barrier()
    for number in range(3):
        bob.say(port_b, bytes([number]) * 160)
        heard.append(alice.hear())
    assert_gapless(heard)
    assert [data[0] for _, data in heard[-3:]] == [0, 1, 2]
    step = timestamp_distance(heard[7][0].timestamp, heard[8][0].timestamp)
    assert 160 <= step < 8000
    worker.send(ReleaseLeg(1))


def test_a_beep_into_a_call_replaces_what_the_other_says_and_the_tap_goes_on(
    worker: Worker,
) -> None:
    alice, _, bob, port_b = worker.call()
    bob.say(port_b, b"1" * 160)
    heard = [alice.hear()]
    worker.send(tap(2), play(1))
    worker.expect(PlayStarted)
    for _ in range(3):
        bob.say(port_b, b"2" * 160)
    worker.expect(PlayFinished)
    bob.say(port_b, b"3" * 160)
    heard += hear_until(alice, b"3" * 160)
    assert_gapless(heard)
    assert b"".join(data for _, data in heard[1:-1]) == SOUND.pcma
    tapped = [e.data[12:13] for e in worker.ring() if e.kind == Kind.PACKET]
    assert tapped == [b"2", b"2", b"2", b"3"]


def test_a_new_play_ends_the_one_before_and_a_stop_may_name_its_play(worker: Worker) -> None:
    alice, _ = worker.single()
    worker.send(play(1, 1, loop=True))
    alice.hear()
    worker.send(play(1, 2, loop=True), StopPlay(1, 1))
    assert (worker.expect(PlayFinished).play_id, worker.expect(PlayStarted).play_id) == (1, 1)
    assert worker.expect(PlayStarted).play_id == 2
    worker.send(StopPlay(1, 2))
    assert worker.expect(PlayFinished).play_id == 2
    worker.send(StopPlay(1))
    worker.barrier()
    assert not any(isinstance(message, PlayFinished) for message in worker.inbox)


@pytest.mark.parametrize(
    "message",
    [
        Play(1, 9, (PlayPart(sound="de/unknown"),), 8),
        Play(1, 9, (), 8),
        Play(1, 9, (PlayPart(sound=SOUND.name),), 8, ptime_ms=25),
    ],
)
def test_what_can_not_be_played_is_said_at_once(worker: Worker, message: Play) -> None:
    worker.single()
    worker.send(message)
    finished = worker.expect(PlayFinished)
    assert (finished.play_id, finished.played_ms, finished.completed) == (9, 0, False)
    assert worker.expect(LogLine).level == logging.ERROR


def test_a_leg_may_be_released_while_it_is_spoken_to(worker: Worker) -> None:
    alice, port_a, bob, port_b = worker.call()
    worker.send(CollectDigits(1, (101,), codes=CODES), play(1, loop=True), play(2, 2, loop=True))
    alice.hear()
    bob.hear()
    press(alice, port_a, "*")
    worker.send(SendDigits(1, "123", 101), ReleaseLeg(1))
    assert worker.expect(PlayFinished).play_id == 1
    for _ in range(5):
        bob.hear()
    worker.send(StopPlay(2))
    worker.expect(PlayFinished)
    bob.say(port_b)
    worker.barrier()
    assert not any(isinstance(message, LogLine) for message in worker.inbox)


def test_what_we_say_is_recorded_under_a_number_of_its_own(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    ours = msgspec.structs.replace(tap(1), ours=True)
    worker.send(tap(1), ours, play(1), SendDigits(1, "4", 101))
    worker.expect(PlayFinished)
    alice.say(port_a)
    bob.hear()
    worker.send(msgspec.structs.replace(play(1, 3), kept=False))
    worker.expect(PlayFinished, lambda finished: finished.play_id == 3)
    worker.send(CloseTap(1), play(1, 2))
    worker.expect(PlayFinished, lambda finished: finished.play_id == 2)
    worker.barrier()
    entries = worker.ring()
    assert [(each.kind, each.leg) for each in entries if each.kind] == [
        (Kind.TAP_OPENED, 1),
        (Kind.TAP_OPENED, 1 | OUR_VOICE),
        (Kind.TAP_CLOSED, 1 | OUR_VOICE),
        (Kind.TAP_CLOSED, 1),
    ]
    said = [each for each in entries if not each.kind and each.leg == 1 | OUR_VOICE]
    assert b"".join(each.data[12:] for each in said) == SOUND.pcma, "once, and no key"
    assert [each.leg for each in entries if not each.kind and each.ssrc == 11] == [1]
