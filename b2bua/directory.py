"""The extensions, in memory: what routing, authentication and policy ask on the call path.

A copy of the database's rows, loaded at start and renewed after each committed change, so a
call never waits for the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cdr.rows import ExtensionRow
from ivr.key_pad import Way
from recording.policy import Direction, Mode, OwnParty
from sip.digest import ALGORITHMS, Ha1
from sip.secure_media import Srtp


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwards:
    """Where an extension's calls go in its place: numbers as it would dial them, or empty."""

    always: str = ""
    busy: str = ""
    "It is in as many calls as it may be, or its telephone says busy or declines."
    no_answer: str = ""
    offline: str = ""
    "No telephone is registered, or none can be reached."
    after_s: int = 20
    "Seconds that it rings before `no_answer`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One own number and its settings."""

    number: str
    name: str
    mode: str
    "`off`, `manual`, `automatic` or `never`."
    directions: frozenset[str]
    "Of calls that mode `automatic` is for: `incoming`, `outgoing`, `internal`."
    user_may_stop: bool
    manual_consent: str
    """`ask`: the outside party is asked when the extension starts a recording by key.
    `attested`: the extension has asked in words, its key press is the evidence."""
    opt_in_at: int | None
    "When the extension's own side agreed to be recorded (Unix microseconds); None: it did not."
    opt_in_by: str | None
    ha1: Ha1
    forwards: Forwards = Forwards()
    srtp: Srtp | None = None
    "None: as the configuration says for everybody."
    dtmf: tuple[Way, ...] = ()
    "In which ways it presses keys; none: as the configuration says."
    own_party: OwnParty = field(init=False, compare=False, repr=False)
    "The extension as the recording policy sees it."

    def __post_init__(self) -> None:
        own_party = OwnParty(
            number=self.number,
            mode=Mode(self.mode),
            opted_in=self.opt_in_at is not None,
            directions=frozenset(Direction(name) for name in self.directions if name),
            may_stop=self.user_may_stop,
            attested=self.manual_consent == "attested",
        )
        object.__setattr__(self, "own_party", own_party)

    @classmethod
    def from_row(cls, row: ExtensionRow) -> "Extension":
        """Read a row of the database."""
        return cls(
            number=row.number,
            name=row.name,
            mode=row.mode,
            directions=frozenset(row.directions.split(",")),
            user_may_stop=row.user_may_stop,
            manual_consent=row.manual_consent,
            opt_in_at=row.opt_in_at,
            opt_in_by=row.opt_in_by,
            forwards=Forwards(
                always=row.forward_always,
                busy=row.forward_busy,
                no_answer=row.forward_no_answer,
                offline=row.forward_offline,
                after_s=row.forward_after_s,
            ),
            srtp=Srtp(row.srtp) if row.srtp else None,
            dtmf=tuple(Way(each) for each in row.dtmf.split(",") if each),
            ha1=Ha1(
                md5=row.ha1_md5,
                sha256=row.ha1_sha256,
                algorithms=tuple(a for a in ALGORITHMS if a in row.algorithms.split(",")),
            ),
        )


class Directory:
    """Extensions by number; a disabled one is not there."""

    def __init__(self) -> None:
        self._by_number: dict[str, Extension] = {}

    def load(self, rows: Iterable[ExtensionRow]) -> None:
        """Take the rows as they stand in the database."""
        self._by_number.clear()
        for row in rows:
            self.put(row)

    def put(self, row: ExtensionRow) -> None:
        """Take one row that was committed."""
        if row.disabled_at is None:
            self._by_number[row.number] = Extension.from_row(row)
        else:
            self.remove(row.number)

    def remove(self, number: str) -> None:
        self._by_number.pop(number, None)

    def get(self, number: str) -> Extension | None:
        """Return the extension of `number`, if it is one of ours."""
        return self._by_number.get(number)

    def __len__(self) -> int:
        return len(self._by_number)
