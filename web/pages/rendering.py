"""From a template to an answer, in the reader's language."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from web.access import Viewer
from web.context import web_of
from web.ports import Language
from web.settings import HERE
from web.texts import LANGUAGE_NAMES, LANGUAGES, Texts, preferred

LANGUAGE_COOKIE = "mitschnitt_language"


def make_templates() -> Environment:
    """Return the templates; whatever is put into one is escaped."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def language_of(request: Request) -> Language:
    """Return the language that was chosen, else the one that the browser asks for."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    for language in LANGUAGES:
        if chosen == language:
            return language
    return preferred(request.headers.get("accept-language", ""))


def page(
    request: Request,
    template: str,
    *,
    viewer: Viewer | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,  # noqa: ANN401 - each template has its own
) -> HTMLResponse:
    """Render a page."""
    web = web_of(request)
    language = language_of(request)
    here = _address(request)
    text = web.templates.get_template(template).render(
        t=Texts(language),
        language=language,
        languages=[
            (code, LANGUAGE_NAMES[code], f"/language/{code}?{urlencode({'next': here})}")
            for code in LANGUAGES
        ],
        path=request.url.path,
        viewer=viewer,
        version=web.settings.version,
        **context,
    )
    return HTMLResponse(
        text,
        status,
        {"Vary": "Accept-Language, Cookie", "Content-Language": language} | dict(headers or {}),
    )


def _address(request: Request) -> str:
    """Return where the reader is, for the way back from the choice of a language.

    The answer to a form has an address that can't be asked for; its page is one level up.
    """
    if request.method not in {"GET", "HEAD"}:
        return "/" + request.url.path.split("/")[1]
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def see_other(path: str, **query: str) -> RedirectResponse:
    """Go on to a page of ours after a form."""
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)
