"""The recording of one call: policy, permits, taps, segments, and what became of it.

The decision falls before anybody is asked or rung; each start opens the taps, each with the
permit of its own party, and makes a segment of its own; the outcome is named when the files
have their names.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from b2bua.calls.call_record import CallRecord, Verdict
from b2bua.calls.party import Party
from b2bua.calls.recording.call_segment import Segment
from b2bua.calls.recording.evidence import Agreement, Evidence, EvidenceError
from b2bua.calls.recording.party_permits import PartyPermits
from b2bua.calls.sessions.bridge import Bridge, Side
from b2bua.media.placement import RecorderBusyError
from b2bua.media.plane import MediaPlane
from b2bua.settings.recording import RecordingConfig
from cdr.records import new_id
from recording.codecs import is_wide, refusal, why_not
from recording.naming import recording_path
from recording.outcome import Facts, Outcome, conclude
from recording.permit import RecordingPermit
from recording.policy import Decision, Direction, OwnParty, carried_on, decide
from recording.reasons import Reason, ReasonKey, because
from recording.spec import RecordingSpec, StreamFormat

logger = logging.getLogger("b2bua.recording")

RESULT_PATIENCE_S = 90.0
"""A file is finished within a second of the stop, and a dead recorder's adopted a little later. A
disk that stands still for a minute costs no sample (`recording.writer`), so it costs no outcome."""


class CallRecording:
    """What one call records; segments come one after the other."""

    def __init__(
        self,
        *,
        plane: MediaPlane,
        record: CallRecord,
        evidence: Evidence,
        folder: Path,
        settings: RecordingConfig,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_change` is told when a segment begins and when it ends."""
        self._plane = plane
        self._record = record
        self._permits = PartyPermits(evidence)
        self._folder = folder
        self._settings = settings
        self.on_change = on_change
        self._minimum_s = settings.min_duration_s
        self._segments: list[Segment] = []
        self._failure: Reason | None = None
        self._refused: Reason | None = None
        self._blocked: Reason | None = None
        self.decision: Decision | None = None
        self.fax = False
        "Machines talk to each other: nobody is asked, nothing is recorded."

    # --- may it be?

    def decide(
        self,
        direction: Direction,
        parties: tuple[Party, Party],
        *,
        emergency: bool = False,
        outside_has_keys: bool = True,
    ) -> Decision:
        """Settle whether this call may be recorded, and how that begins."""
        self._permits.parties = parties
        self.decision = decide(
            direction,
            _own(parties),
            emergency=emergency,
            fax=self.fax,
            outside_has_keys=outside_has_keys,
        )
        return self.decision

    def carry_on(
        self,
        direction: Direction,
        parties: tuple[Party, Party],
        *,
        emergency: bool = False,
        outside_has_keys: bool = True,
    ) -> Decision:
        """Settle whether a recording that another call began goes on in this one."""
        usual = self.decide(
            direction, parties, emergency=emergency, outside_has_keys=outside_has_keys
        )
        own = _own(parties)
        self.decision = carried_on(
            usual,
            own,
            excluded=emergency or self.fax,
            outside_agreed=self.agreed,
            outside_can_be_asked=outside_has_keys,
        )
        self._permits.carried_on = self.decision is not usual
        return self.decision

    def agree(self, side: Side, agreement: Agreement) -> None:
        """Take over an outside party's yes."""
        self._permits.agreements[side] = agreement
        self._refused = None

    def agreement(self, side: Side) -> Agreement | None:
        """Return an outside party's yes, if it has given one."""
        return self._permits.agreements.get(side)

    def carry(self, side: Side, agreement: Agreement, earlier: str) -> None:
        """Take over the yes that a party gave in an `earlier` call (its `uniqueid`)."""
        self.agree(side, self._permits.evidence.carried(side, agreement, earlier))

    @property
    def agreed(self) -> bool:
        """Whether an outside party has said yes."""
        return bool(self._permits.agreements)

    def refuse(self, reason: Reason) -> None:
        """Note that an outside party was asked and did not agree."""
        self._refused = reason

    def block(self, reason: Reason) -> None:
        """Note that a recording was wanted that could not be."""
        self._blocked = reason

    # --- segments

    @property
    def running(self) -> bool:
        """Whether a segment is open."""
        return bool(self._segments) and not self._segments[-1].stopped

    @property
    def goes_on(self) -> bool:
        """Whether somebody is heard in the file now, and no recorder has given it up."""
        return (
            self.running and self._segments[-1].result is None and bool(self._segments[-1].tapped)
        )

    def start(self, bridge: Bridge, *, started_by: str) -> bool:
        """Open the taps; false where it can't be, which the outcome will say."""
        if self.running:
            self.resume(bridge)
            return True
        formats = tuple(side.formats for side in bridge.sides)
        if not all(formats):
            return False  # a call without an offer: the answer is still on its way
        refused = [why for side in formats if (why := refusal(side[0])) is not None]
        if refused:
            self._failure = refused[0]
            return False
        try:
            permits = self._permits.of_all()
        except EvidenceError as error:
            # Fail closed: without evidence there is no permit.
            logger.error("nothing recorded", extra={"reason": str(error)})
            self._failure = because(ReasonKey.NO_EVIDENCE)
            return False
        try:
            self._open(bridge, started_by, list(formats))
        except RecorderBusyError:
            logger.warning("not recorded: no recorder takes a new recording")
            self._failure = because(ReasonKey.RECORDER_BUSY)
            return False
        self._let_in(bridge, permits)
        return True

    def suspend(self) -> None:
        """Let neither side be heard in the file until `resume`; its time goes on."""
        if self.running:
            self._segments[-1].let_nobody_in()
            self.on_change()

    def resume(self, bridge: Bridge) -> None:
        """Let everybody who may be heard into the file that is open, from here on."""
        if not self.running:
            return
        try:
            permits = self._permits.of_all(without=self._segments[-1].tapped)
        except EvidenceError as error:
            logger.error("not resumed", extra={"reason": str(error)})
            self._failure = because(ReasonKey.NO_EVIDENCE)
        else:
            self._let_in(bridge, permits)

    def _let_in(self, bridge: Bridge, permits: dict[Side, RecordingPermit]) -> None:
        settings = self._settings
        with_us = settings.announcements or settings.hold_music
        self._segments[-1].let_in(bridge, permits, with_us=with_us)
        self.on_change()

    def _open(
        self, bridge: Bridge, started_by: str, formats: list[tuple[StreamFormat, ...]]
    ) -> None:
        assert self._permits.parties is not None
        caller, callee = self._permits.parties
        number = len(self._segments) + 1
        path = recording_path(
            datetime.now().astimezone(),
            caller=caller.number,
            callee=callee.number,
            call_id=self._record.uniqueid,
            segment=number,
        )
        opened = self._plane.new_recording(bridge.legs[Side.A], path)
        mix_rate, sample_rate = self._rates(formats)
        spec = RecordingSpec(
            recording_id=opened.recording_id,
            relative_path=path,
            started_at=time.time(),
            started_mono=time.monotonic(),
            sample_rate=sample_rate,
            mix_rate=mix_rate,
            channels=2 if self._settings.channels == "stereo" else 1,
            level=self._settings.level,
            blank_dtmf=self._settings.blank_dtmf,
            title=f"{caller.number} - {callee.number}",
        )
        segment = Segment(new_id(self._record.now_us()), opened, spec, formats)
        opened.result.add_done_callback(lambda _: self._finished(segment))
        self._segments.append(segment)
        self._record.segment_opened(segment.segment_id, number, spec, started_by)

    def _rates(self, formats: list[tuple[StreamFormat, ...]]) -> tuple[int, int]:
        """Return the Hz of the sum and of a file that begins now.

        They stay so, whatever is agreed later.
        """
        wanted = self._settings.sample_rate
        if wanted in {8000, 16000}:
            return wanted, wanted
        mixed = 16000 if any(is_wide(side[0]) for side in formats) else 8000
        return mixed, mixed if wanted == "auto" else wanted

    def follow(self, bridge: Bridge) -> None:
        """Tell the recorder what the parties may send since they negotiated anew."""
        if self.running:
            self._segments[-1].follow(bridge)

    def stop(self) -> None:
        """End the segment at this instant; the file follows."""
        if self.running:
            segment = self._segments[-1]
            segment.stopped = True
            self._plane.stop_recording(segment.open)
            segment.let_nobody_in()
            self.on_change()

    def worker_died(self) -> None:
        """Note that the media worker is gone: what was said after its death is missing."""
        if self.running:
            self._failure = because(ReasonKey.MEDIA_WORKER_DIED)

    def _finished(self, segment: Segment) -> None:
        """Write down a file that has its name; one that is too short waits for the call's end.

        Once: whoever waits for the result may read it before the future's callback has run.
        """
        if segment.result is not None or segment.open.result.cancelled():
            return
        segment.result = segment.open.result.result()
        self.on_change()
        if not segment.is_short(self._minimum_s):
            self._close(segment, playable=segment.playable_s > 0)

    def _close(self, segment: Segment, *, playable: bool) -> None:
        assert segment.result is not None
        self._record.segment_closed(segment.segment_id, segment.result, playable=playable)

    # --- what became of it

    async def verdict(self, *, connected: bool, not_connected: Reason | None) -> Verdict:
        """Wait for the files and name the one outcome of the call."""
        for segment in self._segments:
            await self._result(segment)
        short = [each for each in self._segments if each.is_short(self._minimum_s)]
        for segment in short:
            await asyncio.to_thread(self._remove, segment)
            self._close(segment, playable=False)
        kept = [each for each in self._segments if each.playable_s > 0 and each not in short]
        recorded_s = sum(each.playable_s for each in kept)
        conclusion = conclude(
            Facts(
                connected=connected,
                failure=_with_seconds(self._failure or self._failed(), recorded_s),
                started=bool(self._segments),
                recorded_s=recorded_s or max((each.playable_s for each in short), default=0.0),
                minimum_s=self._minimum_s,
                not_connected=not_connected,
                refused=self._refused,
                blocked=self._blocked or self._idle(Outcome.BLOCKED),
                not_wanted=self._idle(Outcome.NOT_WANTED),
            )
        )
        path = kept[0].result.relative_path if kept and kept[0].result is not None else None
        return Verdict(
            outcome=conclusion.outcome,
            reason=conclusion.reason.key,
            params=dict(conclusion.reason.parameters),
            recordingfile=path or "",
        )

    async def _result(self, segment: Segment) -> None:
        try:
            async with asyncio.timeout(RESULT_PATIENCE_S):
                await asyncio.shield(segment.open.result)
            self._finished(segment)
        except TimeoutError:
            logger.error("no result from the recorder", extra={"path": segment.open.relative_path})
            self._failure = self._failure or because(ReasonKey.RECORDER_DIED)

    def _failed(self) -> Reason | None:
        """Return what the recorder says is missing."""
        undecoded = [codec for s in self._segments if s.result for codec in s.result.undecoded]
        if undecoded:
            return why_not(undecoded[0])
        details = [s.result.failure for s in self._segments if s.result and s.result.failure]
        return because(ReasonKey.DISK, detail=details[0]) if details else None

    def _idle(self, outcome: Outcome) -> Reason | None:
        """Return the policy's reason, if its outcome is this one."""
        decision = self.decision
        return decision.reason if decision is not None and decision.outcome is outcome else None

    def _remove(self, segment: Segment) -> None:
        """Remove a recording below the configured minimum."""
        if segment.result is not None and segment.result.relative_path is not None:
            (self._folder / segment.result.relative_path).unlink(missing_ok=True)


def _own(parties: tuple[Party, Party]) -> list[OwnParty]:
    """Return the extensions among the parties, as the policy sees them."""
    return [party.extension.own_party for party in parties if party.extension is not None]


def _with_seconds(failure: Reason | None, seconds: float) -> Reason | None:
    if failure is not None and failure.key in {
        ReasonKey.MEDIA_WORKER_DIED,
        ReasonKey.RECORDER_DIED,
    }:
        return because(failure.key, seconds=seconds)
    return failure
