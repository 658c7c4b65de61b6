"""The real media worker hears keys: telephone events, star codes, and what the other side gets."""

import select
import time
from itertools import pairwise

from b2bua.media.from_worker import CodeReceived, DigitReceived, PlayFinished
from b2bua.media.messages import LogLine
from b2bua.media.to_worker import CollectDigits, Route, SendDigits, StopPlay, Unbridge
from ivr.digits import EVENT, KEYS
from rtp.header import sequence_distance, timestamp_distance
from tests.unit.b2bua.media_rig import (
    CODES,
    SOUND,
    Packet,
    Phone,
    Worker,
    assert_gapless,
    events,
    hear_until,
    play,
    press,
)


def test_a_digit_is_told_with_what_was_played_at_that_moment(worker: Worker) -> None:
    alice, port = worker.single()
    worker.send(SOUND, CollectDigits(1, (101,)), play(1, 5))
    for _ in range(4):
        alice.hear()
    alice.say(port)
    sent_at, timestamp = time.monotonic(), 160 * alice.sequence
    press(alice, port, "1")
    digit = worker.expect(DigitReceived)
    told_after_s = time.monotonic() - sent_at
    assert (digit.leg_id, digit.key, digit.ssrc, digit.timestamp) == (1, "1", 11, timestamp)
    assert digit.play_id == 5
    assert digit.played_ms is not None
    assert 80 <= digit.played_ms <= 160
    assert sent_at <= digit.at <= sent_at + told_after_s
    assert told_after_s < 0.5
    worker.expect(PlayFinished)
    press(alice, port, "2")
    second = worker.expect(DigitReceived)
    assert (second.key, second.play_id, second.played_ms) == ("2", None, None)


def test_forged_digits_are_no_digits(worker: Worker) -> None:
    alice, port_a, bob, port_b = worker.call()
    worker.send(CollectDigits(1, (101,), codes=CODES))
    alice.say(port_a)
    bob.hear()
    for forger in (worker.phone(11, "127.0.0.3"), worker.phone(99, "127.0.0.3")):
        forger.sequence = alice.sequence
        press(forger, port_a, "1")
    right_ssrc, alice.ssrc = alice.ssrc, 12
    press(alice, port_a, "1")  # from the right address, but not as the stream that it has
    alice.ssrc = right_ssrc
    press(alice, port_a, "1", event_type=96)  # a type that was not negotiated
    press(bob, port_b, "1")  # the other leg
    alice.say(port_a, b"z" * 160)
    hear_until(bob, b"z" * 160)
    press(alice, port_a, "7")
    assert worker.expect(DigitReceived).key == "7"
    worker.barrier()
    assert not any(isinstance(m, DigitReceived | CodeReceived) for m in worker.inbox)


def test_ordinary_digits_pass_as_they_are(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(CollectDigits(1, (101,), codes=CODES))
    worker.barrier()
    alice.say(port_a)
    press(alice, port_a, "5")
    alice.say(port_a, b"z" * 160)
    heard = hear_until(bob, b"z" * 160)
    assert len(heard) == 9
    assert_gapless(heard)
    assert events(heard) == "5"
    assert not worker.expect(DigitReceived).withheld


def test_a_star_code_does_not_reach_the_other_side_and_leaves_no_hole(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(CollectDigits(1, (101,), codes=CODES))
    worker.barrier()
    alice.say(port_a)
    press(alice, port_a, "*")
    alice.say(port_a)
    press(alice, port_a, "1")
    alice.say(port_a, b"z" * 160)
    heard = hear_until(bob, b"z" * 160)
    assert len(heard) == 3
    assert_gapless(heard)
    code = worker.expect(CodeReceived)
    assert (code.leg_id, code.code) == (1, "*1")
    assert [worker.expect(DigitReceived).withheld for _ in range(2)] == [True, True]


def test_only_a_leg_with_a_table_has_codes(worker: Worker) -> None:
    alice, port_a, bob, port_b = worker.call()
    worker.send(CollectDigits(1, (101,)), CollectDigits(2, (101,), codes=("*0",)))
    worker.barrier()
    press(alice, port_a, "*")
    press(alice, port_a, "1")
    alice.say(port_a, b"z" * 160)
    assert events(hear_until(bob, b"z" * 160)) == "*1"
    press(bob, port_b, "*")
    press(bob, port_b, "0")
    assert worker.expect(CodeReceived) == CodeReceived(
        2, "*0", worker.expect(DigitReceived, lambda digit: digit.key == "0").at
    )


def fresh(alice: Phone, port_a: int, bob: Phone, count: int) -> list[Packet]:
    """What bob hears until `count` fresh events are over and alice is heard again."""
    heard: list[Packet] = []
    voice = False
    while len(heard) < 7 * count or not voice:
        # She talks all the time; while digits are sent, he doesn't hear it.
        alice.say(port_a, b"v" * 160)
        if select.select([bob.socket], [], [], 0.02)[0]:
            heard.append(bob.hear())
            voice = heard[-1][1] == b"v" * 160
    return heard


def test_digits_that_become_no_code_are_sent_again_as_fresh_events(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(CollectDigits(1, (101,), codes=CODES))
    worker.barrier()
    alice.say(port_a)
    press(alice, port_a, "*")
    press(alice, port_a, "7")
    press(alice, port_a, "3")  # while the others are on their way: queues behind
    assert bob.hear()[1] == b"a" * 160
    heard = fresh(alice, port_a, bob, 3)
    assert events(heard) == "*73"
    assert_gapless(heard)
    packets = [(h, EVENT.unpack(data)) for h, data in heard if h.payload_type == 101]
    starts = [h.timestamp for h, _ in packets if h.marker]
    assert len(starts) == 3
    for before, after in pairwise(starts):
        assert timestamp_distance(before, after) >= 800 + 400
    assert [duration for _, (_, _, duration) in packets][6::7] == [800] * 3
    assert [worker.expect(DigitReceived).withheld for _ in range(3)] == [True] * 3


def test_a_star_alone_reaches_the_other_side_a_second_later(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(CollectDigits(1, (101,), codes=CODES))
    worker.barrier()
    alice.say(port_a)
    bob.hear()
    began = time.monotonic()
    press(alice, port_a, "*")
    header, data = bob.hear()
    assert (header.payload_type, KEYS[data[0]]) == (101, "*")
    assert 1.0 <= time.monotonic() - began < 2.0


def test_event_types_are_mapped_and_a_side_without_them_hears_no_replay(worker: Worker) -> None:
    there = Route(payload_types={8: 8, 101: 96}, transcode={})
    alice, port_a, bob, port_b = worker.call(there, Route(payload_types={8: 8}, transcode={}))
    worker.send(CollectDigits(1, (101,), codes=CODES), CollectDigits(2, (96,), codes=CODES))
    worker.barrier()
    alice.say(port_a)
    bob.hear()
    press(alice, port_a, "*")
    press(alice, port_a, "9")
    assert bob.hear()[0].payload_type == 96
    press(bob, port_b, "*", event_type=96)
    press(bob, port_b, "9", event_type=96)
    bob.say(port_b, b"z" * 160)
    assert alice.hear()[1] == b"z" * 160
    assert worker.expect(DigitReceived, lambda digit: digit.leg_id == 2).key == "*"


def test_digits_may_be_kept_from_the_other_side_altogether(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(CollectDigits(1, (101,), forward=False))
    worker.barrier()
    press(alice, port_a, "5")
    alice.say(port_a, b"z" * 160)
    assert bob.hear()[1] == b"z" * 160
    assert worker.expect(DigitReceived).withheld


def test_who_listens_no_more_lets_events_pass(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(CollectDigits(1, (101,), codes=CODES))
    worker.barrier()
    worker.send(CollectDigits(1, ()))
    worker.barrier()
    press(alice, port_a, "*")
    alice.say(port_a, b"z" * 160)
    assert events(hear_until(bob, b"z" * 160)) == "*"
    worker.barrier()
    assert not any(isinstance(message, DigitReceived) for message in worker.inbox)


def test_a_table_that_can_not_work_is_refused_and_the_old_one_stays(worker: Worker) -> None:
    alice, port_a, _, _ = worker.call()
    worker.send(CollectDigits(1, (101,), codes=CODES), CollectDigits(1, (101,), codes=("1",)))
    assert "no star code" in worker.expect(LogLine).text
    press(alice, port_a, "*")
    press(alice, port_a, "5")
    assert worker.expect(CodeReceived).code == "*5"


def test_digits_can_be_sent_into_a_tone(worker: Worker) -> None:
    alice, _ = worker.single()
    worker.send(SOUND, play(1, loop=True), SendDigits(1, "42", 101))
    heard: list[Packet] = []
    while len(events(heard)) < 2:
        heard.append(alice.hear())
    assert events(heard) == "42"
    sequences = [header.sequence for header, _ in heard]
    steps = {sequence_distance(a, b) for a, b in pairwise(sequences)}
    assert steps == {1}
    worker.send(StopPlay(1))


def test_an_unbridged_peer_gets_no_replay(worker: Worker) -> None:
    alice, port_a, bob, _ = worker.call()
    worker.send(CollectDigits(1, (101,), codes=CODES), Unbridge(1, 2))
    worker.barrier()
    press(alice, port_a, "*")
    press(alice, port_a, "9")
    worker.expect(DigitReceived, lambda digit: digit.key == "9")
    worker.counters()
    assert bob.hears_nothing()
