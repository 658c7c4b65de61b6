"""A whole web application in memory, over a real database that `cdr` has filled."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI

from b2bua.web.ports import FolderRecordings, FolderStorage, ReasonSentences
from cdr.account_records import Role, SessionTouched, UserAdded
from cdr.errors import CdrError
from cdr.extension_records import ExtensionChanged, OptIn
from cdr.journal import Journal, JournalSettings
from cdr.proofs import Proofs
from cdr.records import (
    CallAnswered,
    CallEnded,
    CallOpened,
    Change,
    EvidenceStored,
    PartyJoined,
    SegmentClosed,
    SegmentOpened,
    TokenAdded,
)
from cdr.unchanged import UNCHANGED, Unchanged
from recording.folder import Folder
from web.app import create_app
from web.errors import ChangeRefusedError, UnavailableError
from web.ports import AccountWrite, ExtensionSetting, LiveStatus, Ports
from web.secret import digest
from web.settings import WebSettings

AT = 1_767_614_400_000_000
"2026-01-05 12:00:00 UTC, 13:00 in Berlin."
SECOND = 1_000_000
PASSWORD = "correct horse battery"
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"For tests: some microseconds instead of 150 ms."
HASH = HASHER.hash(PASSWORD)
AUDIO = bytes(range(256)) * 700
"179,200 octets: more than two chunks."
ORIGIN = "http://house"
QUICK = JournalSettings(group_s=0.001, close_s=5.0)

T = TypeVar("T")

_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class JournalChanges:
    """The port to the writer, without a socket in between."""

    def __init__(self, journal: Journal, wall: "Clock") -> None:
        self._journal = journal
        self._wall = wall
        self.silent = False

    async def set_extension(self, setting: ExtensionSetting) -> None:
        opt_in = OptIn(at=self._wall.at, by=setting.actor) if setting.opt_in else None
        await self._execute(
            ExtensionChanged(
                actor=setting.actor,
                at=self._wall.at,
                number=setting.number,
                mode=wanted(setting.mode),
                opt_in=UNCHANGED if setting.opt_in is None else opt_in,
                manual_consent=wanted(setting.manual_consent),
                directions=wanted(setting.directions),
                user_may_stop=wanted(setting.user_may_stop),
                forward_always=wanted(setting.forward_always),
                forward_busy=wanted(setting.forward_busy),
                forward_no_answer=wanted(setting.forward_no_answer),
                forward_offline=wanted(setting.forward_offline),
                forward_after_s=wanted(setting.forward_after_s),
                dtmf=wanted(setting.dtmf),
                srtp="" if setting.srtp == "default" else wanted(setting.srtp),
            )
        )

    async def write(self, record: AccountWrite) -> None:
        if isinstance(record, SessionTouched):
            if self.silent:
                raise UnavailableError("the server does not answer")
            self._journal.put(record)
            await self._journal.drain(5)
        else:
            await self._execute(record)

    async def _execute(self, change: Change) -> None:
        if self.silent:
            raise UnavailableError("the server does not answer")
        try:
            await self._journal.execute(change)
        except CdrError as error:
            raise ChangeRefusedError(str(error)) from error


@dataclass
class FixedLive:
    """A server that says what the test wants."""

    state: LiveStatus | None = field(
        default_factory=lambda: LiveStatus(calls=2, recordings=1, registrations=3)
    )

    async def status(self) -> LiveStatus:
        if self.state is None:
            raise UnavailableError("the server does not answer")
        return self.state

    async def metrics(self) -> str:
        return "mitschnitt_calls 2\n"


@dataclass
class Clock:
    """Wall and monotonic time that only the test moves."""

    at: int = AT

    def wall(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / SECOND

    def pass_s(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)


class House:
    """The application and everything around it."""

    def __init__(self, database: Path, journal: Journal, reader: Proofs, folder: Path) -> None:
        self.database = database
        self.journal = journal
        self.reader = reader
        self.folder = folder
        self.clock = Clock()
        self.changes = JournalChanges(journal, self.clock)
        self.live = FixedLive()
        self.ports = Ports(
            reader=reader,
            changes=self.changes,
            live=self.live,
            recordings=FolderRecordings(Folder(folder)),
            sentences=ReasonSentences(),
            storage=FolderStorage(Folder(folder)),
            wall=self.clock.wall,
            monotonic=self.clock.monotonic,
        )
        self.settings = WebSettings(timezone=ZoneInfo("Europe/Berlin"), version="0.1.0")

    # --- what the database holds

    async def user(
        self, name: str = "ada", role: Role = "admin", extensions: tuple[str, ...] = ()
    ) -> None:
        await self.journal.execute(
            UserAdded(
                actor="cli:root",
                at=AT,
                name=name,
                password_hash=HASH,
                role=role,
                extensions=extensions,
            )
        )

    async def token(self, scopes: str = "calls,audio", name: str = "reports") -> dict[str, str]:
        """Make a token and return the header that shows it."""
        secret = f"secret-of-{name}"
        await self.journal.execute(
            TokenAdded(
                actor="cli:root",
                at=AT,
                name=name,
                hash=digest(secret),
                scopes=tuple(scopes.split(",")),
            )
        )
        return {"Authorization": f"Bearer {secret}"}

    async def call(
        self,
        name: str = "1",
        opened: CallOpened | None = None,
        extensions: tuple[str, ...] = ("101", "102"),
        **ended: object,
    ) -> None:
        """Store a finished call without a recording."""
        self.journal.put(opened or call_opened(name))
        for side, extension in enumerate(extensions):
            self.journal.put(
                PartyJoined(
                    party_id=f"party-{name}-{side}",
                    call_id=f"call-{name}",
                    leg="ab"[side],
                    side=side,
                    joined_at=AT,
                    extension=extension,
                    number=extension,
                )
            )
        self.journal.put(CallAnswered(id=f"call-{name}", answered_at=AT + 5 * SECOND))
        self.journal.put(replace(call_ended(name), **ended))  # type: ignore[arg-type] # fields by name
        assert await self.journal.drain(5)

    async def recording(
        self, name: str = "1", number: int = 1, *, file: bool = True, **closed: object
    ) -> str:
        """Store a recording of a call, and its file; return its id."""
        recording_id = f"recording-{name}-{number}"
        path = relative_path(name, number)
        self.journal.put(
            SegmentOpened(
                id=recording_id,
                call_id=f"call-{name}",
                number=number,
                relative_path=path,
                started_at=AT + number * SECOND,
            )
        )
        end = SegmentClosed(
            id=recording_id,
            state="finished",
            ended_at=AT + 60 * SECOND,
            duration_s=59.7,
            octets=len(AUDIO),
            sha256="ab" * 32,
            relative_path=path,
        )
        self.journal.put(replace(end, **closed))  # type: ignore[arg-type] # fields by name
        assert await self.journal.drain(5)
        if file:
            self.file(path).parent.mkdir(parents=True, exist_ok=True)
            self.file(path).write_bytes(AUDIO)
        return recording_id

    async def evidence(
        self, name: str = "1", side: int = 0, changed: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        """Store what one party of a call said: by default, an extension's opt-in."""
        said = EvidenceStored(
            id=f"evidence-{name}-{side}",
            call_id=f"call-{name}",
            party_id=f"party-{name}-{side}",
            kind="opt_in",
            decision="granted",
            decided_at=AT,
            extension="101",
            opt_in_at=AT - 86_400 * SECOND,
            opt_in_by="web:grace",
        )
        self.journal.put(replace(said, **changed))  # type: ignore[arg-type] # fields by name
        assert await self.journal.drain(5)

    def file(self, path: str) -> Path:
        return self.folder / path

    # --- those who ask

    def app(self, **settings: object) -> FastAPI:
        changed = replace(self.settings, **settings)  # type: ignore[arg-type] # fields by name
        return create_app(self.ports, changed, HASHER)

    @asynccontextmanager
    async def browser(
        self, app: FastAPI | None = None, base: str = ORIGIN, source: str = "192.0.2.7"
    ) -> AsyncIterator["Browser"]:
        transport = httpx.ASGITransport(app=app or self.app(), client=(source, 40000))
        async with Browser(transport=transport, base_url=base, headers={"Origin": base}) as client:
            yield client

    @asynccontextmanager
    async def logged_in(
        self,
        name: str = "ada",
        role: Role = "admin",
        extensions: tuple[str, ...] = (),
        app: FastAPI | None = None,
    ) -> AsyncIterator["Browser"]:
        """Make a user, and return his browser after the login."""
        await self.user(name, role, extensions)
        async with self.browser(app) as browser:
            assert (await browser.log_in(name)).status_code == 303
            yield browser

    async def audited(self) -> list[tuple[str, str, str]]:
        """Return actor, action and object of all audit rows, oldest first."""
        rows = await self.reader.audit(limit=1000)
        return [(row.actor, row.action, row.object) for row in reversed(rows)]


class Browser(httpx.AsyncClient):
    """A client that fills in forms."""

    async def log_in(
        self, name: str = "ada", password: str = PASSWORD, target: str = ""
    ) -> httpx.Response:
        return await self.post("/login", data={"name": name, "password": password, "next": target})

    async def csrf_token(self, page: str = "/extensions") -> str:
        match = _CSRF.search((await self.get(page)).text)
        assert match is not None
        return match[1]

    async def submit(self, path: str, **fields: str) -> httpx.Response:
        """Press a button of a form."""
        return await self.post(path, data={"csrf_token": await self.csrf_token(), **fields})


def wanted(setting: T | None) -> T | Unchanged:
    return UNCHANGED if setting is None else setting


def relative_path(name: str = "1", number: int = 1) -> str:
    return f"2026/01/05/130000_101_102_{name}-{number}.mp3"


def call_opened(name: str = "1", at: int = AT, src: str = "101", dst: str = "102") -> CallOpened:
    return CallOpened(
        id=f"call-{name}",
        uniqueid=f"unique-{name}",
        linkedid=f"unique-{name}",
        calldate=at,
        clid=f'"Ada" <{src}>',
        src=src,
        dst=dst,
        direction="internal",
    )


def call_ended(name: str = "1") -> CallEnded:
    return CallEnded(
        id=f"call-{name}",
        ended_at=AT + 65 * SECOND,
        duration=65,
        billsec=60,
        disposition="ANSWERED",
        outcome="recorded",
        outcome_reason="recorded",
        outcome_params={"seconds": "59.7"},
        recordingfile=relative_path(name),
    )


def json_of(response: httpx.Response) -> dict[str, object]:
    return cast("dict[str, object]", response.json())
