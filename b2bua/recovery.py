"""After a crash: rows that were left open, and files that nobody finished.

Runs at the start, under the data folder's lock, before the first call; the same adoption serves
a single recording whose recorder died without a word.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from b2bua.media.from_recorder import RecordingClosed
from b2bua.media.members import OpenRecording
from b2bua.wall_clock import MICROSECONDS
from cdr.journal import Journal
from cdr.own_reading import open_calls, open_segments, read
from cdr.records import CallEnded, Disposition, SegmentClosed
from cdr.rows import CallRow, SegmentRow
from recording.folder import Folder
from recording.outcome import Facts, conclude
from recording.reasons import ReasonKey, because
from recording.recovery import OpenSegment, Recovered, recover, recover_one

logger = logging.getLogger("b2bua.recovery")


async def recover_after_crash(database: Path, recordings: Path, journal: Journal) -> None:
    """Finish what a server left that did not stop in order; does nothing after one that did."""
    segments = await asyncio.to_thread(read, database, open_segments())
    calls = await asyncio.to_thread(read, database, open_calls())
    results = await asyncio.to_thread(_recover_files, recordings, segments)
    found = {segments[r.segment_id].id: r for r in results if r.segment_id is not None}
    for result in results:
        if result.segment_id is None:
            logger.warning("a recording that no row knows", extra={"path": result.relative_path})
    for segment in segments:
        journal.put(_segment_closed(segment, found[segment.id]))
    for call in calls:
        journal.put(_call_ended(call, segments, found))
        logger.warning("call recovered", extra={"call_id": call.uniqueid})
    if calls or segments:
        await journal.drain(5.0)


def adopt_orphan(recordings: Path, recording: OpenRecording) -> RecordingClosed:
    """Finish the file of a recorder that died and did not go on with it. Waits for the disk."""
    segment = OpenSegment(segment_id=0, relative_path=recording.relative_path)
    result = recover_one(Folder(recordings), segment)
    return RecordingClosed(
        recording_id=recording.recording_id,
        relative_path=result.relative_path if result.playable else None,
        duration_s=result.duration_s,
        octets=result.octets,
        sha256=result.sha256,
        channels=result.channels or 1,
        failure=None if result.playable else result.detail or "the recorder left no audio",
    )


def _recover_files(root: Path, segments: Sequence[SegmentRow]) -> tuple[Recovered, ...]:
    numbered = [
        OpenSegment(segment_id=index, relative_path=segment.relative_path or "")
        for index, segment in enumerate(segments)
    ]
    return recover(Folder(root), numbered)


def _segment_closed(segment: SegmentRow, result: Recovered) -> SegmentClosed:
    ended_at = segment.started_at + int(result.duration_s * MICROSECONDS)
    return SegmentClosed(
        id=segment.id,
        state="finished" if result.playable else "failed",
        ended_at=ended_at,
        duration_s=result.duration_s,
        octets=result.octets,
        sha256=result.sha256,
        relative_path=result.relative_path if result.playable else None,
        channels=result.channels or segment.channels,
        failure=None if result.playable else result.detail or result.status.value,
        recovered=True,
    )


def _call_ended(
    call: CallRow, segments: Sequence[SegmentRow], found: Mapping[str, Recovered]
) -> CallEnded:
    """Close a call's row with what its files prove: it lasted at least as long as they do."""
    mine = [segment for segment in segments if segment.call_id == call.id]
    results = [found[segment.id] for segment in mine]
    playable = [result for result in results if result.playable]
    seconds = sum(result.duration_s for result in playable)
    ends = [s.started_at + int(found[s.id].duration_s * MICROSECONDS) for s in mine]
    ended_at = max([call.calldate, call.answered_at or 0, *ends])
    lost = bool(mine) and not playable
    conclusion = conclude(
        Facts(
            connected=call.answered_at is not None,
            started=bool(mine),
            recorded_s=seconds,
            recorded_because=because(ReasonKey.RECOVERED, seconds=seconds),
            failure=because(ReasonKey.SERVER_DIED) if lost else None,
        )
    )
    answered = call.answered_at
    disposition: Disposition = "ANSWERED" if answered is not None else "FAILED"
    return CallEnded(
        id=call.id,
        ended_at=ended_at,
        duration=(ended_at - call.calldate) // MICROSECONDS,
        billsec=(ended_at - answered) // MICROSECONDS if answered is not None else 0,
        disposition=disposition,
        outcome=conclusion.outcome,
        outcome_reason=conclusion.reason.key,
        outcome_params=dict(conclusion.reason.parameters),
        hangup_side="server",
        recordingfile=playable[0].relative_path if playable else "",
        recovered=True,
    )
