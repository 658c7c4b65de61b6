"""How failures are answered: `problem+json` (:rfc:`9457`) where programs ask, pages elsewhere."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from cdr.errors import CdrError
from web.errors import ChangeRefusedError, HttpProblem, LoginNeeded, UnavailableError
from web.headers import SECURITY_HEADERS
from web.pages.rendering import page, see_other
from web.texts import CATALOGUE

logger = logging.getLogger("web.problems")

RETRY_SOON = {"Retry-After": "5"}


def problem_json(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the answer for a program."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        body["detail"] = detail
    return JSONResponse(body, status, dict(headers or {}), media_type="application/problem+json")


def answer(request: Request, problem: HttpProblem) -> Response:
    """Return the answer to a request that failed."""
    if request.url.path.startswith("/api/") or request.url.path == "/metrics":
        return problem_json(problem.status, problem.detail, problem.headers)
    if isinstance(problem, LoginNeeded) and request.method in {"GET", "HEAD"}:
        query = f"?{request.url.query}" if request.url.query else ""
        return see_other("/login", next=request.url.path + query)
    key = f"error.{problem.status}"
    return page(
        request,
        "error.html",
        status=problem.status,
        headers=problem.headers,
        error=problem.status,
        key=key if key in CATALOGUE else "error.500",
    )


def install(app: FastAPI) -> None:
    """Make the application answer each kind of failure."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, HttpProblem)
        return answer(request, error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request, HttpProblem(error.status_code, error.detail, error.headers))

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        places = (
            f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors()
        )
        return answer(request, HttpProblem(422, "; ".join(places)))

    async def on_unavailable(request: Request, error: Exception) -> Response:
        logger.warning("%s %s: %s", request.method, request.url.path, error)
        return answer(request, HttpProblem(503, str(error), RETRY_SOON))

    async def on_refused(request: Request, error: Exception) -> Response:
        return answer(request, HttpProblem(409, str(error)))

    async def on_error(request: Request, error: Exception) -> Response:
        # Starlette logs it through the server; the middleware stands inside of this handler.
        del error
        response = answer(request, HttpProblem(500))
        response.headers.update(SECURITY_HEADERS)
        return response

    app.add_exception_handler(HttpProblem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(UnavailableError, on_unavailable)
    app.add_exception_handler(CdrError, on_unavailable)
    app.add_exception_handler(ChangeRefusedError, on_refused)
    app.add_exception_handler(Exception, on_error)
