"""A name server of the test's own: dnsmasq, which knows what it is told and asks nobody."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.support import ports
from tests.support.process import Child


@contextlib.asynccontextmanager
async def name_server(folder: Path, records: Sequence[str]) -> AsyncIterator[str]:
    """Start one with these records (lines of dnsmasq's configuration) and yield `host:port`."""
    port = ports.take(2)
    lines = [
        f"port={port}",
        f"listen-address={ports.LOOPBACK}",
        "bind-interfaces",
        "no-resolv",
        "no-hosts",
        "local-ttl=5",
        "log-queries",
        "log-facility=-",
        *records,
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "dnsmasq.conf"
    path.write_text("".join(f"{line}\n" for line in lines))
    argv = ["dnsmasq", "--keep-in-foreground", f"--conf-file={path}", "--pid-file", "--user="]
    async with Child("dnsmasq", argv) as child:
        await child.wait_for("started, version")
        yield f"{ports.LOOPBACK}:{port}"
