"""What the signalling process, the media workers and the recorders say to each other.

Small typed messages, MessagePack with a tag, over socket pairs (`b2bua/media/channel.py`).
The signalling process decides, a media worker owns packets, a recorder owns samples.
`leg_id` and `recording_id` are numbers that the signalling process gives out; times are
CLOCK_MONOTONIC seconds, which all processes of a machine share.
"""

from typing import Final, Literal

import msgspec

from ivr.key_pad import Way

LatchMode = Literal["exact", "same_address", "nat"]

LawName = Literal["PCMA", "PCMU"]


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message or a part of one: both ends are of the same build, so fields need no names."""


class Recoding(Message, frozen=True):
    """A codec that the other party does not have, and what it gets instead."""

    source: str
    "Encoding name in capitals, as all names here."
    target: str
    payload_type: int
    "Of what goes out."
    ptime_ms: int = 20


class EventRecoding(Message, frozen=True):
    """Telephone events whose clock is another one on the far side."""

    payload_type: int
    "Of what goes out."
    source_rate: int
    "Hz."
    target_rate: int


class Route(Message, frozen=True):
    """How packets of one leg leave on another."""

    payload_types: dict[int, int]
    "Payload type in -> payload type out; a packet of another type is dropped and counted."
    transcode: dict[int, str]
    "Payload type in -> `PCMA>PCMU` or `PCMU>PCMA`, for the types that need conversion."
    clock_rates: dict[int, int] = {}
    "Payload type in -> Hz, where it is not 8,000: timestamps go on at this rate when the"
    "source of a stream changes."
    recodings: dict[int, Recoding] = {}
    "Payload type in -> what is done packet by packet, off the fast path."
    events: dict[int, EventRecoding] = {}
    "Payload type in -> how telephone events go along with recoded sound."


# --- signalling process -> media worker


class OfferPorts(Message, frozen=True, tag=True):
    """Bind port pairs and keep them for `LendLeg`; answered by `PortsOffered`."""

    host: str
    "Numeric; `*`: all addresses of both families."
    count: int


class LendLeg(Message, frozen=True, tag=True):
    """Make a leg of a pair that was offered."""

    leg_id: int
    port: int


class MasterKey(Message, frozen=True):
    """With what one side encrypts (:rfc:`4568`)."""

    suite: str
    key: bytes
    mki: bytes = b""

    def __repr__(self) -> str:
        """Show all but the key: what is printed for a human may be kept by somebody."""
        return f"MasterKey({self.suite!r})"


class SrtpKeys(Message, frozen=True):
    """SRTP of one leg."""

    ours: MasterKey
    theirs: MasterKey


class SetRemote(Message, frozen=True, tag=True):
    """Where the leg's peer receives, as its SDP says; opens the latch anew."""

    leg_id: int
    host: str
    port: int
    latch: LatchMode = "exact"
    signalling: str = ""
    "In NAT mode the address that the peer's signalling comes from; empty: not known."
    payload_types: tuple[int, ...] = ()
    "Negotiated types; empty: any."
    rtcp_port: int = 0
    "Where the SDP names one (RFC 3605); 0: the one above."
    clock_rate: int = 8000
    "Hz of the audio, to read jitter from timestamps."
    srtp: SrtpKeys | None = None
    "None: plain RTP."


class Bridge(Message, frozen=True, tag=True):
    """Join two legs (or change the routes of a bridge that stands)."""

    leg_a: int
    leg_b: int
    a_to_b: Route
    b_to_a: Route


class Unbridge(Message, frozen=True, tag=True):
    """Part the legs; both keep their ports and taps."""

    leg_a: int
    leg_b: int


class OpenTap(Message, frozen=True, tag=True):
    """Let the leg's packets into the ring from now on; writes the mark first."""

    leg_id: int
    party_id: str
    epoch: int
    recorder: int
    permit: bytes
    spec: bytes
    "`recording.spec.TapSpec`, put into the mark as it is."
    ours: bool = False
    "Not what the party says, but what we say to it; ends with the leg's other tap."


class ChangeFormats(Message, frozen=True, tag=True):
    """Mark what the leg's party may send from now on, if its tap is open."""

    leg_id: int
    formats: bytes
    "As `recording.spec.encode_formats` wrote it, put into the mark as it is."


class CloseTap(Message, frozen=True, tag=True):
    """Keep the leg's packets out of the ring from now on, and mark it."""

    leg_id: int


class StopRecording(Message, frozen=True, tag=True):
    """Mark the end of a recording. Also for legs of a worker that died: its successor marks."""

    recorder: int
    recording_id: int


class ReleaseLeg(Message, frozen=True, tag=True):
    """Let the leg's ports rest; answered by `LegReleased`."""

    leg_id: int


class LoadSound(Message, frozen=True, tag=True):
    """Keep a sound for `Play`; one of the same name is replaced, but played to its end."""

    name: str
    pcma: bytes
    pcmu: bytes


class PlayPart(Message, frozen=True):
    """A sound, or silence."""

    sound: str = ""
    "As loaded; empty: silence of `silence_ms`."
    silence_ms: int = 0
    loop: bool = False
    "Until `StopPlay`."


class Play(Message, frozen=True, tag=True):
    """Let the leg's party hear these parts; ends what it heard before.

    Answered by `PlayStarted` and `PlayFinished`. A joined leg is not heard meanwhile.
    """

    leg_id: int
    play_id: int
    parts: tuple[PlayPart, ...]
    payload_type: int
    "Also says the law, where that is what it is encoded in: 0 or 8."
    ptime_ms: int = 20
    codec: str = ""
    "Another codec, by its name in `codec/stream_coders.py`."
    kept: bool = True
    "Goes into the recording, where what we say to the party does."


class StopPlay(Message, frozen=True, tag=True):
    """End what the leg's party hears; answered by its `PlayFinished`, if there is anything."""

    leg_id: int
    play_id: int | None = None
    "Only if it is this one."


class CollectDigits(Message, frozen=True, tag=True):
    """Listen to the leg's keys from now on; also changes the table of codes."""

    leg_id: int
    payload_types: tuple[int, ...]
    "Of negotiated telephone events; empty: all of them pass as packets."
    codes: tuple[str, ...] = ()
    "Star codes that this party may use."
    forward: bool = True
    "Whether digits that are no code reach a joined leg."
    in_band: dict[int, LawName] = {}
    "Payload types of G.711 in which keys are listened for as tones."
    in_band_codes: bool = False
    "Whether codes may be dialled by tones too."


class PressKeys(Message, frozen=True, tag=True):
    """Take keys of the leg's party that came as INFO, as if they had come here."""

    leg_id: int
    keys: str


class SendDigits(Message, frozen=True, tag=True):
    """Press keys towards the leg's party, behind those that are being sent."""

    leg_id: int
    keys: str
    payload_type: int
    "Of telephone events, or of `law`."
    law: LawName | None = None
    "Not None: as tones in this law."


ToMediaWorker = (
    OfferPorts
    | LendLeg
    | SetRemote
    | Bridge
    | Unbridge
    | OpenTap
    | ChangeFormats
    | CloseTap
    | StopRecording
    | ReleaseLeg
    | LoadSound
    | Play
    | StopPlay
    | CollectDigits
    | PressKeys
    | SendDigits
)


# --- media worker -> signalling process


class PortsOffered(Message, frozen=True, tag=True):
    """Ports to be lent, each once."""

    host: str
    ports: tuple[int, ...]
    "RTP ports; RTCP is the next one."
    reason: str = ""
    "Why they are fewer than were asked for, for a human."


class FirstPacket(Message, frozen=True, tag=True):
    """The leg latched."""

    leg_id: int
    at: float


class MediaTimeout(Message, frozen=True, tag=True):
    """The leg has been silent for the configured time (told once per silence)."""

    leg_id: int
    silent_s: float


class MediaResumed(Message, frozen=True, tag=True):
    """A silence that `MediaTimeout` told of is over."""

    leg_id: int


class LegReleased(Message, frozen=True, tag=True):
    """The leg's last words."""

    leg_id: int
    packets_received: int
    packets_sent: int
    packets_dropped: int
    "Malformed, wrong type, wrong source, wrong SSRC."
    packets_lost: int
    "By sequence number (RFC 3550 A.3); never negative."
    jitter_ms: float | None = None
    "Of what was received; estimated from samples (`rtp/jitter.py`)."
    round_trip_ms: float | None = None
    "By the peer's RTCP, as all that follows."
    peer_jitter_ms: float | None = None
    peer_packets_lost: int | None = None
    "Of those that we sent, as the peer said last."


class PlayStarted(Message, frozen=True, tag=True):
    """The first packet is out."""

    leg_id: int
    play_id: int
    at: float


class PlayFinished(Message, frozen=True, tag=True):
    """The last packet has been heard, or the play was ended or could not begin."""

    leg_id: int
    play_id: int
    at: float
    played_ms: int
    completed: bool


class DigitReceived(Message, frozen=True, tag=True):
    """The leg's party pressed a key; one that comes in several ways is told once.

    Told at the first packet that came of it, of a tone when it has lasted long enough.
    """

    leg_id: int
    key: str
    at: float
    ssrc: int | None
    "None, as the timestamp: it came as INFO."
    timestamp: int | None
    withheld: bool
    "Not passed on as it came: part of a code, queued, or not to be forwarded."
    play_id: int | None = None
    "What the party was hearing at that instant."
    played_ms: int | None = None
    way: Way = Way.RFC4733


class KeysDue(Message, frozen=True, tag=True):
    """Keys of the leg's party are to reach the joined one, and do not as the packets that came."""

    leg_id: int
    keys: str
    in_band: bool
    "They were tones: whoever listens to the sound has heard them."


class CodeReceived(Message, frozen=True, tag=True):
    """The leg's party dialled a star code of its table."""

    leg_id: int
    code: str
    at: float


# --- recorder -> signalling process


class RecorderReady(Message, frozen=True, tag=True):
    """A recorder is up; after a restart with what it took up again."""

    resumed: tuple[int, ...]
    "recording_id of each recording that goes on."


class RecordingOpened(Message, frozen=True, tag=True):
    recording_id: int
    at: float
    "Instant of sample 0."


class RecordingClosed(Message, frozen=True, tag=True):
    """A recording ended; the file, if any, has its final name."""

    recording_id: int
    relative_path: str | None
    "None where there is no playable file."
    duration_s: float
    octets: int
    sha256: str
    channels: int
    failure: str | None
    "A reason in words where audio is missing."
    missing_s: float = 0.0
    undecoded: tuple[str, ...] = ()
    "Codecs that came and are silence in the file."


class RecorderLoad(Message, frozen=True, tag=True):
    """How hard pressed a recorder is, told when it changes (`recording/pressure.py`)."""

    taking: bool
    "Whether new recordings may be given to it."
    level: int
    "0 is calm."


# --- both -> signalling process


class Counters(Message, frozen=True, tag=True):
    """A snapshot, once a second; totals since the process started, but for `GAUGES`."""

    values: dict[str, float]


GAUGES = frozenset(
    {"legs_transcoded", "recordings_open", "lag_s", "encoder_lag_s", "pressure", "busy"}
)
"Counters that say how things stand now: they end with the process that sent them."

WARNING: Final = 30
ERROR: Final = 40
"Levels of `logging`, which a media worker does not import."


class LogLine(Message, frozen=True, tag=True):
    """A log record of a process that writes no log of its own."""

    level: int
    logger: str
    text: str


FromMediaWorker = (
    PortsOffered
    | FirstPacket
    | MediaTimeout
    | MediaResumed
    | LegReleased
    | PlayStarted
    | PlayFinished
    | DigitReceived
    | KeysDue
    | CodeReceived
    | Counters
    | LogLine
)
FromRecorder = RecorderReady | RecordingOpened | RecordingClosed | RecorderLoad | Counters | LogLine
