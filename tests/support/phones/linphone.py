"""linphonec as a phone, driven by its standard input and judged by what it prints."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.phone import PhoneSetup
from tests.support.process import Child


class Linphone:
    """A running linphonec with wav files for a sound card."""

    def __init__(self, setup: PhoneSetup, child: Child, port: int) -> None:
        self.setup = setup
        self.child = child
        self.port = port

    @property
    def address(self) -> str:
        """SIP URI that reaches the phone without a registrar."""
        return f"sip:{self.setup.account.user}@{ports.LOOPBACK}:{self.port}"

    async def registered(self) -> None:
        """Wait until the registrar has agreed: linphonec tells it only when asked."""
        for _ in range(50):
            asked = len(self.child.lines)
            await self.child.write("status register")
            answer = await self.child.wait_for("registered|Registration|registration", after=asked)
            if re.search(r"registered, identity", answer.string) and "not" not in answer.string:
                return
            with contextlib.suppress(Exception):
                await self.child.wait_for("Registration on .* successful", timeout_s=0.2)
        raise AssertionError(self.child.report())

    async def dial(self, target: str) -> None:
        """Call a number of the registrar, or a SIP URI."""
        await self.child.write(f"call {target}")
        await self.child.wait_for("in progress")

    async def ringing(self, *, timeout_s: float = 30.0) -> None:
        """Wait for an incoming call."""
        await self.child.wait_for("Receiving new incoming call", timeout_s=timeout_s)

    async def answer(self) -> None:
        await self.child.write("answer")

    async def established(self, *, timeout_s: float = 30.0) -> None:
        await self.child.wait_for("Media streams established", timeout_s=timeout_s)

    async def hold(self) -> None:
        """Put the call on hold; only then another one can be made."""
        await self.child.write("pause")
        await self.child.wait_for("is now paused")

    async def join(self, first: int, second: int) -> None:
        """Transfer the party of one call to that of another, both by number, and be out of it."""
        await self.child.write(f"transfer {first} --to-call {second}")
        for call in (first, second):
            await self.child.wait_for(rf"Call {call} with .* ended")

    async def hang_up(self) -> None:
        await self.child.write("terminate")

    async def closed(self, *, timeout_s: float = 30.0) -> str:
        """Wait for the end of a call and return linphonec's words for its reason."""
        match = await self.child.wait_for(
            r"Call \d+ with .* (?:ended|error)\b.*", timeout_s=timeout_s
        )
        return match[0]

    async def digit(self, digit: str) -> None:
        """Press a key: RFC 4733 packets."""
        await self.child.write(digit)

    def heard(self) -> Pcm:
        """Return what the other party sent, decoded by linphonec."""
        return audio.decode(self.setup.folder / "heard.wav")


def _settings(
    setup: PhoneSetup,
    port: int,
    rtp: int,
    *,
    transport: str,
    authority: Path | None,
    srtp: str,
    suite: str,
    keys: str,
) -> str:
    account = setup.account
    # -2 means: do not listen. IPv6 off, or an unregistered linphonec offers it on loopback.
    udp, tcp, tls = (port if transport == each else -2 for each in ("udp", "tcp", "tls"))
    lines = ["[sip]", f"sip_port={udp}", f"sip_tcp_port={tcp}", f"sip_tls_port={tls}"]
    lines += ["use_ipv6=0"]
    if authority is not None:
        lines += [f"root_ca={authority}", "verify_server_certs=1", "verify_server_cn=1"]
    if srtp:
        must = int(srtp == "required")
        lines += ["media_encryption=srtp", f"media_encryption_mandatory={must}"]
        lines += [f"srtp_crypto_suites={suite}"] if suite else []
    lines += [f"use_rfc2833={int(keys != 'info')}", f"use_info={int(keys != 'rfc4733')}"]
    lines += ["register_only_when_network_is_up=0"]
    lines += [f"default_proxy={0 if account.server else -1}"]
    lines += ["[rtp]", f"audio_rtp_port={rtp}-{rtp + 7}", "audio_jitt_comp=20"]
    lines += ["[sound]", "echocancellation=0", "agc=0", "noisegate=0"]
    if account.server:
        user, server = account.user, account.server
        host = server.rpartition(":")[0]
        over = "" if transport == "udp" else f";transport={transport}"
        lines += [
            "[proxy_0]",
            f"reg_proxy=<sip:{server}{over}>",
            f"reg_identity=sip:{user}@{server}",
        ]
        lines += ["reg_sendregister=1", "reg_expires=60", "publish=0"]
        lines += ["[auth_info_0]", f"username={user}", f"passwd={account.password}"]
        lines += [f"domain={host}"]
    return "".join(f"{line}\n" for line in lines)


def _home(folder: Path) -> Path:
    """Make the private home without which linphonec can't open its database."""
    home = folder / "home"
    for name in (".local/share/linphone", ".config/linphone"):
        (home / name).mkdir(parents=True, exist_ok=True)
    return home


@contextlib.asynccontextmanager
async def linphone(
    setup: PhoneSetup,
    *,
    transport: str = "udp",
    authority: Path | None = None,
    srtp: str = "",
    suite: str = "",
    keys: str = "rfc4733",
) -> AsyncIterator[Linphone]:
    """Start linphonec; with a registrar in the account, wait until it is registered.

    `authority`: over TLS who vouches for the registrar. `srtp`: `optional` or `required`,
    with this one `suite`, or all that it knows. `keys`: how it presses them; also `info`, `both`.
    """
    folder = setup.folder
    folder.mkdir(parents=True, exist_ok=True)
    audio.write_wav(folder / "says.wav", setup.says)
    port = ports.take(2)
    (folder / "linphonerc").write_text(
        _settings(
            setup,
            port,
            ports.take(8),
            transport=transport,
            authority=authority,
            srtp=srtp,
            suite=suite,
            keys=keys,
        )
    )
    child = Child(
        f"linphonec {setup.account.user}",
        ["linphonec", "-c", folder / "linphonerc", "-C"],
        env={"HOME": str(_home(folder)), "LANG": "C"},
    )
    async with child:
        for line in (
            "soundcard use files",
            f"play {folder}/says.wav",
            f"record {folder}/heard.wav",
        ):
            await child.write(line)
        phone = Linphone(setup, child, port)
        if setup.account.server:
            await phone.registered()
        yield phone
