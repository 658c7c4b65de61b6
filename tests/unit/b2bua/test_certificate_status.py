"""What `mitschnitt status` says of the certificate."""

from types import SimpleNamespace
from typing import cast

import pytest

from b2bua.status import certificate_status
from sip.io.tls import Certificate, Tls

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        (
            Certificate(names=("a.example.com", "b.example.com"), ends_at=NOW + 3.5 * 86_400),
            "a.example.com, b.example.com: 3 days left",
        ),
        (Certificate(names=("a.example.com",), ends_at=NOW - 1), "a.example.com: has ended"),
        (Certificate(trouble="certificate has expired"), "certificate has expired"),
    ],
)
def test_how_long_it_lasts(certificate: Certificate, said: str) -> None:
    tls = cast("Tls", SimpleNamespace(certificate=certificate))
    assert certificate_status(tls, NOW) == said


def test_without_tls_there_is_nothing_to_say() -> None:
    assert not certificate_status(None, NOW)
