"""What the signalling process asks of a media worker."""

from typing import Literal

from msgspec import field

from b2bua.media.messages import Message

LatchMode = Literal["exact", "same_address", "nat"]

LawName = Literal["PCMA", "PCMU"]


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
    clock_rates: dict[int, int] = field(default_factory=dict)
    "Payload type in -> Hz, where it is not 8,000: timestamps go on at this rate when the"
    "source of a stream changes."
    recodings: dict[int, Recoding] = field(default_factory=dict)
    "Payload type in -> what is done packet by packet, off the fast path."
    events: dict[int, EventRecoding] = field(default_factory=dict)
    "Payload type in -> how telephone events go along with recoded sound."


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
    in_band: dict[int, LawName] = field(default_factory=dict)
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
