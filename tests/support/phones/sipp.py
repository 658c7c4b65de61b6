"""SIPp: scripted peers that do exactly what a scenario file says."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests.support import ports
from tests.support.phones.phone import PhoneError
from tests.support.process import Child

DEFAULTS = {"AFTER_MS": "1000", "KEY_AFTER_MS": "5000", "RECORD": "on", "STATUS": "200"}
"""What stands in a scenario as @NAME@. A key counts once the prompt has said what it is about:
3.7 s, and up to 1 s for the prompt to begin."""

SCENARIOS = Path(__file__).resolve().parents[2] / "e2e" / "scenarios"


class Sipp:
    """One run of a scenario."""

    def __init__(self, child: Child, folder: Path, port: int) -> None:
        self.child = child
        self.port = port
        self._folder = folder

    async def listening(self, *, timeout_s: float = 30.0) -> None:
        """Wait until the scenario's socket is open: SIPp says so nowhere that can be waited for."""
        wanted = f":{self.port:04X} "
        async with asyncio.timeout(timeout_s):
            while wanted not in Path("/proc/net/udp").read_text():
                if self.child.returncode is not None:
                    raise PhoneError(f"{self.child.name} ended\n{self.messages()}")
                await asyncio.sleep(0.02)

    async def saw(self, pattern: str, *, times: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until the messages show the pattern so often: their file is SIPp's only word."""
        async with asyncio.timeout(timeout_s):
            while len(re.findall(pattern, self.messages())) < times:  # noqa: ASYNC110 - as said
                await asyncio.sleep(0.02)

    async def finished(self, *, timeout_s: float = 30.0) -> None:
        """Wait for the end of the scenario and assert that it went as written."""
        status = await self.child.wait(timeout_s=timeout_s)
        if status:
            raise PhoneError(f"{self.child.name}: exit {status}\n{self.messages()}")

    def messages(self) -> str:
        """Return the SIP messages and complaints of the run."""
        texts = [path.read_text("utf-8", "replace") for path in sorted(self._folder.glob("*.log"))]
        return "\n".join(texts) or self.child.report()


def _injection(folder: Path, fields: Mapping[str, str]) -> Path:
    """Write the one-line file that SIPp takes [field0], [field1], ... from."""
    path = folder / "fields.csv"
    path.write_text("SEQUENTIAL\n" + ";".join(fields.values()) + ";\n")
    return path


def _scenario(name: str, folder: Path, values: Mapping[str, str]) -> Path:
    """Write the scenario with its values in place, and return where."""
    text = (SCENARIOS / f"{name}.xml").read_text()
    for value_name, value in {**DEFAULTS, **values}.items():
        text = text.replace(f"@{value_name}@", value)
    path = folder / f"{name}.xml"
    path.write_text(text)
    return path


@contextlib.asynccontextmanager
async def sipp(
    scenario: str,
    folder: Path,
    *,
    target: str = "",
    number: str = "service",
    values: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    port: int | None = None,
    calls: int = 1,
    options: tuple[str, ...] = (),
) -> AsyncIterator[Sipp]:
    """Run `tests/e2e/scenarios/SCENARIO.xml` against `host:port`, or wait there to be called.

    `fields` become [field0], [field1], ... in their order; credentials must be a whole field
    (`[authentication username=101 password=secret]`), nothing is expanded inside of it.
    The `number` is what a caller dials ([service]); `values` replace those of DEFAULTS.
    The `port` is for a scenario that goes on where another one registered, or is a trunk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, media = port or ports.take(2), ports.take(4)
    path = _scenario(scenario, folder, values or {})
    argv: list[str | Path] = ["sipp", "-sf", path, "-m", str(calls), "-s", number]
    argv += ["-i", ports.LOOPBACK, "-p", str(port), "-mi", ports.LOOPBACK, "-mp", str(media)]
    argv += ["-nostdin", "-trace_err", "-error_file", folder / "errors.log"]
    argv += ["-trace_msg", "-message_file", folder / "messages.log"]
    argv += ["-timeout", "60s", "-timeout_error", "-cp", str(ports.take(2)), *options]
    if fields:
        argv += ["-inf", _injection(folder, fields)]
    if target:
        argv.append(target)
    async with Child(f"sipp {scenario}", argv, cwd=folder, env={"TERM": "dumb"}) as child:
        yield Sipp(child, folder, port)
