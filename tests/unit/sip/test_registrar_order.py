"""REGISTER requests that come late, twice or after a fresh start (RFC 3261, section 10.3)."""

from dataclasses import replace

import pytest

from sip.registrar import LATE_S, Registrar
from tests.unit.sip.registrar_rig import AOR, Phone, contacts, reported


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
