"""What many calls of these tests begin with, and what their parties do meanwhile."""

import asyncio

from sip.audio_stream import audio_stream
from sip.events import InviteAnswered, InviteOffered, ReinviteReceived, RequestCompleted
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import DID, House
from tests.unit.b2bua.calls.phone import Phone, sdp

A, B = 1, 2
"Leg ids of the first call."


async def internal(
    house: House, *, info: bool = True, supported: tuple[str, ...] = ()
) -> tuple[Phone, Phone]:
    """Have 102 talk to 103, on telephones that know this."""
    alice = house.phone("102", info=info, supported=supported)
    bob = house.phone("103", info=info, supported=supported)
    await house.connect(alice, "103", bob)
    return alice, bob


async def outgoing(house: House) -> tuple[Phone, Phone]:
    """Have 102 talk to somebody behind the trunk."""
    alice, outside = house.phone("102"), house.outside()
    alice.dial("0301234")
    outside.answer(await outside.take(InviteOffered))
    await alice.take(InviteAnswered)
    await asyncio.sleep(1)
    return alice, outside


async def asked(house: House) -> tuple[Phone, Phone]:
    """Have somebody call 101 who has heard enough of the question to answer it."""
    caller, clerk = house.outside(), house.phone("101")
    caller.dial(DID)
    await caller.take(InviteAnswered)
    await asyncio.sleep(6)
    assert house.plane.heard(A) == ["de/consent"]
    assert not house.plane.recorded
    return caller, clerk


async def agreed(house: House) -> tuple[Phone, Phone, InviteOffered]:
    """Have somebody call 101 and say yes, and its telephone ring."""
    caller, clerk = await asked(house)
    house.plane.press(A, "1")
    offered = await clerk.take(InviteOffered)
    assert house.plane.heard(A) == ["de/consent", "tone/ringing"]
    return caller, clerk, offered


async def hold(phone: Phone, other: Phone, direction: str = "sendonly", version: int = 2) -> None:
    """Put the other side on hold, or resume (`sendrecv`)."""
    phone.reinvite(sdp(phone.host, direction=direction, version=version))
    answer = {"sendonly": "recvonly", "sendrecv": "sendrecv"}[direction]
    other.accept(
        await other.take(ReinviteReceived),
        body=sdp(other.host, direction=answer, version=version),
    )
    assert (await phone.take(RequestCompleted)).code == 200
    await asyncio.sleep(0.1)


def direction(body: bytes) -> str:
    """The one that a description says in words."""
    names = {each.name for each in SessionDescription.parse(body).media[0].attributes}
    (found,) = names & {"sendrecv", "sendonly", "recvonly", "inactive"}
    return found


def codecs(body: bytes) -> list[str]:
    """The codecs of a description, with their clock rates."""
    payloads = audio_stream(SessionDescription.parse(body)).payloads
    return [f"{each.encoding}/{each.clock_rate}" for each in payloads]
