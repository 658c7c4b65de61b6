"""Who of a call's parties may be heard in its file, by what they have agreed to."""

from collections.abc import Collection

from b2bua.calls.party import Party
from b2bua.calls.recording.evidence import Agreement, Evidence, EvidenceError
from b2bua.calls.sessions.bridge import Side
from recording.permit import RecordingPermit


class PartyPermits:
    """The permits of one call: each party's own."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.parties: tuple[Party, Party] | None = None
        self.agreements: dict[Side, Agreement] = {}
        "The yes of outside parties."
        self.carried_on = False
        "It began before the call was transferred here: who has not agreed is silence in it."

    def of_all(self, *, without: Collection[Side] = ()) -> dict[Side, RecordingPermit]:
        """Return the permit of each party who may be heard; raises `EvidenceError`.

        Both have to, where the recording is this call's own. One that goes on from another call
        begins with whoever has agreed.
        """
        sides = [side for side in Side if side not in without]
        if self.carried_on:
            sides = [side for side in sides if self._has_agreed(side)]
            if not sides and not without:
                raise EvidenceError("nobody has agreed")
        return {side: self._permit(side) for side in sides}

    def _has_agreed(self, side: Side) -> bool:
        assert self.parties is not None
        extension = self.parties[side].extension
        if extension is not None:
            return extension.opt_in_at is not None
        return side in self.agreements

    def _permit(self, side: Side) -> RecordingPermit:
        """Return the permit of one party; raises `EvidenceError`."""
        assert self.parties is not None
        extension = self.parties[side].extension
        if extension is not None:
            return self.evidence.opt_in(side, extension)
        if side not in self.agreements:
            raise EvidenceError("the outside party has not agreed")
        return self.evidence.agreed(side, self.agreements[side])
