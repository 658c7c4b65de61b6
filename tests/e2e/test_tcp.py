"""Phones over TCP: registered, called over their connection, recorded; and gone with it."""

import asyncio
import contextlib
import sqlite3

import pytest

from tests.e2e.calls import call, end
from tests.e2e.recorded import (
    BOTH_RECORDED,
    CALLEE_HZ,
    CALLEE_SAYS,
    CALLER_HZ,
    CALLER_SAYS,
    assert_both_speak,
    recorded,
)
from tests.support import audio
from tests.support.phones.baresip import baresip
from tests.support.phones.linphone import linphone
from tests.support.phones.phone import talk
from tests.support.server import Server, server


async def transports(under_test: Server) -> dict[str, int]:
    counters = (await under_test.status())["counters"]
    return {
        name.removeprefix("sip_"): int(counters[name])
        for name in counters
        if name.startswith("sip_tcp_")
    }


async def stored(under_test: Server, numbers: set[str]) -> None:
    """Wait until the database knows who is registered, which is no event for us."""
    address = f"file:{under_test.data / 'mitschnitt.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=5.0)) as database:
        async with asyncio.timeout(10.0):
            while _registered(database) != numbers:  # noqa: ASYNC110 - as said above
                await asyncio.sleep(0.02)


def _registered(database: sqlite3.Connection) -> set[str]:
    return {aor for (aor,) in database.execute("SELECT aor FROM bindings")}


@pytest.mark.peer("baresip", "ffmpeg")
@pytest.mark.parametrize(("caller", "callee"), [("tcp", "udp"), ("udp", "tcp"), ("tcp", "tcp")])
async def test_phones_on_different_transports_are_recorded(caller: str, callee: str) -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(under_test.setup("101", CALLER_SAYS), transport=caller) as alice,
        baresip(under_test.setup("102", CALLEE_SAYS), transport=callee) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        await bob.hears()
        await talk(3.0)
        await end(bob, alice)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        audio.assert_tone(alice.heard(), CALLEE_HZ, 0.5, 2.5)
        audio.assert_tone(bob.heard(), CALLER_HZ, 0.5, 2.5)
        seen = await transports(under_test)
        assert seen["tcp_accepted"] >= [caller, callee].count("tcp")
        assert seen["tcp_dial_failed"] == 0
        await under_test.stop()


@pytest.mark.peer("baresip", "linphonec", "ffmpeg")
@pytest.mark.parametrize("direction", ["baresip calls", "linphonec calls"])
async def test_linphonec_over_tcp_is_recorded(direction: str) -> None:
    caller, callee = ("101", "102") if direction == "baresip calls" else ("102", "101")
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(under_test.setup(caller, CALLER_SAYS)) as alice,
        linphone(under_test.setup(callee, CALLEE_SAYS), transport="tcp") as carol,
    ):
        first, second = (alice, carol) if caller == "101" else (carol, alice)
        await call(first, second)
        await alice.hears()
        await talk(3.0)
        await end(second, first)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        assert audio.tone_intervals(alice.heard(), CALLEE_HZ)
        assert audio.tone_intervals(carol.heard(), CALLER_HZ)
        assert (await transports(under_test))["tcp_accepted"] >= 1


@pytest.mark.peer("baresip")
async def test_a_phone_whose_connection_is_gone_is_unreachable_at_once() -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(under_test.setup("101", CALLER_SAYS)) as alice,
    ):
        setup = under_test.setup("102", CALLEE_SAYS)
        async with baresip(setup, transport="tcp") as bob:
            assert (await under_test.status())["registrations"] == 2
            await bob.child.kill()
            await under_test.child.wait_for('"unregistered", "aor": "102"')
        place = len(alice.events)
        async with asyncio.timeout(5.0):
            await alice.dial("102")
            closed = await alice.wait_event("CALL_CLOSED", after=place)
        assert "480" in str(closed["param"]), "long before it would ring into the void"
        assert (await under_test.status())["registrations"] == 1


@pytest.mark.peer("baresip")
async def test_a_restart_forgets_registrations_over_tcp_and_keeps_those_over_udp() -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        baresip(under_test.setup("101", CALLER_SAYS)),
        baresip(under_test.setup("102", CALLEE_SAYS), transport="tcp"),
    ):
        await stored(under_test, {"101", "102"})
        under_test.child.process.kill()
        await under_test.child.wait()
        await under_test.start()
        # The phone on TCP may have come again by now; what counts is that it had to.
        await under_test.child.wait_for('"unregistered", "aor": "102"')
        assert not any('"unregistered", "aor": "101"' in line for line in under_test.child.lines)
        assert (await under_test.status())["registrations"] >= 1
        await under_test.stop()
