"""Attended transfers, and the same call at another telephone: Replaces (RFC 3891)."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import SetRemote
from cdr.records import CallEnded, CallOpened, EvidenceStored
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    ReinviteReceived,
    UsageEnded,
)
from sip.message import URI, Address
from sip.replaces import Replaces
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import SERVER, Phone, sdp
from tests.unit.b2bua.calls.scenes import agreed, hold
from tests.unit.b2bua.calls.transfers import (
    accept_reinvite,
    dialog_of,
    joined,
    opened,
    refer,
    rows,
    same_chain,
    three,
    to,
    told,
)
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB, CAROL = extension("102"), extension("103"), extension("104")


async def two_calls(house: House) -> tuple[Phone, Phone, Phone, int, int]:
    """Alice has called Bob, who holds her and has called Carol; returns Bob's usages, too."""
    alice, bob, carol = house.phone("102"), house.phone("103"), house.phone("104")
    await house.connect(alice, "103", bob)
    first = bob.usage
    await hold(bob, alice)
    await house.connect(bob, "104", carol)
    return alice, bob, carol, first, bob.usage


@pytest.mark.parametrize("other_way_round", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
@virtual
async def test_both_parties_are_joined_and_the_referrer_leaves(
    tmp_path: Path, *, other_way_round: bool, swapped: bool
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol, first, second = await two_calls(house)
        if other_way_round:
            first, second = second, first
        target = to(dialog_of(bob, second, swapped=swapped))

        assert await refer(house, bob, target, usage=first) == 202
        assert await told(house, bob) == "100 Trying"
        assert await told(house, bob) == "200 OK."
        ended = {(await bob.take(UsageEnded)).usage for _ in range(2)}
        assert ended == {first, second}
        assert await accept_reinvite(alice) == "sendrecv"
        await asyncio.sleep(3)
        assert joined(house) == {1, 4}
        assert carol.untold == []
        assert len(house.switchboard) == 1

        await house.hang_up(carol, alice, calls=3)
        assert rows(house) == [("102", "103"), ("103", "104"), ("102", "104")]
        one, _, last = house.journal.of(CallOpened)
        assert last.linkedid == one.uniqueid
        assert [row.disposition for row in house.journal.of(CallEnded)] == ["ANSWERED"] * 3


@virtual
async def test_parties_at_different_workers_meet_at_one(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol, first, second = await two_calls(house)
        for leg_id in (3, 4):
            house.plane.lent[leg_id].worker = 1
        await refer(house, bob, to(dialog_of(bob, second)), usage=first)
        await told(house, bob)
        await told(house, bob)
        await accept_reinvite(alice)
        moved = await carol.take(ReinviteReceived)
        assert SessionDescription.parse(moved.request.body).media[0].port == 20000 + 2 * 5
        carol.accept(moved)
        await bob.take(UsageEnded)
        await bob.take(UsageEnded)
        await asyncio.sleep(1)

        assert joined(house) == {1, 5}
        assert 4 not in house.plane.lent
        assert house.plane.of(SetRemote)[-1].leg_id == 5
        await house.hang_up(carol, alice, calls=3)


async def rung(house: House, worker: int = 0) -> tuple[Phone, Phone, Phone, InviteOffered]:
    """Alice is transferred to Carol, whom Bob has ringing; returns what Carol was offered.

    `worker`: where the legs of Bob's call to her are.
    """
    alice, bob, carol = house.phone("102"), house.phone("103"), house.phone("104")
    await house.connect(alice, "103", bob)
    first = bob.usage
    await hold(bob, alice)
    bob.dial("104")
    offered = await carol.take(InviteOffered)
    carol.ring(offered)
    await asyncio.sleep(0.2)
    for leg_id in (3, 4):
        house.plane.lent[leg_id].worker = worker
    assert await refer(house, bob, to(dialog_of(bob, bob.usage)), usage=first) == 202
    assert await told(house, bob) == "100 Trying"
    assert (await bob.take(InviteFailed)).code == 487
    return alice, bob, carol, offered


@pytest.mark.parametrize("worker", [0, 1])
@virtual
async def test_a_target_that_still_rings_rings_on_for_the_other_party(
    tmp_path: Path, worker: int
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol, offered = await rung(house, worker)
        assert await accept_reinvite(alice) == "sendrecv"
        await asyncio.sleep(5)
        assert house.plane.heard(1)[-1] == "tone/ringing"
        assert carol.untold == []

        carol.answer(offered)
        assert await told(house, bob) == "200 OK."
        assert (await bob.take(UsageEnded)).usage != bob.usage
        if worker:
            moved = await carol.take(ReinviteReceived)
            assert SessionDescription.parse(moved.request.body).media[0].port == 20010
            carol.accept(moved)
        await asyncio.sleep(1)
        assert joined(house) == ({1, 5} if worker else {1, 4})
        assert set(house.plane.lent) == joined(house)
        await house.hang_up(carol, alice, calls=3)
        assert sorted(rows(house)) == [("102", "103"), ("102", "104"), ("103", "104")]
        assert house.plane.lent == {}


@virtual
async def test_a_target_that_rings_on_and_does_not_answer_brings_the_party_back(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol, offered = await rung(house)
        assert await accept_reinvite(alice) == "sendrecv"
        carol.reject(offered, 486)
        assert await told(house, bob) == "486 Busy Here."
        await asyncio.sleep(1)
        assert joined(house) == {1, 2}
        await house.hang_up(alice, bob, calls=3)
        assert house.plane.lent == {}


@virtual
async def test_a_party_who_leaves_while_the_target_rings_on_ends_the_ringing(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol, _ = await rung(house)
        await accept_reinvite(alice)
        alice.bye()
        await carol.take(InviteCancelled)
        assert await told(house, bob) == "487 Request Terminated."
        await bob.take(UsageEnded)
        await house.over(3)
        assert house.plane.lent == {}


@virtual
async def test_a_target_that_answers_in_that_moment_is_heard(tmp_path: Path) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        first = bob.usage
        bob.dial("104")
        offered = await carol.take(InviteOffered)
        carol.ring(offered)
        await asyncio.sleep(0.2)

        target = to(dialog_of(bob, bob.usage))
        bob.endpoint.calls.request(first, "REFER", house.now, headers=(("Refer-To", target),))
        carol.answer(offered)
        house.kick()
        await asyncio.sleep(1)
        assert joined(house) == {1, 4}
        assert len(house.switchboard) == 1
        await house.hang_up(carol, alice, calls=3)


@virtual
async def test_a_target_that_has_described_itself_before_its_answer_is_joined(
    tmp_path: Path,
) -> None:
    async with three(tmp_path) as (house, alice, bob, carol):
        first = bob.usage
        bob.dial("104")
        offered = await carol.take(InviteOffered)
        carol.ring(offered, 183, sdp(carol.host))
        await asyncio.sleep(0.2)
        assert await refer(house, bob, to(dialog_of(bob, bob.usage)), usage=first) == 202
        await asyncio.sleep(1)
        assert house.plane.heard(1)[-1] == "tone/ringing"
        carol.answer(offered, b"")
        await asyncio.sleep(1)
        assert joined(house) == {1, 4}
        await house.hang_up(carol, alice, calls=3)


@pytest.mark.parametrize(
    "target",
    [
        Replaces(call_id="nobody", to_tag="1", from_tag="2"),
        None,
    ],
)
@virtual
async def test_a_dialog_that_is_not_the_referrers_is_not_taken(
    tmp_path: Path, target: Replaces | None
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL, extension("105")) as house:
        alice, bob, carol = house.phone("102"), house.phone("103"), house.phone("104")
        dave = house.phone("105")
        await house.connect(carol, "105", dave)
        await house.connect(alice, "103", bob)
        replaces = target or dialog_of(carol, carol.usage)

        assert await refer(house, bob, to(replaces)) == 202
        assert await told(house, bob) == "100 Trying"
        assert await told(house, bob) == "481 Call/Transaction Does Not Exist."
        assert joined(house) == {3, 4}
        assert len(house.switchboard) == 2
        await house.hang_up(bob, alice)
        await house.hang_up(carol, dave, calls=2)


@virtual
async def test_a_party_who_leaves_in_that_moment_is_no_target_any_more(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob, carol, first, second = await two_calls(house)
        target = to(dialog_of(bob, second))
        bob.endpoint.calls.request(first, "REFER", house.now, headers=(("Refer-To", target),))
        carol.bye()
        await asyncio.sleep(0.5)
        kinds = ["RequestCompleted", "InDialogReceived", "InDialogReceived", "UsageEnded"]
        assert sorted(bob.untold) == sorted(kinds)
        assert len(house.switchboard) == 1
        alice.bye()
        await asyncio.sleep(0.5)
        assert bob.untold == ["UsageEnded"]
        await house.over(2)


# --- recordings


CLERK, CHIEF = extension("101", "automatic"), extension("105", "automatic")


@virtual
async def test_the_recording_follows_and_nobody_is_asked_twice(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, CHIEF) as house:
        chief = house.phone("105")
        outside, clerk, offered = await agreed(house)
        clerk.answer(offered)
        first = clerk.usage
        await asyncio.sleep(3)
        await house.connect(clerk, "105", chief)
        second = clerk.usage
        await asyncio.sleep(3)
        assert len(house.recordings) == 2

        began = house.now
        await refer(house, clerk, to(dialog_of(clerk, second)), usage=first)
        await told(house, clerk)
        await told(house, clerk)
        for _ in range(2):
            await clerk.take(UsageEnded)
        assert house.now - began < 0.1
        await asyncio.sleep(3)
        assert len(house.recordings) == 3
        assert [leg for leg, _ in opened(house)[4:]] == [1, 4]
        assert joined(house) == {1, 4}
        await house.hang_up(outside, chief, calls=3)
        assert [row.outcome for row in house.journal.of(CallEnded)] == ["recorded"] * 3
        assert house.plane.heard(1).count("de/consent") == 1
        notes = [row.note for row in house.journal.of(EvidenceStored) if row.note]
        assert notes == [f"agreed in call {house.journal.of(CallOpened)[0].uniqueid}"]


# --- the same extension at another telephone


async def pick(house: House, phone: Phone, replaces: Replaces, body: bytes | None = None) -> None:
    """Call with Replaces."""
    address = Address(uri=URI(scheme="sip", user=phone.number, host=SERVER.host))
    phone.usage = phone.endpoint.calls.invite(
        target=URI(scheme="sip", user=phone.number, host=SERVER.host),
        flow=house.flow(phone.endpoint.contact, SERVER),
        from_=address,
        to=address,
        body=sdp(phone.host) if body is None else body,
        now=house.now,
        headers=(("Replaces", str(replaces)), ("Require", "replaces")),
    )
    house.kick()


@virtual
async def test_an_extension_goes_on_at_its_other_telephone(tmp_path: Path) -> None:
    async with open_house(tmp_path, extension("102", "automatic"), CLERK) as house:
        alice, clerk = house.phone("102"), house.phone("101")
        mobile = house.phone("101", host="192.0.2.77", registered=False)
        await house.connect(alice, "101", clerk)
        await asyncio.sleep(3)

        await pick(house, mobile, dialog_of(clerk, clerk.usage))
        await mobile.take(InviteAnswered)
        await clerk.take(UsageEnded)
        await asyncio.sleep(3)
        assert joined(house) == {1, 3}
        assert [leg for leg, _ in opened(house)] == [1, 2, 1, 3]
        assert len({path for _, path in opened(house)}) == 2
        await house.hang_up(mobile, alice, calls=2)
        assert rows(house) == [("102", "101"), ("102", "101")]
        assert same_chain(house)


@pytest.mark.parametrize("case", ["another extension", "the trunk", "no offer"])
@virtual
async def test_who_may_not_take_a_call_gets_403(tmp_path: Path, case: str) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL) as house:
        alice, bob = house.phone("102"), house.phone("103")
        taker = house.outside() if case == "the trunk" else house.phone("104")
        if case == "no offer":
            taker.number = "103"
        await house.connect(alice, "103", bob)

        body = b"" if case == "no offer" else None
        await pick(house, taker, dialog_of(bob, bob.usage), body)
        assert (await taker.take(InviteFailed)).code == 403
        await house.hang_up(bob, alice)
