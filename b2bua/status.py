"""What the server says about itself: `mitschnitt status`, the pages, and the metrics."""

import os
import time
from dataclasses import dataclass

from msgspec import structs

from b2bua.calls.switchboard import Switchboard
from b2bua.control import messages
from b2bua.media.plane import MediaPlane
from b2bua.registration import Registrations
from b2bua.trunks.trunk import Trunk, Trunks
from b2bua.web.child import WebPages
from cdr.journal import Journal
from sip.endpoint import Endpoint
from sip.io.shell import Shell
from sip.io.tls import Certificate, Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The parts that know something."""

    version: str
    endpoint: Endpoint
    transport: Shell
    plane: MediaPlane
    journal: Journal
    registrations: Registrations
    pages: WebPages
    switchboard: Switchboard
    trunks: Trunks
    tls: Tls | None = None

    def now(self) -> messages.Status:
        """Return how things are."""
        counted = self.endpoint.counters | self.transport.counters
        sip_counters = {f"sip_{name}": float(n) for name, n in counted.items()}
        return messages.Status(
            version=self.version,
            sip=str(self.endpoint.contact),
            listening=tuple(f"{local} {over}" for over, local in self.transport.listening),
            certificate=certificate_status(self.tls, time.time()),
            web=self.pages.url,
            pids={"signalling": [os.getpid()], **self.plane.pids(), **self.pages.pids()},
            calls=len(self.switchboard),
            recordings=self.plane.open_recordings,
            registrations=self.registrations.count,
            lamps=len(self.endpoint.notifier),
            accepting=self.switchboard.accepting,
            journal_healthy=self.journal.healthy,
            counters={**sip_counters, **self.plane.counters(), **self.pages.counters()},
            trunks=tuple(
                trunk_status(trunk, time.monotonic(), self.endpoint.calls.count_with(trunk))
                for trunk in self.trunks
            ),
        )


def certificate_status(tls: Tls | None, now: float) -> str:
    """Return how long each certificate lasts; `now`: seconds since the epoch."""
    if tls is None:
        return ""
    return "; ".join(_lasts(each, now) for each in tls.certificates)


def _lasts(certificate: Certificate, now: float) -> str:
    if certificate.trouble:
        return certificate.trouble
    days = int((certificate.ends_at - now) // 86_400)
    left = f"{days} days left" if days >= 0 else "has ended"
    return f"{', '.join(certificate.names)}: {left}"


def trunk_status(trunk: Trunk, now: float, calls: int = 0) -> messages.TrunkStatus:
    """Return how things stand with a trunk that has so many calls."""
    status = messages.TrunkStatus(
        name=trunk.name,
        registration="",
        watched=("not there" if trunk.down else "there") if trunk.settings.monitor_s else "",
        calls=calls,
        max_calls=trunk.settings.max_calls,
    )
    registering = trunk.registering
    if registering is None:
        return status
    granted = registering.granted
    holds = registering.holds and granted is not None
    return structs.replace(
        status,
        registration="registered" if holds else "not registered",
        server=str(trunk.home.address) if holds and trunk.home is not None else "",
        expires_in_s=max(0, round(granted.expires_at - now)) if granted else 0,
        trouble=registering.trouble,
    )
