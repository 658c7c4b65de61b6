"""Speaking to and hearing keys of the legs of a media worker, on one tick for all of them."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from b2bua.media.to_worker import CollectDigits, LoadSound, Play, PressKeys, SendDigits, StopPlay
from b2bua.media.worker.keys import Keys
from b2bua.media.worker.playing import Playing
from b2bua.media.worker.speaker import Speakers
from rtp.fast_path import Sink
from rtp.io.leg import Leg
from rtp.io.loop import EventLoop
from rtp.io.ticker import Ticker

TICK_S: Final = 0.01
"Every usual packet time is a multiple of it."

Message: TypeAlias = Play | StopPlay | CollectDigits | PressKeys | SendDigits

OnError = Callable[[Leg, Exception], None]


class Voice:
    """What `ivr` does in a media worker. The tick runs only while there is something to do."""

    def __init__(
        self,
        loop: EventLoop,
        legs: Mapping[int, Leg],
        *,
        tell: Callable[[msgspec.Struct], None],
        on_error: OnError,
    ) -> None:
        self._legs = legs
        self._on_error = on_error
        speakers = Speakers()
        self._taps = speakers.taps
        self._playing = Playing(speakers, tell)
        self._keys = Keys(speakers, self._playing.heard, self._tell_and_tick(tell))
        self._ticker = Ticker(loop, TICK_S, self._tick)

    def load(self, sound: LoadSound) -> None:
        """Keep a sound for later."""
        self._playing.load(sound)

    def tap(self, leg_id: int, sink: Sink | None) -> None:
        """Hand what is said to a leg to `sink` as well; None: no longer."""
        if sink is None:
            self._taps.pop(leg_id, None)
        else:
            self._taps[leg_id] = sink

    def obey(self, leg: Leg, message: Message, now: int) -> None:
        """Do what the signalling process asks."""
        match message:
            case Play():
                self._playing.play(leg, message, now)
            case StopPlay(leg_id, play_id):
                self._playing.stop(leg_id, now, play_id)
            case CollectDigits():
                self._keys.collect(leg, message, now)
            case PressKeys():
                self._keys.press(leg, message, now)
            case SendDigits():
                self._keys.send(leg, message, now)
        if self._playing.active or self._keys.waits_for(leg.leg_id):
            self._ticker.start()

    def forget(self, leg: Leg, now: int) -> None:
        """Let go of a leg that is released."""
        self._playing.stop(leg.leg_id, now)
        self._keys.forget(leg.leg_id, now)

    def _tell_and_tick(
        self, tell: Callable[[msgspec.Struct], None]
    ) -> Callable[[msgspec.Struct], None]:
        def told(message: msgspec.Struct) -> None:
            # A key may have opened a star code's buffer, or have digits sent.
            self._ticker.start()
            tell(message)

        return told

    def _tick(self, now: int) -> None:
        for turn, leg_ids in (
            (self._playing, self._playing.legs(now)),
            (self._keys, self._keys.legs()),
        ):
            for leg_id in leg_ids:
                try:
                    turn.tick(leg_id, now)
                except Exception as error:  # noqa: BLE001 - a bulkhead: one leg, not the tick
                    leg = self._legs[leg_id]
                    self._on_error(leg, error)
                    # Once is enough: the next tick would say the same.
                    self.forget(leg, now)
        if not self._playing.active and not self._keys.active:
            self._ticker.stop()
