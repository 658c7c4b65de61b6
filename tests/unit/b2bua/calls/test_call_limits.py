"""How many calls there may be: of an extension, and in the house."""

import asyncio
from pathlib import Path

from cdr.records import CallEnded
from sip.events import InviteFailed, InviteOffered, UsageEnded
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB, CLERK = extension("102"), extension("103"), extension("101", "automatic")


@virtual
async def test_an_extension_in_as_many_calls_as_it_may_is_busy(tmp_path: Path) -> None:
    toml = "[sip]\nmax_calls_per_extension = 2\n"
    async with open_house(tmp_path, ALICE, BOB, CLERK, toml=toml) as house:
        alice, bob, clerk = house.phone("102"), house.phone("103"), house.phone("101")
        await house.connect(alice, "103", bob)
        first = (alice.usage, bob.usage)
        await house.connect(bob, "101", clerk)
        alice.dial("103")
        assert (await alice.take(InviteFailed)).code == 486
        row = await house.over()
        assert (row.disposition, row.outcome_reason, row.hangup_side) == ("BUSY", "busy", "callee")
        await house.hang_up(bob, clerk, calls=2)
        assert bob.untold == ["RequestCompleted"]
        await house.connect(alice, "103", bob)
        alice.bye()
        await bob.take(UsageEnded)
        alice.usage, bob.usage = first
        await house.hang_up(alice, bob, calls=4)


@virtual
async def test_calls_that_come_to_nothing_do_not_count(tmp_path: Path) -> None:
    toml = "[sip]\nmax_calls_per_extension = 1\n"
    async with open_house(tmp_path, ALICE, BOB, toml=toml) as house:
        alice, bob = house.phone("102"), house.phone("103")
        for _ in range(3):
            alice.dial("103")
            bob.reject(await bob.take(InviteOffered), 486)
            assert (await alice.take(InviteFailed)).code == 486
            await asyncio.sleep(0.1)
        await house.connect(alice, "103", bob)
        await house.hang_up(alice, bob, calls=4)


@virtual
async def test_a_full_house_sends_callers_away_but_not_from_emergency_calls(
    tmp_path: Path,
) -> None:
    toml = '[media]\nmax_calls = 1\nports = "20000-20019"\n'
    async with open_house(tmp_path, ALICE, BOB, CLERK, toml=toml) as house:
        alice, bob, clerk = house.phone("102"), house.phone("103"), house.phone("101")
        trunk = house.outside()
        await house.connect(alice, "103", bob)
        clerk.dial("0301234")
        refused = await clerk.take(InviteFailed)
        assert refused.code == 503
        assert refused.response is not None
        assert refused.response.headers.get("Retry-After") == "10"
        await house.connect(clerk, "0112", trunk)
        alice.bye()
        await house.hang_up(clerk, trunk, calls=2)
        assert {row.disposition for row in house.journal.of(CallEnded)} == {"ANSWERED"}
