"""The pages and the API as one ASGI application.

The application (`b2bua`) makes it with `create_app`, and runs it with uvicorn. Nothing here
listens, opens the database or reads a configuration.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from web import api, audio, audit_api, live, problems, system
from web.checks import Checks
from web.context import Web
from web.disk import Disk
from web.headers import SecurityHeaders
from web.listening import ListeningLog, LiveListeners
from web.pages import audit, audit_log, audit_sheet, calls, extensions, login, storage
from web.pages.rendering import make_templates
from web.passwords import Passwords
from web.ports import Ports
from web.settings import HERE, WebSettings
from web.throttle import LoginThrottle


def create_app(
    ports: Ports, settings: WebSettings, hasher: PasswordHasher | None = None
) -> FastAPI:
    """Return the application. `hasher`: only tests need a cheaper one."""
    web = Web(
        ports=ports,
        settings=settings,
        templates=make_templates(),
        disk=Disk(settings.disk_timeout_s),
        passwords=Passwords(hasher),
        throttle=LoginThrottle(),
        listening=ListeningLog(ports.changes, settings.listen_again_s, ports.monotonic),
        live=LiveListeners(settings.max_live),
        checks=Checks(settings.check_s),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        web.disk.close()
        web.passwords.close()

    # No generated documentation pages: they load scripts from elsewhere.
    app = FastAPI(
        title="Mitschnitt",
        version=settings.version or "1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.web = web
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    for module in (system, api, audit_api, audio, live, login, calls, extensions, storage):
        app.include_router(module.router)
    for module in (audit, audit_log, audit_sheet):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    return app
