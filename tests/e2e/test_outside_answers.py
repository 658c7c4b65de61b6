"""Calls to outside, answered there by pyVoIP: a telephone of another make than the tests' usual."""

import pytest

from ivr.prompts import PromptId
from tests.support import audio
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.ports import take
from tests.support.prompts import HZ
from tests.support.server import server
from tests.support.trunk import OTHER_HOST, OUTGOING, outside_pyvoip, trunk_settings

CLERK_SAYS = audio.tone(620, 30.0)
OUTSIDE_SAYS = audio.tone(440, 30.0)
NUMBER = "0493098765"


@pytest.mark.peer("baresip", "pyVoIP", "ffmpeg")
@pytest.mark.parametrize(("mode", "outcome"), [("off", "not_wanted"), ("automatic", "recorded")])
async def test_an_outside_pyvoip_answers_and_is_asked_where_it_is_recorded(
    mode: str, outcome: str
) -> None:
    port = take()
    settings = trunk_settings(port, host=OTHER_HOST, routes=[OUTGOING])
    async with (
        server(settings, (("101", mode, True),), short=True) as under_test,
        baresip(under_test.setup("101", CLERK_SAYS)) as clerk,
        outside_pyvoip(
            under_test.folder / "out", OUTSIDE_SAYS, server=under_test.sip, port=port
        ) as outside,
    ):
        await clerk.dial(NUMBER)
        await outside.ringing()
        await outside.answer()
        await outside.established()
        if outcome == "recorded":
            await talk(1.5)
            await outside.digit("1")
        await clerk.established()
        await talk(2.5)
        await outside.hang_up()
        await clerk.closed()
        row = await under_test.the_call()
        assert row["outcome"] == outcome, row
        asked = bool(audio.tone_intervals(outside.heard(), HZ[PromptId.CONSENT]))
        assert asked == (outcome == "recorded")
        assert audio.tone_intervals(outside.heard(), 620)
        assert audio.tone_intervals(clerk.heard(), 440)
        if outcome == "recorded":
            pcm = audio.decode(under_test.recording(row))
            assert audio.tone_intervals(pcm, 440)
            assert audio.tone_intervals(pcm, 620)
