import errno
import json
from pathlib import Path

import pytest

from recording import manifest
from recording.manifest import Manifest, ManifestError, RecordedParty
from tests.unit.recording.pool import SickFolder

EXAMPLE = Manifest(
    file="2026/03/09/070502_101_102_c.mp3",
    sha256="ab" * 32,
    octets=1,
    duration_s=1.5,
    sample_rate=8000,
    channels=1,
    call_id="c",
    segment=1,
    started_at="2026-03-09T06:05:02Z",
    caller="101",
    callee="102",
    parties=(RecordedParty(party_id="p", number="101", side=0, basis="opt_in", evidence_id="e"),),
)


def test_round_trip() -> None:
    assert manifest.parse(manifest.serialize(EXAMPLE)) == EXAMPLE


def test_lies_beside_the_audio_and_says_what_it_is(tmp_path: Path) -> None:
    path = manifest.write(SickFolder(tmp_path), EXAMPLE)
    assert path == EXAMPLE.file + ".json"
    stored = json.loads((tmp_path / path).read_text())
    assert stored["sha256"] == "ab" * 32
    assert stored["parties"][0]["evidence_id"] == "e"
    assert stored["version"] == 1


def test_a_second_one_overwrites_nothing(tmp_path: Path) -> None:
    folder = SickFolder(tmp_path)
    first = manifest.write(folder, EXAMPLE)
    second = manifest.write(folder, EXAMPLE)
    assert first != second
    assert (tmp_path / second).exists()


def test_a_sick_disk_leaves_nothing_half(tmp_path: Path) -> None:
    folder = SickFolder(tmp_path)
    folder.room = 10
    with pytest.raises(ManifestError, match="ENOSPC"):
        manifest.write(folder, EXAMPLE)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    folder.failing["create"] = errno.EROFS
    with pytest.raises(ManifestError, match="EROFS"):
        manifest.write(folder, EXAMPLE)


def test_what_is_no_manifest() -> None:
    with pytest.raises(ManifestError):
        manifest.parse(b"{}")
