"""Blind transfers: who hears what, who comes back, and what the row says."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import CollectDigits
from cdr.records import CallEnded
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteOffered,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import sdp
from tests.unit.b2bua.calls.scenes import direction, hold, internal
from tests.unit.b2bua.calls.transfers import (
    accept_reinvite,
    engaged,
    joined,
    refer,
    rows,
    same_chain,
    send_on,
    three,
    told,
)
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB, CAROL = extension("102"), extension("103"), extension("104")
OF_ALICE, OF_BOB, OF_CAROL = 1, 2, 3
"Leg ids, where Alice calls Bob and Carol is rung next."


def listens(house: House, leg_id: int) -> tuple[str, ...]:
    """The star codes that a leg is listened to for."""
    return [m.codes for m in house.plane.of(CollectDigits) if m.leg_id == leg_id][-1]


@virtual
async def test_the_target_takes_the_referrers_place(tmp_path: Path) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        await hold(bob, alice)

        assert await refer(house, bob, "<sip:104@192.0.2.100>") == 202
        assert await told(house, bob) == "100 Trying"
        assert await accept_reinvite(alice) == "sendrecv"
        offered = await carol.take(InviteOffered)
        assert offered.request.from_address.uri.user == "102"
        assert direction(offered.request.body) == "sendrecv"
        assert offered.request.headers["Referred-By"] == "<sip:103@192.0.2.100>"
        assert house.plane.heard(OF_ALICE)[-1] == "tone/ringing"
        assert house.plane.hears(OF_ALICE)
        assert engaged(house) == {"102": 1, "103": 1, "104": 1}
        carol.ring(offered)
        assert await told(house, bob) == "180 Ringing"
        carol.answer(offered)
        assert await told(house, bob) == "200 OK."
        await bob.take(UsageEnded)

        await asyncio.sleep(3)
        assert joined(house) == {OF_ALICE, OF_CAROL}
        assert engaged(house) == {"102": 1, "104": 1}
        assert not house.plane.hears(OF_ALICE)
        await house.hang_up(alice, carol, calls=2)
        assert rows(house) == [("102", "103"), ("102", "104")]
        assert same_chain(house)
        ended = house.journal.of(CallEnded)
        assert [row.disposition for row in ended] == ["ANSWERED", "ANSWERED"]
        assert [row.hangup_side for row in ended] == ["callee", "caller"]
        assert alice.untold == ["RequestCompleted"]


@virtual
async def test_a_caller_transfers_as_well(tmp_path: Path) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        assert await refer(house, alice, "sip:104@192.0.2.100") == 202
        assert await told(house, alice) == "100 Trying"
        carol.answer(await carol.take(InviteOffered))
        assert await told(house, alice) == "200 OK."
        await alice.take(UsageEnded)
        await asyncio.sleep(1)
        assert joined(house) == {OF_BOB, OF_CAROL}
        await house.hang_up(carol, bob, calls=2)
        assert rows(house) == [("102", "103"), ("103", "104")]


@pytest.mark.parametrize(("code", "status"), [(486, "486 Busy Here."), (404, "404 Call Failed.")])
@virtual
async def test_where_the_target_fails_they_talk_again(
    tmp_path: Path, code: int, status: str
) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        await send_on(house, bob, "104")
        carol.reject(await carol.take(InviteOffered), code)

        assert await told(house, bob) == status
        await house.over()
        assert joined(house) == {OF_ALICE, OF_BOB}
        assert not house.plane.hears(OF_ALICE)
        assert len(house.switchboard) == 1
        assert [listens(house, leg_id) for leg_id in (OF_ALICE, OF_BOB)] == [("*1",)] * 2
        # The re-INVITE of either side finds the other again.
        bob.reinvite(sdp(bob.host, version=3, port=4444))
        assert await accept_reinvite(alice) == "sendrecv"
        assert (await bob.take(RequestCompleted)).code == 200
        await house.hang_up(alice, bob, calls=2)
        assert rows(house) == [("102", "103"), ("102", "104")]
        first, second = house.journal.of(CallEnded)
        assert first.disposition == ("BUSY" if code == 486 else "FAILED")
        assert (second.disposition, second.hangup_side) == ("ANSWERED", "caller")


@pytest.mark.parametrize("answers", [True, False])
@virtual
async def test_a_referrer_who_has_hung_up_is_rung_again(tmp_path: Path, *, answers: bool) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        await send_on(house, bob, "104")
        bob.bye()
        await bob.take(RequestCompleted)
        offered = await carol.take(InviteOffered)
        await asyncio.sleep(2)
        carol.reject(offered, 486)

        again = await bob.take(InviteOffered)
        assert again.request.from_address.uri.user == "102"
        began = house.now
        if answers:
            bob.answer(again)
            await asyncio.sleep(1)
            assert house.plane.heard(OF_ALICE)[-1] == "tone/ringing"
            assert not house.plane.hears(OF_ALICE)
            alice.bye()
            await bob.take(UsageEnded)
        else:
            await bob.take(InviteCancelled)
            assert house.now - began == pytest.approx(20, abs=0.1)
            assert house.plane.heard(OF_ALICE)[-1] == "tone/busy"
            await alice.take(UsageEnded)
            assert house.now - began == pytest.approx(25, abs=0.2)
        await house.over(3)
        assert rows(house) == [("102", "103"), ("102", "104"), ("102", "103")]
        assert same_chain(house)
        last = house.journal.of(CallEnded)[-1]
        assert last.disposition == ("ANSWERED" if answers else "NO ANSWER")


@virtual
async def test_who_is_transferred_may_hang_up_meanwhile(tmp_path: Path) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        await send_on(house, bob, "104")
        await carol.take(InviteOffered)
        alice.bye()

        await carol.take(InviteCancelled)
        assert await told(house, bob) == "487 Request Terminated."
        await bob.take(UsageEnded)
        await house.over(2)


@virtual
async def test_what_the_referrer_does_meanwhile_is_answered(tmp_path: Path) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        await send_on(house, bob, "104")
        offered = await carol.take(InviteOffered)

        assert await refer(house, bob, "<sip:102@192.0.2.100>") == 491
        bob.reinvite(sdp(bob.host, direction="sendonly", version=2))
        assert (await bob.take(RequestCompleted)).code == 200
        bob.reinvite(b"nonsense")
        assert (await bob.take(RequestCompleted)).code == 488
        assert await bob.request("OPTIONS") == 200
        alice.reinvite(sdp(alice.host, version=2, port=4100))
        assert (await alice.take(RequestCompleted)).code == 200
        assert house.remotes(OF_ALICE)[-1] == 4100
        carol.answer(offered)
        assert await told(house, bob) == "200 OK."
        await bob.take(UsageEnded)
        await house.hang_up(carol, alice, calls=2)


@virtual
async def test_a_transfer_that_overtakes_the_end_of_its_hold_waits_for_it(tmp_path: Path) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        bob.reinvite(sdp(bob.host, direction="sendonly", version=2))
        event = await alice.take(ReinviteReceived)
        bob.endpoint.calls.request(
            bob.usage, "REFER", house.now, headers=(("Refer-To", "<sip:104@h>"),)
        )
        house.kick()
        await asyncio.sleep(0.2)
        assert bob.untold == []
        alice.accept(event, body=sdp(alice.host, direction="recvonly", version=2))

        assert (await bob.take(RequestCompleted)).code == 200
        assert (await bob.take(RequestCompleted)).code == 202
        assert await told(house, bob) == "100 Trying"
        assert await accept_reinvite(alice) == "sendrecv"
        carol.answer(await carol.take(InviteOffered))
        assert await told(house, bob) == "200 OK."
        await bob.take(UsageEnded)
        await house.hang_up(carol, alice, calls=2)


@pytest.mark.parametrize("hasty", [False, True])
@virtual
async def test_a_target_that_is_not_there_disturbs_nobody_but_a_hasty_referrer(
    tmp_path: Path, *, hasty: bool
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob = await internal(house)
        await hold(bob, alice)
        assert await refer(house, bob, "<sip:104@h>") == 202
        assert await told(house, bob) == "100 Trying"
        assert await told(house, bob) == "480 Temporarily Unavailable."
        assert alice.untold == []
        await asyncio.sleep(0.5 if hasty else 1.5)
        bob.bye()
        await bob.take(RequestCompleted)
        if hasty:
            await accept_reinvite(alice)
            bob.answer(await bob.take(InviteOffered))
            await asyncio.sleep(1)
            assert joined(house) == {1, 4}
            bob.bye()
        await alice.take(UsageEnded)
        await house.over(3 if hasty else 2)


@virtual
async def test_a_party_that_can_not_be_taken_along_at_once_is_asked_again(tmp_path: Path) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        await hold(bob, alice)
        await send_on(house, bob, "104")
        alice.accept(await alice.take(ReinviteReceived), 491)
        carol.answer(await carol.take(InviteOffered))
        assert await accept_reinvite(alice) == "sendrecv"
        await asyncio.sleep(1)
        assert joined(house) == {OF_ALICE, OF_CAROL}
        await house.hang_up(alice, carol, calls=2)


@virtual
async def test_an_offer_that_is_under_way_goes_back_with_the_party(tmp_path: Path) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        await hold(bob, alice)
        await refer(house, bob, "<sip:104@h>")
        await told(house, bob)
        offered = await alice.take(ReinviteReceived)
        carol.reject(await carol.take(InviteOffered), 486)
        assert await told(house, bob) == "486 Busy Here."

        bob.reinvite(sdp(bob.host, version=3))
        assert (await bob.take(RequestCompleted)).code == 491
        alice.accept(offered, body=sdp(alice.host, version=3, port=4300))
        await asyncio.sleep(0.1)
        assert house.remotes(OF_ALICE)[-1] == 4300
        bob.reinvite(sdp(bob.host, version=4))
        await accept_reinvite(alice)
        assert (await bob.take(RequestCompleted)).code == 200
        await house.hang_up(bob, alice, calls=2)


@virtual
async def test_a_party_with_a_codec_that_we_do_not_speak_hears_it_ring_all_the_same(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol = house.phone("102"), house.phone("103"), house.phone("104")
        alice.dial("103", sdp(alice.host, formats="3 8 101"))
        bob.answer(await bob.take(InviteOffered), sdp(bob.host, formats="3 101"))
        await alice.take(InviteAnswered)
        await asyncio.sleep(0.1)
        await refer(house, bob, "<sip:104@h>")
        await told(house, bob)
        offered = await carol.take(InviteOffered)
        again = await alice.take(ReinviteReceived)
        assert not house.plane.hears(OF_ALICE)
        alice.accept(again, body=sdp(alice.host, formats="8 101", version=2))
        await asyncio.sleep(0.1)
        assert house.plane.heard(OF_ALICE) == ["tone/ringing"]
        assert house.plane.hears(OF_ALICE)

        carol.answer(offered)
        assert await told(house, bob) == "200 OK."
        await bob.take(UsageEnded)
        assert joined(house) == {OF_ALICE, OF_CAROL}
        assert not house.plane.hears(OF_ALICE)
        await house.hang_up(carol, alice, calls=2)
