"""Who may record whom: no wish and no key goes over a `never`, and a lock is no matter of keys."""

import pytest

from ivr.prompts import PromptId
from tests.e2e.calls import call, end
from tests.e2e.voices import assert_speaks, assert_unheard, shipped, voice
from tests.support import audio
from tests.support.audio import Pcm
from tests.support.phones.phone import talk
from tests.support.phones.wire import WirePhone, extension_phone
from tests.support.prompts import HZ
from tests.support.server import server

OURS, THEIRS = 2300.0, 2600.0
"Hz, of caller and callee."


def beeps(pcm: Pcm) -> list[int]:
    """Return how often the recorder beeped each time: 1 for on, 2 for off."""
    return [count for _, count in audio.find_beeps(pcm)]


@pytest.mark.peer("ffmpeg")
async def test_never_wins_and_every_refusal_is_spoken() -> None:
    extensions = (
        ("101", "off", True),
        ("102", "manual", True),
        ("103", "never", True),
        ("104", "automatic", True),
    )
    async with (
        server(extensions=extensions, short=True) as under_test,
        extension_phone(under_test, "101", voice(OURS)) as off,
        extension_phone(under_test, "102", voice(OURS)) as manual,
        extension_phone(under_test, "103", voice(OURS)) as never,
        extension_phone(under_test, "104", voice(OURS)) as automatic,
    ):
        for caller, callee, by in (
            (off, manual, off),
            (manual, never, manual),
            (never, manual, never),
            (automatic, never, automatic),
        ):
            await _refused(caller, callee, by=by)
            by.rtp.assert_one_stream()
        rows = await under_test.calls_closed(4)
        outcomes = {(row["src"], row["dst"]): row["outcome"] for row in rows}
        assert outcomes == {
            ("101", "102"): "not_wanted",
            ("102", "103"): "blocked",
            ("103", "102"): "blocked",
            ("104", "103"): "blocked",
        }
        assert under_test.files() == []


@pytest.mark.peer("ffmpeg")
async def test_a_dialled_code_is_refused_in_words() -> None:
    extensions = (("101", "off", True), ("102", "off", True))
    async with (
        server(extensions=extensions) as under_test,
        extension_phone(under_test, "101", voice(OURS)) as alice,
        extension_phone(under_test, "101", voice(OURS)) as second,
        extension_phone(under_test, "102", voice(THEIRS)) as bob,
    ):
        await call(alice, bob)
        await alice.rtp.hears(THEIRS)
        await second.dial("*1")
        await second.established()
        await second.closed()
        assert audio.find_sound(second.heard(), shipped(PromptId.NOT_ALLOWED)) is not None
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "not_wanted", row
        assert under_test.files() == []


async def _refused(caller: WirePhone, callee: WirePhone, *, by: WirePhone) -> None:
    """Have a party press its key in a call, and assert that it, and nobody else, is told no."""
    await call(caller, callee, number=callee.number)
    await caller.rtp.hears(OURS)
    await by.rtp.press("*1")
    await by.rtp.hears(HZ[PromptId.NOT_ALLOWED])
    await end(caller, callee)
    other = caller if by is callee else callee
    assert_unheard(other.heard(), HZ[PromptId.NOT_ALLOWED])
    assert beeps(by.heard()) == beeps(other.heard()) == []


@pytest.mark.peer("ffmpeg")
async def test_an_automatic_recording_is_stopped_by_key_only_where_the_user_may() -> None:
    settings = "[recording]\nmin_duration_s = 0.3\n"
    async with server(settings, (("102", "off", True),), short=True) as under_test:
        for number, may_stop in (("101", True), ("103", False)):
            await under_test.add_extension(
                number, mode="automatic", opt_in=True, user_may_stop=may_stop
            )
        async with (
            extension_phone(under_test, "101", voice(OURS)) as free,
            extension_phone(under_test, "102", voice(THEIRS)) as bob,
            extension_phone(under_test, "103", voice(OURS)) as locked,
        ):
            await call(free, bob)
            await free.rtp.hears(THEIRS)
            for _ in range(2):
                await talk(0.8)
                await free.rtp.press("*1")
            await talk(0.8)
            await end(free, bob)
            row = await under_test.the_call()
            assert row["outcome"] == "recorded", row
            first, second = (audio.decode(path) for path in under_test.files())
            for pcm in (first, second):
                assert_speaks(pcm, OURS, 0.1, 0.7)
                assert_speaks(pcm, THEIRS, 0.1, 0.7)
            assert audio.seconds(first) + audio.seconds(second) < float(row["billsec"]) + 0.7
            assert beeps(free.heard()) == beeps(bob.heard()) == [2, 1]

            await call(locked, bob)
            await locked.rtp.hears(THEIRS)
            await talk(0.4)
            await locked.rtp.press("*1")
            await locked.rtp.hears(HZ[PromptId.NOT_ALLOWED])
            await talk(1.0)
            await end(locked, bob)
            row, _ = await under_test.calls_closed(2)
            assert row["outcome"] == "recorded", row
            pcm = audio.decode(under_test.recording(row))
            assert audio.seconds(pcm) > 1.4  # from the beginning, and on after the refusal
            assert_speaks(pcm, OURS, 0.1, audio.seconds(pcm) - 0.2)
            assert_speaks(pcm, THEIRS, 0.1, audio.seconds(pcm) - 0.2)
            assert beeps(locked.heard()) == beeps(bob.heard()) == []
