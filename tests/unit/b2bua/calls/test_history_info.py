"""History-Info: who sent a call on, as a trunk is told it and as it tells us."""

import pytest

from b2bua.calls.hunting.diversion import Diversion, When
from b2bua.calls.hunting.history_info import history_headers, replaced_by_others
from sip.message import URI, Request, parse
from tests.support.sip_raw import request

TARGET = URI.parse("sip:+49170@provider.example")
DIDS = {"101": "+493055501", "102": "+493055502"}


def told(*diversions: Diversion) -> list[str]:
    headers = history_headers(diversions, DIDS, "192.0.2.100", TARGET)
    assert all(name == "History-Info" for name, _ in headers)
    return [value for _, value in headers]


def test_a_call_that_nobody_sent_on_has_no_history() -> None:
    assert told() == []


def test_each_takes_the_place_of_the_one_before() -> None:
    assert told(Diversion("101", When.BUSY), Diversion("103", When.NO_ANSWER)) == [
        "<sip:+493055501@192.0.2.100>;index=1",
        "<sip:103@192.0.2.100;cause=486>;index=1.1;mp=1",
        "<sip:+49170@provider.example;cause=408>;index=1.1.1;mp=1.1",
    ]


@pytest.mark.parametrize(
    ("when", "cause"),
    [
        (When.ALWAYS, 302),
        (When.BUSY, 486),
        (When.NO_ANSWER, 408),
        (When.OFFLINE, 503),
        (When.REDIRECTED, 480),
    ],
)
def test_each_reason_has_its_cause(when: When, cause: int) -> None:
    assert f";cause={cause}>" in told(Diversion("102", when))[-1]


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        ([], set()),
        (told(Diversion("101", When.BUSY), Diversion("102", When.ALWAYS)), set(DIDS.values())),
        ([", ".join(told(Diversion("101", When.BUSY)))], {"+493055501"}),
        # Where a provider has only found out who registers for the number.
        (["<sip:1@a>;index=1, <sip:c@192.0.2.1>;index=1.1;rc=1"], set()),
        (["<sip:1@a>;index=1", "<sip:2@a>;index=1.1;mp=7"], set()),
        (["<sip:1@a>;index=1", "<sip:2@a;mp=1>"], set()),
        (["<sip:1@a>;index=1;mp=1", "nonsense>"], set()),
    ],
)
def test_who_has_sent_it_on_is_read(lines: list[str], numbers: set[str]) -> None:
    message = parse(request("INVITE", headers=tuple(f"History-Info: {line}" for line in lines)))
    assert isinstance(message, Request)
    assert replaced_by_others(message) == numbers
