"""A provider made of strangers' parts: Kamailio as its registrar and proxy, dnsmasq for its names.

And a server that is out of order: it answers everything with 503.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.support import ports
from tests.support.process import Child

HOST = "127.0.0.2"
BROKEN_HOST = "127.0.0.4"
DOMAIN = "provider.test"
USERNAME, PASSWORD = "u1", "secret of the trunk"

_MODULES = ("tm", "sl", "rr", "pv", "maxfwd", "textops", "siputils", "usrloc", "registrar", "auth")

_ROUTING = """
request_route {
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("@DOMAIN@", "@PASSWORD@", "0", "$rm")) {
            www_challenge("@DOMAIN@", "1");
            exit;
        }
        xlog("L_NOTICE", "REGISTERED $tU for $hdr(Expires)\\n");
        if (!save("location")) sl_reply_error();
        exit;
    }
    if (has_totag()) {
        if (loose_route() || (is_method("ACK") && t_check_trans())) t_relay();
        else if (!is_method("ACK")) sl_send_reply("404", "Not Here");
        exit;
    }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (!is_method("INVITE")) { sl_send_reply("200", "OK"); exit; }
    record_route();
    if ($rd == "@DOMAIN@") {
        if (!pv_proxy_authenticate("@DOMAIN@", "@PASSWORD@", "0")) {
            proxy_challenge("@DOMAIN@", "1");
            exit;
        }
        consume_credentials();
        xlog("L_NOTICE", "CALLED $rU by $fu, preferred $hdr(P-Preferred-Identity)\\n");
        $ru = "sip:" + $rU + "@@PHONE@";
    } else {
        $ru = "sip:@USERNAME@@@DOMAIN@";
        if (!lookup("location")) { sl_send_reply("480", "Offline"); exit; }
    }
    t_relay();
}
"""


def _config(port: int, phone: str) -> str:
    lines = [
        "#!KAMAILIO",
        "debug=1",
        "log_stderror=yes",
        "fork=yes",
        "children=1",
        "disable_tcp=yes",
        "auto_aliases=no",
        f"listen=udp:{HOST}:{port}",
        f'alias="{DOMAIN}"',
        *(f'loadmodule "{name}.so"' for name in (*_MODULES, "xlog")),
        'modparam("usrloc", "db_mode", 0)',
    ]
    words = {
        "@DOMAIN@": DOMAIN,
        "@PASSWORD@": PASSWORD,
        "@USERNAME@": USERNAME,
        "@PHONE@": phone,
    }
    routing = _ROUTING
    for word, value in words.items():
        routing = routing.replace(word, value)
    return "\n".join(lines) + routing


@contextlib.asynccontextmanager
async def provider(folder: Path, *, port: int, phone: str) -> AsyncIterator[Child]:
    """Run Kamailio at `HOST:port`; calls into its domain, so ours, go to `phone` (`host:port`)."""
    folder.mkdir()
    path = folder / "kamailio.cfg"
    path.write_text(_config(port, phone))
    words: list[str | Path] = [
        "kamailio",
        "-f",
        path,
        "-DD",
        "-E",
        "-w",
        folder,
        "-Y",
        folder,
        "-P",
        folder / "pid",
    ]
    async with Child("kamailio", words) as child:
        await child.wait_for(r"processes \(at least\)|Listening on")
        yield child


@contextlib.asynccontextmanager
async def names(*, port: int, broken_port: int, provider_port: int) -> AsyncIterator[None]:
    """Answer for `DOMAIN`: first a server that is out of order, then the provider (RFC 3263)."""
    words = [
        *("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"),
        *("--user=", "--log-facility=-", "--bind-interfaces", f"--port={port}"),
        f"--listen-address={ports.LOOPBACK}",
        f"--srv-host=_sip._udp.{DOMAIN},broken.{DOMAIN},{broken_port},10",
        f"--srv-host=_sip._udp.{DOMAIN},edge.{DOMAIN},{provider_port},20",
        f"--host-record=broken.{DOMAIN},{BROKEN_HOST}",
        f"--host-record=edge.{DOMAIN},{HOST}",
        f"--local=/{DOMAIN}/",
    ]
    async with Child("dnsmasq", words) as child:
        await child.wait_for("started, version")
        yield


class _OutOfOrder(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.asked: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        lines = data.decode("utf-8", "replace").split("\r\n")
        method = lines[0].partition(" ")[0]
        if method == "ACK":
            return
        self.asked.append(method)
        kept = [line for line in lines if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
        to = next(line for line in lines if line.startswith("To:"))
        answer = ["SIP/2.0 503 Out Of Order", *kept, f"{to};tag=out", "Content-Length: 0", "", ""]
        self._transport.sendto("\r\n".join(answer).encode(), address)


@contextlib.asynccontextmanager
async def out_of_order(port: int) -> AsyncIterator[list[str]]:
    """Answer 503 to everything at `BROKEN_HOST:port`; yields the methods that came."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        _OutOfOrder, local_addr=(BROKEN_HOST, port)
    )
    try:
        yield protocol.asked
    finally:
        transport.close()
