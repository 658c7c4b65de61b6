"""Contacts compared as URIs: the examples of RFC 3261, section 19.1.4."""

import pytest

from sip.binding import same_contact
from sip.message import URI


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
    ],
)
def test_uris_that_are_the_same(first: str, second: str) -> None:
    assert same_contact(URI.parse(first), URI.parse(second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("sip:alice@atlanta.com", "sip:ALICE@atlanta.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ],
)
def test_uris_that_differ(first: str, second: str) -> None:
    assert not same_contact(URI.parse(first), URI.parse(second))
