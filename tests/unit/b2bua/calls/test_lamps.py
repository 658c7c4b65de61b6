"""Lamps on telephones: the record key's, and those of other extensions."""

import asyncio
import re
from itertools import count
from pathlib import Path

import pytest

from b2bua.authentication import ALLOW_IN_CALLS
from sip.address import Flow, HostPort
from sip.build import response
from sip.endpoint import Endpoint
from sip.events import Authorized, InviteAnswered, InviteOffered
from sip.message import Request, parse
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.phone import SERVER, Phone
from tests.unit.b2bua.calls.scenes import A, B, internal
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102", "manual"), extension("103")

SUBSCRIBE = "Event: dialog\r\nAccept: application/dialog-info+xml\r\n"

_STATE = re.compile(rb"<state>(\w+)</state>")


class LampEndpoint(Endpoint):
    """A telephone's, with lamps: it takes every NOTIFY."""

    def __init__(self, contact: HostPort) -> None:
        super().__init__(
            contact=contact,
            authorize=lambda _request, _flow, _now: Authorized(None),
            user_agent="",
            allow=ALLOW_IN_CALLS,
        )
        self.codes: list[int] = []
        self.lamps: dict[str, list[str]] = {}
        self.raw: list[tuple[bytes, Flow]] = []
        self._numbers = count(1)

    def watch(self, number: str, watched: str) -> None:
        host, n = self.contact, next(self._numbers)
        message = (
            f"SUBSCRIBE sip:{watched}@{SERVER.host} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host};branch=z9hG4bKlamp{n}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{number}@{SERVER.host}>;tag=1\r\nTo: <sip:{watched}@{SERVER.host}>\r\n"
            f"Call-ID: {watched}-{n}-{host}\r\nCSeq: 1 SUBSCRIBE\r\n"
            f"Contact: <sip:{number}@{host}>\r\n{SUBSCRIBE}Content-Length: 0\r\n\r\n"
        )
        self.raw.append((message.encode(), House.flow(host, SERVER)))

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        message = parse(data)
        if isinstance(message, Request) and message.method == "NOTIFY":
            watched, state = message.from_address.uri.user or "", _STATE.search(message.body)
            assert state is not None
            self.lamps.setdefault(watched, []).append(state[1].decode())
            self.raw.append((response(message, flow.remote, 200), flow))
        elif message.head.method == "SUBSCRIBE":
            assert not isinstance(message, Request)
            self.codes.append(message.code)
        else:
            super().receive(data, flow, now)

    def send_queue(self) -> list[tuple[bytes, Flow]]:
        raw, self.raw = self.raw, []
        return [*super().send_queue(), *raw]


def with_lamps(house: House, number: str) -> tuple[Phone, LampEndpoint]:
    """An extension's telephone that has lamps."""
    phone = house.phone(number)
    phone.endpoint = endpoint = LampEndpoint(phone.endpoint.contact)
    return phone, endpoint


async def watching(house: House, number: str, *watched: str) -> tuple[Phone, LampEndpoint]:
    phone, endpoint = with_lamps(house, number)
    for each in watched:
        endpoint.watch(number, each)
    house.kick()
    await asyncio.sleep(2)
    return phone, endpoint


@virtual
async def test_the_key_is_lit_while_the_call_is_recorded(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, lamp = await watching(house, "102", "*1")
        _, other = await watching(house, "103", "*1")
        bob = house.phone("103", host="192.0.2.77")
        await house.connect(alice, "103", bob)
        for _ in range(2):
            house.plane.dial_code(A)
            await asyncio.sleep(2)
            house.plane.dial_code(A)
            await asyncio.sleep(2)
        house.plane.dial_code(A)
        await asyncio.sleep(2)
        await house.hang_up(alice, bob)
        await asyncio.sleep(2)

    assert lamp.codes == [200]
    assert lamp.lamps["*1"] == ["terminated", *["confirmed", "terminated"] * 3]
    assert other.lamps["*1"] == ["terminated", *["confirmed", "terminated"] * 3]


@virtual
async def test_the_key_blinks_while_the_outside_party_is_asked(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, lamp = await watching(house, "102", "*1")
        outside = house.outside()
        alice.dial("0301234")
        outside.answer(await outside.take(InviteOffered))
        await alice.take(InviteAnswered)
        await asyncio.sleep(2)
        house.plane.dial_code(A)
        await asyncio.sleep(2)
        assert lamp.lamps["*1"] == ["terminated", "early"]
        house.plane.dial_code(A)  # taken back
        await asyncio.sleep(2)
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        house.plane.press(B, "1")
        await asyncio.sleep(2)
        assert lamp.lamps["*1"][2:] == ["terminated", "early", "confirmed"]
        await house.hang_up(alice, outside)
        await asyncio.sleep(2)

    assert lamp.lamps["*1"][5:] == ["terminated"]


@virtual
async def test_the_key_is_dark_while_a_caller_is_asked_before_it_rings(tmp_path: Path) -> None:
    async with open_house(tmp_path, extension("101", "automatic")) as house:
        clerk, lamp = await watching(house, "101", "*1", "101")
        caller = house.outside()
        caller.dial(DID)
        await caller.take(InviteAnswered)
        await asyncio.sleep(5)
        assert lamp.lamps["*1"] == ["terminated"]
        house.plane.press(A, "1")
        clerk.answer(await clerk.take(InviteOffered))
        await asyncio.sleep(3)
        assert lamp.lamps["*1"] == ["terminated", "confirmed"]
        await house.hang_up(caller, clerk)
        await asyncio.sleep(2)
    assert lamp.lamps["*1"] == ["terminated", "confirmed", "terminated"]
    assert lamp.lamps["101"][-2:] == ["confirmed", "terminated"]


@virtual
async def test_lamps_of_others_blink_while_they_ring_and_are_lit_while_they_talk(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB, extension("104")) as house:
        _, lamp = await watching(house, "104", "102", "103", "104")
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        await asyncio.sleep(2)
        assert lamp.lamps == {
            "102": ["terminated", "confirmed"],
            "103": ["terminated", "early"],
            "104": ["terminated"],
        }
        bob.answer(offered)
        await alice.take(InviteAnswered)
        await asyncio.sleep(2)
        assert lamp.lamps["103"][2:] == ["confirmed"]
        await house.hang_up(bob, alice)
        await asyncio.sleep(2)

    assert lamp.lamps["102"][-1] == lamp.lamps["103"][-1] == "terminated"


@pytest.mark.parametrize(
    ("toml", "codes"),
    [
        ("", [200, 200, 404, 404]),
        ('[lamps]\nwatch = "nobody"\n', [403, 200, 404, 404]),
        ('[lamps]\nwatch = "listed"\nwatchers = { "104" = ["102"] }\n', [200, 200, 404, 404]),
        ('[lamps]\nwatch = "listed"\nwatchers = { "102" = ["104"] }\n', [403, 200, 404, 404]),
    ],
)
def test_who_may_watch_whom(tmp_path: Path, toml: str, codes: list[int]) -> None:
    @virtual
    async def scene() -> None:
        async with open_house(tmp_path, ALICE, extension("104"), toml=toml) as house:
            _, lamp = await watching(house, "104", "102", "104", "999", "0301234")
            assert lamp.codes == codes
            assert len(house.endpoint.notifier) == codes.count(200)

    scene()


@virtual
async def test_what_an_extension_watched_ends_with_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        _, lamp = await watching(house, "102", "*1", "103")
        house.switchboard.lamps.keep_house()
        assert len(house.endpoint.notifier) == 2
        house.directory.remove("102")
        house.switchboard.lamps.keep_house()
        await asyncio.sleep(2)
        assert len(house.endpoint.notifier) == 0
        assert lamp.lamps == {"*1": ["terminated"] * 2, "103": ["terminated"] * 2}


@virtual
async def test_calls_that_nobody_watches_cost_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, extension("104")) as house:
        await watching(house, "104", "104")
        alice, bob = await internal(house)
        assert house.switchboard.lamps._stale == set()
        house.switchboard.lamps.changed(["104"])
        assert house.switchboard.lamps._stale == {"104"}
        await house.hang_up(alice, bob)
