"""The torture messages of RFC 4475 and 5118 against a running server, over UDP and TCP."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator

import pytest

from tests.golden.torture import RFC4475, VERDICTS, Verdict, torture
from tests.support.raw_phone import RawPhone
from tests.support.server import Server, server
from tests.support.trunk import trunk_settings

UDP_TRUNK, TCP_TRUNK, STRANGER = "127.0.0.2", "127.0.0.4", "127.0.0.5"
"Trunks are believed, so that it is the message that is judged and not its sender."

PATIENCE_S = 20.0
"For an answer that has to come."

SILENCE_S = 0.5
"Over TCP, without an answer for so long there will be none: the server is on this machine."

NO_END = ("clerr",)
"Their Content-Length is beyond their end: over TCP they are never whole."

NO_BORDER = ("ncl", "mcl01")
"Nobody knows where the next message starts, so their connection is closed."

NOTHING = frozenset({None})


@contextlib.asynccontextmanager
async def believing_server() -> AsyncIterator[Server]:
    trunks = trunk_settings(0, host=UDP_TRUNK, dids={"4930": "101"}, name="udp")
    trunks += trunk_settings(0, host=TCP_TRUNK, dids={"4931": "101"}, name="tcp", transport="tcp")
    async with server(trunks, (("101", "off", False),)) as under_test:
        yield under_test


def are_you_there(number: int, to: tuple[str, int]) -> bytes:
    """Return a request that is answered after all that came before it."""
    host, port = to
    return (
        f"OPTIONS sip:{host}:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKprobe{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:probe@192.0.2.9>;tag=probe{number}\r\n"
        f"To: <sip:{host}:{port}>\r\nCall-ID: probe{number}\r\nCSeq: 1 OPTIONS\r\n"
        "User-Agent: asks whether the server lives after each message\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


async def over_udp(source: str, to: tuple[str, int], data: bytes, number: int) -> list[bytes]:
    """Return all that comes back, and make sure that the server lives on."""
    loop, answers = asyncio.get_running_loop(), list[bytes]()
    lives = False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind((source, 0))
        sock.connect(to)
        sock.send(data)
        sock.send(are_you_there(number, to))
        async with asyncio.timeout(PATIENCE_S):
            # After a 1xx the final answer is a matter of the application.
            while not lives or (answers and verdict(answers) is None):
                answer = await loop.sock_recv(sock, 65536)
                if b"probe" in answer:
                    lives = answer.startswith(b"SIP/2.0 200 ")
                else:
                    answers.append(answer)
    return answers


async def over_tcp(
    source: str, to: tuple[str, int], data: bytes, *, to_the_end: bool
) -> list[bytes]:
    """Return all that comes back until the final answer, or until the server hangs up."""
    reader, writer = await asyncio.open_connection(*to, local_addr=(source, 0))
    writer.write(data if b"\r\n\r\n" in data else data + b"\r\n")
    octets, answers = b"", list[bytes]()
    wait_s = PATIENCE_S if to_the_end else SILENCE_S
    with contextlib.suppress(TimeoutError):
        while to_the_end or verdict(answers) is None:
            async with asyncio.timeout(PATIENCE_S if octets else wait_s):
                more = await reader.read(65536)
            if not more:
                break
            octets += more
            answers = [piece for piece in re.split(rb"(?=SIP/2\.0 )", octets) if piece]
        else:
            to_the_end = False
    assert not to_the_end or reader.at_eof(), "nobody knows where the next message starts"
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answers


def verdict(answers: list[bytes]) -> int | None:
    """Return the first final answer."""
    codes = (int(answer[8:11]) for answer in answers)
    return next((code for code in codes if code >= 200), None)


async def alive(under_test: Server) -> None:
    phone = RawPhone(under_test.host_port, under_test.extension("101"))
    with contextlib.closing(phone):
        assert await phone.options() == "SIP/2.0 200 OK"
    status = await under_test.status()
    assert status["counters"]["sip_failed"] == 0, "an exception of ours"
    assert status["calls"] == 0


def judge(found: dict[str, int | None], wanted: dict[str, Verdict]) -> None:
    wrong = {name: code for name, code in found.items() if code not in wanted[name]}
    assert wrong == {}


@pytest.mark.skipif(not RFC4475.is_dir(), reason="the messages of RFC 4475 are not here")
def test_each_message_of_rfc_4475_has_a_verdict() -> None:
    assert {path.stem for path in RFC4475.glob("*.dat")} == set(VERDICTS)


async def test_over_udp() -> None:
    async with believing_server() as under_test:
        found = {}
        for number, (name, (data, _)) in enumerate(torture().items()):
            answers = await over_udp(UDP_TRUNK, under_test.host_port, data, number)
            found[name] = verdict(answers)
        await alive(under_test)
        await under_test.stop()
    judge(found, {name: wanted for name, (_, wanted) in torture().items()})


async def test_over_tcp() -> None:
    async with believing_server() as under_test:
        found = {}
        for name, (data, _) in torture().items():
            to_the_end = name.endswith(NO_BORDER)
            to = under_test.host_port
            found[name] = verdict(await over_tcp(TCP_TRUNK, to, data, to_the_end=to_the_end))
        await alive(under_test)
        await under_test.stop()
    wanted = {name: wanted for name, (_, wanted) in torture().items()}
    judge(found, wanted | {f"4475 {name}": NOTHING for name in NO_END})


async def test_a_stranger_gets_one_reply_of_at_most_its_own_length_and_a_fifth() -> None:
    async with believing_server() as under_test:
        wrong = dict[str, list[float]]()
        for number, (name, (data, wanted)) in enumerate(torture().items()):
            answers = await over_udp(STRANGER, under_test.host_port, data, number)
            sizes = [round(len(answer) / len(data), 2) for answer in answers]
            if len(sizes) != (wanted != NOTHING) or any(size > 1.2 for size in sizes):
                wrong[name] = sizes
        await alive(under_test)
        await under_test.stop()
    assert wrong == {}
