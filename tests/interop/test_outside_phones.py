"""Phones behind a trunk, against each other: what calls the server can be trusted to get."""

from pathlib import Path

import pytest

from tests.support import audio, ports
from tests.support.phones.phone import talk
from tests.support.trunk import CALLER, DID, OTHER_HOST, outside_baresip, outside_pyvoip

SAYS = audio.tone(440, 20.0)
NOTHING = audio.silence(0.1)


@pytest.mark.peer("baresip", "pyVoIP", "ffmpeg")
async def test_pyvoip_calls_unregistered_speaks_presses_keys_and_hears(tmp_path: Path) -> None:
    port = ports.take(2)
    async with (
        outside_baresip(tmp_path / "called", SAYS, port=port, number=DID) as called,
        outside_pyvoip(tmp_path / "caller", NOTHING, server=f"127.0.0.1:{port}") as caller,
    ):
        assert called.port == port
        await caller.dial(DID)
        await called.ringing()
        await called.answer()
        await caller.established()
        await called.hears()
        await caller.say(audio.tone(620, 0.5))
        await caller.digit("*1")
        await called.wait_event("CALL_DTMF_START", param="*")
        await called.wait_event("CALL_DTMF_START", param="1")
        heard = await caller.hears_so_far()
        assert audio.tone_intervals(heard, 440)
        await talk(0.3)
        await caller.hang_up()
        await called.closed()
        await caller.closed()
        (word,) = audio.tone_intervals(called.heard(), 620)
        assert word[1] - word[0] == pytest.approx(0.5, abs=0.1)
        assert caller.heard().size >= heard.size


@pytest.mark.peer("baresip", "pyVoIP", "ffmpeg")
async def test_pyvoip_is_called_at_another_loopback_address(tmp_path: Path) -> None:
    port = ports.take(2)
    async with (
        outside_baresip(tmp_path / "caller", SAYS, port=port) as caller,
        outside_pyvoip(
            tmp_path / "called", audio.tone(620, 20.0), server=f"127.0.0.1:{port}", number=DID
        ) as called,
    ):
        assert f"@{OTHER_HOST}:" in called.address
        await caller.dial(called.address)
        assert await called.ringing() == CALLER
        await called.answer()
        await caller.established()
        await caller.hears()
        await talk(0.5)
        await caller.hang_up()
        await called.closed()
        assert audio.tone_intervals(called.heard(), 440)
        assert audio.tone_intervals(caller.heard(), 620)


@pytest.mark.peer("baresip", "pyVoIP")
async def test_a_refused_pyvoip_says_by_what(tmp_path: Path) -> None:
    port = ports.take(2)
    async with (
        outside_baresip(tmp_path / "called", SAYS, port=port, number=DID) as called,
        outside_pyvoip(tmp_path / "caller", NOTHING, server=f"127.0.0.1:{port}") as caller,
    ):
        await caller.dial(DID)
        await called.ringing()
        await called.hang_up()
        assert "486" in await caller.refused()
