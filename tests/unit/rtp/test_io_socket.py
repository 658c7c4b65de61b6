import errno
import resource
import socket

import pytest

from rtp.io.socket import (
    EXPEDITED_FORWARDING,
    DescriptorLimitError,
    NoPortsError,
    PortRange,
    descriptors_needed,
    disconnect,
    raise_descriptor_limit,
    usable,
)

WIDE = PortRange(20_000, 60_000)


def ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


LOOPBACKS = ["127.0.0.1", *(["::1"] if ipv6() else [])]


@pytest.mark.parametrize(
    ("text", "pairs", "first"),
    [("10000-10003", 2, 10000), ("10001-10004", 1, 10002), ("10001-10002", 0, 10002)],
)
def test_a_range_holds_whole_pairs_from_even_ports(text: str, pairs: int, first: int) -> None:
    ports = PortRange.parse(text)
    assert (ports.pairs, ports.pair(0)) == (pairs, first)


@pytest.mark.parametrize("text", ["", "5", "9-5", "0-10", "1-65536", "a-b"])
def test_other_texts_are_no_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|invalid literal"):
        PortRange.parse(text)


@pytest.mark.parametrize("host", LOOPBACKS)
def test_a_pair_is_even_bound_and_marked_for_quick_forwarding(host: str) -> None:
    pair = WIDE.bind(host)
    try:
        assert pair.port % 2 == 0
        assert pair.rtp.getsockname()[:2] == (host, pair.port)
        assert pair.rtcp.getsockname()[:2] == (host, pair.port + 1)
        if host == "127.0.0.1":
            tos = pair.rtp.getsockopt(socket.IPPROTO_IP, socket.IP_TOS)
        else:
            tos = pair.rtp.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
        assert tos == EXPEDITED_FORWARDING
        assert not pair.rtp.getblocking()
        assert pair.rtp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 200_000
    finally:
        pair.close()


@pytest.mark.parametrize("taken", [0, 1], ids=["RTP port", "RTCP port"])
def test_a_taken_port_gives_way_to_the_next_pair(taken: int) -> None:
    pair = WIDE.bind("127.0.0.1")
    pair.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", pair.port + taken))
        index = (pair.port - WIDE.low) // 2
        next_one = WIDE.bind("127.0.0.1", choose=lambda _: index)
        next_one.close()
    assert next_one.port > pair.port


def test_a_port_that_rests_gives_way_to_the_next_pair() -> None:
    first = WIDE.bind("127.0.0.1", choose=lambda _: 0)
    first.close()
    pair = WIDE.bind("127.0.0.1", choose=lambda _: 0, rests=lambda port: port == first.port)
    pair.close()
    assert pair.port > first.port
    with pytest.raises(NoPortsError, match="in use or cooling off"):
        WIDE.bind("127.0.0.1", rests=lambda _: True)


def test_a_full_range_is_refused_in_words() -> None:
    first = WIDE.bind("127.0.0.1")
    try:
        with pytest.raises(NoPortsError, match="1 of 1 port pairs tried, all in use"):
            PortRange(first.port, first.port + 1).bind("127.0.0.1")
    finally:
        first.close()
    with pytest.raises(NoPortsError, match="no port pair"):
        PortRange(10001, 10002).bind("127.0.0.1")


@pytest.mark.parametrize("host", ["192.0.2.1", "phone.example", ""])
def test_an_address_that_is_not_ours_is_refused_in_words(host: str) -> None:
    with pytest.raises(NoPortsError, match=r"assign|numeric"):
        WIDE.bind(host)


@pytest.mark.parametrize("host", LOOPBACKS)
def test_disconnecting_keeps_the_port_and_lets_others_in(host: str) -> None:
    pair = WIDE.bind(host)
    family = pair.rtp.family
    with (
        socket.socket(family, socket.SOCK_DGRAM) as peer,
        socket.socket(family, socket.SOCK_DGRAM) as other,
    ):
        peer.bind((host, 0))
        pair.rtp.connect(peer.getsockname())
        disconnect(pair.rtp)
        assert pair.rtp.getsockname()[1] == pair.port
        with pytest.raises(OSError, match="endpoint"):
            pair.rtp.getpeername()
        other.sendto(b"hello", (host, pair.port))
        assert pair.rtp.recv(100) == b"hello"
    pair.close()


def test_disconnecting_what_is_closed_is_an_error() -> None:
    pair = WIDE.bind("127.0.0.1")
    pair.close()
    with pytest.raises(OSError, match="descriptor") as caught:
        disconnect(pair.rtp)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "phone.example"],  # noqa: S104 - to be refused
)
def test_media_goes_to_unicast_addresses_only(host: str) -> None:
    with pytest.raises(ValueError, match=r"unicast|address"):
        usable(host)


def test_addresses_are_written_as_the_kernel_does() -> None:
    assert usable("2001:DB8:0::1") == "2001:db8::1"
    assert usable("192.0.2.1") == "192.0.2.1"


def test_the_descriptor_limit_is_raised_or_refused_with_the_figure() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        raise_descriptor_limit(min(soft, 100))
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == soft
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        raise_descriptor_limit(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
        if hard != resource.RLIM_INFINITY:
            with pytest.raises(DescriptorLimitError, match=str(hard + 1)):
                raise_descriptor_limit(hard + 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert descriptors_needed(100) > 200
