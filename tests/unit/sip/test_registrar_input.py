"""Contacts and fields that cannot be used, or look as if."""

import time

import pytest

from sip.message import URI
from sip.registrar import Registrar
from tests.unit.sip.registrar_rig import AOR, KNOWS_OUTBOUND, UUID, Phone, contacts, flow, reported


@pytest.mark.parametrize(
    "contact",
    [
        "<mailto:bob@example.org>",
        "<tel:+49301234>",
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",  # RFC 4475, regbadct
        "<sip:101@h;self=1>",
        "<sip:",
        "<sip:101@h>;q=0.1;Q=0.2",
        "<sip:101@h> x",
        "sip:101@h>",
        '"nobody"',
        ";expires=60",
        "<sip:101@h><sip:102@h>",
        '"unterminated <sip:101@h>',
        "<sip:101@h>,",
        f"<sip:{'x' * 600}@h>",
    ],
)
def test_contact_that_cannot_be_used_is_400(contact: str) -> None:
    registrar = Registrar()
    Phone("<sip:101@192.0.2.99>", port=99).register(registrar)
    result = Phone(contact).register(registrar)
    assert (result.code, result.changes) == (400, ())
    assert result.reason


def test_one_request_is_for_one_flow() -> None:
    contact = '<sip:101@h>;+sip.instance="<a>";reg-id=1, <sip:102@h>;+sip.instance="<a>";reg-id=2'
    registrar = Registrar()
    assert Phone(contact).register(registrar, KNOWS_OUTBOUND).code == 400
    assert Phone(contact).register(registrar).code == 200, "without outbound it says nothing"


@pytest.mark.parametrize(
    ("contact", "stored"),
    [
        # RFC 4475: cparam01, cparam02, regescrt
        ("sip:+19725552222@gw1.example.net;unknownparam", "sip:+19725552222@gw1.example.net"),
        (
            "<sip:+19725552222@gw1.example.net;unknownparam>",
            "sip:+19725552222@gw1.example.net;unknownparam",
        ),
        ("<sip:user@example.com?Route=%3Csip:sip.example.com%3E>", "sip:user@example.com"),
        ("<sip:%00@h>", "sip:%00@h"),
        ("<sips:101@[2001:db8::1]:5061;transport=tcp>", None),
    ],
)
def test_odd_contact_is_kept_as_it_is(contact: str, stored: str | None) -> None:
    registrar = Registrar()
    assert Phone(contact).register(registrar).code == 200
    if stored:
        assert contacts(registrar) == [stored]
    [binding] = registrar.bindings(AOR, 0.0)
    assert str(URI.parse(binding.contact)) == binding.contact


def test_contact_as_desk_phones_write_it() -> None:
    registrar = Registrar()
    contact = (
        '"Desk, \\"1\\"" <sip:101@192.0.2.10:5060;line=7sd>;reg-id=1;q=1.0;'
        f'+sip.instance="<{UUID}>";audio;mobility="fixed";methods="INVITE,ACK,BYE";expires=100 ,'
        " sip:102@192.0.2.11 ; expires = 200"
    )
    assert reported(Phone(contact).register(registrar, KNOWS_OUTBOUND)) == [
        f'<sip:101@192.0.2.10:5060;line=7sd>;expires=100;q=1;+sip.instance="<{UUID}>";reg-id=1',
        "<sip:102@192.0.2.11>;expires=200",
    ]


@pytest.mark.parametrize(
    "value", [" " * 8000, "<" * 8000, '"' * 8001, '<sip:a@b>;a="' + "\\" * 7001, ";" * 8000]
)
def test_hostile_contact_is_read_in_linear_time(value: str) -> None:
    registrar = Registrar()
    request = Phone().request()
    request.headers.set("Contact", "x" + value)
    started = time.process_time()
    assert registrar.process(request, AOR, flow(), 0.0).code == 400
    assert time.process_time() - started < 0.1


def test_nothing_that_a_phone_wrote_can_end_a_line_of_the_answer() -> None:
    registrar = Registrar()
    contact = '<sip:101@h>;+sip.instance="<a%0d%0aX-Evil: 1>";q=0.5%0d%0a;reg-id=1'
    result = Phone(contact).register(registrar)
    assert result.code in {200, 400}
    assert all("\r" not in value and "\n" not in value for _, value in result.headers)


def test_user_agent_and_path_are_bounded() -> None:
    registrar = Registrar()
    Phone().register(registrar, "User-Agent: " + "x" * 1000)
    assert len(registrar.bindings(AOR, 0.0)[0].user_agent) == 128
    assert Phone().register(registrar, f"Path: <sip:{'x' * 600}>").code == 400
    assert Phone().register(registrar, "Path: <sip:\u00e9>").code == 400


def test_path_is_stored_and_reported() -> None:
    registrar = Registrar()
    paths = ["Path: <sip:edge1;lr>", "Path: <sip:edge2;lr>"]
    result = Phone().register(registrar, *paths)
    assert dict(result.headers)["Path"] == "<sip:edge1;lr>, <sip:edge2;lr>"
    assert registrar.bindings(AOR, 0.0)[0].path == "<sip:edge1;lr>, <sip:edge2;lr>"
