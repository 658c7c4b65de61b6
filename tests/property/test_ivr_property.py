"""What must hold for any keys, any losses, any files."""

import contextlib
import random
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from ivr import conditioning
from ivr.consent_menu import (
    ConsentMenu,
    Decision,
    Departure,
    DigitPressed,
    Event,
    PartyLeft,
    PromptEnded,
    PromptProgressed,
    PromptStarted,
    Question,
    QuestionCancelled,
    SessionRefreshed,
    TimePassed,
)
from ivr.digits import Digit, DigitReceiver, DigitSender
from ivr.key_pad import KeyPad, Way
from ivr.player import Part, Player
from ivr.prompts import PromptError, read_pcm
from ivr.star_codes import DEFAULT_CODES, StarCodes
from ivr.tone_keys import KEPT_STEPS, STEP_SAMPLES, ToneKeys

KEYS = st.text("0123456789*#", max_size=12)


@given(presses=st.lists(st.tuples(st.sampled_from("0123456789*#"), st.floats(0.05, 3.0))))
def test_every_digit_is_either_part_of_a_code_or_reaches_the_other_party_in_order(
    presses: list[tuple[str, float]],
) -> None:
    star = StarCodes(DEFAULT_CODES)
    now, events = 0.0, ""
    for key, pause in presses:
        now += pause
        due = star.next_timeout()
        if due is not None and due < now:
            events += star.handle_timeout(due + 0.001)
        ruling = star.press(key, now)
        events += ruling.replay + (f"<{ruling.code}>" if ruling.code else "")
        events += "" if ruling.withheld else key
    events += star.handle_timeout(now + 9)
    assert events.replace("<", "").replace(">", "") == "".join(key for key, _ in presses)
    assert star.flush() == ""


@given(keys=KEYS, seed=st.integers(0, 1 << 30), loss=st.floats(0, 0.4), start=st.integers(0, 2**32))
def test_digits_survive_loss_repetition_and_a_little_disorder(
    keys: str, seed: int, loss: float, start: int
) -> None:
    rng = random.Random(seed)
    sender, receiver = DigitSender(), DigitReceiver({101})
    sender.queue(keys, 0.0)
    sent = []
    for tick in range(10_000):
        sent += [(tick * 0.01, packet) for packet in sender.due(tick * 0.01)]
        if not sender.busy:
            break
    survivors = [item for item in sent for _ in range(rng.choice((1, 2))) if rng.random() >= loss]
    for n in range(len(survivors) - 1):
        if rng.random() < 0.1:
            survivors[n], survivors[n + 1] = survivors[n + 1], survivors[n]
    downs: list[Digit] = []
    ups: list[Digit] = []
    for at, packet in survivors:
        for digit in receiver.receive(
            packet.payload,
            payload_type=101,
            ssrc=1,
            timestamp=(start + packet.offset_ts) & 0xFFFFFFFF,
            now=at,
        ):
            (ups if digit.ended else downs).append(digit)
    ups += receiver.handle_timeout(1e9)
    offsets = list(dict.fromkeys(packet.offset_ts for _, packet in survivors))
    expected = [keys[sorted({p.offset_ts for _, p in sent}).index(o)] for o in sorted(offsets)]
    # Disorder between two digits may lose the earlier one, but never doubles or invents.
    heard = [digit.key for digit in downs]
    assert len(heard) <= len(expected)
    if offsets == sorted(offsets):
        assert heard == expected
    assert [u.timestamp for u in ups] == [d.timestamp for d in downs]


@given(data=st.binary(max_size=40), ssrc=st.integers(0, 2), timestamp=st.integers(0, 2**32 - 1))
def test_any_octets_do_no_harm_to_the_receiver(data: bytes, ssrc: int, timestamp: int) -> None:
    receiver = DigitReceiver({101})
    for now in range(3):
        receiver.receive(data, payload_type=101, ssrc=ssrc, timestamp=timestamp, now=float(now))


@given(
    parts=st.lists(st.binary(max_size=700), max_size=5),
    ptime_ms=st.sampled_from([10, 20, 30, 60]),
    steps=st.lists(st.floats(0.001, 0.09), min_size=120, max_size=120),
)
def test_a_player_loses_and_doubles_no_octet(
    parts: list[bytes], ptime_ms: int, steps: list[float]
) -> None:
    player = Player([Part(p) for p in parts], start_at=0.0, filler=0, ptime_ms=ptime_ms)
    now, played = 0.0, b""
    while not player.finished:
        for frame in player.due(now):
            assert frame.offset_ts == len(played)
            played += frame.payload
        now += steps.pop() if steps else 0.05
    whole = b"".join(parts)
    assert played[: len(whole)] == whole
    assert not any(played[len(whole) :])
    assert player.played_ms == len(whole) // 8


QUESTION = Question(
    prompt_id="consent", language="de", sha256="00", duration_ms=4000, counts_from_ms=2000
)


def _event(kind: int, at: float, key: str) -> Event:
    events: tuple[Event, ...] = (
        PromptStarted(at),
        PromptProgressed(at, 1000),
        PromptEnded(at, 4000, completed=True),
        DigitPressed(key=key, at=at, transport=Way.INFO),
        TimePassed(at),
        PartyLeft(at, Departure.HOLD),
        SessionRefreshed(at),
        QuestionCancelled(at),
    )
    return events[kind]


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 7), st.floats(0, 4), st.sampled_from("12*")), max_size=20
    )
)
def test_a_yes_is_always_the_right_key_after_the_set_point_and_there_is_one_verdict(
    steps: list[tuple[int, float, str]],
) -> None:
    menu = ConsentMenu(QUESTION, 0.0)
    now, started, verdicts = 0.0, None, []
    for kind, pause, key in steps:
        now += pause
        event = _event(kind, now, key)
        if isinstance(event, PromptStarted) and started is None:
            started = now
        verdict = menu.handle(event)
        if verdict is None:
            continue
        verdicts.append(verdict)
        if verdict.decision is Decision.GRANTED:
            assert isinstance(event, DigitPressed)
            assert event.key == "1"
            assert started is not None
            assert now - started >= 1.999
    assert len(verdicts) <= 1


@given(
    head=st.sampled_from([b"", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0"]),
    data=st.binary(max_size=120),
)
def test_any_octets_are_refused_in_words(head: bytes, data: bytes) -> None:
    octets = head + data
    with contextlib.suppress(PromptError):
        read_pcm(octets, "x.wav")
    with contextlib.suppress(PromptError):
        conditioning.read(octets)


PRESSES = st.lists(
    st.tuples(st.sampled_from("0123456789*#"), st.floats(0.25, 2.0), st.floats(0.0, 3.0)),
    max_size=12,
)


@given(ways=st.permutations(list(Way)), count=st.integers(1, 3), presses=PRESSES)
def test_a_press_counts_once_in_however_many_ways_it_comes(
    ways: list[Way], count: int, presses: list[tuple[str, float, float]]
) -> None:
    """The ways behind the first one may be late, once it is known that they come."""
    pad, now, came = KeyPad(), 0.0, []
    for number, (key, pause, lateness) in enumerate(presses):
        now += pause + (0.2 if number == 1 else 0.0)
        late = min(lateness, 0.19) if number == 0 else lateness
        came += [(now + late * place / count, key, way) for place, way in enumerate(ways[:count])]
    came.sort()
    counted = [key for at, key, way in came if pad.press(key, way, at) is not None]
    assert counted == [key for key, *_ in presses]


@given(
    packets=st.lists(
        st.tuples(st.binary(max_size=400), st.sampled_from(["PCMA", "PCMU"]), st.integers(0, 3)),
        max_size=8,
    )
)
def test_no_sound_breaks_the_ear_for_tones_and_little_is_kept_of_it(
    packets: list[tuple[bytes, Literal["PCMA", "PCMU"], int]],
) -> None:
    ear, timestamp = ToneKeys(), (1 << 32) - 300
    for payload, law, leap in packets:
        keys = ear.hear(payload, law, ssrc=7, timestamp=timestamp & 0xFFFFFFFF)
        assert set(keys) <= set("0123456789*#ABCD")
        timestamp += len(payload) + leap % 2
        assert len(ear._steps) <= KEPT_STEPS
        assert 0 <= ear._filled < STEP_SAMPLES
