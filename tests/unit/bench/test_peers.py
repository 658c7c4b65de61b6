"""How rtpengine is spoken to, and how two relays are compared."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.peers.ng import Ng, NgError, Value, bdecode, bencode, media_port, sdp
from bench.peers.rtpengine import compare

PATIENCE_S = 20.0

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_was_encoded_is_read_again(value: Value) -> None:
    assert bdecode(bencode(value)) == value


def test_the_octets_are_those_of_the_format() -> None:
    assert bencode({"sdp": "v=0", "a": [1, -2]}) == b"d1:ali1ei-2ee3:sdp3:v=0e"
    assert bencode("ü") == b"2:\xc3\xbc"


@pytest.mark.parametrize(
    "data", [b"", b"i1", b"5:abc", b"l", b"d1:ae", b"x", b"i1ei2e", b"4:\xff\xff\xff\xff"]
)
def test_what_is_not_bencoded_is_refused(data: bytes) -> None:
    with pytest.raises(NgError):
        bdecode(data)


def test_the_port_of_the_audio() -> None:
    assert media_port(sdp("127.0.0.1", 4000)) == 4000
    with pytest.raises(NgError):
        media_port("v=0\r\n")


class FakeEngine:
    """Answers on a socket as rtpengine does, after it has lost the first datagram."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE_S)
        self.port: int = self.socket.getsockname()[1]
        self.asked: list[Any] = []
        self.answer: dict[str, Value] = {"result": "ok"}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        lost = False
        while True:
            data, source = self.socket.recvfrom(65_535)
            if not data:
                return
            if not lost:
                lost = True
                continue
            cookie, _, body = data.partition(b" ")
            request: Any = bdecode(body)
            self.asked.append(request)
            port = 40_000 + 2 * len(self.asked)
            answer = {**self.answer, "sdp": sdp("127.0.0.1", port)}
            self.socket.sendto(b"999 " + bencode({"result": "late"}), source)
            self.socket.sendto(cookie + b" " + bencode(answer), source)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(PATIENCE_S)
        self.socket.close()


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine()
    yield made
    made.close()


@pytest.fixture
def client(engine: FakeEngine) -> Iterator[Ng]:
    made = Ng(engine.port)
    yield made
    made.close()


def test_a_call_is_an_offer_and_an_answer(engine: FakeEngine, client: Ng) -> None:
    to_callee, to_caller = 40_002, 40_004
    ports = client.connect("c", ("127.0.0.2", 1000), ("127.0.0.3", 2000))
    assert ports == (to_caller, to_callee), "each sends to the port that it was told"
    offer, answer = engine.asked
    assert (offer["command"], answer["command"]) == ("offer", "answer")
    assert offer["from-tag"] == answer["from-tag"]
    assert "to-tag" not in offer
    assert "to-tag" in answer
    assert (media_port(offer["sdp"]), media_port(answer["sdp"])) == (1000, 2000)


def test_an_error_is_one(engine: FakeEngine, client: Ng) -> None:
    engine.answer = {"result": "error", "error-reason": "no ports"}
    with pytest.raises(NgError, match="no ports"):
        client.ask({"command": "offer"})


def a_round(cpu: float, *, valid: bool = True, lost: int = 0) -> dict[str, Any]:
    return {
        "cpu_ms_per_call_s": cpu,
        "delay_ms_p50": 0.1,
        "delay_ms_p99": 0.2,
        "lost": lost,
        "generator_lag_ms": 0.1,
        "valid": valid,
        "invalid_because": None if valid else "late",
    }


def test_the_ratio_is_that_of_the_medians_of_valid_rounds() -> None:
    ours = [a_round(each) for each in (0.5, 0.4, 0.6)]
    theirs = [a_round(1.0), a_round(9.0, valid=False), a_round(1.5)]
    figures = compare(200, 20, ours, theirs)
    assert figures["ratio"] == 0.4
    assert (figures["valid"], figures["theirs"]["valid_rounds"]) == (True, 2)


def test_a_late_generator_makes_it_invalid() -> None:
    ours = [a_round(0.5) for _ in range(3)]
    theirs = [a_round(1.0), a_round(9.0, valid=False), a_round(1.5, valid=False)]
    figures = compare(200, 20, ours, theirs)
    assert not figures["valid"]
    assert "late" in figures["invalid_because"]


def test_who_loses_packets_has_not_done_the_same_work() -> None:
    ours = [a_round(0.5) for _ in range(3)]
    figures = compare(200, 20, ours, [a_round(0.1, lost=7), a_round(1.0), a_round(1.0)])
    assert not figures["valid"]
    assert "lost" in figures["invalid_because"]


def test_rounds_too_short_to_be_measured_give_no_ratio() -> None:
    figures = compare(3, 1, [a_round(0.4)], [a_round(0.0)])
    assert figures["ratio"] is None
    assert not figures["valid"]
    assert "too short" in figures["invalid_because"]
