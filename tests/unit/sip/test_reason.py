"""Causes of the telephone network in SIP."""

import pytest

from sip.message import parse
from sip.reason import q850_cause, q850_reason
from tests.support.sip_raw import request


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (("Q.850;cause=16",), 16),
        (('q.850 ; text="Normal; cause=3" ; cause = 17 ',), 17),
        (("SIP;cause=200;text=x, Q.850;cause=34",), 34),
        (("SIP;cause=480", "Q.850;cause=1;location=RLN"), 1),
        (("Q.850;cause=0",), None),
        (("Q.850;cause=128",), None),
        (("Q.850;cause=1234",), None),
        (("Q.850;cause=٣",), None),
        (("SIP;cause=16",), None),
        (("Q.850",), None),
        ((), None),
    ],
)
def test_the_cause_of_a_message(lines: tuple[str, ...], cause: int | None) -> None:
    message = parse(request("BYE", to_tag="x", headers=tuple(f"Reason: {line}" for line in lines)))
    assert q850_cause(message) == cause


def test_what_is_written_is_read() -> None:
    name, value = q850_reason(102)
    assert q850_cause(parse(request("BYE", to_tag="x", headers=(f"{name}: {value}",)))) == 102
    assert q850_cause(None) is None
