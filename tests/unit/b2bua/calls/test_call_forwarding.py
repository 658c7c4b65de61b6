"""Calls that an extension sends on: when, where to, and never in a circle."""

import asyncio
from pathlib import Path

import pytest

from b2bua.directory import Extension, Forwards
from cdr.records import PartyJoined
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    InviteProgressed,
    RequestCompleted,
    UsageEnded,
)
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, agreed
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE = extension("102")
BOB = extension("103")
CARL = extension("104")


def forwarding(number: str = "103", mode: str = "off", **forwards: str | int) -> Extension:
    return extension(number, mode, forwards=Forwards(**forwards))  # type: ignore[arg-type]


def diversions(offered: InviteOffered) -> list[str]:
    return offered.request.headers.getlist("Diversion")


async def answers(house: House, caller: Phone, callee: Phone) -> InviteOffered:
    """Have somebody answer and the caller hang up; returns what was offered."""
    offered = await callee.take(InviteOffered)
    callee.answer(offered)
    await caller.take(InviteAnswered)
    await asyncio.sleep(1)
    await house.hang_up(caller, callee)
    return offered


@virtual
async def test_always_and_nobody_rings_first(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, forwarding(always="104"), CARL) as house:
        alice, bob, carl = house.phone("102"), house.phone("103"), house.phone("104")
        alice.dial("103")
        assert (await alice.take(InviteProgressed)).response.code == 181
        offered = await answers(house, alice, carl)
        assert bob.untold == []
        assert diversions(offered) == ["<sip:103@192.0.2.100>;reason=unconditional"]
        assert house.row.dst == "103"
        assert [party.number for party in house.journal.of(PartyJoined)] == ["102", "104"]


@virtual
async def test_without_an_answer_the_next_one_rings_in_its_place(tmp_path: Path) -> None:
    bob = forwarding(no_answer="104", after_s=10)
    async with open_house(tmp_path, ALICE, bob, CARL) as house:
        alice, phone, carl = house.phone("102"), house.phone("103"), house.phone("104")
        began = house.now
        alice.dial("103")
        first = await phone.take(InviteOffered)
        phone.ring(first, 183, sdp(phone.host))
        early = await alice.take(InviteProgressed)
        assert (early.response.code, early.response.body) == (180, b"")
        await phone.take(InviteCancelled)
        assert house.now - began == pytest.approx(10, abs=0.1)
        assert (await alice.take(InviteProgressed)).response.code == 181
        offered = await answers(house, alice, carl)
        assert diversions(offered) == ["<sip:103@192.0.2.100>;reason=no-answer"]


@pytest.mark.parametrize("code", [486, 600, 603])
@virtual
async def test_busy_or_declined(tmp_path: Path, code: int) -> None:
    async with open_house(tmp_path, ALICE, forwarding(busy="104"), CARL) as house:
        alice, bob, carl = house.phone("102"), house.phone("103"), house.phone("104")
        alice.dial("103")
        bob.reject(await bob.take(InviteOffered), code)
        offered = await answers(house, alice, carl)
        assert diversions(offered) == ["<sip:103@192.0.2.100>;reason=user-busy"]


@virtual
async def test_in_as_many_calls_as_it_may_is_busy_as_well(tmp_path: Path) -> None:
    toml = "[sip]\nmax_calls_per_extension = 1\n"
    dora = extension("105")
    everybody = (ALICE, forwarding(busy="104"), CARL, dora)
    async with open_house(tmp_path, *everybody, toml=toml) as house:
        alice, bob, carl = house.phone("102"), house.phone("103"), house.phone("104")
        caller = house.phone("105")
        await house.connect(alice, "103", bob)
        caller.dial("103")
        await answers(house, caller, carl)
        assert bob.untold == []
        # The extension that sent the call on is not held busy by it, nor is the next one after.
        await house.hang_up(alice, bob, calls=2)
        assert alice.untold == ["RequestCompleted"]
        await house.connect(alice, "103", bob)
        await house.hang_up(alice, bob, calls=3)


@pytest.mark.parametrize("registered", [False, True])
def test_offline(tmp_path: Path, registered: bool) -> None:  # noqa: FBT001
    """Without a telephone at once; with one that can't be reached when that is known."""

    @virtual
    async def run() -> None:
        async with open_house(tmp_path, ALICE, forwarding(offline="104"), CARL) as house:
            alice, bob, carl = house.phone("102"), house.phone("103"), house.phone("104")
            if registered:
                house.lose = lambda _data, to: to == bob.endpoint.contact
            else:
                house.registrar.remove("103")
            alice.dial("103")
            offered = await answers(house, alice, carl)
            assert diversions(offered) == ["<sip:103@192.0.2.100>;reason=unavailable"]

    run()


@virtual
async def test_from_one_to_the_next_and_no_further(tmp_path: Path) -> None:
    """103 is busy, 104 is not there, and the last one says no: that is what the caller hears."""
    bob, carl = forwarding(busy="104"), forwarding("104", offline="105")
    async with open_house(tmp_path, ALICE, bob, carl, extension("105")) as house:
        alice, phone, last = house.phone("102"), house.phone("103"), house.phone("105")
        alice.dial("103")
        phone.reject(await phone.take(InviteOffered), 486)
        offered = await last.take(InviteOffered)
        assert diversions(offered) == [
            "<sip:104@192.0.2.100>;reason=unavailable",
            "<sip:103@192.0.2.100>;reason=user-busy",
        ]
        last.reject(offered, 480)
        assert (await alice.take(InviteFailed)).code == 480
        assert (await house.over()).outcome_reason == "unreachable"


# --- circles


@virtual
async def test_a_circle_that_rings_nobody_is_a_loop(tmp_path: Path) -> None:
    bob, carl = forwarding(always="104"), forwarding("104", always="103")
    async with open_house(tmp_path, ALICE, bob, carl) as house:
        alice = house.phone("102")
        house.phone("103")
        house.phone("104")
        alice.dial("103")
        assert (await alice.take(InviteFailed)).code == 482
        row = await house.over()
    assert (row.disposition, row.outcome_reason, row.hangup_cause) == (
        "FAILED",
        "forwarded_in_circle",
        25,
    )


@virtual
async def test_nobody_is_rung_twice(tmp_path: Path) -> None:
    bob, carl = forwarding(busy="104"), forwarding("104", busy="103", no_answer="103")
    async with open_house(tmp_path, ALICE, bob, carl) as house:
        alice, first, second = house.phone("102"), house.phone("103"), house.phone("104")
        alice.dial("103")
        first.reject(await first.take(InviteOffered), 486)
        second.reject(await second.take(InviteOffered), 486)
        assert (await alice.take(InviteFailed)).code == 486
        await house.over()
        assert first.untold == second.untold == []


@virtual
async def test_nobody_is_called_by_itself(tmp_path: Path) -> None:
    """Alice is where Bob's calls go; her own call to Bob does not come back to her."""
    async with open_house(tmp_path, ALICE, forwarding(busy="102")) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        bob.reject(await bob.take(InviteOffered), 486)
        assert (await alice.take(InviteFailed)).code == 486
        await house.over()


@virtual
async def test_a_chain_has_an_end(tmp_path: Path) -> None:
    chain = [forwarding(str(n), always=str(n + 1)) for n in range(200, 220)]
    async with open_house(tmp_path, ALICE, *chain) as house:
        alice = house.phone("102")
        alice.dial("211")  # eight hops to 219, which sends it on to nobody
        assert (await alice.take(InviteFailed)).code == 480
        alice.dial("210")
        assert (await alice.take(InviteFailed)).code == 482
        await house.over(2)


@virtual
async def test_a_call_that_we_sent_outside_and_that_comes_back_is_not_sent_again(
    tmp_path: Path,
) -> None:
    clerk = extension("101", forwards=Forwards(always="0170"))
    async with open_house(tmp_path, clerk) as house:
        caller = house.outside()
        house.phone("101")
        caller.dial(DID)
        there = await caller.take(InviteOffered)
        (diversion,) = diversions(there)
        assert diversion == f"<sip:{DID}@192.0.2.100>;reason=unconditional"
        history = f"<sip:{DID}@192.0.2.100>;index=1, <sip:170@192.0.2.1;cause=302>;index=1.1;mp=1"
        for header in (("Diversion", diversion), ("History-Info", history)):
            back = caller.dial(DID, headers=(header,))
            failed = await caller.take(InviteFailed)
            assert (failed.usage, failed.code) == (back, 482)
        caller.answer(there)
        await caller.take(InviteAnswered)
        caller.bye()
        await caller.take(RequestCompleted)
        await caller.take(UsageEnded)
        await house.over(2)


# --- outside


@virtual
async def test_outside_as_the_extension_itself_could_call(tmp_path: Path) -> None:
    """The call of somebody outside goes out again; nobody of ours talks, nothing is recorded."""
    clerk = extension("101", "automatic", forwards=Forwards(no_answer="0170", after_s=5))
    async with open_house(tmp_path, clerk) as house:
        caller, _, _ = await agreed(house)
        offered = await caller.take(InviteOffered)
        assert offered.request.uri.user == "170"
        assert diversions(offered) == [f"<sip:{DID}@192.0.2.100>;reason=no-answer"]
        caller.answer(offered)
        await asyncio.sleep(5)
        assert house.joined
        caller.bye()
        await caller.take(RequestCompleted)
        await caller.take(UsageEnded)
        row = await house.over()
        assert not house.plane.recorded
        assert (row.outcome, row.outcome_reason) == ("not_wanted", "no_own_party")
        assert house.row.direction == "incoming"


@virtual
async def test_what_was_internal_goes_outside_and_its_policy_with_it(tmp_path: Path) -> None:
    caller = extension("102", "automatic", directions="outgoing")
    async with open_house(tmp_path, caller, forwarding(always="0170")) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("103")
        outside.answer(await outside.take(InviteOffered))
        await alice.take(InviteAnswered)
        await asyncio.sleep(6)
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert (await house.hang_up(alice, outside)).outcome == "recorded"
        assert house.row.direction == "outgoing"


@pytest.mark.parametrize("target", ["0112", "112", "*1", "999"])
def test_nobody_gets_further_than_the_extension_could(tmp_path: Path, target: str) -> None:
    """Least of all to those who help, or to what is no number."""

    @virtual
    async def run() -> None:
        async with open_house(tmp_path, ALICE, forwarding(busy=target)) as house:
            alice, bob, outside = house.phone("102"), house.phone("103"), house.outside()
            alice.dial("103")
            bob.reject(await bob.take(InviteOffered), 486)
            assert (await alice.take(InviteFailed)).code == 486
            await house.over()
            assert outside.untold == []

    run()


@virtual
async def test_a_rule_that_is_for_others_is_not_for_a_forwarded_call(tmp_path: Path) -> None:
    toml = '[[route]]\npattern = "9Z."\ntrunk = "provider"\nextensions = ["102"]\n'
    async with open_house(tmp_path, ALICE, forwarding(always="9170"), toml=toml) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("103")
        assert (await alice.take(InviteFailed)).code == 480
        await house.over()
        assert outside.untold == []


# --- with the question before it


@virtual
async def test_who_answers_in_the_place_of_one_who_records_is_not_recorded(tmp_path: Path) -> None:
    """The caller has said yes for the clerk; but Bob answers, and he records nothing."""
    clerk = extension("101", "automatic", forwards=Forwards(busy="103"))
    async with open_house(tmp_path, clerk, BOB) as house:
        bob = house.phone("103")
        caller, phone, offered = await agreed(house)
        phone.reject(offered, 486)
        bob.answer(await bob.take(InviteOffered))
        await asyncio.sleep(5)
        assert house.plane.heard(A) == ["de/consent", "tone/ringing"]
        row = await house.hang_up(caller, bob)
        assert not house.plane.recorded
        assert (row.outcome, row.outcome_reason) == ("not_wanted", "mode_off")


@virtual
async def test_who_records_and_answers_in_anothers_place_has_the_caller_asked(
    tmp_path: Path,
) -> None:
    clerk = extension("101", forwards=Forwards(busy="103"))
    async with open_house(tmp_path, clerk, extension("103", "automatic")) as house:
        caller, phone, bob = house.outside(), house.phone("101"), house.phone("103")
        caller.dial(DID)
        phone.reject(await phone.take(InviteOffered), 486)
        bob.answer(await bob.take(InviteOffered))
        await caller.take(InviteAnswered)
        await asyncio.sleep(6)
        house.plane.press(A, "1")
        await asyncio.sleep(5)
        assert house.plane.heard(A) == ["de/consent"]
        assert (await house.hang_up(caller, bob)).outcome == "recorded"


# --- by the telephone itself


@virtual
async def test_a_telephone_may_say_itself_where_its_calls_go(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CARL) as house:
        alice, bob, carl = house.phone("102"), house.phone("103"), house.phone("104")
        alice.dial("103")
        moved = (("Contact", "<sip:104@192.0.2.100>;expires=60"),)
        bob.reject(await bob.take(InviteOffered), 302, moved)
        offered = await answers(house, alice, carl)
        assert diversions(offered) == ["<sip:103@192.0.2.100>;reason=deflection"]


@pytest.mark.parametrize(
    "contact", ["<sip:evil@203.0.113.9>", "<sip:0112@192.0.2.100>", "<sip:103@x>", "rubbish", ""]
)
@virtual
async def test_but_no_further_than_it_could_call(tmp_path: Path, contact: str) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, outside = house.phone("102"), house.phone("103"), house.outside()
        alice.dial("103")
        headers = (("Contact", contact),) if contact else ()
        bob.reject(await bob.take(InviteOffered), 302, headers)
        assert (await alice.take(InviteFailed)).code == 500
        await house.over()
        assert outside.untold == bob.untold == []
