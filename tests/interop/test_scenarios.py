"""The scripted peers against a baresip: that each says what its name promises."""

from pathlib import Path

import pytest

from tests.support import audio, ports
from tests.support.phones.sipp import Sipp, sipp
from tests.support.trunk import DID, outside_baresip

SAYS = audio.tone(440, 20.0)
AT_ONCE = {"KEY_AFTER_MS": "200", "AFTER_MS": "200"}


def sent(scripted: Sipp) -> str:
    """Return all that went over the wire."""
    return scripted.messages().replace("\r", "")


@pytest.mark.peer("baresip", "sipp")
@pytest.mark.parametrize(
    ("scenario", "keys", "promise", "done"),
    [
        ("trunk_presses_by_info", 1, "application/dtmf-relay", "CSeq: 2 INFO"),
        ("trunk_without_keys", 0, "Allow: INVITE, ACK, BYE, CANCEL\n", "CSeq: 1 ACK"),
        ("trunk_holds", 0, "a=sendonly", "CSeq: 2 ACK"),
        ("trunk_refreshes", 1, "CSeq: 2 INVITE", "CSeq: 3 INFO"),
        ("trunk_without_offer", 1, "CSeq: 1 INVITE", "CSeq: 2 INFO"),
    ],
)
async def test_a_scripted_caller(
    tmp_path: Path, scenario: str, keys: int, promise: str, done: str
) -> None:
    port = ports.take(2)
    async with (
        outside_baresip(tmp_path / "called", SAYS, port=port, number=DID) as called,
        sipp(
            scenario,
            tmp_path / "caller",
            target=f"127.0.0.1:{port}",
            number=DID,
            values=AT_ONCE,
        ) as caller,
    ):
        await called.ringing()
        await called.answer()
        await called.established()
        if keys:
            await called.wait_event("CALL_DTMF_START", param="1")
        await caller.saw(done)
        await called.hang_up()
        await caller.finished()
        assert called.count("CALL_DTMF_START") == keys
        assert promise in sent(caller)


@pytest.mark.peer("baresip", "sipp")
async def test_a_scripted_caller_leaves_what_it_called(tmp_path: Path) -> None:
    port = ports.take(2)
    target = f"127.0.0.1:{port}"
    async with (
        outside_baresip(tmp_path / "called", SAYS, port=port, number=DID) as called,
        sipp(
            "trunk_leaves_ringing", tmp_path / "bye", target=target, number=DID, values=AT_ONCE
        ) as caller,
    ):
        await called.ringing()
        await called.answer()
        await called.wait_event("CALL_DTMF_START", param="1")
        await caller.finished()
        await called.closed()
    async with (
        outside_baresip(tmp_path / "called", SAYS, port=port, number=DID) as called,
        sipp(
            "trunk_cancels", tmp_path / "cancel", target=target, number=DID, values=AT_ONCE
        ) as caller,
    ):
        await called.ringing()
        await caller.finished()
        await called.closed()
        assert not called.has_seen("CALL_ESTABLISHED")


@pytest.mark.peer("baresip", "sipp")
async def test_a_scripted_extension_is_busy(tmp_path: Path) -> None:
    async with (
        sipp("uas_busy", tmp_path / "called") as called,
        outside_baresip(tmp_path / "caller", SAYS, port=ports.take(2)) as caller,
    ):
        await called.listening()
        await caller.dial(f"sip:101@127.0.0.1:{called.port}")
        assert "486" in await caller.closed()
        await called.finished()


@pytest.mark.peer("baresip", "sipp")
async def test_a_scripted_extension_has_a_record_key(tmp_path: Path) -> None:
    # Baresip knows no INFO without digits, and says so.
    values = {**AT_ONCE, "RECORD": "off", "STATUS": "488"}
    async with (
        sipp("uas_record_by_info", tmp_path / "called", values=values) as called,
        outside_baresip(tmp_path / "caller", SAYS, port=ports.take(2)) as caller,
    ):
        await called.listening()
        await caller.dial(f"sip:101@127.0.0.1:{called.port}")
        await caller.established()
        await called.saw("SIP/2.0 488")
        await caller.hang_up()
        await called.finished()
        assert "Record: off\n" in sent(called)


@pytest.mark.peer("baresip", "sipp")
async def test_a_scripted_extension_answers_too_late(tmp_path: Path) -> None:
    async with (
        sipp("uas_answers_late", tmp_path / "called") as called,
        outside_baresip(tmp_path / "caller", SAYS, port=ports.take(2)) as caller,
    ):
        await called.listening()
        await caller.dial(f"sip:101@127.0.0.1:{called.port}")
        await called.saw("180 Ringing")
        await caller.hang_up()
        await called.finished()
        assert "BYE" in sent(called)
