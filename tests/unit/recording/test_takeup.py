import hashlib
from pathlib import Path

import numpy as np
import pytest

from recording.checkpoint import Progress
from recording.encoder import Encoder
from recording.folder import Folder, UnsafePathError
from recording.takeup import FinishedFile, OpenFile, look
from tests.support import audio

FRAME = 216


def mp3(seconds: float = 2.0) -> bytes:
    encoder = Encoder()
    return encoder.encode(audio.tone(440.0, seconds)) + encoder.flush()


def progress(octets: int = 0) -> Progress:
    return Progress(path="a.mp3", octets=octets, frames=octets // FRAME)


def test_nothing_there(tmp_path: Path) -> None:
    assert look(Folder(tmp_path), progress()) is None


def test_a_path_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError):
        look(Folder(tmp_path), Progress(path="../a.mp3", octets=0, frames=0))


@pytest.mark.parametrize("torn", [0, 1, 3, 215])
def test_whole_frames_behind_the_checkpoint_count(tmp_path: Path, torn: int) -> None:
    data = mp3()[: 10 * FRAME + torn]
    (tmp_path / "a.mp3.part").write_bytes(data)
    found = look(Folder(tmp_path), progress(4 * FRAME))
    assert found == OpenFile(path="a.mp3", octets=10 * FRAME, frames=10)


def test_damage_behind_the_checkpoint_ends_what_counts(tmp_path: Path) -> None:
    data = bytearray(mp3()[: 10 * FRAME])
    data[6 * FRAME] = 0
    (tmp_path / "a.mp3.part").write_bytes(data)
    found = look(Folder(tmp_path), progress(4 * FRAME))
    assert found == OpenFile(path="a.mp3", octets=6 * FRAME, frames=6)


@pytest.mark.parametrize("known", [0, 20 * FRAME])
def test_a_file_of_which_nothing_is_known_begins_anew(tmp_path: Path, known: int) -> None:
    (tmp_path / "a.mp3.part").write_bytes(mp3()[: 10 * FRAME])
    found = look(Folder(tmp_path), progress(known))
    assert found == OpenFile(path="a.mp3", octets=0, frames=0)


def test_a_finished_file_tells_its_figures(tmp_path: Path) -> None:
    data = mp3(2.0)
    (tmp_path / "a.mp3").write_bytes(data)
    found = look(Folder(tmp_path), progress(FRAME))
    assert isinstance(found, FinishedFile)
    assert (found.octets, found.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert abs(found.duration_s - 2.0) < 0.1
    assert np.isfinite(found.duration_s)
