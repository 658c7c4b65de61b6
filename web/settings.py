"""How the web process behaves; the application fills it from its configuration."""

from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Everything that may be set; the defaults suit one server behind nothing."""

    host: str = "127.0.0.1"
    "The page is for people of the house: other addresses only where the operator says so."
    port: int = 8080
    public_url: str = ""
    "As browsers see us (`https://calls.example.com`), where a proxy stands in front."
    open_metrics: bool = False
    "`/metrics` without a token: for a scraper on the same machine."
    session_idle_s: int = 3600
    session_s: int = 12 * 3600
    "In any case a new login after so long: a working day."
    page_size: int = 50
    disk_timeout_s: float = 3.0
    "A share that hangs must not hang the pages."
    send_timeout_s: float = 60.0
    "A browser that takes no octet for so long is dropped."
    listen_again_s: float = 900.0
    "One audit row for all the ranges that a player asks for within so long."
    live_poll_s: float = 0.5
    "How often a file that grows is looked at, for each listener."
    live_patience_s: float = 3.0
    "How long a recording that has just begun may be without a file, before the listener is told."
    live_recheck_s: float = 5.0
    "How often it is asked anew whether the listener may, and the recording still runs."
    max_live: int = 16
    "Who may listen to running recordings at the same time."
    check_s: float = 20.0
    "How long a check of all proofs may take, enough for about a million rows of the log."
    timezone: tzinfo | None = None
    "In which times are shown; None: that of the machine."
    record_code: str = "*1"
    "What an extension dials to start and stop a recording."
    version: str = ""
    "Shown at the foot of the pages."

    @property
    def always_secure(self) -> bool:
        """Whether browsers reach us over TLS in any case."""
        return self.public_url.startswith("https://")
