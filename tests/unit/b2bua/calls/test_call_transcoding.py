"""Sides that share no codec: what each is offered and answered, and what the worker is told."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import EventRecoding, OpenTap, Play, Recoding
from recording.spec import decode_tap
from sip.audio_stream import audio_stream
from sip.events import (
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    ReinviteReceived,
    RequestCompleted,
)
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, codecs
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102", "manual"), extension("103")

pytestmark = pytest.mark.peer("libopus")


def opus(host: str, *, event: str = "48000", version: int = 1, direction: str = "") -> bytes:
    """A description with nothing but Opus at 109 and keys at 110."""
    return (
        f"v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio 4000 RTP/AVP 109 110\r\na=rtpmap:109 opus/48000/2\r\n"
        f"a=rtpmap:110 telephone-event/{event}\r\na={direction or 'sendrecv'}\r\n"
    ).encode()


async def dial(house: House, body: bytes) -> tuple[Phone, Phone, InviteOffered]:
    alice, bob = house.phone("102"), house.phone("103")
    alice.dial("103", body)
    return alice, bob, await bob.take(InviteOffered)


@virtual
async def test_a_caller_with_opus_reaches_a_phone_that_has_only_g711(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, offered = await dial(house, opus("192.0.2.1"))
        assert codecs(offered.request.body) == [
            "opus/48000",
            "telephone-event/48000",
            "PCMA/8000",
            "PCMU/8000",
            "telephone-event/8000",
        ], "the caller's own codecs come first"
        numbers = audio_stream(SessionDescription.parse(offered.request.body)).payloads
        event = numbers[-1].payload_type
        answer = sdp(bob.host, formats=f"8 {event}").replace(
            b"a=sendrecv",
            f"a=rtpmap:{event} telephone-event/8000\r\na=ptime:40\r\na=sendrecv".encode(),
        )
        bob.answer(offered, answer)
        told = (await alice.take(InviteAnswered)).response.body
        assert codecs(told) == ["opus/48000", "telephone-event/48000"]
        await asyncio.sleep(0.1)
        there, back = house.joins[-1].a_to_b, house.joins[-1].b_to_a
        assert there.recodings == {109: Recoding("OPUS", "PCMA", 8, 40)}
        assert there.events == {110: EventRecoding(event, 48000, 8000)}
        assert there.payload_types == {109: 8, 110: event}
        assert back.recodings[8] == Recoding("PCMA", "OPUS", 109, 20)
        assert back.events == {event: EventRecoding(110, 8000, 48000)}
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        first = {tap.leg_id: decode_tap(tap.spec).formats[0] for tap in house.plane.of(OpenTap)}
        assert (first[A].encoding, first[B].encoding) == ("OPUS", "PCMA"), "each leg as it comes"
        row = await house.hang_up(alice, bob)
    assert row.outcome == "recorded"


@virtual
@pytest.mark.parametrize("code", [488, 606])
async def test_a_phone_without_g711_refuses_and_is_offered_all_that_we_know(
    tmp_path: Path, code: int
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, offered = await dial(house, sdp("192.0.2.1"))
        assert codecs(offered.request.body)[:2] == ["PCMA/8000", "PCMU/8000"]
        assert "G722/8000" not in codecs(offered.request.body)
        bob.reject(offered, code)
        again = await bob.take(InviteOffered)
        assert codecs(again.request.body) == [
            *("PCMA/8000", "PCMU/8000", "telephone-event/8000", "G722/8000", "opus/48000"),
            "telephone-event/48000",
        ]
        bob.answer(again, sdp(bob.host, formats="9 101"))
        told = (await alice.take(InviteAnswered)).response.body
        assert codecs(told) == ["PCMA/8000", "telephone-event/8000"]
        await asyncio.sleep(0.1)
        assert house.joins[-1].a_to_b.recodings[8] == Recoding("PCMA", "G722", 9)
        assert house.joins[-1].b_to_a.recodings == {9: Recoding("G722", "PCMA", 8)}
        await house.hang_up(alice, bob)


@virtual
async def test_who_refuses_twice_is_not_asked_again(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, offered = await dial(house, sdp("192.0.2.1"))
        bob.reject(offered, 488)
        bob.reject(await bob.take(InviteOffered), 488)
        assert (await alice.take(InviteFailed)).code == 488
        await house.over()


@virtual
async def test_a_codec_that_both_have_is_relayed_untouched(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, offered = await dial(house, opus("192.0.2.1"))
        bob.answer(offered, opus(bob.host))
        await alice.take(InviteAnswered)
        await asyncio.sleep(0.1)
        for route in (house.joins[-1].a_to_b, house.joins[-1].b_to_a):
            assert route.payload_types == {109: 109, 110: 110}
            assert not route.recodings
            assert not route.events
        assert not house.plane.transcoded
        await house.hang_up(alice, bob)


@virtual
async def test_a_hold_and_a_change_by_either_side_keep_a_transcoded_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, offered = await dial(house, opus("192.0.2.1"))
        bob.answer(offered, sdp(bob.host, formats="8"))
        await alice.take(InviteAnswered)
        await asyncio.sleep(0.1)
        alice.reinvite(opus("192.0.2.1", version=2, direction="sendonly"))
        passed = await bob.take(ReinviteReceived)
        assert "PCMA/8000" in codecs(passed.request.body)
        bob.accept(passed, body=sdp(bob.host, formats="8", direction="recvonly", version=2))
        assert (await alice.take(RequestCompleted)).code == 200
        assert house.joins[-1].a_to_b.recodings[109].target == "PCMA"
        bob.reinvite(sdp(bob.host, formats="0", version=3))
        passed = await alice.take(ReinviteReceived)
        assert "opus/48000" in codecs(passed.request.body), "what it has stays possible"
        alice.accept(passed, body=opus("192.0.2.1", version=3))
        assert (await bob.take(RequestCompleted)).code == 200
        assert house.joins[-1].a_to_b.recodings[109].target == "PCMU"
        await house.hang_up(alice, bob)


@virtual
async def test_beyond_the_limit_the_call_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        house.plane.transcodes = 0
        alice, bob, offered = await dial(house, opus("192.0.2.1"))
        bob.answer(offered, sdp(bob.host, formats="8"))
        assert (await alice.take(InviteFailed)).code == 488
        await house.over()


@virtual
async def test_switched_off_nobody_is_offered_more_than_the_caller_has(tmp_path: Path) -> None:
    toml = "[media]\nmax_transcoded = 0\n"
    async with open_house(tmp_path, ALICE, BOB, toml=toml) as house:
        alice, bob, offered = await dial(house, opus("192.0.2.1"))
        assert codecs(offered.request.body) == ["opus/48000", "telephone-event/48000"]
        bob.reject(offered, 488)
        assert (await alice.take(InviteFailed)).code == 488
        await house.over()


@virtual
async def test_a_caller_without_g711_is_asked_in_its_own_codec(tmp_path: Path) -> None:
    async with open_house(tmp_path, extension("101", "automatic")) as house:
        caller, clerk = house.outside(), house.phone("101")
        caller.dial(DID, opus(caller.host))
        told = (await caller.take(InviteAnswered)).response.body
        assert codecs(told) == ["opus/48000", "telephone-event/48000"]
        await asyncio.sleep(6)
        assert house.plane.heard(A) == ["de/consent"]
        assert house.plane.of(Play)[0].codec == "OPUS"
        house.plane.press(A, "1")
        offered = await clerk.take(InviteOffered)
        assert codecs(offered.request.body)[0] == "opus/48000"
        clerk.answer(offered, sdp(clerk.host, formats="8"))
        await asyncio.sleep(5)
        assert house.joins[-1].a_to_b.recodings[109].target == "PCMA"
        row = await house.hang_up(caller, clerk)
    assert row.outcome == "recorded"


@virtual
async def test_sound_of_a_codec_that_nobody_knows_is_missed_by_name_until_it_is_known(
    tmp_path: Path,
) -> None:
    recording = extension("102", "automatic"), extension("103", "automatic")
    async with open_house(tmp_path, *recording) as house:
        alice, bob, offered = await dial(house, sdp("192.0.2.1", formats="18"))
        bob.answer(offered, sdp(bob.host, formats="18"))
        await alice.take(InviteAnswered)
        await asyncio.sleep(3)
        assert house.recordings == []
        alice.reinvite(sdp("192.0.2.1", formats="8", version=2))
        bob.accept(await bob.take(ReinviteReceived), body=sdp(bob.host, formats="8", version=2))
        assert (await alice.take(RequestCompleted)).code == 200
        await asyncio.sleep(5)
        assert len(house.recordings) == 1
        row = await house.hang_up(alice, bob)
    assert (row.outcome, row.outcome_reason) == ("failed", "unknown_codec")
    assert row.outcome_params == {"codec": "G729"}
    assert row.recordingfile, "what could be recorded is kept"


@virtual
async def test_what_we_do_not_know_is_offered_as_it_is(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        _alice, bob, offered = await dial(house, sdp("192.0.2.1", formats="18 101"))
        assert codecs(offered.request.body) == ["G729/8000", "telephone-event/8000"]
        bob.reject(offered, 486)
        await house.over()
