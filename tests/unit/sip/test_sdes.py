"""Keys in SDP (RFC 4568), and what a description says about SRTP."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.audio_stream import NoCommonCodec, audio_stream
from sip.sdes import KEY_OCTETS, OFFERED, Crypto, Inline, choose, fresh, parse, read
from sip.sdp import SdpError, SessionDescription
from sip.secure_media import (
    NoUsableKey,
    Srtp,
    SrtpRequired,
    as_plain,
    dressed,
    read_answer,
    read_media,
)

KEY = base64.b64encode(bytes(range(30))).decode()
CM_80 = "AES_CM_128_HMAC_SHA1_80"
CM_32 = "AES_CM_128_HMAC_SHA1_32"


def line(rest: str = "", *, suite: str = CM_80, key: str = KEY, tag: str = "1") -> str:
    return f"{tag} {suite} inline:{key}{rest}"


@pytest.mark.parametrize("rest", ["", "|2^20", "|1048576", "|2^48", "|1000", " WSH=128", " KDR=0"])
def test_a_key_with_and_without_a_lifetime(rest: str) -> None:
    crypto = parse(line(rest))
    assert crypto is not None
    assert (crypto.tag, crypto.suite) == (1, CM_80)
    assert crypto.inline == Inline(key=bytes(range(30)))


@pytest.mark.parametrize(
    ("rest", "mki"), [("|2^20|1:4", b"\0\0\0\1"), ("|7:1", b"\7"), ("|2^20|258:2", b"\1\2")]
)
def test_an_mki(rest: str, mki: bytes) -> None:
    crypto = parse(line(rest))
    assert crypto is not None
    assert crypto.inline.mki == mki


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        f"1 {CM_80}",
        line(tag="x"),
        line(tag="01"),
        line(tag="1234567890"),
        line(suite="F8_128_HMAC_SHA1_80"),
        line(suite="AEAD_AES_128_GCM"),  # 28 octets
        line(key=KEY[:-4]),
        line(key=KEY + "AAAA"),
        line(key="A" * 41),
        line("|2^49"),
        line("|0"),
        line("|2^20|1:0"),
        line("|2^20|256:1"),
        line("|2^20|1:129"),
        line(f";inline:{KEY}|2^20|2:4"),  # several keys
        line(" KDR=3"),
        line(" UNENCRYPTED_SRTP"),
        line(" UNENCRYPTED_SRTCP"),
        line(" UNAUTHENTICATED_SRTP"),
        line(" FEC_ORDER=SRTP_FEC"),
        line(" SOMETHING_NEW"),
        line().replace("inline:", "outline:"),
        line().replace("1", "\u0661", 1),
    ],
)
def test_what_cant_be_honoured_is_not_there(value: str) -> None:
    assert parse(value) is None


def test_an_optional_extension_and_missing_padding_do_no_harm() -> None:
    short = base64.b64encode(bytes(28)).decode().rstrip("=")
    crypto = parse(line(" -SOMETHING=1", suite="aead_aes_128_gcm", key=short))
    assert crypto is not None
    assert crypto.suite == "AEAD_AES_128_GCM"


@given(st.integers(0, 999_999_999), st.sampled_from(sorted(KEY_OCTETS)), st.binary(max_size=128))
def test_what_is_written_reads_the_same(tag: int, suite: str, mki: bytes) -> None:
    key = fresh(tag, suite).inline.key
    crypto = Crypto(tag=tag, suite=suite, inline=Inline(key=key, mki=mki))
    assert parse(str(crypto)) == crypto


@given(st.text(max_size=200))
def test_any_text_is_a_line_or_none(text: str) -> None:
    parse(text)
    parse(line(text))
    parse(line("|" + text))


def test_a_tag_counts_once_and_unknown_lines_are_passed_over() -> None:
    lines = read([line(suite="NEW"), line(tag="2"), line(tag="2", suite=CM_32), line(tag="3")])
    assert [(each.tag, each.suite) for each in lines] == [(2, CM_80), (3, CM_80)]


def test_the_short_tag_is_for_those_who_have_nothing_else() -> None:
    short, long = read([line(suite=CM_32), line(tag="2")])
    assert choose([short, long]) == long
    assert choose([short]) == short
    assert choose([]) is None
    assert CM_32 not in OFFERED


def test_keys_are_new_each_time_and_never_shown() -> None:
    one, two = fresh(1, CM_80), fresh(1, CM_80)
    assert one != two
    assert base64.b64encode(one.inline.key).decode() in str(one)
    assert repr(one.inline.key) not in repr(one)
    session = offer(audio("RTP/SAVP", line()))
    assert KEY in str(session)
    assert KEY not in repr(session)


# --- descriptions


def audio(profile: str, *cryptos: str, port: int = 4000) -> str:
    keys = "".join(f"a=crypto:{each}\r\n" for each in cryptos)
    return f"m=audio {port} {profile} 8 0\r\n{keys}a=sendrecv\r\n"


def offer(*media: str) -> SessionDescription:
    head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    return SessionDescription.parse((head + "".join(media)).encode())


SAVP, BEST_EFFORT, PLAIN = (
    audio("RTP/SAVP", line()),
    audio("RTP/AVP", line()),
    audio("RTP/AVP", port=5000),
)
UNKNOWN = audio("RTP/SAVP", line(suite="NEW"))
NO_KEY = audio("RTP/SAVP")
VIDEO = "m=video 6000 RTP/SAVP 96\r\n"


@pytest.mark.parametrize(
    ("wanted", "media", "expected"),
    [
        (Srtp.OFF, [PLAIN], (0, False)),
        (Srtp.OFF, [BEST_EFFORT], (0, False)),
        (Srtp.OFF, [SAVP], NoUsableKey),
        (Srtp.OFF, [audio("UDP/TLS/RTP/SAVP", line())], NoCommonCodec),
        (Srtp.OFF, [SAVP, PLAIN], (1, False)),
        (Srtp.OPTIONAL, [PLAIN], (0, False)),
        (Srtp.OPTIONAL, [BEST_EFFORT], (0, True)),
        (Srtp.OPTIONAL, [SAVP], (0, True)),
        (Srtp.OPTIONAL, [PLAIN, SAVP], (1, True)),
        (Srtp.OPTIONAL, [UNKNOWN], NoUsableKey),
        (Srtp.OPTIONAL, [UNKNOWN, PLAIN], (1, False)),
        (Srtp.OPTIONAL, [UNKNOWN, SAVP], (1, True)),
        (Srtp.REQUIRED, [PLAIN], SrtpRequired),
        (Srtp.REQUIRED, [UNKNOWN, PLAIN], SrtpRequired),
        (Srtp.REQUIRED, [NO_KEY], NoUsableKey),
        (Srtp.REQUIRED, [BEST_EFFORT], (0, True)),
        (Srtp.REQUIRED, [VIDEO, PLAIN, SAVP], (2, True)),
        (Srtp.REQUIRED, [audio("UDP/TLS/RTP/SAVP", line())], NoUsableKey),
        (Srtp.OPTIONAL, [VIDEO], SdpError),
        (Srtp.OFF, [audio("RTP/SAVP", line(), port=0)], SdpError),
    ],
)
def test_which_line_is_taken(
    wanted: Srtp, media: list[str], expected: tuple[int, bool] | type[SdpError]
) -> None:
    session = offer(*media)
    if isinstance(expected, type):
        with pytest.raises(expected) as raised:
            read_media(session, wanted)
        assert raised.value.status == 488
        return
    found = read_media(session, wanted)
    assert (found.index, bool(found.crypto)) == expected
    assert found.profile == session.media[found.index].profile
    assert audio_stream(found.session).remote.port == session.media[found.index].port
    assert "crypto" not in str(found.session.media[found.index])
    assert len(found.session.media) == len(session.media)


@pytest.mark.parametrize("media", [NO_KEY, UNKNOWN])
def test_an_answer_that_repeats_a_profile_it_doesnt_know_means_plain_rtp(media: str) -> None:
    answer = offer(media)
    assert read_answer(answer, Srtp.OPTIONAL).crypto == ()
    assert audio_stream(read_answer(answer, Srtp.OPTIONAL).session).remote.port == 4000
    with pytest.raises(NoUsableKey):
        read_answer(answer, Srtp.REQUIRED)
    with pytest.raises(NoUsableKey):
        read_answer(answer, Srtp.OFF)


def test_an_answer_that_refuses_everything() -> None:
    with pytest.raises(SdpError):
        read_answer(offer(audio("RTP/SAVP", port=0)), Srtp.OPTIONAL)
    with pytest.raises(NoCommonCodec):
        read_answer(offer(audio("UDP/TLS/RTP/SAVP")), Srtp.OPTIONAL)


def test_dressed_and_read_again() -> None:
    plain = offer(PLAIN)
    keys = (fresh(1, CM_80), fresh(2, "AEAD_AES_256_GCM"))
    session = dressed(plain, "RTP/SAVP", keys)
    found = read_media(SessionDescription.parse(bytes(session)), Srtp.REQUIRED)
    assert found.crypto == keys
    assert found.session == plain == as_plain(session)
