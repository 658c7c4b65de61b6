"""The test phones themselves, without our server between them: what they can be trusted with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import audio
from tests.support.phones.baresip import baresip
from tests.support.phones.linphone import linphone
from tests.support.phones.phone import Account, PhoneSetup, talk
from tests.support.phones.sipp import sipp

MakeSetup = Callable[[str, float], PhoneSetup]


@pytest.fixture
def setup(tmp_path: Path) -> MakeSetup:
    def make(user: str, hz: float) -> PhoneSetup:
        return PhoneSetup(
            account=Account(user=user), folder=tmp_path / user, says=audio.tone(hz, 20.0)
        )

    return make


@pytest.mark.peer("baresip", "ffmpeg")
async def test_two_baresips_hear_each_other_and_a_digit(setup: MakeSetup) -> None:
    async with baresip(setup("alice", 440)) as alice, baresip(setup("bob", 620)) as bob:
        await alice.dial(bob.address)
        await bob.ringing()
        await bob.answer()
        await alice.established()
        await alice.hears()
        await bob.hears()
        await alice.digit("5")
        await bob.wait_event("CALL_DTMF_END")
        assert any(e["type"] == "CALL_DTMF_START" and e["param"] == "5" for e in bob.events)
        await talk(1.0)
        await bob.hang_up()
        await alice.closed()
        await bob.closed()
        heard = alice.heard()
        assert audio.tone_level(heard, 620, 0.2, audio.seconds(heard) - 0.2) > -15
        audio.assert_no_tone(heard, 440)
        assert audio.tone_intervals(bob.heard(), 440)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_baresip_refuses_and_another_gives_up(setup: MakeSetup) -> None:
    async with baresip(setup("alice", 440)) as alice, baresip(setup("bob", 620)) as bob:
        await alice.dial(bob.address)
        await bob.ringing()
        await bob.hang_up()
        assert "486" in await alice.closed()
    async with baresip(setup("alice", 440)) as alice, baresip(setup("bob", 620)) as bob:
        await alice.dial(bob.address)
        await bob.ringing()
        await alice.hang_up()
        await bob.closed()


@pytest.mark.peer("baresip", "linphonec", "ffmpeg")
async def test_a_linphone_answers_a_baresip(setup: MakeSetup) -> None:
    async with linphone(setup("carol", 880)) as carol, baresip(setup("bob", 620)) as bob:
        await bob.dial(carol.address)
        await carol.ringing()
        await carol.answer()
        await carol.established()
        await bob.established()
        await bob.hears()
        await carol.digit("7")
        await bob.wait_event("CALL_DTMF_START", param="7")
        await bob.wait_event("CALL_DTMF_END")
        await talk(1.0)
        await bob.hang_up()
        await carol.closed()
        await bob.closed()
        assert audio.tone_intervals(bob.heard(), 880)
        assert audio.tone_intervals(carol.heard(), 620)


@pytest.mark.peer("baresip", "sipp")
async def test_a_sipp_scenario_refuses_a_baresip(setup: MakeSetup, tmp_path: Path) -> None:
    async with (
        sipp("uas_decline", tmp_path / "sipp") as declining,
        baresip(setup("alice", 440)) as alice,
    ):
        await declining.listening()
        await alice.dial(f"sip:dan@127.0.0.1:{declining.port}")
        assert "603" in await alice.closed()
        await declining.finished()
