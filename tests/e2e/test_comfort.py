"""Forwarded calls, groups and music on hold with real telephones, judged by what is heard."""

import time
from pathlib import Path

import pytest

from ivr.hold_music import SHIPPED
from ivr.prompts import PromptId
from tests.e2e.calls import call, end
from tests.e2e.voices import assert_speaks, assert_talk, assert_unheard, first, voice
from tests.support import audio, ports
from tests.support.phones.baresip import baresip
from tests.support.phones.linphone import linphone
from tests.support.phones.phone import talk
from tests.support.phones.wire import extension_phone, wire_phone
from tests.support.prompts import HZ
from tests.support.server import Server, server
from tests.support.trunk import DID, OUTGOING, dialled, outside_baresip, trunk_settings

ALICE, BOB, CARL, MUSIC = 500.0, 800.0, 2300.0, 1500.0
"Hz, of everybody's voice and of the operator's own music."

HIGH = 3000.0
"Hz, of a voice that no music is mistaken for."

NUMBER = "4989555"

SPELLINGS: tuple[tuple[dict[str, str], str], ...] = (
    ({"direction": "sendonly"}, "recvonly"),
    ({"direction": "inactive"}, "inactive"),
    ({"address": "0.0.0.0"}, "recvonly"),  # noqa: S104 - nobody binds to it
)
"How telephones hold, and what they are answered."

GROUP = """
[[group]]
number = "600"
members = ["101", "102", "103"]
"""

KEEPING = "[recording]\nhold_music = true\n"

AUTOMATIC = tuple((number, "automatic", True) for number in ("101", "102", "103"))


async def forward(under_test: Server, number: str, *words: str) -> None:
    assert "changed" in await under_test.cli("ext", "forward", number, *words)


@pytest.mark.peer("baresip", "linphonec", "ffmpeg")
async def test_a_did_rings_a_group_and_the_recording_is_of_whoever_answers(tmp_path: Path) -> None:
    """All of them record, so the caller is asked first; 101 has no telephone."""
    port = ports.take(2)
    settings = trunk_settings(port, dids={DID: "600"}) + GROUP
    async with (
        server(settings, AUTOMATIC, short=True) as under_test,
        baresip(under_test.setup("102", voice(BOB))) as bob,
        linphone(under_test.setup("103", voice(CARL))) as carl,
        outside_baresip(tmp_path, voice(ALICE), port=port) as outside,
    ):
        await outside.dial(dialled(under_test.sip))
        await outside.hears()
        await talk(0.6)
        await outside.digit("1")
        await bob.ringing()
        await carl.ringing()
        await talk(0.6)
        await carl.answer()
        await carl.established()
        await bob.closed()
        await talk(2.5)
        await end(outside, carl)
        row = await under_test.the_call()
        assert (row["dst"], row["outcome"]) == ("600", "recorded"), row
        pcm = audio.decode(under_test.recording(row))
        assert_talk(pcm, ALICE, CARL, since=0.4)
        assert_unheard(pcm, BOB)
        assert_unheard(carl.heard(), HZ[PromptId.CONSENT])
        heard = outside.heard()
        assert first(heard, HZ[PromptId.CONSENT]) < first(heard, audio.NETWORK_HZ)
        assert first(heard, audio.NETWORK_HZ) < first(heard, CARL)


@pytest.mark.peer("baresip", "linphonec", "ffmpeg")
async def test_a_call_that_rings_elsewhere_is_fetched(tmp_path: Path) -> None:
    """The caller was asked before 101 rang; 102 fetches the call, and is in the file."""
    port = ports.take(2)
    async with (
        server(trunk_settings(port), AUTOMATIC, short=True) as under_test,
        baresip(under_test.setup("101", voice(BOB))) as bob,
        linphone(under_test.setup("102", voice(CARL))) as carl,
        outside_baresip(tmp_path, voice(ALICE), port=port) as outside,
    ):
        await outside.dial(dialled(under_test.sip))
        await outside.hears()
        await talk(0.6)
        await outside.digit("1")
        await bob.ringing()
        await talk(0.6)
        await carl.dial("*8101")
        await carl.established()
        await bob.closed()
        await talk(2.5)
        await end(outside, carl)
        row = await under_test.the_call()
        assert (row["dst"], row["outcome"]) == ("101", "recorded"), row
        pcm = audio.decode(under_test.recording(row))
        assert_talk(pcm, ALICE, CARL, since=0.4)
        assert_unheard(pcm, BOB)
        heard = outside.heard()
        assert first(heard, audio.NETWORK_HZ) < first(heard, CARL)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_declined_call_goes_outside_and_the_policy_with_it(tmp_path: Path) -> None:
    """102 records only what goes outside: this call, since 103 sends it there."""
    port = ports.take(2)
    settings = trunk_settings(port, routes=(OUTGOING,), dids={DID: "103"})
    async with (
        server(settings, (("103", "never", False),), short=True) as under_test,
        outside_baresip(tmp_path, voice(CARL), port=port, number=NUMBER) as outside,
    ):
        recording = await under_test.add_extension("102", mode="automatic", opt_in=True)
        await under_test.cli("ext", "set", "102", "--directions", "outgoing")
        await forward(under_test, "103", "--busy", f"0{NUMBER}")
        async with (
            baresip(under_test.setup(recording, voice(ALICE))) as alice,
            baresip(under_test.setup("103", voice(BOB))) as bob,
        ):
            await alice.dial("103")
            await bob.ringing()
            await bob.hang_up()
            await outside.ringing()
            await outside.answer()
            await alice.established()
            await outside.hears()
            await talk(1.2)
            await outside.digit("1")
            await talk(3.0)
            await end(alice, outside)
        row = await under_test.the_call()
        assert (row["dst"], row["outcome"]) == ("103", "recorded"), row
        pcm = audio.decode(under_test.recording(row))
        assert_talk(pcm, ALICE, CARL, since=0.4)
        assert_unheard(pcm, BOB)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_call_to_nobody_is_forwarded_and_a_circle_has_an_end() -> None:
    extensions = (("101", "off", False), ("102", "off", False), ("103", "off", False))
    async with (
        server(extensions=extensions) as under_test,
        baresip(under_test.setup("101", voice(ALICE))) as alice,
        baresip(under_test.setup("102", voice(BOB))) as bob,
    ):
        await forward(under_test, "103", "--offline", "102")
        await call(alice, bob, number="103")
        await alice.hears()
        await talk(1.0)
        await end(alice, bob)
        await forward(under_test, "103", "--always", "102")
        await forward(under_test, "102", "--always", "103")
        before = len(alice.events)
        await alice.dial("103")
        closed = await alice.wait_event("CALL_CLOSED", after=before)
        assert closed["param"].startswith("482")
        circle, answered = await under_test.calls_closed(2)
        assert (circle["disposition"], circle["outcome_reason"]) == (
            "FAILED",
            "forwarded_in_circle",
        )
        assert answered["disposition"] == "ANSWERED"
        assert_speaks(bob.heard(), ALICE, 0.3, 0.8)


@pytest.mark.peer("baresip", "linphonec", "ffmpeg")
async def test_the_held_party_hears_the_shipped_music_and_the_recording_does_not() -> None:
    async with (
        server(extensions=AUTOMATIC) as under_test,
        baresip(under_test.setup("101", voice(HIGH))) as alice,
        linphone(under_test.setup("102", voice(BOB))) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        await talk(1.0)
        await alice.command("hold")
        await talk(3.0)
        await alice.command("resume")
        await talk(1.5)
        await end(alice, bob)
        row = await under_test.the_call()
        heard = bob.heard()
        beginning = audio.read_wav(SHIPPED)[: 2 * audio.RATE]
        begins = audio.find_sound(heard, beginning)
        assert begins is not None, "there is no music"
        before, after = audio.tone_intervals(heard, HIGH, shortest=0.5)
        assert before[1] - 0.1 <= begins <= before[1] + 0.6
        assert 2.5 <= after[0] - begins <= 4.0
        assert after[0] - before[1] <= 3.8, "it goes on with the music's end"
        pcm = audio.decode(under_test.recording(row))
        assert audio.find_sound(pcm, beginning) is None
        (_, held), (resumed, _) = audio.tone_intervals(pcm, BOB, shortest=0.5)
        assert resumed - held >= 2.5
        assert audio.rms_level(pcm, held + 0.3, resumed - 0.3) < -60.0


@pytest.mark.peer("baresip", "linphonec", "ffmpeg", "libopus")
async def test_music_is_heard_in_a_call_in_opus_and_kept_where_wanted(tmp_path: Path) -> None:
    music = audio.write_wav(tmp_path / "own.wav", audio.tone(MUSIC, 10.0, level=-15.0))
    async with (
        server(f'[music]\nfile = "{music}"\n{KEEPING}', AUTOMATIC) as under_test,
        baresip(under_test.setup("101", voice(ALICE)), codecs="opus") as alice,
        linphone(under_test.setup("102", voice(BOB))) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        assert alice.speaks("opus")
        await talk(1.0)
        await alice.command("hold")
        await talk(1.5)
        await alice.command("resume")
        await talk(1.2)
        await end(alice, bob)
        heard = bob.heard()
        ((begins, ends),) = audio.tone_intervals(heard, MUSIC, above=-25.0, shortest=0.3)
        assert 1.0 <= ends - begins <= 2.3
        assert_speaks(heard, MUSIC, begins, ends)
        before, after = audio.tone_intervals(heard, ALICE, above=-25.0, shortest=0.3)
        assert before[1] <= begins + 0.1
        assert ends - 0.1 <= after[0] <= ends + 0.5
        pcm = audio.decode(under_test.recording(await under_test.the_call()))
        ((kept_from, kept_to),) = audio.tone_intervals(pcm, MUSIC, above=-25.0, shortest=0.3)
        assert kept_to - kept_from == pytest.approx(ends - begins, abs=0.2)
        (_, held), _ = audio.tone_intervals(pcm, BOB, above=-25.0, shortest=0.3)
        assert kept_from == pytest.approx(held, abs=0.4)


@pytest.mark.peer("ffmpeg")
async def test_every_spelling_of_hold_is_music_unless_the_trunk_has_it_off(tmp_path: Path) -> None:
    """Packet by packet: what the held party is told, hears, and hears no more."""
    music = audio.write_wav(tmp_path / "own.wav", audio.tone(MUSIC, 10.0, level=-15.0))
    port, quiet_port = ports.take(2), ports.take(2)
    settings = (
        f'[music]\nfile = "{music}"\n'
        + trunk_settings(port, routes=(OUTGOING,))
        + trunk_settings(
            quiet_port, name="quiet", routes=({"pattern": "9Z.", "strip": 1},), hold_music=False
        )
    )
    async with (
        server(settings, (("101", "off", False),)) as under_test,
        extension_phone(under_test, "101", voice(ALICE)) as alice,
        wire_phone(NUMBER, under_test.sip, voice(BOB), port=port) as bob,
        wire_phone(NUMBER, under_test.sip, voice(CARL), port=quiet_port) as quiet,
    ):
        await call(alice, bob, number=f"0{NUMBER}")
        await bob.rtp.hears(ALICE)
        for words, answer in SPELLINGS:
            assert f"a={answer}" in await alice.renegotiate(**words)
            alice.rtp.say(audio.silence(20.0))
            await bob.rtp.hears(MUSIC)
            await alice.renegotiate()
            resumed = time.monotonic()
            alice.rtp.say(voice(ALICE))
            await bob.rtp.hears(ALICE, since=resumed)
            await talk(0.3)
            assert_unheard(bob.rtp.heard(since=resumed + 0.05), MUSIC)
        bob.rtp.assert_one_stream()
        await end(alice, bob)
        await call(alice, quiet, number=f"9{NUMBER}")
        await quiet.rtp.hears(ALICE)
        assert "a=inactive" in await alice.renegotiate("inactive")
        await talk(0.6)
        await end(alice, quiet)
        assert_unheard(quiet.heard(), MUSIC)
