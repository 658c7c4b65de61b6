"""What a call tells the journal, as it happens: opened, parties, answered, segments, ended."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from b2bua.calls.leg_quality import leg_mos
from b2bua.calls.party import Party
from b2bua.media.from_recorder import RecordingClosed
from b2bua.media.from_worker import LegReleased
from b2bua.trunks.arrival import dialled_number
from b2bua.wall_clock import MICROSECONDS, wall_us
from cdr.journal import Journal
from cdr.records import (
    CallAnswered,
    CallEnded,
    CallIvrAnswered,
    CallOpened,
    CallRouted,
    Direction,
    Disposition,
    Event,
    EvidenceStored,
    Param,
    PartyJoined,
    PartyLeft,
    SegmentClosed,
    SegmentOpened,
    new_id,
)
from recording.spec import RecordingSpec
from sip.events import InviteOffered


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a call and the sentence why, as keys."""

    outcome: str
    reason: str
    params: dict[str, Param]
    recordingfile: str = ""


class CallRecord:
    """One row of `calls` and what hangs on it. Every method only queues."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self.started_at = wall_us()
        self.id = new_id(self.started_at)
        self.uniqueid = f"{self.started_at / MICROSECONDS:.6f}-{secrets.token_hex(4)}"
        self.linkedid = self.uniqueid
        "The `uniqueid` of the first call of a chain of transfers."
        self._journal = journal
        self._clock = clock
        self._began = clock()
        self._answered_after: float | None = None
        self._parties: list[str] = []
        self._route: tuple[str, str, str] | None = None
        "What the row says of where the call goes."

    def open(self, offered: InviteOffered, caller: Party, direction: Direction) -> None:
        """Write the row at once: a crash loses no call."""
        dialled = dialled_number(offered.request, caller.trunk)
        self._open(caller, dialled, direction, did=dialled if direction == "incoming" else "")
        self.join(caller, side=0, call_id=offered.request.call_id, remote=str(offered.flow.remote))

    def open_transferred(
        self, caller: Party, wanted: str, direction: Direction, *, linkedid: str, call_id: str
    ) -> None:
        """Write the row of a call that begins with a party of another one."""
        self.linkedid = linkedid
        self._open(caller, wanted, direction)
        self.join(caller, side=0, call_id=call_id)

    def _open(self, caller: Party, wanted: str, direction: Direction, did: str = "") -> None:
        self._route = wanted, direction, did
        self._put(
            CallOpened(
                id=self.id,
                uniqueid=self.uniqueid,
                linkedid=self.linkedid,
                calldate=self.started_at,
                clid=f'"{caller.name}" <{caller.number}>',
                src=caller.number,
                dst=wanted,
                did=did,
                channel=caller.channel,
                direction=direction,
            )
        )

    def routed(self, dst: str, direction: Direction, did: str = "") -> None:
        """Note where the call goes; `did`: the number that a trunk dialled."""
        if self._route == (dst, direction, did):
            return
        self._route = dst, direction, did
        self._put(CallRouted(id=self.id, direction=direction, dst=dst, did=did))

    def join(self, party: Party, *, side: int, call_id: str = "", remote: str = "") -> None:
        """Add a party."""
        party_id = self.party_id(side)
        self._parties.append(party_id)
        self._put(
            PartyJoined(
                party_id=party_id,
                call_id=self.id,
                leg="ab"[side],
                side=side,
                joined_at=self.now_us(),
                extension=party.extension.number if party.extension is not None else None,
                number=party.number,
                name=party.name,
                channel=party.channel,
                sip_call_id=call_id,
                remote=remote,
            )
        )

    def party_id(self, side: int) -> str:
        """Return the name of a party, as permits have it."""
        return f"{self.uniqueid}/{'ab'[side]}"

    def greeted(self) -> None:
        """Note that we have answered ourselves, for the menu."""
        self._put(CallIvrAnswered(id=self.id, ivr_answered_at=self.now_us()))

    def answered(self, callee: Party) -> None:
        """Note the wanted party's answer: `billsec` runs."""
        self._answered_after = self._clock() - self._began
        self._put(CallAnswered(id=self.id, answered_at=self.now_us(), dstchannel=callee.channel))

    def leave(self, side: int, statistics: LegReleased | None, *, g711: bool) -> None:
        """Note that a leg is gone, with its worker's last words if there were any.

        `g711`: it had a codec whose quality can be estimated.
        """
        if self.party_id(side) not in self._parties:
            return
        self._put(
            PartyLeft(
                party_id=self.party_id(side),
                left_at=self.now_us(),
                packets_received=statistics.packets_received if statistics else None,
                packets_sent=statistics.packets_sent if statistics else None,
                packets_lost=statistics.packets_lost if statistics else None,
                packets_dropped=statistics.packets_dropped if statistics else None,
                jitter_ms=statistics.jitter_ms if statistics else None,
                round_trip_ms=statistics.round_trip_ms if statistics else None,
                mos=leg_mos(statistics) if statistics and g711 else None,
            )
        )

    def evidence(self, evidence: EvidenceStored) -> None:
        self._put(evidence)

    def segment_opened(
        self, segment_id: str, number: int, spec: RecordingSpec, started_by: str
    ) -> None:
        self._put(
            SegmentOpened(
                id=segment_id,
                call_id=self.id,
                number=number,
                relative_path=spec.relative_path,
                started_at=self.now_us(),
                started_by=started_by,
                channels=spec.channels,
                sample_rate=spec.sample_rate,
            )
        )

    def segment_closed(self, segment_id: str, result: RecordingClosed, *, playable: bool) -> None:
        state: Literal["finished", "failed"] = "failed" if result.failure else "finished"
        self._put(
            SegmentClosed(
                id=segment_id,
                state=state,
                ended_at=self.now_us(),
                duration_s=result.duration_s,
                octets=result.octets if playable else 0,
                sha256=result.sha256 if playable else "",
                relative_path=result.relative_path if playable else None,
                channels=result.channels,
                failure=result.failure,
                missing_s=result.missing_s,
            )
        )

    def close(
        self,
        disposition: Disposition,
        verdict: Verdict,
        *,
        ended_after: float,
        side: str,
        cause: int | None,
    ) -> None:
        """Close the row with its one outcome.

        `ended_after`: seconds of the monotonic clock since the begin; `cause`: Q.850.
        """
        talked = 0.0 if self._answered_after is None else ended_after - self._answered_after
        self._put(
            CallEnded(
                id=self.id,
                ended_at=self.started_at + int(ended_after * MICROSECONDS),
                duration=round(ended_after),
                billsec=round(talked),
                disposition=disposition,
                outcome=verdict.outcome,
                outcome_reason=verdict.reason,
                outcome_params=verdict.params,
                hangup_cause=cause,
                hangup_side=side,
                recordingfile=verdict.recordingfile,
            )
        )

    def elapsed(self) -> float:
        """Seconds since the call began, by the monotonic clock."""
        return self._clock() - self._began

    def now_us(self) -> int:
        """Return the call's own wall clock: its start plus monotonic time, so it never jumps."""
        return self.us_at(self._clock())

    def us_at(self, monotonic: float) -> int:
        """Return the call's own wall clock at an instant of the monotonic one."""
        return self.started_at + int((monotonic - self._began) * MICROSECONDS)

    def _put(self, record: Event) -> None:
        self._journal.put(record)
