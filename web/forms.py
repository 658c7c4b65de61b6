"""Forms, and whether they come from our own pages."""

from urllib.parse import parse_qsl, urlsplit

from fastapi import Request

from web.context import web_of
from web.errors import HttpProblem

MAX_BODY = 16_384
MAX_FIELDS = 30


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form (`application/x-www-form-urlencoded`); the first of each name."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HttpProblem(422, "a form is expected")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HttpProblem(413, f"more than {MAX_BODY} octets")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except ValueError as error:
        raise HttpProblem(400, "the form can't be read") from error
    return dict(reversed(pairs))


def check_origin(request: Request) -> None:
    """Refuse what another site's page sends; beside SameSite cookies and the form's token.

    Browsers send `Origin` with every POST. Programs send neither header, and have no cookies
    that someone else could use.
    """
    origin = request.headers.get("origin")
    if origin is not None:
        if origin not in _own_origins(request):
            raise HttpProblem(403, "this came from another site")
    elif request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HttpProblem(403, "this came from another site")


def _own_origins(request: Request) -> set[str]:
    public = web_of(request).settings.public_url
    if public:
        parts = urlsplit(public)
        return {f"{parts.scheme}://{parts.netloc}"}
    host = request.headers.get("host", "")
    return {f"http://{host}", f"https://{host}"}


def local_path(target: str, default: str = "/calls") -> str:
    """Return a place on this server to go on to, never another site's address."""
    # Browsers read a backslash as a slash, and skip control characters.
    if not target.startswith("/") or target[1:2] in {"/", "\\"}:
        return default
    if len(target) > 2000 or not target.isprintable() or "\\" in target:
        return default
    return target
