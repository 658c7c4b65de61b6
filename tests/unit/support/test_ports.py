import socket

from tests.support import ports


def test_no_port_is_given_out_twice_in_a_row() -> None:
    drawn = [ports.take(count) for count in (2, 16, 2, 4, 2)]
    spans = [set(range(first, first + n)) for first, n in zip(drawn, (2, 16, 2, 4, 2), strict=True)]
    assert len(set().union(*spans)) == 26
    assert all(first % 2 == 0 for first in drawn)


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((ports.LOOPBACK, ports.take() + 2))
        assert ports.take() != other.getsockname()[1]
        assert not ports._is_free(other.getsockname()[1])


def test_a_servers_window_lies_beside_the_phones_ports() -> None:
    low = ports.window(144)
    assert not set(range(low, low + 144)) & {ports.take() for _ in range(50)}
