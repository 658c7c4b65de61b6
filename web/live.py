"""A recording while it runs: what is in its file, and what comes in, until it ends.

Nobody waits for a listener. The recorder appends to the file and knows of no reader; here the
file is read as far as the listener takes it, and looked at again twice a second. Its frames are
of one size and whole when they are written, so what is read can be played at any time.

It ends by itself: when the file has got its final name (then it is complete, and the open
descriptor is read to the end), when the row was closed, or when the listener may no longer.
"""

import asyncio
import contextlib
import functools
import logging
import os
import stat
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from cdr.records import AuditEntry
from cdr.rows import CallRow, SegmentRow
from web.access import AnyViewer, Viewer, find_viewer, scoped
from web.api import audio_url
from web.audio import CHUNK, visible
from web.context import Web, source_of, web_of
from web.errors import HttpProblem, UnavailableError

logger = logging.getLogger("web.live")

router = APIRouter()

LIVE_PATH = "/api/v1/recordings/{recording_id}/live"
DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The MP3 as it grows.", "content": {"audio/mpeg": {}}},
    303: {"description": "It runs no more: its audio is there."},
    404: {"description": "There is no such recording, or none that the asker may hear."},
    410: {"description": "It runs no more, and there is no file."},
    503: {"description": "It has no file yet, or too many listen already."},
}

HEADERS = {
    "Content-Type": "audio/mpeg",
    "Accept-Ranges": "none",
    "Cache-Control": "no-store",
    "Vary": "Authorization, Cookie",
    # A proxy that collects before it sends would make it anything but live (nginx).
    "X-Accel-Buffering": "no",
}


@router.get(LIVE_PATH, response_class=Response, responses=DESCRIBED)
async def live(request: Request, recording_id: str, viewer: AnyViewer) -> Response:
    """Return a running recording from its beginning, and follow it."""
    scoped(viewer, "audio")
    web = web_of(request)
    segment, call = await visible(web, viewer, recording_id)
    if segment.state != "open":
        if not segment.playable:
            raise HttpProblem(410, "the recording has no file")
        return RedirectResponse(audio_url(segment.id), status_code=303)
    with contextlib.ExitStack() as held:
        held.enter_context(web.live.one_more())
        descriptor = await _open(web, segment)
        held.callback(os.close, descriptor)
        await web.listening.note(_entry(request, viewer, segment, call))
        return LiveResponse(
            web,
            segment,
            descriptor,
            look_again=functools.partial(_look_again, request, recording_id),
            held=held.pop_all(),
        )


async def _open(web: Web, segment: SegmentRow) -> int:
    """Open its file; one that has just begun gets it with its first second of sound."""
    assert segment.relative_path is not None
    work = functools.partial(_open_file, web, segment.relative_path)
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + web.settings.live_patience_s
    while True:
        try:
            return await web.disk.run(work, abandoned=os.close)
        except (OSError, ValueError) as error:
            if not isinstance(error, FileNotFoundError) or loop.time() >= give_up_at:
                raise UnavailableError("the recording has no file yet") from error
        await asyncio.sleep(web.settings.live_poll_s)


def _open_file(web: Web, relative_path: str) -> int:
    descriptor = web.ports.recordings.open_growing(relative_path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(relative_path)
    return descriptor


def _entry(request: Request, viewer: Viewer, segment: SegmentRow, call: CallRow) -> AuditEntry:
    return AuditEntry(
        at=web_of(request).ports.wall(),
        actor=viewer.actor,
        action="recording.live",
        object=segment.id,
        detail={"call": call.id, "source": source_of(request)},
    )


async def _look_again(request: Request, recording_id: str) -> SegmentRow | None:
    """Return the recording as it is now; None where the one who listens may no longer."""
    viewer = await find_viewer(request)
    if viewer is None or "audio" not in viewer.scopes:
        return None
    try:
        segment, _ = await visible(web_of(request), viewer, recording_id)
    except HttpProblem:
        return None
    return segment


class LiveResponse(Response):
    """Sends a file that grows, without knowing its length, and lets go of it at the end."""

    def __init__(
        self,
        web: Web,
        segment: SegmentRow,
        descriptor: int,
        *,
        look_again: Callable[[], Awaitable[SegmentRow | None]],
        held: contextlib.ExitStack,
    ) -> None:
        """`held`: the descriptor and the listener's place, given back at the end."""
        super().__init__(status_code=200)
        del self.headers["content-length"]
        self.headers.update(HEADERS)
        # A player that wants to hear the call as it is now knows by it how much is past.
        self.headers["Octets-So-Far"] = str(os.fstat(descriptor).st_size)
        self._web = web
        self._path = segment.relative_path or ""
        self._descriptor = descriptor
        self._look_again = look_again
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a listener who leaves, or takes nothing for long, ends it early."""
        del scope
        with self._held:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            async with asyncio.TaskGroup() as group:
                left = group.create_task(_has_left(receive))
                try:
                    await self._follow(send, left)
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                except TimeoutError:
                    logger.info("a listener took no audio for long")
                except UnavailableError as error:
                    logger.warning("a running recording was broken off: %s", error)
                finally:
                    left.cancel()

    async def _follow(self, send: Send, left: asyncio.Task[None]) -> None:
        settings, loop = self._web.settings, asyncio.get_running_loop()
        position, recheck_at = 0, loop.time() + settings.live_recheck_s
        over = False
        while not left.done():
            chunk, growing = await self._read(position)
            if chunk:
                position += len(chunk)
                async with asyncio.timeout(settings.send_timeout_s):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            elif over or not growing:
                return
            else:
                await asyncio.wait({left}, timeout=settings.live_poll_s)
            if loop.time() >= recheck_at:
                recheck_at = loop.time() + settings.live_recheck_s
                segment = await self._look_again()
                if segment is None:
                    return
                over = segment.state != "open"

    async def _read(self, position: int) -> tuple[bytes, bool]:
        """Return what comes next, and whether more may come."""
        try:
            return await self._web.disk.run(functools.partial(self._read_file, position))
        except OSError as error:
            raise UnavailableError(f"reading failed: {error.strerror}") from error

    def _read_file(self, position: int) -> tuple[bytes, bool]:
        # In this order: what is complete before it is read is read completely.
        growing = self._web.ports.recordings.is_growing(self._path, self._descriptor)
        return os.pread(self._descriptor, CHUNK, position), growing


async def _has_left(receive: Receive) -> None:
    """Return when the listener's connection is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
