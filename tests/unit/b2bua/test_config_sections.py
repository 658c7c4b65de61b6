"""Trunks, routes, consent, codes, emergency and the web in the file: read, or refused by line."""

import json
from pathlib import Path

import pytest

from b2bua.config import Config, describe, parse
from b2bua.errors import ConfigError
from b2bua.settings.trunks import TrunkAddress
from ivr.key_pad import Way
from ivr.prompts import PromptId
from rtp import srtp
from sip.address import HostPort
from sip.io.tls import PemPair
from sip.secure_media import Srtp

GROUP = '[[group]]\nnumber = "600"\nmembers = ["101"]\n'
TRUNK = '[[trunk]]\nname = "provider"\naddress = "192.0.2.1"\n'
NAMED = TRUNK.replace("192.0.2.1", "sip.example.com")
TRUNK_TWO = TRUNK.replace("provider", "other")
ACCOUNT = '[trunk.account]\nusername = "u1"\npassword = "secret"\n'
ROUTE = '[[route]]\npattern = "0Z."\ntrunk = "provider"\n'


def complaint(toml: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(toml, "f")
    return str(caught.value)


# --- what stands in the file


def test_everything_has_a_default() -> None:
    config = Config()
    assert (config.trunk, config.route) == ((), ())
    assert (config.consent.language, config.consent.question) == ("de", PromptId.CONSENT)
    assert config.codes.record == "*1"
    assert config.emergency.numbers == ("110", "112")
    assert (config.emergency.exit_digits, config.emergency.trunk) == (("0",), ())
    assert config.sip.max_calls_per_extension == 4
    assert (config.web.enabled, config.web.listen) == (True, HostPort("127.0.0.1", 8080))


def test_a_trunk_and_a_route() -> None:
    config = parse(
        TRUNK
        + 'transport = "tcp"\ndids = { "+4930123450" = "101" }\ncaller_id = "+4930123450"\n'
        + ROUTE
        + 'strip = 1\nprepend = "+49"\nextensions = ["101"]\n',
        "f",
    )
    (trunk,), (route,) = config.trunk, config.route
    assert (trunk.address, trunk.sip_transport) == ((TrunkAddress("192.0.2.1", None),), "TCP")
    assert (trunk.dids, trunk.caller_id) == ({"+4930123450": "101"}, "+4930123450")
    assert (str(route.pattern), route.strip, route.prepend) == ("0Z.", 1, "+49")
    assert route.extensions == ("101",)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", TrunkAddress("192.0.2.1", None)),
        ("192.0.2.1:5080", TrunkAddress("192.0.2.1", 5080)),
        ("2001:db8::1", TrunkAddress("2001:db8::1", None)),
        ("[2001:db8::1]:5080", TrunkAddress("2001:db8::1", 5080)),
        ("sip.example.com", TrunkAddress("sip.example.com", None)),
        ("sip-1.example.com:5080", TrunkAddress("sip-1.example.com", 5080)),
    ],
)
def test_a_trunk_with_and_without_its_port(text: str, address: TrunkAddress) -> None:
    config = parse(TRUNK.replace("192.0.2.1", text), "f")
    assert config.trunk[0].address == (address,)
    assert str(address) == text


def test_a_trunk_with_an_account() -> None:
    (trunk,) = parse(NAMED + ACCOUNT, "f").trunk
    assert trunk.account is not None
    assert (trunk.account.register_, trunk.account.expires_s, trunk.account.gin) == (
        True,
        600,
        False,
    )
    assert (trunk.account.aor_user, trunk.realms) == ("u1", frozenset({"sip.example.com"}))
    text = NAMED.replace('"sip.example.com"', '["192.0.2.1", "192.0.2.2:5080"]') + (
        'domain = "example.com"\noutbound_proxy = "edge.example.com:5062"\n'
        + ACCOUNT
        + 'user = "4930123450"\nrealm = ["a", "b"]\nregister = false\nregistrars = "r.example"\n'
    )
    (trunk,) = parse(text, "f").trunk
    assert trunk.account is not None
    assert [str(each) for each in trunk.address] == ["192.0.2.1", "192.0.2.2:5080"]
    assert (trunk.account.aor_user, trunk.realms) == ("4930123450", frozenset({"a", "b"}))
    assert trunk.account.registrars == (TrunkAddress("r.example", None),)
    assert trunk.outbound_proxy == (TrunkAddress("edge.example.com", 5062),)


def test_a_password_is_shown_to_nobody() -> None:
    config = parse(NAMED + ACCOUNT, "f")
    assert "secret" not in json.dumps(describe(config))
    assert "secret" not in repr(config)


def test_ways_of_pressing_keys() -> None:
    toml = '[dtmf]\nextension = { "21" = ["in_band"] }\n' + TRUNK + 'dtmf = ["info", "in_band"]\n'
    config = parse(toml, "f")
    assert config.dtmf.ways_of("21") == (Way.IN_BAND,)
    assert config.dtmf.ways_of("22") == (Way.RFC4733, Way.INFO)
    assert config.trunk[0].dtmf == (Way.INFO, Way.IN_BAND)


def test_the_longer_announcement() -> None:
    config = parse('[consent]\nlanguage = "en"\nprompt = "consent-otherwise"\n', "f")
    assert config.consent.question is PromptId.CONSENT_OTHERWISE


# --- what can't stand there: each with its line


@pytest.mark.parametrize(
    ("toml", "place"),
    [
        ("[sip]\nmax_calls_per_extension = 0\n", "f:2: sip.max_calls_per_extension: "),
        ('[consent]\n\nlanguage = "fr"\n', "f:3: consent.language: "),
        ('[consent]\nprompt = "not-available"\n', "f:2: consent.prompt: "),
        ('[codes]\nrecord = ""\n', "f:2: codes.record: "),
        ('[codes]\nrecord = "1"\n', "f:2: codes.record: "),
        ('[codes]\nmask = "*5"\n', "f:2: codes.mask: unknown key"),
        ("[dtmf]\nextensions = []\n", "f:2: dtmf.extensions: "),
        ('[dtmf]\nextensions = ["info", "info"]\n', "f:2: dtmf.extensions: "),
        ('[dtmf]\nextension = { "21" = ["tones"] }\n', "f:2: dtmf.extension.21.0: "),
        (TRUNK + 'dtmf = ["rfc2833"]\n', "f:4: trunk.0.dtmf.0: "),
        ('[lamps]\nwatchers = { "21" = ["22"] }\n', "f:1: lamps: watchers count only with"),
        ('[lamps]\nwatch = "some"\n', "f:2: lamps.watch: "),
        ('[lamps]\nwatchers = { "21" = ["x"] }\n', "f:2: lamps.watchers.21.0: "),
        ('[emergency]\nnumbers = ["1"]\n', "f:2: emergency.numbers.0: "),
        ('[emergency]\nnumbers = ["110", "x"]\n', "f:2: emergency.numbers.1: "),
        ('[emergency]\nexit_digits = ["abc"]\n', "f:2: emergency.exit_digits.0: "),
        ('[web]\nlisten = "localhost"\n', "f:2: web.listen: not a numeric address"),
        ('[web]\npublic_url = "pbx.example"\n', "f:2: web.public_url: "),
        ('[web]\nproxies = ["proxy"]\n', "f:2: web.proxies.0: "),
        ('[[trunk]]\naddress = "192.0.2.1"\n', "f:1: trunk.0.name: "),
        ('[[trunk]]\nname = "a"\n', "f:1: trunk.0.address: "),
        ('[[trunk]]\nname = "a b"\naddress = "192.0.2.1"\n', "f:2: trunk.0.name: "),
        ('[[trunk]]\nname = "a"\naddress = "sip..example"\n', "f:3: trunk.0.address.0: not a num"),
        ('[[trunk]]\nname = "a"\naddress = "192.0.2"\n', "f:3: trunk.0.address.0: not a numeric"),
        ('[[trunk]]\nname = "a"\naddress = "h:0"\n', "f:3: trunk.0.address.0: not a port"),
        ('[[trunk]]\nname = "a"\naddress = []\n', "f:3: trunk.0.address: "),
        (TRUNK + 'fax = ["030"]\n', "f:1: trunk.0: the fax 030 is none of the dids"),
        (TRUNK + "monitor_s = 5\n", "f:4: trunk.0.monitor_s: 0, or 10 seconds at least"),
        (TRUNK + '[trunk.numbers]\ncalled = "+e164"\n', "f:4: trunk.0.numbers: a form needs"),
        (TRUNK + ROUTE.replace('"provider"', '["provider", "x"]'), "f:6: route.0.trunk: there is"),
        (TRUNK + ROUTE.replace('"provider"', '""'), "f:6: route.0.trunk: "),
        (TRUNK + 'domain = "a b"\n', "f:4: trunk.0.domain: not a domain"),
        (TRUNK + ACCOUNT, "f:1: trunk.0: an account needs its realm"),
        (
            TRUNK + 'domain = "x.example"\n' + ACCOUNT + "regster = true\n",
            "f:8: trunk.0.account.reg",
        ),
        (
            TRUNK + 'domain = "x.example"\n' + ACCOUNT + "expires_s = 5\n",
            "f:8: trunk.0.account.exp",
        ),
        (NAMED + ACCOUNT.replace("u1", "u 1"), "f:1: trunk.0: the account's username is no part"),
        (TRUNK + 'address2 = "x"\n', "f:4: trunk.0.address2: unknown key"),
        (TRUNK + 'transport = "sctp"\n', "f:4: trunk.0.transport: "),
        (TRUNK + 'caller_id = "Firma"\n', "f:4: trunk.0.caller_id: "),
        (TRUNK + 'dids = { "abc" = "101" }\n', "f:4: trunk.0.dids.abc"),
        (TRUNK + 'dids = { "030" = "Anna" }\n', "f:4: trunk.0.dids.030: "),
        (TRUNK + '[trunk.dids]\n"030" = "Anna"\n', "f:5: trunk.0.dids.030: "),
        (TRUNK + '[[trunk]]\nname = "provider"\naddress = "x"\n', "f:5: trunk.1.name: there"),
        (TRUNK + "\n" + '[[trunk]]\nname = "b"\n', "f:5: trunk.1.address: "),
        (
            TRUNK + ROUTE + "pattern = 5\n".replace("pattern", "strip2"),
            "f:7: route.0.strip2: unknown",
        ),
        (TRUNK + ROUTE.replace("0Z.", "0Z.1"), "f:5: route.0.pattern: '0Z.1' is no dial pattern"),
        (TRUNK + ROUTE + ROUTE.replace("0Z.", "[5-1]"), "f:8: route.1.pattern: '[5-1]' is no dial"),
        (TRUNK + ROUTE + "strip = -1\n", "f:7: route.0.strip: "),
        (TRUNK + ROUTE + 'prepend = "0a"\n', "f:7: route.0.prepend: "),
        (TRUNK + TRUNK, "f:5: trunk.1.name: there are two trunks named provider"),
        (GROUP + GROUP, "f:5: group.1.number: there are two groups with number 600"),
        (GROUP + 'ring = "never"\n', "f:4: group.0.ring: "),
        (GROUP.replace('"101"', ""), "f:3: group.0.members: a group needs a member"),
        (
            GROUP.replace('"101"', '"101", "101"'),
            "f:3: group.0.members: a member stands there twice",
        ),
        (GROUP.replace('"101"', '"Anna"'), "f:3: group.0.members.0: "),
        (GROUP + "turn_s = 4\n", "f:4: group.0.turn_s: "),
        (ROUTE, "f:3: route.0.trunk: there is no trunk named provider"),
        (
            TRUNK + ROUTE + ROUTE.replace("provider", "other"),
            "f:9: route.1.trunk: there is no trunk named other",
        ),
        (
            '[emergency]\ntrunk = "rescue"\n' + TRUNK,
            "f:2: emergency.trunk: there is no trunk named rescue",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(toml: str, place: str) -> None:
    assert complaint(toml).startswith(place)


def test_all_that_does_not_fit_together_is_told_at_once() -> None:
    text = complaint(TRUNK + TRUNK + ROUTE.replace("provider", "x"))
    assert "f:5: trunk.1.name" in text
    assert "f:9: route.0.trunk" in text


# --- warnings


def test_without_a_trunk_emergency_numbers_reach_nobody() -> None:
    (warning,) = Config().warnings()
    assert warning.startswith("NO ROUTE FOR EMERGENCY CALLS: 110 and 112")


def test_with_a_trunk_there_is_nothing_to_warn_of() -> None:
    assert parse(TRUNK, "f").warnings() == []


def test_certificates_for_several_names() -> None:
    pair = '{ certificate = "/c2", key = "/k2" }'
    tls = '[sip]\ntransports = ["tls"]\n[tls]\ncertificate = "/c1"\nkey = "/k1"\n'
    files = parse(f"{tls}further = [{pair}]\n", "f").tls.files
    assert files is not None
    assert files.further == (PemPair(certificate=Path("/c2"), key=Path("/k2")),)
    with pytest.raises(ConfigError, match=r"f:6: tls.further.0.key: "):
        parse(tls + 'further = [{ certificate = "/c2" }]\n', "f")


@pytest.mark.parametrize("word", ["off", "optional", "required"])
def test_srtp_by_default_and_of_a_trunk(word: str) -> None:
    media = f'[media]\nsrtp_without_tls = true\nsrtp = "{word}"\n'
    config = parse(f'{media}{TRUNK}srtp = "{word}"\n{TRUNK_TWO}', "f")
    assert (config.media.srtp, Config().media.srtp_without_tls) == (Srtp(word), False)
    assert [trunk.srtp for trunk in config.trunk] == [Srtp(word), None]


OVER_TLS = (
    '[sip]\ntransports = ["udp", "tls"]\n[tls]\ncertificate = "/c"\nkey = "/k"\n[media]\nsrtp = '
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[media]\nsrtp = "optional"\n', "f:2: media.srtp: its keys need TLS"),
        (TRUNK + 'srtp = "optional"\n', "f:4: trunk.0.srtp: its keys need transport"),
        (TRUNK + 'srtp = "off"\n' + TRUNK_TWO, ""),
        (OVER_TLS + '"optional"\n' + TRUNK, ""),
        (OVER_TLS + '"required"\n' + TRUNK, "trunk.0.srtp: its keys need transport"),
        (OVER_TLS + '"required"\n' + TRUNK + 'srtp = "off"\n', ""),
        (OVER_TLS + '"required"\n' + TRUNK + 'transport = "tls"\n', ""),
    ],
)
def test_keys_of_srtp_need_tls(text: str, found: str) -> None:
    if not found:
        parse(text, "f")
        return
    assert found in complaint(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[media]\nsrtp = "always"\n', "f:2: media.srtp: "),
        ('[media]\nsrtp = "optional"\n', "f:2: media.srtp: SRTP needs pylibsrtp"),
        (TRUNK + 'srtp = "required"\n', "f:4: trunk.0.srtp: SRTP needs pylibsrtp"),
    ],
)
def test_srtp_that_can_not_be(text: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srtp, "MODULE", "a_module_that_is_not_there")
    parse('[media]\nsrtp = "off"\n' + TRUNK + 'srtp = "off"\n', "f")
    assert complaint(text).startswith(found)
