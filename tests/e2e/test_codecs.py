"""Codecs of real calls, and their changes in the middle; judged by what is in the MP3."""

from dataclasses import replace

import pytest

from tests.e2e.calls import call, end
from tests.e2e.recorded import BOTH_RECORDED, CALLEE_HZ, CALLEE_SAYS, CALLER_HZ, recorded
from tests.e2e.voices import voice
from tests.support import audio
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.phones.wire import extension_phone
from tests.support.server import server


@pytest.mark.peer("ffmpeg")
async def test_a_change_to_another_codec_with_its_own_number_leaves_no_gap() -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        extension_phone(under_test, "101", voice(CALLER_HZ)) as alice,
        extension_phone(under_test, "102", voice(CALLEE_HZ)) as bob,
    ):
        await call(alice, bob)
        await talk(1.5)
        await alice.change_codec("PCMU", 96)
        await talk(1.5)
        await alice.change_codec("PCMA", 8)
        await talk(1.0)
        await end(alice, bob)
        _, pcm = await recorded(under_test, 4.0)
        # What is on its way while the other side agrees may be a packet, and is concealed.
        for hz in (CALLER_HZ, CALLEE_HZ):
            audio.assert_tone(pcm, hz, 0.5, audio.seconds(pcm) - 0.3, within=6.0)


@pytest.mark.peer("ffmpeg")
async def test_a_change_to_an_unknown_codec_is_silence_and_the_row_names_it() -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        extension_phone(under_test, "101", voice(CALLER_HZ)) as alice,
        extension_phone(under_test, "102", voice(CALLEE_HZ)) as bob,
    ):
        await call(alice, bob)
        await talk(1.5)
        await alice.change_codec("G729", 18)
        await talk(1.5)
        await alice.change_codec("PCMA", 8)
        await talk(1.5)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "failed", row
        assert "G729" in str(row["why"])
        pcm = audio.decode(under_test.recording(row))
        assert audio.seconds(pcm) >= 4.5
        for hz in (CALLER_HZ, CALLEE_HZ):
            (before, behind) = audio.tone_intervals(pcm, hz)
            audio.assert_tone(pcm, hz, before[0] + 0.1, before[1] - 0.1)
            audio.assert_tone(pcm, hz, behind[0] + 0.1, behind[1] - 0.1)
            assert behind[0] - before[1] == pytest.approx(1.5, abs=0.3)


@pytest.mark.peer("baresip", "ffmpeg", "libopus")
@pytest.mark.parametrize("codec", ["g722", "opus"])
async def test_two_phones_in_wideband_are_relayed_untouched_and_recorded(codec: str) -> None:
    high = 5200.0
    says = audio.tone(CALLER_HZ, 30.0, rate=16000) // 2 + audio.tone(high, 30.0, rate=16000) // 2
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(
            replace(under_test.setup("101", says), says_rate=16000),
            codecs=codec,
        ) as alice,
        baresip(
            under_test.setup("102", CALLEE_SAYS),
            codecs=f"{codec},pcma",
        ) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        await bob.hears()
        await talk(3.0)
        assert alice.speaks({"g722": "G722"}.get(codec, codec))
        await end(alice, bob)
        row, pcm = await recorded(under_test, 3.0)
        audio.assert_tone(pcm, CALLEE_HZ, 0.5, 2.5)
        audio.assert_tone(pcm, CALLER_HZ, 0.5, 2.5, level=-18.0)
        wide = audio.decode(under_test.recording(row), rate=16000)
        audio.assert_tone(wide, high, 0.5, 2.5, level=-18.0, within=6.0, rate=16000)
        audio.assert_tone(alice.heard(), CALLEE_HZ, 0.5, 2.5)
        audio.assert_tone(bob.heard(), CALLER_HZ, 0.5, 2.5, level=-18.0)


async def test_a_call_in_an_unknown_codec_is_relayed_and_its_row_names_it() -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        extension_phone(under_test, "101", voice(CALLER_HZ)) as alice,
        extension_phone(under_test, "102", voice(CALLEE_HZ)) as bob,
    ):
        alice.rtp.codec = bob.rtp.codec = "G729", 18
        await call(alice, bob)
        await talk(0.5)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "failed", row
        assert "G729" in str(row["why"])
        assert under_test.files() == []
        for phone in (alice, bob):
            assert {p.header.payload_type for p in phone.rtp.packets} == {18}
