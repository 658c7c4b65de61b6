"""Whatever a trunk writes into its headers, there is a number or none, and never an exception."""

from hypothesis import given
from hypothesis import strategies as st

from b2bua.config import parse
from b2bua.trunks.arrival import caller_of, dialled_number
from b2bua.trunks.identity import wants_privacy
from b2bua.trunks.trunk import ANONYMOUS, Trunk, Trunks
from sip.errors import RemoteProtocolError
from sip.message import Request
from sip.message import parse as parse_message
from tests.support.sip_raw import request


def trunk(did_from: str) -> Trunk:
    toml = f"""
[[trunk]]
name = "t"
address = "192.0.2.1"
did_from = "{did_from}"
caller_from = "p-asserted-identity"
dids = {{ "+4930123450" = "101" }}
[trunk.numbers]
country_code = "49"
incoming = "national"
"""
    (found,) = Trunks(parse(toml, "test").trunk)
    return found


TRUNKS = [trunk(each) for each in ("request-uri", "to", "p-called-party-id")]

values = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=60)
addresses = st.one_of(
    values,
    values.map(lambda text: f"<sip:{text}@h>"),
    values.map(lambda text: f'"{text}" <tel:+4930{len(text)}>, <sip:x@y>'),
)


@given(st.sampled_from(TRUNKS), addresses, addresses, values, st.booleans())
def test_headers_of_a_stranger(
    known: Trunk,
    called: str,
    asserted: str,
    privacy: str,
    private: bool,  # noqa: FBT001 - a dimension of the test
) -> None:
    octets = request(
        "INVITE",
        headers=(
            "Contact: <sip:100@127.0.0.2:5070>",
            f"P-Called-Party-ID: {called}",
            f"P-Asserted-Identity: {asserted}",
            f"Privacy: {privacy}{';id' if private else ''}",
        ),
    )
    try:
        message = parse_message(octets)
    except RemoteProtocolError:
        return
    assert isinstance(message, Request)
    number, name = caller_of(message, known)
    assert number == ANONYMOUS or set(number) <= set("+0123456789*#")
    assert name.isprintable()
    if private:
        assert (number, name) == (ANONYMOUS, "")
        assert wants_privacy(message)
    assert ";" not in dialled_number(message, known)
