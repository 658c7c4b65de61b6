"""A call that rings at one extension is fetched by another one."""

import asyncio
from pathlib import Path

import pytest

from cdr.records import CallOpened, PartyJoined
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    ReinviteReceived,
    UsageEnded,
)
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, agreed
from tests.unit.b2bua.calls.transfers import accept_reinvite, dialog_of, joined, refer, to, told
from tests.unit.b2bua.calls.virtual_time import virtual

"The caller's leg."

ALICE, BOB, CAROL = extension("102"), extension("103"), extension("104")


async def ringing(house: House, body: bytes | None = None) -> tuple[Phone, Phone, Phone]:
    """Alice calls Bob, whose telephone rings; Carol sits beside it."""
    alice, bob, carol = (house.phone(number) for number in ("102", "103", "104"))
    alice.dial("103", body)
    bob.ring(await bob.take(InviteOffered))
    await asyncio.sleep(1)
    return alice, bob, carol


async def lost(phone: Phone) -> str:
    """Take the CANCEL; returns why."""
    return (await phone.take(InviteCancelled)).reason


@virtual
async def test_the_call_goes_to_whoever_dials_the_code(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol = await ringing(house)
        carol.dial("*8103")
        await carol.take(InviteAnswered)
        await alice.take(InviteAnswered)
        assert "Call completed elsewhere" in await lost(bob)
        await asyncio.sleep(1)
        assert joined(house) == {1, 2}
        assert len(house.switchboard) == 1
        assert (house.switchboard.is_busy("103"), house.switchboard.is_busy("104")) == (
            False,
            True,
        )
        row = await house.hang_up(carol, alice)
        assert (row.disposition, row.billsec) == ("ANSWERED", 1)
        parties = [(each.side, each.number) for each in house.journal.of(PartyJoined)]
        assert parties == [(0, "102"), (1, "104")]
        assert house.plane.lent == {}


@pytest.mark.parametrize(
    ("mode", "outcome"), [("automatic", "recorded"), ("off", "not_wanted"), ("never", "not_wanted")]
)
@virtual
async def test_the_recording_is_a_matter_of_whoever_fetches_it(
    tmp_path: Path, mode: str, outcome: str
) -> None:
    clerk, carol = extension("101", "automatic"), extension("104", mode)
    async with open_house(tmp_path, clerk, carol) as house:
        fetcher = house.phone("104")
        caller, phone, _ = await agreed(house)
        await asyncio.sleep(1)
        assert house.plane.hears(A)
        fetcher.dial("*8101")
        await fetcher.take(InviteAnswered)
        await lost(phone)
        await asyncio.sleep(5)
        assert joined(house) == {1, 2}
        assert not house.plane.hears(A)
        assert (await house.hang_up(caller, fetcher)).outcome == outcome


@virtual
async def test_a_caller_without_an_offer_answers_ours(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol = await ringing(house, b"")
        carol.dial("*8103")
        await carol.take(InviteAnswered)
        answered = await alice.take(InviteAnswered)
        assert answered.response.body
        alice.ack()
        await lost(bob)
        await asyncio.sleep(1)
        assert joined(house) == {1, 2}
        await house.hang_up(alice, carol)


@virtual
async def test_a_caller_who_has_heard_early_media_is_told_the_truth(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol = (house.phone(number) for number in ("102", "103", "104"))
        alice.dial("103", sdp(alice.host, formats="9 8 101"))
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host, formats="9 101"))
        await asyncio.sleep(1)
        carol.dial("*8103", sdp(carol.host, formats="8"))
        await carol.take(InviteAnswered)
        await alice.take(InviteAnswered)
        await lost(bob)
        again = await alice.take(ReinviteReceived)
        alice.accept(again)
        await asyncio.sleep(1)
        assert joined(house) == {1, 2}
        await house.hang_up(alice, carol)


@pytest.mark.parametrize("attended", [False, True])
@virtual
async def test_a_transferred_party_is_fetched_too(tmp_path: Path, *, attended: bool) -> None:
    people = (ALICE, BOB, CAROL, extension("105"))
    async with open_house(tmp_path, *people) as house:
        alice, bob, carol, dave = (house.phone(each.number) for each in people)
        await house.connect(alice, "103", bob)
        first = bob.usage
        if attended:
            bob.dial("104")
            carol.ring(await carol.take(InviteOffered))
            await asyncio.sleep(1)
            for leg_id in (3, 4):
                house.plane.lent[leg_id].worker = 1
            await refer(house, bob, to(dialog_of(bob, bob.usage)), usage=first)
            assert await told(house, bob) == "100 Trying"
            await bob.take(InviteFailed)
        else:
            await refer(house, bob, "<sip:104@192.0.2.100>")
            await carol.take(InviteOffered)
        await asyncio.sleep(1)
        dave.dial("*8104")
        await dave.take(InviteAnswered)
        await lost(carol)
        if attended:
            await accept_reinvite(dave)
        await asyncio.sleep(1)
        assert len(joined(house)) == 2
        assert set(house.plane.lent) == joined(house)
        dave.bye()
        await alice.take(UsageEnded)
        await house.over(3 if attended else 2)
        assert house.plane.lent == {}


@pytest.mark.parametrize(
    ("dialled", "toml", "code"),
    [
        ("*8105", "", 480),
        ("*8104", "", 480),
        ("*8102", "", 480),
        ("*8999", "", 404),
        ("*8", "", 404),
        ("*8103", '[lamps]\nwatch = "nobody"\n', 403),
        ("*8103", '[lamps]\nwatch = "listed"\nwatchers = { "105" = ["103"] }\n', 403),
        ("*8103", '[codes]\npickup = ""\n', 404),
        ("*8103", '[codes]\npickup = "**"\n', 404),
    ],
)
@virtual
async def test_where_there_is_nothing_to_fetch_it_goes_on_ringing(
    tmp_path: Path, dialled: str, toml: str, code: int
) -> None:
    people = (ALICE, BOB, CAROL, extension("105"))
    async with open_house(tmp_path, *people, toml=toml) as house:
        alice, bob, carol = await ringing(house)
        carol.dial(dialled)
        assert (await carol.take(InviteFailed)).code == code
        assert bob.untold == []
        alice.cancel()
        await lost(bob)
        await house.over()


@virtual
async def test_nobody_fetches_its_own_call_or_one_that_was_answered(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol = (house.phone(number) for number in ("102", "103", "104"))
        mobile = house.phone("102", host="192.0.2.77", registered=False)
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        mobile.dial("*8103")
        assert (await mobile.take(InviteFailed)).code == 480
        bob.answer(offered)
        carol.dial("*8103")
        assert (await carol.take(InviteFailed)).code == 480
        await alice.take(InviteAnswered)
        await asyncio.sleep(1)
        carol.dial("*8103")
        assert (await carol.take(InviteFailed)).code == 480
        assert joined(house) == {1, 2}
        await house.hang_up(alice, bob)
        assert len(house.journal.of(CallOpened)) == 1


@virtual
async def test_a_caller_who_leaves_in_that_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol = await ringing(house)
        alice.cancel()
        carol.dial("*8103")
        assert (await carol.take(InviteFailed)).code >= 480
        await lost(bob)
        await house.over()
        assert house.plane.lent == {}
        assert len(house.switchboard) == 0


@virtual
async def test_who_shares_no_codec_is_refused_and_it_rings_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol = await ringing(house)
        for body in (sdp(carol.host, formats="18"), b""):
            carol.dial("*8103", body)
            assert (await carol.take(InviteFailed)).code == 488
        assert bob.untold == []
        carol.dial("*8103")
        await carol.take(InviteAnswered)
        await lost(bob)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, carol)
