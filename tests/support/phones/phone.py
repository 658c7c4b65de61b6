"""What every test phone knows about itself, whoever wrote it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.support.audio import RATE, Pcm


class PhoneError(Exception):
    """A phone did not do what the test asked it to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How a phone registers."""

    user: str

    password: str = ""

    server: str = ""
    "`host:port` of the registrar; empty: none, the phone is called by its address."


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSetup:
    """What a phone is started with."""

    account: Account

    folder: Path
    "Of the phone alone: settings, audio, logs."

    says: Pcm
    "Played as the microphone, from the moment the call is established."

    says_rate: int = RATE
    "Hz, of `says`."


async def talk(seconds: float) -> None:
    """Let the parties of a call speak: audio is the one thing that takes its own time."""
    await asyncio.sleep(seconds)
