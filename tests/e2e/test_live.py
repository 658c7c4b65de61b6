"""A recording is heard while two telephones talk, and the stream ends with it."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.calls import call, end
from tests.e2e.recorded import BOTH_RECORDED
from tests.support import audio
from tests.support.pages import audited, logged_in, stranger, token
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.server import WITH_PAGES, Server, server

CALLER_HZ = 440.0
CALLEE_HZ = 620.0
TALK_S = 4.0
ENDS_WITHIN_S = 5.0
"From the hang-up: half a second for the look at the file, the rest for a busy machine."


class Stream:
    """What comes from an address, with the time of its end."""

    def __init__(self) -> None:
        self.headers = httpx.Headers()
        self.heard = b""
        self.began = asyncio.Event()
        "Set when the first audio has come."
        self.ended_at = 0.0

    async def read(self, api: httpx.AsyncClient, url: str, headers: dict[str, str]) -> None:
        async with api.stream("GET", url, headers=headers) as answer:
            assert answer.status_code == 200
            self.headers = answer.headers
            async for piece in answer.aiter_raw():
                self.heard += piece
                self.began.set()
        self.ended_at = time.monotonic()


async def running(api: httpx.AsyncClient, headers: dict[str, str]) -> str:
    """Wait until the call's recording runs, and return where it is heard."""
    async with asyncio.timeout(20.0):
        while True:
            (item,) = (await api.get("/api/v1/calls", headers=headers)).json()["calls"]
            for url in item["live"]:
                # It has a file about a second after its begin.
                async with api.stream("GET", url, headers=headers) as answer:
                    if answer.status_code == 200:
                        return str(url)
            await asyncio.sleep(0.1)


async def assert_on_the_page(under_test: Server, url: str) -> None:
    async with logged_in(under_test, "ada") as ada:
        page = (await ada.get("/calls")).text
        assert f'class="play" href="{url}"' in page
        assert '<span class="badge">live</span>' in page
    async with logged_in(under_test, "other", "listener", ("103",)) as other:
        assert (await other.get(url)).status_code == 404


@pytest.mark.alone
@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_call_is_heard_while_it_runs(tmp_path: Path) -> None:
    async with server(WITH_PAGES, extensions=BOTH_RECORDED) as under_test:
        program = await token(under_test, "reports", "calls,audio")
        stream = Stream()
        async with (
            stranger(under_test) as api,
            baresip(under_test.setup("101", audio.tone(CALLER_HZ, 30.0))) as alice,
            baresip(under_test.setup("102", audio.tone(CALLEE_HZ, 30.0))) as bob,
        ):
            await call(alice, bob)
            url = await running(api, program)
            async with asyncio.TaskGroup() as group:
                group.create_task(stream.read(api, url, program))
                async with asyncio.timeout(20.0):
                    await stream.began.wait()
                await assert_on_the_page(under_test, url)
                await talk(TALK_S)
                assert not stream.ended_at
                heard_before = len(stream.heard)
                await end(alice, bob)
                hung_up_at = time.monotonic()
            assert 0 < stream.ended_at - hung_up_at < ENDS_WITHIN_S
            assert heard_before > 3000 * (TALK_S - 2), "it came while they talked"
            assert stream.headers["content-type"] == "audio/mpeg"
            assert stream.headers["transfer-encoding"] == "chunked"
            file = under_test.recording(await under_test.the_call())
            assert stream.heard == file.read_bytes()
            again = await api.get(url, headers=program)
            assert (again.status_code, again.headers["location"]) == (
                303,
                url.replace("/live", "/audio"),
            )
        copy = tmp_path / "live.mp3"
        copy.write_bytes(stream.heard)
        pcm = audio.decode(copy)
        for hz in (CALLER_HZ, CALLEE_HZ):
            (interval,) = audio.tone_intervals(pcm, hz)
            assert interval[1] - interval[0] > TALK_S
        listened = {row for row in await audited(under_test) if row[1] == "recording.live"}
        assert [(row[0]) for row in listened] == ["token:reports"]
        await under_test.stop()
