"""One of the demo's telephones: pyVoIP in a process of its own (`pyvoip_phone.py`), driven."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from b2bua.demo.dialogue import read_speech
from b2bua.demo.hearing import RATE, Pcm, best_match
from b2bua.demo.programs import Program
from b2bua.errors import DemoError

MODULE: Final = "b2bua.demo.pyvoip_phone"
EVENT_TIMEOUT_S: Final = 10.0
LISTEN_EVERY_S: Final = 0.25

Event = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who the telephone is, and where."""

    user: str
    server: str
    "`host:port`."
    host: str
    "Its own address."
    port: int
    password: str | None = None
    "None: it does not register, the server knows its address as a trunk."


def free_port(host: str) -> int:
    """Return a UDP port that nobody has at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Telephone:
    """A running telephone."""

    def __init__(self, name: str, account: Account, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._heard = folder / "heard.wav"
        self._events: list[Event] = []
        self._changed = asyncio.Event()
        self.program = Program(name, MODULE, self._words(account), on_line=self._take_line)

    def _words(self, account: Account) -> list[str]:
        host, _, port = account.server.rpartition(":")
        words = ["--server", host, "--server-port", port, "--user", account.user]
        words += ["--host", account.host, "--port", str(account.port)]
        words += ["--rtp-port", str(free_port(account.host)), "--heard", str(self._heard)]
        if account.password is None:
            return [*words, "--no-register"]
        return [*words, "--password", account.password]

    def _take_line(self, line: str) -> None:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                self._events.append(event)
                self._changed.set()

    async def event(self, name: str, *, timeout_s: float = EVENT_TIMEOUT_S) -> Event:
        """Wait for an event and take it; what came before it is let go.

        Raises `DemoError` where the telephone reports a failure, is refused or ends instead.
        """
        ended = asyncio.ensure_future(self.program.ended.wait())
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    while self._events:
                        event = self._events.pop(0)
                        if event["event"] == name:
                            return event
                        self._complain(event)
                    if ended.done():
                        raise DemoError(f"{self.name} has ended\n{self.program.tail()}")
                    self._changed.clear()
                    changed = asyncio.ensure_future(self._changed.wait())
                    await asyncio.wait({changed, ended}, return_when=asyncio.FIRST_COMPLETED)
                    changed.cancel()
        except TimeoutError:
            raise DemoError(f"{self.name}: nothing {name} within {timeout_s:.0f} s") from None
        finally:
            ended.cancel()

    def _complain(self, event: Event) -> None:
        match event:
            case {"event": "error", "text": text}:
                raise DemoError(f"{self.name}: {text}")
            # A telephone without qop is asked for its password first.
            case {"event": "refused", "status": status} if not status.startswith("401"):
                raise DemoError(f"{self.name}: the server refused the call: {status}")
            case {"event": "ended"}:
                raise DemoError(f"{self.name}: the call has ended too early")
            case _:
                pass

    async def command(self, line: str, *, then: str, timeout_s: float = EVENT_TIMEOUT_S) -> None:
        """Have the telephone do something and wait for the event that says it is done."""
        await self.program.write(line)
        await self.event(then, timeout_s=timeout_s)

    async def say(self, path: Path) -> None:
        """Speak a WAV file of 8 bits to its end."""
        length = read_speech(path).size / RATE
        await self.command(f"say {path}", then="said", timeout_s=length + EVENT_TIMEOUT_S)

    async def press(self, keys: str) -> None:
        await self.command(f"press {keys}", then="pressed")

    async def heard(self) -> Pcm:
        """Return what the other side has sent so far in this call."""
        await self.command("listen", then="heard")
        return self.heard_in_all()

    def heard_in_all(self) -> Pcm:
        """Return what the telephone wrote last: after the call, all of it."""
        if not self._heard.exists():
            raise DemoError(f"{self.name} heard nothing at all")
        return read_speech(self._heard)

    async def hears_to_the_end(self, sound: Pcm, what: str, *, timeout_s: float) -> float:
        """Wait until a sound was heard from beginning to end; return when it began (s)."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    heard = await self.heard()
                    if heard.size >= sound.size and (match := best_match(heard, sound)).found:
                        missing = match.start + (sound.size - heard.size) / RATE
                        await asyncio.sleep(max(missing, 0.0))
                        return match.start
                    await asyncio.sleep(LISTEN_EVERY_S)
        except TimeoutError:
            raise DemoError(f"{self.name} did not hear {what} within {timeout_s:.0f} s") from None


@contextlib.asynccontextmanager
async def telephone(name: str, account: Account, folder: Path) -> AsyncIterator[Telephone]:
    """Start a telephone and wait until it can make calls."""
    phone = Telephone(name, account, folder)
    async with phone.program:
        await phone.event("ready")
        yield phone
