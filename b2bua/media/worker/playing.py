"""What parties hear from us: sounds that the signalling process has loaded, paced by ticks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from b2bua.media.from_worker import PlayFinished, PlayStarted
from b2bua.media.to_worker import LoadSound, Play
from b2bua.media.worker.speaker import Speaker, Speakers
from codec.linear import TABLES
from codec.stream_coders import CLOCK_RATES, NARROW, make_stream_encoder
from ivr.player import Part, Player
from ivr.sound import PCMA_SILENCE, PCMU_SILENCE, SAMPLE_RATE, SAMPLES_PER_MS
from rtp.io.leg import Leg

PCMU: Final = 0

SLACK_S: Final = 0.005
"Half a tick: a packet goes out with the tick that is nearest to its time."

PTIMES_MS: Final = range(10, 61, 10)


class UnplayableError(Exception):
    """The sounds can't be played as asked."""


Encode = Callable[[bytes], bytes]
"From A-law to the payload of one packet."


@dataclass(slots=True)
class _Run:
    """A play on one leg."""

    play_id: int
    player: Player
    speaker: Speaker
    payload_type: int
    base_ts: int
    ticks: int
    "Of the timestamp, for each sample of the sound."
    kept: bool
    encode: Encode | None
    "None: the sound is what is sent."
    tick_at: float
    "When a tick has something to do, s."
    started: bool = False


class Playing:
    """All plays of a media worker, one per leg."""

    def __init__(self, speakers: Speakers, tell: Callable[[msgspec.Struct], None]) -> None:
        self._speakers = speakers
        self._tell = tell
        self._sounds: dict[str, LoadSound] = {}
        self._runs: dict[int, _Run] = {}

    @property
    def active(self) -> bool:
        """Whether ticks are needed."""
        return bool(self._runs)

    def load(self, sound: LoadSound) -> None:
        """Keep a sound."""
        self._sounds[sound.name] = sound

    def play(self, leg: Leg, message: Play, now: int) -> None:
        """Begin with the next tick; raises `UnplayableError` after having said so."""
        self.stop(leg.leg_id, now)
        try:
            player = self._player(message, now)
            encode, clock_rate = _encoding(message.codec)
        except UnplayableError:
            self._tell(PlayFinished(leg.leg_id, message.play_id, now / 1e9, 0, completed=False))
            raise
        speaker = self._speakers.take(leg, now, clock_rate)
        self._runs[leg.leg_id] = _Run(
            message.play_id,
            player,
            speaker,
            message.payload_type,
            speaker.timestamp_at(now),
            speaker.clock_rate // SAMPLE_RATE,
            message.kept,
            encode,
            tick_at=now / 1e9,
        )

    def stop(self, leg_id: int, now: int, play_id: int | None = None) -> None:
        """End the leg's play, or only the one named."""
        run = self._runs.get(leg_id)
        if run is not None and play_id in (None, run.play_id):
            self._finish(leg_id, run, now, completed=False)

    def heard(self, leg_id: int) -> tuple[int, int] | None:
        """Return the leg's play and how many ms of it have been sent."""
        run = self._runs.get(leg_id)
        return None if run is None else (run.play_id, run.player.played_ms)

    def legs(self, now: int) -> list[int]:
        """Return the legs that `tick` has something to do for: of each, every other tick."""
        now_s = now / 1e9
        return [leg_id for leg_id, run in self._runs.items() if run.tick_at <= now_s]

    def tick(self, leg_id: int, now: int) -> None:
        """Send what is due to one leg."""
        run = self._runs[leg_id]
        now_s = now / 1e9
        for octets, offset in run.player.due(now_s + SLACK_S):
            payload = octets if run.encode is None else run.encode(octets)
            run.speaker.say(
                payload,
                run.payload_type,
                run.base_ts + offset * run.ticks,
                marker=not run.started,
                length_ts=len(octets) * run.ticks if run.kept else 0,
            )
            if not run.started:
                run.started = True
                self._tell(PlayStarted(leg_id, run.play_id, now_s))
        # No slack here: the next source's timestamp is that of its time, and not to lie inside
        # of our last packet.
        finished, over_at = run.player.finished, run.player.over_at
        if finished and now_s >= over_at:
            self._finish(leg_id, run, now, completed=True)
        else:
            run.tick_at = over_at if finished else over_at - SLACK_S

    def _finish(self, leg_id: int, run: _Run, now: int, *, completed: bool) -> None:
        del self._runs[leg_id]
        self._speakers.leave(leg_id)
        self._tell(
            PlayFinished(leg_id, run.play_id, now / 1e9, run.player.played_ms, completed=completed)
        )

    def _player(self, message: Play, now: int) -> Player:
        if message.ptime_ms not in PTIMES_MS:
            raise UnplayableError(f"packets of {message.ptime_ms} ms")
        mulaw = message.payload_type == PCMU and not message.codec
        filler = PCMU_SILENCE if mulaw else PCMA_SILENCE
        parts = []
        for part in message.parts:
            if not part.sound:
                octets = bytes([filler]) * (part.silence_ms * SAMPLES_PER_MS)
            elif part.sound in self._sounds:
                sound = self._sounds[part.sound]
                octets = sound.pcmu if mulaw else sound.pcma
            else:
                raise UnplayableError(f"there is no sound {part.sound}")
            parts.append(Part(octets, loop=part.loop))
        if not any(part.octets for part in parts):
            raise UnplayableError("there is nothing to play")
        return Player(parts, start_at=now / 1e9, filler=filler, ptime_ms=message.ptime_ms)


def _encoding(codec: str) -> tuple[Encode | None, int]:
    """Return what makes packets of a sound, and the Hz of their timestamps.

    Nothing is known above 4 kHz: a wide codec carries it as it is.
    """
    if not codec:
        return None, SAMPLE_RATE
    try:
        encoder = make_stream_encoder(codec, NARROW)
    except (KeyError, ImportError, OSError) as error:
        raise UnplayableError(f"there is no {codec} to play in") from error
    linear = TABLES["PCMA"].decode
    return lambda octets: encoder.encode(linear(octets)), CLOCK_RATES[codec]
