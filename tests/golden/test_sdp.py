"""Descriptions as phones and trunks send them, and what our two legs make of them.

`NAME.offer.sdp` comes from A, `NAME.relayed.sdp` is our offer to B, `NAME.answer.sdp` comes
from B and `NAME.answered.sdp` is our answer to A. Where we speak ourselves, `NAME.own.sdp` is our
own answer to A and `NAME.narrowed.sdp` our offer to B. `NAME.refused.sdp` gets 488. The files have
LF; on the wire it is CRLF. Set MITSCHNITT_WRITE_GOLDEN=1 to write what we send, then read it.
"""

import os
from pathlib import Path

import pytest

from sip.address import HostPort
from sip.audio_stream import NoCommonCodec, audio_stream
from sip.offer_answer import narrowed, negotiated, own_answer, relay_answer, relay_offer
from sip.route_plan import routes
from sip.sdp import Origin, SdpError, SessionDescription

FOLDER = Path(__file__).with_name("sdp")
CASES = sorted(path.name.split(".")[0] for path in FOLDER.glob("*.offer.sdp"))
PORT_TO_A, PORT_TO_B = 30_000, 30_002


def read(name: str) -> SessionDescription:
    return SessionDescription.parse((FOLDER / name).read_bytes().replace(b"\n", b"\r\n"))


def expect(name: str, ours: SessionDescription) -> None:
    text = bytes(ours).decode().replace("\r\n", "\n")
    if os.environ.get("MITSCHNITT_WRITE_GOLDEN"):
        (FOLDER / name).write_text(text)
    assert text == (FOLDER / name).read_text()


def local(case: str, port: int) -> HostPort:
    return HostPort("2001:db8:7::1" if case == "ipv6" else "198.51.100.7", port)


def relayed(case: str) -> SessionDescription:
    offer = read(f"{case}.offer.sdp")
    return relay_offer(offer, local=local(case, PORT_TO_B), origin=Origin(2000, 0))


def answered(case: str) -> SessionDescription:
    offer, answer = read(f"{case}.offer.sdp"), read(f"{case}.answer.sdp")
    return relay_answer(offer, answer, local=local(case, PORT_TO_A), origin=Origin(1000, 0))


@pytest.mark.parametrize("case", CASES)
def test_offer_to_b(case: str) -> None:
    expect(f"{case}.relayed.sdp", relayed(case))


@pytest.mark.parametrize("case", CASES)
def test_answer_to_a(case: str) -> None:
    expect(f"{case}.answered.sdp", answered(case))


@pytest.mark.parametrize("case", CASES)
def test_offer_to_b_when_we_are_going_to_speak(case: str) -> None:
    offer = narrowed(read(f"{case}.offer.sdp"))
    ours = relay_offer(offer, local=local(case, PORT_TO_B), origin=Origin(2000, 0))
    expect(f"{case}.narrowed.sdp", ours)


@pytest.mark.parametrize("case", CASES)
def test_our_own_answer_to_a(case: str) -> None:
    offer = read(f"{case}.offer.sdp")
    ours = own_answer(offer, local=local(case, PORT_TO_A), origin=Origin(1000, 0))
    expect(f"{case}.own.sdp", ours)
    assert len(ours.media) == len(offer.media)


def test_without_g711_we_have_no_answer_of_our_own() -> None:
    octets = (FOLDER / "snom.offer.sdp").read_bytes().replace(b"9 99 3 18 8 0 101", b"9 18 101")
    offer = SessionDescription.parse(octets.replace(b"\n", b"\r\n"))
    with pytest.raises(NoCommonCodec, match="nothing that we can speak") as raised:
        own_answer(offer, local=local("snom", PORT_TO_A), origin=Origin(1000, 0))
    assert raised.value.status == 488
    assert narrowed(offer) == offer, "we can't speak, but they can talk"


@pytest.mark.parametrize(
    ("case", "a_to_b", "b_to_a", "transcode"),
    [
        ("baresip", {8: 8, 0: 0, 101: 101}, {8: 8, 0: 0, 101: 101}, ({}, {})),
        # B numbers anew: what it is to send has our numbers, what we send it has its own.
        (
            "linphone",
            {96: 111, 0: 0, 101: 112, 100: 113},
            {96: 96, 111: 96, 0: 0, 101: 101, 112: 101, 100: 100, 113: 100},
            ({}, {}),
        ),
        ("pyvoip", {0: 8, 101: 101}, {8: 0, 101: 101}, ({0: "PCMU>PCMA"}, {8: "PCMA>PCMU"})),
        ("snom", {9: 9, 101: 101}, {9: 9, 101: 101}, ({}, {})),
        ("yealink", {0: 0, 101: 101}, {0: 0, 101: 101}, ({}, {})),
        ("fritzbox", {8: 8, 101: 101}, {8: 8, 101: 101}, ({}, {})),
        ("early_media_trunk", {8: 8}, {8: 8}, ({}, {})),
        ("ipv6", {97: 97}, {97: 97}, ({}, {})),
        (
            "video_and_audio",
            {8: 0, 126: 126},
            {0: 8, 126: 126},
            ({8: "PCMA>PCMU"}, {0: "PCMU>PCMA"}),
        ),
        ("hold_rfc2543", {8: 8, 101: 101}, {8: 8, 101: 101}, ({}, {})),
        ("srtp_and_plain", {8: 8, 101: 101}, {8: 8, 101: 101}, ({}, {})),
    ],
)
def test_routes(
    case: str,
    a_to_b: dict[int, int],
    b_to_a: dict[int, int],
    transcode: tuple[dict[int, str], dict[int, str]],
) -> None:
    a = negotiated(answered(case), read(f"{case}.offer.sdp"))
    b = negotiated(relayed(case), read(f"{case}.answer.sdp"))
    there, back = routes(a, b)
    assert (there.payload_types, back.payload_types) == (a_to_b, b_to_a)
    assert (there.transcode, back.transcode) == transcode


@pytest.mark.parametrize(
    ("case", "error", "reason"),
    [
        ("srtp", NoCommonCodec, "profile RTP/SAVP is not supported"),
        ("webrtc", NoCommonCodec, "profile UDP/TLS/RTP/SAVPF is not supported"),
        ("t38", SdpError, "no audio"),
    ],
)
def test_offer_that_is_refused(case: str, error: type[SdpError], reason: str) -> None:
    with pytest.raises(error, match=reason) as raised:
        audio_stream(read(f"{case}.refused.sdp"))
    assert raised.value.status == 488


def test_every_case_has_its_files() -> None:
    kinds = ("offer", "relayed", "answer", "answered", "own", "narrowed")
    missing = [f"{c}.{k}" for c in CASES for k in kinds if not (FOLDER / f"{c}.{k}.sdp").exists()]
    assert len(CASES) == 11
    assert missing == []
