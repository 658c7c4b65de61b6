"""Who hears what a leg says as it passes: keys as telephone events, and sound.

Both leave the fast path, so nobody else pays for it.
"""

from collections.abc import Callable, Collection

from rtp.header import RtpHeader

OnEvent = Callable[[RtpHeader, bytes, int], bool]
"Takes a telephone event's header, its payload and the time; tells whether it is passed on."

OnSound = Callable[[RtpHeader, bytes, int], None]
"Takes a packet's header, its payload and the time."


class Ears:
    """The listeners of one leg, and the payload types that they hear."""

    __slots__ = ("_on_event", "_on_sound", "events", "sounds")

    def __init__(self) -> None:
        self.events: frozenset[int] = frozenset()
        "Telephone events that are heard."
        self._on_event: OnEvent | None = None
        self.sounds: frozenset[int] = frozenset()
        "Types whose sound is heard."
        self._on_sound: OnSound | None = None

    @property
    def types(self) -> frozenset[int]:
        """All payload types that are heard."""
        return self.events | self.sounds

    def listen(self, events: Collection[int], on_event: OnEvent | None) -> None:
        """Let `on_event` hear, and rule on, the telephone events of these payload types."""
        self.events = frozenset(events) if on_event is not None else frozenset()
        self._on_event = on_event

    def overhear(self, payload_types: Collection[int], on_sound: OnSound | None) -> None:
        """Let `on_sound` hear the sound of these payload types."""
        self.sounds = frozenset(payload_types) if on_sound is not None else frozenset()
        self._on_sound = on_sound

    def rule(self, header: RtpHeader, payload: bytes, now: int) -> bool:
        """Tell of a telephone event; return whether it is to be passed on."""
        assert self._on_event is not None
        return self._on_event(header, payload, now)

    def hear(self, header: RtpHeader, payload: bytes, now: int) -> None:
        """Tell of sound."""
        assert self._on_sound is not None
        self._on_sound(header, payload, now)
