import pytest

from sip.payload import MAX_PAYLOADS, Payload, find_match, free_number, read_payloads
from tests.support.descriptions import sdp


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("a=rtpmap:96 new/8000", [("NEW", 8000, 1)]),
        ("a=rtpmap:96\tnew/8000/2 ", [("NEW", 8000, 2)]),
        ("a=rtpmap:0 new/16000", [("NEW", 16000, 1)]),
        ("a=rtpmap:96 new/0", []),
        ("a=rtpmap:96 new/8000/0", []),
        ("a=rtpmap:96 new", []),
        ("a=rtpmap:96 /8000", []),
        ("a=rtpmap:x new/8000", []),
        ("a=rtpmap:96 new/8\u0660", []),
        ("a=rtpmap:200 new/8000", []),
    ],
)
def test_rtpmap(line: str, read: list[tuple[str, int, int]]) -> None:
    media = sdp(f"m=audio 4000 RTP/AVP {line[9:].split(maxsplit=1)[0]}", line).media[0]
    assert [each.codec for each in read_payloads(media)] == read


def test_too_many_payload_types_are_left_out() -> None:
    many = [f"a=rtpmap:{n} codec{n}/8000" for n in range(128)]
    media = sdp(f"m=audio 4000 RTP/AVP {' '.join(map(str, range(128)))}", *many).media[0]
    assert len(read_payloads(media)) == MAX_PAYLOADS


def test_free_numbers_keep_off_what_looks_like_rtcp() -> None:
    used = [Payload(payload_type=n, encoding="x", clock_rate=1) for n in range(96, 128)]
    used += [Payload(payload_type=n, encoding="x", clock_rate=1) for n in range(35, 72)]
    assert free_number(100, used) == 77


@pytest.mark.parametrize(
    ("encoding", "first", "second", "same"),
    [
        ("AMR", "octet-align=1", "octet-align=1; mode-set=7", True),
        ("AMR", "octet-align=1", None, False),
        ("AMR", "octet-align=0", None, True),
        ("iLBC", "mode=20", "mode=30", False),
        ("iLBC", None, "mode=30", True),
        ("opus", "stereo=1", None, True),
        ("G729", "annexb=no", "annexb=yes", True),
    ],
)
def test_parameters_that_decide(
    encoding: str, first: str | None, second: str | None, *, same: bool
) -> None:
    one = Payload(payload_type=96, encoding=encoding, clock_rate=8000, fmtp=first)
    other = Payload(payload_type=97, encoding=encoding.upper(), clock_rate=8000, fmtp=second)
    assert one.matches(other) == other.matches(one) == same


def test_match_prefers_the_number_and_then_the_parameters() -> None:
    wanted = Payload(payload_type=96, encoding="x", clock_rate=8000, fmtp="a=1")
    others = [wanted._replace(payload_type=n, fmtp=f) for n, f in ((97, "b"), (98, "a=1"))]
    assert find_match(wanted, others) == others[1]
    others.append(wanted._replace(fmtp="c"))
    assert find_match(wanted, others) == others[2]
    assert find_match(wanted, []) is None
