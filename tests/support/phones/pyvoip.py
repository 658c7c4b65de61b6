"""pyVoIP 1.6.8 as a phone, in a child process: that of the demo, which says what it can do."""

import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from b2bua.demo.dialogue import write_speech
from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.phone import PhoneSetup
from tests.support.process import Child

ROOT = Path(__file__).resolve().parents[3]


class PyVoip:
    """A running pyVoIP phone. It sends every request to the one server that it was given."""

    def __init__(self, setup: PhoneSetup, child: Child, address: str) -> None:
        self.setup = setup
        self.child = child
        self.address = address
        "SIP URI that reaches the phone without a registrar."

    async def _event(self, name: str, *, after: int = 0, timeout_s: float = 30.0) -> dict[str, str]:
        match = await self.child.wait_for(
            rf'^{{"event": "{name}".*', after=after, timeout_s=timeout_s
        )
        event: dict[str, str] = json.loads(match[0])
        return event

    async def registered(self) -> None:
        """Wait until the registrar has agreed; a phone without one is ready at once."""
        await self._event("ready")

    async def dial(self, number: str) -> None:
        """Call a number of the server; returns when that has said 100, 180 or 401."""
        await self.child.write(f"call {number}")
        await self._event("dialing")

    async def ringing(self, *, timeout_s: float = 30.0) -> str:
        """Wait for an incoming call and return who calls; pyVoIP tells it a second late."""
        return (await self._event("incoming", timeout_s=timeout_s))["sender"]

    async def answer(self) -> None:
        await self.child.write("answer")

    async def deny(self) -> None:
        """Refuse the incoming call (486)."""
        await self.child.write("deny")

    async def established(self, *, timeout_s: float = 30.0) -> None:
        await self._event("answered", timeout_s=timeout_s)

    async def refused(self, *, timeout_s: float = 30.0) -> str:
        """Wait for a final response that is no 2xx and return it; pyVoIP goes on waiting."""
        return (await self._event("refused", timeout_s=timeout_s))["status"]

    async def hang_up(self) -> None:
        await self.child.write("hangup")

    async def closed(self, *, timeout_s: float = 30.0) -> None:
        """Wait until the call has ended; after that `heard` has the audio."""
        await self._event("ended", timeout_s=timeout_s)

    async def digit(self, digits: str) -> None:
        """Press keys: RFC 4733 packets, which pyVoIP itself can't send."""
        asked = len(self.child.lines)
        await self.child.write(f"press {digits}")
        await self._event("pressed", after=asked)

    async def say(self, pcm: Pcm, *, timeout_s: float = 30.0) -> None:
        """Speak now, and return when it is said."""
        asked = len(self.child.lines)
        path = self.setup.folder / f"says{asked}.wav"
        write_speech(path, pcm)
        await self.child.write(f"say {path}")
        await self._event("said", after=asked, timeout_s=timeout_s)

    async def hears_so_far(self) -> Pcm:
        """Return what the other party has sent until now."""
        asked = len(self.child.lines)
        await self.child.write("listen")
        await self._event("heard", after=asked)
        return self.heard()

    def heard(self) -> Pcm:
        """Return what the other party sent, in pyVoIP's 8 bits: good for tones, not for quality."""
        return audio.decode(self.setup.folder / "heard.wav")


def _command(setup: PhoneSetup, server: str, host: str, port: int) -> list[str | Path]:
    server_host, _, server_port = server.rpartition(":")
    words: list[str | Path] = [sys.executable, "-W", "ignore", "-m", "b2bua.demo.pyvoip_phone"]
    words += ["--server", server_host, "--server-port", server_port]
    words += ["--user", setup.account.user, "--host", host, "--port", str(port)]
    words += ["--rtp-port", str(ports.take(2))]
    return [*words, "--heard", setup.folder / "heard.wav"]


@contextlib.asynccontextmanager
async def pyvoip(
    setup: PhoneSetup,
    *,
    law: Literal["pcmu", "pcma"] = "pcmu",
    trunk_of: str = "",
    host: str = ports.LOOPBACK,
    port: int | None = None,
) -> AsyncIterator[PyVoip]:
    """Start pyVoIP and wait until it is registered.

    `trunk_of` is a server (`host:port`) with which the phone does *not* register, because
    that knows it as a trunk, by the address `host` (and perhaps the port).
    """
    folder = setup.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_speech(folder / "says.wav", setup.says)
    own_port = port or ports.take(2)
    argv = _command(setup, trunk_of or setup.account.server, host, own_port)
    argv += ["--law", law, "--says", folder / "says.wav"]
    argv += ["--no-register"] if trunk_of else ["--password", setup.account.password]
    name = f"pyVoIP {setup.account.user}"
    async with Child(name, argv, cwd=ROOT) as child:
        phone = PyVoip(setup, child, f"sip:{setup.account.user}@{host}:{own_port}")
        await phone.registered()
        yield phone
