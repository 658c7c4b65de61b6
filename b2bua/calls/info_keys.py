"""Keys that come as INFO in a call: star codes are ours, the rest goes on as telephone events."""

from b2bua.calls.bridge import Side
from b2bua.calls.conversation import Conversation
from ivr.star_codes import StarCodes


class InfoKeys:
    """One recogniser per own party; an outside party's keys just pass."""

    def __init__(self, conversation: Conversation, codes: tuple[str, ...]) -> None:
        self._c = conversation
        self._codes = {
            side: StarCodes(codes)
            for side in Side
            if conversation.parties[side].extension is not None
        }

    def press(self, side: Side, key: str) -> str:
        """Take a key; returns the code that it completes, or nothing."""
        recogniser = self._codes.get(side)
        if recogniser is None:
            self._pass_on(side, key)
            return ""
        ruling = recogniser.press(key, self._c.now)
        self._pass_on(side, ruling.replay if ruling.withheld else key)
        return ruling.code

    def next_timeout(self) -> float | None:
        """Return when `time_passed` is due."""
        due = [at for codes in self._codes.values() if (at := codes.next_timeout()) is not None]
        return min(due, default=None)

    def time_passed(self) -> None:
        """Send what became no code."""
        for side, recogniser in self._codes.items():
            self._pass_on(side, recogniser.handle_timeout(self._c.now))

    def _pass_on(self, side: Side, keys: str) -> None:
        payload_type = self._c.bridge.sides[side.other].sends_events
        if keys and payload_type is not None:
            self._c.legs[side.other].send_digits(keys, payload_type)
