"""Records of calls, with the values that a test does not care about."""

from cdr.extension_records import Credentials, ExtensionAdded, OptIn
from cdr.journal import Journal
from cdr.records import (
    AuditEntry,
    BindingStored,
    CallAnswered,
    CallEnded,
    CallOpened,
    EvidenceStored,
    PartyJoined,
    PartyLeft,
    SegmentClosed,
    SegmentOpened,
)

AT = 1_767_614_400_000_000
"2026-01-05 12:00:00 UTC."
SECOND = 1_000_000
PATH = "2026/01/05/120000_101_102_abc.mp3"


def opened(name: str = "1", at: int = AT, src: str = "101", dst: str = "102") -> CallOpened:
    return CallOpened(
        id=f"call-{name}",
        uniqueid=f"unique-{name}",
        linkedid=f"unique-{name}",
        calldate=at,
        clid='"Ada" <101>',
        src=src,
        dst=dst,
        channel=f"SIP/{src}",
        direction="internal",
    )


def ended(name: str = "1") -> CallEnded:
    return CallEnded(
        id=f"call-{name}",
        ended_at=AT + 20 * SECOND,
        duration=20,
        billsec=15,
        disposition="ANSWERED",
        outcome="recorded",
        outcome_reason="both_opted_in",
        outcome_params={"caller": "101", "seconds": 15},
        hangup_cause=16,
        hangup_side="caller",
        recordingfile=PATH,
    )


def joined(name: str = "1", side: int = 0) -> PartyJoined:
    leg, extension = "ab"[side], ("101", "102")[side]
    return PartyJoined(
        party_id=f"party-{name}{leg}",
        call_id=f"call-{name}",
        leg=leg,
        side=side,
        joined_at=AT + side,
        extension=extension,
        number=extension,
    )


def evidence(name: str = "1", leg: str = "a") -> EvidenceStored:
    return EvidenceStored(
        id=f"evidence-{name}{leg}",
        call_id=f"call-{name}",
        party_id=f"party-{name}{leg}",
        kind="opt_in",
        decision="granted",
        decided_at=AT,
        extension="101",
        opt_in_at=AT - SECOND,
        opt_in_by="cli:root",
        prompt_completed=True,
        rtp_ssrc=0xFFFFFFFF,
    )


def segment_opened(name: str = "1", number: int = 1) -> SegmentOpened:
    return SegmentOpened(
        id=f"segment-{name}-{number}",
        call_id=f"call-{name}",
        number=number,
        relative_path=PATH,
        started_at=AT + number * SECOND,
    )


def segment_closed(name: str = "1", number: int = 1) -> SegmentClosed:
    return SegmentClosed(
        id=f"segment-{name}-{number}",
        state="finished",
        ended_at=AT + 20 * SECOND,
        duration_s=14.96,
        octets=44_928,
        sha256="ab" * 32,
        relative_path=PATH,
    )


def whole_call(journal: Journal, name: str = "1") -> None:
    """Put everything that a recorded call tells."""
    journal.put(opened(name))
    journal.put(joined(name, 0))
    journal.put(joined(name, 1))
    journal.put(CallAnswered(id=f"call-{name}", answered_at=AT + 5 * SECOND, dstchannel="SIP/102"))
    journal.put(evidence(name, "a"))
    journal.put(evidence(name, "b"))
    journal.put(segment_opened(name))
    journal.put(PartyLeft(party_id=f"party-{name}a", left_at=AT + 20 * SECOND, packets_lost=3))
    journal.put(PartyLeft(party_id=f"party-{name}b", left_at=AT + 20 * SECOND, mos=4.3))
    journal.put(segment_closed(name))
    journal.put(ended(name))


def binding(cseq: int = 1, contact: str = "sip:101@127.0.0.1:5070") -> BindingStored:
    return BindingStored(
        aor="101",
        contact=contact,
        transport="UDP",
        local_host="127.0.0.1",
        local_port=5060,
        remote_host="127.0.0.1",
        remote_port=5070,
        registered_at=AT,
        expires_at=AT + 3600 * SECOND,
        call_id="abc@host",
        cseq=cseq,
    )


def added(number: str = "101", mode: str = "off", *, opt_in: bool = False) -> ExtensionAdded:
    return ExtensionAdded(
        actor="cli:root",
        at=AT,
        number=number,
        name="Ada",
        mode=mode,
        opt_in=OptIn(at=AT, by="cli:root") if opt_in else None,
        credentials=Credentials(realm="mitschnitt", ha1_md5="a" * 32, ha1_sha256="b" * 64),
    )


def audited(name: str) -> AuditEntry:
    return AuditEntry(at=AT, actor="web:ada", action="recording.play", object=name)
