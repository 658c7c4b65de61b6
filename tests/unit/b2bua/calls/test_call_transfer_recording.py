"""What becomes of the recording when a call is transferred."""

import asyncio
from pathlib import Path

import pytest

from b2bua.directory import Extension
from b2bua.media.to_worker import CloseTap
from cdr.records import CallEnded, CallOpened, EvidenceStored
from sip.events import InviteOffered, UsageEnded
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone
from tests.unit.b2bua.calls.scenes import agreed
from tests.unit.b2bua.calls.transfers import engaged, joined, opened, refer, told
from tests.unit.b2bua.calls.virtual_time import virtual

CLERK, CHIEF = extension("101", "automatic"), extension("105", "automatic")
NEVER, OFF = extension("106", "never"), extension("107", "off")
SHY = extension("108", "off", opted_in=False)


async def recorded_call(house: House) -> tuple[Phone, Phone]:
    """Have an outside caller, who has agreed, talk to the clerk."""
    outside, clerk, offered = await agreed(house)
    clerk.answer(offered)
    await asyncio.sleep(5)
    assert len(house.recordings) == 1
    return outside, clerk


@pytest.mark.parametrize(
    ("target", "heard"),
    [(CHIEF, [1, 3]), (OFF, [1, 3]), (SHY, [1]), (NEVER, [])],
)
@virtual
async def test_the_recording_goes_on_between_those_who_talk_now(
    tmp_path: Path, target: Extension, heard: list[int]
) -> None:
    async with open_house(tmp_path, CLERK, target) as house:
        outside, clerk = await recorded_call(house)
        other = house.phone(target.number)
        await refer(house, clerk, f"<sip:{target.number}@h>")
        await told(house, clerk)
        offered = await other.take(InviteOffered)
        assert {m.leg_id for m in house.plane.of(CloseTap)} == {1, 2}
        await asyncio.sleep(2)
        assert len(house.recordings) == 1
        other.answer(offered)
        await told(house, clerk)
        await clerk.take(UsageEnded)
        await asyncio.sleep(5)

        assert len(house.recordings) == (2 if heard else 1)
        taps = opened(house)[2:]
        assert sorted(leg for leg, _ in taps) == heard
        if heard:
            assert {path for _, path in taps} == {house.recordings[1].relative_path}
        await house.hang_up(outside, other, calls=2)
        first, second = house.journal.of(CallEnded)
        assert first.outcome == "recorded"
        expected = ("recorded", "recorded") if heard else ("blocked", "never")
        assert (second.outcome, second.outcome_reason) == expected
        assert house.evidence.count(("consent", "granted")) == 2


@virtual
async def test_a_failed_transfer_goes_on_in_the_same_file(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, CHIEF) as house:
        outside, clerk = await recorded_call(house)
        chief = house.phone("105")
        await refer(house, clerk, "<sip:105@h>")
        await told(house, clerk)
        chief.reject(await chief.take(InviteOffered), 486)
        assert await told(house, clerk) == "486 Busy Here."
        await asyncio.sleep(5)

        assert len(house.recordings) == 1
        assert [leg for leg, _ in opened(house)] == [1, 2, 1, 2]
        assert len({path for _, path in opened(house)}) == 1
        ended = await house.hang_up(outside, clerk, calls=2)
        assert ended.outcome == "recorded"


@pytest.mark.parametrize("answer", ["1", "2"])
@virtual
async def test_a_new_outside_party_is_asked(tmp_path: Path, answer: str) -> None:
    async with open_house(tmp_path, CLERK, CHIEF) as house:
        clerk, chief, outside = house.phone("101"), house.phone("105"), house.outside()
        await house.connect(clerk, "105", chief)
        await asyncio.sleep(5)
        assert len(house.recordings) == 1
        await refer(house, clerk, "<sip:0777@h>")
        await told(house, clerk)
        outside.answer(await outside.take(InviteOffered))
        await told(house, clerk)
        await clerk.take(UsageEnded)
        await asyncio.sleep(6)
        assert house.plane.heard(3) == ["de/consent"]
        assert len(house.recordings) == 1
        trunk = house.trunks.named("provider")
        assert trunk is not None
        assert house.endpoint.calls.count_with(trunk) == 1
        assert engaged(house) == {"105": 1}
        house.plane.press(3, answer)
        await asyncio.sleep(8)

        assert len(house.recordings) == (2 if answer == "1" else 1)
        assert joined(house) == {2, 3}
        await house.hang_up(chief, outside, calls=2)
        second = house.journal.of(CallEnded)[-1]
        assert second.outcome == ("recorded" if answer == "1" else "refused")


@virtual
async def test_a_party_who_agreed_is_not_asked_again(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, CHIEF) as house:
        outside, clerk = await recorded_call(house)
        chief = house.phone("105")
        asked = house.plane.heard(1).count("de/consent")
        await refer(house, clerk, "<sip:105@h>")
        await told(house, clerk)
        chief.answer(await chief.take(InviteOffered))
        await told(house, clerk)
        await clerk.take(UsageEnded)
        await asyncio.sleep(0.05)
        assert len(house.recordings) == 2
        assert house.plane.heard(1).count("de/consent") == asked
        notes = [row.note for row in house.journal.of(EvidenceStored) if row.note]
        first = house.journal.of(CallOpened)[0]
        assert notes == [f"agreed in call {first.uniqueid}"]
        outside.bye()
        await house.over(2)
