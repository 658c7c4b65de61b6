"""SIP over TLS: real handshakes on loopback, with an authority of the tests' own."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from sip.address import Flow, HostPort, Transport
from sip.events import InviteAnswered, InviteFailed, InviteOffered
from sip.io.tcp import TcpLimits
from sip.io.tls import PemPair, Tls, TlsError, TlsFiles, TlsTransport
from tests.support.certificates import Authority
from tests.support.peers import require
from tests.support.shell_phone import LOOPBACK, ShellPhone, shell_phone
from tests.support.sip_raw import request

TLS_ONLY: tuple[Transport, ...] = ("TLS",)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    require("openssl")
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def tls(authority: Authority) -> Tls:
    return Tls(authority.files(authority.issue("server")))


def tls_of(phone: ShellPhone) -> TlsTransport:
    transport = phone.shell._senders["TLS", phone.local]
    assert isinstance(transport, TlsTransport)
    return transport


def over(phone: ShellPhone, other: ShellPhone, server_name: str = "") -> Flow:
    return Flow("TLS", phone.local, other.local, server_name)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_call_over_tls(tls: Tls, host: str) -> None:
    bind = HostPort(host, 0)
    async with (
        shell_phone(bind, transports=TLS_ONLY, tls=tls) as bob,
        shell_phone(bind, transports=TLS_ONLY, tls=tls) as alice,
    ):
        usage = alice.call_over(over(alice, bob))
        offered = await bob.told()
        assert isinstance(offered, InviteOffered)
        assert offered.flow.transport == "TLS"
        via, contact = (offered.request.headers[name] for name in ("Via", "Contact"))
        assert via.startswith(f"SIP/2.0/TLS {alice.local};branch=")
        assert contact == f"<sip:{alice.local};transport=tls>"
        assert isinstance(await alice.told(), InviteAnswered)
        alice.bye(usage)
        await bob.told()
        await bob.told()
        assert bob.shell.counters["tls_accepted"] == 1
        assert alice.shell.counters["tls_accepted"] == 0, "everything goes over one connection"


async def test_the_name_in_the_certificate_decides_whom_we_talk_to(
    authority: Authority, tls: Tls
) -> None:
    provider = Tls(authority.files(authority.issue("provider", "DNS:sip.example.com")))
    async with (
        shell_phone(transports=TLS_ONLY, tls=provider) as trunk,
        shell_phone(transports=TLS_ONLY, tls=tls) as alice,
    ):
        asked_for: list[str] = []
        provider.server.sni_callback = lambda _sock, name, _context: asked_for.append(name)
        alice.call_over(over(alice, trunk, "sip.example.com"))
        assert isinstance(await alice.told(), InviteAnswered)
        assert asked_for == ["sip.example.com"], "SNI"
        for wrong in ("", "sip.example.org"):
            alice.call_over(over(alice, trunk, wrong))
            failed = await alice.told()
            assert isinstance(failed, InviteFailed)
            assert failed.code == 503
        assert alice.shell.counters["tls_dial_failed"] == 2


async def test_who_is_vouched_for_by_nobody_we_trust_is_not_called(
    tmp_path: Path, tls: Tls
) -> None:
    stranger = Authority(tmp_path)
    other = Tls(stranger.files(stranger.issue("server")))
    async with (
        shell_phone(transports=TLS_ONLY, tls=other) as trunk,
        shell_phone(transports=TLS_ONLY, tls=tls) as alice,
    ):
        alice.call_over(over(alice, trunk))
        assert isinstance(await alice.told(), InviteFailed)


async def test_a_client_certificate_says_who_connects(authority: Authority, tls: Tls) -> None:
    pair = authority.issue("trunk", "DNS:SIP.example.com", "URI:sip:example.com", "IP:127.0.0.1")
    trunk_tls = Tls(authority.files(pair))
    asking = Tls(authority.files(authority.issue("asking"), client_ca=authority.certificate))
    async with (
        shell_phone(transports=TLS_ONLY, tls=asking) as server,
        shell_phone(transports=TLS_ONLY, tls=tls) as unasked,
        shell_phone(transports=TLS_ONLY, tls=trunk_tls) as trunk,
    ):
        trunk.call_over(over(trunk, server))
        offered = await server.told()
        assert isinstance(offered, InviteOffered)
        assert server.shell.certificate_names(offered.flow) == {
            "sip.example.com",
            "example.com",
            "127.0.0.1",
        }
        trunk.call_over(over(trunk, unasked))
        offered = await unasked.told()
        assert isinstance(offered, InviteOffered)
        assert unasked.shell.certificate_names(offered.flow) == frozenset()


async def test_telephones_without_a_certificate_are_welcome_and_foreign_ones_are_not(
    authority: Authority, tmp_path: Path
) -> None:
    asking = Tls(authority.files(authority.issue("asking2"), client_ca=authority.certificate))
    stranger = Authority(tmp_path)
    foreign = Tls(stranger.files(stranger.issue("phone"), trust=authority.certificate))
    async with (
        shell_phone(transports=TLS_ONLY, tls=asking) as server,
        shell_phone(transports=TLS_ONLY, tls=foreign) as phone,
    ):
        context = ssl.create_default_context(cafile=authority.certificate)
        reader, writer = await asyncio.open_connection(
            server.local.host, server.local.port, ssl=context
        )
        writer.write(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"\r\n"
        writer.close()
        phone.call_over(over(phone, server))
        assert isinstance(await phone.told(), InviteFailed)


async def test_tls_1_1_is_refused(authority: Authority, tls: Tls) -> None:
    async with shell_phone(transports=TLS_ONLY, tls=tls) as phone:
        context = ssl.create_default_context(cafile=authority.certificate)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, OSError)):
            await asyncio.open_connection(phone.local.host, phone.local.port, ssl=context)


# --- who takes up room


async def connect(phone: ShellPhone) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (phone.local.host, phone.local.port))
    return sock


async def ended(sock: socket.socket) -> bool:
    async with asyncio.timeout(5):
        try:
            return await asyncio.get_running_loop().sock_recv(sock, 10) == b""
        except ConnectionResetError:
            return True


async def test_who_does_not_shake_hands_is_cut_off_and_holds_up_nobody(tls: Tls) -> None:
    limits = TcpLimits(handshake_s=0.5, max_per_source=3)
    async with (
        shell_phone(transports=TLS_ONLY, tls=tls, limits=limits) as bob,
        shell_phone(transports=TLS_ONLY, tls=tls) as alice,
    ):
        silent, slow = await connect(bob), await connect(bob)
        await asyncio.get_running_loop().sock_sendall(slow, b"\x16\x03")
        alice.call_over(over(alice, bob))
        assert isinstance(await alice.told(), InviteAnswered)
        beyond = await connect(bob)
        assert await ended(beyond), "the connections without a handshake count"
        assert bob.shell.counters["tls_refused"] == 1
        assert await ended(silent)
        assert await ended(slow)
        assert bob.shell.counters["tls_handshake_failed"] == 2
        assert tls_of(bob)._accepted.total() == 1
        for sock in (silent, slow, beyond):
            sock.close()


async def test_plain_sip_on_the_port_of_tls_ends_the_connection(tls: Tls) -> None:
    async with shell_phone(transports=TLS_ONLY, tls=tls) as bob:
        sock = await connect(bob)
        await asyncio.get_running_loop().sock_sendall(sock, request("OPTIONS"))
        async with asyncio.timeout(5):
            while not await ended(sock):
                pass
        assert bob.shell.counters["tls_handshake_failed"] == 1
        assert not tls_of(bob)._accepted
        sock.close()


async def test_a_connection_that_ends_gives_its_room_back(authority: Authority, tls: Tls) -> None:
    async with shell_phone(transports=TLS_ONLY, tls=tls) as bob:
        context = ssl.create_default_context(cafile=authority.certificate)
        _, writer = await asyncio.open_connection(bob.local.host, bob.local.port, ssl=context)
        writer.write(request("OPTIONS"))
        await bob.told()
        assert tls_of(bob)._accepted.total() == 1
        writer.close()
        await bob.lost_flow()
        assert not tls_of(bob)._accepted


# --- certificates


def test_what_is_wrong_with_the_files_is_said(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("good")
    other = authority.issue("other")
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate\n")

    def trouble(files: TlsFiles) -> str:
        with pytest.raises(TlsError) as caught:
            Tls(files)
        return str(caught.value)

    missing = tmp_path / "missing.pem"
    assert f"{missing}: No such file" in trouble(TlsFiles(certificate=missing, key=pair.key))
    assert "is not the key of the certificate" in trouble(
        TlsFiles(certificate=pair.certificate, key=other.key)
    )
    assert "no certificate with its key in PEM" in trouble(
        TlsFiles(certificate=empty, key=pair.key)
    )
    assert f"{empty} holds no certificates" in trouble(
        TlsFiles(certificate=pair.certificate, key=pair.key, client_ca=empty)
    )


def test_what_peers_would_not_take_is_told_and_served(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    tls = Tls(authority.files(authority.issue("wrong", usage="clientAuth")))
    assert "purpose" in tls.certificate.trouble
    assert "bad certificate" in caplog.text


async def test_a_renewed_certificate_serves_connections_to_come(
    authority: Authority, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "now.pem", tmp_path / "now.key"

    def install(name: str) -> None:
        pair = authority.issue(name, f"DNS:{name}", "IP:127.0.0.1")
        certificate.write_bytes(pair.certificate.read_bytes())
        key.write_bytes(pair.key.read_bytes())

    async def shown(phone: ShellPhone) -> str:
        context = ssl.create_default_context(cafile=authority.certificate)
        _, writer = await asyncio.open_connection(phone.local.host, phone.local.port, ssl=context)
        names = writer.get_extra_info("peercert")["subjectAltName"]
        writer.close()
        return str(names[0][1])

    install("first")
    tls = Tls(TlsFiles(certificate=certificate, key=key))
    async with shell_phone(LOOPBACK, transports=TLS_ONLY, tls=tls) as phone:
        assert await shown(phone) == "first"
        certificate.write_text("half of a file")
        with pytest.raises(TlsError):
            tls.reload()
        assert await shown(phone) == "first"
        install("second")
        tls.reload()
        assert await shown(phone) == "second"
        assert tls.certificate.names == ("127.0.0.1", "second")


async def test_the_certificate_is_the_one_of_the_name_that_is_called(
    authority: Authority, tmp_path: Path
) -> None:
    def pem(name: str, *alternatives: str) -> PemPair:
        pair = authority.issue(name, *alternatives)
        return PemPair(certificate=pair.certificate, key=pair.key)

    async def shown(phone: ShellPhone, called: str | None) -> str:
        context = ssl.create_default_context(cafile=authority.certificate)
        context.check_hostname = False
        _, writer = await asyncio.open_connection(
            phone.local.host, phone.local.port, ssl=context, server_hostname=called or ""
        )
        names = writer.get_extra_info("peercert")["subjectAltName"]
        writer.close()
        return str(names[0][1])

    first = pem("sip.one.test", "DNS:sip.one.test")
    renewed = tmp_path / "two.pem", tmp_path / "two.key"

    def install(name: str, *alternatives: str) -> None:
        pair = authority.issue(name, *alternatives)
        renewed[0].write_bytes(pair.certificate.read_bytes())
        renewed[1].write_bytes(pair.key.read_bytes())

    install("two", "DNS:sip.two.test", "DNS:sip.one.test")
    wild = pem("wild", "DNS:*.three.test")
    files = TlsFiles(
        certificate=first.certificate,
        key=first.key,
        further=(PemPair(certificate=renewed[0], key=renewed[1]), wild),
    )
    tls = Tls(files)
    async with shell_phone(LOOPBACK, transports=TLS_ONLY, tls=tls) as phone:
        assert await shown(phone, None) == "sip.one.test"
        assert await shown(phone, "sip.one.test") == "sip.one.test"
        assert await shown(phone, "SIP.two.test") == "sip.two.test"
        assert await shown(phone, "a.three.test") == "*.three.test"
        assert await shown(phone, "a.b.three.test") == "sip.one.test"
        assert await shown(phone, "sip.four.test") == "sip.one.test"
        install("four", "DNS:sip.four.test")
        tls.reload()
        assert await shown(phone, "sip.four.test") == "sip.four.test"
        assert await shown(phone, "sip.two.test") == "sip.one.test"
        renewed[1].write_text("half of a file")
        with pytest.raises(TlsError, match=str(renewed[1])):
            tls.reload()
        assert await shown(phone, "sip.four.test") == "sip.four.test"
    assert [each.file for each in tls.certificates] == [
        first.certificate,
        renewed[0],
        wild.certificate,
    ]
