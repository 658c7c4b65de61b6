"""SRTP in whole calls: who is offered what, who is refused, and who never gets a key."""

import asyncio
import re
from pathlib import Path

import pytest

from b2bua.media.to_worker import SetRemote
from rtp import srtp as rtp_srtp
from sip import sdes
from sip.events import (
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.sdes import fresh
from sip.secure_media import Srtp
from tests.unit.b2bua.calls.call_rig import open_house
from tests.unit.b2bua.calls.phone import sdp
from tests.unit.b2bua.calls.scenes import A, B
from tests.unit.b2bua.calls.srtp_rig import (
    CM_32,
    CM_80,
    GCM,
    WITHOUT_TLS,
    answer,
    assert_keys,
    keys,
    own,
    said,
    secure,
)
from tests.unit.b2bua.calls.virtual_time import virtual


@virtual
async def test_both_sides_have_keys_of_their_own(tmp_path: Path) -> None:
    people = own("102", Srtp.REQUIRED), own("103", Srtp.OPTIONAL)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        weak, strong = fresh(1, CM_32), fresh(7, CM_80)
        alice.dial("103", secure(alice.host, weak, strong))
        offered = await bob.take(InviteOffered)
        profile, lines = said(offered.request.body)
        assert (profile, {each.suite for each in lines.values()}) == (
            "RTP/SAVP",
            set(sdes.OFFERED),
        )
        to_bob, from_bob = await answer(bob, offered, GCM)
        answered = await alice.take(InviteAnswered)
        profile, told = said(answered.response.body)
        assert (profile, list(told)) == ("RTP/SAVP", [7])
        assert_keys(keys(house, A), told[7], strong)
        assert_keys(keys(house, B), to_bob, from_bob)
        secrets = [strong, told[7], to_bob, from_bob]
        assert len({each.inline.key for each in secrets}) == 4
        await house.hang_up(alice, bob)


@virtual
async def test_best_effort_is_answered_as_it_was_spelt(tmp_path: Path) -> None:
    people = own("102", Srtp.OPTIONAL), own("103")
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        mine = fresh(1, CM_80)
        alice.dial("103", secure(alice.host, mine, profile="RTP/AVP"))
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body) == ("RTP/AVP", {})
        bob.answer(offered)
        answered = await alice.take(InviteAnswered)
        profile, told = said(answered.response.body)
        assert (profile, list(told)) == ("RTP/AVP", [1])
        assert_keys(keys(house, A), told[1], mine)
        assert keys(house, B) is None
        await house.hang_up(alice, bob)


@pytest.mark.parametrize("code", [488, 415, 606])
@virtual
async def test_a_phone_that_need_not_is_offered_plain_rtp_when_it_refuses(
    tmp_path: Path, code: int
) -> None:
    people = own("102"), own("103", Srtp.OPTIONAL)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body)[0] == "RTP/SAVP"
        bob.reject(offered, code)
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body) == ("RTP/AVP", {})
        bob.answer(offered)
        await alice.take(InviteAnswered)
        await asyncio.sleep(0.01)
        assert house.joined
        assert (keys(house, A), keys(house, B)) == (None, None)
        # And it may come back to SRTP, since that is wanted of it.
        mine = fresh(3, CM_80)
        request = bob.reinvite(secure(bob.host, mine, version=2))
        alice.accept(await alice.take(ReinviteReceived))
        completed = await bob.take(RequestCompleted)
        assert (completed.request_id, completed.code) == (request, 200)
        assert completed.response is not None
        profile, told = said(completed.response.body)
        assert profile == "RTP/SAVP"
        assert_keys(keys(house, B), told[3], mine)
        await house.hang_up(alice, bob)


@virtual
async def test_a_phone_that_repeats_the_profile_without_a_key_gets_plain_rtp(
    tmp_path: Path,
) -> None:
    people = own("102"), own("103", Srtp.OPTIONAL)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        bob.answer(await bob.take(InviteOffered), secure(bob.host))
        await alice.take(InviteAnswered)
        assert keys(house, B) is None
        await house.hang_up(alice, bob)


@pytest.mark.parametrize("code", [488, 200])
@virtual
async def test_where_it_is_required_a_phone_without_it_gets_no_call(
    tmp_path: Path, code: int
) -> None:
    people = own("102"), own("103", Srtp.REQUIRED)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body)[0] == "RTP/SAVP"
        if code == 200:
            bob.answer(offered)
        else:
            bob.reject(offered, code)
        failed = await alice.take(InviteFailed)
        assert failed.code == 488
        assert failed.response is not None
        assert "SRTP is required" in failed.response.headers["Warning"]
        row = await house.over()
        assert (row.disposition, row.outcome_reason) == ("FAILED", "no_srtp")
        assert house.plane.of(SetRemote) == []
        if code == 200:
            await bob.take(UsageEnded)


@pytest.mark.parametrize(
    ("srtp", "body"),
    [
        (Srtp.REQUIRED, sdp("192.0.2.1")),
        (Srtp.REQUIRED, secure("192.0.2.1", profile="RTP/AVP")),
        (Srtp.REQUIRED, secure("192.0.2.1")),
        (Srtp.OPTIONAL, secure("192.0.2.1")),
    ],
)
@virtual
async def test_a_caller_without_it_is_refused(tmp_path: Path, srtp: Srtp, body: bytes) -> None:
    people = own("102", srtp), own("103")
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", body)
        failed = await alice.take(InviteFailed)
        assert failed.code == 488
        assert failed.response is not None
        assert "SRTP" in failed.response.headers["Warning"]
        row = await house.over()
        assert (row.disposition, row.outcome_reason) == ("FAILED", "no_srtp")
        assert bob.untold == []


@virtual
async def test_off_means_plain_rtp_or_nothing(tmp_path: Path) -> None:
    toml = WITHOUT_TLS + 'srtp = "optional"\n'
    async with open_house(tmp_path, own("102", Srtp.OFF), own("103"), toml=toml) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", secure(alice.host, fresh(1, CM_80)))
        assert (await alice.take(InviteFailed)).code == 488
        alice.dial("103", secure(alice.host, fresh(1, CM_80), profile="RTP/AVP"))
        await answer(bob, await bob.take(InviteOffered))  # optional by default
        answered = await alice.take(InviteAnswered)
        assert said(answered.response.body) == ("RTP/AVP", {})
        assert keys(house, A + 2) is None
        assert keys(house, B + 2) is not None
        await house.hang_up(alice, bob, calls=2)


# --- keys need TLS


@virtual
async def test_no_key_goes_over_udp(tmp_path: Path) -> None:
    people = own("102", Srtp.OPTIONAL), own("103", Srtp.OPTIONAL), own("104", Srtp.REQUIRED)
    async with open_house(tmp_path, *people) as house:
        alice, bob, carol = (house.phone(each) for each in ("102", "103", "104"))
        alice.dial("103", secure(alice.host, fresh(1, CM_80), profile="RTP/AVP"))
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body) == ("RTP/AVP", {})
        bob.answer(offered)
        answered = await alice.take(InviteAnswered)
        assert said(answered.response.body) == ("RTP/AVP", {})
        alice.bye()
        await bob.take(UsageEnded)
        await alice.take(RequestCompleted)
        for caller, number in ((alice, "104"), (carol, "103")):
            caller.dial(number, secure(caller.host, fresh(1, CM_80), profile="RTP/AVP"))
            failed = await caller.take(InviteFailed)
            assert failed.code == 488
            assert failed.response is not None
            assert "TLS" in failed.response.headers["Warning"]
        assert (carol.untold, bob.untold) == ([], [])
        row = await house.over(3)
        assert row.outcome_reason == "no_srtp"


@virtual
async def test_an_emergency_call_never_fails_for_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, own("102", Srtp.REQUIRED)) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("112")
        offered = await outside.take(InviteOffered)
        assert said(offered.request.body) == ("RTP/AVP", {})
        outside.answer(offered)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, outside)


@pytest.mark.parametrize("srtp", [Srtp.OPTIONAL, Srtp.REQUIRED])
def test_without_the_library_there_is_none(
    tmp_path: Path, srtp: Srtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtp_srtp, "MODULE", "a_module_that_is_not_there")

    @virtual
    async def run() -> None:
        async with open_house(tmp_path, own("102"), own("103", srtp), toml=WITHOUT_TLS) as house:
            alice, bob = house.phone("102"), house.phone("103")
            alice.dial("103")
            if srtp is Srtp.REQUIRED:
                failed = await alice.take(InviteFailed)
                assert failed.response is not None
                assert "not installed" in failed.response.headers["Warning"]
                return
            offered = await bob.take(InviteOffered)
            assert said(offered.request.body) == ("RTP/AVP", {})
            alice.cancel()
            await alice.take(InviteFailed)

    run()


@virtual
async def test_an_answer_must_take_a_line_that_was_offered(tmp_path: Path) -> None:
    async with open_house(
        tmp_path, own("102"), own("103", Srtp.OPTIONAL), toml=WITHOUT_TLS
    ) as house:
        alice, bob = house.phone("102"), house.phone("103")
        for mine in (fresh(999, CM_80), fresh(1, CM_32)):
            alice.dial("103")
            bob.answer(await bob.take(InviteOffered), secure(bob.host, mine))
            assert (await alice.take(InviteFailed)).code == 488
            await bob.take(UsageEnded)
        assert (await house.over(2)).outcome_reason == "no_srtp"
        assert house.plane.of(SetRemote) == []


def test_no_key_is_in_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    mine = fresh(1, CM_80)

    @virtual
    async def run() -> None:
        people = own("102", Srtp.OPTIONAL), own("103", Srtp.REQUIRED)
        async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
            alice, bob = house.phone("102"), house.phone("103")
            alice.dial("103", secure(alice.host, mine))
            bob.answer(await bob.take(InviteOffered), secure(bob.host, fresh(999, CM_80)))
            await alice.take(InviteFailed)
            await bob.take(UsageEnded)

    run()
    assert re.search("no media", caplog.text)
    assert "inline" not in caplog.text
    assert str(mine.inline) not in caplog.text
