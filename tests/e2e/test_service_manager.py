"""What the shipped unit promises, tried without systemd as process 1."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from b2bua.calls.switchboard import STOP_PATIENCE_S
from cdr.journal import JournalSettings
from rtp.io.socket import descriptors_needed
from tests.e2e.calls import call, end
from tests.support import audio, ports
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.process import Child
from tests.support.server import PROGRAM, ROOT, server
from tests.support.unit_file import UNIT, UnitFile

MAX_EXPOSURE = 2.0
WATCHDOG_S = 20
CHILDREN_STOP_S = 4.0
"What the server grants its media workers and recorders for leaving."


@dataclass
class Manager:
    """The service manager's side: what it hears, and when."""

    sock: socket.socket
    heard: list[tuple[float, str]] = field(default_factory=list)

    async def hear(self, word: str, *, timeout_s: float = 30.0) -> str:
        """Wait for a line that begins so, and return its value."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_s):
            while True:
                message = await loop.sock_recv(self.sock, 8192)
                lines = message.decode().splitlines()
                self.heard += [(loop.time(), line) for line in lines]
                for line in lines:
                    if line.startswith(word + "="):
                        return line.partition("=")[2]


@contextlib.asynccontextmanager
async def started() -> AsyncIterator[tuple[Child, Manager]]:
    """Run the unit's command as the unit says, in folders of this test."""
    unit = UnitFile.read()
    with (
        tempfile.TemporaryDirectory(prefix="ms-") as name,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock,
    ):
        folder = Path(name)
        configuration, state = folder / "etc", folder / "lib"
        for place in (configuration, state):
            (place / "mitschnitt").mkdir(parents=True)
        low = ports.window(200)
        (configuration / "mitschnitt" / "mitschnitt.toml").write_text(
            f'[sip]\nlisten = "{ports.LOOPBACK}:{ports.take(2)}"\n'
            f'[media]\nports = "{low}-{low + 199}"\nmax_calls = 10\n'
            f'[web]\nlisten = "{ports.LOOPBACK}:0"\n'
        )
        program, *words = unit.command(configuration=configuration, state=state)
        assert Path(program).name == "mitschnitt"
        manager = Manager(sock)
        sock.bind(str(folder / "notify"))
        environment = {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": str(1_000_000 * int(unit.one("WatchdogSec"))),
            **unit.environment(),
        }
        async with Child("mitschnitt", [*PROGRAM, *words], cwd=ROOT, env=environment) as child:
            yield child, manager


def session(pid: int) -> list[int]:
    """Return the processes that systemd would have in the unit's control group."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if os.getsid(int(entry.name)) == pid and state != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.peer("systemd-analyze")
def test_the_unit_knows_only_options_that_systemd_knows(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text()
    program = UnitFile.read().one("ExecStart").split()[0]
    # The program is not installed where tests run, and that is all that may be missing.
    unit.write_text(text.replace(program, "/bin/true"))
    done = verify(unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    unit.write_text(text.replace(program, "/bin/true") + "[Service]\nProtectTelephones=yes\n")
    assert "ProtectTelephones" in verify(unit).stderr


def verify(unit: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.peer("systemd-analyze")
def test_the_unit_exposes_little() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    overall = done.stdout.splitlines()[-1]
    assert float(overall.partition(": ")[2].split()[0]) <= MAX_EXPOSURE, overall


def test_limits_and_patience_fit_the_server() -> None:
    unit = UnitFile.read()
    largest = 10_000  # [media] max_calls
    assert int(unit.one("LimitNOFILE")) >= descriptors_needed(2 * largest)
    stop_s = STOP_PATIENCE_S + CHILDREN_STOP_S + JournalSettings().close_s
    assert int(unit.one("TimeoutStopSec")) >= stop_s + 5
    assert int(unit.one("WatchdogSec")) == WATCHDOG_S


async def test_the_server_speaks_to_its_manager_from_start_to_stop() -> None:
    async with started() as (child, manager):
        await manager.hear("READY")
        assert any(line.startswith("STATUS=sip 127.0.0.1:") for _, line in manager.heard)
        for _ in range(3):
            await manager.hear("WATCHDOG")
        pings = [at for at, line in manager.heard if line == "WATCHDOG=1"]
        longest = max(after - before for before, after in pairwise(pings))
        assert longest < WATCHDOG_S / 2
        # KillMode=control-group: all of them get the signal, and the children leave it to the
        # server to end.
        processes = session(child.pid)
        assert len(processes) >= 3
        for pid in processes:
            os.kill(pid, signal.SIGTERM)
        await manager.hear("STOPPING")
        assert await child.wait() == 0, child.report()
        assert not session(child.pid)
        assert not any("starting it again" in line for line in child.lines)


async def test_a_loop_that_hangs_pings_no_more() -> None:
    async with started() as (child, manager):
        await manager.hear("READY")
        await manager.hear("WATCHDOG")
        argv = [sys.executable, "-m", "tests.support.hold_thread", str(child.pid)]
        async with Child("holder", argv, cwd=ROOT) as holder:
            # Its first thread is the one that the loop runs in; the journal's goes on.
            await holder.wait_for("held")
            with contextlib.suppress(BlockingIOError):
                while manager.sock.recv(8192):
                    pass
            with pytest.raises(TimeoutError):
                await manager.hear("WATCHDOG", timeout_s=2.5)
            assert holder.process.stdin is not None
            holder.process.stdin.close()
            assert await holder.wait() == 0
        await manager.hear("WATCHDOG")
        # What systemd does about it: the log says where it hung, and the children leave.
        child.process.send_signal(signal.SIGABRT)
        assert await child.wait() == -signal.SIGABRT
        assert any("Fatal Python error: Aborted" in line for line in child.lines), child.report()
        async with asyncio.timeout(10.0):
            while session(child.pid):  # noqa: ASYNC110 - /proc sends no events
                await asyncio.sleep(0.05)


@pytest.mark.peer("systemd-analyze")
async def test_the_sandbox_of_these_tests_is_one() -> None:
    code = (
        "import mmap, os, socket\n"
        "for what in (\n"
        "    lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC),\n"
        "    lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),\n"
        "    lambda: os.chroot('/'),\n"
        "    lambda: os.chown('/', 0, 0),\n"
        "):\n"
        "    try:\n"
        "        what()\n"
        "    except OSError as error:\n"
        "        print(error.errno)\n"
    )
    argv = [*UnitFile.read().sandbox(), sys.executable, "-c", code]
    async with Child("python", argv, cwd=ROOT) as child:
        assert await child.wait() == 0
    assert child.lines == ["1", "97", "1", "1"], child.report()


@pytest.mark.peer("systemd-analyze", "baresip", "ffmpeg")
async def test_a_call_is_recorded_under_the_units_system_call_rules() -> None:
    both = (("101", "automatic", True), ("102", "automatic", True))
    async with (
        server(extensions=both, wrapper=UnitFile.read().sandbox()) as under_test,
        baresip(under_test.setup("101", audio.tone(440.0, 20.0))) as ada,
        baresip(under_test.setup("102", audio.tone(620.0, 20.0))) as ben,
    ):
        await call(ada, ben)
        await talk(3.0)
        await end(ada, ben)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        pcm = audio.decode(under_test.recording(row))
        assert audio.tone_intervals(pcm, 440.0)
        assert audio.tone_intervals(pcm, 620.0)
        await under_test.stop()
