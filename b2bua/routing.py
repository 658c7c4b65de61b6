"""From a dialled number to whom it reaches. Pure; the dial plan in one place.

Order of a number that an extension dials: emergency, own star code, own extension, dial rule.
A trunk reaches extensions only: nothing that comes in goes out again.
"""

from dataclasses import dataclass

from b2bua.config import Config
from b2bua.dial_pattern import MAX_DIGITS
from b2bua.directory import Directory, Extension
from b2bua.trunks.trunk import Trunk, Trunks


@dataclass(frozen=True, slots=True)
class ToExtension:
    """An own number was dialled."""

    extension: Extension


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTrunk:
    """A number outside."""

    trunk: Trunk
    number: str
    "As the trunk is asked for it."
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class ToRecordKey:
    """The star code was dialled as a call of its own: it means another call of the caller."""


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nobody can be reached under this number."""

    code: int
    reason: str


Destination = ToExtension | ToTrunk | ToRecordKey | NoRoute

NOT_FOUND = NoRoute(404, "Not Found")
FORBIDDEN = NoRoute(403, "Forbidden")


class DialPlan:
    """What can be dialled, by whom."""

    def __init__(self, config: Config, directory: Directory, trunks: Trunks) -> None:
        self._config = config
        self._directory = directory
        self._trunks = trunks

    def from_extension(self, dialled: str, caller: Extension) -> Destination:
        """Return where a call from an extension to `dialled` goes."""
        if not dialled or len(dialled) > MAX_DIGITS:
            return NOT_FOUND
        emergency = self.emergency(dialled)
        if emergency is not None:
            return emergency
        if dialled == self._config.codes.record:
            return ToRecordKey()
        extension = self._directory.get(dialled)
        if extension is not None:
            return ToExtension(extension)
        return self._by_rule(dialled, caller)

    def from_trunk(self, dialled: str, trunk: Trunk) -> ToExtension | NoRoute:
        """Return which extension a call from a trunk is for."""
        dids = trunk.settings.dids
        number = dids.get(dialled) or dids.get(dialled.removeprefix("+")) or dialled
        extension = self._directory.get(number)
        return ToExtension(extension) if extension is not None else NOT_FOUND

    def emergency(self, dialled: str) -> ToTrunk | NoRoute | None:
        """Return the way of an emergency call; None for any other number."""
        settings = self._config.emergency
        numbers = {
            exit_digits + number: number
            for number in settings.numbers
            for exit_digits in ("", *settings.exit_digits)
        }
        number = numbers.get(dialled)
        if number is None:
            return None
        trunk = self._trunks.named(settings.trunk)
        if trunk is None:
            return NOT_FOUND
        return ToTrunk(trunk=trunk, number=number, emergency=True)

    def _by_rule(self, dialled: str, caller: Extension) -> Destination:
        """Take the first rule that fits the number and is for the caller."""
        fitting = [rule for rule in self._config.route if rule.pattern.matches(dialled)]
        for rule in fitting:
            trunk = self._trunks.named(rule.trunk)
            if trunk is not None and (not rule.extensions or caller.number in rule.extensions):
                number = rule.prepend + dialled[rule.strip :]
                return ToTrunk(trunk=trunk, number=number) if number else NOT_FOUND
        return FORBIDDEN if fitting else NOT_FOUND
