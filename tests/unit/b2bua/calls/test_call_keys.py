"""Keys in a call: taken in ways that are switched on, sent on as the other side takes them."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from b2bua.media.to_worker import CollectDigits, SendDigits
from cdr.records import EvidenceStored
from ivr.key_pad import Way
from sip.events import InDialogReceived, InviteAnswered, InviteOffered
from sip.info import key_of
from tests.unit.b2bua.calls.call_rig import DID, TRUNK_HOST, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, internal
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, CLERK = extension("102"), extension("101", "automatic")

NO_EVENTS = "8 0"
"Formats of a telephone without telephone events."

IN_BAND = '[dtmf]\nextensions = ["rfc4733", "info", "in_band"]\n'


async def outgoing(
    house: House, *, theirs: str = "8 0 101", ours: str = "8 0 101", info: bool = False
) -> tuple[Phone, Phone]:
    """Have 102 call somebody outside, who answers; formats of both."""
    alice, outside = house.phone("102"), house.outside(info=info)
    alice.dial("0301234", sdp(alice.host, formats=ours))
    outside.answer(await outside.take(InviteOffered), sdp(outside.host, formats=theirs))
    await alice.take(InviteAnswered)
    await asyncio.sleep(1)
    return alice, outside


def sent(house: House, leg_id: int) -> list[tuple[str, int, str | None]]:
    """What a leg's party was sent: keys, payload type, law of tones."""
    return [
        (m.keys, m.payload_type, m.law) for m in house.plane.of(SendDigits) if m.leg_id == leg_id
    ]


def press(house: House, leg_id: int, keys: str, way: Way) -> None:
    for key in keys:
        house.plane.press(leg_id, key, way)


async def taken(phone: Phone, house: House, code: int = 200) -> str | None:
    """Take an INFO; returns its key."""
    event = await phone.take(InDialogReceived)
    assert event.request.method == "INFO"
    assert event.request.headers["Content-Type"] == "application/dtmf-relay"
    phone.endpoint.respond(event.transaction, code, house.now)
    house.kick()
    return key_of(event.request)


@virtual
async def test_tones_become_events_where_the_other_side_knows_them(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=IN_BAND) as house:
        alice, outside = await outgoing(house, ours=NO_EVENTS)
        (listening,) = [m for m in house.plane.of(CollectDigits) if m.leg_id == A]
        assert listening.in_band == {8: "PCMA", 0: "PCMU"}
        assert not listening.in_band_codes
        press(house, A, "12", Way.IN_BAND)
        await asyncio.sleep(1)
        assert sent(house, B) == [("1", 101, None), ("2", 101, None)]
        await house.hang_up(alice, outside)


@virtual
async def test_the_sound_is_not_listened_to_unless_that_is_switched_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house, ours=NO_EVENTS, theirs=NO_EVENTS)
        assert all(not m.in_band for m in house.plane.of(CollectDigits))
        await house.hang_up(alice, outside)


@virtual
async def test_tones_that_both_sides_take_have_been_heard(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, extension("103"), toml=IN_BAND) as house:
        alice, bob = await internal(house)
        assert all(not m.in_band for m in house.plane.of(CollectDigits)), "nobody needs to listen"
        press(house, A, "1", Way.IN_BAND)
        await asyncio.sleep(1)
        assert sent(house, B) == []
        await house.hang_up(alice, bob)


@virtual
async def test_star_codes_by_tones_have_to_be_switched_on(tmp_path: Path) -> None:
    manual = (extension("102", "manual"), extension("103"))
    toml = IN_BAND + "in_band_codes = true\n"
    async with open_house(tmp_path, *manual, toml=toml) as house:
        alice, bob = await internal(house)
        press(house, A, "*1", Way.IN_BAND)
        await asyncio.sleep(3)
        assert house.plane.recorded
        await house.hang_up(alice, bob)
    async with open_house(tmp_path, *manual, toml=IN_BAND) as house:
        alice, bob = await internal(house)
        press(house, A, "*1", Way.IN_BAND)
        await asyncio.sleep(3)
        assert not house.plane.recorded
        await house.hang_up(alice, bob)


@virtual
async def test_events_become_info_where_the_other_side_knows_no_events(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house, theirs=NO_EVENTS, info=True)
        press(house, A, "12#", Way.INFO)
        for key in "12#":
            assert await taken(outside, house) == key
        assert sent(house, B) == []
        await house.hang_up(alice, outside)


@virtual
async def test_who_refuses_info_gets_tones_for_the_rest_of_the_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house, theirs=NO_EVENTS, info=True)
        press(house, A, "12", Way.INFO)
        assert await taken(outside, house, 415) == "1"
        await asyncio.sleep(1)
        press(house, A, "3", Way.INFO)
        await asyncio.sleep(1)
        assert sent(house, B) == [("12", 8, "PCMA"), ("3", 8, "PCMA")]
        await house.hang_up(alice, outside)


@virtual
async def test_who_knows_neither_gets_tones(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house, theirs="0")
        (listening,) = [m for m in house.plane.of(CollectDigits) if m.leg_id == A]
        assert listening.payload_types == (101,), "events that don't pass have to be heard"
        press(house, A, "7", Way.INFO)
        await asyncio.sleep(1)
        assert sent(house, B) == [("7", 0, "PCMU")]
        await house.hang_up(alice, outside)


@pytest.mark.parametrize("where", ["of the extension", "in the configuration"])
def test_info_that_is_switched_off_is_not_understood(tmp_path: Path, where: str) -> None:
    alone = (Way.RFC4733,) if where == "of the extension" else ()
    toml = f'[dtmf]\nextension = {{"102" = ["{"info" if alone else "rfc4733"}"]}}\n'

    @virtual
    async def run() -> None:
        async with open_house(tmp_path, replace(ALICE, dtmf=alone), toml=toml) as house:
            alice, outside = await outgoing(house)
            assert await alice.request("INFO", body=b"Signal=5\r\nDuration=160\r\n") == 415
            assert sent(house, B) == []
            await house.hang_up(alice, outside)

    run()


def incoming(*ways: str) -> str:
    """The rig's trunk, by its port, with other ways."""
    names = ", ".join(f'"{way}"' for way in ways)
    return (
        f'[[trunk]]\nname = "other"\naddress = "{TRUNK_HOST}:5060"\n'
        f'dids = {{ "{DID}" = "101" }}\ndtmf = [{names}]\n'
    )


async def asked(house: House, *, formats: str, info: bool) -> tuple[Phone, Phone]:
    caller, clerk = house.outside(info=info), house.phone("101")
    caller.dial(DID, sdp(caller.host, formats=formats))
    await caller.take(InviteAnswered)
    return caller, clerk


@virtual
async def test_a_caller_who_has_tones_only_can_agree(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, toml=incoming("rfc4733", "in_band")) as house:
        caller, clerk = await asked(house, formats=NO_EVENTS, info=False)
        await asyncio.sleep(5)
        (listening,) = house.plane.of(CollectDigits)
        assert (listening.payload_types, listening.in_band) == ((), {8: "PCMA"})
        house.plane.press(A, "1", Way.IN_BAND)
        clerk.answer(await clerk.take(InviteOffered))
        await asyncio.sleep(3)
        assert house.plane.recorded
        assert house.journal.of(EvidenceStored)[0].transport == "in_band"
        await house.hang_up(caller, clerk)


@virtual
async def test_a_caller_of_a_trunk_without_tones_can_not_be_asked(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = house.outside(info=False), house.phone("101")
        caller.dial(DID, sdp(caller.host, formats=NO_EVENTS))
        await caller.take(InviteAnswered)
        clerk.answer(await clerk.take(InviteOffered))
        await asyncio.sleep(3)
        assert not house.plane.recorded
        await house.hang_up(caller, clerk)


@pytest.mark.parametrize("order", [(Way.RFC4733, Way.INFO), (Way.INFO, Way.RFC4733)])
@virtual
async def test_an_answer_in_two_ways_is_one_answer(tmp_path: Path, order: tuple[Way, Way]) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house, formats="8 0 101", info=True)
        await asyncio.sleep(5)
        for way in order:
            house.plane.press(A, "1", way)
        clerk.answer(await clerk.take(InviteOffered))
        await asyncio.sleep(3)
        assert house.evidence == [("consent", "granted"), ("opt_in", "granted")]
        assert sent(house, B) == []
        await house.hang_up(caller, clerk)


@virtual
async def test_after_the_answer_keys_of_the_asked_party_pass_again(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, toml=incoming("info")) as house:
        caller, clerk = await asked(house, formats="8 0 101", info=True)
        await asyncio.sleep(5)
        caller.info_key("1")
        clerk.answer(await clerk.take(InviteOffered))
        await asyncio.sleep(3)
        assert house.plane.recorded
        caller.info_key("9")
        await asyncio.sleep(1)
        assert sent(house, B) == [("9", 101, None)]
        await house.hang_up(caller, clerk)
