"""Transfers by REFER: how telephones ask for them, and what becomes of it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from b2bua.media.to_worker import Bridge, OpenTap
from cdr.records import CallOpened
from recording.spec import decode_tap
from sip.events import InDialogReceived, ReinviteReceived, RequestCompleted
from sip.replaces import Replaces
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import SERVER, Phone
from tests.unit.b2bua.calls.scenes import direction, internal

ALICE, BOB, CAROL = extension("102"), extension("103"), extension("104")


async def refer(
    house: House, phone: Phone, to: str, *headers: tuple[str, str], usage: int | None = None
) -> int:
    """Ask for a transfer; returns the status of the answer."""
    phone.endpoint.calls.request(
        phone.usage if usage is None else usage,
        "REFER",
        house.now,
        headers=(("Refer-To", to), *headers),
    )
    house.kick()
    return (await phone.take(RequestCompleted)).code


async def told(house: House, phone: Phone) -> str:
    """Take the next NOTIFY; returns what it tells, with a full stop if it is the last."""
    event = await phone.take(InDialogReceived)
    assert event.request.method == "NOTIFY"
    phone.endpoint.respond(event.transaction, 200, house.now)
    house.kick()
    last = event.request.headers["Subscription-State"].startswith("terminated")
    status = event.request.body.decode().strip().removeprefix("SIP/2.0 ")
    return f"{status}." if last else status


async def send_on(house: House, referrer: Phone, number: str) -> None:
    """Have the other party transferred, blindly."""
    assert await refer(house, referrer, f"<sip:{number}@{SERVER.host}>") == 202
    assert await told(house, referrer) == "100 Trying"


async def accept_reinvite(phone: Phone) -> str:
    """Accept a re-INVITE; returns the direction that it offered."""
    event = await phone.take(ReinviteReceived)
    phone.accept(event)
    return direction(event.request.body)


@contextlib.asynccontextmanager
async def three(folder: Path) -> AsyncIterator[tuple[House, Phone, Phone, Phone]]:
    """A house in which Alice has called Bob, and Carol has a telephone too."""
    async with open_house(folder, ALICE, BOB, CAROL) as house:
        alice, bob = await internal(house)
        yield house, alice, bob, house.phone("104")


def rows(house: House) -> list[tuple[str, str]]:
    """Who called whom, row by row."""
    return [(row.src, row.dst) for row in house.journal.of(CallOpened)]


def engaged(house: House) -> dict[str, int]:
    """In how many calls each extension is."""
    return {
        number: len(calls) for number, calls in house.switchboard._engagements._by_extension.items()
    }


def same_chain(house: House) -> bool:
    """Whether all rows have the `linkedid` of the first."""
    opened = house.journal.of(CallOpened)
    return {row.linkedid for row in opened} == {opened[0].uniqueid}


def joined(house: House) -> set[int]:
    """The legs that hear each other."""
    last = house.plane.of(Bridge)[-1]
    return {last.leg_a, last.leg_b}


def opened(house: House) -> list[tuple[int, str]]:
    """Each tap: its leg, and the recording's path."""
    return [
        (tap.leg_id, decode_tap(tap.spec).recording.relative_path)
        for tap in house.plane.of(OpenTap)
    ]


def dialog_of(phone: Phone, usage: int, *, swapped: bool = False) -> Replaces:
    """The Replaces that names a dialog of a telephone."""
    dialog = phone.endpoint.calls.dialog(usage)
    tags = (dialog.remote_tag, dialog.local_tag)
    to_tag, from_tag = tags[::-1] if swapped else tags
    return Replaces(call_id=dialog.call_id, to_tag=to_tag, from_tag=from_tag)


def to(replaces: Replaces) -> str:
    """The Refer-To of an attended transfer to that dialog."""
    return f"<sip:{SERVER.host}?Replaces={quote(str(replaces), safe='')}>"
