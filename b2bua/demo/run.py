"""`mitschnitt demo` begins: without what it needs it says so, and nothing else happens."""

import importlib.util
import sys
from typing import Final

from b2bua.errors import DemoError

NEEDED: Final = ("pyVoIP", "soundfile", *(("audioop",) if sys.version_info >= (3, 13) else ()))
INSTALL: Final = (
    "the demo needs two telephones and an MP3 decoder: "
    'run `make demo`, or install them with `pip install "mitschnitt[phones]"`'
)


def run_demo(*, as_json: bool, keep: bool) -> int:
    """Run the demo and return its exit code: 0 only where every check held."""
    # Found, not imported: pyVoIP is for the telephones' processes only.
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise DemoError(INSTALL)
    from b2bua.demo.performance import perform  # noqa: PLC0415 - it needs the decoder

    return 0 if perform(as_json=as_json, keep=keep).ok else 1
