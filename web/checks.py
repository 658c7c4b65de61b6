"""Whether the proofs are whole: asked for by a button, since it goes through all that there is.

One check at a time, and none for longer than a reader waits for a page. A log that takes longer
is checked on the command line.
"""

import asyncio
from dataclasses import dataclass

from cdr.audit import AuditReport
from cdr.ledger import LedgerReport
from cdr.proofs import GroundsReport, Proofs


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a check has found."""

    log: AuditReport
    calls: LedgerReport
    recordings: GroundsReport

    @property
    def whole(self) -> bool:
        return self.log.intact and self.calls.complete and not self.recordings.groundless


class CheckRunningError(Exception):
    """Somebody's check is under way."""


class Checks:
    """Makes them."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._running = False

    async def run(self, reader: Proofs) -> Findings:
        """Return what was found; raises `TimeoutError` and `CheckRunningError`."""
        if self._running:
            raise CheckRunningError
        self._running = True
        try:
            async with asyncio.timeout(self._limit_s):
                return Findings(
                    log=await reader.verify_audit(),
                    calls=await reader.verify_ledger(),
                    recordings=await reader.verify_grounds(),
                )
        finally:
            self._running = False
