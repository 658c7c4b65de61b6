"""The permit: without one, no tap and no recorder can be constructed.

A permit belongs to one party of one call, never to a call as a whole: a party without
one is silence in the file. This module is the only place that makes permits, and the
only one that decodes them from the wire (a test reads every other file for that), so
the question "on what basis was this recorded?" has one answer in the code.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Basis(StrEnum):
    """Why a party may be recorded."""

    OPT_IN = "opt_in"
    "The stored opt-in of an own extension, with its date and actor."

    CONSENT = "consent"
    "An outside party agreed by key in this call."

    ATTESTED = "attested"
    "An own extension pressed the record key after it asked in words; weaker evidence."

    LEGAL_DUTY = "legal_duty"
    "Informed, not asked (MiFID II)."


class InvalidPermitError(Exception):
    """The bytes are no permit: the tap stays closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPermit:
    """That one party of one call may be recorded, and what proves it."""

    call_id: str
    "The `uniqueid` of the call."

    party_id: str
    "The party (leg) that the permit is for, unique within the installation."

    basis: Basis

    evidence_id: str
    "The row of evidence that an auditor finds."

    epoch: int
    "Raised by each withdrawal; a permit of an older epoch is refused."

    def covers(self, *, party_id: str, epoch: int) -> bool:
        """Tell whether the permit is that of `party_id` and not withdrawn since."""
        return self.party_id == party_id and self.epoch == epoch


def grant(
    *, call_id: str, party_id: str, basis: Basis, evidence_id: str, epoch: int
) -> RecordingPermit:
    """Make a permit. The caller has stored, or handed to the journal, its evidence."""
    return RecordingPermit(
        call_id=call_id, party_id=party_id, basis=basis, evidence_id=evidence_id, epoch=epoch
    )


def encode(permit: RecordingPermit) -> bytes:
    """Return the permit for the way to another process (MessagePack)."""
    return msgspec.msgpack.encode(permit)


def decode(data: bytes) -> RecordingPermit:
    """Return the permit that `encode` wrote, or raise `InvalidPermitError`."""
    try:
        return msgspec.msgpack.decode(data, type=RecordingPermit)
    except msgspec.MsgspecError as error:
        raise InvalidPermitError(str(error)) from error
