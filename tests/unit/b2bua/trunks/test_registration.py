"""Keeping a registration with a provider, on a clock that jumps."""

import asyncio
import logging

import pytest

from b2bua.status import trunk_status
from sip.address import Flow, HostPort
from sip.message import Request
from sip.registering import State
from tests.unit.b2bua.calls.virtual_time import virtual
from tests.unit.b2bua.trunks.provider_rig import (
    DOMAIN,
    FIRST,
    SECOND,
    SERVER,
    TOML,
    Reply,
    accept,
    open_rig,
)


@virtual
async def test_it_registers_answers_the_challenge_and_prolongs() -> None:
    async with open_rig(first=accept) as rig:
        await asyncio.sleep(1)
        assert rig.registered()
        first, second = rig.requests(FIRST)
        assert str(first.uri) == f"sip:{DOMAIN}"
        assert first.headers["To"] == f"<sip:u1@{DOMAIN}>"
        assert first.headers.get("Authorization") is None
        assert second.headers["Authorization"].startswith('Digest username="u1"')
        assert second.headers["Contact"] == f"<sip:{rig.trunk.contact_user}@{SERVER}>"
        await asyncio.sleep(560)
        third, fourth = rig.requests(FIRST)[2:]
        assert third.head.call_id == first.head.call_id
        assert fourth.head.cseq == 4
        status = trunk_status(rig.trunk, rig.loop.time())
        assert (status.registration, status.server, status.trouble) == (
            "registered",
            str(FIRST),
            "",
        )
        assert 500 < status.expires_in_s <= 600
    assert rig.requests(FIRST)[-1].headers["Expires"] == "0"
    assert rig.trunk.registering is not None
    assert rig.trunk.registering.state is State.GONE


@virtual
async def test_a_silent_registrar_is_left_for_the_next_one() -> None:
    async with open_rig(second=accept) as rig:
        await asyncio.sleep(8)
        assert not rig.registered()
        await asyncio.sleep(2)
        assert rig.registered()
        assert rig.trunk.home is not None
        assert rig.trunk.home.address == SECOND
        assert rig.names.failed == [FIRST]
        await asyncio.sleep(560)
        numbers = {request.head.cseq for request in rig.requests(FIRST)}
        assert numbers == {1}, "who took us is asked first"


@virtual
async def test_when_the_registrar_dies_the_other_one_takes_us_before_the_time_is_over() -> None:
    async with open_rig(first=accept) as rig:
        await asyncio.sleep(1)
        rig.registrars = {SECOND: accept}
        for _ in range(600):
            await asyncio.sleep(1)
            assert rig.registered()
        assert rig.trunk.home is not None
        assert rig.trunk.home.address == SECOND


@virtual
async def test_when_all_are_silent_it_waits_longer_each_time() -> None:
    async with open_rig() as rig:
        await asyncio.sleep(3600)
        firsts = {request.head.cseq for request in rig.requests(FIRST)}
        assert 6 <= len(firsts) <= 12
        assert not rig.registered()
        status = trunk_status(rig.trunk, rig.loop.time())
        assert (status.registration, status.trouble) == ("not registered", "no answer")
        rig.registrars = {FIRST: accept}
        await asyncio.sleep(1900)
        assert rig.registered()
    assert rig.requests(SECOND)[-1].headers["Expires"] == "600", "only who took us is left"


@virtual
async def test_a_name_that_nobody_knows_is_asked_for_again() -> None:
    async with open_rig(first=accept) as rig:
        rig.names.addresses = ()
        await asyncio.sleep(5)
        assert rig.asked == []
        assert trunk_status(rig.trunk, rig.loop.time()).trouble == "its address is not known"
        rig.names.addresses = (FIRST,)
        await asyncio.sleep(60)
        assert rig.registered()


@virtual
async def test_a_longer_interval_is_taken_and_kept() -> None:
    def brief(request: Request) -> Reply:
        if int(request.headers["Expires"]) < 1800 and request.headers["Expires"] != "0":
            return 423, ("Min-Expires: 1800",)
        return accept(request)

    async with open_rig(first=brief) as rig:
        await asyncio.sleep(1)
        assert rig.registered()
        assert [each.headers["Expires"] for each in rig.requests(FIRST)] == ["600", "1800", "1800"]
        await asyncio.sleep(1500)
        assert len(rig.requests(FIRST)) == 3


@virtual
async def test_another_realm_is_named_to_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    def foreign(_request: Request) -> Reply:
        return 401, ('WWW-Authenticate: Digest realm="other.example", nonce="n"',)

    caplog.set_level(logging.INFO)
    async with open_rig(first=foreign, second=foreign) as rig:
        await asyncio.sleep(5)
        assert [request.headers.get("Authorization") for _, request in rig.asked] == [None, None]
        trouble = trunk_status(rig.trunk, rig.loop.time()).trouble
        assert trouble == "401: it asks for the realm 'other.example'"
    assert "secret" not in caplog.text
    lines = [record for record in caplog.records if record.message == "trunk not registered"]
    assert len(lines) == 1, "each change once"


@virtual
async def test_all_numbers_at_once_with_gin() -> None:
    async with open_rig(TOML + "gin = true\n", first=accept) as rig:
        await asyncio.sleep(1)
        sent = rig.requests(FIRST)[-1]
        assert sent.headers["Contact"] == f"<sip:{SERVER};bnc>"
        assert (sent.headers["Require"], sent.headers["Proxy-Require"]) == ("gin", "gin")
        assert rig.registered()


@virtual
async def test_an_outbound_proxy_gets_all_and_is_the_first_route() -> None:
    toml = TOML.replace("[trunk.acc", f'outbound_proxy = "edge.{DOMAIN}:5062"\n[trunk.acc')
    async with open_rig(toml + 'registrars = "192.0.2.77"\n', first=accept) as rig:
        await asyncio.sleep(1)
        sent = rig.requests(FIRST)[-1]
        assert sent.headers["Route"] == f"<sip:edge.{DOMAIN}:5062;lr>"
        assert str(sent.uri) == f"sip:{DOMAIN}"


@virtual
async def test_registrars_of_their_own_are_tried_in_their_order() -> None:
    registrars = f'registrars = ["{SECOND}", "{FIRST}"]\n'
    async with open_rig(TOML + registrars, first=accept) as rig:
        await asyncio.sleep(10)
        assert rig.asked[0][0] == SECOND
        assert rig.registered()


@virtual
async def test_who_only_has_an_account_registers_nowhere() -> None:
    async with open_rig(TOML + "register = false\n", first=accept) as rig:
        await asyncio.sleep(100)
        assert rig.asked == []
        assert trunk_status(rig.trunk, rig.loop.time()).registration == ""


@virtual
async def test_calls_come_from_whoever_took_us() -> None:
    async with open_rig(first=accept) as rig:
        await asyncio.sleep(1)
        rig.names.addresses = (SECOND,)
        for address, known in (
            (FIRST, True),
            (SECOND, True),
            (HostPort("198.51.100.1", 5060), False),
        ):
            flow = Flow("UDP", SERVER, HostPort(address.host, 40_000))
            assert (rig.trunks.find(flow) is rig.trunk) == known, address


@virtual
async def test_the_contact_is_the_same_after_a_restart_and_tells_no_password() -> None:
    async with open_rig() as one, open_rig() as two:
        assert one.trunk.contact_user == two.trunk.contact_user
        assert "secret" not in one.trunk.contact_user
    async with open_rig(TOML.replace("secret", "other")) as three:
        assert three.trunk.contact_user != one.trunk.contact_user


@virtual
async def test_a_fault_of_ours_ends_no_registration_for_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_rig(first=accept) as rig:
        whole, rig.names.destinations = rig.names.destinations, None  # type: ignore[assignment]
        await asyncio.sleep(5)
        assert not rig.registered()
        rig.names.destinations = whole  # type: ignore[method-assign]
        await asyncio.sleep(60)
        assert rig.registered()
    assert "looking after a trunk failed" in caplog.text


@virtual
async def test_over_a_connection_we_stay_and_come_again_when_it_ends() -> None:
    toml = TOML.replace("[trunk.acc", 'transport = "tcp"\n[trunk.acc')
    async with open_rig(toml, first=accept) as rig:
        assert rig.desk.flows() == set()
        await asyncio.sleep(1)
        flow = Flow("TCP", SERVER, FIRST)
        assert rig.desk.flows() == {flow}
        seen = len(rig.requests(FIRST))
        rig.desk.connection_lost(Flow("TCP", SERVER, SECOND))
        await asyncio.sleep(2)
        assert len(rig.requests(FIRST)) == seen
        rig.desk.connection_lost(flow)
        await asyncio.sleep(3)
        assert len(rig.requests(FIRST)) == seen + 2, "challenged and taken"
        assert rig.registered()


@virtual
async def test_without_a_connection_there_is_none_to_keep() -> None:
    async with open_rig(first=accept) as rig:
        await asyncio.sleep(1)
        assert rig.registered()
        assert rig.desk.flows() == set()


@virtual
async def test_signs_of_life_keep_the_door_open_while_we_are_registered() -> None:
    async with open_rig(first=accept) as rig:
        await asyncio.sleep(301)
        assert 11 <= len(rig.signs_of_life) <= 15
        assert set(rig.signs_of_life) == {FIRST}
    async with open_rig() as rig:
        await asyncio.sleep(301)
        assert rig.signs_of_life == []
    async with open_rig(TOML + "keepalive_s = 0\n", first=accept) as rig:
        await asyncio.sleep(301)
        assert rig.signs_of_life == []
