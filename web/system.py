"""For machines: is it alive, is it ready, what does it count."""

import logging

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from cdr.errors import CdrError
from web.access import find_viewer, scoped
from web.context import web_of
from web.errors import LoginNeeded, UnavailableError

logger = logging.getLogger("web.system")

router = APIRouter(include_in_schema=False)

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz")
async def healthz() -> PlainTextResponse:
    """Tell that this process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def readyz(request: Request) -> PlainTextResponse:
    """Tell whether calls are taken and their records can be read.

    Why not, stands in the log: this answer goes to anyone.
    """
    ports = web_of(request).ports
    try:
        await ports.reader.calls(limit=1)
        trouble = (await ports.live.status()).trouble
    except (CdrError, UnavailableError) as error:
        trouble = str(error)
    if trouble is not None:
        logger.warning("not ready: %s", trouble)
        return PlainTextResponse("not ready\n", 503)
    return PlainTextResponse("ready\n")


@router.get("/metrics")
async def metrics(request: Request) -> PlainTextResponse:
    """Return all counters, for a token with the scope `metrics` or an administrator."""
    web = web_of(request)
    if not web.settings.open_metrics:
        viewer = await find_viewer(request)
        if viewer is None:
            raise LoginNeeded
        scoped(viewer, "metrics")
    return PlainTextResponse(await web.ports.live.metrics(), media_type=PROMETHEUS_TEXT)
