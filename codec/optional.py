"""Which libraries of codecs are installed beside us. No numpy: the signalling asks as well."""

import ctypes
import importlib.util
from functools import cache
from typing import Final

G722_MODULE = "G722"
"libg722 (extra `wideband`)."

OPUS_LIBRARY: Final = "libopus.so.0"
"The system's own."


def has_g722() -> bool:
    """Tell whether G.722 can be decoded; does not load the library."""
    return _can_be_imported(G722_MODULE)


@cache
def _can_be_imported(module: str) -> bool:
    """Tell whether a module is installed: the search is long, and calls ask often."""
    return importlib.util.find_spec(module) is not None


def has_opus() -> bool:
    """Tell whether Opus can be decoded."""
    return opus_library() is not None


@cache
def opus_library() -> ctypes.CDLL | None:
    """Return libopus, or None where there is none."""
    try:
        return ctypes.CDLL(OPUS_LIBRARY)
    except OSError:
        return None
