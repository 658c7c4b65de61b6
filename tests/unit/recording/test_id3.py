import json
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from recording import id3, mp3
from recording.encoder import Encoder
from tests.support import audio

AT = datetime(2026, 3, 9, 7, 5, 2)  # noqa: DTZ001 - local time


def test_the_size_is_fixed() -> None:
    for title in ("", "101 → 102", "x" * 5000, "\ud800"):
        tag = id3.tag(title=title, recorded_at=AT, texts={"a": "b" * 5000})
        assert len(tag) == mp3.id3_octets(tag) == id3.TAG_OCTETS


@pytest.mark.peer("ffmpeg")
def test_a_foreign_reader_finds_it(tmp_path: Path) -> None:
    path = tmp_path / "tagged.mp3"
    encoder = Encoder()
    tag = id3.tag(title="101 → Müller", recorded_at=AT, texts={"CALL_ID": "abc", "LONG": "x" * 999})
    path.write_bytes(tag + encoder.encode(audio.tone(440.0, 2.0)) + encoder.flush())
    assert mp3.scan(path.read_bytes()).audio_start == id3.TAG_OCTETS
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-show_format", "-of", "json", str(path)],
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    shown = json.loads(done.stdout)["format"]
    assert shown["tags"] == {
        "date": "2026-03-09T07:05:02",
        "title": "101 → Müller",
        "CALL_ID": "abc",
    }
    assert audio.tone_level(audio.decode(path), 440.0, 0.2, 1.8) > -14
