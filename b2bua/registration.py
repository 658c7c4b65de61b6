"""REGISTER as phones send it: the registrar's answer, and bindings that survive a restart."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from b2bua.directory import Extension
from b2bua.settings.sip import SipConfig
from b2bua.wall_clock import MICROSECONDS, wall_us
from cdr.journal import Journal
from cdr.records import BindingRemoved, BindingStored
from cdr.rows import BindingRow
from sip.address import Flow, HostPort, Transport
from sip.endpoint import Endpoint
from sip.events import RequestOffered
from sip.registrar import Binding, BindingChange, Registrar

logger = logging.getLogger("b2bua.registration")


_TRANSPORTS: dict[str, Transport] = {"UDP": "UDP", "TCP": "TCP", "TLS": "TLS"}


class Registrations:
    """The registrar with its memory. Bindings live on the monotonic clock, rows on the wall's."""

    def __init__(
        self, config: SipConfig, journal: Journal, endpoint: Endpoint, kick: Callable[[], None]
    ) -> None:
        self.registrar = Registrar(
            min_expires=config.min_expires_s,
            max_expires=config.max_expires_s,
            max_contacts=config.max_contacts,
            require_path_support=config.require_path_support,
        )
        self._journal = journal
        self._endpoint = endpoint
        self._kick = kick

    def restore(self, rows: Iterable[BindingRow], reachable: Callable[[Flow], Flow | None]) -> None:
        """Take up what was registered before a restart, so that phones are callable at once.

        Connections did not outlive it: what was reached over one has to register again, and so
        has what was reached over an address that is ours no more. `reachable`: a flow of the
        last run to one of this run.
        """
        ahead = time.monotonic() - time.time()
        for row in rows:
            binding = _from_row(row, ahead)
            flow = None if binding.flow.reliable else reachable(binding.flow)
            if flow is None:
                self._write([BindingChange(kind="lost", binding=binding)])
            else:
                self.registrar.restore([replace(binding, flow=flow)])

    @property
    def count(self) -> int:
        """How many bindings there are."""
        return len(self.registrar)

    def register(self, event: RequestOffered) -> None:
        """Answer a REGISTER whose sender the gate has verified."""
        assert isinstance(event.identity, Extension)
        now = time.monotonic()
        result = self.registrar.process(event.request, event.identity.number, event.flow, now)
        self._endpoint.respond(
            event.transaction, result.code, now, reason=result.reason, headers=result.headers
        )
        self._kick()
        for old, new in result.moved:
            self._endpoint.calls.move(old, new)
        self._write(result.changes)

    def connection_lost(self, flow: Flow) -> None:
        """Forget what was reached over a connection that has ended."""
        self._write(self.registrar.flow_lost(flow))

    def flow_failed(self, binding: Binding) -> None:
        """Forget what a proxy can't reach any more."""
        self._write(self.registrar.flow_failed(binding))

    def expire(self) -> None:
        """Forget what has run out."""
        self._write(self.registrar.expire(time.monotonic()))

    def _write(self, changes: Iterable[BindingChange]) -> None:
        ahead = time.time() - time.monotonic()
        for change in changes:
            binding = change.binding
            logger.info(
                "registered" if change.stored else "unregistered",
                extra={"aor": binding.aor, "source": str(binding.flow.remote)},
            )
            if change.stored:
                self._journal.put(_to_row(binding, ahead))
            else:
                self._journal.put(BindingRemoved(aor=binding.aor, contact=binding.contact))


def _to_row(binding: Binding, ahead: float) -> BindingStored:
    return BindingStored(
        aor=binding.aor,
        contact=binding.contact,
        transport=binding.flow.transport,
        local_host=binding.flow.local.host,
        local_port=binding.flow.local.port,
        remote_host=binding.flow.remote.host,
        remote_port=binding.flow.remote.port,
        registered_at=wall_us(),
        expires_at=int((binding.expires_at + ahead) * MICROSECONDS),
        call_id=binding.call_id,
        cseq=binding.cseq,
        reg_id=binding.reg_id,
        instance=binding.instance,
        path=binding.path,
        user_agent=binding.user_agent,
        q=binding.q,
    )


def _from_row(row: BindingRow, ahead: float) -> Binding:
    """Read a stored binding."""
    return Binding(
        aor=row.aor,
        contact=row.contact,
        flow=Flow(
            transport=_TRANSPORTS[row.transport],
            local=HostPort(row.local_host, row.local_port),
            remote=HostPort(row.remote_host, row.remote_port),
        ),
        expires_at=row.expires_at / MICROSECONDS + ahead,
        call_id=row.call_id,
        cseq=row.cseq,
        instance=row.instance,
        reg_id=row.reg_id,
        path=row.path,
        user_agent=row.user_agent,
        q=row.q,
    )
