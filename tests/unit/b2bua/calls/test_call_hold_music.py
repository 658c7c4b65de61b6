"""Music on hold: who hears it, what it is told, and when it ends."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import OpenTap, Play, StopPlay
from codec.optional import has_g722, has_opus
from sip.events import (
    InviteAnswered,
    InviteOffered,
    ReinviteReceived,
    RequestCompleted,
)
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, direction, internal, outgoing
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")

MUSIC = "music/hold"


def held(phone: Phone, spelling: str, version: int) -> bytes:
    """What a telephone says to hold: in words, or by the address of old."""
    if spelling == "0.0.0.0":  # noqa: S104 - no address to bind to
        body = sdp(phone.host, version=version)
        return body.replace(f"c=IN IP4 {phone.host}".encode(), b"c=IN IP4 0.0.0.0")
    return sdp(phone.host, direction=spelling, version=version)


ANSWERS = {"sendrecv": "sendrecv", "sendonly": "recvonly", "inactive": "inactive"}


async def changes(
    holder: Phone, other: Phone, body: bytes, answer: str | None = None
) -> tuple[str, str]:
    """Let one side hold or resume; returns what the other was told and what it was answered."""
    holder.reinvite(body)
    event = await other.take(ReinviteReceived)
    told = direction(event.request.body)
    version = int(body.split()[2])
    other.accept(event, body=sdp(other.host, direction=answer or ANSWERS[told], version=version))
    completed = await holder.response()
    await asyncio.sleep(1)
    return told, direction(completed.body)


@pytest.mark.parametrize(
    ("spelling", "answered"),
    [("sendonly", "recvonly"), ("inactive", "inactive"), ("0.0.0.0", "recvonly")],  # noqa: S104
)
@virtual
async def test_the_held_party_hears_it_until_the_call_is_resumed(
    tmp_path: Path, spelling: str, answered: str
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        assert not house.plane.hears(B)
        told = await changes(alice, bob, held(alice, spelling, 2))
        assert told == ("sendonly", answered)
        assert house.plane.heard(B) == [MUSIC]
        assert house.plane.hears(B)
        await asyncio.sleep(100)  # it loops
        assert house.plane.hears(B)
        assert await changes(alice, bob, sdp(alice.host, version=3)) == ("sendrecv", "sendrecv")
        assert not house.plane.hears(B)
        assert house.joined
        assert house.plane.heard(A) == []
        await house.hang_up(alice, bob)


@virtual
async def test_the_callee_may_hold_as_well(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        await changes(bob, alice, held(bob, "inactive", 2))
        assert (house.plane.heard(A), house.plane.hears(A)) == ([MUSIC], True)
        bob.reinvite(held(bob, "inactive", 2))  # a refresh, which is nobody else's business
        assert (await bob.take(RequestCompleted)).code == 200
        await asyncio.sleep(1)
        assert (house.plane.heard(A), house.plane.hears(A)) == ([MUSIC], True)
        await house.hang_up(bob, alice)


@virtual
async def test_a_refresh_of_the_held_party_is_told_to_go_on_listening(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        await changes(alice, bob, held(alice, "inactive", 2))
        bob.reinvite(sdp(bob.host, direction="recvonly", version=3))
        refreshed = (await bob.take(RequestCompleted)).response
        assert refreshed is not None
        assert direction(refreshed.body) == "sendonly"
        moved = sdp(bob.host, direction="recvonly", version=4, port=4444)
        assert await changes(bob, alice, moved, "inactive") == ("recvonly", "sendonly")
        assert (house.plane.heard(B), house.plane.hears(B)) == ([MUSIC], True)
        await house.hang_up(alice, bob)


@virtual
async def test_where_both_hold_nobody_hears_anything(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        await changes(alice, bob, held(alice, "sendonly", 2))
        await changes(bob, alice, held(bob, "inactive", 3), "inactive")
        assert not house.plane.hears(A)
        assert not house.plane.hears(B)
        await house.hang_up(alice, bob)


@virtual
async def test_a_party_that_will_not_listen_is_not_played_to(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        await changes(alice, bob, held(alice, "sendonly", 2), "inactive")
        assert house.plane.heard(B) == []
        await house.hang_up(alice, bob)


@pytest.mark.parametrize(("number", "codec"), [("9", "G722"), ("96", "OPUS"), ("18", "")])
def test_it_is_played_in_the_codec_of_the_call(tmp_path: Path, number: str, codec: str) -> None:
    """Where we know it: G.729 is relayed, and its hold stays as the telephone says it."""
    if (codec == "G722" and not has_g722()) or (codec == "OPUS" and not has_opus()):
        pytest.skip(f"without {codec}")

    def speaks(phone: Phone, way: str = "sendrecv", version: int = 1) -> bytes:
        body = sdp(phone.host, formats=number, direction=way, version=version)
        return body + (b"a=rtpmap:96 opus/48000/2\r\n" if codec == "OPUS" else b"")

    @virtual
    async def run() -> None:
        async with open_house(tmp_path, ALICE, BOB) as house:
            alice, bob = house.phone("102"), house.phone("103")
            alice.dial("103", speaks(alice))
            bob.answer(await bob.take(InviteOffered), speaks(bob))
            await alice.take(InviteAnswered)
            await asyncio.sleep(0.1)
            alice.reinvite(speaks(alice, "inactive", 2))
            event = await bob.take(ReinviteReceived)
            told = direction(event.request.body)
            assert told == ("sendonly" if codec else "inactive")
            bob.accept(event, body=speaks(bob, ANSWERS[told], 2))
            await alice.take(RequestCompleted)
            await asyncio.sleep(1)
            played = [(play.payload_type, play.codec) for play in house.plane.of(Play)]
            assert played == ([(int(number), codec)] if codec else [])
            await house.hang_up(alice, bob)

    run()


@virtual
async def test_somebody_outside_hears_it_too(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house)
        told = await changes(alice, outside, held(alice, "inactive", 2))
        assert told == ("sendonly", "inactive")
        assert house.plane.hears(B)
        await house.hang_up(alice, outside)


@pytest.mark.parametrize("where", ["trunk", "everywhere"])
@virtual
async def test_but_not_where_it_is_off(tmp_path: Path, where: str) -> None:
    toml = "[music]\non_hold = false\n" if where == "everywhere" else ""
    async with open_house(
        tmp_path, ALICE, toml=toml, trunk="hold_music = false" if where == "trunk" else ""
    ) as house:
        alice, outside = await outgoing(house)
        told = await changes(alice, outside, held(alice, "inactive", 2))
        assert told == ("inactive", "inactive")
        assert house.plane.heard(B) == []
        await house.hang_up(alice, outside)


@virtual
async def test_nobody_is_entertained_in_an_emergency(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = house.phone("102"), house.outside()
        await house.connect(alice, "112", outside)
        await changes(alice, outside, held(alice, "sendonly", 2))
        assert house.plane.heard(B) == []
        await house.hang_up(alice, outside)


@virtual
async def test_what_others_play_when_they_hold_is_not_ours_to_replace(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house)
        told = await changes(outside, alice, held(outside, "sendonly", 2))
        assert told == ("sendonly", "recvonly")
        assert house.plane.heard(A) == []
        await house.hang_up(alice, outside)


@virtual
async def test_a_sound_in_the_middle_of_it_goes_first_and_the_music_goes_on(tmp_path: Path) -> None:
    """The held extension presses its key: it hears what came of that, and then music again."""
    async with open_house(tmp_path, ALICE, extension("103", "manual")) as house:
        alice, bob = await internal(house)
        await changes(alice, bob, held(alice, "sendonly", 2))
        house.plane.dial_code(B)
        await asyncio.sleep(5)
        assert house.plane.heard(B) == [MUSIC, "tone/beep", MUSIC]
        assert house.plane.hears(B)
        await changes(alice, bob, sdp(alice.host, version=3))
        assert not house.plane.hears(B)
        await house.hang_up(bob, alice)


@virtual
async def test_whoever_is_being_asked_hears_the_question(tmp_path: Path) -> None:
    """Our side holds in the middle of it: first the question ends, then there is music."""
    async with open_house(tmp_path, extension("102", "manual")) as house:
        alice, outside = await outgoing(house)
        house.plane.dial_code(A)
        await asyncio.sleep(1)
        await changes(alice, outside, held(alice, "sendonly", 2))
        assert house.plane.heard(B) == ["de/consent-ask"]
        await asyncio.sleep(4)
        house.plane.press(B, "5")
        await asyncio.sleep(1)
        assert house.plane.heard(B) == ["de/consent-ask", "de/consent-refused"]
        await asyncio.sleep(10)
        assert house.plane.heard(B)[-1] == MUSIC
        assert house.plane.hears(B)
        await house.hang_up(alice, outside)


@virtual
async def test_the_end_of_the_talk_is_the_end_of_the_music(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        await changes(alice, bob, held(alice, "sendonly", 2))
        await house.hang_up(alice, bob)
        assert [stop.leg_id for stop in house.plane.of(StopPlay)] == [B]


@pytest.mark.parametrize(
    ("settings", "taps", "music", "beep"),
    [
        ("", 2, False, False),
        ("hold_music = true", 4, True, False),
        ("announcements = true", 4, False, True),
    ],
)
@virtual
async def test_music_and_announcements_are_kept_each_where_wanted(
    tmp_path: Path, *, settings: str, taps: int, music: bool, beep: bool
) -> None:
    recorded = extension("102", "automatic")
    toml = f"[recording]\n{settings}\n"
    async with open_house(tmp_path, recorded, BOB, toml=toml) as house:
        alice, bob = await internal(house)
        assert len(house.plane.of(OpenTap)) == taps
        await changes(alice, bob, held(alice, "sendonly", 2))
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        kept = {play.parts[0].sound: play.kept for play in house.plane.of(Play)}
        assert kept == {MUSIC: music, "tone/two-beeps": beep}
        await house.hang_up(alice, bob)


@virtual
async def test_a_held_party_whose_transfer_fails_hears_music_again(tmp_path: Path) -> None:
    """Bob holds Alice and sends her to Carl, who is busy: ringing in between, then music."""
    async with open_house(tmp_path, ALICE, BOB, extension("104")) as house:
        alice, bob, carl = house.phone("102"), house.phone("103"), house.phone("104")
        await house.connect(alice, "103", bob)
        await changes(bob, alice, held(bob, "sendonly", 2))
        to = (("Refer-To", "<sip:104@192.0.2.100>"),)
        bob.endpoint.calls.request(bob.usage, "REFER", house.now, headers=to)
        house.kick()
        assert (await bob.take(RequestCompleted)).code == 202
        alice.accept(await alice.take(ReinviteReceived))  # to listen and speak again
        offered = await carl.take(InviteOffered)
        await asyncio.sleep(1)
        assert house.plane.heard(A)[-1] == "tone/ringing"
        carl.reject(offered, 486)
        await asyncio.sleep(8)
        assert house.plane.heard(A)[-1] == MUSIC
        assert house.plane.hears(A)
        bob.bye()
        await house.over(2)
        assert "UsageEnded" in alice.untold
