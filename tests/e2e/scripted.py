"""Scripted parties of a server under test: an extension or a trunk's caller, played by SIPp."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager

from tests.support.phones.sipp import Sipp, sipp
from tests.support.server import Server
from tests.support.trunk import DID


@contextlib.asynccontextmanager
async def scripted_extension(
    under_test: Server, number: str, scenario: str, values: Mapping[str, str] | None = None
) -> AsyncIterator[Sipp]:
    """Register an extension that the test has added, and have a scenario wait there."""
    folder, extension = under_test.folder / f"sipp{number}", under_test.extension(number)
    credentials = f"[authentication username={number} password={extension.password}]"
    fields = {"number": number, "credentials": credentials}
    async with sipp(
        "uac_register", folder / "register", target=under_test.sip, fields=fields
    ) as registering:
        await registering.finished()
    async with sipp(scenario, folder, port=registering.port, values=values) as playing:
        await playing.listening()
        yield playing


def scripted_caller(
    under_test: Server,
    scenario: str,
    *,
    port: int,
    number: str = DID,
    values: Mapping[str, str] | None = None,
) -> AbstractAsyncContextManager[Sipp]:
    """Have a scenario call a number of the server from its trunk `127.0.0.1:port`."""
    folder = under_test.folder / scenario
    target = under_test.sip
    return sipp(scenario, folder, target=target, number=number, port=port, values=values)
