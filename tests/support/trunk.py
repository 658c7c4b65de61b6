"""The outside world: what the server has to know of a trunk, and phones behind one."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from tests.support import ports
from tests.support.audio import Pcm
from tests.support.phones.baresip import Baresip, baresip
from tests.support.phones.phone import Account, PhoneSetup
from tests.support.phones.pyvoip import PyVoip, pyvoip

DID = "4930123450"
CALLER = "493098765"
"Number of the one outside phone that a test usually needs."

OTHER_HOST = "127.0.0.2"
"Of outside phones that a server is to recognise by their address alone."

OUTGOING = {"pattern": "0Z.", "strip": 1}
"The usual route: 0 for an outside line, then the number."


def trunk_settings(
    port: int,
    *,
    dids: Mapping[str, str] | None = None,
    routes: Sequence[Mapping[str, Any]] = (),
    host: str = ports.LOOPBACK,
    name: str = "provider",
    **more: Any,
) -> str:
    """Return the TOML of one trunk peer at `host:port` and of the routes that lead to it.

    Port 0 stands for any source port; then the server can't call the trunk. The trunk's
    further keys (`caller_id`, `transport`) may be given, and each route names the trunk.
    """
    address = f"{host}:{port}" if port else host
    trunk = {"name": name, "address": address, "dids": dids or {DID: "101"}, **more}
    tables = [("trunk", trunk), *(("route", {"trunk": name, **route}) for route in routes)]
    return "".join(
        f"[[{heading}]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in table.items())
        for heading, table in tables
    )


def _value(value: object) -> str:
    """Return a TOML value; of its strings, numbers, truths and lists JSON has the same form."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_value(str(key))} = {_value(held)}" for key, held in value.items())
        return f"{{ {pairs} }}"
    return json.dumps(value)


def dialled(server: str, number: str = DID) -> str:
    """Return what a baresip without a registrar dials to reach a number of `host:port`."""
    return f"sip:{number}@{server}"


def outside_baresip(
    folder: Path,
    says: Pcm,
    *,
    port: int,
    number: str = CALLER,
    codecs: str = "pcma,pcmu",
    parameters: str = "",
    settings: str = "",
) -> AbstractAsyncContextManager[Baresip]:
    """Start baresip behind the trunk `127.0.0.1:port`.

    It calls `dialled(server)`, and answers what is called by its own number: the one that
    the server's route sends to the trunk.
    """
    setup = PhoneSetup(account=Account(user=number), folder=folder, says=says)
    return baresip(setup, codecs=codecs, parameters=parameters, settings=settings, port=port)


def outside_pyvoip(
    folder: Path,
    says: Pcm,
    *,
    server: str,
    host: str = OTHER_HOST,
    port: int | None = None,
    number: str = CALLER,
) -> AbstractAsyncContextManager[PyVoip]:
    """Start pyVoIP behind the trunk `host` (or `host:port`) of the server `host:port`.

    It calls the number itself (`dial(DID)`), and answers whatever the server sends it.
    """
    setup = PhoneSetup(account=Account(user=number), folder=folder, says=says)
    return pyvoip(setup, trunk_of=server, host=host, port=port)
