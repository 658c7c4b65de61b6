"""The pages' way to the running server: what is asked, for whom, and what a refusal becomes."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from b2bua.control.messages import (
    AnyRequest,
    CloseSession,
    Done,
    GetStatus,
    OpenSession,
    Reply,
    SetExtension,
    Status,
    TouchSession,
    TrunkStatus,
    WriteAudit,
)
from b2bua.control.socket import control_server
from b2bua.errors import UsageError
from b2bua.web.metrics import render
from b2bua.web.ports import Server, ServerChanges, ServerLive
from cdr.account_records import SessionClosed, SessionOpened, SessionTouched
from cdr.records import AuditEntry
from web.errors import ChangeRefusedError, UnavailableError
from web.ports import ExtensionSetting

STATUS = Status(
    version="0.1.0",
    sip="127.0.0.1:5060",
    web="http://127.0.0.1:8080",
    pids={},
    calls=2,
    recordings=1,
    registrations=3,
    accepting=True,
    journal_healthy=True,
    counters={"media_packets_received": 7.0, "recorder_lag_s": 0.5, "recorder_cpu_s": 1.5},
)


class Running:
    """A server that keeps what it is asked and says what the test wants."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[tuple[AnyRequest, str]] = []
        self.status = STATUS
        self.refusal: str | None = None

    async def handle(self, request: AnyRequest, actor: str) -> Reply:
        self.asked.append((request, actor))
        if self.refusal is not None:
            raise UsageError(self.refusal)
        return self.status if isinstance(request, GetStatus) else Done()


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    server = Running(tmp_path / "c.sock")
    async with control_server(server.path, server.handle, web_pid=os.getpid):
        yield server


async def test_a_setting_is_changed_for_the_one_who_is_logged_in(running: Running) -> None:
    setting = ExtensionSetting(
        actor="web:ada", number="101", mode="manual", directions=("incoming",), user_may_stop=True
    )
    await ServerChanges(Server(running.path)).set_extension(setting)
    assert running.asked == [
        (
            SetExtension(number="101", mode="manual", directions=("incoming",), user_may_stop=True),
            "web:ada",
        )
    ]


async def test_what_happens_at_the_pages_is_written(running: Running) -> None:
    changes = ServerChanges(Server(running.path))
    await changes.write(
        SessionOpened(
            actor="web:ada",
            at=1,
            id_hash="h",
            user="ada",
            csrf_token="c",
            idle_expires_at=2,
            expires_at=3,
            source="192.0.2.7",
        )
    )
    await changes.write(SessionTouched(id_hash="h", idle_expires_at=4))
    await changes.write(SessionClosed(actor="web:ada", at=5, id_hash="h"))
    await changes.write(
        AuditEntry(at=6, actor="token:x", action="recording.play", object="r", detail={"n": 1})
    )
    opened = OpenSession(
        user="ada",
        id_hash="h",
        csrf_token="c",
        idle_expires_at=2,
        expires_at=3,
        source="192.0.2.7",
    )
    assert running.asked == [
        (opened, "web:ada"),
        (TouchSession(id_hash="h", idle_expires_at=4), "web"),
        (CloseSession(id_hash="h"), "web:ada"),
        (
            WriteAudit(action="recording.play", object="r", detail={"n": 1}),
            "token:x",
        ),
    ]


async def test_a_refusal_says_why(running: Running) -> None:
    running.refusal = "there is no extension 101"
    with pytest.raises(ChangeRefusedError, match="no extension 101"):
        await ServerChanges(Server(running.path)).set_extension(
            ExtensionSetting(actor="web:ada", number="101", opt_in=True)
        )


async def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    live = ServerLive(Server(tmp_path / "c.sock"))
    with pytest.raises(UnavailableError):
        await live.status()
    with pytest.raises(UnavailableError):
        await live.metrics()


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({}, None),
        ({"accepting": False}, "takes no calls"),
        ({"journal_healthy": False}, "journal can't be written"),
    ],
)
async def test_trouble_is_told_in_words(
    running: Running, change: dict[str, bool], trouble: str | None
) -> None:
    running.status = msgspec.structs.replace(STATUS, **change)
    status = await ServerLive(Server(running.path)).status()
    assert (status.calls, status.recordings, status.registrations) == (2, 1, 3)
    if trouble is None:
        assert status.trouble is None
    else:
        assert status.trouble is not None
        assert trouble in status.trouble


def test_metrics_of_trunks_have_their_names() -> None:
    trunks = (
        TrunkStatus(name="a", registration="registered", calls=2),
        TrunkStatus(name="b", registration="not registered", watched="not there"),
        TrunkStatus(name="c", registration="", watched="there"),
    )
    lines = set(render(msgspec.structs.replace(STATUS, trunks=trunks)).splitlines())
    assert {line for line in lines if line.startswith("mitschnitt_trunk")} == {
        'mitschnitt_trunk_registered{trunk="a"} 1.0',
        'mitschnitt_trunk_registered{trunk="b"} 0.0',
        'mitschnitt_trunk_up{trunk="b"} 0.0',
        'mitschnitt_trunk_up{trunk="c"} 1.0',
        'mitschnitt_trunk_calls{trunk="a"} 2.0',
        'mitschnitt_trunk_calls{trunk="b"} 0.0',
        'mitschnitt_trunk_calls{trunk="c"} 0.0',
    }


async def test_nobody_blocks_the_loop_while_asking(running: Running) -> None:
    live = ServerLive(Server(running.path))
    answers = await asyncio.gather(*(live.status() for _ in range(20)))
    assert len(answers) == len(running.asked) == 20


def test_metrics_have_names_types_and_units() -> None:
    text = render(STATUS)
    lines = text.splitlines()
    assert 'mitschnitt_info{version="0.1.0"} 1.0' in lines
    assert "mitschnitt_calls 2.0" in lines
    assert "# TYPE mitschnitt_calls gauge" in lines
    assert "mitschnitt_journal_healthy 1.0" in lines
    assert "mitschnitt_media_packets_received_total 7.0" in lines
    assert "mitschnitt_recorder_cpu_seconds_total 1.5" in lines
    assert "# TYPE mitschnitt_recorder_lag_seconds gauge" in lines
    assert "mitschnitt_recorder_lag_seconds 0.5" in lines
    helped = [line for line in lines if line.startswith("# HELP mitschnitt_media_packets")]
    assert helped == ["# HELP mitschnitt_media_packets_received_total packets received (media)"]
