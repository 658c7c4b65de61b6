"""The pages and the API of a running server, with a call that was really made."""

import asyncio
import hashlib
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.calls import call, end
from tests.e2e.recorded import BOTH_RECORDED, CALLEE_SAYS, CALLER_HZ, CALLER_SAYS
from tests.support import audio
from tests.support.pages import Pages, audited, logged_in, stranger, token
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.process import Child
from tests.support.server import PROGRAM, ROOT, WITH_PAGES, Server, server

ANY_LENGTH = "[recording]\nmin_duration_s = 0\n"

API_FIELDS = {
    *("id", "calldate", "src", "dst", "did", "direction", "duration", "billsec"),
    *("disposition", "outcome", "outcome_reason", "linkedid", "recordings", "live"),
}
RECORDING_FIELDS = {"id", "url", "started_at", "duration_s", "bytes", "sha256", "channels"}


async def make_call(under_test: Server) -> Path:
    """Make a short call and return its recording."""
    async with (
        baresip(under_test.setup("101", CALLER_SAYS)) as alice,
        baresip(under_test.setup("102", CALLEE_SAYS)) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        await talk(2.5)
        await end(alice, bob)
    return under_test.recording(await under_test.the_call())


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_recorded_call_is_heard_by_those_who_may() -> None:
    async with server(WITH_PAGES, extensions=BOTH_RECORDED) as under_test:
        file = await make_call(under_test)
        program = await token(under_test, "reports", "calls,audio")
        async with stranger(under_test) as api:
            (item,) = (await api.get("/api/v1/calls?limit=5", headers=program)).json()["calls"]
            assert set(item) == API_FIELDS
            (recording,) = item["recordings"]
            assert set(recording) == RECORDING_FIELDS
            assert (await api.get(f"/api/v1/calls/{item['id']}", headers=program)).json() == item
            assert_told(item, recording, file)
            await assert_in_ranges(api, recording["url"], file, program)
            assert (await api.get(recording["url"])).status_code == 401
            assert (await api.get("/metrics", headers=program)).status_code == 403
        async with logged_in(under_test, "ada") as ada:
            page = (await ada.get("/calls")).text
            assert f'class="play" href="{recording["url"]}"' in page
            assert (await ada.get(recording["url"])).content == file.read_bytes()
            saved = await ada.get(f"{recording['url']}?download=true")
            assert saved.headers["content-disposition"].startswith("attachment; ")
            await assert_proven(ada, recording["id"])
        await assert_seen_by_its_own_listener_only(under_test, recording["url"])
        made = await audited(under_test)
        assert ("web:ada", "session.open", "ada") in made
        assert ("web:ada", "recording.play", recording["id"]) in made
        assert ("web:ada", "recording.download", recording["id"]) in made
        assert ("token:reports", "recording.play", recording["id"]) in made


def assert_told(item: dict[str, Any], recording: dict[str, Any], file: Path) -> None:
    assert (item["src"], item["dst"], item["direction"]) == ("101", "102", "internal")
    assert (item["disposition"], item["outcome"]) == ("ANSWERED", "recorded")
    assert recording["bytes"] == file.stat().st_size
    assert recording["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert recording["duration_s"] == pytest.approx(audio.seconds(audio.decode(file)), abs=0.2)


async def assert_proven(ada: Pages, recording_id: str) -> None:
    """From the recording to what it rests on, who has heard it, and that all of it is whole."""
    sheet = f"/audit/recordings/{recording_id}"
    assert f'href="{sheet}"' in (await ada.get("/calls")).text
    told = (await ada.get(sheet)).text
    assert "Somebody had agreed before this recording began." in told
    assert told.count("stored agreement") == 2
    assert "downloaded a recording" in told
    checked = await ada.submit("/audit/check")
    assert "All is whole and unaltered." in checked.text


async def assert_in_ranges(
    api: httpx.AsyncClient, url: str, file: Path, headers: dict[str, str]
) -> None:
    whole, size = file.read_bytes(), file.stat().st_size
    assert (await api.get(url, headers=headers)).content == whole
    part = await api.get(url, headers={**headers, "Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{size}"
    assert part.headers["content-type"] == "audio/mpeg"
    beyond = await api.get(url, headers={**headers, "Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")


async def assert_seen_by_its_own_listener_only(under_test: Server, url: str) -> None:
    async with logged_in(under_test, "own", "listener", ("102",)) as own:
        assert (await own.get(url)).status_code == 200
        assert url in (await own.get("/calls")).text
    async with logged_in(under_test, "other", "listener", ("103",)) as other:
        assert (await other.get(url)).status_code == 404
        page = (await other.get("/calls")).text
        assert url not in page
        assert "102" not in page


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_file_that_vanished_has_no_icon_and_the_row_says_so() -> None:
    async with server(WITH_PAGES, extensions=BOTH_RECORDED) as under_test:
        file = await make_call(under_test)
        async with logged_in(under_test, "ada") as ada:
            (item,) = (await ada.get("/api/v1/calls")).json()["calls"]
            url = item["recordings"][0]["url"]
            file.unlink()
            page = (await ada.get("/calls")).text
            assert 'class="play"' not in page
            assert "The file is no longer there." in page
            assert (await ada.get(url)).status_code == 410
            (item,) = (await ada.get("/api/v1/calls")).json()["calls"]
            assert item["recordings"][0]["url"] is None


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_web_process_that_is_killed_comes_back_while_a_call_goes_on() -> None:
    async with (
        server(WITH_PAGES + ANY_LENGTH, extensions=BOTH_RECORDED) as under_test,
        logged_in(under_test, "ada") as ada,
        baresip(under_test.setup("101", CALLER_SAYS)) as alice,
        baresip(under_test.setup("102", CALLEE_SAYS)) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        dead = (await under_test.status())["pids"]["web"][0]
        os.kill(dead, signal.SIGKILL)
        page = await again(ada, "/calls")
        # The session is in the database: nobody has to log in anew.
        assert "Calls now: 1" in page.text
        assert (await under_test.status())["pids"]["web"][0] not in (dead, None)
        assert (await under_test.status())["counters"]["web_restarts"] == 1
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded"
        pcm = audio.decode(under_test.recording(row))
        assert len(audio.tone_intervals(pcm, CALLER_HZ)) == 1, "the call had a gap"
        await under_test.stop()


async def again(pages: Pages, path: str) -> httpx.Response:
    """Ask until a process answers that was not killed meanwhile; the socket keeps us waiting."""
    async with asyncio.timeout(20.0):
        while True:
            try:
                return await pages.get(path)
            except httpx.TransportError:
                # The dead one had accepted this connection.
                continue


async def test_what_is_set_in_the_page_holds_at_once_and_names_its_author() -> None:
    async with (
        server(WITH_PAGES, extensions=(("101", "off", False),)) as under_test,
        logged_in(under_test, "ada") as ada,
    ):
        assert (await ada.submit("/extensions/101/opt-in")).status_code == 303
        assert (await ada.submit("/extensions/101/mode", mode="automatic")).status_code == 303
        finer = {"manual_consent": "attested", "direction_internal": "on", "user_may_stop": "on"}
        assert (await ada.submit("/extensions/101/settings", **finer)).status_code == 303
        (row,) = await under_test.rows("ext", "list")
        assert (row["mode"], row["opt_in_by"]) == ("automatic", "web:ada")
        assert (row["manual_consent"], row["directions"], row["user_may_stop"]) == (
            "attested",
            "internal",
            True,
        )
        assert ("web:ada", "extension.change", "101") in await audited(under_test)
        answer = await ada.post("/extensions/101/mode", data={"csrf_token": "x", "mode": "off"})
        assert answer.status_code == 403
        assert (await ada.submit("/logout")).status_code == 303
        assert (await ada.get("/calls")).status_code == 303


async def test_metrics_count_what_happens() -> None:
    async with server(WITH_PAGES, extensions=(("101", "off", False),)) as under_test:
        scraper = await token(under_test, "prometheus", "metrics")
        async with stranger(under_test) as machine:
            assert (await machine.get("/healthz")).text == "ok\n"
            assert (await machine.get("/readyz")).text == "ready\n"
            text = (await machine.get("/metrics", headers=scraper)).text
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        assert float(lines["mitschnitt_calls"]) == 0
        assert float(lines["mitschnitt_accepting"]) == 1
        assert float(lines["mitschnitt_journal_healthy"]) == 1
        assert float(lines["mitschnitt_web_restarts_total"]) == 0
        assert float(lines["mitschnitt_media_cpu_seconds_total"]) > 0
        assert float(lines["mitschnitt_recorder_lag_seconds"]) >= 0
        assert "mitschnitt_sip_received_total" in lines
        assert "mitschnitt_info" in text


async def test_a_server_whose_database_is_locked_is_not_ready_and_says_why() -> None:
    async with server(WITH_PAGES) as under_test, logged_in(under_test, "ada") as ada:
        token_of_form = await ada.csrf_token()
        other = sqlite3.connect(under_test.data / "mitschnitt.db", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            # The change can't be committed; the page gives up, the server goes on trying.
            answer = await ada.post("/storage/test", data={"csrf_token": token_of_form})
            assert answer.status_code == 503
            answer = await ada.get("/readyz")
            assert answer.status_code == 503
            assert answer.text.startswith("not ready: the journal can't be written")
            other.execute("ROLLBACK")
            async with asyncio.timeout(20.0):
                while (await ada.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - polled by nature
                    await asyncio.sleep(0.1)
        finally:
            other.close()


@pytest.mark.parametrize(
    ("listen", "reason"),
    [("{taken}", "Address already in use"), ("192.0.2.1:8080", "Cannot assign requested address")],
)
async def test_an_address_that_can_not_be_had_ends_the_start(
    listen: str, reason: str, tmp_path: Path
) -> None:
    async with server(WITH_PAGES) as under_test:
        taken = (await under_test.status())["web"].removeprefix("http://")
        address = listen.format(taken=taken)
        config = tmp_path / "mitschnitt.toml"
        config.write_text(f'[sip]\nlisten = "127.0.0.1:0"\n[web]\nlisten = "{address}"\n')
        argv = [*PROGRAM, "serve", "--config", str(config), "--data", str(tmp_path / "data")]
        async with Child("second", argv, cwd=ROOT) as second:
            assert await second.wait() == 1
            assert f"[web] can't listen on {address}: {reason}" in second.report()
            assert "Traceback" not in second.report()


async def test_without_pages_there_is_no_web_process() -> None:
    async with server() as under_test:
        status = await under_test.status()
        assert status["web"] == ""
        assert "web" not in status["pids"]
        assert "web_restarts" not in status["counters"]
