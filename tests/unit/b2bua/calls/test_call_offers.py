"""Offers in and before a call: PRACK, UPDATE, late offers, glare, holds and refreshes."""

import asyncio
from pathlib import Path

import pytest

from sip.events import (
    InDialogReceived,
    InviteAnswered,
    InviteCancelled,
    InviteOffered,
    InviteProgressed,
    RefreshDue,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.message import Response
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, direction, internal
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")
RELIABLE = ("100rel",)
MUSIC = {True: "", False: "[music]\non_hold = false\n"}


async def done(phone: Phone) -> Response:
    """Return the response to what the phone has offered last."""
    completed = await phone.take(RequestCompleted)
    assert completed.response is not None
    return completed.response


# --- before the answer


@virtual
async def test_early_media_is_promised_reliably_and_the_answer_brings_no_other(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102", supported=RELIABLE)
        bob = house.phone("103", supported=RELIABLE)
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
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
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host, formats="8 101"))
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
        alice.dial("103", b"")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
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
        alice.dial("103", b"")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
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
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host, formats="8 101"))
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
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
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
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
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
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
        await alice.take(InviteProgressed)
        await asyncio.sleep(0.1)
        alice.update(sdp(alice.host, port=4002, version=2))
        update = await bob.take(InDialogReceived)
        assert update.request.method == "UPDATE"
        bob.accept(update)
        assert (await done(alice)).code == 200
        bob.usage = offered.usage
        bob.update(sdp(bob.host, port=4004, version=2))
        alice.accept(await alice.take(InDialogReceived), body=sdp(alice.host, port=4002))
        assert (await done(bob)).code == 200
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
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
        await alice.take(InviteProgressed)
        await asyncio.sleep(0.1)
        alice.update(sdp(alice.host, port=4002, version=2))
        assert (await alice.take(RequestCompleted)).code == 504
        bob.answer(offered)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, bob)


# --- in the call


@virtual
async def test_an_update_passes_as_update_to_who_knows_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.update(sdp(alice.host, direction="sendonly", version=2))
        update = await bob.take(InDialogReceived)
        assert direction(update.request.body) == "sendonly"
        bob.accept(update, body=sdp(bob.host, direction="recvonly"))
        assert direction((await done(alice)).body) == "recvonly"
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
        assert (await done(alice)).code == 200
        assert house.remotes(A) == [4000, 4002]
        alice.update(sdp(alice.host, port=4004, version=3))
        bob.accept(await bob.take(ReinviteReceived), 405)
        refused = await done(alice)
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
        assert direction((await done(one)).body) == back
        (call,) = house.switchboard._calls
        assert call.is_held_by(one.number)  # type: ignore[attr-defined]  # a `Talkable`
        assert not call.is_held_by(other.number)  # type: ignore[attr-defined]
        one.reinvite(b"")
        late = await done(one)
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
        await done(bob)
        alice.reinvite(b"")
        assert direction((await done(alice)).body) == "sendonly"
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
        await done(alice)
        alice.ack(sdp(alice.host, direction=hold, version=2))
        held = await bob.take(ReinviteReceived)
        told = direction(held.request.body)
        assert told == ("sendonly" if music else hold)
        back = "inactive" if told == "inactive" else "recvonly"
        bob.accept(held, body=sdp(bob.host, direction=back))
        await asyncio.sleep(10)
        assert alice.untold == bob.untold == []
        alice.reinvite(b"")
        assert direction((await done(alice)).body) == "sendrecv"
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
        assert (await done(bob)).code == 200
        assert (house.remotes(A), house.remotes(B)) == ([4000], [4000, 4004])
        await house.hang_up(alice, bob)


@virtual
async def test_news_that_meet_an_offer_are_told_after_it(tmp_path: Path) -> None:
    """Our own offer gets 491, and is made again after the time that the rules name."""
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(sdp(alice.host, direction="sendonly", version=2))
        bob.accept(await bob.take(ReinviteReceived), body=sdp(bob.host, direction="recvonly"))
        await done(alice)
        alice.reinvite(b"")
        await done(alice)
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
        await done(bob)
        alice.reinvite(b"")
        await done(alice)
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
        await done(alice)
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


# --- session timers


@virtual
async def test_a_refresh_that_says_nothing_new_is_answered_and_not_passed_on(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        answer = house.endpoint.usages
        alice.reinvite(sdp(alice.host))
        first = await done(alice)
        bob.reinvite(sdp(bob.host, version=7))
        second = await done(bob)
        alice.reinvite(sdp(alice.host))
        assert (await done(alice)).body == first.body, "the same version, for it is the same"
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
        assert (await done(bob)).code == 200
        await asyncio.sleep(10)
        assert alice.untold == bob.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_a_refresh_waits_for_an_offer_to_the_other_side(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, toml=MUSIC[False]) as house:
        alice = house.phone("102", info=False)
        bob = house.phone("103", supported=("timer",), info=False)
        await house.connect(alice, "103", bob)
        await asyncio.sleep(898)
        bob.reinvite(b"")
        await done(bob)
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


@virtual
async def test_who_cancels_while_the_answer_waits_for_its_prack(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102", supported=RELIABLE), house.phone("103")
        house.lose = lambda data, to: data.startswith(b"PRACK") and to == house.endpoint.contact
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
        await asyncio.sleep(1)
        bob.answer(offered)
        await asyncio.sleep(0.5)
        alice.cancel()
        await bob.take(UsageEnded)
        await house.over()
        assert InviteCancelled.__name__ not in bob.untold


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
        answered = await alice.take(RequestCompleted)
        assert answered.response is not None
        assert SessionDescription.parse(answered.response.body).media[0].port == 20002
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
