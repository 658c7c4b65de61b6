"""What the flood sends, and that it does so evenly."""

import socket

import pytest

from bench import flood
from rtp.header import RtpHeader

RATE = flood.Flood(kind="packets", host="127.0.0.1", port=5060, rate=20_000, seconds=0.5)


def test_bursts_are_even_and_leave_nothing_out() -> None:
    planned = list(flood.bursts(RATE))
    assert planned[0] == (0.0, 0, 40)
    assert planned[-1][2] == 10_000
    assert [end for _, _, end in planned[:-1]] == [first for _, first, _ in planned[1:]]
    assert max(end - first for _, first, end in planned) == 40


def test_a_stranger_speaks_rtp() -> None:
    headers = [RtpHeader.parse(flood.stranger(number)) for number in (0, 1, 70_000)]
    assert [each.sequence for each in headers] == [0, 1, 70_000 - 65_536]
    assert {each.payload_type for each in headers} == {8}


def test_no_two_registers_are_alike() -> None:
    made = [flood.register(number, ("127.0.0.4", 5061), RATE) for number in range(3)]
    assert len(set(made)) == 3
    assert all(each.startswith(b"REGISTER sip:127.0.0.1:5060 SIP/2.0\r\n") for each in made)
    assert all(each.endswith(b"\r\n\r\n") for each in made)


@pytest.mark.parametrize("kind", ["packets", "registers"])
def test_everything_is_sent_and_what_comes_back_is_counted(kind: flood.Kind) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound,
    ):
        target.bind(("127.0.0.1", 0))
        bound.bind(("127.0.0.1", 0))
        bound.setblocking(False)
        target.sendto(b"answer", bound.getsockname())
        order = flood.Flood(
            kind=kind, host="127.0.0.1", port=target.getsockname()[1], rate=1000, seconds=0.05
        )
        came = flood.run(order, bound)
        target.settimeout(1.0)
        messages = [target.recv(2048) for _ in range(came.sent)]
    assert came.sent == 50
    assert came.sent_octets == sum(len(message) for message in messages)
    assert (came.answers, came.answered_octets) == (1, 6)
