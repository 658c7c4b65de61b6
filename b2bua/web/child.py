"""The web process as the signalling process sees it: started, watched, started again.

The listening socket is made here and inherited. So an address that is taken or not ours ends
the start with a clear message, a free port stays the same over the child's lives, and a
browser that asks while the child is gone waits a moment instead of being refused. Nothing on
a call's path waits for this child.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from b2bua.children import Child, ChildSpec
from b2bua.config import Config
from b2bua.errors import StartError
from b2bua.web.setup import FromWeb, WebSetup
from sip.address import HostPort

logger = logging.getLogger("b2bua.web")

BACKLOG = 128
"Connections that wait while the child starts."

PATIENCE_S = 2.0
"For the child to leave by itself."


class WebPages:
    """Where the pages are, and what their process counts; all empty where there are none."""

    def __init__(self) -> None:
        self.url = ""
        self._child: Child[FromWeb] | None = None
        self._counters: dict[str, float] = {}
        self._carried: dict[str, float] = {}

    @property
    def pid(self) -> int | None:
        """Process id while the child lives."""
        return self._child.pid if self._child is not None else None

    def pids(self) -> dict[str, list[int | None]]:
        """Return the process as `Status` lists it."""
        return {"web": [self.pid]} if self._child is not None else {}

    def counters(self) -> dict[str, float]:
        """Totals over all lives of the child."""
        if self._child is None:
            return {}
        names = self._carried.keys() | self._counters.keys()
        totals = {
            f"web_{name}": self._carried.get(name, 0.0) + self._counters.get(name, 0.0)
            for name in sorted(names)
        }
        return totals | {"web_restarts": float(max(self._child.starts - 1, 0))}

    def watch(self, listening: socket.socket, setup: WebSetup) -> Child[FromWeb]:
        """Return the child; its `run` is the caller's."""

        def arguments(channel_fd: int) -> list[str]:
            return [msgspec.json.encode(_for_channel(setup, channel_fd)).decode()]

        spec: ChildSpec[FromWeb] = ChildSpec(
            name="web",
            module="b2bua.web.main",
            arguments=arguments,
            inherited=(listening.fileno(),),
            kind=FromWeb,
        )
        host, port = listening.getsockname()[:2]
        self.url = f"http://{HostPort(host, port)}"
        self._child = Child(
            spec, on_message=self._counted, on_start=lambda: None, on_death=self._died
        )
        return self._child

    def _counted(self, message: FromWeb) -> None:
        self._counters = message.values

    def _died(self) -> None:
        for name, value in self._counters.items():
            self._carried[name] = self._carried.get(name, 0.0) + value
        self._counters = {}


def _for_channel(setup: WebSetup, channel_fd: int) -> WebSetup:
    return msgspec.structs.replace(setup, channel_fd=channel_fd)


@contextlib.asynccontextmanager
async def open_web(
    config: Config, *, database: Path, recordings: Path, control_socket: Path, version: str
) -> AsyncIterator[WebPages]:
    """Keep the web process alive while the context is open; raises `StartError`."""
    pages = WebPages()
    web = config.web
    if not web.enabled:
        yield pages
        return
    with listen(web.listen) as listening:
        setup = WebSetup(
            channel_fd=-1,
            listen_fd=listening.fileno(),
            database=str(database),
            recordings=str(recordings),
            control_socket=str(control_socket),
            public_url=web.public_url,
            proxies=web.proxies,
            open_metrics=web.open_metrics,
            session_idle_s=web.session_idle_s,
            session_s=web.session_s,
            record_code=config.codes.record,
            version=version,
        )
        child = pages.watch(listening, setup)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(child.run(), name="web")
            logger.info("web pages", extra={"web": pages.url})
            try:
                yield pages
            finally:
                await child.close(PATIENCE_S)
                running.cancel()


def listen(address: HostPort) -> socket.socket:
    """Return the listening socket; raises `StartError`."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
    except OSError as error:
        # The text of `create_server` repeats the address; that of the error number does not.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StartError(f"[web] can't listen on {address}: {reason}") from error
