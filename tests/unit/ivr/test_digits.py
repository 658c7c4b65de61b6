"""Telephone events: one key press is one digit, whatever the network does to its packets."""

import pytest

from ivr.digits import EVENT, KEYS, MAX_QUEUE, Digit, DigitReceiver, DigitSender, EventPacket

END = 0x80
PT = 101


def event(key: str, duration: int, *, end: bool = False) -> bytes:
    return EVENT.pack(KEYS.index(key), (END if end else 0) | 10, duration)


class Line:
    """Feeds a receiver, 20 ms per packet."""

    def __init__(self) -> None:
        self.receiver = DigitReceiver({PT})
        self.now = 100.0

    def hear(
        self, payload: bytes, timestamp: int, *, ssrc: int = 7, payload_type: int = PT
    ) -> tuple[Digit, ...]:
        self.now += 0.02
        return self.receiver.receive(
            payload, payload_type=payload_type, ssrc=ssrc, timestamp=timestamp, now=self.now
        )

    def press(self, key: str, timestamp: int, *, packets: int = 4, ends: int = 3) -> list[Digit]:
        heard: list[Digit] = []
        for number in range(packets):
            heard += self.hear(event(key, 160 * (number + 1)), timestamp)
        for _ in range(ends):
            heard += self.hear(event(key, 160 * (packets + 1), end=True), timestamp)
        return heard


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_told_when_it_goes_down_and_when_it_has_gone_up(line: Line, key: str) -> None:
    down, up = line.press(key, 1000)
    assert down == Digit(key=key, ssrc=7, timestamp=1000, started_at=100.02, ended=False)
    assert (up.key, up.started_at, up.ended) == (key, down.started_at, True)


def test_three_end_packets_are_one_end_and_no_packet_need_come_but_one(line: Line) -> None:
    assert [d.ended for d in line.press("5", 1000, packets=0, ends=3)] == [False, True]
    assert [d.ended for d in line.press("5", 3000, packets=1, ends=0)] == [False]


def test_the_same_key_twice_is_two_digits(line: Line) -> None:
    heard = line.press("1", 1000) + line.press("1", 3000)
    assert [(d.timestamp, d.ended) for d in heard] == [
        (1000, False),
        (1000, True),
        (3000, False),
        (3000, True),
    ]


def test_a_lost_end_is_noticed_by_the_next_digit(line: Line) -> None:
    heard = line.press("1", 1000, ends=0) + line.press("2", 3000)
    assert [(d.key, d.ended) for d in heard] == [
        ("1", False),
        ("1", True),
        ("2", False),
        ("2", True),
    ]


def test_a_lost_end_is_noticed_by_silence_and_told_once(line: Line) -> None:
    line.press("1", 1000, ends=0)
    due = line.receiver.next_timeout()
    assert due == pytest.approx(line.now + 0.2)
    assert line.receiver.handle_timeout(line.now + 0.1) == ()
    (up,) = line.receiver.handle_timeout(line.now + 0.21)
    assert up.ended
    assert line.receiver.handle_timeout(line.now + 9) == ()
    assert line.receiver.next_timeout() is None
    assert line.hear(event("1", 1600, end=True), 1000) == ()


def test_a_long_event_in_segments_is_one_digit(line: Line) -> None:
    heard = list(line.hear(event("8", 0xFFFF - 100), 1000))
    heard += line.hear(event("8", 0xFFFF), 1000)
    heard += line.hear(event("8", 160), 1000 + 0xFFFF)
    heard += line.hear(event("8", 0xFFFF), 1000)  # late
    heard += line.hear(event("8", 0xFFFF), 1000 + 0xFFFF)
    heard += line.hear(event("8", 400, end=True), 1000 + 2 * 0xFFFF)
    assert [(d.timestamp, d.ended) for d in heard] == [(1000, False), (1000, True)]


def test_timestamps_wrap(line: Line) -> None:
    heard = line.press("1", 0xFFFFFF00) + line.press("2", 0x700)
    assert [d.key for d in heard if not d.ended] == ["1", "2"]


def test_a_late_packet_of_an_earlier_digit_is_nothing(line: Line) -> None:
    line.press("1", 10_000)
    line.press("2", 12_000)
    assert line.hear(event("1", 320), 10_000) == ()


def test_a_stream_whose_timestamps_start_anew_is_heard(line: Line) -> None:
    line.press("1", 500_000)
    assert [d.key for d in line.press("2", 1000)] == ["2", "2"]


def test_another_key_at_the_same_time_is_no_digit(line: Line) -> None:
    line.press("2", 1000)
    assert line.press("1", 1000) == []


def test_another_ssrc_has_timestamps_of_its_own(line: Line) -> None:
    line.press("1", 1000)
    (digit, _) = line.hear(event("1", 800, end=True), 1000, ssrc=8)
    assert digit.ssrc == 8


def test_only_negotiated_types_and_only_keys_count(line: Line) -> None:
    assert line.hear(event("1", 160), 1000, payload_type=96) == ()
    assert line.hear(bytes([16, 10, 0, 160]), 1000) == ()  # flash
    assert line.hear(b"\x01\x0a\x00", 1000) == ()
    assert line.receiver.malformed == 1


def test_octets_behind_the_event_do_no_harm(line: Line) -> None:
    assert [d.key for d in line.hear(event("3", 160) + b"xyz", 1000)] == ["3"]


def run(sender: DigitSender, start: float = 50.0) -> list[tuple[int, EventPacket]]:
    """All packets with the ms at which they came, asked every 10 ms."""
    sent = []
    for tick in range(1000):
        sent += [(tick * 10, packet) for packet in sender.due(start + tick / 100 + 0.001)]
        if not sender.busy:
            return sent
    raise AssertionError("the sender never ends")


def test_a_digit_is_sent_as_an_event_of_100_ms_with_three_ends() -> None:
    sender = DigitSender()
    sender.queue("5", 50.0)
    sent = run(sender)
    assert [at for at, _ in sent] == [0, 20, 40, 60, 80, 100, 120]
    assert [p.marker for _, p in sent] == [True] + [False] * 6
    fields = [EVENT.unpack(p.payload) for _, p in sent]
    assert {code for code, _, _ in fields} == {5}
    assert [duration for _, _, duration in fields] == [160, 320, 480, 640, 800, 800, 800]
    assert [bool(flags & END) for _, flags, _ in fields] == [False] * 4 + [True] * 3


def test_digits_follow_each_other_after_a_pause_and_later_ones_queue_behind() -> None:
    sender = DigitSender()
    sender.queue("*", 50.0)
    sender.queue("7", 50.01)
    sent = run(sender)
    starts = [(at, p.offset_ts) for at, p in sent if p.marker]
    assert starts[0] == (0, 0)
    assert starts[1] == (150, 1200)
    assert not sender.busy
    assert sender.next_due() is None
    sender.queue("9", 60.0)
    assert [p.offset_ts for p in sender.due(60.0)] == [0]


def test_a_caller_that_comes_late_still_keeps_the_pause() -> None:
    sender = DigitSender()
    sender.queue("12", 50.0)
    first = sender.due(51.0)
    ends = [EVENT.unpack(p.payload)[1] & END for p in first]
    assert ends.count(END) >= 3
    second = [p for p in first if p.marker][1:] + [p for p in sender.due(51.05) if p.marker]
    assert len(second) == 1
    assert second[0].offset_ts >= 1200


def test_the_queue_is_bounded_and_takes_only_keys() -> None:
    sender = DigitSender()
    sender.queue("x", 50.0)
    assert not sender.busy
    sender.queue("1" * (MAX_QUEUE + 5), 50.0)
    assert sender.dropped == 1 + 5


def test_what_the_sender_sends_the_receiver_hears() -> None:
    sender, receiver = DigitSender(), DigitReceiver({PT})
    sender.queue("*0*#", 50.0)
    heard = [
        digit.key
        for at, packet in run(sender)
        for digit in receiver.receive(
            packet.payload,
            payload_type=PT,
            ssrc=1,
            timestamp=packet.offset_ts,
            now=50.0 + at / 1000,
        )
        if not digit.ended
    ]
    assert "".join(heard) == "*0*#"
