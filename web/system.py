"""For machines: is it alive, is it ready, what does it count."""

import logging

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from cdr.errors import CdrError
from web.access import find_viewer, scoped
from web.context import web_of
from web.errors import ChangeRefusedError, LoginNeeded, UnavailableError
from web.ports import Ports

logger = logging.getLogger("web.system")

router = APIRouter(include_in_schema=False)

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz")
async def healthz() -> PlainTextResponse:
    """Tell that this process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def readyz(request: Request) -> PlainTextResponse:
    """Tell whether calls are taken and their records can be read, and why not.

    This answer goes to anyone: what names places on the disk stands in the log only.
    """
    trouble = await _trouble(web_of(request).ports)
    if trouble is not None:
        logger.warning("not ready: %s", trouble)
        return PlainTextResponse(f"not ready: {trouble}\n", 503)
    return PlainTextResponse("ready\n")


async def _trouble(ports: Ports) -> str | None:
    try:
        await ports.reader.calls(limit=1)
        return (await ports.live.status()).trouble
    except CdrError as error:
        logger.warning("reading: %s", error)
        return "the database can't be read"
    except (UnavailableError, ChangeRefusedError) as error:
        logger.warning("asking: %s", error)
        return "the server does not answer"


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
