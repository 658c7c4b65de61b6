"""Words to the service manager (systemd's notification protocol, sd_notify(3))."""

import os
import socket


def notify(*lines: str) -> None:
    """Send `READY=1`, `STATUS=...` and the like; nothing happens without a manager."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_UNIX, kind) as sock:
        try:
            sock.connect(address)
            sock.send("\n".join(lines).encode())
        except OSError:
            # A manager that went away, or does not read, must not stop the telephones.
            return
