"""What every handler reaches through its request."""

from dataclasses import dataclass

from fastapi import Request
from jinja2 import Environment

from web.checks import Checks
from web.disk import Disk
from web.listening import ListeningLog, LiveListeners
from web.passwords import Passwords
from web.ports import Ports
from web.settings import WebSettings
from web.throttle import LoginThrottle


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The parts of the running application."""

    ports: Ports
    settings: WebSettings
    templates: Environment
    disk: Disk
    passwords: Passwords
    throttle: LoginThrottle
    listening: ListeningLog
    live: LiveListeners
    checks: Checks


def web_of(request: Request) -> Web:
    """Return the application that got this request."""
    web = request.app.state.web
    assert isinstance(web, Web)
    return web


def source_of(request: Request) -> str:
    """Return the address of the browser (uvicorn has looked behind a trusted proxy)."""
    return request.client.host if request.client is not None else ""
