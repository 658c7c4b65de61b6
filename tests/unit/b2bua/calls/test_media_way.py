"""What each party is told of our media, and whom its leg listens to."""

from pathlib import Path

import pytest

from b2bua.calls.sessions.media_way import MediaWay
from b2bua.media.to_worker import SetRemote
from sip.events import (
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    ReinviteReceived,
)
from tests.unit.b2bua.calls.call_rig import TRUNK_HOST, House, extension, open_house
from tests.unit.b2bua.calls.phone import sdp
from tests.unit.b2bua.calls.scenes import A, B
from tests.unit.b2bua.calls.virtual_time import virtual

CLERKS = (extension("101"), extension("102"))
BOTH = '[sip]\nlisten = ["192.0.2.100:5060", "[2001:db8::100]:5060"]\n'
NATTED = (
    '[sip]\nlisten = "192.0.2.100:5060"\nexternal_addresses = ["203.0.113.77"]\n'
    'local_networks = ["192.0.2.0/24"]\n'
)


def latched(house: House, leg: int) -> SetRemote:
    return [each for each in house.plane.of(SetRemote) if each.leg_id == leg][-1]


@virtual
async def test_contacts_of_both_families_are_each_told_their_own(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS, toml=BOTH) as house:
        caller = house.phone("101")
        desk = house.phone("102")
        mobile = house.phone("102", host="2001:db8::7")
        caller.dial("102")
        at_desk = await desk.take(InviteOffered)
        on_mobile = await mobile.take(InviteOffered)
        assert b"IN IP4 192.0.2.100" in at_desk.request.body
        assert b"IP6" not in at_desk.request.body
        assert on_mobile.request.body.count(b"IN IP6 2001:db8::100") == 2
        assert b"IP4" not in on_mobile.request.body
        mobile.answer(on_mobile, sdp("2001:db8::7"))
        answered = await caller.take(InviteAnswered)
        assert answered.response.body.count(b"IN IP4 192.0.2.100") == 2
        assert latched(house, A).host == "192.0.2.1"
        assert latched(house, B).host == "2001:db8::7"


@virtual
async def test_a_renegotiation_keeps_to_the_address_that_was_told(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS, toml=BOTH) as house:
        caller = house.phone("101")
        house.phone("102")
        mobile = house.phone("102", host="2001:db8::7")
        caller.dial("102")
        mobile.answer(await mobile.take(InviteOffered), sdp("2001:db8::7"))
        await caller.take(InviteAnswered)
        caller.reinvite(sdp(caller.host, version=2, direction="sendonly"))
        again = await mobile.take(ReinviteReceived)
        assert again.request.body.count(b"IN IP6 2001:db8::100") == 2


@virtual
async def test_media_in_another_family_than_the_signalling(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS, toml=BOTH) as house:
        caller, wanted = house.phone("101", host="2001:db8::7"), house.phone("102")
        caller.dial("102", sdp("192.0.2.77"))
        wanted.answer(await wanted.take(InviteOffered))
        answered = await caller.take(InviteAnswered)
        assert answered.response.body.count(b"IN IP4 192.0.2.100") == 2
        assert latched(house, A).host == "192.0.2.77"
        caller.reinvite(sdp("0.0.0.0", version=2))  # noqa: S104 - an old-style hold
        wanted.accept(await wanted.take(ReinviteReceived))
        assert (await caller.response()).body.count(b"IN IP4 192.0.2.100") == 2


@virtual
async def test_media_in_a_family_that_we_do_not_have(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS) as house:
        caller = house.phone("101")
        house.phone("102")
        caller.dial("102", sdp("2001:db8::7"))
        assert (await caller.take(InviteFailed)).code == 488


@virtual
async def test_behind_a_nat_a_trunk_is_told_the_address_outside(tmp_path: Path) -> None:
    async with open_house(tmp_path, *CLERKS, toml=NATTED) as house:
        caller, outside = house.phone("101"), house.outside()
        caller.dial("030123")
        offered = await outside.take(InviteOffered)
        assert offered.request.body.count(b"203.0.113.77") == 2
        assert b"192.0.2.100" not in offered.request.body
        outside.answer(offered, sdp(TRUNK_HOST))
        answered = await caller.take(InviteAnswered)
        assert answered.response.body.count(b"192.0.2.100") == 2


@virtual
async def test_a_telephone_behind_a_nat_is_listened_to_where_it_calls_from(
    tmp_path: Path,
) -> None:
    toml = '[media.latches]\n"101" = "same_address"\n'
    async with open_house(tmp_path, *CLERKS, toml=toml) as house:
        caller, wanted = house.phone("101"), house.phone("102", host="198.51.100.9")
        caller.dial("102", sdp("10.1.1.1"))
        wanted.answer(await wanted.take(InviteOffered), sdp("192.168.1.2"))
        await caller.take(InviteAnswered)
        remote = latched(house, A)
        assert (remote.host, remote.latch) == ("10.1.1.1", "same_address")


@pytest.mark.parametrize(
    ("choice", "signalling", "named", "latch"),
    [
        ("auto", "8.8.8.8", "192.168.1.2", "nat"),
        ("auto", "8.8.8.8", "8.8.8.8", "exact"),
        ("auto", "8.8.8.8", "8.8.4.4", "exact"),
        ("auto", "10.0.0.1", "192.168.1.2", "exact"),
        ("auto", "2a00::1", "fd00::1", "nat"),
        ("nat", "10.0.0.1", "10.0.0.1", "nat"),
        ("exact", "8.8.8.8", "192.168.1.2", "exact"),
        ("same_address", "8.8.8.8", "192.168.1.2", "same_address"),
    ],
)
def test_which_sources_are_allowed(choice: str, signalling: str, named: str, latch: str) -> None:
    way = MediaWay("192.0.2.100", choice, signalling)  # type: ignore[arg-type]  # as configured
    assert way.latch_at(named) == latch
