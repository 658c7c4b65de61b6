"""Baresip as a phone: driven over its control port, netstrings of JSON both ways."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sip.address import HostPort
from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.phone import PhoneError, PhoneSetup
from tests.support.process import Child

MODULES = "/usr/lib/baresip/modules"

IN_FULL = {"g722": "g722/16000/1", "opus": "opus/48000/2"}
"How an account names codecs whose clock is not 8,000 Hz; without it they are not found."

Event = Mapping[str, Any]


class Baresip:
    """A running baresip. Events (`CALL_ESTABLISHED`, `REGISTER_OK`, ...) are kept in order."""

    def __init__(
        self,
        setup: PhoneSetup,
        child: Child,
        port: int,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.setup = setup
        self.child = child
        self.port = port
        self.events: list[Event] = []
        self._reader, self._writer = streams
        self._responses: dict[str, Event] = {}
        self._changed = asyncio.Condition()
        self._tokens = 0

    @property
    def address(self) -> str:
        """SIP URI that reaches the phone without a registrar."""
        return f"sip:{self.setup.account.user}@{ports.LOOPBACK}:{self.port}"

    async def command(self, command: str, params: str = "", *, timeout_s: float = 20.0) -> str:
        """Have a command carried out and return what it answered."""
        self._tokens += 1
        token = str(self._tokens)
        body = json.dumps({"command": command, "params": params, "token": token}).encode()
        self._writer.write(b"%d:%s," % (len(body), body))
        await self._writer.drain()
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: token in self._responses)
        except TimeoutError:
            raise PhoneError(f"{self.child.name}: no answer to {command}") from None
        response = self._responses.pop(token)
        if not response["ok"]:
            raise PhoneError(f"{self.child.name}: {command} {params}: {response['data']}")
        return str(response["data"])

    async def wait_event(
        self, kind: str, *, after: int = 0, timeout_s: float = 30.0, **fields: str
    ) -> Event:
        """Return the first event of the kind (and with these fields) from place `after` on."""

        place = after
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                while True:
                    for event in self.events[place:]:
                        if event["type"] == kind and fields.items() <= event.items():
                            return event
                    place = len(self.events)
                    await self._changed.wait()
        except TimeoutError:
            seen = [event["type"] for event in self.events]
            raise PhoneError(
                f"{self.child.name}: no {kind} {fields or ''} in {timeout_s} s, but {seen}"
            ) from None

    def has_seen(self, kind: str) -> bool:
        return any(event["type"] == kind for event in self.events)

    def count(self, kind: str) -> int:
        return sum(event["type"] == kind for event in self.events)

    async def registered(self, *, timeout_s: float = 30.0) -> None:
        """Wait until the registrar has agreed."""
        # It may have registered before anybody listened to events, but what it prints is kept.
        await self.child.wait_for(r"200 OK \(.*\[\d+ binding", timeout_s=timeout_s)

    async def dial(self, target: str) -> None:
        """Call a number of the registrar, or a SIP URI."""
        await self.command("dial", target)

    async def ringing(self, *, timeout_s: float = 30.0) -> None:
        """Wait for an incoming call."""
        await self.wait_event("CALL_INCOMING", timeout_s=timeout_s)

    async def answer(self) -> None:
        await self.command("accept")

    async def established(self, *, timeout_s: float = 30.0) -> None:
        """Wait until the call stands on this phone's side (the caller: 200; the callee: ACK)."""
        await self.wait_event("CALL_ESTABLISHED", timeout_s=timeout_s)

    async def hears(self, *, timeout_s: float = 30.0) -> None:
        """Wait for the first RTP packet of the other party."""
        await self.wait_event("CALL_RTPESTAB", timeout_s=timeout_s)

    async def hang_up(self) -> None:
        """End the call: BYE, CANCEL, or 486 to a call that is not answered."""
        await self.command("hangup")

    async def closed(self, *, timeout_s: float = 30.0) -> str:
        """Wait for the end of a call and return its reason, such as `486 Busy Here`."""
        return str((await self.wait_event("CALL_CLOSED", timeout_s=timeout_s))["param"])

    async def digit(self, digit: str) -> None:
        """Press a key: RFC 4733 packets."""
        await self.command("sndcode", digit)

    async def say(self, pcm: Pcm) -> None:
        """Say this from now on, from its beginning, in all calls."""
        path = self.setup.folder / f"says{self._tokens}.wav"
        audio.write_wav(path, pcm)
        await self.command("ausrc", f"aufile,{path}")

    def speaks(self, codec: str) -> bool:
        """Tell whether this is what it sends (`PCMA`, `G722`, `opus`), by its own log."""
        said = [line for line in self.child.lines if "Set audio encoder" in line]
        return bool(said) and f": {codec} " in said[-1]

    def heard(self) -> Pcm:
        """Return what the last ended call's other party sent, decoded by baresip."""
        dumps = sorted(self.setup.folder.glob("dump-*-dec.wav"))
        if not dumps:
            raise PhoneError(f"{self.child.name} heard nothing at all")
        return audio.decode(dumps[-1])

    async def read(self) -> None:
        """Take in events and responses until the control connection ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = await self._reader.readuntil(b":")
                body = await self._reader.readexactly(int(length[:-1]))
                await self._reader.readexactly(1)
                message = json.loads(body)
                async with self._changed:
                    if message.get("event"):
                        self.events.append(message)
                    else:
                        self._responses[message.get("token", "")] = message
                    self._changed.notify_all()


def _settings(
    setup: PhoneSetup, modules: list[str], host: str, listen: tuple[int, int, int]
) -> str:
    folder = setup.folder
    port, control, rtp = listen
    lines = [
        "poll_method epoll",
        f"sip_listen {HostPort(host, port)}",
        # The address, not `lo`: with the name baresip finds no local network.
        f"net_interface {host}",
        "call_local_timeout 120",
        "call_max_calls 4",
        f"audio_source aufile,{folder}/says.wav",
        f"audio_player aufile,{folder}/player.wav",
        f"audio_alert aufile,{folder}/alert.wav",
        f"ausrc_srate {setup.says_rate}",
        "ausrc_channels 1",
        "audio_level no",
        "jitter_buffer_delay 1-10",
        f"rtp_ports {rtp}-{rtp + 15}",
        f"snd_path {folder}",
        f"module_path {MODULES}",
        *(f"module {name}.so" for name in modules),
        "module_tmp uuid.so",
        "module_tmp account.so",
        "module_app menu.so",
        "module_app ctrl_tcp.so",
        f"ctrl_tcp_listen {ports.LOOPBACK}:{control}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _account_line(setup: PhoneSetup, codecs: str, parameters: str, transport: str) -> str:
    account = setup.account
    over = "" if transport == "udp" else f";transport={transport}"
    known = ",".join(IN_FULL.get(name, name) for name in codecs.split(","))
    words = [f"audio_codecs={known}", "answermode=manual"]
    if account.server:
        words += [f"auth_user={account.user}", f"auth_pass={account.password}", "regint=60"]
    else:
        words += ["regint=0"]
    if parameters:
        words.append(parameters)
    return f"<sip:{account.user}@{account.server or ports.LOOPBACK}{over}>;{';'.join(words)}\n"


@contextlib.asynccontextmanager
async def baresip(
    setup: PhoneSetup,
    *,
    codecs: str = "pcma,pcmu",
    parameters: str = "",
    settings: str = "",
    port: int | None = None,
    register_timeout_s: float = 30.0,
    transport: str = "udp",
    host: str = ports.LOOPBACK,
    srtp: str = "",
) -> AsyncIterator[Baresip]:
    """Start baresip; with a registrar in the account, wait until it is registered.

    `parameters` are further ones of the account (`ptime=30`), `settings` further lines of
    the configuration. The `port` (and the next one, for TLS) is for a phone that somebody has
    to know before it is there. `host`: its own address. `srtp`: its word for how it wants SRTP,
    `srtp` (if both can) or `srtp-mand`.
    """
    folder = setup.folder
    folder.mkdir(parents=True, exist_ok=True)
    # The source falls silent at the end of the file: a minute is longer than any test call.
    audio.write_wav(folder / "says.wav", setup.says, rate=setup.says_rate)
    port, control, rtp = port or ports.take(2), ports.take(2), ports.take(16)
    # Before the accounts: what they name must be known by then.
    modules = ["g711", "aufile", "sndfile", *sorted({"g722", "opus"} & set(codecs.split(",")))]
    if srtp:
        modules.append("srtp")
        parameters = ";".join(filter(None, [parameters, f"mediaenc={srtp}"]))
    (folder / "config").write_text(_settings(setup, modules, host, (port, control, rtp)) + settings)
    (folder / "accounts").write_text(_account_line(setup, codecs, parameters, transport))
    (folder / "contacts").write_text("")
    name = f"baresip {setup.account.user}"
    async with Child(name, ["baresip", "-v", "-f", folder], env={"HOME": str(folder)}) as child:
        await child.wait_for("baresip is ready")
        streams = await asyncio.open_connection(ports.LOOPBACK, control)
        phone = Baresip(setup, child, port, streams)
        reading = asyncio.create_task(phone.read(), name=f"events of {name}")
        try:
            if setup.account.server:
                await phone.registered(timeout_s=register_timeout_s)
            yield phone
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            streams[1].close()
