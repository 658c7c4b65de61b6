"""The recording of one call: policy, permits, evidence, taps, and what became of it.

The decision falls before anybody rings; the taps open when the parties are joined, each with
the permit of its own party; the outcome is named when the file has its name.
"""

import asyncio
import logging
import time
from datetime import datetime
from pathlib import Path

from b2bua.bridge import Bridge, Side
from b2bua.call_record import CallRecord, Verdict
from b2bua.directory import Extension
from b2bua.media.messages import RecordingClosed
from b2bua.media.plane import MediaPlane, OpenRecording
from cdr.journal import Journal
from cdr.records import EvidenceStored, new_id
from recording.naming import recording_path
from recording.outcome import Facts, Outcome, conclude
from recording.permit import Basis, RecordingPermit, encode, grant
from recording.policy import Decision, Direction, Mode, OwnParty, Start, decide
from recording.reasons import Reason, ReasonKey, because
from recording.spec import RecordingSpec, TapSpec

logger = logging.getLogger("b2bua.recording")

RESULT_PATIENCE_S = 8.0
"""A file is finished within a second of the stop, a dead recorder's adopted a little later, and
a sick disk gets 5 s to come back (`recording.writer`)."""

DIGITS = "TELEPHONE-EVENT"


def own_party(extension: Extension) -> OwnParty:
    """Return an extension as the policy sees it."""
    return OwnParty(
        number=extension.number,
        mode=Mode(extension.mode),
        opted_in=extension.opt_in_at is not None,
        directions=frozenset(Direction(name) for name in extension.directions),
        may_stop=extension.user_may_stop,
    )


class CallRecording:
    """What one call records; segments come one after the other."""

    def __init__(
        self,
        *,
        plane: MediaPlane,
        journal: Journal,
        record: CallRecord,
        folder: Path,
        minimum_s: float,
    ) -> None:
        self._plane = plane
        self._journal = journal
        self._record = record
        self._folder = folder
        self._minimum_s = minimum_s
        self._parties: tuple[Extension, Extension] | None = None
        self._decision: Decision | None = None
        self._open: OpenRecording | None = None
        self._segment_id = ""
        self._failure: Reason | None = None

    def decide(self, caller: Extension, callee: Extension) -> None:
        """Settle whether this call is to be recorded, before anybody is rung."""
        self._parties = (caller, callee)
        self._decision = decide(Direction.INTERNAL, (own_party(caller), own_party(callee)))

    def start_automatic(self, bridge: Bridge) -> None:
        """Open the taps where the policy says that the recording begins by itself."""
        if self._decision is None or self._decision.start is not Start.NOW or self._open:
            return
        if not self._journal.healthy:
            # No evidence can be stored, so there is no permit: fail closed.
            self._failure = because(ReasonKey.NO_EVIDENCE)
            return
        formats = (bridge.formats(Side.A), bridge.formats(Side.B))
        unknown = [f.encoding for side in formats for f in side[:1] if f.encoding not in RECORDABLE]
        if unknown:
            self._failure = because(ReasonKey.UNKNOWN_CODEC, codec=unknown[0])
            return
        self._start(bridge)

    def _start(self, bridge: Bridge) -> None:
        assert self._parties is not None
        caller, callee = self._parties
        path = recording_path(
            datetime.now().astimezone(),
            caller=caller.number,
            callee=callee.number,
            call_id=self._record.uniqueid,
        )
        self._open = self._plane.new_recording(bridge.legs[Side.A], path)
        self._segment_id = new_id(self._record.now_us())
        self._record.segment_opened(self._segment_id, 1, path, channels=1)
        spec = RecordingSpec(
            recording_id=self._open.recording_id,
            relative_path=path,
            started_at=time.time(),
            started_mono=time.monotonic(),
            title=f"{caller.number} - {callee.number}",
        )
        for side in Side:
            permit = self._permit(side, self._parties[side])
            bridge.legs[side].open_tap(
                permit,
                self._open.recorder,
                TapSpec(
                    recording=spec,
                    leg_id=bridge.legs[side].leg_id,
                    side=int(side),
                    formats=bridge.formats(side),
                    permit=encode(permit),
                ),
            )

    def _permit(self, side: Side, party: Extension) -> RecordingPermit:
        """Make the permit of one own party from its stored opt-in, and hand in the evidence."""
        assert party.opt_in_at is not None
        evidence_id = new_id(self._record.now_us())
        party_id = self._record.party_id(side)
        self._record.evidence(
            EvidenceStored(
                id=evidence_id,
                call_id=self._record.id,
                party_id=party_id,
                kind=Basis.OPT_IN,
                decision="granted",
                decided_at=self._record.now_us(),
                extension=party.number,
                opt_in_at=party.opt_in_at,
                opt_in_by=party.opt_in_by,
            )
        )
        return grant(
            call_id=self._record.uniqueid,
            party_id=party_id,
            basis=Basis.OPT_IN,
            evidence_id=evidence_id,
            epoch=0,
        )

    def stop(self) -> None:
        """End the recording at this instant; the file follows."""
        if self._open is not None:
            self._plane.stop_recording(self._open)

    def worker_died(self) -> None:
        """Note that the media worker is gone: what was said after its death is missing."""
        if self._open is not None:
            self._failure = because(ReasonKey.MEDIA_WORKER_DIED)

    async def verdict(self, *, connected: bool, not_connected: Reason | None) -> Verdict:
        """Wait for the file and name the one outcome of the call."""
        result = await self._result() if self._open is not None else None
        playable = result is not None and result.relative_path is not None
        recorded_s = result.duration_s if result is not None and playable else 0.0
        failure = self._failure or _failure(result)
        if result is not None:
            if failure is None and playable and recorded_s < self._minimum_s:
                await asyncio.to_thread(self._remove, result)
                playable = False
            self._record.segment_closed(self._segment_id, result, playable=playable)
        decision = self._decision
        conclusion = conclude(
            Facts(
                connected=connected,
                failure=_with_seconds(failure, recorded_s),
                started=self._open is not None,
                recorded_s=recorded_s,
                minimum_s=self._minimum_s,
                not_connected=not_connected,
                blocked=_reason_of(decision, Outcome.BLOCKED),
                not_wanted=_reason_of(decision, Outcome.NOT_WANTED),
            )
        )
        path = result.relative_path if result is not None and playable else None
        return Verdict(
            outcome=conclusion.outcome,
            reason=conclusion.reason.key,
            params=dict(conclusion.reason.parameters),
            recordingfile=path or "",
        )

    async def _result(self) -> RecordingClosed | None:
        assert self._open is not None
        try:
            async with asyncio.timeout(RESULT_PATIENCE_S):
                return await asyncio.shield(self._open.result)
        except TimeoutError:
            logger.error("no result from the recorder", extra={"path": self._open.relative_path})
            self._failure = self._failure or because(ReasonKey.RECORDER_DIED)
            return None

    def _remove(self, result: RecordingClosed) -> None:
        """Remove a recording below the configured minimum."""
        if result.relative_path is not None:
            (self._folder / result.relative_path).unlink(missing_ok=True)


RECORDABLE = frozenset({"PCMA", "PCMU", DIGITS})
"Encodings that the recorder decodes; telephone-event is silence."


def _reason_of(decision: Decision | None, outcome: Outcome) -> Reason | None:
    return decision.reason if decision is not None and decision.outcome is outcome else None


def _failure(result: RecordingClosed | None) -> Reason | None:
    if result is None or result.failure is None:
        return None
    return because(ReasonKey.DISK, detail=result.failure)


def _with_seconds(failure: Reason | None, seconds: float) -> Reason | None:
    if failure is not None and failure.key in {
        ReasonKey.MEDIA_WORKER_DIED,
        ReasonKey.RECORDER_DIED,
    }:
        return because(failure.key, seconds=seconds)
    return failure
