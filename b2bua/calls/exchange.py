"""What a call may ask of the house it is in: who can be rung, and who is in how many calls."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol

from b2bua.calls.inbox import Attachable, CallEvent
from b2bua.calls.party import Party
from b2bua.calls.transfers.line import Line
from sip.binding import Binding
from sip.dialog_info import DialogState
from sip.message import Request

if TYPE_CHECKING:
    from b2bua.calls.transfers.still_ringing import Target, Transfer


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

    def call_lamp(self, number: str) -> DialogState:
        """Return how far an extension is in the call; `early` where it is rung."""

    @property
    def record_lamp(self) -> DialogState:
        """Return `confirmed` while the call is recorded, `early` while that is asked for."""


class Transferable(Talkable, Protocol):
    """A call whose parties can go into another one."""

    @property
    def linkedid(self) -> str: ...
    def talks_with(self, usage: int, number: str) -> Party | None:
        """Return whom an extension talks to on its `usage`; None where it is not its, or alone."""

    def surrender(self, usage: int, *, to: Callable[[Line], Attachable]) -> None:
        """Let that party go into the conversation that `to` makes for it; the call ends."""

    def give_up(self, usage: int, number: str) -> "Target | None":
        """Return whom an extension is having rung on its `usage`.

        Here they are rung no longer.
        """


class Meeting(Attachable, Protocol):
    """A call in which a party waits for the one of another call."""

    def meet(self, line: Line) -> Attachable:
        """Take the other party in; returns where its events go from now on."""


class Exchange(Protocol):
    """The switchboard as calls see it."""

    @property
    def accepting(self) -> bool: ...
    def begin(self, call: Talkable) -> None:
        """Run a call that another one has made."""

    def transfer(self, line: Line, transfer: "Transfer") -> Attachable:
        """Begin the call of a party and the target to which it is transferred."""

    def recall(self, line: Line, *, referrer: Party, request: Request) -> Attachable:
        """Begin the call of a party whose transfer has failed, and the referrer, who is rung."""

    def join(self, line: Line, *, second: Party, request: Request, linkedid: str) -> Meeting:
        """Begin the call of two parties of other calls; the second one is still to come."""

    def call_of(self, usage: int) -> Transferable | None:
        """Return the call between two parties to which a dialog belongs."""

    def engage(self, call: Talkable, numbers: Collection[str]) -> None:
        """Note which extensions are in a call, in place of those that were."""

    def settle(self, call: Talkable) -> None:
        """Count a call no longer that is over: only its file and its row are still to come."""

    def reachable(self, number: str) -> tuple[Binding, ...]:
        """Return where an extension can be rung now."""

    def is_registered(self, number: str) -> bool:
        """Tell whether an extension can be rung at all."""

    def is_busy(self, number: str) -> bool:
        """Tell whether an extension is in a call, or makes one; that it is rung is not enough."""

    def is_full(self, number: str) -> bool:
        """Tell whether an extension is in as many calls as it may be."""
