"""Keys as tones, at the limits of ITU-T Q.24; and all the sound that is no key."""

import array
import math
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from codec.linear import TABLES, Law
from ivr.prompts import SHIPPED
from ivr.tone_keys import (
    HIGH_HZ,
    KEPT_STEPS,
    LOW_HZ,
    PAD,
    ToneKeys,
)
from ivr.tone_sender import PAUSE_MS, TONE_MS, ToneSender, tone_of
from ivr.tones import FULL_SCALE_DBM0
from ivr.wav import read_wav
from tests.support import peers

KEYS = "".join(PAD)
LAWS: tuple[Law, ...] = ("PCMA", "PCMU")

Sound = list[float]


def peak(dbm0: float) -> float:
    return 32768 * 10 ** ((dbm0 - FULL_SCALE_DBM0) / 20)


def tone(
    key: str,
    ms: float,
    *,
    off: tuple[float, float] = (0.0, 0.0),
    dbm0: tuple[float, float] = (-10.0, -10.0),
    phase: float = 0.0,
) -> Sound:
    row = next(row for row in range(4) if key in PAD[row])
    pair = (LOW_HZ[row], HIGH_HZ[PAD[row].index(key)])
    turns = [2 * math.pi * hz * (1 + by) / 8000 for hz, by in zip(pair, off, strict=True)]
    return [
        sum(
            peak(level) * math.sin(turn * n + phase)
            for turn, level in zip(turns, dbm0, strict=True)
        )
        for n in range(round(8 * ms))
    ]


def silence(ms: float) -> Sound:
    return [0.0] * round(8 * ms)


def octets(sound: Iterable[float], law: Law) -> bytes:
    samples = array.array("h", (max(-32768, min(32767, round(sample))) for sample in sound))
    return TABLES[law].encode(samples.tobytes())


def heard(coded: bytes, law: Law, *, packet: int = 160) -> str:
    ear = ToneKeys()
    return "".join(
        ear.hear(coded[at : at + packet], law, ssrc=1, timestamp=at)
        for at in range(0, len(coded), packet)
    )


def all_keys(
    dice: random.Random,
    ms: float,
    pause: float,
    off: tuple[float, float],
    dbm0: tuple[float, float],
) -> Sound:
    """Every key once, from anywhere within a packet and at any phase."""
    sound = silence(dice.random() * 50)
    for key in KEYS:
        sound += tone(key, ms, off=off, dbm0=dbm0, phase=6 * dice.random()) + silence(pause)
    return sound + silence(60)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    ("ms", "pause", "off", "dbm0", "wanted"),
    [
        (100, 80, (0, 0), (-10, -10), KEYS),
        (40, 40, (0, 0), (-10, -10), KEYS),  # the shortest that has to be taken
        (40, 30, (0, 0), (-10, -10), KEYS),
        (24, 60, (0, 0), (-10, -10), ""),  # the longest that must not be
        (45, 40, (0.018, 0.018), (-10, -10), KEYS),
        (45, 40, (-0.018, 0.018), (-10, -10), KEYS),
        (45, 40, (0.018, -0.018), (-10, -10), KEYS),
        (45, 40, (-0.018, -0.018), (-10, -10), KEYS),
        (45, 40, (0.03, 0.0), (-10, -10), ""),
        (45, 40, (0.0, -0.03), (-10, -10), ""),
        (45, 40, (-0.035, 0.035), (-10, -10), ""),
        (45, 40, (0, 0), (-10, -5), KEYS),
        (45, 40, (0, 0), (-6, -14), KEYS),
        (45, 40, (0, 0), (-12, -3), ""),
        (45, 40, (0, 0), (-2, -14), ""),
        (45, 40, (0, 0), (0, 0), KEYS),
        (45, 40, (0, 0), (-25, -25), KEYS),
        (45, 40, (0, 0), (-17, -25), KEYS),
        (45, 40, (0, 0), (-31, -31), ""),
    ],
)
def test_the_limits_of_q24(  # noqa: PLR0917 - a table
    law: Law,
    ms: float,
    pause: float,
    off: tuple[float, float],
    dbm0: tuple[float, float],
    wanted: str,
) -> None:
    dice = random.Random(f"{law}{ms}{off}{dbm0}")
    for packet in (160, 80, 50):
        sound = all_keys(dice, ms, pause, off, dbm0)
        assert heard(octets(sound, law), law, packet=packet) == wanted


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("snr_db", [24.0, 15.0])
def test_keys_in_noise(law: Law, snr_db: float) -> None:
    dice = random.Random(f"{law}{snr_db}")
    level = math.sqrt(peak(-10) ** 2 / 10 ** (snr_db / 10))
    sound = all_keys(dice, 50, 50, (0, 0), (-10, -10))
    noisy = (sample + dice.gauss(0, level) for sample in sound)
    assert heard(octets(noisy, law), law) == KEYS


def test_an_interruption_of_10_ms_is_no_second_press() -> None:
    dice = random.Random(10)
    for key in KEYS:
        sound = silence(dice.random() * 50) + tone(key, 100, phase=6 * dice.random())
        hole = len(sound) - dice.randrange(400, 560)
        sound[hole : hole + 80] = silence(10)
        assert heard(octets(sound + silence(60), "PCMA"), "PCMA") == key


def test_a_key_without_a_pause_before_the_next_one() -> None:
    sound = tone("1", 60) + tone("2", 60) + silence(60)
    assert heard(octets(sound, "PCMU"), "PCMU") == "12"


@pytest.mark.parametrize("hz", [697, 1209, 425, 440, 1000, 1400, 2100, 50])
def test_a_single_tone_is_no_key(hz: int) -> None:
    sound = [peak(-8) * math.sin(2 * math.pi * hz * n / 8000) for n in range(8000)]
    assert heard(octets(sound, "PCMA"), "PCMA") == ""


@pytest.mark.parametrize("law", LAWS)
def test_noise_is_no_key(law: Law) -> None:
    dice = random.Random(law)
    for level in (300, 3000, 12000):
        assert heard(octets((dice.gauss(0, level) for _ in range(40_000)), law), law) == ""


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/*.wav")), ids=lambda path: path.stem)
def test_what_we_say_ourselves_is_no_key(path: Path) -> None:
    wav = read_wav(path.read_bytes())
    assert (wav.rate, wav.channels, wav.width) == (8000, 1, 2)
    assert heard(TABLES["PCMA"].encode(wav.data), "PCMA") == ""


SPEECH = (
    "Guten Tag, bitte nennen Sie mir Ihre Kundennummer: sieben, acht, neun, zehn. Oh, uh, ii, aah.",
    "You you you, who are you? Oh, we will see: one two three four five six seven eight nine ten.",
)


@pytest.mark.parametrize("voice", ["de", "de+f2", "en", "en+m7"])
@pytest.mark.parametrize("pitch", ["20", "90"])
def test_speech_is_no_key(voice: str, pitch: str) -> None:
    peers.require("espeak-ng")
    said = SPEECH[0] if voice.startswith("de") else SPEECH[1]
    command = ["espeak-ng", "-v", voice, "-p", pitch, "-s", "130", "--stdout", said]
    made = subprocess.run(command, capture_output=True, check=True).stdout[44:]
    pcm = array.array("h", made[: len(made) // 2 * 2])
    step = 22050 / 8000
    places = [int(n * step) for n in range(int(len(pcm) / step) - 3)]
    sound = [sum(pcm[at : at + 3]) / 3 for at in places]
    assert len(sound) > 3 * 8000
    for law in LAWS:
        assert heard(octets(sound, law), law) == ""


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("key", KEYS)
def test_our_own_tones_are_heard_as_what_they_are(key: str, law: Law) -> None:
    coded = tone_of(key, law)
    assert len(coded) == 8 * (TONE_MS + PAUSE_MS)
    assert heard(coded * 2, law) == 2 * key


def test_a_gap_begins_anew() -> None:
    coded = octets(tone("7", 200), "PCMA")
    ear = ToneKeys()
    keys = [
        ear.hear(coded[at : at + 160], "PCMA", ssrc=1, timestamp=at + 1000 * number)
        for number, at in enumerate(range(0, len(coded), 160))
    ]
    assert "".join(keys) == "", "packets that don't follow each other are no tone of 35 ms"


def test_nothing_of_the_sound_is_kept() -> None:
    ear = ToneKeys()
    for at in range(0, 80_000, 160):
        ear.hear(octets(tone("5", 20), "PCMA"), "PCMA", ssrc=1, timestamp=at)
    assert len(ear._steps) == KEPT_STEPS
    assert all(len(step.filters) == len(LOW_HZ) + len(HIGH_HZ) for step in ear._steps)
    kept = sum(len(getattr(ear, name)) for name in ("_real", "_imaginary", "_phases"))
    assert kept == 3 * 8


def test_keys_are_sent_in_packets_of_20_ms_one_after_the_other() -> None:
    sender = ToneSender("PCMA")
    sender.queue("12", 5.0)
    sender.queue("x", 5.0)
    packets = [(now, packet) for now in range(50) for packet in sender.due(5.0 + now / 100)]
    assert not sender.busy
    assert [packet.offset_ts for _, packet in packets] == list(range(0, 18 * 160, 160))
    assert [now for now, _ in packets] == list(range(0, 36, 2))
    assert [packet.marker for _, packet in packets] == [True] + [False] * 17
    assert heard(b"".join(packet.payload for _, packet in packets), "PCMA") == "12"
    sender.queue("3", 9.0)
    assert sender.due(9.0)[0].offset_ts == 0


def test_more_keys_than_anybody_presses_are_dropped() -> None:
    sender = ToneSender("PCMU")
    sender.queue("1" * 1000, 0.0)
    assert len(sender.due(1e6)) == 64 * 9
