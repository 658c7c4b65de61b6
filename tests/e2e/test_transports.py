"""Phones over TLS, with an authority of the test's own, and phones of both families."""

import signal
import socket
from pathlib import Path

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
from tests.e2e.secured import Secured
from tests.support import audio, ports
from tests.support.edge_proxy import edge_proxy
from tests.support.names import name_server
from tests.support.phones.baresip import baresip
from tests.support.phones.linphone import linphone
from tests.support.phones.phone import talk
from tests.support.phones.rtp_wire import EVENTS
from tests.support.phones.wire import extension_phone
from tests.support.server import Server, server
from tests.support.trunk import CALLER, DID, OUTGOING, outside_baresip, trunk_settings


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.peer("baresip", "linphonec", "openssl", "ffmpeg")
@pytest.mark.parametrize("caller", ["baresip", "linphonec"])
async def test_telephones_over_tls_call_each_other_and_are_recorded(
    tmp_path: Path, caller: str
) -> None:
    tls = Secured(tmp_path)
    first, second = ("101", "102") if caller == "baresip" else ("102", "101")
    async with (
        server(tls.settings, extensions=BOTH_RECORDED) as under_test,
        baresip(
            under_test.setup(first, CALLER_SAYS, at=tls.at),
            transport="tls",
            settings=tls.for_baresip,
        ) as alice,
        linphone(
            # Its TLS knows names only, no addresses.
            under_test.setup(second, CALLEE_SAYS, at=f"localhost:{tls.port}"),
            transport="tls",
            authority=tls.authority.certificate,
        ) as carol,
    ):
        one, other = (alice, carol) if caller == "baresip" else (carol, alice)
        await call(one, other)
        await alice.hears()
        await talk(3.0)
        await end(other, one)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        assert audio.tone_intervals(alice.heard(), CALLEE_HZ)
        assert audio.tone_intervals(carol.heard(), CALLER_HZ)
        status = await under_test.status()
        assert f"{tls.at} TLS" in status["listening"]
        assert "localhost: 1 days left" in status["certificate"]
        counters = status["counters"]
        assert counters["sip_tls_accepted"] >= 2
        assert counters["sip_tls_dial_failed"] == 0
        await under_test.stop()


@pytest.mark.peer("baresip", "openssl", "ffmpeg")
async def test_a_renewed_certificate_and_a_broken_one_while_a_call_stands(tmp_path: Path) -> None:
    tls = Secured(tmp_path)
    async with (
        server(tls.settings, extensions=BOTH_RECORDED) as under_test,
        baresip(
            under_test.setup("101", CALLER_SAYS, at=tls.at),
            transport="tls",
            settings=tls.for_baresip,
        ) as alice,
        baresip(under_test.setup("102", CALLEE_SAYS)) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        tls.install(tls.authority.issue("renewed", "DNS:renewed.example.com", "IP:127.0.0.1"))
        await reload(under_test, "renewed.example.com")
        assert "renewed.example.com" in await tls.shown()
        tls.installed.key.write_bytes(tls.authority.issue("other").key.read_bytes())
        await reload(under_test, "is not the key of the certificate")
        assert "renewed.example.com" in await tls.shown()
        await talk(2.0)
        await end(alice, bob)
        _, pcm = await recorded(under_test, 2.0)
        assert_both_speak(pcm)
        await under_test.stop()


async def reload(under_test: Server, says: str) -> None:
    seen = len(under_test.child.lines)
    under_test.child.process.send_signal(signal.SIGHUP)
    await under_test.child.wait_for(says, after=seen)


@pytest.mark.peer("openssl")
async def test_a_server_with_a_bad_certificate_says_so_and_does_not_start(tmp_path: Path) -> None:
    tls = Secured(tmp_path)
    tls.installed.key.unlink()
    with pytest.raises(Exception, match=r"TLS: .*key\.pem: No such file"):
        async with server(tls.settings):
            raise AssertionError("it has started")


@pytest.mark.peer("baresip", "openssl", "ffmpeg")
async def test_a_trunk_over_tls_that_shows_a_certificate_and_a_stranger_in_its_place(
    tmp_path: Path,
) -> None:
    tls, port = Secured(tmp_path), ports.take(2)
    provider = tls.authority.issue("sip.provider.test", "DNS:sip.provider.test")
    pem = tmp_path / "provider.pem"
    pem.write_bytes(provider.certificate.read_bytes() + provider.key.read_bytes())
    trunk = trunk_settings(
        port + 1,  # where baresip listens for TLS
        routes=[OUTGOING],
        transport="tls",
        domain="sip.provider.test",
        client_certificate="sip.provider.test",
    )
    authority = tls.authority.certificate
    settings = f'{tls.settings}client_ca = "{authority}"\ntrust = "{authority}"\n{trunk}'
    async with (
        server(settings, (("101", "off", False),)) as under_test,
        baresip(under_test.setup("101", CALLER_SAYS)) as clerk,
    ):
        shown = f"sip_certificate {pem}\n{tls.for_baresip}"
        called = f"sip:{DID}@{tls.at};transport=tls"
        async with outside_baresip(
            tmp_path / "out", CALLEE_SAYS, port=port, settings=shown
        ) as outside:
            await call(clerk, outside, number=f"0{CALLER}")
            await clerk.hears()
            await end(clerk, outside)
            seen = len(clerk.events)
            await outside.dial(called)
            await clerk.wait_event("CALL_INCOMING", after=seen)
            await clerk.answer()
            await clerk.wait_event("CALL_ESTABLISHED", after=seen)
            await outside.hang_up()
            rows = await under_test.calls_closed(2)
            assert {row["disposition"] for row in rows} == {"ANSWERED"}
        async with outside_baresip(
            tmp_path / "stranger", CALLEE_SAYS, port=port, settings=tls.for_baresip
        ) as stranger:
            await stranger.dial(called)
            assert "401" in await stranger.closed()
        await under_test.stop()


RECORDS = (
    "naptr-record=provider.test,20,10,s,SIP+D2U,,_sip._udp.provider.test",
    "naptr-record=provider.test,10,10,s,SIP+D2T,,_sip._tcp.provider.test",
    "host-record=first.provider.test,second.provider.test,127.0.0.1",
)


@pytest.mark.peer("baresip", "dnsmasq", "ffmpeg")
@needs_ipv6
async def test_a_trunk_by_its_name_of_whose_servers_the_first_is_dead(tmp_path: Path) -> None:
    dead, alive, port = ports.take(2), ports.take(2), ports.take(2)
    records = (
        *RECORDS,
        f"srv-host=_sip._tcp.provider.test,first.provider.test,{dead},10,5",
        f"srv-host=_sip._tcp.provider.test,second.provider.test,{alive},20,5",
        f"srv-host=_sip._udp.provider.test,first.provider.test,{dead},10,5",
    )
    trunk = trunk_settings(0, routes=[OUTGOING], host="provider.test", transport="auto")
    async with name_server(tmp_path, records) as names:
        # The trunk is whoever comes from 127.0.0.1, so the telephone comes from elsewhere.
        listen = f'listen = ["127.0.0.1:{port}", "[::1]:{port}"]'
        settings = f'[sip]\n{listen}\nnameservers = ["{names}"]\n{trunk}'
        async with (
            server(settings, (("101", "off", False),)) as under_test,
            baresip(
                under_test.setup("101", CALLER_SAYS, at=f"[::1]:{port}"),
                host="::1",
            ) as clerk,
            outside_baresip(tmp_path / "out", CALLEE_SAYS, port=alive) as outside,
        ):
            await call(clerk, outside, number=f"0{CALLER}")
            await clerk.hears()
            await talk(1.0)
            await end(clerk, outside)
            row = await under_test.the_call()
            assert (row["disposition"], row["dst"]) == ("ANSWERED", f"0{CALLER}")
            assert audio.tone_intervals(clerk.heard(), CALLEE_HZ)
            counters = (await under_test.status())["counters"]
            assert counters["sip_tcp_dial_failed"] == 1
            await under_test.stop()


@pytest.mark.peer("baresip", "kamailio", "ffmpeg")
async def test_a_telephone_behind_a_proxy_is_called_by_the_path(tmp_path: Path) -> None:
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        edge_proxy(tmp_path / "edge", under_test.sip) as (edge, proxy),
        baresip(under_test.setup("101", CALLER_SAYS)) as alice,
        baresip(under_test.setup("102", CALLEE_SAYS, at=edge)) as bob,
    ):
        await call(alice, bob)
        await proxy.wait_for("by the path: INVITE")
        await alice.hears()
        await bob.hears()
        await talk(3.0)
        await end(bob, alice)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        audio.assert_tone(bob.heard(), CALLER_HZ, 0.5, 2.5)
        await under_test.stop()


def many_codecs(body: str) -> str:
    """Offer so many codecs that the INVITE is too large for a datagram."""
    numbers = range(102, 127)
    line = f" {EVENTS}\r\n"
    offered = body.replace(line, f" {EVENTS} {' '.join(map(str, numbers))}\r\n", 1)
    return offered + "".join(f"a=rtpmap:{n} X-OF-NO-USE-TO-ANYBODY-{n}/8000\r\n" for n in numbers)


@pytest.mark.peer("baresip", "linphonec", "ffmpeg")
@pytest.mark.parametrize("callee", ["baresip", "linphonec"])
async def test_what_is_too_large_for_a_datagram_reaches_real_telephones(callee: str) -> None:
    """Baresip listens on TCP beside UDP; linphonec says `transport=udp` and is believed."""
    phone = baresip if callee == "baresip" else linphone
    async with (
        server(extensions=BOTH_RECORDED) as under_test,
        extension_phone(under_test, "101", CALLER_SAYS) as alice,
        phone(under_test.setup("102", CALLEE_SAYS)) as bob,
    ):
        alice.dresses = many_codecs
        await call(alice, bob)
        await alice.rtp.hears(CALLEE_HZ)
        await talk(2.5)
        await end(*((alice, bob) if callee == "baresip" else (bob, alice)))
        await recorded(under_test, 2.5)
        counters = (await under_test.status())["counters"]
        assert counters["sip_tcp_dialled"] == (callee == "baresip")
        assert counters["sip_tcp_dial_failed"] == 0
        await under_test.stop()


@pytest.mark.peer("baresip", "ffmpeg")
@pytest.mark.parametrize("latch", ["nat", "exact"])
async def test_a_telephone_behind_a_nat_is_heard_where_that_is_allowed(latch: str) -> None:
    """It says that its media is at one address, and sends from another."""
    settings = f'[media.latches]\n"101" = "{latch}"\n'
    async with (
        server(settings, extensions=BOTH_RECORDED) as under_test,
        extension_phone(under_test, "101", CALLER_SAYS) as alice,
        baresip(under_test.setup("102", CALLEE_SAYS)) as bob,
    ):
        alice.claims = "127.0.0.77"
        await call(alice, bob)
        if latch == "nat":
            await alice.rtp.hears(CALLEE_HZ)
            await bob.hears()
        await talk(2.0)
        await end(alice, bob)
        _, pcm = await recorded(under_test, 2.0)
        assert bool(audio.tone_intervals(pcm, CALLER_HZ)) == (latch == "nat")
        assert audio.tone_intervals(pcm, CALLEE_HZ)
        assert bool(audio.tone_intervals(alice.heard(), CALLEE_HZ)) == (latch == "nat")
        await under_test.stop()


@pytest.mark.peer("baresip", "ffmpeg")
@needs_ipv6
@pytest.mark.parametrize("caller", ["IPv4", "IPv6"])
async def test_a_telephone_on_ipv4_and_one_on_ipv6(caller: str) -> None:
    port = ports.take(2)
    on_four, on_six = ("101", "102") if caller == "IPv4" else ("102", "101")
    settings = f'[sip]\nlisten = ["127.0.0.1:{port}", "[::1]:{port}"]\n'
    async with (
        server(settings, extensions=BOTH_RECORDED) as under_test,
        baresip(under_test.setup(on_four, CALLER_SAYS)) as four,
        baresip(
            under_test.setup(on_six, CALLEE_SAYS, at=f"[::1]:{port}"),
            host="::1",
        ) as six,
    ):
        first, second = (four, six) if caller == "IPv4" else (six, four)
        await call(first, second)
        await four.hears()
        await six.hears()
        await talk(3.0)
        await end(first, second)
        _, pcm = await recorded(under_test, 3.0)
        for hz in (CALLER_HZ, CALLEE_HZ):
            assert audio.tone_intervals(pcm, hz)
        audio.assert_tone(four.heard(), CALLEE_HZ, 0.5, 2.5)
        audio.assert_tone(six.heard(), CALLER_HZ, 0.5, 2.5)
        await under_test.stop()
