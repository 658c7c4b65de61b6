"""How a recording sounds, by a listening model: `python -m bench.quality`.

The committed speech (the demo's parties and the announcements) goes as A-law packets through
the recorder as it is (ring, jitter buffer, concealment, mix, LAME) in virtual time, some of
the packets lost by a seeded chance. The MP3 is decoded and held against what was spoken: PESQ
narrow-band (ITU-T P.862 as MOS-LQO) and STOI, the mean of pieces of 8 s. Needs `pesq`,
`pystoi` and `scipy` (requirements/bench.txt).
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Final
from unittest import mock

import numpy as np
import soundfile
from numpy.typing import NDArray

from bench import alaw, report
from bench.mixer import PCMA, START_NS, STATE_OCTETS, TICK_NS, Clock
from mixer.gaps import Concealer
from mixer.jitter_buffer import UNWRITTEN
from recording import permit
from recording.encoder import ENCODER_DELAY_SAMPLES, Encoder
from recording.folder import Folder
from recording.spec import RecordingSpec, TapSpec, encode_tap
from recording.worker import RecordingWorker
from recording.writer_pool import WriterPool
from rtp.ring import Kind, RingLayout, RingWriter, initialise

RATE: Final = 8000
PACKET: Final = 160
PIECE: Final = 8 * RATE
SEED: Final = 862
SPEECH: Final = ("b2bua/demo/speech", "ivr/prompts/de", "ivr/prompts/en")
ROOT: Final = Path(__file__).resolve().parents[1]

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One recording."""

    loss_pct: float = 0.0
    concealed: bool = True
    "False: silence where a packet was lost."
    quality: int = 7
    kbit: int = 24
    rate: int = 8000
    "Of the file, Hz."
    mixed: int = 8000
    "Of the sum, Hz."
    channels: int = 1
    both: bool = False
    "Both parties speak all the time; else piece by piece in turns."


class SilenceFiller(Concealer):
    """What concealment is compared with."""

    def conceal(self, raw: Pcm, *, last: bool = False) -> Pcm:  # noqa: ARG002 - of its parent
        """Return `raw` with silence where no packet came."""
        return np.where(raw == UNWRITTEN, np.int16(0), raw)


@cache
def material(pieces: int) -> Pcm:
    """All committed speech, one after the other, shape (pieces, PIECE)."""
    files = [file for folder in SPEECH for file in sorted((ROOT / folder).glob("*.wav"))]
    spoken = [soundfile.read(file, dtype="int16")[0] for file in files]
    pause = np.zeros(RATE // 4, dtype=np.int16)
    joined = np.concatenate([part for each in spoken for part in (each, pause)])
    return np.resize(joined, pieces * PIECE).reshape(pieces, PIECE)


def said(case: Case, pieces: int) -> Pcm:
    """What each party says, shape (2, pieces, PIECE); at half level, so that no sum is cut off."""
    words = material(pieces) // 2
    if case.both:
        return np.stack([words, np.roll(words, pieces // 2, axis=0)])
    turn = (np.arange(pieces) % 2)[:, np.newaxis]
    return np.stack([np.where(turn == 0, words, 0), np.where(turn == 1, words, 0)]).astype(np.int16)


def record(case: Case, parties: Pcm, folder: Path) -> tuple[Pcm, float]:
    """Return the file at 8 kHz, shape (n, channels), and the encoder's CPU ms per audio second."""
    layout = RingLayout.for_calls(1)
    memory = memoryview(bytearray(layout.size))
    initialise(memory, layout)
    clock, pool = Clock(), WriterPool()
    with ExitStack() as stack:
        stack.callback(pool.close, 10.0)
        encoder = partial(Encoder, bit_rate_kbps=case.kbit)
        stack.enter_context(mock.patch("recording.factory.Encoder", encoder))
        if not case.concealed:
            stack.enter_context(mock.patch("recording.track.Concealer", SilenceFiller))
        worker = RecordingWorker(
            [memory],
            memoryview(bytearray(STATE_OCTETS)),
            folder=Folder(folder),
            writers=pool,
            quality=case.quality,
            on_event=lambda _: None,
            encoder_threads=0,
            clock_ns=clock,
        )
        worker.start()
        _play(case, parties, RingWriter(memory), worker, clock)
        while not worker.idle:
            worker.tick(clock.now_ns)
        lame_s = worker.counters()["encoder_s"]
        worker.close()
    (path,) = folder.rglob("*.mp3")
    decoded, _ = soundfile.read(path, dtype="int16", always_2d=True)
    path.unlink()
    heard = _at_8_khz(decoded[ENCODER_DELAY_SAMPLES:], case.rate)
    return heard, 1000 * lame_s / (parties[0].size / RATE)


def _at_8_khz(decoded: Pcm, rate: int) -> Pcm:
    if rate == RATE:
        return decoded
    from scipy.signal import resample_poly  # noqa: PLC0415 - only who runs the bench needs it

    halved = resample_poly(decoded.astype(np.float64), RATE, rate, axis=0)
    narrow: Pcm = np.clip(np.rint(halved), -32768, 32767).astype(np.int16)
    return narrow


def _play(
    case: Case, parties: Pcm, writer: RingWriter, worker: RecordingWorker, clock: Clock
) -> None:
    """Open both taps, bring the packets that were not lost, and stop."""
    _open_taps(case, writer)
    payloads = [alaw.encode(each.reshape(-1, PACKET)) for each in parties]
    lost = np.random.default_rng(SEED).random((2, len(payloads[0]))) < case.loss_pct / 100
    # The first ones tell where the streams lie.
    lost[:, :2] = False
    for number in range(len(payloads[0])):
        clock.now_ns += TICK_NS
        for leg in (0, 1):
            if not lost[leg, number]:
                header = bytes((0x80, 8)) + (number & 0xFFFF).to_bytes(2, "big")
                header += (number * PACKET).to_bytes(4, "big") + leg.to_bytes(4, "big")
                packet = header + payloads[leg][number].tobytes()
                writer.packet(packet, len(packet), leg, clock.now_ns)
        worker.tick(clock.now_ns)
    writer.mark(Kind.STOPPED, 0, clock.now_ns, (1).to_bytes(4, "little"))
    for _ in range(3):
        clock.now_ns += TICK_NS
        worker.tick(clock.now_ns)


def _open_taps(case: Case, writer: RingWriter) -> None:
    spec = RecordingSpec(
        recording_id=1,
        relative_path="quality.mp3",
        started_at=1.7e9,
        started_mono=START_NS / 1e9,
        sample_rate=case.rate,
        mix_rate=case.mixed,
        channels=case.channels,
    )
    for leg in (0, 1):
        allowed = permit.grant(
            call_id="1", party_id=str(leg), basis=permit.Basis.OPT_IN, evidence_id="bench", epoch=0
        )
        tap = TapSpec(
            recording=spec, leg_id=leg, side=leg, formats=PCMA, permit=permit.encode(allowed)
        )
        writer.mark(Kind.TAP_OPENED, leg, START_NS, encode_tap(tap))


def pairs(case: Case, parties: Pcm, decoded: Pcm) -> Iterator[tuple[Pcm, Pcm]]:
    """Pieces as they were spoken and as they are in the file, where somebody speaks."""
    spoken = parties if case.channels == 2 else parties.sum(axis=0, dtype=np.int16)[np.newaxis]
    for side, pieces in enumerate(spoken):
        for number, piece in enumerate(pieces):
            heard = decoded[number * PIECE : (number + 1) * PIECE, side]
            if piece.any():
                yield piece[: len(heard)], heard


def crosstalk_db(parties: Pcm, decoded: Pcm) -> float:
    """How much quieter the silent side is than the speaking one, of the worst turn."""
    apart = []
    for number in range(parties.shape[1]):
        piece = decoded[number * PIECE : (number + 1) * PIECE].astype(np.float64)
        powers = np.mean(piece**2, axis=0) + 1e-3
        apart.append(10 * np.log10(powers[number % 2] / powers[1 - number % 2]))
    return round(float(min(apart)), 1)


def measure(case: Case, pieces: int, folder: Path) -> report.Figures:
    from pesq import pesq  # noqa: PLC0415 - only who runs the bench needs them
    from pystoi import stoi  # noqa: PLC0415

    parties = said(case, pieces)
    decoded, lame_ms = record(case, parties, folder)
    judged = list(pairs(case, parties, decoded))
    marks = [pesq(RATE, one, other, "nb") for one, other in judged]
    clear = [stoi(one, other, RATE) for one, other in judged]
    stereo = case.channels == 2
    return {
        "loss_pct": case.loss_pct,
        "lost_is": "concealed" if case.concealed else "silence",
        "quality": case.quality,
        "khz": case.rate // 1000,
        "kbit": case.kbit,
        "channels": "stereo" if stereo else "mono",
        "speaking": "both at once" if case.both else "in turns",
        "pesq_nb": round(float(np.mean(marks)), 3),
        "pesq_nb_worst": round(float(min(marks)), 3),
        "stoi": round(float(np.mean(clear)), 4),
        "lame_ms_per_audio_s": round(lame_ms, 3),
        "apart_db": crosstalk_db(parties, decoded) if stereo and not case.both else None,
    }


def cases() -> list[Case]:
    """Each question with few settings changed at a time."""
    plain, wide, fine = Case(), Case(rate=16000, mixed=16000), Case(rate=24000)
    losses = [
        replace(each, loss_pct=loss, concealed=concealed)
        for each in (plain, wide, fine)
        for loss in (1.0, 3.0, 5.0, 10.0)
        for concealed in (True, False)
    ]
    qualities = [replace(plain, quality=quality) for quality in (0, 2, 3, 5, 9)]
    qualities += [replace(wide, quality=quality) for quality in (2, 5, 9)]
    rates = [replace(each, kbit=kbit) for each in (plain, wide) for kbit in (16, 32)]
    sides = [
        replace(each, channels=channels, both=both)
        for each in (plain, wide, fine)
        for both in (False, True)
        for channels in (1, 2)
    ]
    return list(dict.fromkeys((plain, wide, fine, *losses, *qualities, *rates, *sides)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pieces", type=int, default=6, help="of 8 s each")
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args(arguments)
    with report.scratch() as folder:
        rows = [measure(case, options.pieces, folder) for case in cases()]
    if not options.json:
        report.table(rows)
    return report.show({"bench": "quality", "cases": rows}, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
