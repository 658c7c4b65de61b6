"""One file against a healthy, a full, a broken and a hanging disk."""

import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest

from recording import mp3
from recording.encoder import Encoder
from recording.folder import Folder
from recording.writer import Writer, WriteResult, describe
from recording.writer_pool import WriterPool
from tests.support import audio
from tests.unit.recording.pool import ManualPool, SickFolder

PATH = "2026/01/02/101500_101_102_abc.mp3"


@pytest.fixture(scope="module")
def second() -> bytes:
    """One second of audio in whole frames."""
    encoder = Encoder()
    return (encoder.encode(audio.speech(4.0, seed=1)) + encoder.flush())[: 14 * 216]


@pytest.fixture
def folder(tmp_path: Path) -> SickFolder:
    return SickFolder(tmp_path)


@pytest.fixture
def pool() -> ManualPool:
    return ManualPool()


def the_result(writer: Writer) -> WriteResult:
    assert writer.result.done()
    return writer.result.result(timeout=0)


def finished(writer: Writer, pool: ManualPool) -> WriteResult:
    writer.finish()
    pool.run()
    return the_result(writer)


def assert_whole(folder: Folder, result: WriteResult) -> bytes:
    """Check that the file is what the result says, and whole frames."""
    assert result.relative_path is not None
    data = (folder.root / result.relative_path).read_bytes()
    assert len(data) == result.octets
    assert hashlib.sha256(data).hexdigest() == result.sha256
    assert mp3.scan(data).end == len(data)
    assert not list(folder.root.rglob("*.part"))
    return data


def test_a_file_grows_as_part_and_gets_its_name(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    told: list[WriteResult] = []
    writer = Writer(PATH, folder=folder, pool=pool, on_result=told.append)
    writer.append(second)
    pool.run()
    assert (folder.root / (PATH + ".part")).read_bytes() == second
    assert not (folder.root / PATH).exists()
    writer.append(second)
    result = finished(writer, pool)
    assert assert_whole(folder, result) == second * 2
    assert told == [result]
    assert result == WriteResult(
        relative_path=PATH,
        octets=len(second) * 2,
        sha256=hashlib.sha256(second * 2).hexdigest(),
    )


def test_nothing_happens_before_the_pool_works(folder: SickFolder, pool: ManualPool) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(b"x" * 100)
    assert list(folder.root.iterdir()) == []
    assert (writer.appended_octets, writer.written_octets, writer.backlog_octets) == (100, 0, 100)


def test_only_the_owner_may_read(folder: SickFolder, pool: ManualPool, second: bytes) -> None:
    old = os.umask(0)
    try:
        writer = Writer(PATH, folder=folder, pool=pool)
        writer.append(second)
        writer.finish()
        pool.run()
    finally:
        os.umask(old)
    assert (folder.root / PATH).stat().st_mode & 0o777 == 0o600
    assert (folder.root / "2026").stat().st_mode & 0o777 == 0o700
    assert (folder.root / "2026/01/02").stat().st_mode & 0o777 == 0o700


def test_syncs_about_once_a_second(folder: SickFolder, pool: ManualPool, second: bytes) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    for _ in range(100):
        writer.append(second[:216])
        pool.run(0.1)
    assert 10 <= folder.calls["sync"] <= 17
    pool.run(1.1)
    assert writer.durable_octets == writer.written_octets == 100 * 216
    calls = folder.calls["sync"]
    pool.run(5.0)
    assert folder.calls["sync"] == calls, "nothing new, nothing to sync"


def test_a_write_each_second_brings_its_sync_along(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    pool.run(1.0)
    for count in range(1, 6):
        writer.append(second)
        pool.run()
        assert writer.durable_octets == count * len(second)
        pool.run(1.0)
    assert folder.calls["sync"] == 5


def test_durable_lags_behind_written(folder: SickFolder, pool: ManualPool, second: bytes) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    pool.run()
    assert (writer.written_octets, writer.durable_octets) == (len(second), 0)
    pool.run(1.1)
    assert writer.durable_octets == len(second)


def test_nothing_is_overwritten(folder: SickFolder, pool: ManualPool, second: bytes) -> None:
    writers = [Writer(PATH, folder=folder, pool=pool) for _ in range(3)]
    for number, writer in enumerate(writers, 1):
        writer.append(second * number)
        writer.finish()
        pool.run()
    stem = PATH.removesuffix(".mp3")
    assert [writer.relative_path for writer in writers] == [PATH, f"{stem}-2.mp3", f"{stem}-3.mp3"]
    for number, writer in enumerate(writers, 1):
        assert assert_whole(folder, the_result(writer)) == second * number


def test_a_name_that_was_taken_meanwhile_is_left_alone(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    pool.run()
    (folder.root / PATH).write_bytes(b"somebody else's")
    assert finished(writer, pool).relative_path == PATH.replace(".mp3", "-2.mp3")
    assert (folder.root / PATH).read_bytes() == b"somebody else's"


def test_a_link_in_the_folder_leads_nowhere(
    folder: SickFolder, pool: ManualPool, tmp_path_factory: pytest.TempPathFactory, second: bytes
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder.root / "2026").symlink_to(elsewhere)
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    writer.finish()
    pool.run(6.0)
    result = the_result(writer)
    assert result.relative_path is None
    assert result.failure is not None
    assert list(elsewhere.iterdir()) == []


def test_an_empty_recording_leaves_no_file(folder: SickFolder, pool: ManualPool) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    assert finished(writer, pool) == WriteResult(relative_path=None, octets=0, sha256="")
    assert [p for p in folder.root.rglob("*") if p.is_file()] == []


def test_an_unwanted_recording_is_removed(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    pool.run()
    writer.finish(keep=False)
    pool.run()
    assert the_result(writer) == WriteResult(relative_path=None, octets=0, sha256="")
    assert [p for p in folder.root.rglob("*") if p.is_file()] == []


def test_a_full_disk_that_gets_room_loses_nothing(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    folder.room = 4000
    writer = Writer(PATH, folder=folder, pool=pool)
    for _ in range(30):
        writer.append(second)
        pool.run(1.0)
    assert (writer.trouble, writer.failure) == ("No space left on device (ENOSPC)", None)
    folder.room = None
    pool.run(0.6)
    assert (writer.backlog_octets, writer.trouble) == (0, None)
    assert assert_whole(folder, finished(writer, pool)) == second * 30
    assert the_result(writer).failure is None


@pytest.mark.parametrize("room", [0, 100, 216, 3000, 3024, 3025, 4000])
def test_a_disk_that_stays_full_ends_the_recording_with_its_audio(
    folder: SickFolder, pool: ManualPool, second: bytes, room: int
) -> None:
    folder.room = room
    writer = Writer(PATH, folder=folder, pool=pool)
    seconds = 0
    while not writer.result.done():
        writer.append(second)
        pool.run(1.0)
        seconds += 1
    assert 62 <= seconds <= 68
    result = the_result(writer)
    assert result.failure is not None
    assert "ENOSPC" in result.failure
    assert writer.backlog_octets == 0
    kept = room // 216 * 216
    assert result.octets == kept
    assert result.lost_octets == seconds * len(second) - kept
    if kept:
        assert assert_whole(folder, result) == (second * seconds)[:kept]
    else:
        assert result.relative_path is None
    writer.append(second)
    assert writer.backlog_octets == 0, "what comes later takes no memory"
    assert writer.finish().result(timeout=0) is result


def test_a_call_that_ends_on_a_full_disk_waits_a_little(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    folder.room = 1000
    writer = Writer(PATH, folder=folder, pool=pool, finish_grace_s=5.0)
    writer.append(second)
    pool.run(1.0)
    writer.finish()
    pool.run(4.0)
    assert not writer.result.done()
    pool.run(2.0)
    assert "ENOSPC" in str(the_result(writer).failure)
    assert assert_whole(folder, the_result(writer)) == second[: 4 * 216]


def test_a_folder_that_can_not_be_written_is_the_reason(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    folder.failing["create"] = errno.EROFS
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    writer.finish()
    pool.run(6.0)
    result = the_result(writer)
    assert result.relative_path is None
    assert result.failure == "Read-only file system (EROFS)"
    assert result.lost_octets == len(second)


def test_a_failed_sync_ends_the_recording_at_once(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    folder.failing["sync"] = errno.EIO
    pool.run(1.2)
    assert the_result(writer).failure == "sync: Input/output error (EIO)"
    assert writer.durable_octets == len(second), "publishing synced it after all"
    assert assert_whole(folder, the_result(writer)) == second


def test_a_name_that_can_not_be_given_leaves_the_part(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    folder.failing["rename"] = errno.EIO
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    result = finished(writer, pool)
    assert (result.relative_path, result.octets) == (None, 0)
    assert result.failure == "Input/output error (EIO)"
    assert (folder.root / (PATH + ".part")).read_bytes() == second


def test_a_name_that_may_not_be_durable_is_told(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    folder.failing["sync_name"] = errno.EIO
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    assert finished(writer, pool).failure == "sync: Input/output error (EIO)"
    assert assert_whole(folder, the_result(writer)) == second


def test_the_content_is_durable_before_it_has_a_name(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    writer.finish()
    folder.failing["rename"] = errno.EIO
    pool.run()
    assert (folder.calls["sync"], folder.calls["sync_name"]) == (1, 0)
    assert writer.durable_octets == len(second)


def test_a_part_that_was_taken_away_is_told(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    pool.run()
    (folder.root / (PATH + ".part")).unlink()
    assert "moved or removed" in str(finished(writer, pool).failure)


def test_an_error_of_ours_ends_one_recording_only(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("ours")

    folder.write = broken  # type: ignore[method-assign, assignment]  # a bug, played
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    pool.run()
    assert the_result(writer).failure == "ZeroDivisionError: ours"


def test_given_up_without_the_disk(folder: SickFolder, pool: ManualPool, second: bytes) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.append(second)
    pool.run()
    writer.give_up("the server leaves")
    assert the_result(writer).failure == "the server leaves"
    pool.run(2.0)
    assert (folder.root / (PATH + ".part")).read_bytes() == second
    writer.give_up("again")
    assert the_result(writer).failure == "the server leaves"


def test_nothing_comes_after_the_end(folder: SickFolder, pool: ManualPool) -> None:
    writer = Writer(PATH, folder=folder, pool=pool)
    writer.finish()
    with pytest.raises(RuntimeError, match="after finish"):
        writer.append(b"x")
    writer.append(b"")


def test_goes_on_with_another_process_file(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    path = folder.root / (PATH + ".part")
    path.parent.mkdir(parents=True)
    path.write_bytes(second + b"the beginning of a frame")
    writer = Writer(PATH, folder=folder, pool=pool, resume_octets=len(second))
    writer.append(second)
    assert writer.appended_octets == 2 * len(second)
    pool.run()
    assert path.read_bytes() == second * 2
    assert assert_whole(folder, finished(writer, pool)) == second * 2


def test_a_file_that_is_too_short_to_go_on_with_fails_at_once(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    path = folder.root / (PATH + ".part")
    path.parent.mkdir(parents=True)
    path.write_bytes(second[:1000])
    writer = Writer(PATH, folder=folder, pool=pool, resume_octets=len(second))
    pool.run()
    assert "1000 of 3024 octets" in str(the_result(writer).failure)
    assert path.read_bytes() == second[:1000]


def test_a_file_that_shrinks_while_it_is_taken_up_fails_at_once(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    path = folder.root / (PATH + ".part")
    path.parent.mkdir(parents=True)
    path.write_bytes(second)
    folder.cut = lambda part, _: os.ftruncate(part.fd, 100)  # type: ignore[method-assign, assignment]  # played
    writer = Writer(PATH, folder=folder, pool=pool, resume_octets=len(second))
    pool.run()
    assert "became shorter" in str(the_result(writer).failure)


def test_a_lost_file_to_go_on_with_waits_for_the_disk_to_return(
    folder: SickFolder, pool: ManualPool, second: bytes
) -> None:
    writer = Writer(PATH, folder=folder, pool=pool, resume_octets=len(second))
    writer.append(second)
    pool.run(1.0)
    assert writer.trouble == "No such file or directory (ENOENT)"
    path = folder.root / (PATH + ".part")
    path.parent.mkdir(parents=True)
    path.write_bytes(second)
    pool.run(1.0)
    assert path.read_bytes() == second * 2


def test_a_hanging_disk_holds_nobody_else(tmp_path: Path, second: bytes) -> None:
    """With real threads: `append` returns while a write hangs, and the queue has its bound."""
    entered, release = threading.Event(), threading.Event()

    class Hanging(Folder):
        def write(self, part: object, data: bytes | memoryview, offset: int) -> int:
            entered.set()
            assert release.wait(30)
            return super().write(part, data, offset)  # type: ignore[arg-type]  # a Part

    pool = WriterPool(1)
    writer = Writer(PATH, folder=Hanging(tmp_path), pool=pool)
    writer.append(second)
    assert entered.wait(30)
    for _ in range(70):
        writer.append(second)
    assert writer.failure is not None
    assert "does not answer" in writer.failure
    assert writer.backlog_octets == 0
    assert not pool.close(0.0), "the thread is stuck, and the process may leave all the same"
    release.set()
    result = writer.result.result(timeout=30)
    assert_whole(Folder(tmp_path), result)
    assert result.octets == len(second), "what the disk took in the end is kept"
    assert pool.close(30)


def test_errors_in_words() -> None:
    assert describe(OSError(errno.ENOSPC, "x")) == "No space left on device (ENOSPC)"
    assert describe(OSError("odd")) == "odd"
