"""Transfers between real and scripted telephones: who is heard, and what the files hold of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from b2bua.calls.transfers.referring import HASTY_S
from ivr.prompts import PromptId
from tests.e2e.voices import assert_speaks, assert_talk, assert_unheard, first, voice
from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.baresip import baresip
from tests.support.phones.linphone import linphone
from tests.support.phones.phone import PhoneError, talk
from tests.support.phones.wire import WirePhone, extension_phone, wire_phone
from tests.support.prompts import HZ
from tests.support.server import Server, server
from tests.support.trunk import CALLER, DID, OUTGOING, trunk_settings

ALICE_HZ, BOB_HZ, CAROL_HZ = 500.0, 2700.0, 2300.0
"What each says; the network's tones are at 425 Hz."

ALL_RECORDED = tuple((number, "automatic", True) for number in ("101", "102", "103"))

SHORT_FILES = "[recording]\nmin_duration_s = 0.3\n"

RING_S = 2.4
"For one whole burst of the ringing tone, though a busy machine begins it late."

GAP_S = 0.1
"Of the file, from the moment when two hear each other."


def carols(mode: str, *, opt_in: bool) -> tuple[tuple[str, str, bool], ...]:
    return (*ALL_RECORDED[:2], ("103", mode, opt_in))


@contextlib.asynccontextmanager
async def three_phones(
    under_test: Server,
) -> AsyncIterator[tuple[WirePhone, WirePhone, WirePhone]]:
    async with (
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        extension_phone(under_test, "102", voice(BOB_HZ)) as bob,
        extension_phone(under_test, "103", voice(CAROL_HZ)) as carol,
    ):
        yield alice, bob, carol


async def stand(caller: WirePhone, number: str, callee: WirePhone) -> None:
    """Call until both sides stand."""
    await caller.dial(number)
    await callee.ringing()
    await callee.answer()
    await caller.established()


async def closed(under_test: Server, count: int) -> list[dict[str, Any]]:
    """Return the rows, oldest first; they are one chain."""
    rows = (await under_test.calls_closed(count))[::-1]
    assert {row["linkedid"] for row in rows} == {rows[0]["uniqueid"]}
    return rows


def pair(row: dict[str, Any]) -> tuple[str, str]:
    return row["src"], row["dst"]


def assert_begins_with(pcm: Pcm, *voices: float) -> None:
    """Assert that a file begins with these voices, all there within the allowed gap."""
    for hz in voices:
        assert first(pcm, hz) <= GAP_S + 0.06, f"{hz} Hz comes at {first(pcm, hz):.2f} s"


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_blind_transfer_of_a_real_phone_goes_on_in_a_file_of_its_own() -> None:
    async with (
        server(SHORT_FILES, ALL_RECORDED) as under_test,
        baresip(under_test.setup("101", voice(ALICE_HZ))) as alice,
        baresip(under_test.setup("102", voice(BOB_HZ))) as bob,
        extension_phone(under_test, "103", voice(CAROL_HZ)) as carol,
    ):
        await alice.dial("102")
        await bob.ringing()
        await bob.answer()
        await alice.established()
        await alice.hears()
        await talk(1.0)
        await bob.command("transfer", f"sip:103@{under_test.sip}")
        await carol.ringing()
        await talk(RING_S)
        await carol.answer()
        await bob.closed()
        await talk(2.0)
        await carol.hang_up()
        await alice.closed()

        one, two = await closed(under_test, 2)
        assert (pair(one), pair(two)) == (("101", "102"), ("101", "103"))
        assert (one["outcome"], two["outcome"]) == ("recorded", "recorded")
        before = audio.decode(under_test.recording(one))
        after = audio.decode(under_test.recording(two))
        assert_unheard(before, CAROL_HZ)
        assert_unheard(after, BOB_HZ)
        assert_begins_with(after, ALICE_HZ, CAROL_HZ)
        assert_talk(after, ALICE_HZ, CAROL_HZ)
        # While it rang Alice heard that, and was in no file.
        ringing = audio.find_ringing(alice.heard())
        assert ringing is not None
        assert audio.tone_intervals(before, ALICE_HZ)[-1][1] < audio.seconds(before) - 1.0
        assert first(alice.heard(), CAROL_HZ) > ringing[1] - 0.1
        assert_speaks(carol.heard(), ALICE_HZ, 0.3, 1.8)
        await under_test.stop()


@pytest.mark.peer("linphonec", "ffmpeg")
@pytest.mark.parametrize("workers", [1, 2])
async def test_an_attended_transfer_of_a_real_phone_joins_both_calls(workers: int) -> None:
    """With two media workers, each call is at its own, and one party has to move."""
    async with (
        server(f"{SHORT_FILES}[media]\nworkers = {workers}\n", ALL_RECORDED) as under_test,
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        linphone(under_test.setup("102", voice(BOB_HZ))) as bob,
        extension_phone(under_test, "103", voice(CAROL_HZ)) as carol,
    ):
        await alice.dial("102")
        await bob.ringing()
        await bob.answer()
        await alice.established()
        await talk(0.8)
        await bob.hold()
        await bob.dial("103")
        await carol.ringing()
        await carol.answer()
        await talk(0.8)
        await bob.join(1, 2)
        await talk(2.0)
        await alice.hang_up()
        await carol.closed()

        one, two, three = (await under_test.calls_closed(3))[::-1]
        assert [pair(row) for row in (one, two, three)] == [
            ("101", "102"),
            ("102", "103"),
            ("101", "103"),
        ]
        assert three["linkedid"] == one["uniqueid"]
        pcm = audio.decode(under_test.recording(three))
        assert_begins_with(pcm, ALICE_HZ, CAROL_HZ)
        assert_unheard(pcm, BOB_HZ)
        assert_talk(pcm, ALICE_HZ, CAROL_HZ)
        assert_unheard(audio.decode(under_test.recording(two)), ALICE_HZ)
        await under_test.stop()


@pytest.mark.peer("baresip", "ffmpeg")
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_target_that_still_rings_rings_on_for_the_other_party(workers: int) -> None:
    """Bob asks on one telephone and transfers on the other: scripted ones have one call each."""
    async with (
        server(f"{SHORT_FILES}[media]\nworkers = {workers}\n", ALL_RECORDED) as under_test,
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        extension_phone(under_test, "102", voice(BOB_HZ)) as bob,
        extension_phone(under_test, "102", voice(BOB_HZ)) as asking,
        baresip(under_test.setup("103", voice(CAROL_HZ))) as carol,
    ):
        await stand(alice, "102", bob)
        await talk(0.8)
        await asking.dial("103")
        await carol.ringing()
        await talk(0.4)
        await bob.refer(f"sip:103@{under_test.sip}?Replaces={quote(asking.replaces)}")
        with pytest.raises(PhoneError, match="487"):
            await asking.established()
        await talk(RING_S)
        assert not [event for event in carol.events if event["type"] == "CALL_CLOSED"]
        await carol.answer()
        await bob.closed()
        await talk(2.0)
        await alice.hang_up()
        await carol.closed()

        rows = {pair(row): row for row in await under_test.calls_closed(3)}
        assert set(rows) == {("101", "102"), ("102", "103"), ("101", "103")}
        pcm = audio.decode(under_test.recording(rows["101", "103"]))
        assert_begins_with(pcm, ALICE_HZ, CAROL_HZ)
        assert_unheard(pcm, BOB_HZ)
        assert_talk(pcm, ALICE_HZ, CAROL_HZ)
        assert audio.find_ringing(alice.heard()) is not None
        assert_speaks(carol.heard(), ALICE_HZ, 0.3, 1.8)
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
async def test_a_failed_transfer_goes_on_in_the_same_file() -> None:
    async with (
        server(SHORT_FILES, ALL_RECORDED) as under_test,
        three_phones(under_test) as (alice, bob, carol),
    ):
        await stand(alice, "102", bob)
        await talk(1.0)
        went = time.monotonic()
        await bob.refer(f"sip:103@{under_test.sip}")
        await carol.ringing()
        await talk(1.0)
        carol.refuse()
        assert [await bob.notified() for _ in range(3)] == [
            "100 Trying",
            "180 Ringing",
            "486 Busy Here",
        ]
        away = time.monotonic() - went
        # A BYE within HASTY_S would be taken for one that knew nothing of the failure.
        await talk(HASTY_S + 0.5)
        await bob.hang_up()
        await alice.closed()

        rows = await closed(under_test, 2)
        one = next(row for row in rows if row["dst"] == "102")
        two = next(row for row in rows if row["dst"] == "103")
        assert (two["disposition"], two["recordingfile"]) == ("BUSY", "")
        assert len(under_test.files()) == 1
        pcm = audio.decode(under_test.recording(one))
        assert abs(audio.seconds(pcm) - float(one["billsec"])) <= 1.5
        for hz in (ALICE_HZ, BOB_HZ):
            (earlier, later) = audio.tone_intervals(pcm, hz)
            assert 0.8 <= later[0] - earlier[1] <= away + 0.2, (earlier, later, away)
            assert later[1] - later[0] >= 0.7
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
async def test_a_referrer_who_has_hung_up_is_rung_again() -> None:
    async with (
        server(SHORT_FILES, ALL_RECORDED) as under_test,
        three_phones(under_test) as (alice, bob, carol),
    ):
        await stand(alice, "102", bob)
        await talk(0.5)
        await bob.refer(f"sip:103@{under_test.sip}")
        await bob.hang_up()
        await carol.ringing()
        carol.refuse()
        await bob.ringing()
        await talk(0.5)
        await bob.answer()
        await talk(1.5)
        await alice.hang_up()
        await bob.closed()

        rows = await closed(under_test, 3)
        assert [pair(row) for row in rows] == [("101", "102"), ("101", "103"), ("101", "102")]
        pcm = audio.decode(under_test.recording(rows[2]))
        assert_begins_with(pcm, ALICE_HZ, BOB_HZ)
        assert 1.2 <= audio.seconds(pcm) <= 2.2
        assert_speaks(bob.heard(), ALICE_HZ, 0.2, 1.2)
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
async def test_a_call_goes_on_at_another_telephone_of_the_extension() -> None:
    async with (
        server(SHORT_FILES, ALL_RECORDED[:2]) as under_test,
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        extension_phone(under_test, "102", voice(BOB_HZ)) as desk,
    ):
        await stand(alice, "102", desk)
        await talk(0.6)
        async with extension_phone(under_test, "102", voice(CAROL_HZ)) as mobile:
            mobile.wishes = f"Replaces: {desk.replaces}\r\nRequire: replaces\r\n"
            await mobile.dial("102")
            await mobile.established()
            await desk.closed()
            await talk(1.5)
            await mobile.hang_up()
            await alice.closed()

        one, two = await closed(under_test, 2)
        assert (pair(one), pair(two)) == (("101", "102"), ("101", "102"))
        after = audio.decode(under_test.recording(two))
        assert_unheard(after, BOB_HZ)
        assert_begins_with(after, ALICE_HZ, CAROL_HZ)
        assert_unheard(audio.decode(under_test.recording(one)), CAROL_HZ)
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize(
    ("mode", "opt_in", "heard"), [("never", False, False), ("off", False, True)]
)
async def test_who_has_not_agreed_is_silence_and_never_is_never(
    mode: str, *, opt_in: bool, heard: bool
) -> None:
    async with (
        server(SHORT_FILES, carols(mode, opt_in=opt_in)) as under_test,
        three_phones(under_test) as (alice, bob, carol),
    ):
        await stand(alice, "102", bob)
        await talk(0.5)
        await bob.refer(f"sip:103@{under_test.sip}")
        await carol.ringing()
        await carol.answer()
        await bob.closed()
        await talk(1.5)
        await alice.hang_up()
        await carol.closed()

        one, two = await closed(under_test, 2)
        assert_speaks(alice.heard(), CAROL_HZ, 1.2, 2.0)
        assert_unheard(audio.decode(under_test.recording(one)), CAROL_HZ)
        assert len(under_test.files()) == (2 if heard else 1)
        if heard:
            pcm = audio.decode(under_test.recording(two))
            assert_unheard(pcm, CAROL_HZ)
            assert_begins_with(pcm, ALICE_HZ)
            assert_talk(pcm, ALICE_HZ)
        else:
            assert (two["outcome"], two["recordingfile"]) == ("blocked", "")
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
async def test_an_outside_party_who_has_agreed_is_heard_on_and_not_asked_again() -> None:
    port = ports.take(2)
    settings = SHORT_FILES + trunk_settings(port)
    async with (
        server(settings, ALL_RECORDED[:2], short=True) as under_test,
        wire_phone(CALLER, under_test.sip, voice(CAROL_HZ), port=port) as outside,
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        extension_phone(under_test, "102", voice(BOB_HZ)) as bob,
    ):
        await outside.dial(DID)
        await outside.established()
        await talk(1.0)
        await outside.rtp.press("1")
        await alice.ringing()
        await alice.answer()
        await talk(1.0)
        await alice.refer(f"sip:102@{under_test.sip}")
        await bob.ringing()
        await talk(0.5)
        await bob.answer()
        await alice.closed()
        await talk(1.5)
        await outside.hang_up()
        await bob.closed()

        one, two = await closed(under_test, 2)
        assert (pair(one), pair(two)) == ((CALLER, "101"), (CALLER, "102"))
        before = audio.decode(under_test.recording(one))
        after = audio.decode(under_test.recording(two))
        assert_unheard(before, BOB_HZ)
        assert_unheard(after, ALICE_HZ)
        assert_begins_with(after, CAROL_HZ, BOB_HZ)
        assert_talk(after, CAROL_HZ)
        assert len(audio.tone_intervals(outside.heard(), HZ[PromptId.CONSENT])) == 1
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
async def test_a_new_outside_party_is_asked_before_it_is_in_the_file(tmp_path: Path) -> None:
    del tmp_path
    port = ports.take(2)
    settings = SHORT_FILES + trunk_settings(port, routes=(OUTGOING,))
    async with (
        server(settings, ALL_RECORDED[:2], short=True) as under_test,
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        extension_phone(under_test, "102", voice(BOB_HZ)) as bob,
        wire_phone("4989555", under_test.sip, voice(CAROL_HZ), port=port) as outside,
    ):
        await stand(alice, "102", bob)
        await talk(0.5)
        await bob.refer(f"sip:04989555@{under_test.sip}")
        await outside.ringing()
        await outside.answer()
        await bob.closed()
        await talk(RING_S)
        assert len(under_test.files()) == 1
        await outside.rtp.press("1")
        await talk(2.0)
        await alice.hang_up()
        await outside.closed()

        _, two = await closed(under_test, 2)
        assert two["outcome"] == "recorded"
        pcm = audio.decode(under_test.recording(two))
        assert 1.4 <= audio.seconds(pcm) <= 2.6
        assert_begins_with(pcm, ALICE_HZ, CAROL_HZ)
        assert audio.tone_intervals(outside.heard(), HZ[PromptId.CONSENT])
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
async def test_hold_address_and_codec_leave_one_file_with_a_true_timeline() -> None:
    async with (
        server("[music]\non_hold = false\n", ALL_RECORDED[:2]) as under_test,
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        extension_phone(under_test, "102", voice(BOB_HZ)) as bob,
    ):
        await stand(alice, "102", bob)
        began = asyncio.get_running_loop().time()
        await talk(1.0)
        await alice.renegotiate()
        await alice.renegotiate("inactive")
        alice.rtp.say(np.zeros_like(voice(ALICE_HZ)))
        await talk(1.0)
        alice.rtp.say(voice(ALICE_HZ))
        await alice.renegotiate()
        await talk(0.8)
        await alice.change_codec("PCMU", 0)
        await talk(1.0)
        alice.rtp.move()
        await alice.renegotiate()
        moved = time.monotonic()
        await talk(1.0)
        lasted = asyncio.get_running_loop().time() - began
        await bob.hang_up()
        await alice.closed()

        row = await under_test.the_call()
        assert under_test.files() == [under_test.recording(row)]
        pcm = audio.decode(under_test.recording(row))
        assert abs(audio.seconds(pcm) - lasted) <= 0.3
        intervals = audio.tone_intervals(pcm, ALICE_HZ)
        (earlier, *_, later) = intervals
        assert 0.7 <= intervals[1][0] - earlier[1] <= 1.4, intervals
        assert later[1] >= audio.seconds(pcm) - 0.4
        for phone, hz in ((alice, BOB_HZ), (bob, ALICE_HZ)):
            heard = audio.tone_intervals(phone.rtp.heard(since=moved), hz)
            assert heard, "both hear each other at the new address"
            assert heard[-1][1] - heard[0][0] >= 0.7, heard
        await under_test.stop()
