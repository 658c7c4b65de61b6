"""The name servers, asked by dnspython: `sip/locating.py` walks, this file asks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sip.address import HostPort
from sip.locating import Answer, LookupFailedError, Naptr, RecordType, Srv

if TYPE_CHECKING:
    from dns.rdata import Rdata

QUESTION_S: Final = 5.0
"For one question, all name servers and repetitions together."

NEGATIVE_TTL_S: Final = 60.0
"How long it holds that there is nothing, where the zone does not say (RFC 2308)."

MAX_RECORDS: Final = 64
"Records of one answer that are read."


class Dns:
    """A stub resolver. It knows the name servers only: names in `/etc/hosts` are none of its."""

    def __init__(self, nameservers: Sequence[HostPort] = ()) -> None:
        """`nameservers`: instead of the system's. Raises `LookupFailedError`."""
        self._nameservers = tuple(nameservers)
        self._configure()

    def _configure(self) -> None:
        # Here, because a server without names to look up need not load it.
        import dns.asyncresolver  # noqa: PLC0415
        import dns.nameserver  # noqa: PLC0415
        import dns.resolver  # noqa: PLC0415

        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not self._nameservers)
        except dns.resolver.NoResolverConfiguration as error:
            raise LookupFailedError(str(error)) from error
        if self._nameservers:
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(each.host, each.port) for each in self._nameservers
            ]
        self._resolver.lifetime = QUESTION_S

    async def ask(self, name: str, kind: RecordType) -> Answer:
        """Ask one question; raises `LookupFailedError`."""
        from dns.exception import DNSException  # noqa: PLC0415
        from dns.resolver import NXDOMAIN  # noqa: PLC0415

        try:
            answer = await self._resolver.resolve(
                name.rstrip(".") + ".", kind, raise_on_no_answer=False, search=False
            )
        except NXDOMAIN:
            return Answer((), NEGATIVE_TTL_S)
        except (DNSException, OSError, ValueError) as error:
            # The network may be another one by now, with other name servers.
            self._configure()
            raise LookupFailedError(f"{kind} of {name}: {error}") from error
        if answer.rrset is None:
            return Answer((), NEGATIVE_TTL_S)
        records = tuple(_read(each, kind) for each in list(answer.rrset)[:MAX_RECORDS])
        return Answer(records, float(answer.rrset.ttl))


def _read(record: "Rdata", kind: RecordType) -> Naptr | Srv | str:
    # By the presentation format, which is typed as text, and the same for every version.
    words = record.to_text().split()
    if kind == "SRV":
        priority, weight, port, target = words
        return Srv(int(priority), int(weight), int(port), target.rstrip("."))
    if kind == "NAPTR":
        order, preference, flags, service, *_, replacement = words
        return Naptr(
            order=int(order),
            preference=int(preference),
            flags=flags.strip('"'),
            service=service.strip('"'),
            replacement=replacement.rstrip("."),
        )
    return words[0]
