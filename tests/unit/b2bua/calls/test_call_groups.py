"""Numbers that ring a group: all at once or in turn, and whose policy counts."""

import asyncio
from pathlib import Path

import pytest

from b2bua.directory import Forwards
from cdr.records import PartyJoined
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
)
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone
from tests.unit.b2bua.calls.scenes import A
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB, CARL = extension("102"), extension("103"), extension("104")


def group(ring: str = "all", more: str = "") -> str:
    return (
        f'[[group]]\nnumber = "600"\nmembers = ["102", "103", "104"]\nring = "{ring}"\n'
        f"turn_s = 10\n{more}\n"
    )


def three(house: House) -> tuple[Phone, Phone, Phone]:
    return house.phone("102"), house.phone("103"), house.phone("104")


@virtual
async def test_all_ring_at_once_and_the_first_who_answers_has_the_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CARL, toml=group()) as house:
        caller, (alice, bob, carl) = house.outside(), three(house)
        caller.dial("600")
        offers = [await phone.take(InviteOffered) for phone in (alice, bob, carl)]
        alice.reject(offers[0], 486)
        bob.answer(offers[1])
        await carl.take(InviteCancelled)
        await caller.take(InviteAnswered)
        # Whoever was only rung is free again.
        assert [house.switchboard.is_busy(n) for n in ("102", "103", "104")] == [False, True, False]
        await house.hang_up(caller, bob)
        assert house.row.dst == "600"
        assert [party.number for party in house.journal.of(PartyJoined)][1:] == ["103"]


@virtual
async def test_in_turn_each_one_has_its_time(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CARL, toml=group("in_turn")) as house:
        caller, (alice, bob, carl) = house.outside(), three(house)
        began = house.now
        caller.dial("600")
        await alice.take(InviteOffered)
        assert (bob.untold, carl.untold) == ([], [])
        await alice.take(InviteCancelled)
        assert house.now - began == pytest.approx(10, abs=0.1)
        bob.reject(await bob.take(InviteOffered), 486)
        carl.answer(await carl.take(InviteOffered))
        assert house.now - began == pytest.approx(10, abs=0.2)
        await asyncio.sleep(0.1)
        assert caller.untold == ["InviteAnswered"], "no 181: nobody has forwarded the call"
        await house.hang_up(caller, carl)


@pytest.mark.parametrize("ring", ["all", "in_turn"])
def test_who_is_busy_or_away_is_passed_over(tmp_path: Path, ring: str) -> None:
    """Alice talks, Bob forwards everything to his mobile, so Carl alone rings."""
    bob = extension("103", forwards=Forwards(always="0170"))

    @virtual
    async def run() -> None:
        dora = extension("105")
        async with open_house(tmp_path, ALICE, bob, CARL, dora, toml=group(ring)) as house:
            outside, (alice, phone, carl) = house.outside(), three(house)
            other, caller = house.phone("105"), outside
            await house.connect(alice, "105", other)
            caller.dial("600")
            carl.answer(await carl.take(InviteOffered))
            await caller.take(InviteAnswered)
            assert phone.untold == []
            await house.hang_up(caller, carl)
            await house.hang_up(alice, other, calls=2)

    run()


@pytest.mark.parametrize("ring", ["all", "in_turn"])
@virtual
async def test_the_caller_is_told_what_became_of_it(tmp_path: Path, ring: str) -> None:
    toml = "[sip]\nring_timeout_s = 20\n" + group(ring)
    async with open_house(tmp_path, ALICE, BOB, CARL, extension("105"), toml=toml) as house:
        caller = house.phone("105")
        caller.dial("600")  # nobody is there
        assert (await caller.take(InviteFailed)).code == 480
        phones = three(house)
        caller.dial("600")  # all of them are busy
        for phone in phones:
            phone.reject(await phone.take(InviteOffered), 486)
        assert (await caller.take(InviteFailed)).code == 486
        caller.dial("600")  # one is busy, the others don't answer
        phones[0].reject(await phones[0].take(InviteOffered), 486)
        for phone in phones[1:]:
            await phone.take(InviteOffered)
            if ring == "in_turn":
                await phone.take(InviteCancelled)
        assert (await caller.take(InviteFailed)).code == 480
        row = await house.over(3)
        assert (row.disposition, row.outcome_reason) == ("NO ANSWER", "not_answered")
        assert row.duration == 20


@virtual
async def test_one_who_calls_a_group_of_its_own_does_not_ring_itself(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CARL, toml=group()) as house:
        alice, bob, carl = three(house)
        alice.dial("600")
        await carl.take(InviteOffered)
        bob.answer(await bob.take(InviteOffered))
        await alice.take(InviteAnswered)
        await house.hang_up(alice, bob)


@virtual
async def test_otherwise_somebody_else_rings(tmp_path: Path) -> None:
    """A group, then an extension that is forwarded to the group: nobody is rung twice."""
    dora = extension("105", forwards=Forwards(busy="600"))
    toml = "[sip]\nring_timeout_s = 20\n" + group(more='otherwise = "105"')
    async with open_house(tmp_path, ALICE, BOB, CARL, dora, toml=toml) as house:
        caller, phones, last = house.outside(), three(house), house.phone("105")
        caller.dial("600")
        for phone in phones:
            await phone.take(InviteOffered)
        last.reject(await last.take(InviteOffered), 486)
        assert (await caller.take(InviteFailed)).code == 486
        await house.over()
        assert [phone.untold for phone in phones] == [["InviteCancelled"]] * 3


@virtual
async def test_an_extension_may_be_forwarded_to_a_group(tmp_path: Path) -> None:
    dora = extension("105", forwards=Forwards(offline="600"))
    async with open_house(tmp_path, ALICE, BOB, dora, toml=group()) as house:
        caller, bob = house.phone("102"), house.phone("103")
        caller.dial("105")
        offered = await bob.take(InviteOffered)
        assert offered.request.headers.getlist("Diversion") == [
            "<sip:105@192.0.2.100>;reason=unavailable"
        ]
        bob.answer(offered)
        await caller.take(InviteAnswered)
        await house.hang_up(caller, bob)


@virtual
async def test_two_calls_to_a_group_ring_side_by_side(tmp_path: Path) -> None:
    """That somebody is rung by one call does not hide it from the next."""
    async with open_house(tmp_path, ALICE, extension("105"), toml=group()) as house:
        first, second, alice = house.outside(), house.phone("105"), house.phone("102")
        first.dial("600")
        one = await alice.take(InviteOffered)
        second.dial("600")
        two = await alice.take(InviteOffered)
        alice.answer(two)
        await second.take(InviteAnswered)
        alice.reject(one, 486)
        assert (await first.take(InviteFailed)).code == 486
        await house.hang_up(second, alice, calls=2)


@virtual
async def test_a_stop_rings_nobody_else(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, CARL, toml=group("in_turn")) as house:
        caller, (alice, bob, carl) = house.outside(), three(house)
        caller.dial("600")
        await alice.take(InviteOffered)
        house.plane.die()
        assert (await caller.take(InviteFailed)).code == 503
        await house.over()
        assert (bob.untold, carl.untold) == ([], [])


# --- whose policy, whose opt-in


@virtual
async def test_where_all_of_them_record_the_caller_is_asked_before_they_ring(
    tmp_path: Path,
) -> None:
    members = [extension(number, "automatic") for number in ("102", "103", "104")]
    async with open_house(tmp_path, *members, toml=group()) as house:
        caller, (alice, bob, carl) = house.outside(), three(house)
        caller.dial("600")
        await caller.take(InviteAnswered)
        await asyncio.sleep(6)
        assert bob.untold == []
        house.plane.press(A, "1")
        bob.answer(await bob.take(InviteOffered))
        for phone in (alice, carl):
            await phone.take(InviteOffered)
            await phone.take(InviteCancelled)
        await asyncio.sleep(5)
        assert (await house.hang_up(caller, bob)).outcome == "recorded"
        assert ("opt_in", "granted") in house.evidence


@pytest.mark.parametrize(("who", "outcome"), [("103", "recorded"), ("104", "not_wanted")])
@virtual
async def test_where_some_record_the_caller_is_asked_when_one_of_those_has_answered(
    tmp_path: Path, who: str, outcome: str
) -> None:
    bob, never = extension("103", "automatic"), extension("104", "never", opted_in=False)
    async with open_house(tmp_path, ALICE, bob, never, toml=group()) as house:
        caller, phones = house.outside(), three(house)
        caller.dial("600")
        offers = {phone.number: await phone.take(InviteOffered) for phone in phones}
        answering = next(phone for phone in phones if phone.number == who)
        answering.answer(offers[who])
        await caller.take(InviteAnswered)
        await asyncio.sleep(6)
        house.plane.press(A, "1")
        await asyncio.sleep(5)
        assert house.plane.heard(A) == (["de/consent"] if outcome == "recorded" else [])
        assert (await house.hang_up(caller, answering)).outcome == outcome
