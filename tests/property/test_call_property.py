"""Whatever parties, worker and journal do: nothing is recorded without a yes, nothing leaks.

Random scripts over whole calls, without processes and on a clock that jumps.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2bua.directory import Extension
from cdr.records import CallEnded, CallOpened, EvidenceStored
from sip.errors import LocalProtocolError
from sip.events import (
    Event,
    InDialogReceived,
    InviteAnswered,
    InviteOffered,
    InviteProgressed,
    RefreshDue,
    ReinviteReceived,
    RequestCompleted,
)
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.virtual_time import virtual

A, B = 1, 2
"Leg ids of the call."

YESES = {("consent", "granted"), ("attested", "granted")}


class Robot:
    """Answers by itself what a telephone answers by itself."""

    def __init__(self, house: House, phone: Phone) -> None:
        self.phone = phone
        self.offered: InviteOffered | None = None
        self._house = house
        phone.hear_of = self._hear_of  # type: ignore[method-assign]  # in place of the test's ear

    def _hear_of(self, event: Event) -> None:
        phone = self.phone
        with contextlib.suppress(LocalProtocolError):
            match event:
                case InviteOffered():
                    self.offered = event
                case ReinviteReceived():
                    phone.accept(event)
                case InDialogReceived() if event.request.method == "UPDATE":
                    phone.accept(event)
                case InviteAnswered() if event.response.body:
                    phone.ack()  # the answer to a late offer; any other has its ACK already
                case InviteProgressed() if event.response.body:
                    phone.endpoint.calls.prack(event.usage, sdp(phone.host), self._house.now)
                    self._house.kick()
                case RefreshDue():
                    phone.reinvite(sdp(phone.host))
                case InDialogReceived():
                    phone.endpoint.respond(event.transaction, 200, self._house.now)
                    self._house.kick()
                case RequestCompleted(response=response) if response is not None:
                    if event.code == 200 and response.body:
                        phone.ack()


class Script:
    """The call of one example."""

    def __init__(self, house: House, caller: Robot, callee: Robot) -> None:
        self.house, self.caller, self.callee = house, caller, callee

    def act(self, step: str) -> None:
        """Do what a step says; one that can't be done now does nothing."""
        kind, _, what = step.partition(" ")
        with contextlib.suppress(LocalProtocolError):
            self._steps[kind](self, what)

    def _press(self, what: str) -> None:
        self.house.plane.press(int(what[0]), what[1])

    def _code(self, what: str) -> None:
        self.house.plane.dial_code(int(what))

    def _info(self, what: str) -> None:
        self._robot(what).phone.info_key(what[1])

    def _reinvite(self, what: str) -> None:
        phone = self._robot(what).phone
        body = b"" if what[1:] == "late" else sdp(phone.host, direction=what[1:], version=2)
        phone.reinvite(body)

    def _update(self, what: str) -> None:
        phone = self._robot(what).phone
        phone.update(sdp(phone.host, direction=what[1:], version=3))

    def _early(self, _what: str) -> None:
        if self.callee.offered is not None:
            phone = self.callee.phone
            phone.ring(self.callee.offered, 183, sdp(phone.host))

    def _answer(self, _what: str) -> None:
        if self.callee.offered is not None:
            self.callee.phone.answer(self.callee.offered)

    def _reject(self, what: str) -> None:
        if self.callee.offered is not None:
            self.callee.phone.reject(self.callee.offered, int(what))

    def _ring(self, _what: str) -> None:
        if self.callee.offered is not None:
            self.callee.phone.ring(self.callee.offered)

    def _bye(self, what: str) -> None:
        self._robot(what).phone.bye()

    def _cancel(self, _what: str) -> None:
        self.caller.phone.cancel()

    def _journal(self, what: str) -> None:
        self.house.journal.healthy = what == "well"

    def _die(self, _what: str) -> None:
        self.house.plane.die()

    def _robot(self, what: str) -> Robot:
        return self.caller if int(what[0]) == A else self.callee

    _steps: dict[str, Callable[["Script", str], None]] = {  # noqa: RUF012 - a constant
        "press": _press,
        "code": _code,
        "info": _info,
        "reinvite": _reinvite,
        "update": _update,
        "early": _early,
        "answer": _answer,
        "reject": _reject,
        "ring": _ring,
        "bye": _bye,
        "cancel": _cancel,
        "journal": _journal,
        "die": _die,
    }


STEPS = st.one_of(
    st.sampled_from(
        [
            "answer",
            "ring",
            "early",
            "cancel",
            "die",
            "journal ill",
            "journal well",
            "reject 486",
            "reject 404",
            *(f"bye {leg}" for leg in (A, B)),
            *(f"code {leg}" for leg in (A, B)),
            *(f"press {leg}{key}" for leg in (A, B) for key in "12*"),
            *(f"info {leg}{key}" for leg in (A, B) for key in "12*"),
            *(
                f"reinvite {leg}{how}"
                for leg in (A, B)
                for how in ("sendonly", "sendrecv", "inactive", "late")
            ),
            *(f"update {leg}{how}" for leg in (A, B) for how in ("sendonly", "sendrecv")),
        ]
    ),
    # What makes calls go on is drawn as often as what ends them.
    st.sampled_from(["answer", f"press {A}1", f"press {B}1", f"code {A}", f"code {B}"]),
)

TIMED = st.lists(
    st.tuples(STEPS, st.sampled_from([0.0, 0.001, 0.3, 2.0, 6.0, 10.0, 1000.0])), max_size=14
)

BEGINS = st.sampled_from(
    [
        [],
        [("ring", 6.0), (f"press {A}1", 0.3), ("answer", 2.0)],
        [("ring", 6.0), (f"press {A}1", 0.3), ("journal ill", 0.0), ("answer", 2.0)],
        [("answer", 6.0), (f"press {B}1", 3.0)],
        [("answer", 12.0), (f"code {A}", 5.0), (f"press {B}1", 3.0)],
        [("ring", 20.0), ("answer", 2.0), (f"code {B}", 5.0), (f"press {A}1", 3.0)],
    ]
)
"Chance alone seldom gets as far as a recording."

OWN = st.sampled_from(
    [
        extension("101", "automatic"),
        extension("101", "automatic", consent="attested"),
        extension("101", "manual"),
        extension("101", "manual", consent="attested"),
        extension("101", "never"),
        extension("101", "automatic", opted_in=False),
        extension("101"),
    ]
)


async def play(house: House, script: Script, steps: list[tuple[str, float]]) -> None:
    """Carry out the script, then let everybody hang up."""
    evidence_then: list[list[tuple[str, str]]] = []
    house.plane.on_recording = lambda: evidence_then.append(
        house.evidence if house.journal.healthy else []
    )
    for step, pause in steps:
        script.act(step)
        await asyncio.sleep(pause)
    for step in ("cancel", f"bye {A}", f"bye {B}"):
        script.act(step)
        await asyncio.sleep(1)
    await asyncio.sleep(120)
    for evidence in evidence_then:
        assert YESES & set(evidence), "recorded without a yes of the outside party"
        assert ("opt_in", "granted") in evidence
    assert len(house.journal.of(CallEnded)) == len(house.journal.of(CallOpened)) == 1
    assert len({row.id for row in house.journal.of(EvidenceStored)}) == len(house.evidence)


KNOWS = st.sampled_from([(), ("100rel",), ("timer",), ("100rel", "timer")])
"What the telephones know."


Parties = tuple[Extension, tuple[str, ...], tuple[str, ...], bool]
"Our extension, what its telephone and the outside one know, and whether the caller offers."


def run(
    folder: Path,
    parties: Parties,
    steps: list[tuple[str, float]],
    *,
    outgoing: bool,
) -> None:
    own, inside, beyond, offers = parties

    @virtual
    async def example() -> None:
        async with open_house(folder, own) as house:
            clerk = house.phone("101", supported=inside)
            outside = house.outside(supported=beyond)
            caller, callee = (clerk, outside) if outgoing else (outside, clerk)
            script = Script(house, Robot(house, caller), Robot(house, callee))
            caller.dial("0301234" if outgoing else DID, None if offers else b"")
            await asyncio.sleep(2)
            await play(house, script, steps)

    example()


@pytest.mark.parametrize("outgoing", [False, True])
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(parties=st.tuples(OWN, KNOWS, KNOWS, st.booleans()), begin=BEGINS, steps=TIMED)
def test_nothing_is_recorded_without_a_yes_and_nothing_is_left(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    parties: Parties,
    begin: list[tuple[str, float]],
    steps: list[tuple[str, float]],
    *,
    outgoing: bool,
) -> None:
    caplog.clear()
    run(tmp_path, parties, begin + steps, outgoing=outgoing)
    broken = [r.getMessage() for r in caplog.records if r.exc_info and r.levelno >= logging.ERROR]
    assert broken == []
