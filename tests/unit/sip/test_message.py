"""The front: what hostile octets become."""

import pytest

from sip.errors import RemoteProtocolError
from sip.message import (
    MAX_HEADER,
    MAX_HEADERS,
    URI,
    Address,
    Request,
    Response,
    is_keepalive,
    parse,
    parse_address,
    parse_uri,
    tag_of,
    user_of,
)

LINES: dict[str, str | None] = {
    "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx",
    "From": "<sip:a@x>;tag=f",
    "To": "<sip:b@x>",
    "Call-ID": "c@x",
    "CSeq": "1 OPTIONS",
}


def message(
    start: str = "OPTIONS sip:b@x SIP/2.0",
    *more: str,
    fields: dict[str, str | None] | None = None,
    body: bytes = b"",
) -> bytes:
    """Return a message with some fields changed, left out (None) or added."""
    lines = LINES | (fields or {})
    text = [start, *(f"{name}: {value}" for name, value in lines.items() if value is not None)]
    return ("\r\n".join([*text, *more]) + "\r\n\r\n").encode() + body


def refused(data: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(data)
    return caught.value


def accepted(data: bytes) -> Request:
    parsed = parse(data)
    assert isinstance(parsed, Request)
    return parsed


def test_a_request() -> None:
    parsed = accepted(message(body=b"hello"))
    assert (parsed.method, str(parsed.uri), parsed.body) == ("OPTIONS", "sip:b@x", b"hello")
    head = parsed.head
    assert (head.call_id, head.cseq, head.method) == ("c@x", 1, "OPTIONS")
    assert (head.from_tag, head.to_tag, head.via.branch) == ("f", "", "z9hG4bKx")


def test_a_response() -> None:
    parsed = parse(message("SIP/2.0 180 Ringing Now", fields={"To": "<sip:b@x>;tag=t"}))
    assert isinstance(parsed, Response)
    assert (parsed.code, parsed.phrase, parsed.head.to_tag) == (180, "Ringing Now", "t")


@pytest.mark.parametrize("line", ["SIP/2.0 200", "SIP/2.0 200 ", "sip/2.0 200 OK"])
def test_a_status_line_may_lack_its_phrase(line: str) -> None:
    parsed = parse(message(line))
    assert isinstance(parsed, Response)
    assert parsed.code == 200


@pytest.mark.parametrize(
    "line",
    ["SIP/2.0", "SIP/3.0 200 OK", "SIP/2.0 99 X", "SIP/2.0 700 X", "SIP/2.0 +20 X",
     "SIP/2.0 20\u0661 X", "SIP/2.0 4294967301 X"],
)  # fmt: skip
def test_bad_status_lines(line: str) -> None:
    error = refused(message(line))
    assert (error.status, error.request) == (400, None)


@pytest.mark.parametrize(
    ("line", "status", "answerable"),
    [
        ("OPTIONS sip:b@x SIP/2.1", 505, True),
        ("OPTIONS sip:b@x SIP/20.0", 505, True),
        ("OPTIONS  sip:b@x SIP/2.0", 400, True),
        ("OPTIONS sip:b@x SIP/2.0 ", 400, True),
        ("OPTIONS SIP/2.0", 400, True),
        ("OPTIONS <sip:b@x> SIP/2.0", 400, True),
        ("OPTIONS sip:b\u00e4@x SIP/2.0", 400, True),
        ("OPTIONS urn:x SIP/2.0", 416, True),
        ("OPTIONS sip:b@x", 400, False),
        ("OPTIONS", 400, False),
        ("", 400, False),
        ("OPT\u00cfONS sip:b@x SIP/2.0", 400, False),
        ("GET / HTTP/1.1", 400, False),
    ],
)
def test_bad_request_lines(line: str, status: int, answerable: object) -> None:
    error = refused(message(line))
    assert error.status == status
    assert (error.request is not None) == answerable
    if error.request is not None:
        assert error.request.headers["Call-ID"] == "c@x"


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_mandatory_headers(name: str) -> None:
    error = refused(message(fields={name: None}))
    assert (error.status, error.reason) == (400, f"Missing {name}")
    assert refused(message(fields={name: ""})).reason == f"Missing {name}"


@pytest.mark.parametrize(
    "name",
    ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Expires"],
)
def test_headers_that_may_stand_once(name: str) -> None:
    first = () if name in LINES else (f"{name}: 0",)
    error = refused(message("OPTIONS sip:b@x SIP/2.0", *first, f"{name.upper()} : 0"))
    assert error.reason == f"Several {name}"


def test_the_compact_form_is_the_same_header() -> None:
    error = refused(message("OPTIONS sip:b@x SIP/2.0", "Content-Length: 0", "l: 5"))
    assert error.reason == "Several Content-Length"


def test_a_blank_before_the_colon_is_the_same_header() -> None:
    parsed = accepted(message("OPTIONS sip:b@x SIP/2.0", "X-Bypass-me : yes", "s\t: hi"))
    assert parsed.headers.get("X-Bypass-Me") == "yes"
    assert parsed.headers["Subject"] == "hi"


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x1d", "\x85", "\u2028", "\u2029"])
def test_only_line_feeds_end_a_line(separator: str) -> None:
    parsed = accepted(message("OPTIONS sip:b@x SIP/2.0", f"Subject: a{separator}X-Evil: yes"))
    assert parsed.headers.get("X-Evil") is None


def test_a_bare_cr_is_refused_but_answered() -> None:
    error = refused(message("OPTIONS sip:b@x SIP/2.0", "Subject: a\rX-Evil: yes"))
    assert error.reason == "Bare CR In Header"
    assert error.request is not None


def test_bare_line_feeds_end_lines_and_the_header() -> None:
    data = message(body=b"x\n\ny").replace(b"\r\n", b"\n")
    parsed = accepted(data)
    assert parsed.body == b"x\n\ny"


def test_a_blank_line_of_line_feeds_ends_the_header_early() -> None:
    data = message().replace(b"Call-ID", b"\nCall-ID")
    assert refused(data).reason == "Missing Call-ID"


def test_folded_lines() -> None:
    parsed = accepted(message("OPTIONS sip:b@x SIP/2.0", "Subject: a", "  b\t", "\tc"))
    assert parsed.headers["Subject"] == "a b c"


def test_leading_blank_lines_are_ignored() -> None:
    accepted(b"\r\n\r\n" + message())


@pytest.mark.parametrize("line", ["no colon", ": no name", "bad name: x", "n\u00e4me: x", "(: x"])
def test_bad_header_lines(line: str) -> None:
    error = refused(message("OPTIONS sip:b@x SIP/2.0", line))
    assert error.reason == "Bad Header Line"
    assert error.request is not None


def test_bounds() -> None:
    assert refused(b"x" * 65_536).status == 513
    long = "a" * (MAX_HEADER + 1)
    assert refused(message("OPTIONS sip:b@x SIP/2.0", f"S: {long}")).reason == "Header Too Long"
    many = [f"X-{number}: x" for number in range(MAX_HEADERS)]
    assert refused(message("OPTIONS sip:b@x SIP/2.0", *many)).reason == "Too Many Headers"
    accepted(message("OPTIONS sip:b@x SIP/2.0", *many[: MAX_HEADERS - 5]))


def test_a_header_without_its_blank_line() -> None:
    error = refused(message()[:-4])
    assert error.reason == "Missing Blank Line"
    assert error.request is not None


def test_the_body_is_cut_to_content_length() -> None:
    data = message("OPTIONS sip:b@x SIP/2.0", "Content-Length: 3", body=b"abcdef")
    assert accepted(data).body == b"abc"


@pytest.mark.parametrize("length", ["-1", "+3", "1_0", "\u0663", "0x3", "", "9" * 5000, "3 3", "7"])
def test_bad_content_lengths(length: str) -> None:
    data = message("OPTIONS sip:b@x SIP/2.0", f"Content-Length: {length}", body=b"abcdef")
    assert refused(data).status == 400


@pytest.mark.parametrize("cseq", ["x OPTIONS", "1", "1OPTIONS", "\u0663 OPTIONS", "-1 OPTIONS"])
def test_bad_cseq(cseq: str) -> None:
    assert refused(message(fields={"CSeq": cseq})).reason == "Bad CSeq"


@pytest.mark.parametrize("via", ["UDP x", "SIP/2.0/UDP x;;"])
def test_bad_vias(via: str) -> None:
    assert refused(message(fields={"Via": via})).reason == "Bad Via"


def test_cseq_is_below_2_to_the_31() -> None:
    assert accepted(message(fields={"CSeq": "2147483647 OPTIONS"})).head.cseq == 2**31 - 1
    assert refused(message(fields={"CSeq": "2147483648 OPTIONS"})).reason == "Bad CSeq"


def test_cseq_names_the_method() -> None:
    assert refused(message(fields={"CSeq": "1 INVITE"})).status == 400
    assert refused(message("NEWMETHOD sip:b@x SIP/2.0", fields={"CSeq": "1 INVITE"})).status == 501


@pytest.mark.parametrize("call_id", ["a b", "caf\u00e9", "a\x00b"])
def test_bad_call_ids(call_id: str) -> None:
    assert refused(message(fields={"Call-ID": call_id})).reason == "Bad Call-ID"


@pytest.mark.parametrize("hops", ["", "x", "-1", "\u0661", "123456"])
def test_bad_max_forwards(hops: str) -> None:
    assert refused(message(fields={"Max-Forwards": hops})).reason == "Bad Max-Forwards"


def test_a_nul_is_no_user() -> None:
    """Escaped it is one, and stays escaped wherever it goes (RFC 4475 section 3.1.1.5)."""
    assert refused(message("OPTIONS sip:a\0b@x SIP/2.0")).status == 400
    assert refused(message(fields={"From": "<sip:a\0b@x>;tag=f"})).status == 400
    escaped = accepted(message("OPTIONS sip:a%00b@x SIP/2.0", fields={"To": "<sip:a%00b@x>"}))
    assert user_of(escaped.uri) == user_of(escaped.to_address.uri) == "a%00b"
    assert str(escaped.uri) == "sip:a%00b@x"


def test_octets_that_are_no_utf_8() -> None:
    data = message(fields={"From": '"Jos\xe9" <sip:a@x>;tag=f'}).replace("\xe9".encode(), b"\xe9")
    parsed = accepted(data)
    assert parsed.from_address.name == "Jos\xe9"


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("<sip:a@x>;tag=1", "1"),
        ("sip:a@x;tag=1", "1"),
        ("<sip:a@x;tag=no>", ""),
        ('"A ;tag=no" <sip:a@x>;tag=yes', "yes"),
        ("<sip:a@x> ; TAG = 1 ; x=y", "1"),
        ("<sip:a@x>;tag=%41", "%41"),
        ("<sip:a@x>;mytag=1", ""),
    ],
)
def test_tags(value: str, tag: str) -> None:
    assert tag_of(value) == tag


@pytest.mark.parametrize(
    "value", ["<sip:a@x>;tag=1;tag=2", "<sip:a@x>;tag", '<sip:a@x>;tag="q"', "Bell, A <sip:a@x>"]
)
def test_bad_tags_and_addresses(value: str) -> None:
    with pytest.raises(RemoteProtocolError):
        tag_of(value)


def test_keepalives() -> None:
    assert is_keepalive(b"")
    assert is_keepalive(b"\r\n\r\n")
    assert is_keepalive(b"\0\0")
    assert not is_keepalive(b"\r\nOPTIONS")


def test_uris_of_other_schemes() -> None:
    assert parse_uri("tel:+4930123").scheme == "tel"
    with pytest.raises(RemoteProtocolError, match="416"):
        parse_uri("soap.beep://192.0.2.103:3002")
    with pytest.raises(RemoteProtocolError, match="400"):
        parse_uri("no scheme")


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("sip:a@pbx1", "pbx1"),
        ("SIP:a@node-7.example.x2:5070;transport=udp", "node-7.example.x2"),
        ("sips:under_score.example", "under_score.example"),
        ("sip:a@[2001:db8::1]:5060", "[2001:db8::1]"),
        ("sip:a@[2001:db8::192.0.2.1]:5060;x=y", "[2001:db8::192.0.2.1]"),
        ("sip:[2001:db8:::192.0.2.1]", "[2001:db8:::192.0.2.1]"),
    ],
)
def test_hosts_of_every_kind(text: str, host: str) -> None:
    uri = parse_uri(text)
    assert uri.host == host
    assert str(uri).partition(":")[2] == text.partition(":")[2]


@pytest.mark.parametrize(
    "text",
    [
        "sip:a@",
        "sip:a@-x",
        "sip:a@x:99999",
        "sip:a@x;self=1",
        "sip:a b@pbx1",
        ":",
        "sip:",
        "sip:a\0@x",
        "sip:a@[::z]",
        "sip:a@[1::2::3]",
        "sip:a@[]",
        "sip:a@[192.0.2.1]",
        "sip:a@[::1",
        "sip:\u0661@x",
    ],
)
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="400"):
        parse_uri(text)


@pytest.mark.parametrize(
    ("text", "name", "uri"),
    [
        ("sip:a@x", "", "sip:a@x"),
        ("Bell A. <sip:a@x>", "Bell A.", "sip:a@x"),
        ('"a \\"b\\" \\\\" <sip:a@x>', 'a "b" \\', "sip:a@x"),
        ('"A" <sip:a@x>;x="<sip:evil@x>"', "A", "sip:a@x"),
        ('"A <sip:evil@x>" <sip:a@x>;y="1";z="2"', "A <sip:evil@x>", "sip:a@x"),
        ("<sip:a@x> ; self = 1 ; q", "", "sip:a@x"),
    ],
)
def test_addresses(text: str, name: str, uri: str) -> None:
    address = parse_address(text)
    assert (address.name, str(address.uri)) == (name, uri)


@pytest.mark.parametrize(
    "text",
    ["", "<sip:a@x", "<>", "<sip:a@x> junk", "<sip:a@x>;", '"A <sip:a@x>', "A, B <sip:a@x>",
     "< sip:a@x >", "<mailto:a@x>", "<sip:a@x>, <sip:b@x>", '<sip:a@x>;p="open'],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="400 Bad Address"):
        parse_address(text)


def test_addresses_can_be_set() -> None:
    built = Request("OPTIONS", URI(scheme="sip", host="x"))
    built.from_address = built.to_address = Address(uri=URI(scheme="sip", host="y"))
    assert built.headers["From"] == built.headers["To"] == "<sip:y>"
    assert built.from_address == built.to_address


def test_a_message_built_by_hand_has_a_head_too() -> None:
    built = Response(200, "OK")
    with pytest.raises(RemoteProtocolError, match="Missing Via"):
        _ = built.head
    for name, value in LINES.items():
        built.headers.add(name, value or "")
    assert built.head.cseq == 1
    assert bytes(built).startswith(b"SIP/2.0 200 OK\r\nVia: ")
