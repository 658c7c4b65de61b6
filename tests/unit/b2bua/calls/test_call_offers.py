"""Offers in a call: re-INVITE and UPDATE, late offers, holds, glare."""

import asyncio
from pathlib import Path

import pytest

from sip.events import InDialogReceived, ReinviteReceived, RequestCompleted, UsageEnded
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.phone import sdp
from tests.unit.b2bua.calls.scenes import A, B, direction, internal
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")
MUSIC = {True: "", False: "[music]\non_hold = false\n"}


@virtual
async def test_an_update_passes_as_update_to_who_knows_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.update(sdp(alice.host, direction="sendonly", version=2))
        update = await bob.take(InDialogReceived)
        assert direction(update.request.body) == "sendonly"
        bob.accept(update, body=sdp(bob.host, direction="recvonly"))
        assert direction((await alice.response()).body) == "recvonly"
        bob.update(sdp(bob.host, port=4002))
        alice.accept(await alice.take(InDialogReceived), 488)
        assert (await bob.take(RequestCompleted)).code == 488
        await house.hang_up(bob, alice)


@virtual
async def test_an_update_passes_as_reinvite_to_who_does_not(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103", info=False)
        await house.connect(alice, "103", bob)
        alice.update(sdp(alice.host, port=4002, version=2))
        bob.accept(await bob.take(ReinviteReceived))
        assert (await alice.response()).code == 200
        assert house.remotes(A) == [4000, 4002]
        alice.update(sdp(alice.host, port=4004, version=3))
        bob.accept(await bob.take(ReinviteReceived), 405)
        refused = await alice.response()
        assert (refused.code, refused.headers["Warning"][:3]) == (488, "305")
        await house.hang_up(bob, alice)


@pytest.mark.parametrize("spelling", ["sendonly", "inactive", "0.0.0.0"])  # noqa: S104
@pytest.mark.parametrize("by", ["caller", "callee"])
@virtual
async def test_a_hold_in_any_spelling_and_its_end_by_a_late_offer(
    tmp_path: Path, spelling: str, by: str
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        one, other = (alice, bob) if by == "caller" else (bob, alice)
        if spelling == "0.0.0.0":  # noqa: S104
            plain = sdp(one.host, version=2)
            hold = plain.replace(b"c=IN IP4 " + one.host.encode(), b"c=IN IP4 0.0.0.0")
        else:
            hold = sdp(one.host, direction=spelling, version=2)
        one.reinvite(hold)
        held = await other.take(ReinviteReceived)
        told = direction(held.request.body)
        # It hears music, so it is told to listen.
        assert told == "sendonly"
        other.accept(held, body=sdp(other.host, direction="recvonly"))
        back = "inactive" if spelling == "inactive" else "recvonly"
        assert direction((await one.response()).body) == back
        (call,) = house.switchboard._calls
        assert call.is_held_by(one.number)  # type: ignore[attr-defined]  # a `Talkable`
        assert not call.is_held_by(other.number)  # type: ignore[attr-defined]
        one.reinvite(b"")
        late = await one.response()
        assert direction(late.body) == "sendrecv"
        one.ack(sdp(one.host, version=3))
        resumed = await other.take(ReinviteReceived)
        assert direction(resumed.request.body) == "sendrecv"
        other.accept(resumed)
        await asyncio.sleep(1)
        assert house.switchboard._calls
        assert not call.is_held_by(one.number)  # type: ignore[attr-defined]
        assert one.untold == other.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_a_late_offer_does_not_end_the_hold_of_the_other_side(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        bob.reinvite(sdp(bob.host, direction="sendonly", version=2))
        alice.accept(await alice.take(ReinviteReceived), body=sdp(alice.host, direction="recvonly"))
        await bob.response()
        alice.reinvite(b"")
        assert direction((await alice.response()).body) == "sendonly"
        alice.ack(sdp(alice.host, direction="recvonly"))
        await asyncio.sleep(5)
        assert alice.untold == bob.untold == [], "there is no news for anybody"
        await house.hang_up(alice, bob)


@pytest.mark.parametrize("music", MUSIC)
@pytest.mark.parametrize("hold", ["inactive", "sendonly"])
@virtual
async def test_who_holds_by_the_answer_to_a_late_offer_gets_no_news_of_it(
    tmp_path: Path, hold: str, *, music: bool
) -> None:
    async with open_house(tmp_path, ALICE, BOB, toml=MUSIC[music]) as house:
        alice, bob = await internal(house)
        alice.reinvite(b"")
        await alice.response()
        alice.ack(sdp(alice.host, direction=hold, version=2))
        held = await bob.take(ReinviteReceived)
        told = direction(held.request.body)
        assert told == ("sendonly" if music else hold)
        back = "inactive" if told == "inactive" else "recvonly"
        bob.accept(held, body=sdp(bob.host, direction=back))
        await asyncio.sleep(10)
        assert alice.untold == bob.untold == []
        alice.reinvite(b"")
        assert direction((await alice.response()).body) == "sendrecv"
        alice.ack(sdp(alice.host, version=3))
        resumed = await bob.take(ReinviteReceived)
        assert direction(resumed.request.body) == "sendrecv"
        bob.accept(resumed)
        await asyncio.sleep(10)
        assert alice.untold == bob.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_two_offers_at_once_are_both_refused_and_the_next_one_goes(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(sdp(alice.host, port=4002, version=2))
        bob.reinvite(sdp(bob.host, port=4004, version=2))
        first, second = await alice.take(RequestCompleted), await bob.take(RequestCompleted)
        assert (first.code, second.code) == (491, 491)
        assert first.retry_after_s is not None
        assert second.retry_after_s is not None
        assert second.retry_after_s < 2.0 < first.retry_after_s
        await asyncio.sleep(second.retry_after_s)
        bob.reinvite(sdp(bob.host, port=4004, version=2))
        alice.accept(await alice.take(ReinviteReceived))
        assert (await bob.response()).code == 200
        assert (house.remotes(A), house.remotes(B)) == ([4000], [4000, 4004])
        await house.hang_up(alice, bob)


@virtual
async def test_news_that_meet_an_offer_are_told_after_it(tmp_path: Path) -> None:
    """Our own offer gets 491, and is made again after the time that the rules name."""
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(sdp(alice.host, direction="sendonly", version=2))
        bob.accept(await bob.take(ReinviteReceived), body=sdp(bob.host, direction="recvonly"))
        await alice.response()
        alice.reinvite(b"")
        await alice.response()
        alice.ack(sdp(alice.host, version=3))
        bob.accept(await bob.take(ReinviteReceived), 491)
        again = await bob.take(ReinviteReceived)
        assert direction(again.request.body) == "sendrecv"
        bob.accept(again)
        await asyncio.sleep(1)
        assert alice.untold == bob.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_news_that_can_not_be_told_now_wait(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        bob.reinvite(b"")
        await bob.response()
        alice.reinvite(b"")
        await alice.response()
        alice.ack(sdp(alice.host, direction="sendonly", version=3))
        await asyncio.sleep(0.2)
        bob.ack(sdp(bob.host))
        told = await bob.take(ReinviteReceived)
        assert direction(told.request.body) == "sendonly"
        bob.accept(told, body=b"nonsense")
        await asyncio.sleep(1)
        await house.hang_up(alice, bob)


@virtual
async def test_telephones_that_never_agree_are_left_alone_in_the_end(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(b"")
        await alice.response()
        alice.ack(sdp(alice.host, direction="sendonly"))
        told = 0
        phones = (bob, alice)
        while True:
            try:
                async with asyncio.timeout(5):
                    event = await phones[told % 2].take(ReinviteReceived)
            except TimeoutError:
                break
            told += 1
            # Each says that it holds, whatever it is told.
            phone = phones[(told - 1) % 2]
            phone.accept(event, body=sdp(phone.host, direction="sendonly", version=told))
        assert told <= 6
        await house.hang_up(alice, bob)


# --- re-INVITEs that lead nowhere, and refreshes without an offer


@virtual
async def test_a_refused_reinvite_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        told, joins = house.remotes(A), len(house.joins)
        alice.reinvite(sdp(alice.host, port=4444, version=2))
        bob.accept(await bob.take(ReinviteReceived), 488)
        assert (await alice.take(RequestCompleted)).code == 488
        assert (house.remotes(A), len(house.joins)) == (told, joins)
        alice.reinvite(sdp(alice.host, port=4444, version=3))
        bob.accept(await bob.take(ReinviteReceived))
        assert (await alice.take(RequestCompleted)).code == 200
        assert house.remotes(A) == [*told, 4444]
        await house.hang_up(alice, bob)


@pytest.mark.parametrize("body", [b"nonsense", b"v=0\r\n"])
@virtual
async def test_a_reinvite_that_can_not_be_used_goes_no_further(tmp_path: Path, body: bytes) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(body)
        assert (await alice.take(RequestCompleted)).code == 488
        assert bob.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_an_answer_to_a_reinvite_that_can_not_be_used_is_488_to_who_offered(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(sdp(alice.host, version=2, port=4002))
        bob.accept(await bob.take(ReinviteReceived), body=b"nonsense")
        assert (await alice.take(RequestCompleted)).code == 488
        await house.hang_up(alice, bob)


@virtual
async def test_a_refresh_without_an_offer_gets_what_stands(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        told = house.remotes(A)
        alice.reinvite(b"")
        answered = await alice.response()
        assert SessionDescription.parse(answered.body).media[0].port == 20002
        bob.reinvite(sdp(bob.host, version=2, port=4002))
        assert (await bob.take(RequestCompleted)).code == 491, "Alice's answer is under way"
        alice.ack(sdp(alice.host, port=4444, version=2))
        await asyncio.sleep(0.1)
        assert house.remotes(A) == [*told, 4444]
        bob.reinvite(sdp(bob.host, version=2, port=4002))
        alice.accept(await alice.take(ReinviteReceived))
        assert (await bob.take(RequestCompleted)).code == 200
        await house.hang_up(alice, bob)


@virtual
async def test_a_refresh_whose_answer_can_not_be_used_ends_the_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(b"")
        await alice.take(RequestCompleted)
        alice.ack(b"nonsense")
        await alice.take(UsageEnded)
        await bob.take(UsageEnded)
        assert (await house.over()).disposition == "ANSWERED"
