"""Phones that share no codec understand each other, and the recording has both."""

from dataclasses import replace

import pytest

from ivr.prompts import PromptId
from tests.e2e.calls import call, end
from tests.e2e.recorded import (
    BOTH_RECORDED,
    CALLEE_HZ,
    CALLEE_SAYS,
    CALLER_HZ,
    CALLER_SAYS,
    assert_both_speak,
    recorded,
)
from tests.support import audio, ports
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.prompts import HZ
from tests.support.server import server
from tests.support.trunk import dialled, outside_baresip, trunk_settings

NAMES = {"pcma": "PCMA", "g722": "G722", "opus": "opus"}
"As the phone's log has them."


@pytest.mark.peer("baresip", "ffmpeg", "libopus")
@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("opus", "pcma"),
        ("pcma", "g722"),  # refuses what is offered first, and is offered more
        ("g722", "opus"),
    ],
)
async def test_phones_without_a_common_codec_hear_each_other(caller: str, callee: str) -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(
            under_test.setup("101", CALLER_SAYS),
            codecs=caller,
        ) as alice,
        baresip(
            under_test.setup("102", CALLEE_SAYS),
            codecs=callee,
        ) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        await bob.hears()
        await talk(3.0)
        assert alice.speaks(NAMES[caller])
        assert bob.speaks(NAMES[callee])
        await end(alice, bob)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        audio.assert_tone(alice.heard(), CALLEE_HZ, 0.5, 2.5)
        audio.assert_tone(bob.heard(), CALLER_HZ, 0.5, 2.5)
        audio.assert_no_tone(alice.heard(), CALLER_HZ, below=-40.0)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_behind_the_question_both_phones_go_on_in_wideband() -> None:
    port, high = ports.take(2), 5200.0
    says = audio.tone(CALLEE_HZ, 30.0, rate=16000) // 2 + audio.tone(high, 30.0, rate=16000) // 2
    settings = "[media]\nwideband_after_menu = true\n" + trunk_settings(port)
    async with (
        server(settings, (("101", "automatic", True),), short=True) as under_test,
        baresip(
            replace(under_test.setup("101", says), says_rate=16000),
            codecs="g722,pcma",
        ) as clerk,
        outside_baresip(
            under_test.folder / "out", CALLER_SAYS, port=port, codecs="g722,pcma"
        ) as caller,
    ):
        await caller.dial(dialled(under_test.sip))
        await caller.established()
        assert caller.speaks("PCMA"), "we speak to it"
        await talk(1.5)
        await caller.digit("1")
        await clerk.ringing()
        await clerk.answer()
        await clerk.hears()
        await caller.child.wait_for("Set audio encoder: G722")
        assert clerk.speaks("G722")
        await talk(2.5)
        await clerk.hang_up()
        await caller.closed()
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        pcm = audio.decode(under_test.recording(row), rate=16000)
        end = audio.seconds(pcm, rate=16000)
        audio.assert_tone(pcm, high, end - 2.3, end - 0.3, level=-18.0, within=6.0, rate=16000)
        audio.assert_tone(pcm, CALLER_HZ, end - 2.0, end - 0.3, rate=16000)
        audio.assert_tone(clerk.heard(), CALLER_HZ, 1.0, 2.3)


@pytest.mark.peer("baresip", "ffmpeg", "libopus")
async def test_a_caller_with_nothing_but_opus_is_asked_in_it() -> None:
    port = ports.take(2)
    async with (
        server(trunk_settings(port), (("101", "automatic", True),), short=True) as under_test,
        baresip(under_test.setup("101", CALLEE_SAYS), codecs="pcma") as clerk,
        outside_baresip(under_test.folder / "out", CALLER_SAYS, port=port, codecs="opus") as caller,
    ):
        await caller.dial(dialled(under_test.sip))
        await caller.established()
        await caller.child.wait_for("Set audio encoder: opus")
        await talk(1.5)
        await caller.digit("1")
        await clerk.ringing()
        await clerk.answer()
        await clerk.hears()
        await talk(2.5)
        await clerk.hang_up()
        await caller.closed()
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        audio.assert_tone(audio.decode(under_test.recording(row)), CALLER_HZ, 0.5, 2.0)
        audio.assert_tone(clerk.heard(), CALLER_HZ, 0.5, 2.0)
        assert audio.tone_intervals(caller.heard(), HZ[PromptId.CONSENT])
        ((start, end),) = audio.tone_intervals(caller.heard(), CALLEE_HZ)
        assert end - start > 2.0
