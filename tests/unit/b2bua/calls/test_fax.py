"""Fax: G.711 alone, nobody asked, nothing recorded; T.38 is refused so that it stays so."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import CollectDigits, SendDigits
from ivr.key_pad import Way
from sip.events import (
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    ReinviteReceived,
    RequestCompleted,
)
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A
from tests.unit.b2bua.calls.virtual_time import virtual

HOST = "203.0.113.9"
FAX, VOICE, OTHER = "+4930123459", "4930123450", "4930123458"

TOML = f"""
[[trunk]]
name = "faxing"
address = "{HOST}"
dids = {{ "{FAX}" = "109", "{VOICE}" = "101", "{OTHER}" = "109" }}
fax = ["{FAX}"]
[trunk.numbers]
country_code = "49"
[[route]]
pattern = "7X."
trunk = "faxing"
strip = 1
"""

MACHINE, CLERK = extension("109", "automatic"), extension("101", "automatic")

IMAGE = (
    "m=image 4010 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n"
    "a=T38FaxRateManagement:transferredTCF\r\n"
)


def formats(body: bytes) -> list[str]:
    (audio,) = [media for media in SessionDescription.parse(body).media if media.kind == "audio"]
    return list(audio.formats)


async def connected(house: House, did: str) -> tuple[Phone, Phone, InviteOffered]:
    """Have a call to the fax stand."""
    outside, machine = house.outside(host=HOST), house.phone("109")
    outside.dial(did, sdp(HOST, formats="9 8 0 101"))
    offered = await machine.take(InviteOffered)
    machine.answer(offered)
    await outside.take(InviteAnswered)
    await asyncio.sleep(0.01)
    return outside, machine, offered


@pytest.mark.parametrize("did", [FAX, FAX.removeprefix("+"), "030123459"])
@virtual
async def test_a_fax_is_rung_at_once_and_never_recorded(tmp_path: Path, did: str) -> None:
    async with open_house(tmp_path, MACHINE, toml=TOML) as house:
        outside, machine, offered = await connected(house, did)
        assert formats(offered.request.body) == ["8", "0", "101"]
        assert house.joined
        assert house.plane.heard(A) == []
        assert await machine.request("INFO", ("Record", "on")) == 403
        assert house.recordings == []
        row = await house.hang_up(outside, machine)
        assert (row.disposition, row.outcome, row.outcome_reason) == (
            "ANSWERED",
            "blocked",
            "fax",
        )


@virtual
async def test_nobody_listens_for_keys_in_what_a_fax_says(tmp_path: Path) -> None:
    in_band = TOML.replace("[trunk.numbers]", 'dtmf = ["in_band"]\n[trunk.numbers]')
    async with open_house(tmp_path, MACHINE, toml=in_band) as house:
        outside, machine, _ = await connected(house, FAX)
        house.plane.press(A, "5", Way.INFO)
        await asyncio.sleep(1)
        assert not house.plane.of(CollectDigits)
        assert not house.plane.of(SendDigits)
        await house.hang_up(outside, machine)


@virtual
async def test_another_number_of_the_same_extension_is_asked_as_always(tmp_path: Path) -> None:
    async with open_house(tmp_path, MACHINE, toml=TOML) as house:
        outside, machine = house.outside(host=HOST), house.phone("109")
        outside.dial(OTHER)
        await outside.take(InviteAnswered)
        await asyncio.sleep(6)
        assert house.plane.heard(A) == ["de/consent"]
        assert machine.untold == []
        outside.bye()
        await house.over()


@virtual
async def test_a_fax_that_is_sent_is_left_alone_too(tmp_path: Path) -> None:
    async with open_house(tmp_path, MACHINE, toml=TOML) as house:
        outside, machine = house.outside(host=HOST), house.phone("109")
        machine.dial("7089555", sdp(machine.host, formats="9 8 0 101"))
        offered = await outside.take(InviteOffered)
        assert formats(offered.request.body) == ["8", "0", "101"]
        outside.answer(offered)
        await machine.take(InviteAnswered)
        await asyncio.sleep(1)
        assert house.joined
        machine.bye()
        assert (await house.over()).outcome_reason == "fax"


@virtual
async def test_t38_beside_audio_gets_port_0(tmp_path: Path) -> None:
    async with open_house(tmp_path, MACHINE, toml=TOML) as house:
        outside, machine, _ = await connected(house, FAX)
        outside.reinvite(sdp(HOST, formats="8 101", version=2) + IMAGE.encode())
        offered = await machine.take(ReinviteReceived)
        told = SessionDescription.parse(offered.request.body)
        assert [media.kind for media in told.media if media.port] == ["audio"]
        machine.accept(offered)
        completed = await outside.take(RequestCompleted)
        assert completed.code == 200
        assert completed.response is not None
        answer = SessionDescription.parse(completed.response.body)
        assert [(media.kind, bool(media.port)) for media in answer.media] == [
            ("audio", True),
            ("image", False),
        ]
        outside.bye()
        await house.over()


@pytest.mark.parametrize("audio", [False, True])
def test_t38_alone_is_refused_and_the_call_stays(tmp_path: Path, audio: bool) -> None:  # noqa: FBT001
    """As gateways ask for it when they hear a fax: with an audio line of port 0, or none."""

    @virtual
    async def run() -> None:
        async with open_house(tmp_path, MACHINE, toml=TOML) as house:
            outside, machine, _ = await connected(house, FAX)
            head, _, line = sdp(HOST, formats="8", version=2, port=0).partition(b"m=audio")
            described = head + (b"m=audio" + line if audio else b"") + IMAGE.encode()
            outside.reinvite(described)
            assert (await outside.take(RequestCompleted)).code == 488
            await asyncio.sleep(1)
            assert machine.untold == []
            assert house.joined
            await house.hang_up(outside, machine)

    run()


@virtual
async def test_a_call_that_offers_t38_alone_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, MACHINE, toml=TOML) as house:
        outside, machine = house.outside(host=HOST), house.phone("109")
        head, _, _ = sdp(HOST).partition(b"m=audio")
        outside.dial(FAX, head + IMAGE.encode())
        assert (await outside.take(InviteFailed)).code == 488
        assert machine.untold == []
        await house.over()
