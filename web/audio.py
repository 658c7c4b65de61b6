"""A recording's audio: found by its opaque id, shown to whom it may concern, in parts.

The way is id -> row -> path of the row -> file below the folder. Nothing of the request's own
text becomes part of a path. Who may not see a call gets the same answer as for one that does
not exist.
"""

import asyncio
import functools
import logging
import os
import re
import stat
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from cdr.records import AuditEntry
from cdr.rows import CallRow, SegmentRow
from web.access import AnyViewer, Viewer, scoped
from web.context import Web, source_of, web_of
from web.disk import Disk
from web.errors import HttpProblem, UnavailableError
from web.ranges import (
    ByteRange,
    UnsatisfiableRangeError,
    none_match,
    range_applies,
    requested_range,
)

logger = logging.getLogger("web.audio")

router = APIRouter()

CHUNK = 65_536
AUDIO_PATH = "/api/v1/recordings/{recording_id}/audio"
DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The MP3.", "content": {"audio/mpeg": {}}},
    206: {"description": "The wanted range of it.", "content": {"audio/mpeg": {}}},
    304: {"description": "`If-None-Match` knows it."},
    404: {"description": "There is no such recording, or none that the asker may hear."},
    410: {"description": "Its file is gone."},
    416: {"description": "The range begins beyond the end."},
}
NOT_HERE = "there is no such recording"

_UNUSUAL = re.compile(r"[^0-9A-Za-z+._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFile:
    """An open recording."""

    descriptor: int
    size: int
    modified: float

    def etag(self, segment: SegmentRow) -> str:
        """Return the strong validator: the recording's hash, and its length as it is now."""
        return f'"{segment.sha256 or int(self.modified)}-{self.size}"'


def file_name(segment: SegmentRow) -> str:
    """Return the name under which a recording is saved: harmless everywhere."""
    name = PurePosixPath(segment.relative_path or "").name
    return _UNUSUAL.sub("-", name) or f"{segment.id}.mp3"


@router.head(AUDIO_PATH, include_in_schema=False)
@router.get(AUDIO_PATH, response_class=Response, responses=DESCRIBED)
async def audio(
    request: Request,
    recording_id: str,
    viewer: AnyViewer,
    *,
    download: Annotated[bool, Query()] = False,
) -> Response:
    """Return the MP3, or a range of it."""
    scoped(viewer, "audio")
    web = web_of(request)
    segment, call = await visible(web, viewer, recording_id)
    if segment.state == "open":
        raise HttpProblem(404, "the recording is still running")
    if not segment.playable:
        raise HttpProblem(410, "the recording has no file any more")
    opened = await _open(web, segment)
    try:
        response = _response(request, web.disk, opened, segment, download=download)
        if request.method == "GET" and response.status_code != 416:
            await web.listening.note(_entry(request, viewer, segment, call, download=download))
    except BaseException:
        os.close(opened.descriptor)
        raise
    if not isinstance(response, AudioResponse):
        os.close(opened.descriptor)
    return response


async def visible(web: Web, viewer: Viewer, recording_id: str) -> tuple[SegmentRow, CallRow]:
    """Return a recording and its call, where the viewer may see it; else 404."""
    segment = await web.ports.reader.recording(recording_id)
    if segment is None:
        raise HttpProblem(404, NOT_HERE)
    call = await web.ports.reader.call(segment.call_id)
    if call is None or not viewer.may_see(call):
        raise HttpProblem(404, NOT_HERE)
    return segment, call


async def _open(web: Web, segment: SegmentRow) -> AudioFile:
    assert segment.relative_path is not None
    work = functools.partial(_open_file, web, segment.relative_path)
    try:
        return await web.disk.run(work, abandoned=lambda late: os.close(late.descriptor))
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        logger.warning("recording %s: its file is gone", segment.id)
        raise HttpProblem(410, "the recording has no file any more") from error
    except OSError as error:
        logger.warning("recording %s can't be read: %s", segment.id, error.strerror)
        raise UnavailableError("the recording can't be read just now") from error


def _open_file(web: Web, relative_path: str) -> AudioFile:
    descriptor = web.ports.recordings.open(relative_path)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        os.close(descriptor)
        raise FileNotFoundError(relative_path)
    return AudioFile(descriptor=descriptor, size=status.st_size, modified=status.st_mtime)


def _response(
    request: Request, disk: Disk, opened: AudioFile, segment: SegmentRow, *, download: bool
) -> Response:
    """Decide what goes out: :rfc:`9110#section-13.2.2`, in its order."""
    etag = opened.etag(segment)
    last_modified = formatdate(opened.modified, usegmt=True)
    headers = {
        "ETag": etag,
        "Last-Modified": last_modified,
        "Accept-Ranges": "bytes",
        # The browser may keep it, but asks before each use: so that each listening is seen.
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Cookie",
        "Content-Disposition": _disposition(file_name(segment), download=download),
    }
    if none_match(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    part: ByteRange | None = None
    if range_applies(request.headers.get("if-range"), etag, last_modified):
        try:
            part = requested_range(request.headers.get("range"), opened.size)
        except UnsatisfiableRangeError:
            end = {"Content-Range": f"bytes */{opened.size}"}
            raise HttpProblem(416, "the range begins beyond the end", end) from None
    shown = part or ByteRange(0, opened.size - 1)
    headers |= {"Content-Type": "audio/mpeg", "Content-Length": str(shown.length)}
    if part is not None:
        headers["Content-Range"] = part.content_range(opened.size)
    status = 200 if part is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return AudioResponse(
        disk,
        opened.descriptor,
        shown,
        status=status,
        headers=headers,
        send_timeout_s=web_of(request).settings.send_timeout_s,
    )


def _disposition(name: str, *, download: bool) -> str:
    kind = "attachment" if download else "inline"
    return f"{kind}; filename=\"{name}\"; filename*=UTF-8''{quote(name)}"


def _entry(
    request: Request, viewer: Viewer, segment: SegmentRow, call: CallRow, *, download: bool
) -> AuditEntry:
    return AuditEntry(
        at=web_of(request).ports.wall(),
        actor=viewer.actor,
        action="recording.download" if download else "recording.play",
        object=segment.id,
        detail={"call": call.id, "source": source_of(request)},
    )


class AudioResponse(Response):
    """Sends a part of an open file in chunks, and closes it, whatever happens."""

    def __init__(
        self,
        disk: Disk,
        descriptor: int,
        part: ByteRange,
        *,
        status: int,
        headers: dict[str, str],
        send_timeout_s: float,
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        self._disk = disk
        self._descriptor = descriptor
        self._part = part
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a browser that stops taking, and a file that was cut, end it early."""
        del scope, receive
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            await self._send_body(send)
        except TimeoutError:
            logger.info("a browser took no audio for %g s", self._send_timeout_s)
        except UnavailableError as error:
            logger.warning("sending a recording was broken off: %s", error)
        finally:
            os.close(self._descriptor)

    async def _send_body(self, send: Send) -> None:
        position, end = self._part.first, self._part.last + 1
        while position < end:
            wanted = min(CHUNK, end - position)
            read = functools.partial(os.pread, self._descriptor, wanted, position)
            try:
                chunk = await self._disk.run(read)
            except OSError as error:
                raise UnavailableError(f"reading failed: {error.strerror}") from error
            if not chunk:
                raise UnavailableError("the file is shorter than it was")
            position += len(chunk)
            async with asyncio.timeout(self._send_timeout_s):
                await send(
                    {"type": "http.response.body", "body": chunk, "more_body": position < end}
                )
