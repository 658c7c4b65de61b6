"""A recording that grows while it is listened to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from cdr.records import SegmentClosed, SegmentOpened, TokenRevoked
from tests.unit.web.house import AT, AUDIO, SECOND, House, call_opened, relative_path
from web import live
from web.context import Web
from web.settings import WebSettings

URL = "/api/v1/recordings/recording-1-1/live"
PATIENCE_S = 20.0
QUICK = {"live_poll_s": 0.005, "live_recheck_s": 0.02}


class Growing:
    """A call in which 101 and 102 talk, with a recording that the test writes."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.path = house.file(relative_path() + ".part")

    async def begin(self) -> None:
        house = self.house
        await house.call("1", call_opened())
        house.journal.put(
            SegmentOpened(
                id="recording-1-1",
                call_id="call-1",
                number=1,
                relative_path=relative_path(),
                started_at=AT,
            )
        )
        assert await house.journal.drain(5)
        self.path.parent.mkdir(parents=True)
        self.append(AUDIO[:1000])

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def publish(self) -> None:
        self.path.rename(self.path.with_suffix(""))

    async def close_row(self) -> None:
        self.house.journal.put(
            SegmentClosed(
                id="recording-1-1",
                state="finished",
                ended_at=AT + 60 * SECOND,
                duration_s=59.7,
                octets=len(AUDIO),
                sha256="ab" * 32,
                relative_path=relative_path(),
            )
        )
        assert await self.house.journal.drain(5)


@pytest.fixture
async def growing(house: House) -> Growing:
    made = Growing(house)
    await made.begin()
    return made


class Listener:
    """Speaks ASGI itself, because it wants each piece as it comes."""

    def __init__(self, house: House, headers: dict[str, str], **settings: object) -> None:
        self.app = house.app(**(QUICK | settings))
        self.status = 0
        self.headers: dict[str, str] = {}
        self.heard = b""
        self.ended = False
        self.takes = asyncio.Event()
        self.takes.set()
        self._gone = asyncio.Event()
        self._changed = asyncio.Event()
        self._asked = False
        self._raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def run(self) -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": URL,
            "raw_path": URL.encode(),
            "query_string": b"",
            "headers": [(b"host", b"house"), *self._raw],
            "client": ("192.0.2.7", 40000),
            "server": ("house", 80),
        }
        await self.app(scope, self._receive, self._send)  # type: ignore[arg-type] # ASGI's dicts

    def leave(self) -> None:
        self._gone.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _receive(self) -> dict[str, object]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, object]) -> None:
        await self.takes.wait()
        if message["type"] == "http.response.start":
            self.status = int(str(message["status"]))
            raw = message["headers"]
            assert isinstance(raw, list)
            self.headers = {name.decode(): value.decode() for name, value in raw}
        else:
            self.heard += bytes(message["body"])  # type: ignore[call-overload] # bytes, by ASGI
            self.ended = not message.get("more_body", False)
        self._changed.set()


@contextlib.asynccontextmanager
async def listening(
    growing: Growing, headers: dict[str, str] | None = None, **settings: object
) -> AsyncIterator[Listener]:
    """Listen as a program, until the stream or the block ends."""
    listener = Listener(growing.house, headers or await growing.house.token(), **settings)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        task = group.create_task(listener.run())
        yield listener
        await task


async def test_what_comes_in_goes_out_and_the_rename_ends_it(growing: Growing) -> None:
    async with listening(growing) as listener:
        await listener.until(lambda: len(listener.heard) == 1000)
        growing.append(AUDIO[1000:5000])
        await listener.until(lambda: len(listener.heard) == 5000)
        growing.append(AUDIO[5000:])
        growing.publish()
    assert listener.heard == AUDIO
    assert listener.ended
    assert listener.status == 200
    assert listener.headers["content-type"] == "audio/mpeg"
    assert listener.headers["cache-control"] == "no-store"
    assert "content-length" not in listener.headers
    assert listener.headers["octets-so-far"] == "1000"


async def test_a_closed_row_ends_it_where_the_file_keeps_its_name(growing: Growing) -> None:
    async with listening(growing) as listener:
        await listener.until(lambda: len(listener.heard) == 1000)
        growing.append(b"the last words")
        await growing.close_row()
    assert listener.heard == AUDIO[:1000] + b"the last words"
    assert listener.ended


async def test_a_file_that_was_removed_ends_it(growing: Growing) -> None:
    async with listening(growing) as listener:
        await listener.until(lambda: len(listener.heard) == 1000)
        growing.path.unlink()
    assert listener.ended


async def test_a_listener_that_leaves_gives_its_place_back(growing: Growing) -> None:
    async with listening(growing, max_live=1) as listener:
        await listener.until(lambda: bool(listener.heard))
        listeners = listener.app.state.web.live
        assert listeners.count == 1
        listener.leave()
    assert listeners.count == 0


async def test_a_slow_listener_holds_up_nothing_and_is_dropped(growing: Growing) -> None:
    async with listening(growing, send_timeout_s=0.05) as listener:
        await listener.until(lambda: bool(listener.heard))
        listener.takes.clear()
        growing.append(AUDIO[1000:])
    assert not listener.ended
    assert listener.app.state.web.live.count == 0


async def test_a_revoked_token_ends_it(growing: Growing) -> None:
    async with listening(growing) as listener:
        await listener.until(lambda: bool(listener.heard))
        await growing.house.journal.execute(TokenRevoked(actor="cli:root", at=AT, name="reports"))
    assert listener.heard == AUDIO[:1000]


async def test_too_many_listeners_are_refused(growing: Growing) -> None:
    house = growing.house
    header = await house.token()
    app = house.app(max_live=0)
    async with house.browser(app) as browser:
        answer = await browser.get(URL, headers=header)
    assert answer.status_code == 503


async def test_a_recording_that_has_just_begun_is_waited_for(
    growing: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing.path.unlink()
    real = live._open_file
    tries = iter((lambda: None, lambda: None, lambda: growing.append(AUDIO)))

    def open_file(web: Web, relative_path: str) -> int:
        next(tries, lambda: None)()
        return real(web, relative_path)

    monkeypatch.setattr(live, "_open_file", open_file)
    async with listening(growing) as listener:
        await listener.until(lambda: listener.heard == AUDIO)
        growing.publish()
    assert listener.status == 200


async def test_a_recording_that_gets_no_file_is_503(growing: Growing) -> None:
    growing.path.unlink()
    app = growing.house.app(**QUICK, live_patience_s=0.01)
    async with growing.house.logged_in(app=app) as browser:
        assert (await browser.get(URL)).status_code == 503


async def test_afterwards_it_leads_to_the_audio(growing: Growing) -> None:
    growing.publish()
    await growing.close_row()
    async with growing.house.logged_in() as browser:
        answer = await browser.get(URL)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/api/v1/recordings/recording-1-1/audio",
        )


async def test_who_may_not_hear_the_call_gets_what_all_strangers_get(growing: Growing) -> None:
    house = growing.house
    async with house.logged_in("eve", "listener", ("103",)) as browser:
        assert (await browser.get(URL)).status_code == 404
        assert URL not in (await browser.get("/calls")).text
    async with house.browser() as stranger:
        assert (await stranger.get(URL)).status_code == 401
        metrics = await house.token("metrics", "scraper")
        assert (await stranger.get(URL, headers=metrics)).status_code == 403
    assert "recording.live" not in {row[1] for row in await house.audited()}


async def test_each_listening_is_audited(growing: Growing) -> None:
    async with listening(growing) as listener:
        await listener.until(lambda: bool(listener.heard))
        assert ("token:reports", "recording.live", "recording-1-1") in (
            await growing.house.audited()
        )
        growing.publish()


async def test_without_an_audit_row_nothing_is_heard(growing: Growing) -> None:
    async with growing.house.logged_in() as browser:
        growing.house.changes.silent = True
        assert (await browser.get(URL)).status_code == 503


async def test_a_link_in_the_place_of_the_file_is_not_followed(
    growing: Growing, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"not for you")
    growing.path.unlink()
    growing.path.symlink_to(secret)
    async with growing.house.logged_in() as browser:
        assert (await browser.get(URL)).status_code == 503


async def test_the_call_names_where_it_is_heard(growing: Growing) -> None:
    house = growing.house
    header = await house.token()
    async with house.browser() as api:
        answer: httpx.Response = await api.get("/api/v1/calls/call-1", headers=header)
    assert answer.json()["live"] == [URL]


def test_a_file_is_looked_at_twice_a_second_at_most() -> None:
    assert WebSettings().live_poll_s >= 0.5
