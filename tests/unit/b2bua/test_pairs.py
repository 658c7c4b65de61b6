"""Port pairs between two legs, over real sockets; time is an argument."""

import select
import socket
from collections.abc import Iterator

import pytest

from b2bua.media.worker import pairs as media_pairs
from b2bua.media.worker.pairs import COOLING_NS, Pairs
from rtp.io.loop import EventLoop
from rtp.io.socket import PortPair, PortRange
from tests.support import ports

HOST = "127.0.0.1"


def never(_now: int) -> None:
    raise AssertionError("a pair without a leg was read")


class Ground:
    """Four pairs, or fewer that there are descriptors for; the leg is the test."""

    def __init__(self, most: int = 100) -> None:
        self.loop = EventLoop()
        self.loop.every(0.0, lambda _: self.loop.stop())
        low = ports.take(8)
        self.pairs = Pairs(PortRange(low, low + 7), self.loop, most=most)
        self.seen: set[PortPair] = set()
        self.now = 1_000_000_000

    def lend(self, count: int) -> list[PortPair]:
        """Lend as many of these as there are."""
        offered, _ = self.pairs.offer(HOST, count, self.now)
        lent = [self.pairs.lend(port) for port in offered]
        self.seen.update(lent)
        return lent

    def rest(self, *pairs: PortPair) -> None:
        """Give pairs back that a leg has read."""
        for pair in pairs:
            for sock in (pair.rtp, pair.rtcp):
                self.loop.set(sock.fileno(), never)
                self.loop.park(sock.fileno())
            self.pairs.take_back(pair, self.now)

    def after(self, ns: int) -> None:
        self.now += ns
        self.loop.run()

    def close(self) -> None:
        self.pairs.close()
        for pair in self.seen:
            pair.close()
        self.loop.close()


@pytest.fixture
def ground() -> Iterator[Ground]:
    ground = Ground()
    yield ground
    ground.close()


@pytest.fixture
def phone() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((HOST, 0))
        yield phone


def test_a_pair_is_lent_once_and_only_if_it_was_offered(ground: Ground) -> None:
    (pair,) = ground.lend(1)
    for port in (pair.port, 1):
        with pytest.raises(KeyError):
            ground.pairs.lend(port)


def test_a_pair_comes_back_when_it_has_rested_and_not_before(ground: Ground) -> None:
    lent = ground.lend(4)
    ground.rest(lent[0])
    ground.after(COOLING_NS - 1)
    offered, reason = ground.pairs.offer(HOST, 1, ground.now)
    assert offered == ()
    assert "in use or cooling off" in reason
    ground.after(1)
    assert ground.lend(4) == lent[:1]


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not seen"])
def test_what_came_when_no_leg_had_the_pair_is_gone(
    ground: Ground, phone: socket.socket, *, seen: bool
) -> None:
    pair = ground.lend(4)[0]
    pair.rtp.connect(phone.getsockname())
    ground.rest(pair)
    ground.now += COOLING_NS
    phone.sendto(b"late", (HOST, pair.port))
    phone.sendto(b"", (HOST, pair.port))
    if seen:
        phone.sendto(b"report", (HOST, pair.port + 1))
        ground.after(0)
    assert ground.lend(1) == [pair]
    assert ground.pairs.strangers == 2 + seen
    for sock, port in ((pair.rtp, pair.port), (pair.rtcp, pair.port + 1)):
        phone.sendto(b"early", (HOST, port))
        assert sock.recvfrom(100) == (b"early", phone.getsockname())
        with pytest.raises(BlockingIOError):
            sock.recv(100)


def test_nobody_but_the_last_peer_reaches_a_pair_that_rests(
    ground: Ground, phone: socket.socket
) -> None:
    pair = ground.lend(4)[0]
    pair.rtp.connect((HOST, ports.take()))
    ground.rest(pair)
    phone.sendto(b"stranger", (HOST, pair.port))
    ground.after(COOLING_NS)
    assert not select.select([pair.rtp], [], [], 0)[0]
    assert ground.lend(1) == [pair]
    phone.sendto(b"peer", (HOST, pair.port))
    assert pair.rtp.recv(100) == b"peer"


def test_what_icmp_said_of_the_last_peer_is_forgotten(ground: Ground) -> None:
    pair = ground.lend(4)[0]
    pair.rtp.connect((HOST, ports.take()))
    pair.rtp.send(b"into nothing")
    ground.rest(pair)
    ground.after(COOLING_NS)
    assert ground.lend(1) == [pair]
    with pytest.raises(BlockingIOError):
        pair.rtp.recv(100)
    assert ground.pairs.strangers == 0


@pytest.mark.parametrize("watched", [True, False], ids=["had a peer", "never had one"])
@pytest.mark.parametrize("host", [HOST, "*"])
def test_a_flood_is_refused_behind_its_first_datagram(
    ground: Ground, phone: socket.socket, host: str, *, watched: bool
) -> None:
    (port,), _ = ground.pairs.offer(host, 1, ground.now)
    pair = ground.pairs.lend(port)
    ground.seen.add(pair)
    if watched:
        ground.rest(pair)
    else:
        ground.pairs.take_back(pair, ground.now)
    for sock, to in ((pair.rtp, port), (pair.rtcp, port + 1)):
        assert ground.loop.watches(sock.fileno()) == watched
        phone.connect((HOST, to))
        for _ in range(1 + watched):
            phone.send(b"flood")
            ground.after(0)
        assert not ground.loop.watches(sock.fileno())
        with pytest.raises(ConnectionRefusedError):
            phone.send(b"flood")
    ground.after(COOLING_NS)
    offered, _ = ground.pairs.offer(host, 4, ground.now)
    assert port in offered
    assert ground.pairs.lend(port) == pair
    assert ground.pairs.strangers == 2 * watched
    for sock, to in ((pair.rtp, port), (pair.rtcp, port + 1)):
        phone.connect((HOST, to))
        phone.send(b"wanted")
        assert sock.recv(100) == b"wanted"


def test_there_are_always_some_to_draw_from(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_pairs, "LEAST_READY", 2)
    first = ground.lend(1)
    ground.rest(*first)
    ground.after(COOLING_NS)
    second = ground.lend(1)
    assert second != first
    ground.rest(*second)
    ground.after(COOLING_NS)
    assert ground.lend(1)[0] in first + second
    assert len(ground.seen) == 2


def test_without_descriptors_the_one_that_rested_longest_gives_way() -> None:
    ground = Ground(most=2)
    try:
        first, second = ground.lend(2)
        ground.rest(first)
        ground.after(1)
        ground.rest(second)
        (third,) = ground.lend(1)
        assert first.rtp.fileno() == -1
        assert second.rtp.fileno() != -1
        assert third.port not in (first.port, second.port)
        ground.after(COOLING_NS - 2)
        lent = ground.lend(4)
        assert first.port not in {pair.port for pair in lent}
    finally:
        ground.close()


def test_what_nobody_has_needed_is_closed(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_pairs, "MOST_READY", 1)
    monkeypatch.setattr(media_pairs, "CLOSED_AT_ONCE", 2)
    ground.rest(*ground.lend(4))
    ground.after(COOLING_NS)
    for left in (2, 1, 1):
        ground.pairs.trim(ground.now)
        assert sum(pair.rtp.fileno() != -1 for pair in ground.seen) == left


def test_a_pair_of_another_address_is_not_offered(ground: Ground) -> None:
    ground.rest(*ground.lend(1))
    ground.after(COOLING_NS)
    offered, _ = ground.pairs.offer("127.0.0.2", 1, ground.now)
    pair = ground.pairs.lend(offered[0])
    ground.seen.add(pair)
    assert pair.host == "127.0.0.2"
