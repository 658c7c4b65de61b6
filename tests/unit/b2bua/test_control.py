import asyncio
import os
from pathlib import Path

import pytest

from b2bua.control.messages import (
    AddExtension,
    AnyRequest,
    Done,
    OnBehalf,
    Refused,
    Reply,
    WriteAudit,
)
from b2bua.control.socket import ask, ask_async, control_server
from b2bua.errors import ControlError, MitschnittError

REQUEST = AddExtension(number="101", name="Ada", password="secret-secret")


async def answer_done(request: AnyRequest, actor: str) -> Reply:
    assert isinstance(request, AddExtension)
    assert actor.startswith("cli:")
    return Done()


async def test_a_request_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with control_server(path, answer_done):
        assert await asyncio.to_thread(ask, path, REQUEST) == Done()
        assert path.stat().st_mode & 0o777 == 0o600


async def test_an_error_of_ours_becomes_a_refusal(tmp_path: Path) -> None:
    async def refuse(request: AnyRequest, actor: str) -> Reply:
        raise MitschnittError(f"no {request} for {actor}")

    path = tmp_path / "c.sock"
    async with control_server(path, refuse):
        reply = await asyncio.to_thread(ask, path, REQUEST)
    assert isinstance(reply, Refused)
    assert "AddExtension" in reply.reason


async def test_a_bug_in_the_handler_ends_one_request_only(tmp_path: Path) -> None:
    calls: list[AnyRequest] = []

    async def fail_once(request: AnyRequest, actor: str) -> Reply:
        del actor
        calls.append(request)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return Done()

    path = tmp_path / "c.sock"
    async with control_server(path, fail_once):
        with pytest.raises(ControlError, match="without an answer"):
            await asyncio.to_thread(ask, path, REQUEST)
        assert await asyncio.to_thread(ask, path, REQUEST) == Done()


async def test_nonsense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with control_server(path, answer_done):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"type": "Nonsense"}\n')
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert b"Refused" in line


FOR_ADA = OnBehalf(actor="web:ada", request=WriteAudit(action="recording.play", object="r"))


async def test_the_web_process_asks_for_the_one_who_is_logged_in(tmp_path: Path) -> None:
    asked: list[tuple[AnyRequest, str]] = []

    async def keep(request: AnyRequest, actor: str) -> Reply:
        asked.append((request, actor))
        return Done()

    path = tmp_path / "c.sock"
    async with control_server(path, keep, web_pid=os.getpid):
        assert await ask_async(path, FOR_ADA, 5.0) == Done()
    assert asked == [(FOR_ADA.request, "web:ada")]


async def test_nobody_else_asks_on_behalf_of_others(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with control_server(path, answer_done, web_pid=lambda: os.getpid() + 1):
        reply = await ask_async(path, FOR_ADA, 5.0)
    assert isinstance(reply, Refused)
    assert "web process" in reply.reason


@pytest.mark.parametrize("actor", ["cli:root", "web:", "", "web:a\nb", "web:" + "x" * 81])
async def test_the_web_process_asks_for_its_own_people_only(tmp_path: Path, actor: str) -> None:
    path = tmp_path / "c.sock"
    request = OnBehalf(actor=actor, request=FOR_ADA.request)
    async with control_server(path, answer_done, web_pid=os.getpid):
        reply = await ask_async(path, request, 5.0)
    assert isinstance(reply, Refused)


async def test_a_session_is_opened_for_someone_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with control_server(path, answer_done, web_pid=os.getpid):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"type": "CloseSession", "id_hash": "ab"}\n')
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert b"Refused" in line


async def test_a_server_that_is_silent_is_not_waited_for(tmp_path: Path) -> None:
    woken = asyncio.Event()

    async def sleep(request: AnyRequest, actor: str) -> Reply:
        del request, actor
        await woken.wait()
        return Done()

    path = tmp_path / "c.sock"
    async with control_server(path, sleep):
        with pytest.raises(ControlError, match="in time"):
            await ask_async(path, REQUEST, 0.05)
        woken.set()
    assert await ask_async(path, REQUEST, 5.0) is None


def test_without_a_server_there_is_no_reply(tmp_path: Path) -> None:
    assert ask(tmp_path / "absent.sock", REQUEST) is None
