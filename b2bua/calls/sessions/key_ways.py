"""In which ways a party presses keys: those that are switched on for it, and that it knows."""

from collections.abc import Collection, Mapping

from b2bua.calls.sessions.negotiation import Negotiation
from b2bua.media.leg import NO_TONES
from b2bua.media.to_worker import LawName
from ivr.key_pad import Way


class KeyWays:
    """One party's, for as long as nothing is agreed anew."""

    def __init__(self, ways: Collection[Way], negotiation: Negotiation, *, info: bool) -> None:
        """`info`: it is switched on, and the party has said that it takes INFO."""
        self.info = info
        self.reads_info = Way.INFO in ways
        "INFO from the party counts: it need not have announced it."
        self.tones_count = Way.IN_BAND in ways
        "The party listens to the sound for keys, and presses them so."
        has_events = Way.RFC4733 in ways
        self.event_types: tuple[int, ...] = negotiation.event_types if has_events else ()
        "Of telephone events that are its keys."
        self.sends_events: int | None = negotiation.sends_events if has_events else None
        "Payload type in which it is sent telephone events; None: it is sent none."
        self.tone_types: Mapping[int, LawName] = (
            negotiation.tone_types if self.tones_count else NO_TONES
        )
        "Payload types of G.711 in which it may send tones that are its keys."
        self.law: LawName | None = (
            _NAMES.get(negotiation.law) if negotiation.law is not None else None
        )
        "In which tones can be sent to it; None: its codec is another."

    @property
    def any(self) -> bool:
        """Whether it can press a key that we notice."""
        return bool(self.event_types) or self.info or bool(self.tone_types)


_NAMES: dict[int, LawName] = {8: "PCMA", 0: "PCMU"}
