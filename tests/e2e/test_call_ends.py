"""How calls begin and end at the level of SIP, as phones and the records see it."""

import asyncio
import contextlib

import pytest

from tests.e2e.calls import call
from tests.e2e.recorded import two_baresips
from tests.support import audio
from tests.support.phones.baresip import Baresip, baresip
from tests.support.phones.sipp import sipp
from tests.support.process import ChildError
from tests.support.server import Extension, Server, server

OFF = (("101", "off", False), ("102", "off", False))
SAYS = audio.tone(440, 10.0)


def phone_of(under_test: Server, number: str) -> contextlib.AbstractAsyncContextManager[Baresip]:
    return baresip(under_test.setup(number, SAYS))


async def assert_row(under_test: Server, **wanted: str) -> None:
    row = await under_test.the_call()
    assert {name: row[name] for name in wanted} == wanted, row
    assert row["outcome"] == "not_connected"
    assert row["why"]
    assert row["billsec"] == 0
    assert under_test.files() == []


@pytest.mark.peer("baresip")
@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_either_side_hangs_up(who: str) -> None:
    async with two_baresips(extensions=OFF) as (under_test, alice, bob):
        await call(alice, bob)
        first, other = (alice, bob) if who == "caller" else (bob, alice)
        await first.hang_up()
        await other.closed()
        row = await under_test.the_call()
        assert row["disposition"] == "ANSWERED"
        assert row["hangup_side"] == who
        await under_test.stop()


@pytest.mark.peer("baresip")
async def test_a_busy_callee_is_busy() -> None:
    async with two_baresips(extensions=OFF) as (under_test, alice, bob):
        await alice.dial("102")
        await bob.ringing()
        await bob.hang_up()
        assert "486" in await alice.closed()
        await assert_row(under_test, disposition="BUSY")


@pytest.mark.peer("baresip")
async def test_nobody_answers() -> None:
    async with two_baresips("[sip]\nring_timeout_s = 5\n", extensions=OFF) as (
        under_test,
        alice,
        bob,
    ):
        await alice.dial("102")
        await bob.ringing()
        reason = await alice.closed(timeout_s=30.0)
        assert any(code in reason for code in ("480", "408", "487")), reason
        await bob.closed()
        await assert_row(under_test, disposition="NO ANSWER")


@pytest.mark.peer("baresip")
async def test_the_caller_gives_up() -> None:
    async with two_baresips(extensions=OFF) as (under_test, alice, bob):
        await alice.dial("102")
        await bob.ringing()
        await alice.hang_up()
        await bob.closed()
        assert not bob.has_seen("CALL_ESTABLISHED")
        await assert_row(under_test, disposition="NO ANSWER")


@pytest.mark.peer("baresip", "sipp")
async def test_the_callee_declines() -> None:
    async with server(extensions=OFF) as under_test, phone_of(under_test, "101") as alice:
        folder, bob = under_test.folder / "sipp", under_test.extension("102")
        credentials = f"[authentication username={bob.number} password={bob.password}]"
        fields = {"number": bob.number, "credentials": credentials}
        async with sipp(
            "uac_register", folder / "register", target=under_test.sip, fields=fields
        ) as registering:
            await registering.finished()
        async with sipp("uas_decline", folder / "decline", port=registering.port) as declining:
            await declining.listening()
            await alice.dial("102")
            assert "603" in await alice.closed()
            await declining.finished()
        await assert_row(under_test, disposition="BUSY")


@pytest.mark.peer("baresip")
async def test_an_unknown_number_and_a_phone_that_is_not_there() -> None:
    async with server(extensions=OFF) as under_test, phone_of(under_test, "101") as alice:
        await alice.dial("999")
        assert "404" in await alice.closed()
        await assert_row(under_test, dst="999", disposition="FAILED")
    async with server(extensions=OFF) as under_test, phone_of(under_test, "101") as alice:
        await alice.dial("102")
        assert "480" in await alice.closed()
        await assert_row(under_test, dst="102", disposition="NO ANSWER")


@pytest.mark.peer("baresip")
async def test_all_phones_of_an_extension_ring_and_the_first_answer_wins() -> None:
    async with (
        server(extensions=OFF) as under_test,
        phone_of(under_test, "101") as alice,
        phone_of(under_test, "102") as desk,
        baresip(under_test.setup("102", SAYS, folder="mobile")) as mobile,
    ):
        await alice.dial("102")
        await desk.ringing()
        await mobile.ringing()
        await mobile.answer()
        await alice.established()
        await desk.closed()
        assert not desk.has_seen("CALL_ESTABLISHED")
        await mobile.hang_up()
        await alice.closed()
        row = await under_test.the_call()
        assert row["disposition"] == "ANSWERED"


@pytest.mark.peer("baresip")
async def test_a_wrong_password_and_an_unknown_user_are_refused_alike() -> None:
    async with server(extensions=OFF) as under_test:
        for number in ("101", "999"):
            wrong = Extension(number=number, password="not the password")
            setup = under_test.setup(wrong, SAYS, folder=f"wrong{number}")
            with pytest.raises(ChildError, match="401 Unauthorized"):
                async with baresip(setup, register_timeout_s=2.0) as phone:
                    raise AssertionError(f"{phone.child.name} registered")
        status = await under_test.status()
        assert status["registrations"] == 0


@pytest.mark.peer("baresip")
async def test_registrations_survive_a_restart_of_the_server() -> None:
    async with two_baresips(extensions=OFF) as (under_test, alice, bob):
        await under_test.stop()
        await under_test.start()
        registered_again = bob.count("REGISTER_OK")
        await call(alice, bob)
        assert bob.count("REGISTER_OK") == registered_again
        await alice.hang_up()
        await bob.closed()
        await under_test.stop()


async def test_a_second_server_is_told_that_the_folder_is_taken() -> None:
    async with server(extensions=()) as under_test:
        second = ["serve", "--config", str(under_test.folder / "mitschnitt.toml")]
        async with asyncio.timeout(60.0):
            await under_test.cli(*second, expect=1)
        await under_test.stop()
