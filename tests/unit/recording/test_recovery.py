"""Folders as a dead server leaves them."""

import hashlib
import os
from pathlib import Path

import pytest

from recording import recovery
from recording.encoder import Encoder
from recording.folder import Folder
from recording.recovery import OpenSegment, Recovered, Status
from tests.support import audio
from tests.unit.recording.pool import SickFolder

PATH = "2026/01/02/a.mp3"
SEGMENT = OpenSegment(7, PATH)


@pytest.fixture(scope="module")
def stream() -> bytes:
    encoder = Encoder()
    return encoder.encode(audio.tone(440.0, 5.0)) + encoder.flush()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "2026/01/02").mkdir(parents=True)
    return Folder(tmp_path)


def names(folder: Folder) -> list[str]:
    return sorted(str(p.relative_to(folder.root)) for p in folder.root.rglob("*") if p.is_file())


def only(results: tuple[Recovered, ...]) -> Recovered:
    assert len(results) == 1
    return results[0]


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("cut", [0, 1, 100, 215, 216, 217])
def test_an_open_recording_becomes_a_file(folder: Folder, stream: bytes, cut: int) -> None:
    left = stream[: len(stream) - cut]
    (folder.root / (PATH + ".part")).write_bytes(left)
    result = only(recovery.recover(folder, [SEGMENT]))
    kept = len(left) // 216 * 216
    assert result == Recovered(
        status=Status.ADOPTED,
        segment_id=7,
        relative_path=PATH,
        octets=kept,
        sha256=hashlib.sha256(stream[:kept]).hexdigest(),
        duration_s=kept // 216 * 576 / 8000,
        sample_rate=8000,
        channels=1,
        cut_octets=len(left) - kept,
    )
    assert result.playable
    assert names(folder) == [PATH]
    heard = audio.decode(folder.root / PATH)
    assert audio.tone_level(heard, 440.0, 0.2, 4.5) > -14


def test_what_no_row_knows_is_adopted_and_told(folder: Folder, stream: bytes) -> None:
    (folder.root / "2026/01/02/stray.mp3.part").write_bytes(stream)
    result = only(recovery.recover(folder, []))
    assert (result.status, result.segment_id) == (Status.ADOPTED, None)
    assert names(folder) == ["2026/01/02/stray.mp3"]


@pytest.mark.parametrize("octets", [0, 1, 216, 431])
def test_what_no_player_opens_is_removed_and_told(
    folder: Folder, stream: bytes, octets: int
) -> None:
    (folder.root / (PATH + ".part")).write_bytes(stream[:octets])
    result = only(recovery.recover(folder, [SEGMENT]))
    assert (result.status, result.cut_octets, result.playable) == (Status.REMOVED, octets, False)
    assert names(folder) == []


def test_the_final_name_was_there_already(folder: Folder, stream: bytes) -> None:
    (folder.root / PATH).write_bytes(stream)
    result = only(recovery.recover(folder, [SEGMENT]))
    assert (result.status, result.octets) == (Status.FINAL, len(stream))
    assert result.sha256 == hashlib.sha256(stream).hexdigest()
    assert result.duration_s == len(stream) // 216 * 576 / 8000


def test_a_crash_between_the_two_names(folder: Folder, stream: bytes) -> None:
    (folder.root / (PATH + ".part")).write_bytes(stream)
    os.link(folder.root / (PATH + ".part"), folder.root / PATH)
    result = only(recovery.recover(folder, [SEGMENT]))
    assert (result.status, result.octets) == (Status.FINAL, len(stream))
    assert names(folder) == [PATH]


def test_another_recording_has_the_name(folder: Folder, stream: bytes) -> None:
    (folder.root / (PATH + ".part")).write_bytes(stream)
    (folder.root / PATH).write_bytes(b"older")
    result = only(recovery.recover(folder, [SEGMENT]))
    assert result.relative_path == "2026/01/02/a-2.mp3"
    assert (folder.root / PATH).read_bytes() == b"older"


def test_a_row_without_file(folder: Folder) -> None:
    result = only(recovery.recover(folder, [SEGMENT]))
    assert (result.status, result.segment_id, result.octets) == (Status.MISSING, 7, 0)


def test_twice_is_as_once(folder: Folder, stream: bytes) -> None:
    (folder.root / (PATH + ".part")).write_bytes(stream[:-5])
    first = only(recovery.recover(folder, [SEGMENT]))
    second = only(recovery.recover(folder, [SEGMENT]))
    assert (second.status, second.sha256) == (Status.FINAL, first.sha256)


def test_one_recording_alone(folder: Folder, stream: bytes) -> None:
    (folder.root / (PATH + ".part")).write_bytes(stream)
    (folder.root / "2026/01/02/running.mp3.part").write_bytes(stream)
    assert recovery.recover_one(folder, SEGMENT).status is Status.ADOPTED
    assert names(folder) == [PATH, "2026/01/02/running.mp3.part"]


def test_damage_in_the_middle_is_kept_and_told(folder: Folder, stream: bytes) -> None:
    damaged = stream[:2160] + bytes(432) + stream[2592:]
    (folder.root / (PATH + ".part")).write_bytes(damaged)
    result = only(recovery.recover(folder, [SEGMENT]))
    assert (result.octets, result.damaged_octets) == (len(stream), 432)


def test_side_files_in_the_making_go_and_foreign_files_stay(folder: Folder) -> None:
    (folder.root / (PATH + ".json.part")).write_bytes(b"{")
    (folder.root / "notes.txt.part").write_bytes(b"an admin's")
    assert recovery.recover(folder, []) == ()
    assert names(folder) == ["notes.txt.part"]


def test_links_and_odd_files_are_not_followed(
    folder: Folder, stream: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_bytes(stream)
    (folder.root / "2026/01/02/link.mp3.part").symlink_to(secret)
    (folder.root / "2026/01/02/folder.mp3.part").mkdir()
    result = only(recovery.recover(folder, []))
    assert result.status is Status.FAILED
    assert "ELOOP" in result.detail
    assert secret.exists()


def test_a_path_out_of_the_folder_is_refused(folder: Folder) -> None:
    result = only(recovery.recover(folder, [OpenSegment(1, "../../etc/passwd")]))
    assert result.status is Status.FAILED
    assert "unsafe path" in result.detail


def test_a_disk_that_refuses_is_asked_again_at_the_next_start(
    folder: Folder, stream: bytes
) -> None:
    sick = SickFolder(folder.root)
    sick.failing["rename"] = 5
    (folder.root / (PATH + ".part")).write_bytes(stream)
    result = only(recovery.recover(sick, [SEGMENT]))
    assert (result.status, result.detail) == (Status.FAILED, "Input/output error (EIO)")
    sick.failing.clear()
    assert only(recovery.recover(sick, [SEGMENT])).status is Status.ADOPTED


def test_a_pipe_is_no_recording(folder: Folder) -> None:
    os.mkfifo(folder.root / (PATH + ".part"))
    result = only(recovery.recover(folder, []))
    assert (result.status, result.detail) == (Status.FAILED, f"{PATH}.part is no regular file")
