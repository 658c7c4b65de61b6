"""What the row says of the line after a call, and RTCP that nobody should send."""

import contextlib
import re
import secrets
import socket
import sqlite3

import pytest

from tests.e2e.calls import call, end
from tests.e2e.recorded import CALLEE_HZ, CALLER_HZ, two_baresips
from tests.support import audio
from tests.support.phones.phone import talk
from tests.support.server import Server

OFF = (("101", "off", False), ("102", "off", False))

REPORTS_S = 6.5
"Baresip reports every five seconds."

GARBAGE = (
    b"",
    b"\x80\xc9\x00\x00",
    b"\x81\xc8\xff\xff" + bytes(48),
    bytes.fromhex("80c90001 00000001 81cb0001 00000002 81ca0002 00000003 01ff0000"),
    secrets.token_bytes(1200),
)


def lines(under_test: Server) -> list[tuple[float | None, float | None, float | None]]:
    """Jitter, round trip and MOS of both parties of the one call, caller first."""
    address = f"file:{under_test.data / 'mitschnitt.db'}?mode=ro"
    query = "SELECT jitter_ms, round_trip_ms, mos FROM parties ORDER BY side"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=5.0)) as database:
        return list(database.execute(query))


def rtcp_ports(under_test: Server) -> range:
    """All ports on which the server may hear RTCP."""
    found = re.search(r'ports = "(\d+)-(\d+)"', (under_test.folder / "mitschnitt.toml").read_text())
    assert found is not None
    return range(int(found[1]) + 1, int(found[2]) + 1, 2)


@pytest.mark.peer("baresip")
async def test_both_parties_rows_say_what_the_line_was_worth() -> None:
    async with two_baresips(extensions=OFF) as (under_test, alice, bob):
        await call(alice, bob)
        await talk(REPORTS_S)
        await end(alice, bob)
        await under_test.the_call()
        rows = lines(under_test)
        assert len(rows) == 2
        for jitter_ms, round_trip_ms, mos in rows:
            assert jitter_ms is not None
            assert 0.0 <= jitter_ms < 100.0
            assert round_trip_ms is not None
            assert 0.0 <= round_trip_ms < 200.0
            assert mos is not None
            assert 3.5 < mos <= 4.5
        counters = (await under_test.status())["counters"]
        assert counters["media_dropped_rtcp"] == 0, "what a telephone says is not understood"
        assert counters["media_dropped_rtcp_source"] == 0
        await under_test.stop()


@pytest.mark.peer("baresip")
async def test_garbage_on_the_rtcp_ports_harms_nobody() -> None:
    async with two_baresips(extensions=OFF) as (under_test, alice, bob):
        await call(alice, bob)
        await alice.hears()
        await bob.hears()
        for host in ("127.0.0.1", "127.0.0.3"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mallory:
                mallory.bind((host, 0))
                for port in rtcp_ports(under_test):
                    for data in GARBAGE:
                        mallory.sendto(data, ("127.0.0.1", port))
        await talk(3.0)
        await end(alice, bob)
        await under_test.the_call()
        audio.assert_tone(alice.heard(), CALLEE_HZ, 0.5, 2.5)
        audio.assert_tone(bob.heard(), CALLER_HZ, 0.5, 2.5)
        counters = (await under_test.status())["counters"]
        assert counters["media_dropped_rtcp"] == 2 * len(GARBAGE)
        assert counters["media_dropped_rtcp_source"] == 2 * len(GARBAGE)
        assert all(mos is not None and mos > 3.5 for _, _, mos in lines(under_test))
        await under_test.stop()
