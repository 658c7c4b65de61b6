"""Which extensions are in which calls: what makes one busy, lights its lamps, finds its call."""

from collections.abc import Collection, Sequence

from b2bua.calls.exchange import Running, Talkable
from sip.dialog_info import OFF, DialogInfo, DialogState


class Engagements:
    """The calls of all extensions."""

    def __init__(self) -> None:
        self._by_extension: dict[str, list[Talkable]] = {}
        "Calls in which an extension takes part, oldest first."
        self._extensions: dict[Running, frozenset[str]] = {}

    def engage(self, call: Talkable, numbers: Collection[str]) -> frozenset[str]:
        """Note who is in a call, in place of those that were; return whom that may concern."""
        before, now = self._extensions.get(call, frozenset()), frozenset(numbers)
        self._extensions[call] = now
        if now != before:
            for number in now - before:
                self._by_extension.setdefault(number, []).append(call)
            self._leave(call, before - now)
        return before | now

    def forget(self, call: Running) -> frozenset[str]:
        """Let go of a call that has ended; return who was in it."""
        numbers = self._extensions.pop(call, frozenset())
        self._leave(call, numbers)
        return numbers

    def _leave(self, call: Running, numbers: Collection[str]) -> None:
        for number in numbers:
            calls = self._by_extension[number]
            calls[:] = [other for other in calls if other is not call]
            if not calls:
                del self._by_extension[number]

    def of(self, number: str) -> Sequence[Talkable]:
        """Return the calls in which an extension takes part, oldest first."""
        return self._by_extension.get(number, ())

    def is_busy(self, number: str) -> bool:
        """Tell whether an extension is in a call, or makes one; that it is rung is not enough."""
        return any(call.occupies(number) for call in self.of(number))

    def meant_by(self, number: str) -> Talkable | None:
        """Return the call that an extension means with its record key: rather one that it holds."""
        calls = [call for call in self.of(number) if call.is_talking]
        held = [call for call in calls if call.is_held_by(number)]
        return next(reversed(held or calls), None)

    def record_lamp(self, number: str) -> DialogInfo:
        """Return how an extension's record key is lit: by its call that is recorded, or asked."""
        return _strongest({call.record_lamp for call in self.of(number)})

    def call_lamp(self, number: str) -> DialogInfo:
        """Return whether an extension is in a call, or rung."""
        return _strongest({call.call_lamp(number) for call in self.of(number)})


def _strongest(states: Collection[DialogState]) -> DialogInfo:
    """Return what a lamp shows that stands for several calls."""
    if "confirmed" in states:
        return DialogInfo("confirmed")
    return DialogInfo("early", "recipient") if "early" in states else OFF
