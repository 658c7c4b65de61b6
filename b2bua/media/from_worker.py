"""What a media worker tells the signalling process."""

from b2bua.media.messages import Counters, LogLine, Message
from ivr.key_pad import Way


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
