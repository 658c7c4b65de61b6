"""Numbers outside: the trunks of a route in turn, and what each is told of the caller."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from b2bua.directory import Forwards
from cdr.records import CallAnswered, CallEnded, CallOpened, PartyJoined
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    RequestCompleted,
    UsageEnded,
)
from sip.message import Request
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone
from tests.unit.b2bua.calls.virtual_time import virtual

ONE_HOST, TWO_HOST, THREE_HOST = "203.0.113.11", "203.0.113.12", "203.0.113.13"
NUMBER = "030123456"
E164 = "+4930123456"


def trunks(one: str = "", two: str = "", *, two_at: str = f'"{TWO_HOST}"') -> str:
    """Two trunks with further settings; 7 tries both of them, 8 the second one alone."""
    return f"""
[emergency]
trunk = ["one", "two"]
[[trunk]]
name = "one"
address = "{ONE_HOST}"
{one}
[[trunk]]
name = "two"
address = {two_at}
{two}
[[route]]
pattern = "7X."
trunk = ["one", "two"]
strip = 1
[[route]]
pattern = "8X."
trunk = "two"
strip = 1
"""


ACCOUNT = '[trunk.account]\nusername = "u1"\npassword = "secret"\nrealm = "r"\nregister = false\n'

ALICE, BOB = extension("102"), extension("103")


async def both(house: House) -> tuple[Phone, Phone, Phone]:
    """An extension, and what is behind either trunk."""
    return house.phone("102"), house.outside(host=ONE_HOST), house.outside(host=TWO_HOST)


async def rung(dialled: str, trunk: Phone, alice: Phone) -> Request:
    """Dial, be rejected at once, and return what the trunk was asked."""
    alice.dial(dialled)
    offered = await trunk.take(InviteOffered)
    trunk.reject(offered, 486)
    await alice.take(InviteFailed)
    await asyncio.sleep(0.01)
    return offered.request


def answered_over(house: House) -> str:
    (answered,) = house.journal.of(CallAnswered)
    joined = house.journal.of(PartyJoined)[-1]
    assert joined.channel == answered.dstchannel
    return answered.dstchannel


# --- the next trunk, or the answer


@pytest.mark.parametrize("code", [500, 502, 503, 504, 580, 408, 401, 407])
@virtual
async def test_where_nobody_was_reached_the_next_trunk_is_asked(tmp_path: Path, code: int) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        first.reject(await first.take(InviteOffered), code)
        offered = await second.take(InviteOffered)
        assert offered.request.uri.user == NUMBER
        second.answer(offered)
        await alice.take(InviteAnswered)
        assert answered_over(house) == "SIP/two"
        row = await house.hang_up(alice, second)
        assert (row.disposition, row.outcome_reason) == ("ANSWERED", "mode_off")


@pytest.mark.parametrize(
    ("code", "row"),
    [
        (486, ("BUSY", "busy")),
        (600, ("BUSY", "busy")),
        (603, ("BUSY", "rejected")),
        (404, ("FAILED", "rejected")),
        (403, ("FAILED", "rejected")),
        (480, ("NO ANSWER", "unreachable")),
    ],
)
@virtual
async def test_what_the_called_party_says_is_the_answer(
    tmp_path: Path, code: int, row: tuple[str, str]
) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        first.reject(await first.take(InviteOffered), code)
        await alice.take(InviteFailed)
        ended = await house.over()
        assert (ended.disposition, ended.outcome_reason) == row
        assert second.untold == []


@virtual
async def test_a_trunk_that_says_nothing_is_left_after_a_few_seconds(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, _, second = await both(house)
        house.lose = lambda _data, to: to.host == ONE_HOST
        began = house.now
        alice.dial(f"7{NUMBER}")
        second.answer(await second.take(InviteOffered))
        assert house.now - began == pytest.approx(6.0, abs=0.1)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, second)


@virtual
async def test_the_last_one_may_be_slow(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, _, _ = await both(house)
        house.lose = lambda _data, to: to.host == TWO_HOST
        began = house.now
        alice.dial(f"8{NUMBER}")
        assert (await alice.take(InviteFailed)).code == 480
        assert house.now - began == pytest.approx(32.0, abs=0.1)


@virtual
async def test_one_that_has_answered_100_is_not_left(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        offered = await first.take(InviteOffered)
        await asyncio.sleep(20)
        first.answer(offered)
        await alice.take(InviteAnswered)
        assert answered_over(house) == "SIP/one"
        assert second.untold == []
        await house.hang_up(alice, first)


@virtual
async def test_when_all_have_failed_the_caller_hears_the_last_word(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        first.reject(await first.take(InviteOffered), 503)
        second.reject(await second.take(InviteOffered), 486)
        assert (await alice.take(InviteFailed)).code == 486
        row = await house.over()
        assert (row.disposition, row.outcome_reason) == ("BUSY", "busy")


@virtual
async def test_a_caller_who_gives_up_is_carried_to_no_other_trunk(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, first, second = await both(house)
        alice.dial(f"7{NUMBER}")
        await first.take(InviteOffered)
        alice.cancel()
        await first.take(InviteCancelled)
        await house.over()
        await asyncio.sleep(40)
        assert second.untold == []


@virtual
async def test_several_addresses_of_one_trunk_are_tried_in_turn(tmp_path: Path) -> None:
    toml = trunks(two_at=f'["{THREE_HOST}", "{TWO_HOST}"]')
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, _, second = await both(house)
        third = house.outside(host=THREE_HOST)
        alice.dial(f"8{NUMBER}")
        third.reject(await third.take(InviteOffered), 503)
        second.answer(await second.take(InviteOffered))
        await alice.take(InviteAnswered)
        await house.hang_up(alice, second)


@virtual
async def test_one_that_did_not_answer_is_tried_last_for_a_minute(tmp_path: Path) -> None:
    toml = trunks(two_at=f'["{THREE_HOST}", "{TWO_HOST}"]')
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, _, two = await both(house)
        third = house.outside(host=THREE_HOST)
        alice.dial(f"8{NUMBER}")
        third.reject(await third.take(InviteOffered), 503)
        two.reject(await two.take(InviteOffered), 486)
        await alice.take(InviteFailed)
        await rung(f"8{NUMBER}", two, alice)
        assert third.untold == []
        await asyncio.sleep(60)
        await rung(f"8{NUMBER}", third, alice)
        assert two.untold == []


@virtual
async def test_who_refuses_for_a_trunk_refuses_for_all_its_addresses(tmp_path: Path) -> None:
    toml = trunks(two_at=f'["{THREE_HOST}", "{TWO_HOST}"]')
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, _, second = await both(house)
        third = house.outside(host=THREE_HOST)
        alice.dial(f"8{NUMBER}")
        third.reject(await third.take(InviteOffered), 407)
        await alice.take(InviteFailed)
        assert second.untold == []


# --- how many calls


@virtual
async def test_a_trunk_that_is_full_is_passed_over(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, toml=trunks("max_calls = 1")) as house:
        alice, one, two = await both(house)
        bob = house.phone("103")
        await house.connect(alice, f"7{NUMBER}", one)
        bob.dial(f"7{NUMBER}")
        two.answer(await two.take(InviteOffered))
        await bob.take(InviteAnswered)
        for phone, other in ((alice, one), (bob, two)):
            phone.bye()
            await other.take(UsageEnded)
            await phone.take(RequestCompleted)
        await house.over(2)
        assert (await rung(f"7{NUMBER}", one, alice)).uri.user == NUMBER, "room again"


@virtual
async def test_an_emergency_knows_no_limit(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, toml=trunks("max_calls = 1")) as house:
        alice, one, _ = await both(house)
        bob = house.phone("103")
        await house.connect(alice, f"7{NUMBER}", one)
        bob.dial("112")
        offered = await one.take(InviteOffered)
        assert offered.request.uri.user == "112"
        one.reject(offered, 486)
        alice.bye()
        await house.over(2)


@virtual
async def test_where_all_are_full_the_caller_is_told(tmp_path: Path) -> None:
    toml = trunks("max_calls = 1", "max_calls = 1")
    async with open_house(tmp_path, ALICE, BOB, toml=toml) as house:
        alice, one, two = await both(house)
        bob = house.phone("103")
        await house.connect(alice, f"7{NUMBER}", one)
        await house.connect(bob, f"8{NUMBER}", two)
        third = house.phone("102")
        third.dial(f"7{NUMBER}")
        assert (await third.take(InviteFailed)).code == 480
        alice.bye()
        bob.bye()
        await house.over(3)


@virtual
async def test_callers_beyond_the_limit_find_it_busy(tmp_path: Path) -> None:
    toml = trunks('max_calls = 1\ndids = { "4930123450" = "102" }')
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, one, _ = await both(house)
        other = Phone(house, "49309", ONE_HOST)
        assert other.host == one.host
        await house.connect(one, DID, alice)
        one.dial(DID)
        assert (await one.take(InviteFailed)).code == 486
        rows = house.journal.of(CallEnded)
        assert [row.disposition for row in rows] == ["BUSY"]
        alice.bye()
        await house.over(2)


# --- who calls


NUMBERS = """
[trunk.numbers]
country_code = "49"
called = "+e164"
caller = "e164"
incoming = "national"
incoming_prefix = "0"
"""


@virtual
async def test_a_plain_trunk_is_told_what_it_always_was(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks()) as house:
        alice, one, _ = await both(house)
        sent = await rung(f"7{NUMBER}", one, alice)
        assert sent.headers["From"].startswith('"Name 102" <sip:102@192.0.2.100>')
        assert sent.headers["To"] == f"<sip:{NUMBER}@{ONE_HOST}>"
        for absent in ("P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "Route"):
            assert sent.headers.get(absent) is None


@virtual
async def test_numbers_and_identity_as_the_trunk_wants_them(tmp_path: Path) -> None:
    one = (
        'domain = "provider.example"\ncaller_id = "+4930123450"\n'
        + NUMBERS
        + "[trunk.identity]\nasserted = true\npreferred = true\n"
        + ACCOUNT
    )
    async with open_house(tmp_path, ALICE, toml=trunks(one)) as house:
        alice, provider, _ = await both(house)
        sent = await rung(f"7{NUMBER}", provider, alice)
        assert str(sent.uri) == f"sip:{E164}@provider.example"
        shown = "<sip:4930123450@provider.example>"
        assert sent.headers["From"].startswith(f'"Name 102" {shown};tag=')
        assert sent.headers["P-Asserted-Identity"] == shown
        assert sent.headers["P-Preferred-Identity"] == shown
        assert sent.headers.get("Privacy") is None


@virtual
async def test_the_account_in_from_and_the_own_number_beside_it(tmp_path: Path) -> None:
    one = (
        'caller_id = "030100"\ndids = { "4930123451" = "102", "4930123452" = "102" }\n'
        + NUMBERS
        + '[trunk.identity]\nfrom = "account"\npreferred = true\nshow_dids = true\n'
        + ACCOUNT
    )
    async with open_house(tmp_path, ALICE, BOB, toml=trunks(one)) as house:
        alice, provider, _ = await both(house)
        sent = await rung(f"7{NUMBER}", provider, alice)
        assert sent.from_address.uri.user == "u1"
        assert sent.headers["P-Preferred-Identity"] == f"<sip:4930123451@{ONE_HOST}>"
        bob = house.phone("103")
        sent = await rung(f"7{NUMBER}", provider, bob)
        assert sent.headers["P-Preferred-Identity"] == f"<sip:4930100@{ONE_HOST}>"


WITHHELD = "[trunk.identity]\nasserted = true\n"


@pytest.mark.parametrize(
    ("dialled", "settings", "from_", "privacy"),
    [
        (f"7{NUMBER}", WITHHELD, '"Name 102" <sip:030100@192.0.2.100>', None),
        (f"*31#7{NUMBER}", WITHHELD, '"Anonymous" <sip:anonymous@anonymous.invalid>', "id"),
        (
            f"7{NUMBER}",
            WITHHELD + "withhold = true\n",
            '"Anonymous" <sip:anonymous@anonymous.invalid>',
            "id",
        ),
        (
            f"*31#7{NUMBER}",
            WITHHELD + "anonymous_from = false\n",
            "<sip:030100@192.0.2.100>",
            "id",
        ),
        ("112", WITHHELD + "withhold = true\n", '"Name 102" <sip:030100@192.0.2.100>', None),
        ("*31#112", WITHHELD, '"Name 102" <sip:030100@192.0.2.100>', None),
    ],
)
@virtual
async def test_a_number_that_is_not_shown(
    tmp_path: Path, dialled: str, settings: str, from_: str, privacy: str | None
) -> None:
    toml = trunks('caller_id = "030100"\n' + settings)
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, one, _ = await both(house)
        sent = await rung(dialled, one, alice)
        assert sent.headers["From"].partition(";tag=")[0] == from_
        assert sent.headers.get("Privacy") == privacy
        assert sent.headers["P-Asserted-Identity"] == "<sip:030100@192.0.2.100>"
        assert sent.uri.user == ("112" if "112" in dialled else NUMBER)


@virtual
async def test_a_telephone_that_withholds_its_number_itself(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks(WITHHELD)) as house:
        alice, one, _ = await both(house)
        alice.dial(f"7{NUMBER}", headers=(("Privacy", "id"),))
        offered = await one.take(InviteOffered)
        assert offered.request.headers["Privacy"] == "id"
        assert offered.request.from_address.uri.user == "anonymous"
        one.reject(offered, 486)
        await alice.take(InviteFailed)


@virtual
async def test_a_provider_that_challenges_gets_its_answer_and_a_telephone_none(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, toml=trunks(ACCOUNT)) as house:
        alice, one, two = await both(house)
        challenge = (("Proxy-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'),)
        alice.dial(f"7{NUMBER}")
        offered = await one.take(InviteOffered)
        one.endpoint.calls.reject(offered.usage, 407, house.now, headers=challenge)
        house.kick()
        again = await one.take(InviteOffered)
        assert again.request.headers["Proxy-Authorization"].startswith('Digest username="u1"')
        one.answer(again)
        await alice.take(InviteAnswered)
        alice.bye()
        await one.take(UsageEnded)
        await alice.take(RequestCompleted)
        alice.dial(f"8{NUMBER}")
        offered = await two.take(InviteOffered)
        two.endpoint.calls.reject(offered.usage, 407, house.now, headers=challenge)
        house.kick()
        await alice.take(InviteFailed)
        assert two.untold == []


@virtual
async def test_who_has_sent_a_call_on_is_named_as_the_trunk_knows_it(tmp_path: Path) -> None:
    one = (
        'dids = { "030123451" = "102" }\ndomain = "provider.example"\n'
        + NUMBERS
        + ACCOUNT.replace('realm = "r"\n', "")
    )
    forwards = Forwards(always=f"7{NUMBER}")
    async with open_house(
        tmp_path, replace(ALICE, forwards=forwards), BOB, toml=trunks(one)
    ) as house:
        _, provider, _ = await both(house)
        bob = house.phone("103")
        sent = await rung("102", provider, bob)
        expected = "<sip:4930123451@provider.example>;reason=unconditional"
        assert sent.headers["Diversion"] == expected
        assert sent.headers.getlist("History-Info") == []


@pytest.mark.parametrize("ways", [(), ("history-info",), ("diversion", "history-info")])
@virtual
async def test_it_is_told_in_the_headers_that_the_trunk_wants(
    tmp_path: Path, ways: tuple[str, ...]
) -> None:
    names = ", ".join(f'"{way}"' for way in ways)
    one = f'dids = {{ "030123451" = "102" }}\n[trunk.identity]\nforwarded = [{names}]\n'
    forwards = Forwards(always=f"7{NUMBER}")
    async with open_house(
        tmp_path, replace(ALICE, forwards=forwards), BOB, toml=trunks(one)
    ) as house:
        _, provider, _ = await both(house)
        sent = await rung("102", provider, house.phone("103"))
        assert bool(sent.headers.getlist("Diversion")) == ("diversion" in ways)
        history = sent.headers.getlist("History-Info")
        if "history-info" in ways:
            first, last = history
            assert first == "<sip:030123451@192.0.2.100>;index=1"
            assert last == f"<{sent.uri};cause=302>;index=1.1;mp=1"
        else:
            assert history == []


# --- calls from there


@pytest.mark.parametrize(
    ("settings", "uri", "headers"),
    [
        ("", "+4930123450", ()),
        ("", "4930123450", ()),
        ("", "030123450", ()),
        ("", "+4930123450;npdi", ()),
        ('did_from = "to"\n', "u1", ()),
        ('did_from = "p-called-party-id"\n', "u1", (("P-Called-Party-ID", "<tel:+4930123450>"),)),
        ('did_from = "p-called-party-id"\n', "u1", ()),
        ('did_from = "p-called-party-id"\n', "u1", (("P-Called-Party-ID", "<<"),)),
    ],
)
@virtual
async def test_whom_a_call_is_for(
    tmp_path: Path, settings: str, uri: str, headers: tuple[tuple[str, str], ...]
) -> None:
    toml = trunks(settings + 'dids = { "4930123450" = "102" }\n' + NUMBERS)
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, one, _ = await both(house)
        one.number = "+4989555"
        one.dial(uri, to="4930123450", headers=headers)
        offered = await alice.take(InviteOffered)
        assert offered.request.from_address.uri.user == "0089555", "0 and the national number"
        alice.reject(offered, 486)
        await one.take(InviteFailed)
        row = await house.over()
        assert row.disposition == "BUSY"
        (opened,) = house.journal.of(CallOpened)
        assert opened.src == "089555"
        assert opened.did.endswith("30123450")


@pytest.mark.parametrize(
    ("settings", "headers", "number"),
    [
        ("", (("P-Asserted-Identity", "<sip:+4989777@x>"),), "4989555"),
        (
            'caller_from = "p-asserted-identity"\n',
            (("P-Asserted-Identity", '"Bea" <sip:+4989777@x>, <tel:+1>'),),
            "+4989777",
        ),
        ('caller_from = "p-asserted-identity"\n', (), "4989555"),
        ("", (("Privacy", "id"),), "anonymous"),
        (
            'caller_from = "p-asserted-identity"\n',
            (("P-Asserted-Identity", "<sip:+4989777@x>"), ("Privacy", "user;id")),
            "anonymous",
        ),
        ("", (("Privacy", "none"),), "4989555"),
    ],
)
@virtual
async def test_who_an_extension_is_told_calls(
    tmp_path: Path, settings: str, headers: tuple[tuple[str, str], ...], number: str
) -> None:
    toml = trunks(settings + 'dids = { "4930123450" = "102" }\n')
    async with open_house(tmp_path, ALICE, toml=toml) as house:
        alice, one, _ = await both(house)
        one.number = "4989555"
        one.dial(DID, headers=headers)
        offered = await alice.take(InviteOffered)
        assert offered.request.from_address.uri.user == number
        alice.reject(offered, 486)
        await one.take(InviteFailed)
        await house.over()
        (opened,) = house.journal.of(CallOpened)
        assert opened.src == number
