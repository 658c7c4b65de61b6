"""What the signalling process and its web process tell each other (`b2bua/web/child.py`)."""

import msgspec

from b2bua.media.messages import Counters


class WebSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the web process is told, once, on its command line; nothing is secret."""

    channel_fd: int
    listen_fd: int
    "The listening socket belongs to the parent: who knocks while the child is gone, waits."
    database: str
    recordings: str
    control_socket: str
    public_url: str
    proxies: tuple[str, ...]
    open_metrics: bool
    session_idle_s: int
    session_s: int
    record_code: str
    version: str


FromWeb = Counters
"What comes back, once a second: a sign of life."
