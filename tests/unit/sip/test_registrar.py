"""The registrar: what one REGISTER adds, renews and removes, and what time and restarts do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.address import Flow, HostPort
from sip.binding import Binding
from sip.registrar import Registrar
from tests.unit.sip.registrar_rig import AOR, SERVER, Phone, contacts, flow, kinds, reported


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


# --- flows


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
