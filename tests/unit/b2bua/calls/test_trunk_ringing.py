"""Numbers outside: the trunks of a route in turn, and how many calls each may have."""

import asyncio
from pathlib import Path

import pytest

from cdr.records import CallAnswered, CallEnded, PartyJoined
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    RequestCompleted,
    UsageEnded,
)
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone
from tests.unit.b2bua.calls.trunk_rig import (
    NUMBER,
    ONE_HOST,
    THREE_HOST,
    TWO_HOST,
    both,
    rung,
    trunks,
)
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")


def answered_over(house: House) -> str:
    (answered,) = house.journal.of(CallAnswered)
    joined = house.journal.of(PartyJoined)[-1]
    assert joined.channel == answered.dstchannel
    return answered.dstchannel


# --- the next trunk, or the answer


@pytest.mark.parametrize("code", [500, 502, 503, 504, 580, 408, 401, 407])
@virtual
async def test_where_nobody_was_reached_the_next_trunk_is_asked(tmp_path: Path, code: int) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        first.reject(await first.take(InviteOffered), code)
        offered = await second.take(InviteOffered)
        assert offered.request.uri.user == NUMBER
        second.answer(offered)
        await alice.take(InviteAnswered)
        assert answered_over(house) == "SIP/two"
        row = await house.hang_up(alice, second)
        assert (row.disposition, row.outcome_reason) == ("ANSWERED", "mode_off")


@pytest.mark.parametrize(
    ("code", "row"),
    [
        (486, ("BUSY", "busy")),
        (600, ("BUSY", "busy")),
        (603, ("BUSY", "rejected")),
        (404, ("FAILED", "rejected")),
        (403, ("FAILED", "rejected")),
        (480, ("NO ANSWER", "unreachable")),
    ],
)
@virtual
async def test_what_the_called_party_says_is_the_answer(
    tmp_path: Path, code: int, row: tuple[str, str]
) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        first.reject(await first.take(InviteOffered), code)
        await alice.take(InviteFailed)
        ended = await house.over()
        assert (ended.disposition, ended.outcome_reason) == row
        assert second.untold == []


@virtual
async def test_a_trunk_that_says_nothing_is_left_after_a_few_seconds(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, _, second = await both(house)
        house.lose = lambda _data, to: to.host == ONE_HOST
        began = house.now
        alice.dial(f"7{NUMBER}")
        second.answer(await second.take(InviteOffered))
        assert house.now - began == pytest.approx(6.0, abs=0.1)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, second)


@virtual
async def test_the_last_one_may_be_slow(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, _, _ = await both(house)
        house.lose = lambda _data, to: to.host == TWO_HOST
        began = house.now
        alice.dial(f"8{NUMBER}")
        assert (await alice.take(InviteFailed)).code == 480
        assert house.now - began == pytest.approx(32.0, abs=0.1)


@virtual
async def test_one_that_has_answered_100_is_not_left(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        offered = await first.take(InviteOffered)
        await asyncio.sleep(20)
        first.answer(offered)
        await alice.take(InviteAnswered)
        assert answered_over(house) == "SIP/one"
        assert second.untold == []
        await house.hang_up(alice, first)


@virtual
async def test_when_all_have_failed_the_caller_hears_the_last_word(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        first.reject(await first.take(InviteOffered), 503)
        second.reject(await second.take(InviteOffered), 486)
        assert (await alice.take(InviteFailed)).code == 486
        row = await house.over()
        assert (row.disposition, row.outcome_reason) == ("BUSY", "busy")


@virtual
async def test_a_caller_who_gives_up_is_carried_to_no_other_trunk(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        await first.take(InviteOffered)
        alice.cancel()
        await first.take(InviteCancelled)
        await house.over()
        await asyncio.sleep(40)
        assert second.untold == []


@virtual
async def test_several_addresses_of_one_trunk_are_tried_in_turn(tmp_path: Path) -> None:
    toml = trunks(two_at=f'["{THREE_HOST}", "{TWO_HOST}"]')
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, _, second = await both(house)
        third = house.outside(host=THREE_HOST)
        alice.dial(f"8{NUMBER}")
        third.reject(await third.take(InviteOffered), 503)
        second.answer(await second.take(InviteOffered))
        await alice.take(InviteAnswered)
        await house.hang_up(alice, second)


@virtual
async def test_one_that_did_not_answer_is_tried_last_for_a_minute(tmp_path: Path) -> None:
    toml = trunks(two_at=f'["{THREE_HOST}", "{TWO_HOST}"]')
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, _, two = await both(house)
        third = house.outside(host=THREE_HOST)
        alice.dial(f"8{NUMBER}")
        third.reject(await third.take(InviteOffered), 503)
        two.reject(await two.take(InviteOffered), 486)
        await alice.take(InviteFailed)
        await rung(f"8{NUMBER}", two, alice)
        assert third.untold == []
        await asyncio.sleep(60)
        await rung(f"8{NUMBER}", third, alice)
        assert two.untold == []


@virtual
async def test_who_refuses_for_a_trunk_refuses_for_all_its_addresses(tmp_path: Path) -> None:
    toml = trunks(two_at=f'["{THREE_HOST}", "{TWO_HOST}"]')
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, _, second = await both(house)
        third = house.outside(host=THREE_HOST)
        alice.dial(f"8{NUMBER}")
        third.reject(await third.take(InviteOffered), 407)
        await alice.take(InviteFailed)
        assert second.untold == []


# --- how many calls


@virtual
async def test_a_trunk_that_is_full_is_passed_over(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, toml=trunks("max_calls = 1")) as house:
        alice, one, two = await both(house)
        bob = house.phone("103")
        await house.connect(alice, f"7{NUMBER}", one)
        bob.dial(f"7{NUMBER}")
        two.answer(await two.take(InviteOffered))
        await bob.take(InviteAnswered)
        for phone, other in ((alice, one), (bob, two)):
            phone.bye()
            await other.take(UsageEnded)
            await phone.take(RequestCompleted)
        await house.over(2)
        assert (await rung(f"7{NUMBER}", one, alice)).uri.user == NUMBER, "room again"


@virtual
async def test_an_emergency_knows_no_limit(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, toml=trunks("max_calls = 1")) as house:
        alice, one, _ = await both(house)
        bob = house.phone("103")
        await house.connect(alice, f"7{NUMBER}", one)
        bob.dial("112")
        offered = await one.take(InviteOffered)
        assert offered.request.uri.user == "112"
        one.reject(offered, 486)
        alice.bye()
        await house.over(2)


@virtual
async def test_where_all_are_full_the_caller_is_told(tmp_path: Path) -> None:
    toml = trunks("max_calls = 1", "max_calls = 1")
    async with open_house(tmp_path, ALICE, BOB, toml=toml) as house:
        alice, one, two = await both(house)
        bob = house.phone("103")
        await house.connect(alice, f"7{NUMBER}", one)
        await house.connect(bob, f"8{NUMBER}", two)
        third = house.phone("102")
        third.dial(f"7{NUMBER}")
        assert (await third.take(InviteFailed)).code == 480
        alice.bye()
        bob.bye()
        await house.over(3)


@virtual
async def test_callers_beyond_the_limit_find_it_busy(tmp_path: Path) -> None:
    toml = trunks('max_calls = 1\ndids = { "4930123450" = "102" }')
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, one, _ = await both(house)
        other = Phone(house, "49309", ONE_HOST)
        assert other.host == one.host
        await house.connect(one, DID, alice)
        one.dial(DID)
        assert (await one.take(InviteFailed)).code == 486
        rows = house.journal.of(CallEnded)
        assert [row.disposition for row in rows] == ["BUSY"]
        alice.bye()
        await house.over(2)
