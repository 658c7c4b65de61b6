"""Session timers: refreshes that the server answers, makes, puts off or waits for."""

import asyncio
from pathlib import Path

from sip.events import RefreshDue, ReinviteReceived, UsageEnded
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import B, internal
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")
NO_MUSIC = "[music]\non_hold = false\n"


@virtual
async def test_a_refresh_that_says_nothing_new_is_answered_and_not_passed_on(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        answer = house.endpoint.usages
        alice.reinvite(sdp(alice.host))
        first = await alice.response()
        bob.reinvite(sdp(bob.host, version=7))
        second = await bob.response()
        alice.reinvite(sdp(alice.host))
        assert (await alice.response()).body == first.body, "the same version, for it is the same"
        assert (first.code, second.code) == (200, 200)
        assert len(house.joins) == 1
        assert house.endpoint.usages == answer
        assert await alice.request("UPDATE") == 200
        assert alice.untold == bob.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_an_hour_between_phones_that_know_timers_is_refreshed(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house, supported=("timer",))
        await asyncio.sleep(7200)
        assert house.switchboard._calls, "the call stands"
        assert alice.untold == bob.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_the_server_refreshes_by_what_stands_who_knows_no_update(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102")
        bob = house.phone("103", supported=("timer",), info=False)
        await house.connect(alice, "103", bob)
        for hour in range(3):
            refresh = await patiently(bob, 880)
            assert refresh.request.headers["Session-Expires"] == "1800;refresher=uac"
            port = 4000 if hour < 2 else 4002
            bob.accept(refresh, body=sdp(bob.host, port=port))
            await asyncio.sleep(0.1)
        assert house.remotes(B) == [4000, 4002], "it may have moved meanwhile"
        assert alice.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_an_offer_that_is_under_way_is_refresh_enough(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102", info=False)
        bob = house.phone("103", supported=("timer",), info=False)
        await house.connect(alice, "103", bob)
        await asyncio.sleep(898)
        bob.reinvite(sdp(bob.host, port=4002, version=2))
        waiting = await alice.take(ReinviteReceived)
        await asyncio.sleep(4)
        alice.accept(waiting)
        assert (await bob.response()).code == 200
        await asyncio.sleep(10)
        assert alice.untold == bob.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_a_refresh_waits_for_an_offer_to_the_other_side(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, toml=NO_MUSIC) as house:
        alice = house.phone("102", info=False)
        bob = house.phone("103", supported=("timer",), info=False)
        await house.connect(alice, "103", bob)
        await asyncio.sleep(898)
        bob.reinvite(b"")
        await bob.response()
        bob.ack(sdp(bob.host, direction="sendonly", version=2))
        held = await alice.take(ReinviteReceived)
        bobs = next(call for call in house.switchboard._calls)
        bobs.deliver(RefreshDue(bobs.usages[1]))
        await asyncio.sleep(2)
        assert bob.untold == []
        alice.accept(held, body=sdp(alice.host, direction="recvonly"))
        refresh = await bob.take(ReinviteReceived)
        assert refresh.request.headers["Session-Expires"]
        bob.accept(refresh, body=sdp(bob.host, direction="sendonly", version=2))
        await asyncio.sleep(1)
        assert alice.untold == bob.untold == []
        await house.hang_up(alice, bob)


async def patiently(phone: Phone, seconds: float) -> ReinviteReceived:
    await asyncio.sleep(seconds)
    return await phone.take(ReinviteReceived)


@virtual
async def test_a_phone_that_has_gone_is_noticed_by_its_refresh(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102")
        bob = house.phone("103", supported=("timer",))
        await house.connect(alice, "103", bob)
        house.lose = lambda _data, to: to == bob.endpoint.contact
        await asyncio.sleep(1000)
        await alice.take(UsageEnded)
        row = await house.over()
        assert (row.disposition, row.hangup_side) == ("ANSWERED", "callee")


@virtual
async def test_a_caller_who_never_refreshes_is_hung_up_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102", supported=("timer",), info=False), house.phone("103")
        house.endpoint._core.allow = ("Allow", "INVITE, ACK, CANCEL, BYE")
        await house.connect(alice, "103", bob)
        await asyncio.sleep(1800)
        await bob.take(UsageEnded)
        asked = 0
        while not isinstance(event := await alice.take(object), UsageEnded):
            asked += isinstance(event, RefreshDue)  # about which her application does nothing
        assert asked > 2
        assert house.endpoint.counters["sessions_expired"] == 1
        await house.over()
