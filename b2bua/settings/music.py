"""`[music]`: what held parties hear."""

from pathlib import Path

from b2bua.settings.section import Section


class MusicConfig(Section):
    """`[music]`: played to whoever one of our extensions has put on hold."""

    on_hold: bool = True
    "A trunk can be left out with its `hold_music`."
    file: Path | None = None
    "An own piece: WAV, 8 kHz, mono, 16 bits, 1 to 60 s; it begins again at its end."
