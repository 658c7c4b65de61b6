"""An own prompt is installed into a running server through the command line."""

from pathlib import Path

import pytest

from tests.support.server import CommandError, server
from tests.support.wav import tone_wav


async def test_a_running_server_takes_an_own_recording(tmp_path: Path) -> None:
    wav = tmp_path / "my.wav"
    wav.write_bytes(tone_wav(700, rate=16000))
    async with server() as under_test:
        words = ("prompt", "install", "de/consent", str(wav))
        said = await under_test.cli(*words, "--sentence", "Bitte die 1.")
        assert "version 1" in said
        assert "from the next call on" in said
        (row,) = (
            row
            for row in await under_test.rows("prompt", "list")
            if (row["language"], row["id"]) == ("de", "consent")
        )
        assert (row["from"], row["sentence"]) == ("installed", "Bitte die 1.")
        wav.write_bytes(tone_wav(300, peak=3.0))
        with pytest.raises(CommandError, match="clipped"):
            await under_test.cli(*words)
        await under_test.stop()
