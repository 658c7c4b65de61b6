"""Which foreign programs a test needs, and what to do where they are missing."""

import importlib.util
import os
import shutil
from collections.abc import Iterable

import pytest

from codec import optional

DEBIAN_PACKAGES = {
    "baresip": "baresip-core",
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "dnsmasq": "dnsmasq-base",
    "espeak-ng": "espeak-ng",
    "ffmpeg": "ffmpeg",
    "kamailio": "kamailio",
    "libopus": "libopus0",
    "linphonec": "linphone-cli",
    "openssl": "openssl",
    "sipp": "sip-tester",
    "systemd-analyze": "systemd",
}
"Program or library -> Debian package, as `scripts/peers` installs them."

MODULES = {"pyVoIP": "the extra `phones` (requirements/phones.txt)"}
"Python packages that count as peers."


def is_there(name: str) -> bool:
    if name in MODULES:
        return importlib.util.find_spec(name) is not None
    if name == "libopus":
        return optional.has_opus()
    return shutil.which(name) is not None


def missing_message(names: Iterable[str]) -> str | None:
    """Return what to install for these peers, or None where all are there."""
    advice = [
        f"{name}: install {MODULES[name]}"
        if name in MODULES
        else f"{name}: install Debian's {DEBIAN_PACKAGES[name]} (`make peers`)"
        for name in names
        if not is_there(name)
    ]
    return "; ".join(advice) or None


def require(*names: str) -> None:
    """Skip the running test where a peer is missing, or fail it where CI promised them all."""
    message = missing_message(names)
    if message is None:
        return
    if os.environ.get("MITSCHNITT_REQUIRE_PEERS") == "1":
        pytest.fail(f"missing test peer: {message}", pytrace=False)
    pytest.skip(f"missing test peer: {message}")
