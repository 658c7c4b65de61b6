"""Telephones that encrypt: SRTP on both sides, on one, where it is wanted and where it is a must.

All is judged by what was heard, and by the recording: were it not opened, that would be noise.
"""

from pathlib import Path

import pytest

from b2bua.choices import SrtpWish
from b2bua.control.messages import Done, SetExtension
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
from tests.e2e.voices import assert_speaks
from tests.support import audio, ports
from tests.support.phones.baresip import Baresip, baresip
from tests.support.phones.linphone import linphone
from tests.support.phones.phone import Account, PhoneSetup, talk
from tests.support.server import Server, server
from tests.support.trunk import CALLER, OUTGOING, trunk_settings

REQUIRED: SrtpWish = "required"
SHORT_TAG = "AES_CM_128_HMAC_SHA1_32"


async def wish(under_test: Server, **srtp: SrtpWish) -> None:
    """Say what is wanted of extensions: `_101="required"`."""
    for number, wanted in srtp.items():
        reply = await under_test.ask(SetExtension(number=number.strip("_"), srtp=wanted))
        assert isinstance(reply, Done), reply


def suite(phone: Baresip) -> str:
    """The suite that baresip says it uses; empty: it does not encrypt."""
    said = [line for line in phone.child.lines if "SRTP is Enabled" in line]
    return said[-1].partition("cryptosuite=")[2].rstrip(")") if said else ""


async def assert_all_was_opened(under_test: Server) -> None:
    counters = (await under_test.status())["counters"]
    assert (counters["media_dropped_forged"], counters["media_dropped_replayed"]) == (0, 0)


@pytest.mark.peer("baresip", "linphonec", "openssl", "ffmpeg")
@pytest.mark.parametrize(
    ("caller", "known"),
    [
        ("baresip", ""),
        ("linphonec", ""),
        ("linphonec", SHORT_TAG),
    ],
)
async def test_two_telephones_with_srtp_are_heard_and_recorded(
    tmp_path: Path, caller: str, known: str
) -> None:
    """`known`: the one suite of the linphonec; baresip has another with us."""
    tls = Secured(tmp_path)
    first, second = ("101", "102") if caller == "baresip" else ("102", "101")
    async with (
        server(tls.settings, extensions=BOTH_RECORDED) as under_test,
        baresip(
            under_test.setup(first, CALLER_SAYS, at=tls.at),
            transport="tls",
            settings=tls.for_baresip,
            srtp="srtp-mand",
        ) as alice,
        linphone(
            under_test.setup(second, CALLEE_SAYS, at=f"localhost:{tls.port}"),
            transport="tls",
            authority=tls.authority.certificate,
            srtp="required",
            suite=known,
        ) as carol,
    ):
        await wish(under_test, _101="required", _102="required")
        one, other = (alice, carol) if caller == "baresip" else (carol, alice)
        await call(one, other)
        await alice.hears()
        await talk(3.0)
        await end(other, one)
        assert suite(alice)
        _, pcm = await recorded(under_test, 3.0)
        assert_both_speak(pcm)
        assert audio.tone_intervals(alice.heard(), CALLEE_HZ)
        assert audio.tone_intervals(carol.heard(), CALLER_HZ)
        assert "inline:" not in "".join(under_test.child.lines)
        await assert_all_was_opened(under_test)
        await under_test.stop()


@pytest.mark.peer("baresip", "openssl", "ffmpeg")
@pytest.mark.parametrize("caller", ["secure", "plain"])
async def test_one_side_encrypts_and_holds(tmp_path: Path, caller: str) -> None:
    tls = Secured(tmp_path)
    secured, plain = ("101", "102") if caller == "secure" else ("102", "101")
    async with (
        server(tls.settings, extensions=BOTH_RECORDED) as under_test,
        baresip(
            under_test.setup(secured, CALLER_SAYS, at=tls.at),
            transport="tls",
            settings=tls.for_baresip,
            srtp="srtp-mand",
        ) as alice,
        baresip(under_test.setup(plain, CALLEE_SAYS)) as bob,
    ):
        await wish(under_test, **dict.fromkeys([f"_{secured}"], REQUIRED))
        first, other = (alice, bob) if caller == "secure" else (bob, alice)
        await call(first, other)
        await alice.hears()
        await bob.hears()
        await talk(1.5)
        await alice.command("hold")
        await talk(1.0)
        await alice.command("resume")
        await talk(2.5)
        await end(other, first)
        assert suite(alice)
        assert not suite(bob)
        # Baresip's own ear closes with the first hold; ours goes on with new keys of its.
        assert audio.tone_intervals(alice.heard(), CALLEE_HZ)
        assert audio.tone_intervals(bob.heard(), CALLER_HZ)
        _, pcm = await recorded(under_test, 4.8)
        for hz in (CALLER_HZ, CALLEE_HZ):
            assert_speaks(pcm, hz, 0.3, 1.3)
            assert_speaks(pcm, hz, 3.0, 4.5)
        await assert_all_was_opened(under_test)
        await under_test.stop()


@pytest.mark.peer("baresip", "linphonec", "openssl", "ffmpeg")
async def test_optional_is_srtp_with_one_and_plain_with_the_other(tmp_path: Path) -> None:
    """A linphonec that refuses SRTP, or a baresip that repeats a profile it does not know."""
    tls = Secured(tmp_path)
    settings = tls.settings + '[media]\nsrtp = "optional"\n'
    people = [*BOTH_RECORDED, ("103", "off", False)]
    async with (
        server(settings, extensions=people) as under_test,
        baresip(
            under_test.setup("101", CALLER_SAYS, at=tls.at),
            transport="tls",
            settings=tls.for_baresip,
            srtp="srtp",
        ) as alice,
        baresip(
            under_test.setup("102", CALLEE_SAYS, at=tls.at),
            transport="tls",
            settings=tls.for_baresip,
        ) as bob,
        linphone(
            under_test.setup("103", CALLEE_SAYS, at=f"localhost:{tls.port}"),
            transport="tls",
            authority=tls.authority.certificate,
        ) as carol,
    ):
        await call(alice, bob)
        await alice.hears()
        await bob.hears()
        await talk(2.0)
        await end(alice, bob)
        assert (bool(suite(alice)), bool(suite(bob))) == (True, False)
        _, pcm = await recorded(under_test, 2.0)
        assert_both_speak(pcm)
        assert audio.tone_intervals(bob.heard(), CALLER_HZ)
        await call(alice, carol, number="103")
        await talk(2.0)
        await end(carol, alice)
        assert audio.tone_intervals(carol.heard(), CALLER_HZ)
        assert audio.tone_intervals(alice.heard(), CALLEE_HZ)
        await assert_all_was_opened(under_test)
        await under_test.stop()


@pytest.mark.peer("baresip", "openssl")
async def test_required_is_required(tmp_path: Path) -> None:
    tls = Secured(tmp_path)
    people = [("101", "off", False), ("102", "off", False), ("103", "off", False)]
    async with (
        server(tls.settings, extensions=people) as under_test,
        baresip(
            under_test.setup("101", CALLER_SAYS, at=tls.at),
            transport="tls",
            settings=tls.for_baresip,
        ) as plain,
        baresip(under_test.setup("102", CALLEE_SAYS), srtp="srtp-mand") as over_udp,
        baresip(
            under_test.setup("103", CALLEE_SAYS, at=tls.at),
            transport="tls",
            settings=tls.for_baresip,
            srtp="srtp-mand",
        ) as good,
    ):
        await wish(under_test, _101="required", _102="required", _103="optional")
        await plain.dial("103")
        assert (await plain.closed()).startswith("488")
        await good.dial("102")  # whose keys would go in the clear
        assert (await good.closed()).startswith("488")
        await over_udp.dial("103")
        assert (await over_udp.closed()).startswith("488")
        await wish(under_test, _101="off", _103="required")
        rows = await under_test.calls_closed(3)
        assert [row["disposition"] for row in rows] == ["FAILED"] * 3
        assert [row["outcome_reason"] for row in rows] == ["no_srtp"] * 3
        listed = {row["number"]: row["srtp"] for row in await under_test.rows("ext", "list")}
        assert listed == {"101": "off", "102": "required", "103": "required"}
        await under_test.stop()


@pytest.mark.peer("baresip", "openssl", "ffmpeg")
async def test_a_trunk_over_tls_with_srtp_and_a_telephone_without(tmp_path: Path) -> None:
    tls = Secured(tmp_path)
    theirs = tls.authority.issue("provider")
    pem = tmp_path / "provider.both.pem"
    pem.write_bytes(theirs.certificate.read_bytes() + theirs.key.read_bytes())
    port = ports.take(2)
    trust = f'trust = "{tls.authority.certificate}"\n'
    # Baresip takes TLS at the port above the one that it is given.
    trunk = trunk_settings(port + 1, routes=[OUTGOING], transport="tls", srtp="required")
    outside_setup = PhoneSetup(
        account=Account(user=CALLER), folder=tmp_path / "outside", says=CALLEE_SAYS
    )
    async with (
        server(tls.settings + trust + trunk, extensions=[("101", "off", False)]) as under_test,
        baresip(under_test.setup("101", CALLER_SAYS)) as clerk,
        baresip(
            outside_setup,
            port=port,
            transport="tls",
            settings=f"sip_certificate {pem}\n{tls.for_baresip}",
            srtp="srtp-mand",
        ) as outside,
    ):
        await call(clerk, outside, number=f"0{CALLER}")
        await clerk.hears()
        await outside.hears()
        await talk(2.0)
        await end(outside, clerk)
        assert (bool(suite(outside)), bool(suite(clerk))) == (True, False)
        assert audio.tone_intervals(outside.heard(), CALLER_HZ)
        assert audio.tone_intervals(clerk.heard(), CALLEE_HZ)
        await assert_all_was_opened(under_test)
        await under_test.stop()
