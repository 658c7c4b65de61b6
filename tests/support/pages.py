"""A browser without a screen: logs in, follows forms, keeps its cookie."""

import contextlib
import re
from collections.abc import AsyncIterator

import httpx
from argon2 import PasswordHasher

from b2bua.choices import Role
from b2bua.control.messages import AddUser, Done
from cdr.proofs import Proofs
from tests.support.server import Server

PASSWORD = "correct horse battery"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"Some microseconds to verify instead of 150 ms: the hash names its own cost."

_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class Pages(httpx.AsyncClient):
    """The server's pages, as one user sees them."""

    async def csrf_token(self) -> str:
        match = _CSRF.search((await self.get("/extensions")).text)
        assert match is not None, "nobody is logged in"
        return match[1]

    async def submit(self, path: str, **fields: str) -> httpx.Response:
        """Press a button of a form."""
        return await self.post(path, data={"csrf_token": await self.csrf_token(), **fields})


async def address(under_test: Server) -> str:
    """Return where the pages are."""
    url: str = (await under_test.status())["web"]
    return url


@contextlib.asynccontextmanager
async def stranger(under_test: Server) -> AsyncIterator[Pages]:
    """Open a browser in which nobody is logged in."""
    async with Pages(base_url=await address(under_test), timeout=20.0) as pages:
        yield pages


async def add_user(
    under_test: Server, name: str, role: Role = "admin", extensions: tuple[str, ...] = ()
) -> None:
    request = AddUser(name=name, password_hash=HASH, role=role, extensions=extensions)
    assert await under_test.ask(request) == Done()


@contextlib.asynccontextmanager
async def logged_in(
    under_test: Server, name: str, role: Role = "admin", extensions: tuple[str, ...] = ()
) -> AsyncIterator[Pages]:
    """Make a user and log him in."""
    await add_user(under_test, name, role, extensions)
    async with stranger(under_test) as pages:
        answer = await pages.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        yield pages


async def token(under_test: Server, name: str, scopes: str) -> dict[str, str]:
    """Make a token for a program; returns the header that shows it."""
    said = await under_test.cli("token", "add", name, "--scopes", scopes)
    return {"Authorization": f"Bearer {said.split('token: ')[1].strip()}"}


async def audited(under_test: Server) -> set[tuple[str, str, str]]:
    """Return actor, action and object of each audit row, of which none may be missing."""
    async with Proofs(under_test.data / "mitschnitt.db") as database:
        assert (await database.verify_audit()).intact
        return {(row.actor, row.action, row.object) for row in await database.audit(limit=1000)}
