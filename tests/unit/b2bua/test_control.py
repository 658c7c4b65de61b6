import asyncio
import os
from pathlib import Path

import pytest

from b2bua import control
from b2bua.errors import ControlError, MitschnittError

REQUEST = control.AddExtension(number="101", name="Ada", password="secret-secret")


async def answer_done(request: control.AnyRequest, actor: str) -> control.Reply:
    assert isinstance(request, control.AddExtension)
    assert actor.startswith("cli:")
    return control.Done()


async def test_a_request_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with control.control_server(path, answer_done):
        assert await asyncio.to_thread(control.ask, path, REQUEST) == control.Done()
        assert path.stat().st_mode & 0o777 == 0o600


async def test_an_error_of_ours_becomes_a_refusal(tmp_path: Path) -> None:
    async def refuse(request: control.AnyRequest, actor: str) -> control.Reply:
        raise MitschnittError(f"no {request} for {actor}")

    path = tmp_path / "c.sock"
    async with control.control_server(path, refuse):
        reply = await asyncio.to_thread(control.ask, path, REQUEST)
    assert isinstance(reply, control.Refused)
    assert "AddExtension" in reply.reason


async def test_a_bug_in_the_handler_ends_one_request_only(tmp_path: Path) -> None:
    calls: list[control.AnyRequest] = []

    async def fail_once(request: control.AnyRequest, actor: str) -> control.Reply:
        del actor
        calls.append(request)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return control.Done()

    path = tmp_path / "c.sock"
    async with control.control_server(path, fail_once):
        with pytest.raises(ControlError, match="without an answer"):
            await asyncio.to_thread(control.ask, path, REQUEST)
        assert await asyncio.to_thread(control.ask, path, REQUEST) == control.Done()


async def test_nonsense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with control.control_server(path, answer_done):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"type": "Nonsense"}\n')
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert b"Refused" in line


def test_without_a_server_there_is_no_reply(tmp_path: Path) -> None:
    assert control.ask(tmp_path / "absent.sock", REQUEST) is None
