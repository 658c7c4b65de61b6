"""What the pages need from the rest of the house, as Protocols.

`web` imports `cdr` and no other package of ours. The application (`b2bua`) hands in objects
with these methods. A coroutine here may cross to the signalling process; a plain function may
wait for the disk and is called in a thread with a time limit.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from cdr.account_records import SessionClosed, SessionOpened, SessionTouched
from cdr.proofs import Proofs
from cdr.records import AuditEntry
from web.secret import new_secret

Language: TypeAlias = Literal["de", "en"]
Mode: TypeAlias = Literal["off", "manual", "automatic", "never"]

ManualConsent: TypeAlias = Literal["ask", "attested"]
SrtpWish: TypeAlias = Literal["default", "off", "optional", "required"]
DtmfWay: TypeAlias = Literal["rfc4733", "info", "in_band"]
Direction: TypeAlias = Literal["incoming", "outgoing", "internal"]

AccountWrite: TypeAlias = SessionOpened | SessionTouched | SessionClosed | AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionSetting:
    """A wanted change of one extension; None leaves a thing as it is."""

    actor: str
    "Goes into the audit row, and becomes `opt_in_by`."
    number: str
    mode: Mode | None = None
    opt_in: bool | None = None
    "True: agreed now, by the actor. False: withdrawn."
    manual_consent: ManualConsent | None = None
    "`ask`: the other party is asked when the extension presses the key; `attested`: it was."
    directions: tuple[Direction, ...] | None = None
    "Of calls that mode `automatic` is for."
    user_may_stop: bool | None = None
    "Whether the one on the phone may stop an automatic recording."
    forward_always: str | None = None
    "A number as the extension would dial it; empty: nowhere."
    forward_busy: str | None = None
    forward_no_answer: str | None = None
    forward_offline: str | None = None
    forward_after_s: int | None = None
    "Seconds that it rings before `forward_no_answer`."
    srtp: SrtpWish | None = None
    "`default`: as the configuration says for everybody."
    dtmf: tuple[DtmfWay, ...] | None = None
    "In which ways its telephone presses keys; none: as the configuration says."


class Changes(Protocol):
    """The way to the one writer. Each method returns after the commit, its audit row included.

    Raises `ChangeRefusedError` where the change itself can't be made, `UnavailableError` where
    nobody answers.
    """

    async def set_extension(self, setting: ExtensionSetting) -> None: ...

    async def write(self, record: AccountWrite) -> None:
        """Commit a login, a logout, a sign of life of a session, or an audit row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStatus:
    """What the server is doing now."""

    calls: int
    recordings: int
    registrations: int
    trouble: str | None = None
    "Why it is not ready to take calls, in words for the operator; None where it is."


class Live(Protocol):
    """The running server. Raises `UnavailableError` where it does not answer."""

    async def status(self) -> LiveStatus: ...

    async def metrics(self) -> str:
        """Return all counters in Prometheus' text format."""


class Recordings(Protocol):
    """The recordings' folder. Paths are those of the table, relative to its root.

    All refuse whatever leads out of the root, symbolic links included.
    """

    def open(self, relative_path: str) -> int:
        """Return a descriptor for reading; raises `OSError` or `ValueError` where there is none."""

    def open_growing(self, relative_path: str) -> int:
        """Return a descriptor of a recording that is being written, or was a moment ago.

        Raises as `open` does.
        """

    def is_growing(self, relative_path: str, descriptor: int) -> bool:
        """Tell whether the open file is still being written; raises `OSError`."""

    def present(self, relative_paths: Collection[str]) -> frozenset[str]:
        """Return those paths behind which a readable, not empty file stands."""


class Sentences(Protocol):
    """Why a call was recorded or not, for a human."""

    def sentence(self, key: str, params: str, language: Language) -> str:
        """Render `outcome_reason` and `outcome_params`; empty where there is nothing to say."""


SpaceLevel: TypeAlias = Literal["ok", "low", "critical"]
"Below `low` the operator is warned, below `critical` no recording begins."


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFigures:
    """The file system that holds the recordings."""

    folder: str
    total_octets: int
    free_octets: int
    level: SpaceLevel


class Storage(Protocol):
    """Space for recordings."""

    def figures(self) -> StorageFigures:
        """Return what `statvfs` says; raises `OSError`."""

    def test(self) -> str | None:
        """Write, sync and remove a small file; return the trouble in words, None where it went."""


def wall_us() -> int:
    """Return the wall time in microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that the pages are given."""

    reader: Proofs
    "Opened and closed by the application."
    changes: Changes
    live: Live
    recordings: Recordings
    sentences: Sentences
    storage: Storage
    wall: Callable[[], int] = field(default=wall_us)
    monotonic: Callable[[], float] = field(default=time.monotonic)
    secret: Callable[[], str] = field(default=new_secret)
