"""Blind transfers: who hears what, who comes back, and what becomes of row and recording."""

import asyncio
from pathlib import Path

import pytest

from b2bua.directory import Extension
from b2bua.media.to_worker import CloseTap, CollectDigits
from cdr.records import CallEnded, CallOpened, EvidenceStored
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteOffered,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.phone import SERVER, Phone, sdp
from tests.unit.b2bua.calls.scenes import direction, hold, internal
from tests.unit.b2bua.calls.transfers import (
    accept_reinvite,
    joined,
    opened,
    refer,
    rows,
    same_chain,
    three,
    told,
)
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB, CAROL = extension("102"), extension("103"), extension("104")
OF_ALICE, OF_BOB, OF_CAROL = 1, 2, 3
"Leg ids, where Alice calls Bob and Carol is rung next."


async def send_on(house: House, referrer: Phone, number: str) -> None:
    """Have the other party transferred, blindly."""
    assert await refer(house, referrer, f"<sip:{number}@{SERVER.host}>") == 202
    assert await told(house, referrer) == "100 Trying"


def engaged(house: House) -> dict[str, int]:
    """In how many calls each extension is."""
    return {number: len(calls) for number, calls in house.switchboard._by_extension.items()}


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


# --- who may transfer, and where to


RULES = """
[[route]]
pattern = "00Z."
trunk = "provider"
strip = 2
extensions = ["104"]
"""


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("<sip:104@192.0.2.100>", 202),
        ("<sip:0123@192.0.2.100>", 202),
        ("<sip:00123@192.0.2.100>", 403),
        ("<sip:999@192.0.2.100>", 403),
        ("<sip:*1@192.0.2.100>", 403),
        ("<sip:192.0.2.100>", 403),
        ("nobody", 400),
        ("<http://x/>", 400),
    ],
)
@virtual
async def test_a_transfer_goes_where_the_referrer_could_have_called(
    tmp_path: Path, to: str, status: int
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL, toml=RULES) as house:
        alice, bob = house.phone("102"), house.phone("103")
        house.phone("104")
        trunk = house.outside()
        await house.connect(alice, "103", bob)

        assert await refer(house, bob, to) == status
        if "0123" in to and status == 202:
            offered = (await trunk.take(InviteOffered)).request
            assert (offered.uri.user, offered.headers.get("Referred-By")) == ("123", None)
            assert rows(house)[-1] == ("102", "0123")
        alice.bye()
        await house.over(2 if status == 202 else 1)
        assert len(house.journal.of(CallOpened)) == (2 if status == 202 else 1)


@pytest.mark.parametrize("may", [False, True])
@virtual
async def test_a_trunk_transfers_only_where_its_settings_say_so(
    tmp_path: Path, *, may: bool
) -> None:
    async with open_house(tmp_path, ALICE, BOB, extension("101")) as house:
        if may:
            settings = house.trunks.named("provider")
            assert settings is not None
            object.__setattr__(settings.settings, "may_transfer", True)
        outside, clerk, bob = house.outside(), house.phone("101"), house.phone("103")
        await house.connect(outside, DID, clerk)

        assert await refer(house, outside, "<sip:0123@h>") == 403
        assert await refer(house, outside, "<sip:103@h>") == (202 if may else 403)
        if may:
            assert await told(house, outside) == "100 Trying"
            bob.answer(await bob.take(InviteOffered))
            assert await told(house, outside) == "200 OK."
            await outside.take(UsageEnded)
            bob.bye()
            await clerk.take(UsageEnded)
        else:
            outside.bye()
            await clerk.take(UsageEnded)
        await house.over(2 if may else 1)


@virtual
async def test_an_emergency_call_is_not_transferred(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, outside = house.phone("102"), house.outside()
        house.phone("103")
        await house.connect(alice, "112", outside)

        assert await refer(house, alice, "<sip:103@h>") == 403
        alice.bye()
        await house.over()


# --- the recording


CLERK, CHIEF = extension("101", "automatic"), extension("105", "automatic")
NEVER, OFF = extension("106", "never"), extension("107", "off")
SHY = extension("108", "off", opted_in=False)


async def recorded_call(house: House) -> tuple[Phone, Phone]:
    """Have an outside caller, who has agreed, talk to the clerk."""
    outside, clerk = house.outside(), house.phone("101")
    outside.dial(DID)
    await outside.take(InviteAnswered)
    await asyncio.sleep(6)
    house.plane.press(1, "1")
    clerk.answer(await clerk.take(InviteOffered))
    await asyncio.sleep(5)
    assert len(house.recordings) == 1
    return outside, clerk


@pytest.mark.parametrize(
    ("target", "heard"),
    [(CHIEF, [1, 3]), (OFF, [1, 3]), (SHY, [1]), (NEVER, [])],
)
@virtual
async def test_the_recording_goes_on_between_those_who_talk_now(
    tmp_path: Path, target: Extension, heard: list[int]
) -> None:
    async with open_house(tmp_path, CLERK, target) as house:
        outside, clerk = await recorded_call(house)
        other = house.phone(target.number)
        await refer(house, clerk, f"<sip:{target.number}@h>")
        await told(house, clerk)
        offered = await other.take(InviteOffered)
        assert {m.leg_id for m in house.plane.of(CloseTap)} == {1, 2}
        await asyncio.sleep(2)
        assert len(house.recordings) == 1
        other.answer(offered)
        await told(house, clerk)
        await clerk.take(UsageEnded)
        await asyncio.sleep(5)

        assert len(house.recordings) == (2 if heard else 1)
        taps = opened(house)[2:]
        assert sorted(leg for leg, _ in taps) == heard
        if heard:
            assert {path for _, path in taps} == {house.recordings[1].relative_path}
        await house.hang_up(outside, other, calls=2)
        first, second = house.journal.of(CallEnded)
        assert first.outcome == "recorded"
        expected = ("recorded", "recorded") if heard else ("blocked", "never")
        assert (second.outcome, second.outcome_reason) == expected
        assert house.evidence.count(("consent", "granted")) == 2


@virtual
async def test_a_failed_transfer_goes_on_in_the_same_file(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, CHIEF) as house:
        outside, clerk = await recorded_call(house)
        chief = house.phone("105")
        await refer(house, clerk, "<sip:105@h>")
        await told(house, clerk)
        chief.reject(await chief.take(InviteOffered), 486)
        assert await told(house, clerk) == "486 Busy Here."
        await asyncio.sleep(5)

        assert len(house.recordings) == 1
        assert [leg for leg, _ in opened(house)] == [1, 2, 1, 2]
        assert len({path for _, path in opened(house)}) == 1
        ended = await house.hang_up(outside, clerk, calls=2)
        assert ended.outcome == "recorded"


@pytest.mark.parametrize("answer", ["1", "2"])
@virtual
async def test_a_new_outside_party_is_asked(tmp_path: Path, answer: str) -> None:
    async with open_house(tmp_path, CLERK, CHIEF) as house:
        clerk, chief, outside = house.phone("101"), house.phone("105"), house.outside()
        await house.connect(clerk, "105", chief)
        await asyncio.sleep(5)
        assert len(house.recordings) == 1
        await refer(house, clerk, "<sip:0777@h>")
        await told(house, clerk)
        outside.answer(await outside.take(InviteOffered))
        await told(house, clerk)
        await clerk.take(UsageEnded)
        await asyncio.sleep(6)
        assert house.plane.heard(3) == ["de/consent"]
        assert len(house.recordings) == 1
        trunk = house.trunks.named("provider")
        assert trunk is not None
        assert house.endpoint.calls.count_with(trunk) == 1
        assert engaged(house) == {"105": 1}
        house.plane.press(3, answer)
        await asyncio.sleep(8)

        assert len(house.recordings) == (2 if answer == "1" else 1)
        assert joined(house) == {2, 3}
        await house.hang_up(chief, outside, calls=2)
        second = house.journal.of(CallEnded)[-1]
        assert second.outcome == ("recorded" if answer == "1" else "refused")


@virtual
async def test_a_party_who_agreed_is_not_asked_again(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, CHIEF) as house:
        outside, clerk = await recorded_call(house)
        chief = house.phone("105")
        asked = house.plane.heard(1).count("de/consent")
        await refer(house, clerk, "<sip:105@h>")
        await told(house, clerk)
        chief.answer(await chief.take(InviteOffered))
        await told(house, clerk)
        await clerk.take(UsageEnded)
        await asyncio.sleep(0.05)
        assert len(house.recordings) == 2
        assert house.plane.heard(1).count("de/consent") == asked
        notes = [row.note for row in house.journal.of(EvidenceStored) if row.note]
        first = house.journal.of(CallOpened)[0]
        assert notes == [f"agreed in call {first.uniqueid}"]
        outside.bye()
        await house.over(2)
