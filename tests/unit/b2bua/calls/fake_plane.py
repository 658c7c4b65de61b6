"""A media plane without processes: keeps what media workers would be told, and plays in time."""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from b2bua.media.from_recorder import RecordingClosed
from b2bua.media.from_worker import (
    CodeReceived,
    DigitReceived,
    FirstPacket,
    KeysDue,
    MediaTimeout,
    PlayFinished,
    PlayStarted,
)
from b2bua.media.leg import LegEvent, MediaLeg
from b2bua.media.lending import NoPortError
from b2bua.media.members import OpenRecording
from b2bua.media.placement import RecorderBusyError
from b2bua.media.to_worker import (
    Bridge,
    CollectDigits,
    LoadSound,
    OpenTap,
    Play,
    PressKeys,
    StopPlay,
    Unbridge,
)
from ivr.key_pad import KeyPad, Way
from sip.address import HostPort

M = TypeVar("M")


@dataclass
class Playing:
    """What a leg hears."""

    play_id: int
    started_at: float
    ends: asyncio.TimerHandle | None


@dataclass
class RecordingAsked:
    """`new_recording` was called: stands among the messages, at its place in time."""

    recording: OpenRecording


@dataclass
class RecordingStopped:
    recording: OpenRecording


class FakePlane:
    """Stands for `b2bua.media.plane.MediaPlane`."""

    def __init__(self, sounds: Iterable[LoadSound]) -> None:
        self._ms = {sound.name: len(sound.pcma) // 8 for sound in sounds}
        self._ids = itertools.count(1)
        self._recording_ids = itertools.count(1)
        self._playing: dict[int, Playing] = {}
        self._opened_at: dict[int, float] = {}
        self._pads: dict[int, KeyPad] = {}
        self._forwards: dict[int, bool] = {}
        self._joined: set[int] = set()
        self.sent: list[object] = []
        "Messages to media workers, recordings asked for and stopped, in order."
        self.lent: dict[int, MediaLeg] = {}
        self.ports = 1000
        "Legs that can still be lent."
        self.transcodes = 1000
        "Calls that may be transcoded at a time."
        self.transcoded: set[int] = set()
        self.failure: str | None = None
        "Of every recording that ends from now on."
        self.undecoded: tuple[str, ...] = ()
        "Codecs that the recorder could not decode, the same."
        self.began: dict[int, float] = {}
        "When each leg began to hear something of us first."
        self.on_recording: Callable[[], None] = lambda: None
        "Called when a recording is about to begin."
        self.silent = False
        "The worker plays, but tells nothing of it."
        self.busy = False
        "No recorder takes a new recording."
        self.answers_after: float | None = 0.3
        "Seconds from a stop to its result; 0: at once, None: never."

    # --- the plane's side

    async def lend(self, host: str, *, beside: MediaLeg | None = None) -> MediaLeg:
        del beside
        await asyncio.sleep(0)
        if self.ports == 0:
            raise NoPortError("no port is free")
        self.ports -= 1
        leg_id = next(self._ids)
        leg = MediaLeg(self, leg_id, 0, 1, HostPort(host, 20000 + 2 * leg_id))
        self.lent[leg_id] = leg
        return leg

    async def lend_two(self, host: str) -> tuple[MediaLeg, MediaLeg]:
        first = await self.lend(host)
        try:
            return first, await self.lend(host)
        except NoPortError:
            first.release()
            raise

    def admit_transcoding(self, leg: MediaLeg, *, wanted: bool) -> bool:
        if not wanted:
            self.transcoded.discard(leg.leg_id)
        elif leg.leg_id not in self.transcoded:
            if len(self.transcoded) >= self.transcodes:
                return False
            self.transcoded.add(leg.leg_id)
        return True

    def release(self, leg: MediaLeg) -> None:
        self.transcoded.discard(leg.leg_id)
        self._end_play(leg)
        if self.lent.pop(leg.leg_id, None) is not None:
            self.ports += 1
        leg.let_go()

    def to_worker(self, leg: MediaLeg, message: object) -> None:
        if leg.leg_id not in self.lent:
            return
        self.sent.append(message)
        match message:
            case Bridge(one, other):
                self._joined |= {one, other}
            case Unbridge(one, other):
                self._joined -= {one, other}
            case CollectDigits():
                before = self._pads.get(leg.leg_id, KeyPad())
                self._pads[leg.leg_id] = before.with_codes(
                    message.codes, in_band_codes=message.in_band_codes
                )
                self._forwards[leg.leg_id] = message.forward
            case PressKeys():
                for key in message.keys:
                    self.press(leg.leg_id, key, Way.INFO)
        if isinstance(message, Play):
            self._play(leg, message)
        elif isinstance(message, StopPlay) and self._is_played(leg, message.play_id):
            self._end_play(leg)

    def new_recording(self, leg: MediaLeg, relative_path: str) -> OpenRecording:
        if self.busy:
            raise RecorderBusyError("busy")
        self.on_recording()
        loop = asyncio.get_running_loop()
        recording = OpenRecording(
            next(self._recording_ids), 0, leg.worker, relative_path, loop.create_future()
        )
        self._opened_at[recording.recording_id] = loop.time()
        self.sent.append(RecordingAsked(recording))
        return recording

    def stop_recording(self, recording: OpenRecording) -> None:
        self.sent.append(RecordingStopped(recording))
        loop = asyncio.get_running_loop()
        seconds = loop.time() - self._opened_at[recording.recording_id]
        result = RecordingClosed(
            recording.recording_id,
            recording.relative_path,
            seconds,
            octets=int(3000 * seconds),
            sha256="ab" * 32,
            channels=1,
            failure=self.failure,
            undecoded=self.undecoded,
        )
        if self.answers_after:
            loop.call_later(self.answers_after, recording.result.set_result, result)
        elif self.answers_after is not None:
            recording.result.set_result(result)

    # --- the test's side

    def of(self, kind: type[M]) -> list[M]:
        return [message for message in self.sent if isinstance(message, kind)]

    def heard(self, leg_id: int) -> list[str]:
        """The names of all that a leg was to hear from us, in order."""
        return [
            part.sound
            for play in self.of(Play)
            if play.leg_id == leg_id
            for part in play.parts
            if part.sound
        ]

    def hears(self, leg_id: int) -> bool:
        """Whether a leg hears us at this moment."""
        return leg_id in self._playing

    @property
    def recorded(self) -> bool:
        """Whether anything was recorded, or prepared to be."""
        return bool(self.of(OpenTap) or self.of(RecordingAsked))

    def tell(self, leg_id: int, event: LegEvent) -> None:
        leg = self.lent.get(leg_id)
        if leg is not None and leg.on_event is not None:
            leg.on_event(event)

    def packet(self, leg_id: int) -> None:
        self.tell(leg_id, FirstPacket(leg_id, asyncio.get_running_loop().time()))

    def fall_silent(self, leg_id: int) -> None:
        self.tell(leg_id, MediaTimeout(leg_id, 60.0))

    def press(self, leg_id: int, key: str, way: Way = Way.RFC4733) -> None:
        """Press a key, in any way, as the worker tells of it; events need no help to pass."""
        loop = asyncio.get_running_loop()
        pad = self._pads.setdefault(leg_id, KeyPad())
        ruling = pad.press(key, way, loop.time())
        if ruling is None:
            return
        passes = self._forwards.get(leg_id, True) and not ruling.withheld
        self._tell_of(leg_id, key, way, withheld=not passes)
        if ruling.code:
            self.tell(leg_id, CodeReceived(leg_id, ruling.code, loop.time()))
        due = ruling.replay + (key if passes and way is not Way.RFC4733 else "")
        self._due(leg_id, due, way)
        timeout = pad.next_timeout()
        if timeout is not None:
            late = timeout + 0.001
            loop.call_at(late, lambda: self._due(leg_id, pad.handle_timeout(late), way))

    def _due(self, leg_id: int, keys: str, way: Way) -> None:
        if keys and leg_id in self._joined and self._forwards.get(leg_id, True):
            self.tell(leg_id, KeysDue(leg_id, keys, in_band=way is Way.IN_BAND))

    def _tell_of(self, leg_id: int, key: str, way: Way, *, withheld: bool) -> None:
        now = asyncio.get_running_loop().time()
        playing = self._playing.get(leg_id)
        told = way is not Way.INFO
        self.tell(
            leg_id,
            DigitReceived(
                leg_id=leg_id,
                key=key,
                at=now,
                ssrc=0xABCD if told else None,
                timestamp=8000 if told else None,
                withheld=withheld,
                play_id=playing.play_id if playing else None,
                played_ms=int((now - playing.started_at) * 1000) if playing else None,
                way=way,
            ),
        )

    def dial_code(self, leg_id: int, code: str = "*1") -> None:
        """Dial a star code in the call, as the worker tells of it."""
        for key in code:
            self._tell_of(leg_id, key, Way.RFC4733, withheld=True)
        self.tell(leg_id, CodeReceived(leg_id, code, asyncio.get_running_loop().time()))

    def die(self) -> None:
        """The media worker is killed."""
        legs, self.lent = list(self.lent.values()), {}
        self.ports += len(legs)
        for leg in legs:
            leg.let_go()
            if leg.on_lost is not None:
                leg.on_lost()

    # --- inside

    def _play(self, leg: MediaLeg, play: Play) -> None:
        self._end_play(leg)
        loop = asyncio.get_running_loop()
        ends = None
        if not any(part.loop for part in play.parts):
            seconds = sum(part.silence_ms or self._ms[part.sound] for part in play.parts) / 1000
            ends = loop.call_later(seconds, self._played, leg, play.play_id)
        self.began.setdefault(leg.leg_id, loop.time())
        self._playing[leg.leg_id] = Playing(play.play_id, loop.time(), ends)
        if not self.silent:
            self.tell(leg.leg_id, PlayStarted(leg.leg_id, play.play_id, loop.time()))

    def _played(self, leg: MediaLeg, play_id: int) -> None:
        if leg.leg_id in self._playing and self._playing[leg.leg_id].play_id == play_id:
            self._finish(leg, completed=True)

    def _is_played(self, leg: MediaLeg, play_id: int | None) -> bool:
        playing = self._playing.get(leg.leg_id)
        return playing is not None and play_id in (None, playing.play_id)

    def _end_play(self, leg: MediaLeg) -> None:
        if leg.leg_id in self._playing:
            self._finish(leg, completed=False)

    def _finish(self, leg: MediaLeg, *, completed: bool) -> None:
        playing, now = self._playing.pop(leg.leg_id), asyncio.get_running_loop().time()
        if playing.ends is not None:
            playing.ends.cancel()
        played_ms = round((now - playing.started_at) * 1000)
        event = PlayFinished(leg.leg_id, playing.play_id, now, played_ms, completed)
        if not self.silent:
            self.tell(leg.leg_id, event)


@dataclass
class FakeJournal:
    """Stands for `cdr.journal.Journal`."""

    healthy: bool = True
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    records: list[object] = field(default_factory=list)

    def put(self, record: object) -> None:
        self.records.append(record)
        self.changed.set()

    def of(self, kind: type[M]) -> list[M]:
        return [record for record in self.records if isinstance(record, kind)]


class RecordingPlane:
    """Stands for the plane where only what it would tell its workers counts."""

    def __init__(self) -> None:
        self.sent: list[object] = []

    def to_worker(self, _leg: MediaLeg, message: object) -> None:
        self.sent.append(message)

    def admit_transcoding(self, _leg: MediaLeg, *, wanted: bool) -> bool:  # noqa: ARG002
        return True

    def of(self, kind: type) -> list[object]:
        return [message for message in self.sent if isinstance(message, kind)]
