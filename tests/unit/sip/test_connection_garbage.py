"""An ended connection goes at once: the server's garbage collector is off while there are calls.

What TLS keeps for one is some tens of kilobytes, and whoever likes may open and end them.
"""

import asyncio
import contextlib
import gc
import socket
import ssl
from pathlib import Path

import pytest

from sip.address import Transport
from sip.io.connection import Connection
from sip.io.tls import Tls
from tests.support.certificates import Authority
from tests.support.peers import require
from tests.support.shell_phone import ShellPhone, shell_phone
from tests.support.sip_raw import request

PATIENCE_S = 5.0


def come_and_go(phone: ShellPhone, transport: Transport) -> None:
    """Ask for something, hear the answer, and hang up the connection."""
    via = f"SIP/2.0/{transport} 127.0.0.1:5070;branch=z9hG4bK1;rport"
    with contextlib.closing(
        socket.create_connection((phone.local.host, phone.local.port), PATIENCE_S)
    ) as plain:
        if transport == "TLS":
            trusting = ssl.create_default_context()
            trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
            with trusting.wrap_socket(plain) as secure:
                secure.sendall(request("OPTIONS", cseq=1, via=via))
                assert secure.recv(4096)
        else:
            plain.sendall(request("OPTIONS", cseq=1, via=via))
            assert plain.recv(4096)


def connections() -> int:
    return sum(isinstance(each, Connection) for each in gc.get_objects())


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
async def test_a_connection_goes_without_the_garbage_collector(
    tmp_path: Path, transport: Transport
) -> None:
    require("openssl")
    authority = Authority(tmp_path)
    tls = Tls(authority.files(authority.issue("server"))) if transport == "TLS" else None
    async with shell_phone(transports=(transport,), tls=tls) as phone:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                await asyncio.to_thread(come_and_go, phone, transport)
            async with asyncio.timeout(PATIENCE_S):
                while connections():  # noqa: ASYNC110 - what is let go of tells nobody
                    await asyncio.sleep(0.01)
        finally:
            gc.enable()
