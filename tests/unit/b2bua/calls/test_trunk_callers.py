"""What a trunk is told of the caller, and what its own calls say: numbers and identity."""

from dataclasses import replace
from pathlib import Path

import pytest

from b2bua.directory import Forwards
from cdr.records import CallOpened
from sip.events import InviteAnswered, InviteFailed, InviteOffered, RequestCompleted, UsageEnded
from tests.unit.b2bua.calls.call_rig import DID, extension, open_house
from tests.unit.b2bua.calls.trunk_rig import ACCOUNT, E164, NUMBER, ONE_HOST, both, rung, trunks
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")


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
