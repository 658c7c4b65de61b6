from pathlib import Path

import pytest

from b2bua.config import Config, load, parse
from b2bua.errors import ConfigError
from b2bua.settings.trunks import (
    AccountConfig,
    IdentityConfig,
    NumbersConfig,
    RouteConfig,
    TrunkConfig,
)
from sip.address import HostPort

SHIPPED = Path(__file__).parents[3] / "deploy" / "mitschnitt.toml"


def test_no_file_means_the_defaults() -> None:
    assert load(None) == Config()


def test_the_shipped_file_states_exactly_the_defaults() -> None:
    assert load(SHIPPED) == Config()


def test_the_shipped_file_names_every_setting() -> None:
    text = SHIPPED.read_text()
    for section in ("sip", "media", "recording", "storage", "music", "web"):
        for key in type(getattr(Config(), section)).model_fields:
            assert f"{key} =" in text, f"[{section}] {key}"


def test_the_shipped_file_names_every_setting_of_trunks_and_rules() -> None:
    text = SHIPPED.read_text()
    for section in (TrunkConfig, AccountConfig, NumbersConfig, IdentityConfig, RouteConfig):
        for name, field in section.model_fields.items():
            if name in {"account", "numbers", "identity"}:
                assert f"# [trunk.{name}]" in text
            else:
                assert f"# {field.alias or name} =" in text, f"{section.__name__}.{name}"


def test_an_unknown_key_is_an_error_with_file_line_and_path() -> None:
    with pytest.raises(ConfigError, match=r"site\.toml:3: sip\.colour: unknown key"):
        parse('[sip]\nrealm = "x"\ncolour = "red"\n', "site.toml")


def test_an_unknown_section_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"site\.toml:2: nonsense: unknown key"):
        parse("\n[nonsense]\na = 1\n", "site.toml")


def test_a_section_without_keys_takes_none() -> None:
    with pytest.raises(ConfigError, match=r"consent\.basis: unknown key"):
        parse('[consent]\nbasis = "x"\n', "f")


def test_each_mistake_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("[media]\nworkers = 0\n[recording]\nquality = 12\n", "f")
    assert "f:2: media.workers" in str(caught.value)
    assert "f:4: recording.quality" in str(caught.value)


def test_bad_toml_names_the_file() -> None:
    with pytest.raises(ConfigError, match="f: "):
        parse("[sip", "f")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: No such file"):
        load(tmp_path / "absent.toml")


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# \xe4\n")
    with pytest.raises(ConfigError, match="not UTF-8 at octet 2"):
        load(path)


def test_listen_takes_ipv6_and_port_zero() -> None:
    assert parse('[sip]\nlisten = "[::1]:0"\n', "f").sip.listen == (HostPort("::1", 0),)


def test_the_pages_have_a_port_of_their_own() -> None:
    web = parse('[web]\nlisten = "0.0.0.0"\nproxies = ["127.0.0.1", "10.0.0.0/8"]\n', "f").web
    assert web.listen == HostPort("0.0.0.0", 8080)  # noqa: S104 - parsed, not bound
    assert web.proxies == ("127.0.0.1", "10.0.0.0/8")


@pytest.mark.parametrize(
    "line",
    [
        'listen = "localhost:8080"',
        'listen = "127.0.0.1:99999"',
        'public_url = "calls.example.com"',
        'public_url = "https://example.com/calls"',
        'proxies = ["proxy"]',
        "session_idle_s = 0",
    ],
)
def test_pages_that_can_not_be_are_refused(line: str) -> None:
    with pytest.raises(ConfigError, match=f"f:2: web.{line.split(maxsplit=1)[0]}"):
        parse(f"[web]\n{line}\n", "f")


def test_a_port_range_too_small_for_the_calls_is_refused_with_the_figures() -> None:
    with pytest.raises(ConfigError, match="max_calls = 10 needs 20 port pairs, the range holds 10"):
        parse('[media]\nports = "20000-20019"\nmax_calls = 10\n', "f")


@pytest.mark.parametrize("ports", ['"abc"', '"2000"', '"20000-20001-3"', '"70000-70010"', "5"])
def test_a_port_range_must_be_one(ports: str) -> None:
    with pytest.raises(ConfigError, match="media"):
        parse(f"[media]\nports = {ports}\n", "f")


def test_listen_must_be_a_numeric_address() -> None:
    with pytest.raises(
        ConfigError, match=r"f:2: sip\.listen: not a numeric address: 'phones\.example'"
    ):
        parse('[sip]\nlisten = "phones.example"\n', "f")


def test_what_is_advertised_is_an_address_or_auto() -> None:
    assert parse('[sip]\nadvertise = "192.0.2.7"\n', "f").sip.advertise == "192.0.2.7"
    with pytest.raises(ConfigError, match=r"f:2: sip\.advertise"):
        parse('[sip]\nadvertise = "phones.example"\n', "f")


@pytest.mark.parametrize(
    ("text", "transports"),
    [
        ("", ("udp", "tcp")),
        ('[sip]\ntransports = ["tcp"]\n', ("tcp",)),
        ('[sip]\ntransports = ["tcp", "udp"]\n', ("tcp", "udp")),
    ],
)
def test_transports(text: str, transports: tuple[str, ...]) -> None:
    assert parse(text, "f").sip.transports == transports


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("[]", "at least 1 item"),
        ('["udp", "udp"]', "one stands there twice"),
        ('["UDP"]', "should be 'udp', 'tcp' or 'tls'"),
        ('["tls"]', "tls needs certificate in"),
    ],
)
def test_transports_that_are_none(value: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=rf"f:2: sip\.transports.*{complaint}"):
        parse(f"[sip]\ntransports = {value}\n", "f")
