"""The torture messages of RFC 4475 and 5118, and what a server says to each on the wire.

Those of RFC 4475 are not ours to ship; they lie beside the project. Those of RFC 5118 are written
by hand after its descriptions: what each is about stands as there, the rest is as short as may be.

A verdict is the set of final answers that are right; `None` stands for no answer.
"""

import zlib
from pathlib import Path

RFC4475 = Path(__file__).parents[3] / "shared" / "data" / "rfc4475"

Verdict = frozenset[int | None]


def _is(*codes: int | None) -> Verdict:
    return frozenset(codes)


FINE = _is(200, 401, 403, 404, 405, 416, 480, 481, 486, 488, 501)
"Well formed: anything but 400."

SILENCE = _is(None)


def _each(names: str, verdict: Verdict) -> dict[str, Verdict]:
    return dict.fromkeys(names.split(), verdict)


VERDICTS: dict[str, Verdict] = {
    # Well formed, however odd (RFC 4475 section 3.1.1).
    **_each("wsinv esc01 escnull lwsdisp longreq dblreq semiuri transports mpart01", FINE),
    **_each("badbranch regaut01 cparam01 cparam02 regescrt zeromf baddate", FINE),
    **_each("intmeth esc02", _is(405, 501)),
    "unksm2": _is(400, 404, 416),
    "inv2543": FINE | {400},
    # Responses that belong to nothing, and what is no SIP.
    **_each("unreason noreason scalarlg bigcode bcast test", SILENCE),
    # Broken.
    **_each("badinv01 clerr scalar02 quotbal lwsruri badaspec regbadct baddn", _is(400)),
    **_each("mismatch01 insuf multi01 mcl01 ncl ltgtruri lwsstart trws escruri", _is(400)),
    "badvers": _is(505),
    "mismatch02": _is(501),
    "unkscm": _is(416),
    "novelsc": _is(416),
    "bext01": _is(420),
    "invut": _is(415),
    "sdp01": _is(406, 488),
}
"By file, RFC 4475."


def _message(start: str, *lines: str, body: str = "") -> bytes:
    method = start.split(" ", 1)[0]
    wants = {line.partition(":")[0] for line in lines}
    own = zlib.crc32(repr((start, lines)).encode())
    defaults = {
        "Via": f"SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK{own}",
        "To": "sip:user@example.com",
        "From": "sip:user@example.com;tag=81x2",
        "Call-ID": f"{own}@hlau_4100",
        "Max-Forwards": "70",
        "CSeq": f"98176 {method}",
        "Contact": '"Caller" <sip:caller@[2001:db8::1]>',
    }
    added = [f"{name}: {value}" for name, value in defaults.items() if name not in wants]
    kind = ["Content-Type: application/sdp"] if body else []
    head = [f"{start} SIP/2.0", *lines, *added, *kind, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body.encode()


def _sdp(*lines: str) -> str:
    return "\r\n".join(("v=0", *lines, ""))


_SDP = _sdp(
    "o=assistant 971731711378798081 0 IN IP6 2001:db8::20",
    "s=Live video feed for today's meeting",
    "c=IN IP6 2001:db8::20",
    "t=3338481189 3370017201",
    "m=audio 6000 RTP/AVP 2 8",
    "a=rtpmap:2 G726-32/8000",
)

_FOUR_AND_SIX = _sdp(
    "o=bob 280744730 28977631 IN IP4 host.example.com",
    "s=",
    "t=0 0",
    "m=audio 22334 RTP/AVP 0",
    "c=IN IP4 192.0.2.1",
    "m=video 6024 RTP/AVP 107",
    "c=IN IP6 2001:db8::1",
    "a=rtpmap:107 H263-1998/90000",
)

_MAPPED = _sdp(
    "o=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2",
    "s=Call me soon, please!",
    "c=IN IP6 ::ffff:192.0.2.2",
    "t=3338481189 3370017201",
    "m=audio 6000 RTP/AVP 8",
)

RFC5118: dict[str, tuple[bytes, Verdict]] = {
    "4.1 a reference in brackets": (_message("REGISTER sip:[2001:db8::10]"), FINE),
    "4.2 a reference without brackets": (_message("REGISTER sip:2001:db8::10"), _is(400)),
    "4.3 a port that is none": (_message("REGISTER sip:[2001:db8::10:5070]"), FINE),
    "4.4 a port": (_message("REGISTER sip:[2001:db8::10]:5070"), FINE),
    "4.5 received in brackets": (
        _message(
            "BYE sip:[2001:db8::10]",
            "To: sip:user@example.com;tag=bd76ya",
            "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111",
        ),
        FINE,
    ),
    "4.5 received without brackets": (
        _message(
            "OPTIONS sip:[2001:db8::10]",
            "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3",
        ),
        FINE,
    ),
    "4.6 in the body": (_message("INVITE sip:user@[2001:db8::10]", body=_SDP), FINE),
    "4.7 addresses of both kinds in headers": (
        _message(
            "BYE sip:user@host.example.net",
            "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111",
            "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144",
            "Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200",
            "To: sip:user@example.net;tag=bd76ya",
        ),
        FINE,
    ),
    "4.8 addresses of both kinds in the body": (
        _message("INVITE sip:bob@192.0.2.10", "Contact: sip:a@192.0.2.7", body=_FOUR_AND_SIX),
        FINE,
    ),
    "4.9 mapped addresses": (
        _message(
            "INVITE sip:user@example.com",
            "Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19",
            'Contact: "T. desk phone" <sip:ted@[::ffff:192.0.2.2]>',
            body=_MAPPED,
        ),
        FINE,
    ),
    "4.10 the grammar's extra colon": (
        _message("OPTIONS sip:user@[2001:db8:::192.0.2.1]"),
        FINE | {400},
    ),
    "4.10 without it": (_message("OPTIONS sip:user@[2001:db8::192.0.2.1]"), FINE),
}
"By section: message and verdict."


def torture() -> dict[str, tuple[bytes, Verdict]]:
    """Return all messages that are here, each with its verdict."""
    found = {
        f"4475 {name}": ((RFC4475 / f"{name}.dat").read_bytes(), verdict)
        for name, verdict in VERDICTS.items()
        if RFC4475.is_dir()
    }
    return found | {f"5118 {name}": each for name, each in RFC5118.items()}
