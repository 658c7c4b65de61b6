"""Who asks: a user with a session cookie, or a program with a bearer token.

The cookie holds 256 random bits, the database their SHA-256. Every request asks the database
again, so that a logout, a disabled user and a revoked token count at once.
"""

import contextlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request

from cdr.account_records import SessionTouched
from cdr.rows import CallRow, SessionRow, UserRow
from web.context import Web, web_of
from web.errors import HttpProblem, LoginNeeded, WebError
from web.forms import check_origin, read_form
from web.secret import digest

TOUCH_US = 60_000_000
"A session's sign of life is written at most once a minute."

ALL_SCOPES = frozenset({"calls", "audio", "metrics", "audit"})
"What a token may be for."

ROLE_SCOPES: Final[Mapping[str, frozenset[str]]] = {
    "admin": ALL_SCOPES,
    "listener": frozenset({"calls", "audio"}),
    "auditor": frozenset({"audit"}),
}
"What a session may, by the user's role; one that we don't know may nothing."


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The one who asks, and what he may."""

    actor: str
    "For the audit log: `web:ada`, `token:reports`."
    name: str
    admin: bool
    scopes: frozenset[str]
    extensions: tuple[str, ...] | None
    "Only calls in which one of these took part; None: all."
    csrf_token: str = field(default="", repr=False)
    session_hash: str = field(default="", repr=False)

    @property
    def may_see_calls(self) -> bool:
        """Whether he may see calls at all; which ones, `may_see` knows."""
        return "calls" in self.scopes

    @property
    def may_audit(self) -> bool:
        """Whether he may see who did what, and what all recordings rest on."""
        return "audit" in self.scopes

    def may_see(self, call: CallRow) -> bool:
        if self.extensions is None:
            return True
        return any(party.extension in self.extensions for party in call.parties)


def cookie_name(request: Request) -> str:
    """Return the session cookie's name.

    Over TLS browsers bind `__Host-` to this very host, and refuse it without `Secure`.
    """
    return "__Host-mitschnitt" if is_secure(request) else "mitschnitt"


def is_secure(request: Request) -> bool:
    """Tell whether the browser reaches us over TLS, maybe through a proxy."""
    return web_of(request).settings.always_secure or request.url.scheme == "https"


async def find_viewer(request: Request) -> Viewer | None:
    """Return who asks; None where nobody is logged in."""
    web = web_of(request)
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return await _by_token(web, authorization)
    cookie = request.cookies.get(cookie_name(request), "")
    if not 20 <= len(cookie) <= 100:
        return None
    return await _by_session(web, digest(cookie))


async def _by_token(web: Web, authorization: str) -> Viewer | None:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    row = await web.ports.reader.token(digest(token.strip()))
    if row is None or row.revoked_at is not None:
        return None
    return Viewer(
        actor=f"token:{row.name}",
        name=row.name,
        admin=False,
        scopes=frozenset(row.scopes.split(",")) & ALL_SCOPES,
        extensions=None,
    )


async def _by_session(web: Web, id_hash: str) -> Viewer | None:
    found = await web.ports.reader.session(id_hash)
    if found is None:
        return None
    session, user = found
    now = web.ports.wall()
    if user.disabled_at is not None or not session.valid_at(now):
        return None
    await _touch(web, session, now)
    return _as_viewer(session, user)


def _as_viewer(session: SessionRow, user: UserRow) -> Viewer:
    admin = user.role == "admin"
    return Viewer(
        actor=f"web:{user.name}",
        name=user.name,
        admin=admin,
        scopes=ROLE_SCOPES.get(user.role, frozenset()),
        extensions=None if admin else tuple(filter(None, user.extensions.split(","))),
        csrf_token=session.csrf_token,
        session_hash=session.id_hash,
    )


async def _touch(web: Web, session: SessionRow, now: int) -> None:
    idle_expires_at = now + web.settings.session_idle_s * 1_000_000
    if idle_expires_at - session.idle_expires_at < TOUCH_US:
        return
    # Without the writer the pages can still be read; the session then ends a little early.
    with contextlib.suppress(WebError):
        await web.ports.changes.write(
            SessionTouched(id_hash=session.id_hash, idle_expires_at=idle_expires_at)
        )


async def _any_viewer(request: Request) -> Viewer:
    viewer = await find_viewer(request)
    if viewer is None:
        raise LoginNeeded
    return viewer


async def _with_session(request: Request) -> Viewer:
    viewer = await _any_viewer(request)
    if not viewer.session_hash:
        raise HttpProblem(403, "pages are for people, not for tokens")
    return viewer


async def _with_proofs(request: Request) -> Viewer:
    viewer = await _with_session(request)
    if not viewer.may_audit:
        raise HttpProblem(403, "only for administrators and auditors")
    return viewer


def scoped(viewer: Viewer, scope: str) -> None:
    """Refuse a token that is not for this."""
    if scope not in viewer.scopes:
        raise HttpProblem(403, f"this needs the scope {scope}")


AnyViewer: TypeAlias = Annotated[Viewer, Depends(_any_viewer)]
"A session or a token."
PageViewer: TypeAlias = Annotated[Viewer, Depends(_with_session)]
"A person with a session."
AuditViewer: TypeAlias = Annotated[Viewer, Depends(_with_proofs)]
"A person who may see the proofs."


@dataclass(frozen=True, slots=True)
class Submitted:
    """A form that really came from a page of ours, and who sent it."""

    viewer: Viewer
    fields: dict[str, str] = field(repr=False)


async def _submitted(request: Request) -> Submitted:
    check_origin(request)
    viewer = await _with_session(request)
    fields = await read_form(request)
    sent = fields.get("csrf_token", "").encode()
    if not hmac.compare_digest(sent, viewer.csrf_token.encode()):
        raise HttpProblem(403, "the form is stale: load the page again")
    return Submitted(viewer, fields)


async def _submitted_by_auditor(request: Request) -> Submitted:
    form = await _submitted(request)
    if not form.viewer.may_audit:
        raise HttpProblem(403, "only for administrators and auditors")
    return form


async def _submitted_by_admin(request: Request) -> Submitted:
    form = await _submitted(request)
    if not form.viewer.admin:
        raise HttpProblem(403, "only an administrator may change this")
    return form


AuditForm: TypeAlias = Annotated[Submitted, Depends(_submitted_by_auditor)]
AnyForm: TypeAlias = Annotated[Submitted, Depends(_submitted)]
AdminForm: TypeAlias = Annotated[Submitted, Depends(_submitted_by_admin)]
