"""The record key dialled as a call of its own."""

import asyncio
from pathlib import Path

from b2bua.media.to_worker import OpenTap
from cdr.records import CallEnded
from sip.events import InviteAnswered, InviteFailed, UsageEnded
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import B, hold, internal, outgoing
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102", "manual"), extension("103")
MUSIC = "music/hold"


async def dialled(house: House, phone: Phone, leg: int) -> str:
    """Dial the record key as a call; returns what that call was told."""
    talking = phone.usage
    phone.dial("*1")
    await phone.take(InviteAnswered)
    await phone.take(UsageEnded)
    phone.usage = talking
    (said,) = house.plane.heard(leg)
    return said


@virtual
async def test_dialled_it_is_the_key_of_the_other_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        assert await dialled(house, alice, 3) == "de/recording-on"
        assert len(house.plane.of(OpenTap)) == 2
        await asyncio.sleep(3)
        assert await dialled(house, alice, 4) == "de/recording-off"
        row = await house.hang_up(alice, bob)
        assert len(house.journal.of(CallEnded)) == 1, "the dialled key has no row"
    assert row.outcome == "recorded"


@virtual
async def test_dialled_by_who_may_not_it_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        assert await dialled(house, bob, 3) == "de/not-allowed"
        await house.hang_up(alice, bob)
        assert not house.plane.recorded


@virtual
async def test_dialled_without_a_call_it_says_so(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        assert await dialled(house, house.phone("102"), 1) == "de/no-call"
        assert house.journal.records == []


@virtual
async def test_dialled_it_means_the_call_that_is_held(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, outside = await outgoing(house)
        held = alice.usage
        await hold(alice, outside, "sendonly", 2)
        assert await dialled(house, alice, 3) == "de/recording-asked"
        assert house.plane.heard(B) == [MUSIC]
        alice.usage = held
        await hold(alice, outside, "sendrecv", 3)
        await asyncio.sleep(5)
        assert house.plane.heard(B) == [MUSIC, "de/consent-ask"]
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert (await house.hang_up(alice, outside)).outcome == "recorded"


@virtual
async def test_dialled_by_a_phone_without_a_codec_of_ours_it_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102")
        alice.dial("*1", sdp(alice.host, formats="18"))
        assert (await alice.take(InviteFailed)).code == 488


@virtual
async def test_dialled_without_an_offer_it_works_all_the_same(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102")
        alice.dial("*1", b"")
        await alice.take(InviteAnswered)
        alice.ack()
        await alice.take(UsageEnded)
        assert house.plane.heard(1) == ["de/no-call"]


@virtual
async def test_dialled_and_hung_up_at_once_it_does_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        house.plane.ports = 0
        alice = house.phone("102")
        alice.dial("*1")
        assert (await alice.take(InviteFailed)).code == 503
        house.plane.ports = 2
        alice.dial("*1")
        await alice.take(InviteAnswered)
        alice.bye()
        await asyncio.sleep(20)
        assert house.plane.lent == {}
