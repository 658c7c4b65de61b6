import itertools
import time
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.address import Flow, HostPort
from sip.binding import Binding, same_contact
from sip.devices import first_flows
from sip.message import URI, Request, parse
from sip.registrar import LATE_S, RegisterResult, Registrar

SERVER = HostPort("192.0.2.1", 5060)
AOR = "101"
UUID = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
KNOWS_OUTBOUND = "Supported: path, outbound"
numbers = itertools.count(1)


def flow(port: int = 5060, host: str = "192.0.2.10") -> Flow:
    return Flow("UDP", SERVER, HostPort(host, port))


@dataclass
class Phone:
    """Writes REGISTER requests as one device does."""

    contact: str = "<sip:101@192.0.2.10:5060>"
    port: int = 5060
    call_id: str = field(default_factory=lambda: f"call-{next(numbers)}")
    tag: str = "t1"
    cseq: int = 0

    def request(
        self, *headers: str, contact: str | None = None, cseq: int | None = None
    ) -> Request:
        self.cseq = self.cseq + 1 if cseq is None else cseq
        lines = [
            "REGISTER sip:192.0.2.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.10:{self.port};branch=z9hG4bK{next(numbers)}",
            f"From: <sip:101@192.0.2.1>;tag={self.tag}",
            "To: <sip:101@192.0.2.1>",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} REGISTER",
            *headers,
        ]
        contact = self.contact if contact is None else contact
        lines += [f"Contact: {contact}"] if contact else []
        message = parse(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert isinstance(message, Request)
        return message

    def register(
        self, registrar: Registrar, *headers: str, now: float = 0.0, **options: str | int
    ) -> RegisterResult:
        request = self.request(*headers, **options)  # type: ignore[arg-type] # contact or cseq
        return registrar.process(request, AOR, flow(self.port), now)


def contacts(registrar: Registrar, now: float = 0.0) -> list[str]:
    return [each.contact for each in registrar.bindings(AOR, now)]


def kinds(result: RegisterResult) -> list[str]:
    return [change.kind for change in result.changes]


def reported(result: RegisterResult) -> list[str]:
    return [value for name, value in result.headers if name == "Contact"]


def test_first_registration() -> None:
    registrar, phone = Registrar(), Phone()
    result = phone.register(registrar, "Expires: 300", "User-Agent: Desk 1", now=10.0)
    assert result.code == 200
    assert result.headers == (
        ("Contact", "<sip:101@192.0.2.10:5060>;expires=300"),
        ("Expires", "300"),
    )
    assert kinds(result) == ["added"]
    assert result.changes[0].stored
    assert registrar.bindings(AOR, 10.0) == (
        Binding(
            aor=AOR,
            contact="sip:101@192.0.2.10:5060",
            flow=flow(),
            expires_at=310.0,
            call_id=phone.call_id,
            cseq=1,
            from_tag="t1",
            registered_at=10.0,
            user_agent="Desk 1",
        ),
    )


def test_refresh_keeps_one_binding_and_takes_the_new_flow() -> None:
    registrar, phone = Registrar(), Phone()
    phone.register(registrar)
    phone.port = 40_000
    result = phone.register(registrar, now=100.0)
    assert kinds(result) == ["refreshed"]
    [binding] = registrar.bindings(AOR, 100.0)
    assert binding.flow == flow(40_000)
    assert binding.expires_at == 3700.0


def test_removal_of_one_contact() -> None:
    registrar, desk, soft = Registrar(), Phone(), Phone("<sip:101@192.0.2.11>", port=5062)
    desk.register(registrar)
    soft.register(registrar)
    result = desk.register(registrar, "Expires: 0")
    assert result.code == 200
    assert kinds(result) == ["removed"]
    assert not result.changes[0].stored
    assert contacts(registrar) == ["sip:101@192.0.2.11"]
    assert kinds(desk.register(registrar, "Expires: 0")) == [], "again is no error"


def test_query_reports_and_changes_nothing() -> None:
    registrar, phone = Registrar(), Phone()
    phone.register(registrar, "Expires: 300")
    result = Phone(contact="").register(registrar, now=100.5)
    assert (result.code, result.changes) == (200, ())
    assert result.headers == (("Contact", "<sip:101@192.0.2.10:5060>;expires=200"),)


def test_several_contacts_with_q_come_in_order_of_preference() -> None:
    registrar = Registrar()
    Phone("<sip:a@192.0.2.10:1>;q=0.5").register(registrar)
    Phone("<sip:b@192.0.2.10:2>", port=2).register(registrar, now=1.0)
    Phone("<sip:c@192.0.2.10:3>", port=3).register(registrar, now=2.0)
    Phone("<sip:d@192.0.2.10:4>;q=0.7", port=4).register(registrar, now=3.0)
    assert [each[4] for each in contacts(registrar, 3.0)] == ["c", "b", "d", "a"]


def test_several_contacts_in_one_request_with_their_own_expiry() -> None:
    registrar = Registrar()
    both = '"Bob, desk" <sip:a@192.0.2.10:1>;expires=100, <sip:b@192.0.2.10:2>'
    result = Phone(both).register(registrar, "Expires: 200")
    assert reported(result) == [
        "<sip:a@192.0.2.10:1>;expires=100",
        "<sip:b@192.0.2.10:2>;expires=200",
    ]
    assert "Expires" not in dict(result.headers)


@pytest.mark.parametrize(
    ("contact", "header", "granted"),
    [
        ("<sip:101@h>", "", 3600),
        ("<sip:101@h>;expires=100", "Expires: 200", 100),
        ("<sip:101@h>;EXPIRES=100", "", 100),
        ("<sip:101@h>", "Expires: 200", 200),
        ("<sip:101@h>", "Expires: 99999", 3600),
        ("<sip:101@h>", "Expires: soon", 3600),
        ("<sip:101@h>", "Expires: 1_00", 3600),
        ("<sip:101@h>;expires=\u0661\u0662\u0663", "", 3600),
        ("<sip:101@h>", f"Expires: {'9' * 5000}", 3600),
        ("<sip:101@h>", "Expires: 00000000000000100", 100),
    ],
)
def test_expiry_that_is_granted(contact: str, header: str, granted: int) -> None:
    registrar = Registrar()
    headers = [header] if header else []
    result = Phone(contact).register(registrar, *headers)
    assert reported(result) == [f"<sip:101@h>;expires={granted}"]


def test_unlucky_expiry_falls_back_to_the_highest_that_is_allowed() -> None:
    result = Phone().register(Registrar(max_expires=600))
    assert reported(result) == ["<sip:101@192.0.2.10:5060>;expires=600"]


def test_too_brief_is_refused_as_a_whole() -> None:
    registrar = Registrar(min_expires=60)
    both = "<sip:a@192.0.2.10:1>;expires=300, <sip:b@192.0.2.10:2>;expires=59"
    result = Phone(both).register(registrar)
    assert (result.code, result.headers) == (423, (("Min-Expires", "60"),))
    assert result.changes == ()
    assert contacts(registrar) == []


def test_bindings_expire() -> None:
    registrar = Registrar()
    Phone().register(registrar, "Expires: 100")
    assert contacts(registrar, 99.9) == ["sip:101@192.0.2.10:5060"]
    assert contacts(registrar, 100.0) == []
    assert registrar.expire(99.9) == ()
    [change] = registrar.expire(100.0)
    assert (change.kind, change.stored) == ("expired", False)
    assert registrar.expire(200.0) == ()


def test_what_has_expired_is_told_with_the_next_request() -> None:
    registrar = Registrar()
    Phone().register(registrar, "Expires: 100")
    Phone("<sip:101@192.0.2.11>", port=2).register(registrar)
    result = Phone(contact="*").register(registrar, now=150.0)
    assert result.code == 400
    assert kinds(result) == ["expired"]
    assert contacts(registrar, 150.0) == ["sip:101@192.0.2.11"]


# --- Contact: *


def test_star_with_expires_0_removes_all() -> None:
    registrar = Registrar()
    Phone().register(registrar)
    Phone("<sip:101@192.0.2.11>", port=2).register(registrar)
    result = Phone(contact="*").register(registrar, "Expires: 0")
    assert (result.code, result.headers) == (200, ())
    assert kinds(result) == ["removed", "removed"]
    assert contacts(registrar) == []


@pytest.mark.parametrize(
    ("contact", "headers"),
    [
        ("*", []),
        ("*", ["Expires: 60"]),
        ("*", ["Expires: nothing"]),
        ("*", ["Expires: 0", "Contact: <sip:101@h>"]),
        ("*, <sip:101@h>", ["Expires: 0"]),
        ("*;expires=0", []),
    ],
)
def test_star_in_any_other_company_is_400(contact: str, headers: list[str]) -> None:
    registrar = Registrar()
    Phone().register(registrar)
    result = Phone(contact).register(registrar, *headers)
    assert (result.code, result.changes) == (400, ())
    assert len(contacts(registrar)) == 1


# --- bad input


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


# --- order (RFC 3261, section 10.3, step 7)


@pytest.mark.parametrize("cseq", [49, 50])
def test_late_request_of_the_same_call_id_is_refused(cseq: int) -> None:
    registrar, phone = Registrar(), Phone(cseq=49)
    phone.register(registrar)
    result = phone.register(registrar, "Expires: 0", cseq=cseq, now=1.0)
    assert (result.code, result.changes) == (500, ())
    assert len(contacts(registrar)) == 1


def test_late_star_is_refused_as_a_whole() -> None:
    registrar, phone = Registrar(), Phone(cseq=49)
    Phone("<sip:101@192.0.2.11>", port=2).register(registrar)
    phone.register(registrar)
    result = phone.register(registrar, "Expires: 0", contact="*", cseq=20)
    assert (result.code, result.changes) == (500, ())
    assert len(contacts(registrar)) == 2


def test_phone_that_starts_anew_with_its_old_call_id_is_accepted() -> None:
    """PyVoIP derives Call-IDs from a counter: the same after each start, CSeq from 1."""
    registrar, phone = Registrar(), Phone(call_id="counter-1", tag="before", cseq=1)
    for now in (0.0, 1.0, 2.0):
        phone.register(registrar, now=now)
    again = Phone(call_id="counter-1", tag="after", cseq=1)
    assert again.register(registrar, now=3.0).code == 200
    assert registrar.bindings(AOR, 3.0)[0].cseq == 2


def test_same_tag_or_a_high_number_is_no_fresh_start() -> None:
    registrar, phone = Registrar(), Phone(cseq=49)
    phone.register(registrar)
    assert phone.register(registrar, cseq=2).code == 500
    assert replace(phone, tag="other").register(registrar, cseq=11).code == 500


def test_lower_number_is_accepted_when_nothing_can_be_late_any_more() -> None:
    registrar, phone = Registrar(), Phone(cseq=49)
    phone.register(registrar)
    assert phone.register(registrar, cseq=3, now=LATE_S).code == 500
    assert phone.register(registrar, cseq=3, now=LATE_S + 0.1).code == 200


def test_other_call_id_needs_no_order() -> None:
    registrar = Registrar()
    Phone(cseq=49).register(registrar)
    assert Phone().register(registrar).code == 200


def test_same_contact_twice_in_one_request_is_one_binding() -> None:
    registrar = Registrar()
    twice = "<sip:101@h>;expires=100, <sip:101@H>;expires=200"
    result = Phone(twice).register(registrar)
    assert result.code == 200
    assert len(contacts(registrar)) == 1
    assert len(reported(result)) == 1


# --- the same device, and the limit


def test_new_contact_of_the_same_instance_replaces_the_old_one() -> None:
    registrar = Registrar()
    instance = f';+sip.instance="<{UUID}>"'
    Phone(f"<sip:101@192.0.2.10:1111>{instance}").register(registrar)
    result = Phone(f"<sip:101@192.0.2.10:2222>{instance}", port=2).register(registrar)
    assert kinds(result) == ["added", "replaced"]
    assert contacts(registrar) == ["sip:101@192.0.2.10:2222"]
    assert reported(result) == [f"<sip:101@192.0.2.10:2222>;expires=3600{instance}"]


def test_other_reg_id_is_another_flow_of_the_same_instance() -> None:
    registrar = Registrar()
    for number in (1, 2):
        contact = f'<sip:101@192.0.2.10:{number}>;+sip.instance="<{UUID}>";reg-id={number}'
        result = Phone(contact, port=number).register(registrar, KNOWS_OUTBOUND)
        assert f";reg-id={number}" in reported(result)[0]
        assert ("Require", "outbound") in result.headers
    assert len(contacts(registrar)) == 2


def test_a_flow_that_is_registered_anew_replaces_the_old_one() -> None:
    registrar = Registrar()
    for port in (1, 2):
        contact = f'<sip:101@192.0.2.10:{port}>;+sip.instance="<{UUID}>";reg-id=1'
        result = Phone(contact, port=port).register(registrar, KNOWS_OUTBOUND, now=port)
    assert kinds(result) == ["added", "replaced"]
    assert [each.flow for each in registrar.bindings(AOR, 2.0)] == [flow(2)]
    assert registrar.flows() == {flow(2)}
    assert not registrar.has_flow(flow(1))


def test_without_outbound_reg_id_means_nothing() -> None:
    registrar = Registrar()
    for number in (1, 2):
        contact = f'<sip:101@192.0.2.10:{number}>;+sip.instance="<{UUID}>";reg-id={number}'
        result = Phone(contact, port=number).register(registrar)
        assert "Require" not in dict(result.headers)
    assert contacts(registrar) == ["sip:101@192.0.2.10:2"]


def tcp(port: int) -> Flow:
    return Flow("TCP", SERVER, HostPort("192.0.2.10", port))


def test_calls_go_with_a_device_to_its_next_connection() -> None:
    registrar = Registrar()
    phone = Phone(f'<sip:101@192.0.2.10:1>;+sip.instance="<{UUID}>"')
    registrar.process(phone.request(), AOR, tcp(1), 0.0)
    registrar.flow_lost(tcp(1))
    again = Phone(f'<sip:101@192.0.2.10:2>;+sip.instance="<{UUID}>"')
    result = registrar.process(again.request(), AOR, tcp(2), 9.0)
    assert result.moved == ((tcp(1), tcp(2)),)
    assert registrar.process(again.request(), AOR, tcp(2), 10.0).moved == ()


def test_calls_go_with_a_device_whose_nat_has_another_port() -> None:
    registrar, phone = Registrar(), Phone()
    phone.register(registrar)
    phone.port = 40_000
    assert phone.register(registrar, now=100.0).moved == ((flow(), flow(40_000)),)


def test_calls_stay_where_another_account_of_the_device_still_is() -> None:
    registrar = Registrar()
    one, other = Phone("<sip:101-a@192.0.2.10:5060>"), Phone("<sip:101-b@192.0.2.10:5060>")
    one.register(registrar)
    other.register(registrar)
    one.port = 40_000
    assert one.register(registrar).moved == ()


def test_calls_behind_a_proxy_stay_with_the_proxy() -> None:
    registrar, phone = Registrar(), Phone("<sip:101@10.0.0.9>")
    phone.register(registrar, "Path: <sip:edge;lr>")
    phone.port = 40_000
    assert phone.register(registrar, "Path: <sip:edge2;lr>").moved == ()
    registrar.flow_lost(flow(40_000))
    phone.port = 40_001
    assert phone.register(registrar).moved == ()


VIA = "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKphone"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ((VIA,), 439),
        ((VIA, "Path: <sip:edge;lr>"), 439),
        ((VIA, "Path: <sip:obelix;lr>"), 439),
        ((VIA, "Path: <sip:inner;lr;ob>, <sip:edge;lr>"), 439),
        ((VIA, "Path: <sip:edge;lr;ob>"), 200),
        ((VIA, "Path: <sip:inner;lr>, <sip:edge;OB;lr>"), 200),
    ],
)
def test_outbound_is_promised_only_where_the_first_hop_keeps_flows(
    headers: tuple[str, ...], code: int
) -> None:
    phone = Phone(f'<sip:101@10.0.0.1>;+sip.instance="<{UUID}>";reg-id=1')
    result = phone.register(Registrar(), KNOWS_OUTBOUND, *headers)
    assert result.code == code
    assert (("Require", "outbound") in result.headers) == (code == 200)


def test_of_one_device_one_flow_rings_and_the_next_one_when_it_failed() -> None:
    registrar = Registrar()
    for number in (1, 2):
        contact = f'<sip:101@192.0.2.10:{number}>;+sip.instance="<{UUID}>";reg-id={number}'
        Phone(contact, port=number).register(registrar, KNOWS_OUTBOUND, now=number)
    Phone("<sip:101@192.0.2.11>", port=9).register(registrar, now=9.0)
    other, device = first_flows(registrar.bindings(AOR, 9.0))
    assert [each.flow for each in other] == [flow(9)]
    assert [each.reg_id for each in device] == [2, 1], "the one refreshed last goes first"
    changes = registrar.flow_failed(device[0])
    assert [(each.kind, each.stored) for each in changes] == [("lost", False)]
    assert not registrar.flow_failed(device[0])
    assert len(registrar.bindings(AOR, 9.0)) == 2
    assert not registrar.has_flow(flow(2))


def test_reg_id_without_instance_means_nothing() -> None:
    registrar = Registrar()
    Phone("<sip:101@h>;reg-id=1").register(registrar)
    assert registrar.bindings(AOR, 0.0)[0].reg_id is None


def test_restarted_phone_with_other_parameters_replaces_itself() -> None:
    registrar = Registrar()
    Phone("<sip:101@192.0.2.10:5060;line=1>").register(registrar)
    result = Phone("<sip:101@192.0.2.10:5060;line=2>").register(registrar)
    assert kinds(result) == ["added", "replaced"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("<sip:101-a@192.0.2.10:5060>", "<sip:101-b@192.0.2.10:5060>"),
        (
            '<sip:101@192.0.2.10:5060;line=1>;+sip.instance="<a>"',
            '<sip:101@192.0.2.10:5060;line=2>;+sip.instance="<b>"',
        ),
    ],
)
def test_two_accounts_of_one_telephone_stand_beside_each_other(first: str, second: str) -> None:
    registrar = Registrar()
    one, other = Phone(first), Phone(second)
    for phone in (one, other, one, other):
        assert phone.register(registrar).code == 200
    assert len(contacts(registrar)) == 2


@pytest.mark.parametrize(
    ("headers", "strict", "code"),
    [
        ((), True, 420),
        (("Supported: path",), True, 200),
        (("Require: Path",), True, 200),
        ((), False, 200),
    ],
)
def test_whether_a_telephone_has_to_know_of_path(
    headers: tuple[str, ...],
    strict: bool,  # noqa: FBT001 - a parameter of the test
    code: int,
) -> None:
    registrar = Registrar(require_path_support=strict)
    result = Phone().register(registrar, "Path: <sip:edge;lr>", *headers)
    assert result.code == code
    assert (("Unsupported", "path") in result.headers) == (code == 420)
    assert len(contacts(registrar)) == (code == 200)


@pytest.mark.parametrize(
    "second",
    [
        Phone("<sip:b@192.0.2.10:5060>", port=9),
        Phone("<sip:b@192.0.2.10:9>"),
        Phone("<sip:b@192.0.2.11:5060>"),
    ],
)
def test_other_socket_is_another_phone(second: Phone) -> None:
    registrar = Registrar()
    Phone("<sip:a@192.0.2.10:5060>").register(registrar)
    second.register(registrar)
    assert len(contacts(registrar)) == 2


def test_same_call_id_may_register_two_contacts_from_one_socket() -> None:
    registrar, phone = Registrar(), Phone()
    phone.register(registrar, contact="<sip:a@192.0.2.10:5060>")
    phone.register(registrar, contact="<sip:b@192.0.2.10:5060>")
    assert len(contacts(registrar)) == 2


def test_phones_behind_a_proxy_share_its_socket() -> None:
    registrar = Registrar()
    for user in "ab":
        Phone(f"<sip:{user}@10.0.0.1:5060>").register(registrar, "Path: <sip:edge;lr>")
    assert len(contacts(registrar)) == 2


def test_beyond_the_limit_the_one_refreshed_longest_ago_goes() -> None:
    registrar = Registrar(max_contacts=2)
    phones = [Phone(f"<sip:101@192.0.2.1{n}>", port=n) for n in (1, 2, 3)]
    phones[0].register(registrar, now=0.0)
    phones[1].register(registrar, now=1.0)
    phones[0].register(registrar, now=2.0)
    result = phones[2].register(registrar, now=3.0)
    assert kinds(result) == ["added", "displaced"]
    assert result.changes[1].binding.contact == "sip:101@192.0.2.12"
    assert contacts(registrar, 3.0) == ["sip:101@192.0.2.13", "sip:101@192.0.2.11"]


def test_more_contacts_in_one_request_than_the_limit_is_403() -> None:
    registrar = Registrar(max_contacts=2)
    result = Phone(", ".join(f"<sip:101@192.0.2.{n}>" for n in range(3))).register(registrar)
    assert (result.code, contacts(registrar)) == (403, [])


# --- restart and removal


def test_restored_bindings_can_be_called_and_refreshed_at_once() -> None:
    before, phone = Registrar(), Phone(cseq=8)
    phone.register(before)
    [binding] = before.bindings(AOR, 0.0)
    row = Binding(
        aor=AOR,
        contact=binding.contact,
        flow=binding.flow,
        expires_at=5000.0,
        call_id=binding.call_id,
        cseq=binding.cseq,
    )
    after = Registrar()
    after.restore([row, replace(row, contact="no uri")])
    assert contacts(after, 4000.0) == [binding.contact]
    result = phone.register(after, now=4000.0)
    assert kinds(result) == ["refreshed"]


def test_address_of_record_can_be_removed() -> None:
    registrar = Registrar()
    Phone().register(registrar)
    assert [change.kind for change in registrar.remove(AOR)] == ["removed"]
    assert contacts(registrar) == []
    assert registrar.remove(AOR) == ()


def test_empty_contact_header_is_a_query() -> None:
    registrar = Registrar()
    Phone().register(registrar)
    result = Phone().register(registrar, "Contact:", contact="")
    assert (result.code, len(reported(result)), result.changes) == (200, 1, ())


def test_addresses_of_record_are_apart() -> None:
    registrar = Registrar()
    Phone().register(registrar)
    assert len(registrar) == 1
    assert registrar.bindings("102", 0.0) == ()


# --- comparison of URIs: the examples of RFC 3261, section 19.1.4


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


def test_what_was_reached_over_a_lost_connection_is_forgotten() -> None:
    registrar = Registrar()
    tcp = Flow("TCP", SERVER, HostPort("192.0.2.10", 40001))
    other = Flow("TCP", SERVER, HostPort("192.0.2.10", 40002))
    first, second = Phone(), Phone(contact="<sip:101@192.0.2.11:5060>")
    registrar.process(first.request(), AOR, tcp, 0.0)
    registrar.process(second.request(), AOR, other, 0.0)
    registrar.process(first.request(), "102", tcp, 0.0)
    assert registrar.flows() == {tcp, other}
    lost = registrar.flow_lost(tcp)
    assert [(each.kind, each.stored, each.binding.aor) for each in lost] == [
        ("lost", False, AOR),
        ("lost", False, "102"),
    ]
    assert [each.flow for each in registrar.bindings(AOR, 0.0)] == [other]
    assert registrar.bindings("102", 0.0) == ()
    assert registrar.flow_lost(tcp) == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["register", "remove", "lose", "expire"]),
            st.integers(1, 4),
            st.integers(1, 3),
        ),
        max_size=40,
    )
)
def test_flows_are_those_of_the_bindings_whatever_happens(
    steps: list[tuple[str, int, int]],
) -> None:
    registrar, now = Registrar(max_contacts=2), 0.0
    for what, number, port in steps:
        now += 40.0
        phone = Phone(f'<sip:{number}@192.0.2.10>;+sip.instance="<{number}>"', port=port)
        if what == "register":
            phone.register(registrar, "Expires: 60", now=now)
        elif what == "remove":
            phone.register(registrar, "Expires: 0", now=now)
        elif what == "lose":
            registrar.flow_lost(flow(port))
        else:
            registrar.expire(now + 30.0)
        standing = {each.flow for each in registrar._bindings.get(AOR, ())}
        assert registrar.flows() == standing
        assert all(registrar.has_flow(each) for each in standing)
