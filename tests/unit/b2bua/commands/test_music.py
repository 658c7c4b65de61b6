"""`mitschnitt music` as an operator uses it."""

from pathlib import Path

from typer.testing import CliRunner

from b2bua.cli import app
from b2bua.errors import ConfigError, MitschnittError
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


def test_the_check_of_the_configuration_listens_as_well(tmp_path: Path) -> None:
    own, config = tmp_path / "own.wav", tmp_path / "mitschnitt.toml"
    config.write_text(f'[music]\nfile = "{own}"\n')
    check = ["check-config", "--config", str(config), "--data", str(tmp_path)]
    own.write_bytes(tone_wav(500, 900, rate=44100, seconds=2.0))
    wrong = runner.invoke(app, check).exception
    assert isinstance(wrong, ConfigError)
    assert "44100 Hz" in str(wrong)
    assert "mitschnitt music convert" in str(wrong)
    own.write_bytes(tone_wav(500, 900, rate=8000, seconds=2.0))
    assert runner.invoke(app, check).exit_code == 0
