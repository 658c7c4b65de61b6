"""An outside caller is asked before an extension that records by itself rings."""

import asyncio
from pathlib import Path

from b2bua.media.messages import OpenTap, Play
from cdr.records import EvidenceStored
from sip.events import InviteAnswered, InviteOffered, UsageEnded
from tests.unit.b2bua.call_rig import DID, House, Phone, extension, open_house
from tests.unit.b2bua.virtual_time import virtual

A, B = 1, 2
"Leg ids of the first call."

CLERK = extension("101", "automatic")


async def asked(house: House, caller: Phone) -> None:
    """Call, be answered by us, and hear the question up to a second before its end."""
    caller.dial(DID)
    await caller.take(InviteAnswered)
    await asyncio.sleep(6)
    assert house.plane.heard(A) == ["de/consent"]
    assert not house.plane.recorded


@virtual
async def test_key_1_is_a_yes_and_only_then_is_anything_recorded(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = house.outside(), house.phone("101")
        await asked(house, caller)
        house.plane.press(A, "1")
        offered = await clerk.take(InviteOffered)
        assert house.evidence == [("consent", "granted")]
        assert not house.plane.recorded
        await asyncio.sleep(3)
        clerk.answer(offered)
        await asyncio.sleep(5)
        assert [tap.leg_id for tap in house.plane.of(OpenTap)] == [A, B]
        assert house.plane.heard(A) == ["de/consent", "tone/ringing"]
        assert not house.plane.hears(A)
        caller.bye()
        await clerk.take(UsageEnded)
        row = await house.over()
        assert (row.outcome, row.disposition, row.hangup_side) == ("recorded", "ANSWERED", "caller")
