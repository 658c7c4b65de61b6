"""What the generator sends, and what becomes of it: pure functions over arrays.

Legs are numbered: call `c` has the caller's leg `2 c` and the callee's leg `2 c + 1`. The
20 ms frame is cut into an even number of slots, even ones send the callers' packets, odd
ones the callees', so that packets are spread evenly and each step needs one system call.

A packet carries its own name: the lowest bit of the first 32 octets of the payload is its
leg (14 bits) and frame (18 bits). So a packet is recognised whatever the server does to SSRC,
sequence and timestamp, and the sound changes by less than A-law's own noise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import speech

FRAME_NS = 20_000_000
FRAMES_PER_SECOND = 50
PAYLOAD = 160
HEADER = 12
PACKET = HEADER + PAYLOAD
TAG_BITS = 32
HEAD = HEADER + TAG_BITS
"What a receiver has to keep of a packet."
FRAME_BITS = 18
PAYLOAD_TYPE = 8
SILENCE = 0xD5
SETTLING_FRAMES = 15
"Between the last leg's begin and the first known speech."
MAX_LEGS = 1 << (TAG_BITS - FRAME_BITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The load of one run."""

    calls: int
    seconds: int
    "Of known speech; what is measured."
    lead_seconds: int = 0
    """Of silence before, in which the calls begin to send one after the other: a thousand
    streams that begin in one frame are no load that a telephone system sees."""

    @property
    def legs(self) -> int:
        return 2 * self.calls

    @property
    def frames(self) -> int:
        return FRAMES_PER_SECOND * (self.lead_seconds + self.seconds)

    @property
    def lead_frames(self) -> int:
        return FRAMES_PER_SECOND * self.lead_seconds

    def first_frame(self, leg: int) -> int:
        """The first frame in which a leg sends; never decreases with the leg."""
        return leg // 2 * max(0, self.lead_frames - SETTLING_FRAMES) // self.calls

    @property
    def slots(self) -> int:
        """Steps per frame: 20 (1 ms) to 80 (0.25 ms), ten packets each where that is enough."""
        return min(80, max(20, 2 * -(-self.calls // 20) * 2))

    @property
    def step_ns(self) -> int:
        return FRAME_NS // self.slots

    def slot_of(self, leg: int) -> int:
        """In which slot of the frame a leg sends; a call's two legs are not neighbours."""
        call, side = divmod(leg, 2)
        half = self.slots // 2
        return 2 * ((call + side * (half // 2)) % half) + side

    def members(self, slot: int) -> list[int]:
        """The slot's legs, in the order in which they begin to send."""
        return [leg for leg in range(self.legs) if self.slot_of(leg) == slot]

    def speech_ns(self, leg: int, begin_ns: int) -> int:
        """When a leg's known speech begins, if the first step is at `begin_ns`."""
        return begin_ns + self.lead_frames * FRAME_NS + self.slot_of(leg) * self.step_ns


def tag_bits(leg: int, frames: int) -> NDArray[np.uint8]:
    """Names of a leg's packets as bits, shape (frames, TAG_BITS)."""
    names = (leg << FRAME_BITS) + np.arange(frames, dtype=np.uint32)
    octets = names.astype(">u4").view(np.uint8).reshape(frames, 4)
    return np.unpackbits(octets, axis=1)


def read_tags(heads: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Leg and frame of received packets; `heads` has shape (n, HEAD)."""
    octets = np.packbits(heads[:, HEADER:HEAD] & 1, axis=1)
    names = np.ascontiguousarray(octets).view(">u4").astype(np.int64).reshape(-1)
    return names >> FRAME_BITS, names & ((1 << FRAME_BITS) - 1)


def payloads(leg: int, seconds: int, lead_seconds: int = 0) -> NDArray[np.uint8]:
    """Everything a leg says, A-law with names in it, shape (frames, PAYLOAD)."""
    speaking = speech.utterances(leg % 2)[speech.order(leg, seconds)].reshape(-1, PAYLOAD)
    silent = np.full((FRAMES_PER_SECOND * lead_seconds, PAYLOAD), SILENCE, np.uint8)
    said = np.concatenate([silent, speaking])
    said[:, :TAG_BITS] &= 0xFE
    said[:, :TAG_BITS] |= tag_bits(leg, len(said))
    return said


def packets(leg: int, seconds: int, lead_seconds: int = 0) -> NDArray[np.uint8]:
    """RTP packets of a leg (:rfc:`3550#section-5.1`), shape (frames, PACKET)."""
    said = payloads(leg, seconds, lead_seconds)
    frames = np.arange(len(said))
    rng = np.random.default_rng((22, leg))
    first_sequence, first_timestamp, ssrc = rng.integers(0, (1 << 16, 1 << 32, 1 << 32))
    whole = np.empty((len(said), PACKET), np.uint8)
    whole[:, 0] = 0x80
    whole[:, 1] = PAYLOAD_TYPE
    whole[FRAMES_PER_SECOND * lead_seconds, 1] |= 0x80  # first packet of a talkspurt
    sequence = ((first_sequence + frames) & 0xFFFF).astype(">u2")
    timestamp = ((first_timestamp + frames * PAYLOAD) & 0xFFFFFFFF).astype(">u4")
    whole[:, 2:4] = sequence.view(np.uint8).reshape(-1, 2)
    whole[:, 4:8] = timestamp.view(np.uint8).reshape(-1, 4)
    whole[:, 8:12] = np.frombuffer(int(ssrc).to_bytes(4, "big"), np.uint8)
    whole[:, HEADER:] = said
    return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The generator's log of its steps, one element per step."""

    before_ns: NDArray[np.int64]
    "CLOCK_REALTIME just before the system call."
    after_ns: NDArray[np.int64]
    "The same, just after."
    lag_ns: NDArray[np.int64]
    "How late the step began."
    count: NDArray[np.int64]
    "Packets that the kernel took."


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came back, one element per packet."""

    heads: NDArray[np.uint8]
    "Shape (n, HEAD)."
    length: NDArray[np.int64]
    "Octets of the whole packet."
    at_ns: NDArray[np.int64]
    "The kernel's receive timestamp, CLOCK_REALTIME."
    port: NDArray[np.int64]
    "Source port: which of the server's legs sent it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The run in figures."""

    planned: int
    sent: int
    received: int
    "Distinct packets that came to the right leg."
    duplicates: int
    strangers: int
    "Packets that came to the wrong leg, or are none of ours."
    delay_ms_p50: float
    delay_ms_p99: float
    delay_ms_max: float
    lag_ms_p99: float
    lag_ms_max: float

    @property
    def sent_pct(self) -> float:
        return 100.0 * self.sent / self.planned

    @property
    def loss_pct(self) -> float:
        return 100.0 * (self.sent - self.received) / max(self.sent, 1)


def send_times(plan: Plan, sent: Sent) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When each packet left (0: never) and how late, shape (legs, frames) each, ns.

    One system call sends a slot's packets one after the other; between its begin and its end
    the instants are interpolated.
    """
    at = np.zeros((plan.legs, plan.frames), np.int64)
    late = np.zeros((plan.legs, plan.frames), np.int64)
    for slot in range(plan.slots):
        members = plan.members(slot)
        steps = slice(slot, plan.frames * plan.slots, plan.slots)
        begin, end = sent.before_ns[steps], sent.after_ns[steps]
        for place, leg in enumerate(members):
            into = (end - begin) * place // np.maximum(sent.count[steps], 1)
            went = sent.count[steps] > place
            at[leg] = np.where(went, begin + into, 0)
            late[leg] = sent.lag_ns[steps] + into
    return at, late


def judge(
    plan: Plan,
    sent: Sent,
    received: Received,
    ports: NDArray[np.int64],
    frames: range | None = None,
) -> Verdict:
    """Match what came back with what was sent; `ports` are the server's, by leg.

    Loss is that of all packets, or of those of `frames`; delay and lag are those of the known
    speech among them.
    """
    frames = range(plan.frames) if frames is None else frames
    at, late = send_times(plan, sent)
    leg, frame = read_tags(received.heads)
    known = (leg < plan.legs) & (frame < plan.frames) & (received.length == PACKET)
    known[known] &= received.port[known] == ports[leg[known] ^ 1]
    known[known] &= at[leg[known], frame[known]] > 0
    stray = int(np.count_nonzero(~known))
    known &= (frame >= frames.start) & (frame < frames.stop)
    name = leg[known] * plan.frames + frame[known]
    distinct, first = np.unique(name, return_index=True)
    delay = received.at_ns[known][first] - at[leg[known], frame[known]][first]
    delay = delay[frame[known][first] >= plan.lead_frames]
    percentile = np.percentile(delay, (50, 99, 100)) if len(delay) else np.full(3, np.nan)
    went = at[:, frames.start : frames.stop] > 0
    settled = slice(max(frames.start, plan.lead_frames), frames.stop)
    late = late[:, settled][at[:, settled] > 0]
    return Verdict(
        planned=sum(
            max(0, frames.stop - max(frames.start, plan.first_frame(leg)))
            for leg in range(plan.legs)
        ),
        sent=int(np.count_nonzero(went)),
        received=len(distinct),
        duplicates=int(np.count_nonzero(known)) - len(distinct),
        strangers=stray,
        delay_ms_p50=round(float(percentile[0]) / 1e6, 4),
        delay_ms_p99=round(float(percentile[1]) / 1e6, 4),
        delay_ms_max=round(float(percentile[2]) / 1e6, 4),
        lag_ms_p99=round(float(np.percentile(late, 99)) / 1e6, 4) if late.size else np.inf,
        lag_ms_max=round(float(late.max()) / 1e6, 4) if late.size else np.inf,
    )
