"""Refer-To and Replaces: whatever is written there, it is read or refused, and means one thing."""

import string
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from sip.errors import RemoteProtocolError
from sip.message import Headers, Request, parse_uri
from sip.refer import Refer, sipfrag
from sip.replaces import Replaces

TOKEN = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=20)
CALL_ID = st.text(string.ascii_letters + string.digits + "-.@:", min_size=1, max_size=30)


def asked(refer_to: str, refer_sub: str | None = None) -> Request:
    request = Request("REFER", parse_uri("sip:b@192.0.2.2"))
    request.headers = Headers()
    request.headers.add("Refer-To", refer_to)
    if refer_sub is not None:
        request.headers.add("Refer-Sub", refer_sub)
    return request


@given(call_id=CALL_ID, to_tag=TOKEN, from_tag=TOKEN, early_only=st.booleans())
def test_replaces_is_read_as_it_was_written(
    call_id: str, to_tag: str, from_tag: str, *, early_only: bool
) -> None:
    replaces = Replaces(call_id=call_id, to_tag=to_tag, from_tag=from_tag, early_only=early_only)
    without_nought = "0" not in {to_tag, from_tag}

    assert (Replaces.parse(str(replaces)) == replaces) is without_nought


def verdict(read: Callable[[], object]) -> int:
    """The status that something deserves: 200 where it could be read."""
    try:
        read()
    except RemoteProtocolError as error:
        return error.status
    return 200


@given(text=st.text(max_size=80))
def test_any_replaces_is_read_or_refused(text: str) -> None:
    assert verdict(lambda: Replaces.parse(text)) in {200, 400}


@given(
    text=st.text(st.sampled_from('<>?;&=%"@: sip:102h,Replaces\r\n\x00ü'), max_size=60),
    refer_sub=st.none() | st.text(max_size=10),
)
def test_any_refer_to_is_read_or_refused(text: str, refer_sub: str | None) -> None:
    request = asked(text, refer_sub)
    assert verdict(lambda: Refer.parse(request)) in {200, 400, 416}


@given(code=st.integers(100, 699), reason=st.none() | st.text(max_size=40))
def test_what_a_referrer_is_told_is_one_line(code: int, reason: str | None) -> None:
    body = sipfrag(code, reason)

    assert body.startswith(f"SIP/2.0 {code} ".encode())
    assert body.count(b"\n") == body.count(b"\r") == 1
    assert body.endswith(b"\r\n")
