"""Keys of parties: heard as telephone events, ruled on by star codes, sent as fresh events.

All packets of an event share the fate that its first one got: passed on as they are, or
withheld. Only what was withheld and became no code is sent again, as fresh events.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from b2bua.media.messages import CodeReceived, CollectDigits, DigitReceived, SendDigits
from b2bua.media.speaker import Speaker, Speakers
from ivr.digits import EVENT, KEYS, DigitReceiver, DigitSender
from ivr.star_codes import StarCodes
from rtp.header import RtpHeader
from rtp.io.leg import Leg

SLACK_S: Final = 0.005
"Half a tick, as in `playing.py`."

FATES: Final = 8
"Events whose fate is remembered, for packets that come late."

Heard = Callable[[int], tuple[int, int] | None]
"Returns a leg's play and how much of it has been heard."


@dataclass(slots=True)
class _Listener:
    """One party's keys."""

    leg: Leg
    receiver: DigitReceiver
    codes: StarCodes
    forward: bool
    event_type: int
    "Payload type of the newest event."
    fates: dict[int, bool] = field(default_factory=dict)
    "Timestamp of an event's segment -> whether its packets are passed on."
    passes: bool = True
    "The fate of the newest event."


@dataclass(slots=True)
class _Sending:
    """Digits on their way to one party."""

    sender: DigitSender
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

    @property
    def active(self) -> bool:
        """Whether ticks are needed."""
        return bool(self._sendings) or any(
            listener.codes.next_timeout() is not None for listener in self._listeners.values()
        )

    def collect(self, leg: Leg, message: CollectDigits, now: int) -> None:
        """Listen, or no more; raises `StarCodeError` for a table that can't work."""
        codes = StarCodes(message.codes)
        before = self._listeners.get(leg.leg_id)
        self._forget_listener(leg.leg_id, now)
        if not message.payload_types:
            return
        listener = self._listeners[leg.leg_id] = _Listener(
            leg=leg,
            receiver=DigitReceiver(message.payload_types),
            codes=codes,
            forward=message.forward,
            event_type=message.payload_types[0],
        )
        if before is not None:
            # A key that is down at this moment is no new one, and its fate is decided.
            listener.receiver = before.receiver.with_types(message.payload_types)
            listener.fates, listener.passes = before.fates, before.passes
        leg.relay.listen(message.payload_types, partial(self._event, leg.leg_id))
        leg.wire()

    def send(self, leg: Leg, message: SendDigits, now: int) -> None:
        """Send digits to the leg's party, behind those that are being sent."""
        self._queue(leg, message.keys, message.payload_type, now)

    def forget(self, leg_id: int, now: int) -> None:
        """Let go of a leg that is released."""
        self._forget_listener(leg_id, now)
        if self._sendings.pop(leg_id, None) is not None:
            self._speakers.leave(leg_id)

    def legs(self) -> list[int]:
        """Return the legs that `tick` may have something to do for."""
        waiting = (i for i, one in self._listeners.items() if one.codes.next_timeout() is not None)
        return [*self._sendings, *waiting]

    def tick(self, leg_id: int, now: int) -> None:
        """Do what is due for one leg."""
        listener = self._listeners.get(leg_id)
        if listener is not None:
            self._replay(listener, listener.codes.handle_timeout(now / 1e9), now)
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
                listener.passes = self._pressed(listener, digit.key, header, now)
        fates = listener.fates
        passes = fates.setdefault(header.timestamp, listener.passes)
        if len(fates) > FATES:
            del fates[next(iter(fates))]
        return passes

    def _pressed(self, listener: _Listener, key: str, header: RtpHeader, now: int) -> bool:
        """Rule on a key that goes down, and tell of it."""
        leg_id, at = listener.leg.leg_id, now / 1e9
        peer = listener.leg.joined
        replaying = peer is not None and peer.leg_id in self._sendings
        ruling = listener.codes.press(key, at, replaying=replaying)
        passes = listener.forward and not ruling.withheld
        play_id, played_ms = self._heard(leg_id) or (None, None)
        self._tell(
            DigitReceived(
                leg_id=leg_id,
                key=key,
                at=at,
                ssrc=header.ssrc,
                timestamp=header.timestamp,
                withheld=not passes,
                play_id=play_id,
                played_ms=played_ms,
            )
        )
        if ruling.code:
            self._tell(CodeReceived(leg_id, ruling.code, at))
        self._replay(listener, ruling.replay, now)
        return passes

    def _replay(self, listener: _Listener, keys: str, now: int) -> None:
        """Send to the joined party what was withheld from it, if it can be sent at all."""
        peer = listener.leg.joined
        payload_type = listener.leg.relay.sends_as(listener.event_type)
        if keys and listener.forward and peer is not None and payload_type is not None:
            self._queue(peer, keys, payload_type, now)

    def _queue(self, leg: Leg, keys: str, payload_type: int, now: int) -> None:
        """Let the next tick begin, or go on, with `keys`."""
        sending = self._sendings.get(leg.leg_id)
        if sending is not None:
            sending.sender.queue(keys, now / 1e9)
            return
        sender = DigitSender()
        sender.queue(keys, now / 1e9)
        if sender.busy:
            speaker = self._speakers.take(leg, now)
            base_ts = speaker.timestamp_at(now)
            self._sendings[leg.leg_id] = _Sending(sender, speaker, payload_type, base_ts)

    def _forget_listener(self, leg_id: int, now: int) -> None:
        listener = self._listeners.pop(leg_id, None)
        if listener is not None:
            self._replay(listener, listener.codes.flush(), now)
            listener.leg.relay.listen((), None)
            listener.leg.wire()
