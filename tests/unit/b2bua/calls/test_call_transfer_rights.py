"""Who may transfer, and where to."""

from pathlib import Path

import pytest

from cdr.records import CallOpened
from sip.events import InviteOffered, UsageEnded
from tests.unit.b2bua.calls.call_rig import DID, extension, open_house
from tests.unit.b2bua.calls.transfers import ALICE, BOB, CAROL, refer, rows, told
from tests.unit.b2bua.calls.virtual_time import virtual

RULES = """
[[route]]
pattern = "00Z."
trunk = "provider"
strip = 2
extensions = ["104"]
"""


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("<sip:104@192.0.2.100>", 202),
        ("<sip:0123@192.0.2.100>", 202),
        ("<sip:00123@192.0.2.100>", 403),
        ("<sip:999@192.0.2.100>", 403),
        ("<sip:*1@192.0.2.100>", 403),
        ("<sip:192.0.2.100>", 403),
        ("nobody", 400),
        ("<http://x/>", 400),
    ],
)
@virtual
async def test_a_transfer_goes_where_the_referrer_could_have_called(
    tmp_path: Path, to: str, status: int
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CAROL, toml=RULES) as house:
        alice, bob = house.phone("102"), house.phone("103")
        house.phone("104")
        trunk = house.outside()
        await house.connect(alice, "103", bob)

        assert await refer(house, bob, to) == status
        if "0123" in to and status == 202:
            offered = (await trunk.take(InviteOffered)).request
            assert (offered.uri.user, offered.headers.get("Referred-By")) == ("123", None)
            assert rows(house)[-1] == ("102", "0123")
        alice.bye()
        await house.over(2 if status == 202 else 1)
        assert len(house.journal.of(CallOpened)) == (2 if status == 202 else 1)


@pytest.mark.parametrize("may", [False, True])
@virtual
async def test_a_trunk_transfers_only_where_its_settings_say_so(
    tmp_path: Path, *, may: bool
) -> None:
    async with open_house(tmp_path, ALICE, BOB, extension("101")) as house:
        if may:
            settings = house.trunks.named("provider")
            assert settings is not None
            object.__setattr__(settings.settings, "may_transfer", True)
        outside, clerk, bob = house.outside(), house.phone("101"), house.phone("103")
        await house.connect(outside, DID, clerk)

        assert await refer(house, outside, "<sip:0123@h>") == 403
        assert await refer(house, outside, "<sip:103@h>") == (202 if may else 403)
        if may:
            assert await told(house, outside) == "100 Trying"
            bob.answer(await bob.take(InviteOffered))
            assert await told(house, outside) == "200 OK."
            await outside.take(UsageEnded)
            bob.bye()
            await clerk.take(UsageEnded)
        else:
            outside.bye()
            await clerk.take(UsageEnded)
        await house.over(2 if may else 1)


@virtual
async def test_an_emergency_call_is_not_transferred(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, outside = house.phone("102"), house.outside()
        house.phone("103")
        await house.connect(alice, "112", outside)

        assert await refer(house, alice, "<sip:103@h>") == 403
        alice.bye()
        await house.over()
