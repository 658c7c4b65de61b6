"""Telephones behind a proxy, and telephones with several flows (RFC 3327, RFC 5626)."""

from dataclasses import replace
from pathlib import Path

from cdr.records import BindingRemoved
from sip.events import InviteAnswered, InviteFailed, InviteOffered, UsageEnded
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone
from tests.unit.b2bua.calls.virtual_time import virtual

CLERKS = (extension("101"), extension("102"))
PATH = "<sip:198.51.100.1;lr;ob>, <sip:inner.example.com;lr>"


def flows(house: House, *phones: Phone, path: str | None = None) -> None:
    """Register flows of one telephone; the last one is the newest."""
    for number, phone in enumerate(phones, 1):
        binding = replace(
            house._binding(phone),
            instance="urn:uuid:1",
            reg_id=number,
            path=path,
            registered_at=house.now + number,
        )
        house.registrar.restore([binding])


@virtual
async def test_calls_take_the_path_by_which_the_telephone_registered(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS) as house:
        caller, proxy = house.phone("101"), house.phone("102", registered=False)
        house.registrar.restore(
            [replace(house._binding(proxy), contact="sip:102@10.0.0.9:5062", path=PATH)]
        )
        caller.dial("102")
        offered = await proxy.take(InviteOffered)
        assert str(offered.request.uri) == "sip:102@10.0.0.9:5062"
        assert offered.request.headers.getlist("Route") == [
            "<sip:198.51.100.1;lr;ob>",
            "<sip:inner.example.com;lr>",
        ]


@virtual
async def test_a_telephone_may_have_a_name_that_no_grammar_knows(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS) as house:
        caller, callee = house.phone("101"), house.phone("102", registered=False)
        contact = "sip:102@front_desk2:5062"
        house.registrar.restore([replace(house._binding(callee), contact=contact)])
        caller.dial("102")
        assert str((await callee.take(InviteOffered)).request.uri) == contact


@virtual
async def test_a_telephone_with_two_flows_rings_once(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS) as house:
        caller = house.phone("101")
        old, new = (house.phone("102", registered=False) for _ in range(2))
        flows(house, old, new)
        caller.dial("102")
        new.answer(await new.take(InviteOffered))
        await caller.take(InviteAnswered)
        caller.bye()
        await new.take(UsageEnded)
        assert old.untold == []


@virtual
async def test_where_a_flow_has_failed_the_next_one_rings(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS) as house:
        caller = house.phone("101")
        old, new = (house.phone("102", registered=False) for _ in range(2))
        flows(house, old, new, path="<sip:edge.example.com;lr;ob>")
        caller.dial("102")
        new.reject(await new.take(InviteOffered), 430)
        old.answer(await old.take(InviteOffered))
        await caller.take(InviteAnswered)
        assert [each.reg_id for each in house.registrar.bindings("102", house.now)] == [1]
        assert len(house.journal.of(BindingRemoved)) == 1


@virtual
async def test_where_every_flow_has_failed_nobody_is_there(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS) as house:
        caller, phone = house.phone("101"), house.phone("102", registered=False)
        flows(house, phone)
        caller.dial("102")
        phone.reject(await phone.take(InviteOffered), 430)
        failed = await caller.take(InviteFailed)
        assert failed.code == 480
        assert not house.registrar.bindings("102", house.now)
