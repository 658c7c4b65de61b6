"""pyVoIP 1.6.8 as a phone, in a child process; what it can't do is in the child's docstring."""

import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import numpy as np

from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.phone import PhoneSetup
from tests.support.process import Child

ROOT = Path(__file__).resolve().parents[3]


class PyVoip:
    """A running pyVoIP phone. It needs a registrar: it calls and is called only through one."""

    def __init__(self, setup: PhoneSetup, child: Child) -> None:
        self.setup = setup
        self.child = child

    async def _event(self, name: str, *, timeout_s: float = 30.0) -> dict[str, str]:
        match = await self.child.wait_for(rf'^{{"event": "{name}".*', timeout_s=timeout_s)
        event: dict[str, str] = json.loads(match[0])
        return event

    async def registered(self) -> None:
        await self._event("registered")

    async def dial(self, number: str) -> None:
        """Call a number of the registrar; returns when the server has said 100, 180 or 401."""
        await self.child.write(f"call {number}")
        await self._event("dialing")

    async def ringing(self, *, timeout_s: float = 30.0) -> None:
        """Wait for an incoming call; pyVoIP tells it a second late."""
        await self._event("incoming", timeout_s=timeout_s)

    async def answer(self) -> None:
        await self.child.write("answer")

    async def deny(self) -> None:
        """Refuse the incoming call (486)."""
        await self.child.write("deny")

    async def established(self, *, timeout_s: float = 30.0) -> None:
        await self._event("answered", timeout_s=timeout_s)

    async def hang_up(self) -> None:
        await self.child.write("hangup")

    async def closed(self, *, timeout_s: float = 30.0) -> None:
        """Wait until the call has ended; after that `heard` has the audio."""
        await self._event("ended", timeout_s=timeout_s)

    async def digit(self, digit: str) -> None:
        """Press a key: RFC 4733 packets, which pyVoIP itself can't send."""
        await self.child.write(f"digit {digit}")

    def heard(self) -> Pcm:
        """Return what the other party sent, in pyVoIP's 8 bits: good for tones, not for quality."""
        return audio.decode(self.setup.folder / "heard.wav")


@contextlib.asynccontextmanager
async def pyvoip(
    setup: PhoneSetup, *, law: Literal["pcmu", "pcma"] = "pcmu"
) -> AsyncIterator[PyVoip]:
    """Start pyVoIP and wait until it is registered."""
    folder = setup.folder
    folder.mkdir(parents=True, exist_ok=True)
    says = (setup.says.astype(np.int32) >> 8) + 128
    (folder / "says.u8").write_bytes(says.astype(np.uint8).tobytes())
    host, _, server_port = setup.account.server.rpartition(":")
    argv: list[str | Path] = [sys.executable, "-W", "ignore", "-m"]
    argv += ["tests.support.phones.pyvoip_child", "--server", host, "--server-port", server_port]
    argv += ["--user", setup.account.user, "--password", setup.account.password]
    argv += ["--host", ports.LOOPBACK, "--port", str(ports.take(2))]
    argv += ["--rtp-port", str(ports.take(2)), "--law", law]
    argv += ["--says", folder / "says.u8", "--heard", folder / "heard.wav"]
    async with Child(f"pyVoIP {setup.account.user}", argv, cwd=ROOT) as child:
        phone = PyVoip(setup, child)
        await phone.registered()
        yield phone
