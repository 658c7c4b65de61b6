"""A party on its way from one conversation into another: what goes with it when it is lent."""

from dataclasses import dataclass

from b2bua.calls.party import Party
from b2bua.calls.recording.evidence import Agreement
from b2bua.calls.sessions.negotiation import Negotiation
from b2bua.media.leg import MediaLeg


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One party with its dialog, its leg and its word."""

    party: Party
    usage: int
    leg: MediaLeg
    negotiation: Negotiation
    allows_info: bool
    agreement: Agreement | None
    "An outside party's yes to being recorded. It holds as long as the party is on the line."
    recorded: bool
    "The conversation that it comes from was being recorded."
    fax: bool
    "Nothing of it may be recorded or altered."
    offers: frozenset[int]
    "Request ids of offers of ours that the party still has to answer (`refreshing.py`)."
    uniqueid: str
    linkedid: str
    "Of that conversation; the `linkedid` goes on with the party."
