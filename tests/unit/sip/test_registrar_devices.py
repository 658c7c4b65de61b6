"""Bindings of one device: instances, flows, sockets, and how many there may be."""

import pytest

from sip.address import Flow, HostPort
from sip.devices import first_flows
from sip.registrar import Registrar
from tests.unit.sip.registrar_rig import (
    AOR,
    KNOWS_OUTBOUND,
    SERVER,
    UUID,
    Phone,
    contacts,
    flow,
    kinds,
    reported,
)


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
