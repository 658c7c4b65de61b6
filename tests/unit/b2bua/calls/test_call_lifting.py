"""Behind a menu both sides may go on in wideband."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import ChangeFormats, OpenTap
from recording.spec import decode_formats, decode_tap
from sip.events import InviteAnswered, InviteOffered, ReinviteReceived
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, codecs
from tests.unit.b2bua.calls.virtual_time import virtual

pytestmark = pytest.mark.peer("libopus")

CLERK = extension("101", "automatic")
ALICE = extension("102", "automatic")
LIFTED = "[media]\nwideband_after_menu = true\n"

BOTH = "9 8 101"
"G.722 first, G.711 behind it."

NARROW = ["PCMA/8000", "telephone-event/8000"]


async def greeted(house: House) -> tuple[Phone, Phone, InviteOffered]:
    """Have somebody with G.722 call, and say yes."""
    caller, clerk = house.outside(), house.phone("101")
    caller.dial(DID, sdp(caller.host, formats=BOTH))
    assert codecs((await caller.take(InviteAnswered)).response.body) == NARROW
    await asyncio.sleep(6)
    house.plane.press(A, "1")
    return caller, clerk, await clerk.take(InviteOffered)


async def over(house: House, by: Phone, other: Phone) -> None:
    row = await house.hang_up(by, other)
    assert row.outcome == "recorded"


@virtual
async def test_a_greeted_caller_is_lifted_by_one_reinvite(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, toml=LIFTED) as house:
        caller, clerk, offered = await greeted(house)
        assert codecs(offered.request.body)[:2] == ["G722/8000", "PCMA/8000"]
        clerk.answer(offered, sdp(clerk.host, formats=BOTH))
        again = await caller.take(ReinviteReceived)
        assert codecs(again.request.body)[0] == "G722/8000"
        assert "PCMA/8000" in codecs(again.request.body), "what it has stays possible"
        caller.accept(again, body=sdp(caller.host, formats="9 101", version=2))
        await asyncio.sleep(5)
        for route in (house.joins[-1].a_to_b, house.joins[-1].b_to_a):
            assert route.payload_types[9] == 9
            assert 9 not in route.recodings
        assert not house.plane.transcoded, "both had G.711 all the time"
        spec = decode_tap(house.plane.of(OpenTap)[0].spec).recording
        assert spec.sample_rate == 16000
        changed = [m for m in house.plane.of(ChangeFormats) if m.leg_id == A]
        assert decode_formats(changed[-1].formats)[0].encoding == "G722"
        assert clerk.untold == []
        await over(house, caller, clerk)


@virtual
async def test_who_refuses_stays_in_g711_and_is_transcoded(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, toml=LIFTED) as house:
        caller, clerk, offered = await greeted(house)
        clerk.answer(offered, sdp(clerk.host, formats="9 101"))
        caller.accept(await caller.take(ReinviteReceived), 488)
        await asyncio.sleep(5)
        assert house.joins[-1].a_to_b.recodings[8].target == "G722"
        assert house.joins[-1].b_to_a.recodings[9].target == "PCMA"
        await over(house, caller, clerk)


@virtual
async def test_nobody_is_asked_where_the_callee_has_no_wideband(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, toml=LIFTED) as house:
        caller, clerk, offered = await greeted(house)
        clerk.answer(offered, sdp(clerk.host))
        await asyncio.sleep(5)
        assert caller.untold == clerk.untold == []
        await over(house, caller, clerk)


@virtual
async def test_without_the_setting_a_greeted_call_stays_narrow(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk, offered = await greeted(house)
        assert codecs(offered.request.body) == ["PCMA/8000", "PCMU/8000", "telephone-event/8000"]
        clerk.answer(offered, sdp(clerk.host))
        await asyncio.sleep(5)
        assert caller.untold == clerk.untold == []
        await over(house, caller, clerk)


@virtual
async def test_after_a_question_to_the_callee_both_are_lifted(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=LIFTED) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("0301234", sdp(alice.host, formats=BOTH))
        offered = await outside.take(InviteOffered)
        assert "G722/8000" not in codecs(offered.request.body)
        outside.answer(offered, sdp(outside.host))
        assert codecs((await alice.take(InviteAnswered)).response.body)[0] == "PCMA/8000"
        await asyncio.sleep(6)
        assert outside.untold == [], "not in the middle of the question"
        house.plane.press(B, "1")
        again = await outside.take(ReinviteReceived)
        assert codecs(again.request.body)[0] == "G722/8000"
        outside.accept(again, body=sdp(outside.host, formats=BOTH, version=2))
        last = await alice.take(ReinviteReceived)
        assert codecs(last.request.body)[0] == "G722/8000"
        alice.accept(last, body=sdp(alice.host, formats=BOTH, version=2))
        await asyncio.sleep(5)
        assert house.joins[-1].a_to_b.payload_types[9] == 9
        assert not house.joins[-1].a_to_b.recodings
        await over(house, alice, outside)


@virtual
async def test_a_call_without_a_question_is_left_as_it_was_agreed(tmp_path: Path) -> None:
    async with open_house(tmp_path, extension("102"), extension("103"), toml=LIFTED) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", sdp(alice.host, formats=BOTH))
        bob.answer(await bob.take(InviteOffered), sdp(bob.host))
        await alice.take(InviteAnswered)
        await asyncio.sleep(5)
        assert alice.untold == bob.untold == []
        await house.hang_up(alice, bob)
