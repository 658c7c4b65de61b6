"""`check-config` reads the certificates that the configuration names."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from b2bua.cli import app
from tests.support.certificates import Authority
from tests.support.peers import require


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    require("openssl")
    return Authority(tmp_path / "ca")


def check(tmp_path: Path, certificate: Path, key: Path, *more: str) -> tuple[int, str]:
    config = tmp_path / "mitschnitt.toml"
    config.write_text(
        f'[sip]\ntransports = ["tls"]\n[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
        + "".join(f"{line}\n" for line in more)
    )
    done = CliRunner().invoke(
        app, ["check-config", "--config", str(config), "--data", str(tmp_path)]
    )
    return done.exit_code, done.output + str(done.exception or "")


def test_a_good_certificate(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("good")
    code, output = check(tmp_path, pair.certificate, pair.key)
    assert code == 0
    assert "[tls]" not in output


def test_a_key_of_another_certificate(tmp_path: Path, authority: Authority) -> None:
    pair, other = authority.issue("good"), authority.issue("other")
    code, output = check(tmp_path, pair.certificate, other.key)
    assert code != 0
    assert "is not the key of the certificate" in output


def test_one_that_peers_will_not_take(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("wrong", usage="clientAuth")
    code, output = check(tmp_path, pair.certificate, pair.key)
    assert code == 0
    assert "WARNING: [tls] certificate: unsuitable certificate purpose" in output


def test_a_further_one_that_peers_will_not_take(tmp_path: Path, authority: Authority) -> None:
    pair, wrong = authority.issue("good"), authority.issue("wrong", usage="clientAuth")
    line = f'further = [{{ certificate = "{wrong.certificate}", key = "{wrong.key}" }}]'
    code, output = check(tmp_path, pair.certificate, pair.key, line)
    assert code == 0
    assert "WARNING: [tls] further.0: unsuitable certificate purpose" in output
    code, output = check(
        tmp_path, pair.certificate, pair.key, line.replace("wrong.key", "good.key")
    )
    assert code != 0
    assert "is not the key of the certificate" in output
