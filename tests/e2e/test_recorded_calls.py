"""Calls between real phones, judged by what is in the MP3: who spoke, when and how loud."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.calls import call, end
from tests.e2e.recorded import (
    BOTH_RECORDED,
    CALLEE_HZ,
    CALLEE_SAYS,
    CALLER_HZ,
    CALLER_SAYS,
    assert_both_speak,
    recorded,
    two_baresips,
)
from tests.support import audio
from tests.support.phones.baresip import baresip
from tests.support.phones.linphone import linphone
from tests.support.phones.phone import talk
from tests.support.phones.pyvoip import pyvoip
from tests.support.server import server


@pytest.mark.peer("baresip", "ffmpeg")
async def test_two_baresips_are_recorded() -> None:
    async with two_baresips() as (under_test, alice, bob):
        await call(alice, bob)
        await alice.hears()
        await bob.hears()
        await talk(3.0)
        # From before the BYE to the final name: nobody waits longer for what was said last.
        async with asyncio.timeout(1.0):
            await end(bob, alice)
            while under_test.files()[0].suffix != ".mp3":  # noqa: ASYNC110 - no event tells us
                await asyncio.sleep(0.01)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        audio.assert_tone(alice.heard(), CALLEE_HZ, 0.5, 2.5)
        audio.assert_tone(bob.heard(), CALLER_HZ, 0.5, 2.5)
        audio.assert_no_tone(alice.heard(), CALLER_HZ)
        await under_test.stop()


@pytest.mark.peer("baresip", "ffmpeg")
async def test_the_recording_tells_who_spoke_when() -> None:
    beat, rest = 0.8, audio.silence(0.8)
    one, other = audio.tone(CALLER_HZ, beat), audio.tone(CALLEE_HZ, beat, level=-18.0)
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(
            under_test.setup("101", np.concatenate((one, rest, one, rest, rest, rest)))
        ) as alice,
        baresip(
            under_test.setup("102", np.concatenate((rest, other, rest, other, rest, rest)))
        ) as bob,
    ):
        await call(alice, bob)
        await talk(4.0)
        await end(alice, bob)
        _, pcm = await recorded(under_test, 4.0)
        asks = audio.tone_intervals(pcm, CALLER_HZ)
        replies = audio.tone_intervals(pcm, CALLEE_HZ)
        # The first word of the caller may be cut: the callee's side stands a moment later.
        assert len(asks) == len(replies) == 2, (asks, replies)
        for start, stop in (asks[1], *replies):
            assert stop - start == pytest.approx(beat, abs=0.08)
        assert audio.gaps(replies) == [pytest.approx(beat, abs=0.08)]
        assert audio.gaps(asks) == [pytest.approx(beat, abs=0.08)]
        assert replies[0][0] - asks[0][1] == pytest.approx(0.0, abs=0.35)
        audio.assert_tone(pcm, CALLER_HZ, asks[1][0] + 0.1, asks[1][1] - 0.1)
        audio.assert_tone(pcm, CALLEE_HZ, replies[0][0] + 0.1, replies[0][1] - 0.1, level=-18.0)


@pytest.mark.peer("baresip", "linphonec", "ffmpeg")
@pytest.mark.parametrize("direction", ["baresip calls", "linphonec calls"])
async def test_baresip_and_linphonec_are_recorded(direction: str) -> None:
    caller, callee = ("101", "102") if direction == "baresip calls" else ("102", "101")
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(under_test.setup(caller, CALLER_SAYS)) as alice,
        linphone(under_test.setup(callee, CALLEE_SAYS)) as carol,
    ):
        first, second = (alice, carol) if caller == "101" else (carol, alice)
        await call(first, second)
        await alice.hears()
        await talk(3.0)
        await end(second, first)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        assert audio.tone_intervals(alice.heard(), CALLEE_HZ)
        assert audio.tone_intervals(carol.heard(), CALLER_HZ)


@pytest.mark.peer("baresip", "pyVoIP", "ffmpeg")
async def test_pyvoip_calls_a_baresip_and_is_recorded() -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        pyvoip(under_test.setup("101", CALLER_SAYS)) as dan,
        baresip(under_test.setup("102", CALLEE_SAYS)) as bob,
    ):
        await call(dan, bob)
        await bob.hears()
        await talk(3.0)
        await end(dan, bob)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        assert audio.tone_intervals(dan.heard(), CALLEE_HZ)
        assert audio.tone_intervals(bob.heard(), CALLER_HZ)


@pytest.mark.peer("pyVoIP", "ffmpeg")
async def test_two_pyvoips_are_recorded() -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        pyvoip(under_test.setup("101", CALLER_SAYS)) as dan,
        pyvoip(under_test.setup("102", CALLEE_SAYS)) as eve,
    ):
        await call(dan, eve)
        await talk(3.0)
        await end(eve, dan)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_phones_without_a_common_law_hear_each_other_and_are_recorded() -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(under_test.setup("101", CALLER_SAYS), codecs="pcma") as alice,
        baresip(under_test.setup("102", CALLEE_SAYS), codecs="pcmu") as bob,
    ):
        await call(alice, bob)
        await talk(3.0)
        await end(alice, bob)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        audio.assert_tone(alice.heard(), CALLEE_HZ, 0.5, 2.0)
        audio.assert_tone(bob.heard(), CALLER_HZ, 0.5, 2.0)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_other_packet_times_are_recorded_in_full() -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(under_test.setup("101", CALLER_SAYS), parameters="ptime=40") as alice,
        baresip(under_test.setup("102", CALLEE_SAYS)) as bob,
    ):
        await call(alice, bob)
        await talk(3.0)
        await end(alice, bob)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_call_that_nobody_wants_recorded_leaves_no_file_and_says_why() -> None:
    modes = (("101", "off", True), ("102", "off", True))
    async with two_baresips(extensions=modes) as (under_test, alice, bob):
        await call(alice, bob)
        await alice.hears()
        await talk(1.0)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "not_wanted"
        assert len(row["why"]) > 10
        assert not row["recordingfile"]
        assert under_test.files() == []
        assert audio.tone_intervals(alice.heard(), CALLEE_HZ), "the call itself must work"


@pytest.mark.peer("baresip", "ffmpeg")
@pytest.mark.parametrize(
    "callee", [("102", "never", True), ("102", "off", False)], ids=["never", "not opted in"]
)
async def test_a_party_that_may_not_be_recorded_is_in_no_file(
    callee: tuple[str, str, bool],
) -> None:
    async with two_baresips(extensions=(("101", "automatic", True), callee)) as (
        under_test,
        alice,
        bob,
    ):
        await call(alice, bob)
        await alice.hears()
        await talk(2.5)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "blocked", row
        assert row["why"]
        assert under_test.files() == []


@pytest.mark.peer("baresip", "ffmpeg")
async def test_stopping_the_server_ends_the_call_and_finishes_its_recording() -> None:
    async with two_baresips() as (under_test, alice, bob):
        await call(alice, bob)
        await talk(3.0)
        (open_file,) = under_test.files()
        assert open_file.suffix == ".part"
        async with asyncio.TaskGroup() as group:
            group.create_task(under_test.stop())
            group.create_task(alice.closed())
            group.create_task(bob.closed())
        row, pcm = await recorded(under_test, 3.0)
        assert Path(row["recordingfile"]).suffix == ".mp3"
        assert_both_speak(pcm)
