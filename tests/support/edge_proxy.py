"""Kamailio as the proxy in front of telephones: it adds Path and keeps the way to them."""

import contextlib
import glob
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support import ports
from tests.support.process import Child

MODULES = "/usr/lib/*/kamailio/modules"

SCRIPT = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:{host}:{port}
mpath="{modules}/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "path.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "xlog.so"
modparam("path", "use_received", 1)
request_route {{
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{ loose_route(); t_relay(); exit; }}
  if ($sp == {server_port}) {{
    # Whoever calls a telephone has to know the way: its Contact alone is not taken.
    if (!is_present_hf("Route")) {{ sl_send_reply("403", "No Route"); exit; }}
    loose_route();
    xlog("L_INFO", "by the path: $rm $ru\\n");
    record_route(); t_relay(); exit;
  }}
  if (is_method("REGISTER")) add_path_received(); else record_route();
  $du = "sip:{server}";
  t_relay();
}}
"""


@contextlib.asynccontextmanager
async def edge_proxy(folder: Path, server: str) -> AsyncIterator[tuple[str, Child]]:
    """Start a proxy before the server `host:port`; yields its own `host:port`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = ports.take(2)
    (modules,) = glob.glob(MODULES)  # noqa: PTH207 - the folder's name says the machine's kind
    script = SCRIPT.format(
        host=ports.LOOPBACK,
        port=port,
        modules=modules,
        server=server,
        server_port=server.rpartition(":")[2],
    )
    path = folder / "kamailio.cfg"
    path.write_text(script)
    argv: list[str | Path] = ["kamailio", "-f", path, "-DD", "-E", "-m", "32", "-M", "8"]
    async with Child("kamailio", [*argv, "-w", folder, "-Y", folder]) as child:
        await child.wait_for("Listening on|listening on|udp: ")
        yield f"{ports.LOOPBACK}:{port}", child
