"""How far a call goes, and what is said of why it ends."""

from pathlib import Path

import pytest

from sip.events import InviteAnswered, InviteCancelled, InviteFailed, InviteOffered, UsageEnded
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.scenes import internal
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")


# --- how far a call goes, and why it stops ringing


@virtual
async def test_a_call_that_has_come_too_far_is_483(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", hops=0)
        assert (await alice.take(InviteFailed)).code == 483
        assert (await house.over()).disposition == "FAILED"
        alice.dial("103", hops=7)
        offered = await bob.take(InviteOffered)
        assert offered.request.headers["Max-Forwards"] == "6"
        bob.answer(offered)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, bob, calls=2)


@virtual
async def test_who_was_not_quick_enough_has_missed_no_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, other = house.phone("102"), house.phone("103"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        await other.take(InviteOffered)
        bob.answer(offered)
        cancelled = await other.take(InviteCancelled)
        assert cancelled.reason == 'SIP;cause=200;text="Call completed elsewhere"'
        await alice.take(InviteAnswered)
        await house.hang_up(alice, bob)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('SIP ; cause=200 ; text="x"', 'SIP;cause=200;text="Call completed elsewhere"'),
        ("SIP;cause=487", ""),
        ("Q.850;cause=16", ""),
        ("", ""),
    ],
)
@virtual
async def test_a_caller_who_gives_up_may_say_why(tmp_path: Path, said: str, told: str) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        await bob.take(InviteOffered)
        reason = (("Reason", said),) if said else ()
        alice.endpoint.calls.cancel(alice.usage, house.now, reason)
        house.kick()
        assert (await bob.take(InviteCancelled)).reason == told
        await house.over()


# --- why a call ends, in the words of the telephone network


@virtual
async def test_a_callee_who_hangs_up_says_why_to_the_caller_and_to_the_row(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        bob.endpoint.calls.bye(
            bob.usage, house.now, (("Reason", "SIP;cause=200, Q.850;cause=31;x=y"),)
        )
        house.kick()
        over = await alice.take(UsageEnded)
        assert over.request is not None
        assert over.request.headers["Reason"] == "Q.850;cause=31"
        row = await house.over()
        assert (row.hangup_side, row.hangup_cause) == ("callee", 31)


@virtual
async def test_a_caller_who_hangs_up_is_told_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        late = house.endpoint.counters["late_calls"]
        alice.endpoint.calls.bye(alice.usage, house.now, (("Reason", "Q.850;cause=16"),))
        house.kick()
        await bob.take(UsageEnded)
        row = await house.over()
        assert (row.hangup_side, row.hangup_cause) == ("caller", 16)
        assert house.endpoint.counters["late_calls"] == late


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [(404, "Q.850;cause=1", 1), (404, "", 31), (486, "Q.850;cause=34", 17)],
)
@virtual
async def test_what_the_network_says_of_a_number_is_passed_on(
    tmp_path: Path, code: int, said: str, told: int
) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("0301234")
        reason = (("Reason", said),) if said else ()
        outside.reject(await outside.take(InviteOffered), code, reason)
        failed = await alice.take(InviteFailed)
        assert failed.response is not None
        assert failed.response.headers["Reason"] == f"Q.850;cause={told}"
        assert (await house.over()).hangup_cause == told
