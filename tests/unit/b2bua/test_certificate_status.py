"""What `mitschnitt status` says of the certificate."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from b2bua.status import certificate_status
from sip.io.tls import Certificate, Tls

NOW = 1_800_000_000.0
FILE = Path("/etc/mitschnitt/fullchain.pem")
GOOD = Certificate(file=FILE, names=("a.example.com", "b.example.com"), ends_at=NOW + 3.5 * 86_400)
OVER = Certificate(file=FILE, names=("c.example.com",), ends_at=NOW - 1)
BAD = Certificate(file=FILE, trouble="certificate has expired")


@pytest.mark.parametrize(
    ("certificates", "said"),
    [
        ((GOOD,), "a.example.com, b.example.com: 3 days left"),
        ((OVER,), "c.example.com: has ended"),
        ((BAD,), "certificate has expired"),
        ((GOOD, OVER), "a.example.com, b.example.com: 3 days left; c.example.com: has ended"),
    ],
)
def test_how_long_they_last(certificates: tuple[Certificate, ...], said: str) -> None:
    tls = cast("Tls", SimpleNamespace(certificates=certificates))
    assert certificate_status(tls, NOW) == said


def test_without_tls_there_is_nothing_to_say() -> None:
    assert not certificate_status(None, NOW)
