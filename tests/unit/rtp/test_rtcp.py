"""Bytes on the wire, written out by hand, and what is no RTCP."""

import pytest

from rtp.rtcp import (
    Description,
    Goodbye,
    MalformedRtcpError,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    parse,
    serialize,
)

BLOCK = ReportBlock(
    ssrc=0x11223344,
    fraction_lost=64,
    cumulative_lost=-2,
    highest_sequence=0x0001FFFE,
    jitter=80,
    last_sr=0xCAFEBABE,
    delay_since_last_sr=0x00028000,
)
BLOCK_OCTETS = bytes.fromhex("11223344 40fffffe 0001fffe 00000050 cafebabe 00028000")
SENDER = SenderReport(
    ssrc=0xAABBCCDD,
    ntp=0xE0A1_CAFE_BABE_0001,
    timestamp=160_000,
    packets=1000,
    octets=160_000,
    blocks=(BLOCK,),
)
SENDER_OCTETS = (
    bytes.fromhex("81c8000c aabbccdd e0a1cafe babe0001 00027100 000003e8 00027100") + BLOCK_OCTETS
)
RECEIVER = ReceiverReport(ssrc=0xAABBCCDD, blocks=(BLOCK,))
RECEIVER_OCTETS = bytes.fromhex("81c90007 aabbccdd") + BLOCK_OCTETS
EMPTY_OCTETS = bytes.fromhex("80c90001 aabbccdd")
NAMED = SourceDescription(chunks=(Description(ssrc=0xAABBCCDD, cname=b"abc"),))
NAMED_OCTETS = bytes.fromhex("81ca0003 aabbccdd 01036162 63000000")
LEAVING = Goodbye(sources=(0xAABBCCDD,))
LEAVING_OCTETS = bytes.fromhex("81cb0001 aabbccdd")


@pytest.mark.parametrize(
    ("packet", "octets"),
    [(SENDER, SENDER_OCTETS), (RECEIVER, RECEIVER_OCTETS)],
    ids=["sender", "receiver"],
)
def test_a_compound_is_what_the_rfc_draws(
    packet: SenderReport | ReceiverReport, octets: bytes
) -> None:
    compound = octets + NAMED_OCTETS + LEAVING_OCTETS
    assert serialize((packet, NAMED, LEAVING)) == compound
    assert parse(compound) == (packet, NAMED, LEAVING)


def test_what_a_report_block_repeats_is_the_middle_of_the_ntp_timestamp() -> None:
    assert SENDER.middle_ntp == 0xCAFEBABE


@pytest.mark.parametrize("length", range(5))
def test_names_of_every_length_end_at_a_word(length: int) -> None:
    named = SourceDescription(
        chunks=(
            Description(ssrc=1, cname=b"x" * length),
            Description(ssrc=2, cname=None),
        )
    )
    octets = serialize((RECEIVER, named))
    assert len(octets) % 4 == 0
    assert parse(octets) == (RECEIVER, named)


@pytest.mark.parametrize(
    "more",
    [
        bytes.fromhex("80cc0002 aabbccdd 4e414d45"),
        bytes.fromhex("81cd0003 00000001 00000002 00010000"),
        bytes.fromhex("80cf0001 aabbccdd"),
        bytes.fromhex("80ff0000"),
    ],
    ids=["APP", "feedback", "extended report", "unknown"],
)
def test_other_types_are_stepped_over(more: bytes) -> None:
    assert parse(RECEIVER_OCTETS + more + LEAVING_OCTETS) == (RECEIVER, LEAVING)


def test_a_lone_packet_is_taken_as_baresip_opens_its_way() -> None:
    assert parse(bytes.fromhex("80cc0003 aabbccdd 50494e47 504f4e47")) == ()
    assert parse(LEAVING_OCTETS) == (LEAVING,)


def test_a_profiles_own_words_a_reason_and_padding_are_stepped_over() -> None:
    extended = bytes.fromhex("81c90008 aabbccdd") + BLOCK_OCTETS + b"more"
    reason = bytes.fromhex("a1cb0004 aabbccdd 03627965 00000000 00000008")
    assert parse(extended + reason) == (RECEIVER, LEAVING)


def test_other_items_than_the_name_are_not_kept() -> None:
    described = bytes.fromhex("81ca0004 aabbccdd 02024142 01036162 63000000")
    assert parse(EMPTY_OCTETS + described)[1] == NAMED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x80\xc9\x00",
        b"\x80\xc9\x00\x00",
        b"\x80\xc8\x00\x06" + bytes(23),
        b"\x80\xc8\x00\x05" + bytes(20),
        b"\x40\xc9\x00\x01" + bytes(4),
        b"\x9f\xc9\x00\x01" + bytes(4),
        b"\x82\xc9\x00\x07" + bytes(28),
        b"\x80\xc9\xff\xff" + bytes(4),
        b"\x80\xbf" + EMPTY_OCTETS[2:],
        b"\x80\xe0" + EMPTY_OCTETS[2:],
        EMPTY_OCTETS + b"\x80",
        EMPTY_OCTETS + b"\x00\xc9\x00\x01" + bytes(4),
        EMPTY_OCTETS + b"\x9f\xcb\x00\x01" + bytes(4),
        EMPTY_OCTETS + b"\x81\xca\x00\x01" + bytes(4),
        EMPTY_OCTETS + bytes.fromhex("81ca0002 aabbccdd 01ff6162"),
        EMPTY_OCTETS + bytes.fromhex("81ca0002 aabbccdd 01026162"),
        EMPTY_OCTETS + bytes.fromhex("81ca0002 aabbccdd 01016101"),
        b"\xa0\xc9\x00\x02" + bytes(7) + b"\x04" + LEAVING_OCTETS,
        EMPTY_OCTETS + bytes.fromhex("a1cb0002 aabbccdd 00000000"),
        EMPTY_OCTETS + bytes.fromhex("a1cb0002 aabbccdd 00000003"),
        EMPTY_OCTETS + bytes.fromhex("a1cb0002 aabbccdd 0000000c"),
        EMPTY_OCTETS + bytes.fromhex("a0cb0000"),
        bytes(2048),
        b"INVITE sip:102@127.0.0.1 SIP/2.0\r\n\r\n",
    ],
)
def test_what_is_no_compound_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedRtcpError):
        parse(data)
