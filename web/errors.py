"""Errors of the pages and the API.

WebError
├── ChangeRefusedError   a port says: this change can't be made
├── UnavailableError     a port says: nobody answers just now
└── HttpProblem          the answer to a request, with its status
    └── LoginNeeded      nobody is logged in
"""

from collections.abc import Mapping


class WebError(Exception):
    """What a request can fail with."""


class ChangeRefusedError(WebError):
    """The change itself can't be made; the text says why."""


class UnavailableError(WebError):
    """The signalling process, the disk or the database gives no answer just now."""


class HttpProblem(WebError):  # noqa: N818 - the word of RFC 9457
    """What a request is answered with: a page for people, `problem+json` for programs."""

    def __init__(
        self, status: int, detail: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        "In English, for programs; pages have sentences of their own for each status."
        self.headers = dict(headers or {})


class LoginNeeded(HttpProblem):
    """Nobody is logged in, or the token is unknown."""

    def __init__(self) -> None:
        super().__init__(401, "log in, or send a bearer token", {"WWW-Authenticate": "Bearer"})
