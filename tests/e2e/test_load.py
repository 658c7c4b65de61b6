"""A recorder that stands still: the calls go on, new recordings are refused by name."""

import asyncio
import os
import signal

import pytest

from tests.e2e.calls import call, end
from tests.support import audio
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.server import Server, server

CALLER_HZ = 440.0
CALLEE_HZ = 620.0

pytestmark = [pytest.mark.alone, pytest.mark.peer("baresip", "ffmpeg"), pytest.mark.timeout(120)]


async def busy(under_test: Server, *, wanted: bool) -> None:
    """Wait until the server knows that its recorder takes nothing, or that it does again."""
    async with asyncio.timeout(30.0):
        while bool((await under_test.status())["counters"]["recorder_busy"]) is not wanted:  # noqa: ASYNC110 - it is a child of another process
            await asyncio.sleep(0.1)


async def test_a_recorder_that_stands_still_refuses_new_recordings_only() -> None:
    async with server() as under_test:
        for number in ("101", "102", "103", "104"):
            await under_test.add_extension(number, mode="automatic", opt_in=True)
        setups = [
            under_test.setup(number, audio.tone(hz, 60.0))
            for number, hz in zip(
                ("101", "102", "103", "104"), (CALLER_HZ, CALLEE_HZ) * 2, strict=True
            )
        ]
        async with (
            baresip(setups[0]) as alice,
            baresip(setups[1]) as bob,
            baresip(setups[2]) as carol,
            baresip(setups[3]) as dave,
        ):
            await call(alice, bob, number="102")
            await talk(1.0)
            recorder = int((await under_test.status())["pids"]["recorder"][0])
            os.kill(recorder, signal.SIGSTOP)
            try:
                await busy(under_test, wanted=True)
                await call(carol, dave, number="104")
                await talk(2.0)
                await end(carol, dave)
                await end(alice, bob)
            finally:
                os.kill(recorder, signal.SIGCONT)
            await busy(under_test, wanted=False)
            rows = {row["src"]: row for row in await under_test.calls_closed(2)}
            assert rows["103"]["outcome"] == "failed"
            assert rows["103"]["outcome_reason"] == "recorder_busy"
            assert not rows["103"]["recordingfile"]
            for phone, hz in ((carol, CALLEE_HZ), (dave, CALLER_HZ)):
                heard = phone.heard()
                assert audio.tone_intervals(heard, hz), "the relay went on"
            assert rows["101"]["outcome"] == "recorded", rows["101"]
            pcm = audio.decode(under_test.recording(rows["101"]))
            for hz in (CALLER_HZ, CALLEE_HZ):
                (interval,) = audio.tone_intervals(pcm, hz)
                assert interval[1] > audio.seconds(pcm) - 0.6
            place = len(dave.events)
            await carol.dial("104")
            await dave.wait_event("CALL_INCOMING", after=place)
            await dave.answer()
            await dave.wait_event("CALL_RTPESTAB", after=place)
            await talk(2.5)
            await carol.hang_up()
            after = await under_test.calls_closed(3)
            assert [row["outcome"] for row in after].count("recorded") == 2
        await under_test.stop()
