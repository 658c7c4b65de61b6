"""How a recording sounds: the settings of `[recording]`, heard in the file of a real call."""

import asyncio
import os
import signal

import numpy as np
import pytest

from recording import mp3
from tests.e2e.calls import call, end
from tests.support import audio
from tests.support.audio import Pcm
from tests.support.phones.phone import talk
from tests.support.phones.wire import extension_phone
from tests.support.server import Server, server

RECORDED = (("101", "automatic", True), ("102", "automatic", True))
CALLER_HZ, CALLEE_HZ = 440.0, 1000.0
STEREO = '[recording]\nchannels = "stereo"\n'
APART_DB = 30.0
"Of what a listener hears; 40 dB and more on a quiet machine."


def assert_on_its_side(own: Pcm, other: Pcm, hz: float) -> None:
    """Assert that a voice is on one side from beginning to end, and on that one only."""
    (interval,) = audio.tone_intervals(own, hz)
    assert interval[0] < 1.0
    assert interval[1] > audio.seconds(own) - 0.6
    audio.assert_tone(own, hz, interval[0] + 0.05, interval[1] - 0.05)
    within = (interval[0] + 0.1, interval[1] - 0.1)
    apart = audio.tone_level(own, hz, *within) - audio.tone_level(other, hz, *within)
    assert apart > APART_DB, f"{hz} Hz is only {apart:.0f} dB apart"


async def kill_recorder(under_test: Server) -> None:
    """Kill the recorder as `kill -9` does, and wait for its successor."""
    dead = (await under_test.status())["pids"]["recorder"][0]
    os.kill(int(dead), signal.SIGKILL)
    async with asyncio.timeout(30.0):
        while (await under_test.status())["pids"]["recorder"][0] in (dead, None):  # noqa: ASYNC110 - it is a child of another process
            await asyncio.sleep(0.05)


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("killed", [False, True])
async def test_in_stereo_each_voice_is_on_its_own_side(*, killed: bool) -> None:
    async with (
        server(STEREO, RECORDED) as under_test,
        extension_phone(under_test, "101", audio.tone(CALLER_HZ, 30.0)) as alice,
        extension_phone(under_test, "102", audio.tone(CALLEE_HZ, 30.0)) as bob,
    ):
        await call(alice, bob)
        await alice.rtp.hears(CALLEE_HZ)
        await talk(2.0)
        if killed:
            await kill_recorder(under_test)
        await talk(2.0)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        (segment,) = await under_test.rows("rec", "list")
        assert (segment["channels"], segment["failure"], segment["missing_s"]) == (2, None, 0)
        path = under_test.recording(row)
        left, right = audio.decode_stereo(path)
        assert abs(audio.seconds(left) - float(segment["duration_s"])) < 0.1
        assert path.stat().st_size <= 200_000 / 60 * (audio.seconds(left) + 0.2)
        assert_on_its_side(left, right, CALLER_HZ)
        assert_on_its_side(right, left, CALLEE_HZ)
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("blanked", [True, False])
async def test_pressed_keys_are_silence_in_the_file_and_unchanged_on_the_line(
    *, blanked: bool
) -> None:
    settings = STEREO + ("" if blanked else "blank_dtmf = false\n")
    async with (
        server(settings, RECORDED) as under_test,
        extension_phone(under_test, "101", audio.tone(CALLER_HZ, 30.0)) as alice,
        extension_phone(under_test, "102", audio.tone(CALLEE_HZ, 30.0)) as bob,
    ):
        await call(alice, bob)
        await alice.rtp.hears(CALLEE_HZ)
        await bob.rtp.hears(CALLER_HZ)
        await talk(1.0)
        await alice.rtp.press("47")
        await talk(1.0)
        await end(alice, bob)
        left, right = audio.decode_stereo(under_test.recording(await under_test.the_call()))
        heard = audio.tone_intervals(left, CALLER_HZ, above=-30.0, shortest=0.03)
        assert len(heard) == (3 if blanked else 1), heard
        assert len(audio.tone_intervals(right, CALLEE_HZ)) == 1
        assert len(audio.tone_intervals(bob.heard(), CALLER_HZ)) == 1
        assert bob.rtp.keys() == "47"
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
async def test_levelling_lifts_a_quiet_party() -> None:
    quiet = np.concatenate([audio.speech(1.4, seed=2, level=-36.0), audio.silence(0.4)])
    async with (
        server(STEREO + "level = true\n", RECORDED) as under_test,
        extension_phone(under_test, "101", quiet) as alice,
        extension_phone(under_test, "102", audio.tone(CALLEE_HZ, 30.0)) as bob,
    ):
        await call(alice, bob)
        await alice.rtp.hears(CALLEE_HZ)
        await talk(7.0)
        await end(alice, bob)
        left, right = audio.decode_stereo(under_test.recording(await under_test.the_call()))
        first, last = audio.rms_level(left, 0.0, 1.8), audio.rms_level(left, 5.0, 6.8)
        assert last > first + 4
        audio.assert_tone(right, CALLEE_HZ, 0.5, 6.5)
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("rate", [16000, 24000])
async def test_a_file_of_a_higher_rate_takes_no_more_room(rate: int) -> None:
    async with (
        server(f"[recording]\nsample_rate = {rate}\n", RECORDED) as under_test,
        extension_phone(under_test, "101", audio.tone(CALLER_HZ, 30.0)) as alice,
        extension_phone(under_test, "102", audio.tone(CALLEE_HZ, 30.0)) as bob,
    ):
        await call(alice, bob)
        await alice.rtp.hears(CALLEE_HZ)
        await talk(2.0)
        await kill_recorder(under_test)
        await talk(2.0)
        await end(alice, bob)
        row = await under_test.the_call()
        path = under_test.recording(row)
        found = mp3.scan(path.read_bytes())
        assert (found.sample_rate, found.channels) == (rate, 1)
        (segment,) = await under_test.rows("rec", "list")
        assert path.stat().st_size <= 200_000 / 60 * (float(segment["duration_s"]) + 0.2)
        pcm = audio.decode(path)
        for hz in (CALLER_HZ, CALLEE_HZ):
            (interval,) = audio.tone_intervals(pcm, hz)
            audio.assert_tone(pcm, hz, interval[0] + 0.05, interval[1] - 0.05)
        await under_test.stop()
