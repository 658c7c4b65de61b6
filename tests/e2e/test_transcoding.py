"""Phones that share no codec understand each other, and the recording has both."""

import pytest

from tests.e2e.calls import call, end
from tests.e2e.test_recorded_calls import (
    BOTH_RECORDED,
    CALLEE_HZ,
    CALLEE_SAYS,
    CALLER_HZ,
    CALLER_SAYS,
    assert_both_speak,
    recorded,
)
from tests.support import audio
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.server import server

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
            under_test.setup(under_test.extension("101"), CALLER_SAYS),
            codecs=caller,
        ) as alice,
        baresip(
            under_test.setup(under_test.extension("102"), CALLEE_SAYS),
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
