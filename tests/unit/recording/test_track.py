"""Two clocks over an hour of virtual time, and what a track lets in."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.jitter_buffer import RATE, JitterBuffer, Packets
from recording import permit as permits
from recording.codecs import KEY, KEY_48, NOT_AUDIO, PCMA, PCMU, UNKNOWN
from recording.permit import Basis
from recording.spec import StreamFormat
from recording.track import Track, codec_table
from tests.support import audio

HOLD_BACK_S = 0.3
PTIME_S = 0.02
LENGTH = 160


def make_track(buffer: JitterBuffer) -> Track:
    permit = permits.grant(call_id="c", party_id="p", basis=Basis.OPT_IN, evidence_id="e", epoch=0)
    return Track(
        permit,
        recording_id=1,
        leg_id=1,
        side=0,
        formats=(StreamFormat(8, "PCMA", RATE),),
        buffer=buffer,
        origin_ns=0,
        base=0,
        floor=0,
    )


def alignment_errors(ppm: float, seconds: int, sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return in ms how far each packet lies from the instant at which it was spoken.

    The phone's clock is `ppm` slow; the network adds 3 ms of jitter on average.
    """
    random = np.random.default_rng(7)
    buffer = JitterBuffer(1)
    track = make_track(buffer)
    errors = []
    number = 0
    for second in range(1, seconds + 1):
        last = int((second + HOLD_BACK_S) / (PTIME_S * (1 + ppm * 1e-6)))
        numbers = np.arange(number, last)
        number = last
        spoken = (numbers + 1) * PTIME_S * (1 + ppm * 1e-6)
        arrivals = spoken + random.exponential(0.003, len(numbers))
        order = np.argsort(arrivals)
        numbers, spoken, arrivals = numbers[order], spoken[order], arrivals[order]
        rows = np.full(len(numbers), track.row, dtype=np.int64)
        packets = Packets(
            rows,
            (numbers * LENGTH).astype(np.uint32),
            np.full(len(numbers), 7, dtype=np.uint32),
            (arrivals * RATE).astype(np.int64),
            np.full(len(numbers), LENGTH, dtype=np.int64),
        )
        starts, good, _ = buffer.locate(packets)
        assert good.all()
        places = numbers * LENGTH % (len(sound) - LENGTH)
        buffer.write(rows, starts, sound[places[:, None] + np.arange(LENGTH)])
        errors.append((spoken * RATE - (starts + LENGTH)) / RATE * 1000)
        assert len(track.take(RATE)) == RATE
    return np.abs(np.concatenate(errors))


@pytest.mark.parametrize("ppm", [200.0, -200.0])
def test_an_hour_of_two_clocks_apart(ppm: float) -> None:
    errors = alignment_errors(ppm, 3600, audio.speech(60.0, seed=3))
    # Of each party, so that two that run apart stay within twice as much.
    assert np.percentile(errors, 99) <= 10.0
    assert errors.max() <= 20.0


@pytest.mark.parametrize("ppm", [10_100.0, -10_000.0])
def test_programs_that_keep_no_time_are_followed(ppm: float) -> None:
    errors = alignment_errors(ppm, 120, audio.speech(60.0, seed=3))
    assert np.percentile(errors, 99) <= 40.0


def test_without_drift_nothing_is_corrected() -> None:
    errors = alignment_errors(0.0, 60, audio.speech(60.0, seed=3))
    assert errors.max() <= 10.0


def test_codecs_by_payload_type() -> None:
    table = codec_table(
        (
            StreamFormat(0, "PCMU", 8000),
            StreamFormat(8, "pcma", 8000),
            StreamFormat(18, "G729", 8000),
            StreamFormat(96, "telephone-event", 8000),
            StreamFormat(13, "CN", 8000),
            StreamFormat(97, "PCMA", 16000),
            StreamFormat(98, "PCMU", 8000, 2),
        )
    )
    assert table[[0, 8, 18, 96, 13, 97, 98, 50]].tolist() == [
        *(PCMU, PCMA, UNKNOWN, NOT_AUDIO, NOT_AUDIO, UNKNOWN, UNKNOWN, UNKNOWN)
    ]


def test_keys_are_told_apart_by_their_clock() -> None:
    formats = (
        StreamFormat(96, "telephone-event", 8000),
        StreamFormat(97, "telephone-event", 48000),
        StreamFormat(98, "telephone-event", 16000),
        StreamFormat(13, "CN", 8000),
    )
    table = codec_table(formats, blank_dtmf=True)
    assert table[[96, 97, 98, 13]].tolist() == [KEY, KEY_48, NOT_AUDIO, NOT_AUDIO]
