"""Keys of parties: heard as telephone events, as tones or as INFO, ruled on by star codes.

All packets of an event share the fate that its first one got: passed on as they are, or
withheld. Only what was withheld and became no code is sent again, as fresh events. Keys that have
to reach the joined party and came in a way that does not are the signalling process's to deliver
(`KeysDue`): it knows what that party takes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from b2bua.media.from_worker import CodeReceived, DigitReceived, KeysDue
from b2bua.media.to_worker import CollectDigits, LawName, PressKeys, SendDigits
from b2bua.media.worker.speaker import Speaker, Speakers
from ivr.digits import EVENT, KEYS, DigitReceiver, DigitSender
from ivr.key_pad import KeyPad, Way
from ivr.tone_keys import HEARD_AFTER_S, ToneKeys
from ivr.tone_sender import ToneSender
from rtp.header import RtpHeader
from rtp.io.leg import Leg

SLACK_S: Final = 0.005
"Half a tick, as in `playing.py`."

FATES: Final = 8
"Events whose fate is remembered, for packets that come late."

Heard = Callable[[int], tuple[int, int] | None]
"Returns a leg's play and how much of it has been heard."


@dataclass(frozen=True, slots=True)
class _Press:
    """One key that goes down."""

    key: str
    way: Way
    at: float
    ssrc: int | None = None
    timestamp: int | None = None


@dataclass(slots=True)
class _Listener:
    """One party's keys."""

    leg: Leg
    receiver: DigitReceiver
    pad: KeyPad
    forward: bool
    in_band: dict[int, LawName]
    event_type: int | None
    "Payload type of the newest event; None: the party sends none."
    fates: dict[int, bool] = field(default_factory=dict)
    "Timestamp of an event's segment -> whether its packets are passed on."
    passes: bool = True
    "The fate of the newest event."
    heard_in_band: bool = False
    "The newest key was a tone."
    tones: ToneKeys | None = None
    "Made with the first sound that is listened to."


@dataclass(slots=True)
class _Sending:
    """Digits on their way to one party."""

    sender: DigitSender | ToneSender
    speaker: Speaker
    payload_type: int
    base_ts: int


class Keys:
    """All listening and sending of digits in a media worker."""

    def __init__(
        self, speakers: Speakers, heard: Heard, tell: Callable[[msgspec.Struct], None]
    ) -> None:
        self._speakers = speakers
        self._heard = heard
        self._tell = tell
        self._listeners: dict[int, _Listener] = {}
        self._sendings: dict[int, _Sending] = {}
        self._waiting: set[int] = set()
        "Legs whose keys may become a star code: few, so a tick need not ask all of them."

    @property
    def active(self) -> bool:
        """Whether ticks are needed."""
        return bool(self._sendings) or bool(self._waiting)

    def waits_for(self, leg_id: int) -> bool:
        """Tell whether a leg needs ticks."""
        listener = self._listeners.get(leg_id)
        waiting = listener is not None and listener.pad.next_timeout() is not None
        return waiting or bool(self._sendings)

    def collect(self, leg: Leg, message: CollectDigits, now: int) -> None:
        """Listen as the message says; raises `StarCodeError` for a table that can't work."""
        pad = KeyPad(message.codes, in_band_codes=message.in_band_codes)
        before = self._listeners.get(leg.leg_id)
        self._forget_listener(leg.leg_id, now)
        types = message.payload_types
        listener = self._listeners[leg.leg_id] = _Listener(
            leg=leg,
            receiver=DigitReceiver(types),
            pad=pad,
            forward=message.forward,
            in_band=message.in_band,
            event_type=types[0] if types else None,
        )
        if before is not None:
            # A key that is down at this moment is no new one, and its fate is decided.
            listener.receiver = before.receiver.with_types(types)
            listener.fates, listener.passes = before.fates, before.passes
            listener.pad = before.pad.with_codes(message.codes, in_band_codes=message.in_band_codes)
            listener.tones = before.tones
        leg_id = leg.leg_id
        leg.relay.listen(types, partial(self._event, leg_id) if types else None)
        leg.relay.overhear(
            message.in_band, partial(self._sound, leg_id) if message.in_band else None
        )
        leg.wire()

    def press(self, leg: Leg, message: PressKeys, now: int) -> None:
        """Take keys that came as INFO."""
        if leg.leg_id not in self._listeners:
            self.collect(leg, CollectDigits(leg.leg_id, ()), now)
        for key in message.keys:
            press = _Press(key, Way.INFO, now / 1e9)
            self._pressed(self._listeners[leg.leg_id], press, now)

    def send(self, leg: Leg, message: SendDigits, now: int) -> None:
        """Send digits to the leg's party, behind those that are being sent."""
        self._queue(leg, message.keys, message.payload_type, now, message.law)

    def forget(self, leg_id: int, now: int) -> None:
        """Let go of a leg that is released."""
        self._forget_listener(leg_id, now)
        if self._sendings.pop(leg_id, None) is not None:
            self._speakers.leave(leg_id)

    def legs(self) -> list[int]:
        """Return the legs that `tick` may have something to do for."""
        return [*self._sendings, *self._waiting]

    def tick(self, leg_id: int, now: int) -> None:
        """Do what is due for one leg."""
        listener = self._listeners.get(leg_id)
        if listener is not None:
            self._replay(listener, listener.pad.handle_timeout(now / 1e9), now)
            self._note(listener)
        sending = self._sendings.get(leg_id)
        if sending is None:
            return
        for packet in sending.sender.due(now / 1e9 + SLACK_S):
            timestamp = sending.base_ts + packet.offset_ts
            sending.speaker.say(
                packet.payload, sending.payload_type, timestamp, marker=packet.marker
            )
        if not sending.sender.busy:
            del self._sendings[leg_id]
            self._speakers.leave(leg_id)

    def _event(self, leg_id: int, header: RtpHeader, payload: bytes, now: int) -> bool:
        """Take a telephone event from a leg's relay; tell whether it passes as it is."""
        listener = self._listeners[leg_id]
        if len(payload) < EVENT.size or payload[0] >= len(KEYS):
            return listener.forward  # no key of a telephone: nothing to rule on
        digits = listener.receiver.receive(
            payload,
            payload_type=header.payload_type,
            ssrc=header.ssrc,
            timestamp=header.timestamp,
            now=now / 1e9,
        )
        listener.event_type = header.payload_type
        for digit in digits:
            if not digit.ended:
                press = _Press(digit.key, Way.RFC4733, now / 1e9, header.ssrc, header.timestamp)
                listener.passes = self._pressed(listener, press, now)
        fates = listener.fates
        passes = fates.setdefault(header.timestamp, listener.passes)
        if len(fates) > FATES:
            del fates[next(iter(fates))]
        return passes

    def _sound(self, leg_id: int, header: RtpHeader, payload: bytes, now: int) -> None:
        """Listen for tones in a packet of a leg's sound."""
        listener = self._listeners[leg_id]
        law = listener.in_band[header.payload_type]
        if listener.tones is None:
            listener.tones = ToneKeys()
        keys = listener.tones.hear(payload, law, ssrc=header.ssrc, timestamp=header.timestamp)
        for key in keys:
            began_ts = header.timestamp - round(HEARD_AFTER_S * 8000) & 0xFFFFFFFF
            press = _Press(key, Way.IN_BAND, now / 1e9 - HEARD_AFTER_S, header.ssrc, began_ts)
            self._pressed(listener, press, now)

    def _pressed(self, listener: _Listener, press: _Press, now: int) -> bool:
        """Rule on a key that goes down, and tell of it; returns whether its packets pass."""
        leg_id, key = listener.leg.leg_id, press.key
        peer = listener.leg.joined
        replaying = peer is not None and peer.leg_id in self._sendings
        ruling = listener.pad.press(key, press.way, press.at, replaying=replaying)
        self._note(listener)
        if ruling is None:
            return False  # the same press has come in another way
        listener.heard_in_band = press.way is Way.IN_BAND
        passes = listener.forward and not ruling.withheld
        play_id, played_ms = self._heard(leg_id) or (None, None)
        self._tell(
            DigitReceived(
                leg_id=leg_id,
                key=key,
                at=press.at,
                ssrc=press.ssrc,
                timestamp=press.timestamp,
                withheld=not passes,
                play_id=play_id,
                played_ms=played_ms,
                way=press.way,
            )
        )
        if ruling.code:
            self._tell(CodeReceived(leg_id, ruling.code, press.at))
        self._replay(listener, ruling.replay, now)
        if passes and (press.way is not Way.RFC4733 or self._event_route(listener) is None):
            self._due(listener, key)
        return passes

    def _note(self, listener: _Listener) -> None:
        """Note whether the listener's pad waits for more keys."""
        if listener.pad.next_timeout() is None:
            self._waiting.discard(listener.leg.leg_id)
        else:
            self._waiting.add(listener.leg.leg_id)

    def _replay(self, listener: _Listener, keys: str, now: int) -> None:
        """Send to the joined party what was withheld from it."""
        peer, payload_type = listener.leg.joined, self._event_route(listener)
        if not keys or not listener.forward or peer is None:
            return
        if payload_type is None or listener.heard_in_band:
            self._due(listener, keys)
        else:
            self._queue(peer, keys, payload_type, now)

    @staticmethod
    def _event_route(listener: _Listener) -> int | None:
        """Return the number of the party's events towards the joined one, if they go there."""
        if listener.event_type is None:
            return None
        return listener.leg.relay.sends_as(listener.event_type)

    def _due(self, listener: _Listener, keys: str) -> None:
        if listener.leg.joined is not None:
            self._tell(KeysDue(listener.leg.leg_id, keys, in_band=listener.heard_in_band))

    def _queue(
        self, leg: Leg, keys: str, payload_type: int, now: int, law: LawName | None = None
    ) -> None:
        """Let the next tick begin, or go on, with `keys`."""
        sending = self._sendings.get(leg.leg_id)
        if sending is not None:
            sending.sender.queue(keys, now / 1e9)
            return
        sender = DigitSender() if law is None else ToneSender(law)
        sender.queue(keys, now / 1e9)
        if sender.busy:
            speaker = self._speakers.take(leg, now)
            base_ts = speaker.timestamp_at(now)
            self._sendings[leg.leg_id] = _Sending(sender, speaker, payload_type, base_ts)

    def _forget_listener(self, leg_id: int, now: int) -> None:
        listener = self._listeners.pop(leg_id, None)
        if listener is not None:
            self._replay(listener, listener.pad.flush(), now)
            self._waiting.discard(leg_id)
            listener.leg.relay.listen((), None)
            listener.leg.relay.overhear((), None)
            listener.leg.wire()
