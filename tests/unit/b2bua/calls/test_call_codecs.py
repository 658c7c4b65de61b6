"""Codecs in a call: what the recorder is told when they change, and what the row says of them."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import ChangeFormats, OpenTap
from cdr.records import CallEnded
from codec import optional
from recording.spec import StreamFormat, decode_formats, decode_tap
from sip.events import InviteAnswered, InviteOffered, ReinviteReceived, RequestCompleted
from tests.unit.b2bua.calls.call_rig import TRUNK_HOST, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, internal, outgoing
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102", "manual"), extension("103")


def own_numbers(host: str, *, version: int) -> bytes:
    """A description with µ-law at 96, as phones may write it."""
    return (
        f"v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000\r\na=sendrecv\r\n"
    ).encode()


def changes(house: House) -> list[tuple[int, StreamFormat]]:
    """Leg and first format of each change that the media worker was told of."""
    return [(m.leg_id, decode_formats(m.formats)[0]) for m in house.plane.of(ChangeFormats)]


async def renegotiate(by: Phone, other: Phone, offer: bytes, answer: bytes) -> None:
    by.reinvite(offer)
    other.accept(await other.take(ReinviteReceived), body=answer)
    assert (await by.take(RequestCompleted)).code == 200
    await asyncio.sleep(0.1)


async def recorded_in(house: House, formats: str) -> CallEnded:
    """Have a call in these formats, with the record key pressed; returns its row."""
    alice, bob = house.phone("102"), house.phone("103")
    alice.dial("103", sdp(alice.host, formats=formats))
    bob.answer(await bob.take(InviteOffered), sdp(bob.host, formats=formats))
    await alice.take(InviteAnswered)
    await asyncio.sleep(1)
    house.plane.dial_code(A)
    await asyncio.sleep(3)
    return await house.hang_up(alice, bob)


@virtual
async def test_a_change_is_told_while_a_recording_runs_and_only_of_the_side_that_changed(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        await renegotiate(
            alice, bob, sdp(alice.host, version=2, port=4002), sdp(bob.host, version=2)
        )
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        await renegotiate(
            alice, bob, sdp(alice.host, version=3, port=4004), sdp(bob.host, version=3)
        )
        assert changes(house) == [], "nothing has changed so far"
        await renegotiate(alice, bob, own_numbers(alice.host, version=4), sdp(bob.host, version=4))
        [(leg, format_)] = changes(house)
        assert leg == A
        assert (format_.payload_type, format_.encoding) == (96, "PCMU")
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        await renegotiate(
            alice,
            bob,
            sdp(alice.host, formats="9", version=5),
            sdp(bob.host, formats="9", version=5),
        )
        assert len(changes(house)) == 1, "nothing is recorded any more"
        await house.hang_up(alice, bob)


@virtual
async def test_a_recording_that_begins_after_a_change_knows_it_from_its_tap(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        await renegotiate(alice, bob, own_numbers(alice.host, version=2), sdp(bob.host, version=2))
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        first = {tap.leg_id: decode_tap(tap.spec).formats[0] for tap in house.plane.of(OpenTap)}
        assert first[A].payload_type == 96
        assert first[B].payload_type == 8
        assert changes(house) == []
        await house.hang_up(alice, bob)


@virtual
async def test_the_row_names_what_the_recorder_could_not_decode(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        house.plane.undecoded = ("G729",)
        row = await house.hang_up(alice, bob)
    assert (row.outcome, row.outcome_reason) == ("failed", "unknown_codec")
    assert row.outcome_params == {"codec": "G729"}


@virtual
async def test_a_codec_that_we_can_not_decode_makes_no_recording(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        row = await recorded_in(house, "18 101")
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("failed", "unknown_codec")
    assert row.outcome_params == {"codec": "G729"}


@virtual
async def test_without_the_library_the_row_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optional, "G722_MODULE", "no_such_library")
    async with open_house(tmp_path, ALICE, BOB) as house:
        row = await recorded_in(house, "9 101")
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("failed", "codec_not_installed")
    assert row.outcome_params == {"codec": "G722", "needs": "mitschnitt[wideband]"}


@virtual
@pytest.mark.parametrize(
    ("setting", "narrow", "wide"),
    [
        ('"auto"', (8000, 8000), (16000, 16000)),
        ("16000", (16000, 16000), (16000, 16000)),
        ("24000", (8000, 24000), (16000, 24000)),
    ],
)
async def test_a_recording_is_mixed_as_wide_as_its_parties_speak(
    tmp_path: Path, setting: str, narrow: tuple[int, int], wide: tuple[int, int]
) -> None:
    toml = f"[recording]\nsample_rate = {setting}\n"
    for formats, rates in {"8 101": narrow, "9 101": wide}.items():
        async with open_house(tmp_path / formats[0], ALICE, BOB, toml=toml) as house:
            await recorded_in(house, formats)
            spec = decode_tap(house.plane.of(OpenTap)[0].spec).recording
        assert (spec.mix_rate, spec.sample_rate) == rates


@virtual
async def test_with_the_library_a_wideband_call_is_recorded(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        row = await recorded_in(house, "9 101")
        tap = decode_tap(house.plane.of(OpenTap)[0].spec)
    assert (tap.formats[0].encoding, tap.formats[0].payload_type) == ("G722", 9)
    assert row.outcome == "recorded"


@virtual
async def test_who_has_gone_to_a_codec_that_we_do_not_speak_has_not_agreed(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house)
        outside.reinvite(sdp(TRUNK_HOST, formats="18 101", version=2))
        again = await alice.take(ReinviteReceived)
        alice.accept(again, body=sdp(alice.host, formats="18 101", version=2))
        assert (await outside.take(RequestCompleted)).code == 200
        house.plane.dial_code(A)
        await asyncio.sleep(1)
        assert house.plane.heard(B) == []
        row = await house.hang_up(alice, outside)
        assert house.evidence == [("consent", "timed_out")]
        assert not house.plane.recorded
    assert row.outcome == "refused"
