"""The real media worker and keys that come as tones, as INFO, and in two ways at once."""

import pytest

from b2bua.media.from_worker import CodeReceived, DigitReceived, KeysDue
from b2bua.media.to_worker import CollectDigits, PressKeys, Route, SendDigits, SetRemote
from codec.linear import Law
from ivr.digits import KEYS
from ivr.key_pad import Way
from ivr.tone_keys import ToneKeys
from ivr.tone_sender import tone_of
from tests.unit.b2bua.media_rig import (
    HOST,
    Packet,
    Phone,
    Worker,
    assert_gapless,
    events,
    hear_until,
    press,
)

LAWS: dict[int, Law] = {0: "PCMU", 8: "PCMA"}
BOTH_LAWS = Route({0: 0, 8: 8, 101: 101}, {})
SOUND_ALONE = Route({0: 0, 8: 8}, {})
LAST = b"z" * 160


def sound(phone: Phone, port: int, key: str, *, payload_type: int = 8) -> list[bytes]:
    """Press a key as a tone; returns what was sent."""
    coded = tone_of(key, LAWS[payload_type])
    packets = [coded[at : at + 160] for at in range(0, len(coded), 160)]
    for packet in packets:
        phone.say(port, packet, payload_type=payload_type)
    return packets


def bridged(
    worker: Worker, listening: CollectDigits, route: Route = BOTH_LAWS
) -> tuple[Phone, int, Phone]:
    alice, port, bob, _ = worker.call(route, route)
    worker.send(listening)
    worker.barrier()
    alice.say(port)
    bob.hear()
    return alice, port, bob


def in_law(payloads: list[bytes], law: Law) -> str:
    ear = ToneKeys()
    return "".join(
        ear.hear(payload, law, ssrc=1, timestamp=160 * number)
        for number, payload in enumerate(payloads)
    )


@pytest.mark.parametrize("payload_type", [8, 0])
def test_a_tone_is_a_key_and_passes_as_it_is(worker: Worker, payload_type: int) -> None:
    alice, port, bob = bridged(worker, CollectDigits(1, (101,), in_band=LAWS))
    said = sound(alice, port, "5", payload_type=payload_type)
    alice.say(port, LAST)
    heard = hear_until(bob, LAST)
    assert [data for _, data in heard[:-1]] == said
    assert {header.payload_type for header, _ in heard[:-1]} == {payload_type}
    assert_gapless(heard)
    digit = worker.expect(DigitReceived)
    assert (digit.key, digit.way, digit.withheld) == ("5", Way.IN_BAND, False)
    assert digit.ssrc == alice.ssrc
    assert worker.expect(KeysDue) == KeysDue(1, "5", in_band=True)
    worker.barrier()
    assert not [m for m in worker.inbox if isinstance(m, DigitReceived | KeysDue)]


def test_nobody_listens_to_the_sound_unless_asked(worker: Worker) -> None:
    alice, port, bob = bridged(worker, CollectDigits(1, (101,)))
    sound(alice, port, "5")
    alice.say(port, LAST)
    hear_until(bob, LAST)
    worker.send(CollectDigits(1, (), in_band=LAWS), CollectDigits(1, ()))
    worker.barrier()
    sound(alice, port, "6")
    alice.say(port, LAST)
    hear_until(bob, LAST)
    worker.barrier()
    assert not [m for m in worker.inbox if isinstance(m, DigitReceived)]


def test_a_tone_into_our_prompt_is_heard_before_there_is_anybody_else(worker: Worker) -> None:
    alice = worker.phone(11)
    port = worker.leg(1)
    worker.send(SetRemote(1, HOST, alice.port), CollectDigits(1, (), in_band=LAWS, forward=False))
    worker.barrier()
    sound(alice, port, "1")
    digit = worker.expect(DigitReceived)
    assert (digit.key, digit.withheld) == ("1", True)
    worker.barrier()
    assert not [m for m in worker.inbox if isinstance(m, KeysDue)]


def test_star_codes_by_tones_are_off_unless_switched_on(worker: Worker) -> None:
    alice, port, bob = bridged(worker, CollectDigits(1, (101,), codes=("*1",), in_band=LAWS))
    for key in "*1":
        sound(alice, port, key)
    assert [worker.expect(KeysDue).keys for _ in range(2)] == ["*", "1"]
    worker.send(CollectDigits(1, (101,), codes=("*1",), in_band=LAWS, in_band_codes=True))
    worker.barrier()
    assert not [m for m in worker.inbox if isinstance(m, CodeReceived)]
    for key in "*1":
        sound(alice, port, key)
    assert worker.expect(CodeReceived).code == "*1"
    alice.say(port, LAST)
    assert len(hear_until(bob, LAST)) == 4 * 9 + 1, "tones can't be taken back"


def test_a_key_as_event_and_as_tone_counts_once(worker: Worker) -> None:
    alice, port, bob = bridged(worker, CollectDigits(1, (101,), in_band=LAWS))
    press(alice, port, "5")
    sound(alice, port, "5")
    press(alice, port, "6")
    alice.say(port, LAST)
    assert events(hear_until(bob, LAST)) == "56"
    assert [worker.expect(DigitReceived).key for _ in range(2)] == ["5", "6"]
    worker.barrier()
    assert not [m for m in worker.inbox if isinstance(m, DigitReceived | KeysDue)]


def test_a_key_as_info_and_as_event_counts_once_whichever_is_first(worker: Worker) -> None:
    alice, port, bob = bridged(worker, CollectDigits(1, (101,)))
    worker.send(PressKeys(1, "5"))
    assert worker.expect(DigitReceived).way is Way.INFO
    assert worker.expect(KeysDue) == KeysDue(1, "5", in_band=False)
    press(alice, port, "5")  # its packets must not pass: the key is on its way already
    press(alice, port, "7")
    digit = worker.expect(DigitReceived)
    assert (digit.key, digit.way) == ("7", Way.RFC4733)
    worker.send(PressKeys(1, "7"))
    alice.say(port, LAST)
    heard = hear_until(bob, LAST)
    assert events(heard) == "7"
    assert_gapless(heard)
    worker.barrier()
    assert not [m for m in worker.inbox if isinstance(m, DigitReceived | KeysDue)]


def test_a_code_as_info_is_dialled_and_goes_no_further(worker: Worker) -> None:
    _, _, bob = bridged(worker, CollectDigits(1, (101,), codes=("*1",)))
    worker.send(PressKeys(1, "*"), PressKeys(1, "1"), PressKeys(1, "*"))
    assert worker.expect(CodeReceived).code == "*1"
    header, data = bob.hear()  # a second later it was no code
    assert (header.payload_type, KEYS[data[0]]) == (101, "*")


def test_a_leg_that_nobody_listens_to_takes_info_all_the_same(worker: Worker) -> None:
    worker.call()
    worker.send(PressKeys(2, "9"))
    assert worker.expect(KeysDue) == KeysDue(2, "9", in_band=False)


def test_events_that_the_other_side_does_not_know_are_due_in_another_way(worker: Worker) -> None:
    listening = CollectDigits(1, (101,), codes=("*1",))
    alice, port, bob = bridged(worker, listening, SOUND_ALONE)
    press(alice, port, "5")
    press(alice, port, "*")
    press(alice, port, "7")
    alice.say(port, LAST)
    heard = hear_until(bob, LAST)
    assert [header.payload_type for header, _ in heard] == [8]
    assert_gapless(heard)
    assert [worker.expect(KeysDue).keys for _ in range(2)] == ["5", "*7"]


@pytest.mark.parametrize(("payload_type", "law"), [(8, "PCMA"), (0, "PCMU")])
def test_keys_are_sent_as_tones_in_the_place_of_what_the_other_says(
    worker: Worker, payload_type: int, law: Law
) -> None:
    alice, port, bob, _ = worker.call(BOTH_LAWS, BOTH_LAWS)
    alice.say(port)
    first = bob.hear()
    worker.send(SendDigits(2, "12", payload_type, law), SendDigits(2, "3", payload_type, law))
    heard: list[Packet] = [first, *(bob.hear() for _ in range(27))]
    assert in_law([data for _, data in heard[1:]], law) == "123"
    assert {header.payload_type for header, _ in heard[1:]} == {payload_type}
    assert_gapless(heard)
    assert bob.hears_nothing()
    worker.barrier()
    alice.say(port, LAST)
    assert bob.hear()[1] == LAST


def test_a_party_that_is_parted_gets_nothing(worker: Worker) -> None:
    alice = worker.phone(11)
    port = worker.leg(1)
    worker.send(SetRemote(1, HOST, alice.port), CollectDigits(1, (101,)))
    worker.barrier()
    press(alice, port, "5")
    worker.expect(DigitReceived)
    worker.barrier()
    assert not [m for m in worker.inbox if isinstance(m, KeysDue)]
