"""What the calls of a server need of the house."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from b2bua.calls.inbox import Attachable
from b2bua.calls.sessions.media_way import MediaWays
from b2bua.config import Config
from b2bua.directory import Directory
from b2bua.media.plane import MediaPlane
from b2bua.routing import DialPlan
from b2bua.voice_book import VoiceBook
from cdr.journal import Journal
from sip.address import Flow
from sip.endpoint import Endpoint
from sip.locating import Destination
from sip.registrar import Binding, Registrar


@dataclass(frozen=True, slots=True, kw_only=True)
class CallServices:
    """What a call needs of the house."""

    config: Config
    endpoint: Endpoint
    kick: Callable[[], None]
    plane: MediaPlane
    journal: Journal
    directory: Directory
    registrar: Registrar
    plan: DialPlan
    voices: VoiceBook
    ways: MediaWays
    "How media goes between us and each peer."
    recordings: Path
    clock: Callable[[], float]
    attach: Callable[[int, Attachable], None]
    "Have a usage's events delivered to a call."
    flow_to: Callable[[Destination], Flow | None]
    "The way from us to a place; None where we don't speak its transport or family."
    flow_failed: Callable[[Binding], None]
    "Forget a binding of which a proxy says that its flow is no more."
    changed: Callable[[Iterable[str]], None]
    "Have the lamps of extensions looked at, whose calls are not as they were."
