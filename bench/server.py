"""The server under test: started as a user starts it, with a data folder of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench import mmsg
from bench.sip_call import Account
from bench.sip_text import Address

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent
WARM_UP = "import b2bua.server, b2bua.media.worker.__main__, b2bua.media.recorder"
"""Compiles what is not compiled yet, as installing a wheel does: a process that compiles its
own sources at the start keeps megabytes of garbage."""
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
MOST_CALLS = 1000
PORTS = (20000, 29999)
"Below the ephemeral ports of Linux, which this bench's own sockets take."


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What of the configuration a bench varies."""

    calls: int
    quality: int | None = None
    "LAME's; None: the server's default."
    sample_rate: int | None = None
    "Hz, of the recordings; None: the server's default."
    workers: int = 1
    recorders: int = 1

    def toml(self) -> str:
        # A few extensions make all the calls.
        lines = ["[sip]", f'listen = "{HOST}:0"', f"max_calls_per_extension = {MOST_CALLS}"]
        lines += ["[media]", f'ports = "{PORTS[0]}-{PORTS[1]}"']
        lines += [f"workers = {self.workers}", f"recorders = {self.recorders}"]
        lines += [f"max_calls = {max(self.calls, 20)}"]
        sound = {"quality": self.quality, "sample_rate": self.sample_rate}
        lines += ["[recording]"]
        lines += [f"{name} = {value}" for name, value in sound.items() if value is not None]
        # Benches measure calls, and several may run on one machine.
        lines += ["[web]", "enabled = false"]
        return "\n".join(lines) + "\n"


class ServerError(Exception):
    """The server did not do what a bench needs; carries the end of its log."""


class Server:
    """`mitschnitt serve` in a child process, ready for calls while the context is open."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.address: Address = (HOST, 0)
        self.pid = 0
        self.exit_code: int | None = None
        self._config = folder / "mitschnitt.toml"
        self._config.write_text(settings.toml(), encoding="utf-8")
        self._notify = folder / "notify"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def recordings(self) -> Path:
        return self.data / "recordings"

    def __enter__(self) -> Self:
        subprocess.run([sys.executable, "-c", WARM_UP], check=True, env=_environment(), cwd=ROOT)
        self.run("init", "--config", str(self._config))
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
            self.log.open("wb") as log,
        ):
            manager.bind(str(self._notify))
            manager.settimeout(0.2)
            self._child = subprocess.Popen(
                self._command("serve", "--config", str(self._config)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**_environment(), "NOTIFY_SOCKET": str(self._notify)},
                cwd=ROOT,
                # A killed bench leaves no server behind; there is one thread here as yet.
                preexec_fn=mmsg.die_with_parent,  # noqa: PLW1509 - see above
            )
            self.pid = self._child.pid
            try:
                self._await_ready(manager)
            except BaseException:
                self.stop()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "b2bua.cli", *words, "--data", str(self.data)]

    def _await_ready(self, manager: socket.socket) -> None:
        assert self._child is not None
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end and self._child.poll() is None:
            with contextlib.suppress(TimeoutError):
                said = manager.recv(4096).decode().splitlines()
                if "READY=1" in said:
                    self.address = _sip_address(said)
                    return
        raise ServerError(f"the server did not become ready\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def run(self, *words: str, stdin: str = "") -> str:
        """Run one command of the command line on this data folder; return its output."""
        done = subprocess.run(
            self._command(*words), input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ServerError(f"{' '.join(words)}: {done.stderr.strip()[-500:]}\n{self.tail()}")
        return done.stdout

    def add_extensions(self, numbers: list[str], *, record: bool) -> list[Account]:
        """Add extensions, recorded with opt-in or not at all."""
        accounts = [Account(user=number, password=f"bench-{number}-secret") for number in numbers]
        mode = ["--mode", "automatic", "--opt-in"] if record else ["--mode", "off"]

        def add(account: Account) -> None:
            words = ["ext", "add", account.user, "--name", f"Bench {account.user}", *mode]
            self.run(*words, "--password-stdin", stdin=account.password + "\n")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(add, accounts))
        return accounts

    def lame_quality(self) -> int:
        """Return the setting in effect, configured or not."""
        described = self.run("check-config", "--config", str(self._config), "--json")
        return int(json.loads(described)["recording"]["quality"])

    def stop(self) -> float:
        """End it as an operator does; return how long that took, s."""
        if self._child is None or self._child.poll() is not None:
            self.exit_code = None if self._child is None else self._child.returncode
            return 0.0
        begin = time.monotonic()
        self._child.send_signal(signal.SIGTERM)
        try:
            self.exit_code = self._child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self.exit_code = self._child.wait()
        return time.monotonic() - begin


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def _sip_address(said: list[str]) -> Address:
    for line in said:
        if line.startswith("STATUS=sip "):
            host, _, port = line.removeprefix("STATUS=sip ").split()[0].rpartition(":")
            return host, int(port)
    raise ServerError(f"no SIP address in {said}")
