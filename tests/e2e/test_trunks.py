"""Trunks by other ways than the usual one: over TCP, and without an offer."""

import pytest

from tests.e2e.scripted import scripted_caller
from tests.support import audio, ports
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.server import server
from tests.support.trunk import CALLER, OUTGOING, dialled, outside_baresip, trunk_settings

OFF = (("101", "off", False),)
CLERK_HZ = 620.0
OUTSIDE_HZ = 440.0
CLERK_SAYS = audio.tone(CLERK_HZ, 30.0)
OUTSIDE_SAYS = audio.tone(OUTSIDE_HZ, 30.0)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_calls_in_and_out_over_a_trunk_on_tcp() -> None:
    port = ports.take(2)
    settings = trunk_settings(port, routes=[OUTGOING], transport="tcp")
    async with (
        server(settings, OFF) as under_test,
        baresip(under_test.setup("101", CLERK_SAYS)) as clerk,
        outside_baresip(under_test.folder / "out", OUTSIDE_SAYS, port=port) as outside,
    ):
        await outside.dial(f"{dialled(under_test.sip)};transport=tcp")
        await clerk.ringing()
        await clerk.answer()
        await clerk.hears()
        await talk(1.0)
        await clerk.hang_up()
        await outside.closed()
        assert audio.tone_intervals(outside.heard(), CLERK_HZ)
        assert audio.tone_intervals(clerk.heard(), OUTSIDE_HZ)
        seen = len(clerk.events)
        await clerk.dial(f"0{CALLER}")
        await outside.ringing()
        await outside.answer()
        await clerk.wait_event("CALL_ESTABLISHED", after=seen)
        await talk(1.0)
        await outside.hang_up()
        await clerk.wait_event("CALL_CLOSED", after=seen)
        outgoing, incoming = await under_test.calls_closed(2)
        assert (outgoing["src"], outgoing["dst"]) == ("101", f"0{CALLER}")
        assert (incoming["src"], incoming["dst"]) == (CALLER, "101")
        assert {outgoing["disposition"], incoming["disposition"]} == {"ANSWERED"}
        assert audio.tone_intervals(clerk.heard(), OUTSIDE_HZ)


@pytest.mark.peer("baresip", "sipp", "ffmpeg")
async def test_a_caller_without_an_offer_gets_ours_when_the_extension_answers() -> None:
    port = ports.take(2)
    values = {"KEY_AFTER_MS": "500"}
    async with (
        server(trunk_settings(port), OFF) as under_test,
        baresip(under_test.setup("101", CLERK_SAYS)) as clerk,
        scripted_caller(under_test, "trunk_without_offer", port=port, values=values) as caller,
    ):
        await clerk.ringing()
        await clerk.answer()
        await clerk.established()
        await clerk.wait_event("CALL_DTMF_START", param="1")
        await clerk.hang_up()
        await caller.finished()
        row = await under_test.the_call()
        assert (row["disposition"], row["outcome"]) == ("ANSWERED", "not_wanted")
