"""What an audio m-line says about each payload type, and when two of them are the same codec.

Codecs are plain data here: a codec that we have never heard of is kept, numbered and matched
like any other. Nothing in this file knows how a codec sounds.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from sip.sdp import Attribute, MediaDescription

_STATIC: dict[int, tuple[str, int, int]] = {
    # RFC 3551, tables 4 and 5: payload type -> encoding name, clock rate, channels.
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    4: ("G723", 8000, 1),
    5: ("DVI4", 8000, 1),
    6: ("DVI4", 16000, 1),
    7: ("LPC", 8000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),  # 16 kHz of sound; the clock rate is an old mistake that stays
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    12: ("QCELP", 8000, 1),
    13: ("CN", 8000, 1),
    14: ("MPA", 90000, 1),
    15: ("G728", 8000, 1),
    16: ("DVI4", 11025, 1),
    17: ("DVI4", 22050, 1),
    18: ("G729", 8000, 1),
}

LAWS = {"PCMA": 8, "PCMU": 0}
"The two laws of G.711, each convertible into the other by table, with their static numbers."

TELEPHONE_EVENT = "TELEPHONE-EVENT"

AUXILIARY = frozenset({TELEPHONE_EVENT, "CN"})
"Go along with a codec but make no conversation alone (RFC 4733, RFC 3389)."

NOT_RELAYED = frozenset({"RED", "ULPFEC", "FLEXFEC", "FLEXFEC-03", "RTX", "PARITYFEC"})
"Their packets or parameters name other payload types, which may be others on the far side."

_DECIDING_FMTP: dict[str, dict[str, str]] = {
    # Encoding name -> parameters that change the bits on the wire, with what their absence
    # means. All other parameters only declare a wish and don't part two codecs.
    "AMR": {"octet-align": "0", "crc": "0", "robust-sorting": "0", "interleaving": ""},
    "AMR-WB": {"octet-align": "0", "crc": "0", "robust-sorting": "0", "interleaving": ""},
    "G7221": {"bitrate": ""},
    "ILBC": {"mode": "30"},
}

MAX_PAYLOADS = 32
"Payload types of one m-line that are looked at; phones offer a dozen."

NAMING = frozenset({"rtpmap", "fmtp"})
"Attributes that say what a payload type is."

_RTPMAP = re.compile(
    r"([0-9]{1,3})[ \t]+([^\s/]{1,64})/([0-9]{1,7})(?:/([0-9]{1,3}))?[ \t]*", re.ASCII
)
_FMTP = re.compile(r"([0-9]{1,3})[ \t]+(\S.*)", re.ASCII)
_PAYLOAD_TYPE = re.compile(r"[0-9]{1,3}", re.ASCII)


class Payload(NamedTuple):
    """One payload type of a stream. A tuple, because lists of them are hashed to be remembered."""

    payload_type: int
    "The number that the peer wants to receive: the one in its own description."

    encoding: str
    "As the peer spells it; compare `codec`."

    clock_rate: int
    "Hz."

    channels: int = 1

    fmtp: str | None = None
    "Format parameters, uninterpreted."

    receive_type: int | None = None
    """The number that the peer is to send, where our description gave the codec another one.

    See :rfc:`3264#section-5.1`: payload numbers may differ per direction.
    """

    @property
    def codec(self) -> tuple[str, int, int]:
        """What must be equal for two payload types to carry the same codec."""
        return self.encoding.upper(), self.clock_rate, self.channels

    @property
    def law(self) -> str | None:
        """`PCMA` or `PCMU` at 8 kHz mono, None for everything else."""
        name, clock_rate, channels = self.codec
        return name if name in LAWS and (clock_rate, channels) == (8000, 1) else None

    @property
    def is_codec(self) -> bool:
        """Whether it carries the conversation (not digits, not comfort noise)."""
        return self.codec[0] not in AUXILIARY

    @property
    def is_event(self) -> bool:
        """Whether it carries pressed keys (:rfc:`4733`)."""
        return self.codec[0] == TELEPHONE_EVENT

    def matches(self, other: "Payload") -> bool:
        """Tell whether packets of one may be sent as the other."""
        deciding = _DECIDING_FMTP.get(self.codec[0], {})
        return self.codec == other.codec and all(
            fmtp_value(self.fmtp, name, absent) == fmtp_value(other.fmtp, name, absent)
            for name, absent in deciding.items()
        )


def fmtp_value(fmtp: str | None, name: str, absent: str) -> str:
    """Return one value of `name=value;name=value`."""
    for each in (fmtp or "").split(";"):
        key, _, value = each.partition("=")
        if key.strip().lower() == name:
            return value.strip().lower()
    return absent


def read_payloads(media: MediaDescription) -> tuple[Payload, ...]:
    """Return the payload types of an m-line in its order, without those that nobody names.

    An `rtpmap` wins over the static table; a repeated number counts once.
    """
    naming = [each for each in media.attributes if each.name in NAMING]
    return _payloads(media.formats[:MAX_PAYLOADS], tuple(naming))


@lru_cache(maxsize=256)
def _payloads(formats: tuple[str, ...], naming: tuple[Attribute, ...]) -> tuple[Payload, ...]:
    """Read the codecs. A telephone names the same ones in each of its calls."""
    named = _rtpmaps(each.value or "" for each in naming if each.name == "rtpmap")
    fmtps = (each.value or "" for each in naming if each.name == "fmtp")
    parameters = {int(m[1]): m[2].rstrip() for v in fmtps if (m := _FMTP.fullmatch(v))}
    payloads: dict[int, Payload] = {}
    for each in formats:
        number = int(each) if _PAYLOAD_TYPE.fullmatch(each) else -1
        codec = named.get(number) or _STATIC.get(number)
        if codec is None or number > 127 or codec[0].upper() in NOT_RELAYED:
            continue
        encoding, clock_rate, channels = codec
        payloads.setdefault(
            number,
            Payload(
                payload_type=number,
                encoding=encoding,
                clock_rate=clock_rate,
                channels=channels,
                fmtp=parameters.get(number),
            ),
        )
    return tuple(payloads.values())


def _rtpmaps(values: Iterable[str]) -> dict[int, tuple[str, int, int]]:
    """Read `a=rtpmap:96 opus/48000/2`; one that makes no sense is as if it were not there."""
    found = {}
    for value in values:
        match = _RTPMAP.fullmatch(value)
        if match and int(match[3]) and int(match[4] or 1):
            found[int(match[1])] = (match[2], int(match[3]), int(match[4] or 1))
    return found


@lru_cache(maxsize=256)
def write_payloads(payloads: tuple[Payload, ...]) -> tuple[Attribute, ...]:
    """Write `rtpmap` and `fmtp`, static types included: not every phone knows the table."""
    attributes = []
    for each in payloads:
        channels = "" if each.channels == 1 else f"/{each.channels}"
        rtpmap = f"{each.payload_type} {each.encoding}/{each.clock_rate}{channels}"
        attributes.append(Attribute(name="rtpmap", value=rtpmap))
        if each.fmtp is not None:
            attributes.append(Attribute(name="fmtp", value=f"{each.payload_type} {each.fmtp}"))
    return tuple(attributes)


def find_match(wanted: Payload, among: Iterable[Payload]) -> Payload | None:
    """Return the same codec from `among`: best with the same number, then the same fmtp."""
    candidates = [each for each in among if each.matches(wanted)]
    return min(
        candidates,
        key=lambda each: (each.payload_type != wanted.payload_type, each.fmtp != wanted.fmtp),
        default=None,
    )


def with_both_laws(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
    """Add the missing law behind the last codec where one law of the two is there.

    So a phone that knows only the other law can still answer: we convert by table.
    """
    laws = {each.law for each in payloads} - {None}
    if len(laws) != 1:
        return payloads
    [missing] = LAWS.keys() - laws
    number = free_number(LAWS[missing], payloads)
    added = Payload(payload_type=number, encoding=missing, clock_rate=8000)
    last = max(index for index, each in enumerate(payloads) if each.is_codec)
    return (*payloads[: last + 1], added, *payloads[last + 1 :])


def with_telephone_events(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
    """Add telephone-event per clock rate of the codecs where there is none at all.

    Where the offer has some, its choice stands: an event at a clock rate that only one side
    has could be chosen there and would be of no use to the other.
    """
    if any(each.is_event for each in payloads):
        return payloads
    return with_events_at((each.clock_rate for each in payloads if each.is_codec), payloads)


def with_events_at(
    clock_rates: Iterable[int], payloads: tuple[Payload, ...]
) -> tuple[Payload, ...]:
    """Add telephone-event once for each of these clock rates."""
    for clock_rate in tuple(dict.fromkeys(clock_rates)):
        number = free_number(101, payloads)
        event = Payload(
            payload_type=number,
            encoding="telephone-event",
            clock_rate=clock_rate,
            fmtp="0-16",
        )
        payloads = (*payloads, event)
    return payloads


def free_number(preferred: int, used: Iterable[Payload]) -> int:
    """Return `preferred`, or a dynamic number where it is taken.

    96 to 127 first, then what RFC 3551, section 3 leaves unassigned; 72 to 76 look like RTCP.
    `MAX_PAYLOADS` twice over does not fill them.
    """
    taken = {each.payload_type for each in used}
    candidates: tuple[int, ...] = (preferred, *range(96, 128), *range(35, 72), *range(77, 96))
    return next(each for each in candidates if each not in taken)


def renumber(payloads: tuple[Payload, ...], standing: tuple[Payload, ...]) -> tuple[Payload, ...]:
    """Choose numbers so that none means another codec than it does in `standing`.

    See :rfc:`3264#section-8.3.2`: within a session a payload number never changes its codec.
    """
    chosen: list[Payload] = []
    rest: list[Payload] = list(standing)
    for each in payloads:
        known = find_match(each, rest)
        if known is not None:
            rest.remove(known)
            chosen.append(each._replace(payload_type=known.payload_type))
        else:
            number = free_number(each.payload_type, (*standing, *chosen, *payloads))
            keeps = all(each.payload_type != other.payload_type for other in (*standing, *chosen))
            chosen.append(each if keeps else each._replace(payload_type=number))
    return tuple(chosen)
