"""Descriptions of a telephone, in as few words as a test needs."""

from sip.sdp import SessionDescription

NOWHERE = "0.0.0.0"  # noqa: S104 - not bound to: the old spelling of hold
NAMES = {
    "0": "PCMU/8000",
    "8": "PCMA/8000",
    "9": "G722/8000",
    "18": "G729/8000",
    "13": "CN/8000",
    "96": "opus/48000/2",
    "97": "telephone-event/48000",
    "101": "telephone-event/8000",
}


def sdp(*lines: str, c: str = "192.0.2.1") -> SessionDescription:
    head = ["v=0", "o=- 5 1 IN IP4 192.0.2.1", "s=-", *([f"c=IN IP4 {c}"] if c else []), "t=0 0"]
    return SessionDescription.parse("\r\n".join([*head, *lines, ""]).encode())


def audio(formats: str, *lines: str, c: str = "192.0.2.1") -> SessionDescription:
    """Describe audio by payload types, each with the name that this file gives it."""
    named = [f"a=rtpmap:{each} {NAMES[each]}" for each in formats.split() if each in NAMES]
    return sdp(f"m=audio 4000 RTP/AVP {formats}", *named, *lines, c=c)
