"""Which source a leg takes its packets from: pure rules, no sockets.

`exact`: only the address and port that SDP named. `same_address`: also another port of
that address. `nat`: also any port of the address that the peer's signalling comes from, or any
source where that is not known. What SDP named latches with its first valid packet; a
source that is only allowed must send two consecutive ones (MIN_SEQUENTIAL of
:rfc:`3550#appendix-A.1`), and the first to do so has the leg until the next offer/answer.
The caller has checked that packets are RTP with a negotiated payload type.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from rtp.statistics import MAX_DROPOUT

MAX_CANDIDATES: Final = 64
"Sources on probation at a time; the oldest gives way."

Source = tuple[str, int]
"Numeric address and port."


class LatchMode(StrEnum):
    EXACT = "exact"
    SAME_ADDRESS = "same_address"
    NAT = "nat"


class Verdict(Enum):
    """What becomes of the packet that was offered."""

    LATCHED = auto()
    "The leg is this source's from now on; the packet counts."
    PROBATION = auto()
    "The source may become the leg's; the packet is dropped."
    WRONG_SOURCE = auto()
    WRONG_SSRC = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """What a leg was latched to before it fell silent or was negotiated anew."""

    source: Source
    ssrc: int
    sequence: int


class Latch:
    """One search for a leg's source; a new negotiation makes a new one."""

    __slots__ = ("_candidates", "_mode", "_resumption", "_signalled", "_signalling", "_strict")

    def __init__(
        self,
        mode: LatchMode,
        signalled: Source,
        resumption: Resumption | None = None,
        *,
        strict: bool = False,
        signalling: str = "",
    ) -> None:
        """Search for `signalled` and whatever else `mode` allows.

        `signalling`: the address that the peer's signalling comes from; empty: not known.

        The source in `resumption` latches at once: silence alone must not make it a
        stranger. With `strict` any other must go on with that stream: the same SSRC and a
        sequence number within 3,000.
        """
        self._mode = mode
        self._signalled = signalled
        self._resumption = resumption
        self._strict = strict
        self._signalling = signalling
        self._candidates: dict[Source, tuple[int, int]] = {}

    def offer(self, source: Source, ssrc: int, sequence: int) -> Verdict:
        """Judge one valid packet."""
        if self._resumption and source == self._resumption.source:
            return Verdict.LATCHED
        if not self._allows(source):
            return Verdict.WRONG_SOURCE
        if self._strict and not self._resumes(ssrc, sequence):
            return Verdict.WRONG_SSRC
        if source == self._signalled:
            return Verdict.LATCHED
        return self._on_probation(source, ssrc, sequence)

    def _allows(self, source: Source) -> bool:
        if self._mode is LatchMode.EXACT:
            return source == self._signalled
        if self._mode is LatchMode.SAME_ADDRESS:
            return source[0] == self._signalled[0]
        return source[0] in {self._signalled[0], self._signalling} or not self._signalling

    def _resumes(self, ssrc: int, sequence: int) -> bool:
        stream = self._resumption
        if stream is None:
            return True
        ahead = (sequence - stream.sequence) & 0xFFFF
        return ssrc == stream.ssrc and ahead < MAX_DROPOUT

    def _on_probation(self, source: Source, ssrc: int, sequence: int) -> Verdict:
        if self._candidates.get(source) == (ssrc, sequence):
            return Verdict.LATCHED
        self._candidates.pop(source, None)
        if len(self._candidates) >= MAX_CANDIDATES:
            del self._candidates[next(iter(self._candidates))]
        self._candidates[source] = (ssrc, sequence + 1 & 0xFFFF)
        return Verdict.PROBATION
