"""Two extensions that want their calls recorded: what they say, and what is in the file."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from tests.support import audio
from tests.support.audio import Pcm
from tests.support.phones.baresip import Baresip, baresip
from tests.support.server import Server, server

BOTH_RECORDED = (("101", "automatic", True), ("102", "automatic", True))
CALLER_HZ = 440.0
CALLEE_HZ = 620.0
MAX_OCTETS_PER_MINUTE = 200_000

CALLER_SAYS = audio.tone(CALLER_HZ, 30.0)
CALLEE_SAYS = audio.tone(CALLEE_HZ, 30.0)


@contextlib.asynccontextmanager
async def two_baresips(
    settings: str = "", *, extensions: Sequence[tuple[str, str, bool]] = BOTH_RECORDED
) -> AsyncIterator[tuple[Server, Baresip, Baresip]]:
    """Run a server and the telephones of 101 and 102: the caller's and the callee's."""
    async with (
        server(settings, extensions=extensions) as under_test,
        baresip(under_test.setup("101", CALLER_SAYS)) as alice,
        baresip(under_test.setup("102", CALLEE_SAYS)) as bob,
    ):
        yield under_test, alice, bob


async def recorded(under_test: Server, talked_s: float) -> tuple[dict[str, Any], Pcm]:
    """Return the call's row and its decoded recording, after what holds for every recording."""
    row = await under_test.the_call()
    assert (row["src"], row["dst"], row["disposition"]) == ("101", "102", "ANSWERED")
    assert (row["outcome"], row["state"]) == ("recorded", "closed"), row
    assert row["why"]
    path = under_test.recording(row)
    assert under_test.files() == [path], "a file is open still, or one too many"
    pcm = audio.decode(path)
    length = audio.seconds(pcm)
    # A file ends with a whole frame: it is as long as its call within 40 ms.
    assert talked_s - 0.04 <= length <= talked_s + 2.0
    assert abs(length - float(row["billsec"])) <= 1.5
    # A frame more than the audio: nobody's minute is longer than promised.
    assert path.stat().st_size <= MAX_OCTETS_PER_MINUTE / 60 * (length + 0.2)
    return row, pcm


def assert_both_speak(
    pcm: Pcm, *, caller: float = CALLER_HZ, callee: float = CALLEE_HZ, level: float = -12.0
) -> None:
    """Assert that both tones sound together, and of the right loudness, but for the edges."""
    assert_speaks(pcm, caller, level=level)
    assert_speaks(pcm, callee, level=level)
    assert_together(pcm, caller, callee)


def assert_speaks(pcm: Pcm, hz: float, *, level: float = -12.0) -> None:
    (interval,) = audio.tone_intervals(pcm, hz)
    start, stop = interval
    assert start < 1.0, f"{hz} Hz comes late, at {start:.2f} s"
    assert stop > audio.seconds(pcm) - 0.6, f"{hz} Hz ends early, at {stop:.2f} s"
    audio.assert_tone(pcm, hz, start + 0.05, stop - 0.05, level=level)


def assert_together(pcm: Pcm, one: float, other: float) -> None:
    starts = [audio.tone_intervals(pcm, hz)[0][0] for hz in (one, other)]
    assert abs(starts[0] - starts[1]) < 0.6
