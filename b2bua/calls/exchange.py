"""What a call may ask of the house it is in: who can be rung, and who is in how many calls."""

from collections.abc import Collection
from typing import Protocol

from b2bua.calls.inbox import CallEvent
from sip.binding import Binding


class Running(Protocol):
    """A call as the switchboard runs it."""

    @property
    def call_id(self) -> str: ...
    @property
    def usages(self) -> tuple[int, ...]: ...
    def deliver(self, event: CallEvent) -> None: ...
    async def run(self) -> None: ...


class Talkable(Running, Protocol):
    """A call between two parties."""

    @property
    def is_talking(self) -> bool: ...
    def is_held_by(self, number: str) -> bool: ...
    def occupies(self, number: str) -> bool:
        """Tell whether an extension talks in the call, or makes it."""


class Exchange(Protocol):
    """The switchboard as calls see it."""

    def engage(self, call: Talkable, numbers: Collection[str]) -> None:
        """Note which extensions are in a call, in place of those that were."""

    def reachable(self, number: str) -> tuple[Binding, ...]:
        """Return where an extension can be rung now."""

    def is_registered(self, number: str) -> bool:
        """Tell whether an extension can be rung at all."""

    def is_busy(self, number: str) -> bool:
        """Tell whether an extension is in a call, or makes one; that it is rung is not enough."""

    def is_full(self, number: str) -> bool:
        """Tell whether an extension is in as many calls as it may be."""
