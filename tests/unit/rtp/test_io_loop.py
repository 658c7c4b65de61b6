import itertools
import socket
from collections.abc import Iterator

import pytest

from rtp.fast_path import ANY_TYPE
from rtp.header import HEADER
from rtp.io.loop import EventLoop
from rtp.outgoing import OutgoingStream
from rtp.relay import Relay

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    yield loop
    loop.close()


def test_a_readable_descriptor_is_called_until_it_is_read(loop: EventLoop, pair: Pair) -> None:
    ours, theirs = pair
    got: list[bytes] = []

    def read(now: int) -> None:
        assert now > 0
        got.append(ours.recv(100))
        if len(got) == 3:
            loop.stop()

    loop.set(ours.fileno(), read)
    for data in (b"1", b"2", b"3"):
        theirs.send(data)
    loop.run()
    assert got == [b"1", b"2", b"3"]


def test_an_exception_is_told_and_the_loop_runs_on(loop: EventLoop, pair: Pair) -> None:
    ours, theirs = pair
    told: list[tuple[int, str]] = []

    def broken(now: int) -> None:  # noqa: ARG001 - a callback
        data = ours.recv(100)
        if data == b"stop":
            loop.stop()
            return
        raise KeyError(data.decode())

    loop.on_error = lambda fd, error: told.append((fd, str(error)))
    loop.set(ours.fileno(), broken)
    for data in (b"a", b"b", b"stop"):
        theirs.send(data)
    loop.run()
    assert told == [(ours.fileno(), "'a'"), (ours.fileno(), "'b'")]


def test_without_a_listener_exceptions_come_out(loop: EventLoop, pair: Pair) -> None:
    ours, theirs = pair

    def broken(now: int) -> None:
        raise ValueError(str(now > 0))

    loop.set(ours.fileno(), broken)
    theirs.send(b"x")
    with pytest.raises(ValueError, match="True"):
        loop.run()


def test_a_descriptor_removed_within_its_batch_is_not_called(loop: EventLoop) -> None:
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
    called: list[int] = []

    def remove_the_other(fd: int, other: int) -> None:
        called.append(fd)
        loop.remove(other)
        loop.stop()

    first, second = (ours.fileno() for ours, _ in pairs)
    loop.set(first, lambda _: remove_the_other(first, second))
    loop.set(second, lambda _: remove_the_other(second, first))
    for _, theirs in pairs:
        theirs.send(b"x")
    loop.run()
    assert len(called) == 1
    loop.remove(12345)  # unknown: nothing to do
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_paths_are_carried_out_and_one_that_raises_stops_no_other(loop: EventLoop) -> None:
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
    sent: list[bytes] = []
    told: list[tuple[int, str]] = []
    packets = [HEADER.pack(0x80, 8, number, 160 * number, 5) + bytes(160) for number in range(4)]

    def tap(_octets: bytes | bytearray, _length: int, leg: int, _now: int) -> None:
        if leg == 0 and len(sent) > 2:
            raise RuntimeError("a bug")

    def send(view: memoryview) -> None:
        sent.append(view.tobytes())
        if len(sent) == len(packets) + 2:
            loop.stop()

    def relay_on(number: int, ours: socket.socket) -> None:
        def wire() -> None:
            loop.set(ours.fileno(), relay.handler())

        relay = Relay(number, ours.recv_into, loop.fast_path, wire)
        relay.accept(ANY_TYPE, {})
        relay.forward_to(OutgoingStream(), send)
        relay.sink = tap
        wire()

    loop.on_error = lambda fd, error: told.append((fd, str(error)))
    for number, (ours, theirs) in enumerate(pairs):
        relay_on(number, ours)
        for packet in packets:
            theirs.send(packet)
    loop.run()
    assert sorted(sent) == sorted(packets + packets[:2])
    assert told == [(pairs[0][0].fileno(), "a bug")] * 2
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_periodic_work_runs_on_an_idle_loop_and_survives_its_errors(loop: EventLoop) -> None:
    told: list[str] = []
    loop.on_error = lambda fd, error: told.append(f"{fd} {error}")
    times: list[int] = []

    def work(now: int) -> None:
        times.append(now)
        if len(times) == 3:
            loop.stop()
        raise RuntimeError("late")

    loop.every(0.01, work)
    loop.run()
    assert len(times) == 3
    assert all(later - earlier >= 10_000_000 for earlier, later in itertools.pairwise(times))
    assert told == ["-1 late"] * 3


def test_the_wait_of_a_batch_is_sampled(loop: EventLoop, pair: Pair) -> None:
    ours, theirs = pair

    def read(now: int) -> None:  # noqa: ARG001 - a callback
        ours.recv(100)
        theirs.send(b"again")
        if loop.batches_sampled >= 2:
            loop.stop()

    loop.set(ours.fileno(), read)
    loop.every(0.001, lambda _: None)
    theirs.send(b"x")
    loop.run()
    assert loop.batch_ns > 0
