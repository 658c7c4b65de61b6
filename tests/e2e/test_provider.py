"""A provider with an account, by other people's programs; and a fax, heard as it was sent."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from tests.support import audio, ports, provider
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.provider import BROKEN_HOST, DOMAIN, HOST, PASSWORD, USERNAME
from tests.support.server import Server, server
from tests.support.trunk import CALLER, dialled, outside_baresip, trunk_settings

DID = "+4930123450"
CLERK_HZ, OUTSIDE_HZ, FAX_HZ = 620.0, 440.0, 1100.0
OFF = (("101", "off", False),)


def settings(dns: int, broken: int) -> str:
    return f"""
[sip]
nameservers = ["{ports.LOOPBACK}:{dns}"]
[[trunk]]
name = "broken"
address = "{BROKEN_HOST}:{broken}"
[[trunk]]
name = "provider"
address = "{DOMAIN}"
dids = {{ "{DID}" = "101" }}
did_from = "to"
caller_id = "{DID}"
account = {{ username = "{USERNAME}", password = "{PASSWORD}" }}
identity = {{ from = "account", preferred = true }}
numbers.country_code = "49"
numbers.called = "e164"
numbers.caller = "+e164"
numbers.incoming = "national"
numbers.incoming_prefix = "0"
[[route]]
pattern = "0X."
trunk = ["broken", "provider"]
strip = 1
"""


async def registered(under_test: Server) -> None:
    """Wait until the provider has taken us, which is no event for a test."""
    async with asyncio.timeout(20.0):
        while not await _is_registered(under_test):  # noqa: ASYNC110 - as said above
            await asyncio.sleep(0.05)


async def _is_registered(under_test: Server) -> bool:
    trunk = (await under_test.status())["trunks"][1]
    return bool(trunk["registration"] == "registered")


@pytest.mark.peer("baresip", "kamailio", "dnsmasq", "ffmpeg")
async def test_calls_in_and_out_with_an_account(tmp_path: Path) -> None:
    """The first server of the name is out of order, and so is the first trunk of the rule."""
    port, phone_port, dns, broken = (ports.take(2) for _ in range(4))
    says = audio.tone(OUTSIDE_HZ, 30.0)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        asked = await enter(provider.out_of_order(broken))
        await enter(provider.names(port=dns, broken_port=broken, provider_port=port))
        kamailio = await enter(
            provider.provider(tmp_path / "k", port=port, phone=f"{ports.LOOPBACK}:{phone_port}")
        )
        under_test = await enter(server(settings(dns, broken), OFF))
        await registered(under_test)
        assert asked[0] == "REGISTER", "the name's first server"
        clerk = await enter(baresip(under_test.setup("101", audio.tone(CLERK_HZ, 30.0))))
        outside = await enter(outside_baresip(tmp_path / "out", says, port=phone_port))

        await outside.dial(f"sip:{DID}@{HOST}:{port}")
        await clerk.ringing()
        ringing = await clerk.wait_event("CALL_INCOMING")
        assert f"sip:00{CALLER.removeprefix('49')}@" in ringing["peeruri"], "ready to call back"
        await clerk.answer()
        await clerk.hears()
        await talk(1.0)
        await outside.hang_up()
        await clerk.closed()
        assert audio.tone_intervals(clerk.heard(), OUTSIDE_HZ)
        assert audio.tone_intervals(outside.heard(), CLERK_HZ)

        seen = len(clerk.events)
        await clerk.dial(f"00{CALLER.removeprefix('49')}")
        await outside.ringing()
        await outside.answer()
        await clerk.wait_event("CALL_ESTABLISHED", after=seen)
        await talk(1.0)
        await clerk.hang_up()
        await outside.wait_event("CALL_CLOSED", after=len(outside.events) - 1)
        called = await kamailio.wait_for(rf"CALLED {CALLER} by (\S+), preferred (\S+)")
        assert called[1] == f"sip:{USERNAME}@{DOMAIN}"
        assert called[2] == f"<sip:{DID}@{DOMAIN}>"
        assert asked[-1] == "INVITE", "the rule's first trunk"

        seen = len(outside.events)
        await clerk.dial(f"*31%2300{CALLER.removeprefix('49')}")
        hidden = await outside.wait_event("CALL_INCOMING", after=seen)
        assert "anonymous@anonymous.invalid" in hidden["peeruri"]
        await outside.hang_up()
        withheld, outgoing, incoming = await under_test.calls_closed(3)
        assert (incoming["src"], incoming["dst"]) == ("0" + CALLER.removeprefix("49"), "101")
        assert incoming["channel"] == outgoing["dstchannel"] == "SIP/provider"
        assert withheld["disposition"] == "BUSY"
        line = await under_test.cli("status")
        assert "provider registered with 127.0.0.2:" in line
        await under_test.stop()
        await kamailio.wait_for(r"REGISTERED u1 for 0")


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_fax_is_heard_as_it_was_sent(tmp_path: Path) -> None:
    """It would be asked and recorded, and spoken to in G.722, were it not marked."""
    port = ports.take(2)
    toml = trunk_settings(port, dids={DID: "101"}, fax=[DID])
    says = audio.tone(FAX_HZ, 30.0)
    async with (
        server(toml, (("101", "automatic", True),)) as under_test,
        baresip(
            under_test.setup("101", audio.tone(CLERK_HZ, 30.0)),
            codecs="g722,pcma",
        ) as machine,
        outside_baresip(tmp_path, says, port=port, codecs="g722,pcma") as outside,
    ):
        await outside.dial(dialled(under_test.sip, DID))
        await machine.ringing()
        await machine.answer()
        await outside.hears()
        await talk(2.0)
        await outside.hang_up()
        await machine.closed()
        row = await under_test.the_call()
        assert (row["disposition"], row["outcome"], row["outcome_reason"]) == (
            "ANSWERED",
            "blocked",
            "fax",
        )
        assert under_test.files() == []
        assert machine.speaks("PCMA")
        heard = machine.heard()
        end = audio.seconds(heard) - 0.3
        sent, came = audio.tone_level(says, FAX_HZ), audio.tone_level(heard, FAX_HZ, 0.5, end)
        assert came == pytest.approx(sent, abs=0.3), "not a bit louder or softer"
