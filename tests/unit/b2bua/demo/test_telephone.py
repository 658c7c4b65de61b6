"""The driver of a telephone, on events that no process has sent."""

import asyncio
import json
from pathlib import Path

import pytest

from b2bua.demo.telephone import Account, Telephone, free_port
from b2bua.errors import DemoError


@pytest.fixture
async def phone(tmp_path: Path) -> Telephone:
    account = Account(user="101", server="127.0.0.1:5060", host="127.0.0.1", port=5062)
    return Telephone("the caller", account, tmp_path / "caller")


def tell(phone: Telephone, *events: str, **fields: str) -> None:
    for event in events:
        phone._take_line(json.dumps({"event": event, **fields}))


async def test_an_event_is_taken_with_all_before_it(phone: Telephone) -> None:
    phone._take_line("a warning of some library")
    tell(phone, "ready", "dialing", "answered")
    assert (await phone.event("dialing"))["event"] == "dialing"
    waiting = asyncio.create_task(phone.event("said"))
    tell(phone, "said")
    assert await waiting == {"event": "said"}


async def test_a_telephone_that_fails_says_why(phone: Telephone) -> None:
    tell(phone, "error", text="call 1: OSError()")
    with pytest.raises(DemoError, match=r"the caller: call 1: OSError\(\)"):
        await phone.event("answered")
    tell(phone, "refused", status="401 Unauthorized")
    tell(phone, "refused", status="403 Forbidden")
    with pytest.raises(DemoError, match="refused the call: 403 Forbidden"):
        await phone.event("answered")
    tell(phone, "ended")
    with pytest.raises(DemoError, match="ended too early"):
        await phone.event("said")
    with pytest.raises(DemoError, match="nothing incoming within 0 s"):
        await phone.event("incoming", timeout_s=0.01)
    phone.program.ended.set()
    with pytest.raises(DemoError, match="the caller has ended"):
        await phone.event("incoming")


async def test_who_heard_nothing_says_so(phone: Telephone) -> None:
    with pytest.raises(DemoError, match="heard nothing at all"):
        phone.heard_in_all()


def test_ports_are_free_on_the_address_that_was_asked_for() -> None:
    assert free_port("127.0.0.2") > 1023
