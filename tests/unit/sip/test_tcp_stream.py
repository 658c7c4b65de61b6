"""What comes over a TCP connection: pieces, pings and what is no SIP."""

import asyncio

import pytest

from sip.message import Response
from tests.support.raw_connection import options, peer
from tests.support.shell_phone import shell_phone


async def test_a_fragmented_message_and_two_in_one_segment() -> None:
    async with shell_phone() as phone, peer(phone) as raw:
        data = options(1)
        for start in range(0, len(data), 7):
            raw.send(data[start : start + 7])
            await raw.writer.drain()
            await asyncio.sleep(0)
        assert await raw.code() == 200
        raw.send(options(2) + options(3))
        answers = [await raw.message(), await raw.message()]
        assert [answer.head.cseq for answer in answers] == [2, 3]


async def test_a_ping_gets_a_pong_and_a_flood_of_them_few() -> None:
    async with shell_phone() as phone, peer(phone) as raw:
        raw.send(b"\r\n\r\n")
        assert await raw.reader.readexactly(2) == b"\r\n"
        raw.send(b"\r\n\r\n" * 1_000 + options())
        assert await raw.code() == 200
        assert phone.endpoint.counters["keepalives"] <= 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"Content-Length: -999", "Bad Content-Length"),
        (b"Subject: none", "Missing Content-Length"),
        (b"Content-Length: 0\r\nl: 5", "Several Content-Length"),
    ],
)
async def test_a_broken_stream_gets_its_400_and_is_closed(line: bytes, reason: str) -> None:
    async with shell_phone() as phone, peer(phone) as raw:
        raw.send(options(1) + options(2).replace(b"Content-Length: 0", line) + options(3))
        assert await raw.code() == 200
        refused = await raw.message()
        assert isinstance(refused, Response)
        assert (refused.code, refused.phrase) == (400, reason)
        assert await raw.rest() == b""
        assert (await phone.lost_flow()).remote == raw.address
        assert phone.endpoint.counters["malformed"] == 1


async def test_what_is_no_sip_is_closed_without_a_word() -> None:
    async with shell_phone() as phone, peer(phone) as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await raw.rest() == b""


async def test_a_bad_message_of_known_length_leaves_the_stream_whole() -> None:
    async with shell_phone() as phone, peer(phone) as raw:
        raw.send(options(1).replace(b"Max-Forwards: 70", b"Max-Forwards: x") + options(2))
        assert [await raw.code(), await raw.code()] == [400, 200]
