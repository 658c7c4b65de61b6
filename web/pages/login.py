"""Logging in and out, and choosing the language."""

import contextlib
import logging
import math
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cdr.account_records import SessionClosed, SessionOpened
from cdr.records import AuditEntry
from web.access import AnyForm, cookie_name, find_viewer, is_secure
from web.context import Web, source_of, web_of
from web.errors import ChangeRefusedError, HttpProblem
from web.forms import check_origin, local_path, read_form
from web.pages.rendering import LANGUAGE_COOKIE, page, see_other
from web.passwords import MAX_LENGTH
from web.secret import digest
from web.texts import LANGUAGES

logger = logging.getLogger("web.login")

router = APIRouter(include_in_schema=False)

MAX_NAME = 80
YEAR_S = 365 * 24 * 3600

Next = Annotated[str, Query(alias="next", max_length=2000)]


@router.get("/")
async def start() -> Response:
    """Go to the calls."""
    return see_other("/calls")


@router.get("/login")
async def login_page(
    request: Request, target: Next = "", reason: Annotated[str, Query(max_length=10)] = ""
) -> Response:
    """Show the form; who is logged in goes on."""
    if await find_viewer(request) is not None:
        return see_other(local_path(target))
    notice = "login.out" if reason == "out" else None
    if target and cookie_name(request) in request.cookies:
        notice = "login.again"
    return page(request, "login.html", target=local_path(target), notice=notice, name="", wait=None)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Check name and password, and open a session."""
    check_origin(request)
    web = web_of(request)
    form = await read_form(request)
    name, password = form.get("name", "").strip(), form.get("password", "")
    source = source_of(request)
    wait_s = web.throttle.enter(name[:MAX_NAME].casefold(), source, web.ports.monotonic())
    if wait_s > 0:
        seconds = math.ceil(wait_s)
        return _again(request, form, 429, {"Retry-After": str(seconds)}, wait=seconds)
    if not await _is_right(web, name, password):
        await _refused(web, name, source)
        return _again(request, form, 401, {})
    web.throttle.succeeded(name.casefold(), source)
    return await _opened(request, name, local_path(form.get("next", "")))


async def _is_right(web: Web, name: str, password: str) -> bool:
    user = await web.ports.reader.user(name) if 0 < len(name) <= MAX_NAME else None
    valid = user is not None and user.disabled_at is None
    stored = user.password_hash if user is not None and valid else None
    return await web.passwords.verify(stored, password[:MAX_LENGTH])


async def _refused(web: Web, name: str, source: str) -> None:
    """Leave a line for fail2ban, and an audit row; the throttle bounds both."""
    logger.warning("login refused for %r from %s", name[:MAX_NAME], source)
    await web.ports.changes.write(
        AuditEntry(
            at=web.ports.wall(),
            actor="web",
            action="login.refused",
            object=name[:MAX_NAME],
            detail={"source": source},
        )
    )


def _again(
    request: Request,
    form: dict[str, str],
    status: int,
    headers: dict[str, str],
    wait: int | None = None,
) -> Response:
    return page(
        request,
        "login.html",
        status=status,
        headers=headers,
        target=local_path(form.get("next", "")),
        notice="login.wrong" if wait is None else None,
        name=form.get("name", "")[:MAX_NAME],
        wait=wait,
    )


async def _opened(request: Request, name: str, target: str) -> Response:
    web = web_of(request)
    now, secret = web.ports.wall(), web.ports.secret()
    try:
        await web.ports.changes.write(
            SessionOpened(
                actor=f"web:{name}",
                at=now,
                id_hash=digest(secret),
                user=name,
                csrf_token=web.ports.secret(),
                idle_expires_at=now + web.settings.session_idle_s * 1_000_000,
                expires_at=now + web.settings.session_s * 1_000_000,
                source=source_of(request),
            )
        )
    except ChangeRefusedError as error:
        raise HttpProblem(403, "the user was disabled just now") from error
    logger.info("login of %r from %s", name, source_of(request))
    response = see_other(target)
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=web.settings.session_s,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )
    return response


@router.post("/logout")
async def log_out(request: Request, form: AnyForm) -> Response:
    """Forget the session, here and in the browser."""
    web = web_of(request)
    with contextlib.suppress(ChangeRefusedError):
        await web.ports.changes.write(
            SessionClosed(
                actor=form.viewer.actor, at=web.ports.wall(), id_hash=form.viewer.session_hash
            )
        )
    response = see_other("/login", reason="out")
    response.delete_cookie(
        cookie_name(request),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )
    # Recordings that the browser has kept are nobody's any more.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@router.get("/language/{code}")
async def choose_language(request: Request, code: str, target: Next = "") -> Response:
    """Keep the reader's choice, and go back to where he was."""
    if code not in LANGUAGES:
        raise HttpProblem(404, "this language is not spoken here")
    response = see_other(local_path(target))
    response.set_cookie(
        LANGUAGE_COOKIE,
        code,
        max_age=YEAR_S,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response
