"""From a dialled number to whom it reaches. Pure; the dial plan in one place.

Order of a number that an extension dials: emergency, own star codes, own extension, group, dial
rule. A trunk reaches own numbers only. What comes in goes out again only where an extension
forwards its calls, and then as if that extension had dialled.
"""

from dataclasses import dataclass, replace

from b2bua.config import Config
from b2bua.dial_pattern import MAX_DIGITS
from b2bua.directory import Directory, Extension
from b2bua.trunks.trunk import Trunk, Trunks


@dataclass(frozen=True, slots=True)
class ToExtension:
    """An own number was dialled."""

    extension: Extension


@dataclass(frozen=True, slots=True, kw_only=True)
class ToGroup:
    """The number of a group."""

    number: str
    members: tuple[Extension, ...]
    "Those of them who exist."
    in_turn: bool
    turn_s: float
    otherwise: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTrunk:
    """A number outside."""

    trunk: Trunk
    number: str
    "As the trunk is asked for it."
    emergency: bool = False
    others: tuple[Trunk, ...] = ()
    "Asked in this order where the first one can't be reached, or has no room."
    withheld: bool = False
    "The caller has dialled that it wants to be anonymous."

    @property
    def trunks(self) -> tuple[Trunk, ...]:
        """All of them, best first."""
        return self.trunk, *self.others


@dataclass(frozen=True, slots=True)
class ToRecordKey:
    """The star code was dialled as a call of its own: it means another call of the caller."""


@dataclass(frozen=True, slots=True)
class ToPickup:
    """The code that fetches a call was dialled, and where that call rings."""

    extension: Extension


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nobody can be reached under this number."""

    code: int
    reason: str


OwnNumber = ToExtension | ToGroup

Reachable = OwnNumber | ToTrunk

OwnCode = ToRecordKey | ToPickup

Destination = Reachable | OwnCode | NoRoute

NOT_FOUND = NoRoute(404, "Not Found")
FORBIDDEN = NoRoute(403, "Forbidden")


class DialPlan:
    """What can be dialled, by whom."""

    def __init__(self, config: Config, directory: Directory, trunks: Trunks) -> None:
        self._config = config
        self._directory = directory
        self._trunks = trunks
        self._groups = {group.number: group for group in config.group}
        self._emergency_numbers = {
            exit_digits + number: number
            for number in config.emergency.numbers
            for exit_digits in ("", *config.emergency.exit_digits)
        }

    def from_extension(self, dialled: str, caller: Extension) -> Destination:
        """Return where a call from an extension to `dialled` goes."""
        if not dialled or len(dialled) > MAX_DIGITS:
            return NOT_FOUND
        emergency = self.emergency(dialled)
        if emergency is not None:
            return emergency
        withhold = self._config.codes.withhold_number
        if withhold and dialled.startswith(withhold):
            return _anonymous(self.from_extension(dialled.removeprefix(withhold), caller))
        if dialled == self._config.codes.record:
            return ToRecordKey()
        pickup = self._config.codes.pickup
        if pickup and dialled.startswith(pickup):
            rung = self._directory.get(dialled.removeprefix(pickup))
            return NOT_FOUND if rung is None else ToPickup(rung)
        own = self.own(dialled)
        return own if own is not None else self._by_rule(dialled, caller)

    def own(self, number: str) -> OwnNumber | None:
        """Return the extension or the group that has a number."""
        extension, group = self._directory.get(number), self._groups.get(number)
        if extension is not None:
            return ToExtension(extension)
        if group is None:
            return None
        members = (self._directory.get(member) for member in group.members)
        return ToGroup(
            number=number,
            members=tuple(member for member in members if member is not None),
            in_turn=group.ring == "in_turn",
            turn_s=group.turn_s,
            otherwise=group.otherwise,
        )

    def strangers(self) -> list[tuple[str, str]]:
        """Return group and number of all in groups who are no extensions, or groups."""
        return [
            (group.number, number)
            for group in self._groups.values()
            for number in (*group.members, *((group.otherwise,) if group.otherwise else ()))
            if self._directory.get(number) is None
            and (number != group.otherwise or number not in self._groups)
        ]

    def forwarded(self, target: str, extension: Extension) -> Reachable | None:
        """Return where an extension sends its calls: where it could call, but for emergencies."""
        destination = self.from_extension(target, extension)
        if isinstance(destination, NoRoute | OwnCode):
            return None
        emergency = isinstance(destination, ToTrunk) and destination.emergency
        return None if emergency else destination

    def from_trunk(self, dialled: str, trunk: Trunk) -> OwnNumber | NoRoute:
        """Return which of our numbers a call from a trunk is for."""
        own = self.own(trunk.numbers.own_number(dialled))
        if own is None and trunk.settings.otherwise is not None:
            own = self.own(trunk.settings.otherwise)
        return own or NOT_FOUND

    def is_fax(self, caller: str, trunk: Trunk | None, dialled: str) -> bool:
        """Tell whether a call is a fax's: to a number that is marked so, or from its extension."""
        if trunk is not None:
            return trunk.numbers.is_fax(dialled)
        return any(caller in each.numbers.fax_extensions for each in self._trunks)

    def emergency(self, dialled: str) -> ToTrunk | NoRoute | None:
        """Return the way of an emergency call; None for any other number."""
        number = self._emergency_numbers.get(dialled)
        if number is None:
            return None
        trunks = self._trunks.listed(self._config.emergency.trunk) or tuple(self._trunks)
        if not trunks:
            return NOT_FOUND
        return ToTrunk(trunk=trunks[0], others=trunks[1:], number=number, emergency=True)

    def _by_rule(self, dialled: str, caller: Extension) -> Destination:
        """Take the first rule that fits the number and is for the caller."""
        fitting = [rule for rule in self._config.route if rule.pattern.matches(dialled)]
        for rule in fitting:
            trunks = self._trunks.listed(rule.trunk)
            if trunks and (not rule.extensions or caller.number in rule.extensions):
                number = rule.prepend + dialled[rule.strip :]
                if not number:
                    return NOT_FOUND
                return ToTrunk(trunk=trunks[0], others=trunks[1:], number=number)
        return FORBIDDEN if fitting else NOT_FOUND


def _anonymous(destination: Destination) -> Destination:
    """Withhold the caller's number; never in an emergency."""
    if isinstance(destination, ToTrunk) and not destination.emergency:
        return replace(destination, withheld=True)
    return destination
