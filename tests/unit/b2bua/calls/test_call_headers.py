"""What the far leg sees: only what we have built ourselves."""

import asyncio
from pathlib import Path

from sip.events import InDialogReceived, InviteAnswered, InviteOffered, InviteProgressed, UsageEnded
from tests.unit.b2bua.calls.call_rig import TRUNK_HOST, extension, open_house
from tests.unit.b2bua.calls.phone import sdp
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")

OURS = frozenset(
    {"Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Allow", "Supported"}
    | {"Session-Expires", "Content-Type", "Content-Length", "Require", "Reason"}
)

SMUGGLED = (
    ("P-Asserted-Identity", "<sip:110@192.0.2.100>"),
    ("P-Preferred-Identity", "<sip:110@192.0.2.100>"),
    ("Remote-Party-ID", "<sip:110@192.0.2.100>;party=calling"),
    ("Privacy", "none"),
    ("Diversion", "<sip:0190@evil.example>"),
    ("History-Info", "<sip:0190@evil.example>;index=1"),
    ("Route", "<sip:evil.example;lr>"),
    ("Alert-Info", "<http://evil.example/ring.wav>"),
    ("Call-Info", "<http://evil.example>;purpose=card"),
    ("X-Bypass-Me", "yes"),
    ("Subject", "hello"),
    ("Authorization", "Digest username=x"),
    ("User-Agent", "Evil/1.0"),
    ("Organization", "Evil"),
    ("Identity", "eyJ"),
    ("Referred-By", "<sip:110@192.0.2.100>"),
    ("Geolocation", "<cid:x>"),
)


@virtual
async def test_no_header_of_a_caller_reaches_who_is_called(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, outside = house.phone("102"), house.phone("103"), house.outside()
        assert outside.host == TRUNK_HOST
        for number, callee in (("103", bob), ("0301234", outside)):
            alice.dial(number, headers=SMUGGLED)
            offered = await callee.take(InviteOffered)
            assert set(offered.request.headers.keys()) <= OURS
            assert b"evil" not in str(offered.request).lower().encode()
            callee.answer(offered)
            await alice.take(InviteAnswered)
            await asyncio.sleep(0.1)
            alice.endpoint.calls.request(
                alice.usage,
                "UPDATE",
                house.now,
                body=sdp(alice.host, port=4002, version=2),
                content_type="application/sdp",
                headers=SMUGGLED,
            )
            house.kick()
            update = await callee.take(InDialogReceived)
            assert set(update.request.headers.keys()) <= OURS
            callee.accept(update)
            await asyncio.sleep(0.1)
            alice.endpoint.calls.bye(alice.usage, house.now, SMUGGLED)
            house.kick()
            ended = await callee.take(UsageEnded)
            assert ended.request is not None
            assert set(ended.request.headers.keys()) <= OURS
            alice.untold  # noqa: B018 - empties it


@virtual
async def test_no_header_of_who_is_called_reaches_the_caller(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.endpoint.calls.provisional(offered.usage, 180, house.now, b"", SMUGGLED)
        house.kick()
        ringing = await alice.take(InviteProgressed)
        assert set(ringing.response.headers.keys()) <= OURS
        bob.endpoint.calls.answer(offered.usage, sdp(bob.host), house.now, SMUGGLED)
        bob.usage = offered.usage
        house.kick()
        answered = await alice.take(InviteAnswered)
        assert set(answered.response.headers.keys()) <= OURS
        await house.hang_up(alice, bob)
