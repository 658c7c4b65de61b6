"""`mitschnitt music` as an operator uses it."""

from pathlib import Path

from typer.testing import CliRunner

from b2bua.cli import app
from b2bua.errors import MitschnittError
from ivr.hold_music import load
from tests.support.wav import tone_wav

runner = CliRunner()


def test_any_wav_file_becomes_music_on_hold(tmp_path: Path) -> None:
    source, target = tmp_path / "cd.wav", tmp_path / "music.wav"
    source.write_bytes(tone_wav(500, 900, rate=44100, seconds=5.0, channels=2))
    result = runner.invoke(app, ["music", "convert", str(source), str(target)])
    assert result.exit_code == 0, result.output
    assert result.output == f"{target}: 5.0 s\n"
    assert load(target).duration_ms == 5000


def test_what_is_none_is_said(tmp_path: Path) -> None:
    target = tmp_path / "music.wav"
    for source in (tmp_path / "absent.wav", tmp_path / "song.mp3"):
        (tmp_path / "song.mp3").write_bytes(b"ID3")
        result = runner.invoke(app, ["music", "convert", str(source), str(target)])
        assert isinstance(result.exception, MitschnittError)
        assert str(source) in str(result.exception)
        assert not target.exists()
