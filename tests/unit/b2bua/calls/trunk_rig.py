"""Two trunks side by side, and an extension that calls over them."""

import asyncio

from sip.events import InviteFailed, InviteOffered
from sip.message import Request
from tests.unit.b2bua.calls.call_rig import House
from tests.unit.b2bua.calls.phone import Phone

ONE_HOST, TWO_HOST, THREE_HOST = "203.0.113.11", "203.0.113.12", "203.0.113.13"
NUMBER = "030123456"
E164 = "+4930123456"


def trunks(one: str = "", two: str = "", *, two_at: str = f'"{TWO_HOST}"') -> str:
    """Two trunks with further settings; 7 tries both of them, 8 the second one alone."""
    return f"""
[emergency]
trunk = ["one", "two"]
[[trunk]]
name = "one"
address = "{ONE_HOST}"
{one}
[[trunk]]
name = "two"
address = {two_at}
{two}
[[route]]
pattern = "7X."
trunk = ["one", "two"]
strip = 1
[[route]]
pattern = "8X."
trunk = "two"
strip = 1
"""


ACCOUNT = '[trunk.account]\nusername = "u1"\npassword = "secret"\nrealm = "r"\nregister = false\n'


async def both(house: House) -> tuple[Phone, Phone, Phone]:
    """An extension, and what is behind either trunk."""
    return house.phone("102"), house.outside(host=ONE_HOST), house.outside(host=TWO_HOST)


async def rung(dialled: str, trunk: Phone, alice: Phone) -> Request:
    """Dial, be rejected at once, and return what the trunk was asked."""
    alice.dial(dialled)
    offered = await trunk.take(InviteOffered)
    trunk.reject(offered, 486)
    await alice.take(InviteFailed)
    await asyncio.sleep(0.01)
    return offered.request
