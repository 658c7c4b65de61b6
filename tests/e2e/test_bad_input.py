"""What nobody should send, and what should not happen: a clear answer, and nobody else harmed."""

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.calls import call, end
from tests.support import audio, ports
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.process import Child
from tests.support.raw_phone import RawPhone
from tests.support.server import PROGRAM, ROOT, Server, server

OFF = (("101", "off", False), ("102", "off", False))
RECORDED = (("101", "automatic", True), ("102", "automatic", True))
SAYS = audio.tone(440.0, 20.0)
ANSWERS = audio.tone(620.0, 20.0)
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 8\r\n"
)
FEW_PORTS = 8


@contextlib.asynccontextmanager
async def raw_phone(under_test: Server) -> AsyncIterator[RawPhone]:
    phone = RawPhone(under_test.host_port, under_test.extension("101"))
    try:
        yield phone
    finally:
        phone.close()


async def test_malformed_datagrams_are_answered_or_dropped_and_harm_nobody() -> None:
    async with server(extensions=OFF) as under_test, raw_phone(under_test) as phone:
        for data in (
            b"\x00" * 200,
            b"INVITE sip:102@127.0.0.1 SIP/2.0\r\n\r\n",
            b"\r\n\r\n",
            b"SIP/2.0 200 OK\r\n\r\n",
            b"\xff" * 65000,
            b"INVITE " + b"x" * 60000,
        ):
            phone.send(data)
        phone.send(phone._request("INVITE", "sip:102@127.0.0.1").replace(b"CSeq: 1 ", b"CSeq: x "))
        answers = [await phone.final()]
        assert answers[0].startswith("SIP/2.0 400 ")
        assert await phone.options() == "SIP/2.0 200 OK"
        status = await under_test.status()
        assert status["counters"]["sip_malformed"] >= 4
        assert status["counters"]["sip_failed"] == 0, "an exception of ours"
        await under_test.stop()


async def test_an_unknown_number_is_404() -> None:
    async with server(extensions=OFF) as under_test, raw_phone(under_test) as phone:
        assert (await phone.invite("777", SDP)).startswith("SIP/2.0 404 ")
        await under_test.stop()


@pytest.mark.peer("baresip")
async def test_a_description_that_can_not_be_used_is_488() -> None:
    async with (
        server(extensions=OFF) as under_test,
        baresip(under_test.setup("102", ANSWERS)) as bob,
        raw_phone(under_test) as phone,
    ):
        nonsense = SDP.replace(b"m=audio 40000 RTP/AVP 8", b"m=audio 40000 RTP/SAVP 8")
        assert (await phone.invite("102", nonsense)).startswith("SIP/2.0 488 ")
        row = await under_test.the_call()
        assert (row["disposition"], row["outcome"]) == ("FAILED", "not_connected")
        assert not bob.has_seen("CALL_INCOMING")
        await under_test.stop()


@contextlib.contextmanager
def occupied(first: int, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for port in range(first, first + count):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind((ports.LOOPBACK, port))
        yield


@pytest.mark.peer("baresip")
async def test_a_full_port_range_is_503_and_the_next_call_is_served() -> None:
    first = ports.take(FEW_PORTS)
    settings = f'[media]\nports = "{first}-{first + FEW_PORTS - 1}"\nmax_calls = 2\n'
    async with (
        server(settings, OFF) as under_test,
        baresip(under_test.setup("101", SAYS)) as alice,
        baresip(under_test.setup("102", ANSWERS)) as bob,
    ):
        with occupied(first, FEW_PORTS):
            async with raw_phone(under_test) as phone:
                assert (await phone.invite("102", SDP)).startswith("SIP/2.0 503 ")
        await call(alice, bob)
        await end(alice, bob)
        await under_test.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_second_server_on_the_same_port_is_told_so(tmp_path: Path, transport: str) -> None:
    async with server(f'[sip]\ntransports = ["{transport}"]\n', extensions=()) as under_test:
        argv = [*PROGRAM, "serve", "--config", str(under_test.folder / "mitschnitt.toml")]
        async with Child("second", [*argv, "--data", str(tmp_path)], cwd=ROOT) as second:
            assert await second.wait(timeout_s=60.0) == 1
            place = f"{under_test.sip} ({transport.upper()})"
            told = f"SIP can't listen on {place}: Address already in use"
            assert told in second.report()
        await under_test.stop()


@pytest.mark.peer("baresip")
async def test_a_disk_that_can_not_be_written_costs_the_recording_not_the_call() -> None:
    async with (
        server(extensions=RECORDED) as under_test,
        baresip(under_test.setup("101", SAYS)) as alice,
        baresip(under_test.setup("102", ANSWERS)) as bob,
    ):
        under_test.recordings.rmdir()
        under_test.recordings.write_text("not a folder")
        await call(alice, bob)
        await alice.hears()
        await bob.hears()
        await talk(2.0)
        await end(alice, bob)
        row = await under_test.the_call(timeout_s=30.0)
        assert (row["disposition"], row["outcome"]) == ("ANSWERED", "failed")
        assert row["outcome_reason"] == "disk"
        assert row["why"]
        assert not row["recordingfile"]
        audio.assert_tone(alice.heard(), 620.0, 0.5, 1.5)
        audio.assert_tone(bob.heard(), 440.0, 0.5, 1.5)
        await under_test.stop()
