"""Offers before the answer: early media, PRACK, UPDATE, late offers."""

import asyncio
from pathlib import Path

from sip.events import (
    InDialogReceived,
    InviteAnswered,
    InviteCancelled,
    InviteOffered,
    InviteProgressed,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")
RELIABLE = ("100rel",)


async def promised(
    alice: Phone, bob: Phone, *, offer: bytes | None = None, formats: str = "8 0 101"
) -> InviteOffered:
    """Have Alice call Bob, who rings and describes the early media that he is going to send."""
    alice.dial("103", offer)
    offered = await bob.take(InviteOffered)
    bob.ring(offered, 183, sdp(bob.host, formats=formats))
    return offered


@virtual
async def test_early_media_is_promised_reliably_and_the_answer_brings_no_other(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102", supported=RELIABLE)
        bob = house.phone("103", supported=RELIABLE)
        offered = await promised(alice, bob)
        progressed = (await alice.take(InviteProgressed)).response
        assert (progressed.code, progressed.headers["Require"]) == (183, "100rel")
        assert SessionDescription.parse(progressed.body).media[0].port == 20002
        await asyncio.sleep(0.1)
        assert house.joined, "what the callee sends before its answer is heard"
        bob.answer(offered)
        assert (await alice.take(InviteAnswered)).response.body == b""
        await asyncio.sleep(0.1)
        assert (house.remotes(A), house.remotes(B)) == ([4000], [4000])
        await house.hang_up(alice, bob)


@virtual
async def test_a_callee_who_answers_otherwise_than_it_promised_is_told_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102", supported=RELIABLE), house.phone("103")
        offered = await promised(alice, bob, formats="8 101")
        await alice.take(InviteProgressed)
        bob.answer(offered, sdp(bob.host, formats="0 101"))
        await alice.take(InviteAnswered)
        corrected = await alice.take(ReinviteReceived)
        assert SessionDescription.parse(corrected.request.body).media[0].formats[0] == "0"
        alice.accept(corrected, body=sdp(alice.host, formats="0 101"))
        await asyncio.sleep(0.1)
        await house.hang_up(alice, bob)


@virtual
async def test_a_caller_without_an_offer_hears_early_media_too(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102", supported=RELIABLE), house.phone("103")
        alice.answers_early_offers = True
        offered = await promised(alice, bob, offer=b"")
        progressed = (await alice.take(InviteProgressed)).response
        assert SessionDescription.parse(progressed.body).media[0].port == 20002
        await asyncio.sleep(0.1)
        assert house.joined, "her PRACK had the answer"
        assert (house.remotes(A), house.remotes(B)) == ([4000], [4000])
        bob.answer(offered, sdp(bob.host, port=4002, version=2))
        assert (await alice.take(InviteAnswered)).response.body == b""
        await asyncio.sleep(0.1)
        assert house.remotes(B) == [4000, 4002]
        await house.hang_up(alice, bob)


@virtual
async def test_one_who_could_not_answer_early_hears_it_from_the_answer_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        offered = await promised(alice, bob, offer=b"")
        assert (await alice.take(InviteProgressed)).response.body == b""
        bob.answer(offered)
        assert (await alice.take(InviteAnswered)).response.body
        alice.ack()
        await asyncio.sleep(0.1)
        assert house.joined
        await house.hang_up(alice, bob)


@virtual
async def test_who_was_promised_nothing_reliably_is_not_corrected(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        offered = await promised(alice, bob, formats="8 101")
        bob.answer(offered, sdp(bob.host, formats="0 101"))
        answered = await alice.take(InviteAnswered)
        assert SessionDescription.parse(answered.response.body).media[0].formats[0] == "0"
        await asyncio.sleep(5)
        assert alice.untold == [], "the 2xx said it all"
        await house.hang_up(alice, bob)


@virtual
async def test_an_answer_without_a_description_means_the_early_one(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103", supported=RELIABLE)
        offered = await promised(alice, bob)
        await asyncio.sleep(0.1)
        bob.answer(offered)
        answered = await alice.take(InviteAnswered)
        assert SessionDescription.parse(answered.response.body).media[0].port == 20002
        await house.hang_up(alice, bob)


@virtual
async def test_a_call_whose_caller_never_acknowledges_the_early_media_ends(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102", supported=RELIABLE), house.phone("103")
        house.lose = lambda data, to: data.startswith(b"PRACK") and to == house.endpoint.contact
        offered = await promised(alice, bob)
        await asyncio.sleep(1)
        bob.answer(offered)
        await bob.take(UsageEnded)
        row = await house.over()
        assert row.hangup_side == "caller"


@virtual
async def test_an_update_before_the_answer_passes_both_ways(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102", supported=RELIABLE)
        bob = house.phone("103", supported=RELIABLE)
        offered = await promised(alice, bob)
        await alice.take(InviteProgressed)
        await asyncio.sleep(0.1)
        alice.update(sdp(alice.host, port=4002, version=2))
        update = await bob.take(InDialogReceived)
        assert update.request.method == "UPDATE"
        bob.accept(update)
        assert (await alice.response()).code == 200
        bob.usage = offered.usage
        bob.update(sdp(bob.host, port=4004, version=2))
        alice.accept(await alice.take(InDialogReceived), body=sdp(alice.host, port=4002))
        assert (await bob.response()).code == 200
        assert (house.remotes(A), house.remotes(B)) == ([4000, 4002], [4000, 4004])
        bob.answer(offered, sdp(bob.host, port=4004, version=2))
        await alice.take(InviteAnswered)
        await asyncio.sleep(1)
        await house.hang_up(alice, bob)


@virtual
async def test_an_early_update_that_can_not_be_passed_on_is_504(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102", supported=RELIABLE)
        bob = house.phone("103", info=False)
        offered = await promised(alice, bob)
        await alice.take(InviteProgressed)
        await asyncio.sleep(0.1)
        alice.update(sdp(alice.host, port=4002, version=2))
        assert (await alice.take(RequestCompleted)).code == 504
        bob.answer(offered)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, bob)


@virtual
async def test_who_cancels_while_the_answer_waits_for_its_prack(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102", supported=RELIABLE), house.phone("103")
        house.lose = lambda data, to: data.startswith(b"PRACK") and to == house.endpoint.contact
        offered = await promised(alice, bob)
        await asyncio.sleep(1)
        bob.answer(offered)
        await asyncio.sleep(0.5)
        alice.cancel()
        await bob.take(UsageEnded)
        await house.over()
        assert InviteCancelled.__name__ not in bob.untold
