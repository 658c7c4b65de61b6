import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.house import AUDIO, House, relative_path
from web.disk import Disk
from web.errors import UnavailableError
from web.ranges import ByteRange, UnsatisfiableRangeError, none_match, requested_range

URL = "/api/v1/recordings/recording-1-1/audio"
SIZE = len(AUDIO)


@pytest.fixture
async def recorded(house: House) -> House:
    await house.call()
    await house.recording()
    return house


@pytest.fixture(autouse=True)
def no_descriptor_stays_open() -> Iterator[None]:
    def open_recordings() -> list[str]:
        found = []
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.append(link.readlink().name)
        return [name for name in found if name.endswith(".mp3")]

    yield
    assert open_recordings() == []


async def test_the_whole_recording(recorded: House) -> None:
    async with recorded.logged_in() as browser:
        answer = await browser.get(URL)
    assert (answer.status_code, answer.content) == (200, AUDIO)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-disposition"].startswith("inline; ")


RANGES = [
    ("bytes=0-1", 0, 1),
    ("bytes=0-", 0, SIZE - 1),
    ("bytes=100000-100099", 100_000, 100_099),
    ("bytes=65535-131072", 65_535, 131_072),
    (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
    ("bytes=10-99999999999", 10, SIZE - 1),
    ("bytes=-5", SIZE - 5, SIZE - 1),
    ("bytes=-99999999999", 0, SIZE - 1),
    ("bytes = 3 - 4 ", 3, 4),
]


@pytest.mark.parametrize(("value", "first", "last"), RANGES)
async def test_a_range_is_answered_with_206(
    recorded: House, value: str, first: int, last: int
) -> None:
    async with recorded.logged_in() as browser:
        answer = await browser.get(URL, headers={"Range": value})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last - first + 1)
    assert answer.content == AUDIO[first : last + 1]


@pytest.mark.parametrize("value", [f"bytes={SIZE}-", "bytes=99999999999-", "bytes=-0"])
async def test_a_range_beyond_the_end_is_416_and_no_listening(recorded: House, value: str) -> None:
    async with recorded.logged_in() as browser:
        answer = await browser.get(URL, headers={"Range": value})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "recording.play" not in {row[1] for row in await recorded.audited()}


@pytest.mark.parametrize(
    "value",
    ["bytes=5-2", "bytes=0-1,4-5", "bytes=-", "bytes", "items=0-1", "bytes=a-b", "bytes=٣-"],
)
async def test_what_is_no_range_of_ours_is_ignored(recorded: House, value: str) -> None:
    async with recorded.logged_in() as browser:
        answer = await browser.get(URL, headers={"Range": value.encode()})  # type: ignore[arg-type] # raw bytes
    assert (answer.status_code, len(answer.content)) == (200, SIZE)


async def test_validators(recorded: House) -> None:
    async with recorded.logged_in() as browser:
        first = await browser.get(URL)
        etag, date = first.headers["etag"], first.headers["last-modified"]

        async def status(**headers: str) -> int:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return (await browser.get(URL, headers=named)).status_code

        assert await status(If_None_Match=etag) == 304
        assert await status(If_None_Match=f'"other", W/{etag}') == 304
        assert await status(If_None_Match="*") == 304
        assert await status(If_None_Match=etag, Range="bytes=0-1") == 304
        assert await status(If_None_Match='"other"') == 200
        assert await status(Range="bytes=0-1", If_Range=etag) == 206
        assert await status(Range="bytes=0-1", If_Range=date) == 206
        assert await status(Range="bytes=0-1", If_Range='"other"') == 200
        assert await status(Range="bytes=0-1", If_Range=f"W/{etag}") == 200
        assert await status(Range="bytes=999999-", If_Range='"other"') == 200
        unchanged = await browser.get(URL, headers={"If-None-Match": etag})
        assert unchanged.content == b""
        assert unchanged.headers["etag"] == etag


async def test_head_tells_the_same_without_audio_and_without_audit(recorded: House) -> None:
    async with recorded.logged_in() as browser:
        answer = await browser.head(URL)
        part = await browser.head(URL, headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(SIZE))
    assert answer.content == b""
    assert (part.status_code, part.headers["content-length"]) == (206, "10")
    assert "recording.play" not in {row[1] for row in await recorded.audited()}


async def test_each_listening_and_each_download_is_audited_once(recorded: House) -> None:
    async with recorded.logged_in() as browser:
        for value in ("bytes=0-", "bytes=1000-", "bytes=5000-"):
            await browser.get(URL, headers={"Range": value})
        await browser.get(URL, params={"download": "true"})
        recorded.clock.pass_s(901)
        await browser.get(URL, headers={"Range": "bytes=7-"})
    program = await recorded.token()
    async with recorded.browser(source="192.0.2.99") as client:
        await client.get(URL, headers=program)
    assert [row for row in await recorded.audited() if row[1].startswith("recording.")] == [
        ("web:ada", "recording.play", "recording-1-1"),
        ("web:ada", "recording.download", "recording-1-1"),
        ("web:ada", "recording.play", "recording-1-1"),
        ("token:reports", "recording.play", "recording-1-1"),
    ]
    newest = (await recorded.reader.audit(limit=1))[0]
    assert newest.detail == '{"call":"call-1","source":"192.0.2.99"}'
    assert (await recorded.reader.verify_audit()).intact


async def test_a_kept_copy_that_is_heard_again_is_audited_too(recorded: House) -> None:
    async with recorded.logged_in() as browser:
        etag = (await browser.head(URL)).headers["etag"]
        await browser.get(URL, headers={"If-None-Match": etag})
    assert (await recorded.audited())[-1][1] == "recording.play"


async def test_no_audit_row_no_audio(recorded: House) -> None:
    async with recorded.logged_in() as browser:
        recorded.changes.silent = True
        answer = await browser.get(URL)
    assert answer.status_code == 503
    assert AUDIO[:100] not in answer.content


async def test_the_downloads_name_is_the_files(recorded: House) -> None:
    async with recorded.logged_in() as browser:
        answer = await browser.get(URL, params={"download": "true"})
    name = "130000_101_102_1-1.mp3"
    assert answer.headers["content-disposition"] == (
        f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    )


async def test_another_users_recording_is_as_if_it_were_not_there(recorded: House) -> None:
    async with recorded.logged_in("eve", "listener", ("103",)) as browser:
        foreign = await browser.get(URL)
        absent = await browser.get("/api/v1/recordings/nothing/audio")
        assert foreign.status_code == absent.status_code == 404
        assert foreign.content == absent.content
        assert {*foreign.headers} == {*absent.headers}
        assert (await browser.head(URL)).status_code == 404
        call = await browser.get("/api/v1/calls/call-1")
        assert call.content == (await browser.get("/api/v1/calls/nothing")).content
    async with recorded.logged_in("bob", "listener", ("102",)) as browser:
        assert (await browser.get(URL)).status_code == 200


async def test_without_login_and_with_other_tokens_nothing_is_heard(recorded: House) -> None:
    calls_only = await recorded.token("calls", "calls-only")
    async with recorded.browser() as stranger:
        answer = await stranger.get(URL)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert (await stranger.get(URL, headers=calls_only)).status_code == 403
        for value in ("Bearer wrong", "Bearer ", "Basic YTpi", "Bearer"):
            assert (await stranger.get(URL, headers={"Authorization": value})).status_code == 401


@pytest.mark.parametrize(
    "recording_id",
    ["..%2f..%2fmitschnitt.db", "%2e%2e", "%00", "%2fetc%2fpasswd", "'%20OR%201=1--", "a" * 5000],
)
async def test_an_id_is_never_a_path(recorded: House, recording_id: str) -> None:
    async with recorded.logged_in() as browser:
        answer = await browser.get(f"/api/v1/recordings/{recording_id}/audio")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "path", ["../mitschnitt.db", "/etc/passwd", "2026/../../mitschnitt.db", "a\\..\\b", ""]
)
async def test_a_row_that_leads_out_of_the_folder_finds_nothing(house: House, path: str) -> None:
    await house.call()
    await house.recording(relative_path=path, file=False)
    async with house.logged_in() as browser:
        assert (await browser.get(URL)).status_code == 410
        assert URL not in (await browser.get("/calls")).text


async def test_no_link_is_followed_and_no_pipe_waited_for(recorded: House) -> None:
    file = recorded.file(relative_path())
    secret = recorded.folder.parent / "secret.txt"
    secret.write_text("secret")
    async with recorded.logged_in() as browser:
        file.unlink()
        file.symlink_to(secret)
        assert (await browser.get(URL)).status_code in {410, 503}
        assert URL not in (await browser.get("/calls")).text
        file.unlink()
        os.mkfifo(file)
        assert (await browser.get(URL)).status_code == 410
        file.unlink()
        file.touch()
        assert (await browser.get(URL)).status_code == 410, "empty"
        folder = file.parent
        file.unlink()
        folder.rmdir()
        outside = recorded.folder.parent / "outside"
        outside.mkdir()
        (outside / file.name).write_bytes(b"secret")
        folder.symlink_to(outside)
        answer = await browser.get(URL)
        assert answer.status_code in {410, 503}
        assert b"secret" not in answer.content


async def test_a_vanished_file_is_410_and_the_row_says_so(recorded: House) -> None:
    async with recorded.logged_in() as browser:
        recorded.file(relative_path()).unlink()
        assert (await browser.get(URL)).status_code == 410
        page = (await browser.get("/calls")).text
        assert URL not in page
        assert "The file is no longer there." in page
        answer = await browser.get("/api/v1/calls/call-1")
        assert answer.json()["recordings"][0]["url"] is None


class SlowDisk:
    """A share that hangs until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def open(self, relative_path: str) -> int:
        del relative_path
        self.let_go.wait(10)
        return os.open("/dev/null", os.O_RDONLY)

    def present(self, relative_paths: object) -> frozenset[str]:
        del relative_paths
        self.let_go.wait(10)
        return frozenset()


async def test_a_share_that_hangs_does_not_hang_the_pages(
    recorded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowDisk()
    for name in ("open", "present"):
        monkeypatch.setattr(recorded.ports.recordings, name, getattr(slow, name))
    async with recorded.logged_in(app=recorded.app(disk_timeout_s=0.02)) as browser:
        try:
            assert (await browser.get(URL)).status_code == 503
            page = await browser.get("/calls")
            assert page.status_code == 200
            assert "The recordings&#39; folder does not answer." in page.text
            assert URL not in page.text
            answer = await browser.get("/api/v1/calls")
            assert answer.json()["calls"][0]["recordings"][0]["url"] == URL
        finally:
            slow.let_go.set()


async def test_what_comes_too_late_is_handed_over_to_be_closed() -> None:
    disk = Disk(0.01)
    go, closed = threading.Event(), asyncio.Event()
    got: list[int] = []

    def abandoned(value: int) -> None:
        got.append(value)
        closed.set()

    def work() -> int:
        go.wait(10)
        return 7

    with pytest.raises(UnavailableError):
        await disk.run(work, abandoned=abandoned)
    go.set()
    async with asyncio.timeout(10):
        await closed.wait()
    assert got == [7]
    assert disk._running == 0
    disk.close()


async def test_a_browser_that_takes_nothing_is_dropped(recorded: House) -> None:
    app = recorded.app(send_timeout_s=0.02)
    token = await recorded.token()
    sent: list[str] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": URL,
        "raw_path": URL.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"authorization", token["Authorization"].encode())],
        "client": ("192.0.2.1", 1),
        "server": ("house", 80),
    }
    await app(scope, receive, send)
    assert sent == ["http.response.start", "http.response.body"]


@given(st.text(max_size=30) | st.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}"), st.integers(1, 9999))
def test_a_range_never_leaves_the_file(value: str, size: int) -> None:
    try:
        part = requested_range(value, size)
    except UnsatisfiableRangeError:
        return
    if part is not None:
        assert 0 <= part.first <= part.last < size
        assert part.length >= 1


def test_an_empty_file_has_no_range() -> None:
    for value in ("bytes=0-", "bytes=-1"):
        with pytest.raises(UnsatisfiableRangeError):
            requested_range(value, 0)
    assert requested_range(None, 0) is None
    assert requested_range("bytes=" + "9" * 19 + "-", 5) is None
    assert ByteRange(2, 4).length == 3


def test_only_whole_entity_tags_match() -> None:
    assert none_match('"a", "b"', '"b"')
    assert not none_match('"ab"', '"b"')
    assert not none_match("b", '"b"')
    assert not none_match(None, '"b"')
