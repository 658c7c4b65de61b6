"""What simple parsers in telephones need of every octet that we send (docs/sloppy-peers.md)."""

import asyncio
import re
from pathlib import Path

from sip.address import HostPort
from sip.events import InviteAnswered, InviteOffered, InviteProgressed, ReinviteReceived, UsageEnded
from sip.headers import CANONICAL
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.phone import sdp
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")

WRITTEN = set(CANONICAL.values())

CODES = {100, 180, 181, 182, 183, 200, 401, 404, 480, 486, 487, 488, 491, 500, 503}
"All of them in the list that pyVoIP looks codes up in."


@virtual
async def test_every_message_of_a_call_is_one_that_the_simplest_parser_reads(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        said: list[str] = []

        def listen(data: bytes, to: HostPort) -> bool:
            if to != house.endpoint.contact:
                said.append(data.decode("ascii"))
            return False

        house.lose = listen
        alice, bob, outside = house.phone("102"), house.phone("103"), house.outside()
        for number, callee in (("103", bob), ("0301234", outside)):
            alice.dial(number)
            offered = await callee.take(InviteOffered)
            callee.ring(offered)
            await alice.take(InviteProgressed)
            callee.answer(offered)
            await alice.take(InviteAnswered)
            alice.reinvite(sdp(alice.host, direction="sendonly", version=2))
            callee.accept(
                await callee.take(ReinviteReceived), body=sdp(callee.host, direction="recvonly")
            )
            await asyncio.sleep(0.1)
            alice.untold  # noqa: B018 - empties it
            callee.bye()
            await alice.take(UsageEnded)
            callee.untold  # noqa: B018
        alice.dial("103")
        bob.reject(await bob.take(InviteOffered), 486)
        await house.over(3)
        assert {text.split(" ", 1)[0] for text in said} >= {"INVITE", "ACK", "BYE", "SIP/2.0"}
        for text in said:
            check(text)


def check(text: str) -> None:
    head, blank, body = text.partition("\r\n\r\n")
    assert blank, "one blank line ends the header"
    start, *lines = head.split("\r\n")
    if start.startswith("SIP/2.0 "):
        assert int(start.split(" ")[1]) in CODES
    names = []
    for line in lines:
        match = re.fullmatch(r"([A-Za-z-]+): (\S.*)", line)
        assert match is not None, f"a name, a colon, one blank, a value, and no folding: {line!r}"
        names.append(match[1])
        assert match[1] in WRITTEN, "in long form and in the case of its RFC"
        if match[1] == "Contact":
            assert re.fullmatch(r"<sip:[^<>;]+>", match[2]), "nothing behind the bracket"
        if match[1] == "Content-Type":
            assert match[2] == "application/sdp", "no charset"
    assert len(set(names)) == len(names), "no header twice"
    assert f"Content-Length: {len(body)}" in lines
    if body:
        check_description(body)


def check_description(body: str) -> None:
    lines = body.removesuffix("\r\n").split("\r\n")
    kinds = [line[0] for line in lines]
    assert kinds.count("c") == 1
    assert kinds.index("c") < kinds.index("m"), "for the whole session"
    (media,) = (line for line in lines if line.startswith("m="))
    _, _, profile, *formats = media.split(" ")
    assert profile == "RTP/AVP"
    named = {line.partition(":")[2].split(" ")[0] for line in lines if "rtpmap" in line}
    assert {each for each in formats if int(each) >= 96} <= named
