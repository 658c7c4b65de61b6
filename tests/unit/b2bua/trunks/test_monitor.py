"""Whether a trunk is there: asked only where that is wanted."""

import asyncio
from pathlib import Path

import pytest

from b2bua.status import trunk_status
from sip.events import InviteAnswered, InviteFailed, InviteOffered, UsageEnded
from sip.message import Request
from sip.registering import Registering
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.virtual_time import virtual
from tests.unit.b2bua.trunks.provider_rig import (
    DOMAIN,
    FIRST,
    SECOND,
    SERVER,
    TOML,
    Reply,
    accept,
    open_rig,
    silent,
)

PLAIN = f"""
[[trunk]]
name = "peer"
address = "{DOMAIN}"
monitor_s = 60
"""


def fine(_request: Request) -> Reply:
    return 200, ()


@virtual
async def test_nobody_is_asked_unless_the_operator_wants_it() -> None:
    async with open_rig(PLAIN.replace("monitor_s = 60", ""), first=fine) as rig:
        await asyncio.sleep(3600)
        assert rig.asked == []
        assert trunk_status(rig.trunk, rig.loop.time()).watched == ""


@virtual
async def test_one_that_answers_is_there_and_asked_in_its_time() -> None:
    async with open_rig(PLAIN, first=fine) as rig:
        await asyncio.sleep(1)
        (asked,) = rig.requests(FIRST)
        assert (asked.method, str(asked.uri)) == ("OPTIONS", f"sip:{DOMAIN}")
        assert asked.from_address.uri.host == SERVER.host
        assert trunk_status(rig.trunk, rig.loop.time()).watched == "there"
        await asyncio.sleep(600)
        assert len(rig.requests(FIRST)) == 11
        assert rig.requests(SECOND) == []


@pytest.mark.parametrize("code", [404, 405, 486, 403, 500])
@virtual
async def test_a_refusal_is_a_sign_of_life(code: int) -> None:
    async with open_rig(PLAIN, first=lambda _request: (code, ())) as rig:
        await asyncio.sleep(1)
        assert rig.trunk.may_take


@pytest.mark.parametrize("reply", [None, (408, ()), (503, ()), (504, ())])
@virtual
async def test_one_with_no_server_there_is_down_until_one_is(reply: Reply) -> None:
    dead = lambda _request: reply  # noqa: E731 - a script
    async with open_rig(PLAIN, first=dead, second=dead) as rig:
        await asyncio.sleep(20)
        assert not rig.trunk.may_take
        assert trunk_status(rig.trunk, rig.loop.time()).watched == "not there"
        assert rig.names.failed[:2] == [FIRST, SECOND]
        rig.registrars = {FIRST: silent, SECOND: fine}
        await asyncio.sleep(40)
        assert rig.trunk.may_take


@virtual
async def test_a_provider_may_be_asked_with_the_account() -> None:
    toml = TOML.replace("[trunk.acc", "monitor_s = 60\n[trunk.acc")

    def challenging(request: Request) -> Reply:
        return accept(request) if request.method == "REGISTER" else (407, ())

    async with open_rig(toml, first=challenging) as rig:
        await asyncio.sleep(3)
        asked = [each for each in rig.requests(FIRST) if each.method == "OPTIONS"]
        assert asked
        assert asked[0].headers["From"].startswith(f"<sip:u1@{DOMAIN}>")
        assert rig.trunk.may_take


# --- what calls make of it


TRUNKS = """
[emergency]
trunk = ["one", "two"]
[[trunk]]
name = "one"
address = "203.0.113.11"
[[trunk]]
name = "two"
address = "203.0.113.12"
[[route]]
pattern = "7X."
trunk = ["one", "two"]
strip = 1
"""


@pytest.mark.parametrize(("dialled", "order"), [("7030", ["two"]), ("112", ["two", "one"])])
@virtual
async def test_one_that_is_down_is_passed_over_and_in_an_emergency_the_last(
    tmp_path: Path, dialled: str, order: list[str]
) -> None:
    async with open_house(tmp_path, extension("102"), toml=TRUNKS) as house:
        phones = {
            "one": house.outside(host="203.0.113.11"),
            "two": house.outside(host="203.0.113.12"),
        }
        alice = house.phone("102")
        (down,) = house.trunks.listed(["one"])
        down.down = True
        alice.dial(dialled)
        *before, last = order
        for name in before:
            phones[name].reject(await phones[name].take(InviteOffered), 503)
        phones[last].answer(await phones[last].take(InviteOffered))
        await alice.take(InviteAnswered)
        alice.bye()
        await phones[last].take(UsageEnded)
        await house.over()


@virtual
async def test_where_none_has_registered_us_they_are_asked_all_the_same(tmp_path: Path) -> None:
    async with open_house(tmp_path, extension("102"), toml=TRUNKS) as house:
        one, two = house.outside(host="203.0.113.11"), house.outside(host="203.0.113.12")
        alice = house.phone("102")
        for trunk in house.trunks.listed(["one", "two"]):
            trunk.registering = Registering(
                contact_user="u", expires_s=60, now=house.now, dice=lambda: 0.5
            )
        alice.dial("7030")
        one.reject(await one.take(InviteOffered), 503)
        two.reject(await two.take(InviteOffered), 486)
        assert (await alice.take(InviteFailed)).code == 486
        (first,) = house.trunks.listed(["one"])
        first.down = True
        alice.dial("7030")
        two.reject(await two.take(InviteOffered), 486)
        await alice.take(InviteFailed)
        assert one.untold == []
        await house.over(2)


@virtual
async def test_a_call_to_the_contact_that_we_registered_is_the_trunks(tmp_path: Path) -> None:
    toml = """
[[trunk]]
name = "registering"
address = "provider.example"
did_from = "request-uri"
dids = { "4930123459" = "102" }
[trunk.account]
username = "u1"
password = "secret"
"""
    async with open_house(tmp_path, extension("102"), toml=toml) as house:
        alice, stranger = house.phone("102"), house.outside(host="198.51.100.77")
        (trunk,) = house.trunks.listed(["registering"])
        stranger.dial("4930123459")
        failed = await stranger.take(InviteFailed)
        assert failed.code == 403, "an address that nobody knows"
        stranger.dial(trunk.contact_user, to="+4930123459")
        offered = await alice.take(InviteOffered)
        alice.answer(offered)
        await stranger.take(InviteAnswered)
        stranger.bye()
        await alice.take(UsageEnded)
        await house.over()
