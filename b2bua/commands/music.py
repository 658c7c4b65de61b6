"""`mitschnitt music`: what held parties hear."""

from pathlib import Path

import typer

from b2bua.errors import MitschnittError

app = typer.Typer(help="Music on hold.", no_args_is_help=True)


@app.command("convert")
def music_convert(source: Path, target: Path) -> None:
    """Make a file for `[music] file` of a WAV file: 8 kHz, mono, in the telephone band."""
    from ivr.hold_music import HoldMusicError, load
    from ivr.installing import convert_music
    from ivr.prompts import PromptError

    try:
        target.write_bytes(convert_music(source.read_bytes()))
        length_s = load(target).duration_ms / 1000
    except OSError as error:
        raise MitschnittError(f"{error.filename}: {error.strerror}") from error
    except PromptError as error:
        raise MitschnittError(f"{source}: {error}") from error
    except HoldMusicError as error:
        raise MitschnittError(str(error)) from error
    typer.echo(f"{target}: {length_s:.1f} s")
