"""What the web process does: pages and API over HTTP, until its channel ends.

Wires the pages (`web/app.py`) to the database, which it opens read-only, to the recordings'
folder, and to the running server behind the control socket, which makes every change.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from b2bua.media.channel import ChildChannel
from b2bua.media.messages import Counters
from b2bua.web.ports import (
    FolderRecordings,
    FolderStorage,
    ReasonSentences,
    Server,
    ServerChanges,
    ServerLive,
)
from b2bua.web.setup import WebSetup
from cdr.proofs import Proofs
from recording.folder import Folder
from web.app import create_app
from web.ports import Ports
from web.settings import WebSettings

REPORT_S = 1.0

MAX_CONNECTIONS = 256
"At the same time; the next one gets 503. A browser opens six."

KEEP_ALIVE_S = 15

LAST_WORDS_S = 1
"What is still being sent when the server stops is cut off after so long."

MAX_HEAD = 32 << 10
"Octets of a request's line and headers."


class PageServer(uvicorn.Server):
    """Uvicorn without its signal handlers: only the parent's end ends it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals as they are."""
        yield


def make_app(setup: WebSetup, reader: Proofs) -> FastAPI:
    """Return the application over what the setup names."""
    folder = Folder(Path(setup.recordings))
    server = Server(Path(setup.control_socket))
    ports = Ports(
        reader=reader,
        changes=ServerChanges(server),
        live=ServerLive(server),
        recordings=FolderRecordings(folder),
        sentences=ReasonSentences(),
        storage=FolderStorage(folder),
    )
    settings = WebSettings(
        public_url=setup.public_url,
        open_metrics=setup.open_metrics,
        session_idle_s=setup.session_idle_s,
        session_s=setup.session_s,
        record_code=setup.record_code,
        version=setup.version,
    )
    return create_app(ports, settings)


def make_server(app: FastAPI, proxies: tuple[str, ...]) -> PageServer:
    """Return the HTTP server, which logs through our own handlers."""
    return PageServer(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=LAST_WORDS_S,
            h11_max_incomplete_event_size=MAX_HEAD,
        )
    )


async def serve(
    setup: WebSetup, channel: ChildChannel[Counters], started: Callable[[], None]
) -> None:
    """Answer requests until the channel ends; `started` is called before the first report."""
    listening = socket.socket(fileno=setup.listen_fd)
    async with Proofs(setup.database) as reader:
        server = make_server(make_app(setup, reader), setup.proxies)
        started()
        loop = asyncio.get_running_loop()
        loop.add_reader(channel.fileno(), _leave_at_the_end, channel, server)
        async with asyncio.TaskGroup() as group:
            reports = group.create_task(_report(channel, server))
            await server.serve(sockets=[listening])
            reports.cancel()


def _leave_at_the_end(channel: ChildChannel[Counters], server: PageServer) -> None:
    for _ in channel.receive():
        pass
    if channel.closed:
        asyncio.get_running_loop().remove_reader(channel.fileno())
        server.should_exit = True


async def _report(channel: ChildChannel[Counters], server: PageServer) -> None:
    while True:
        requests = float(server.server_state.total_requests)
        channel.send(Counters(values={"requests": requests}))
        await asyncio.sleep(REPORT_S)
