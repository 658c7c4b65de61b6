"""What glibc's allocator keeps of memory that was freed, given back to the system."""

import contextlib
import ctypes


def return_freed() -> None:
    """Give whole free pages back, some µs; without glibc nothing happens.

    By itself glibc gives back only what lies at the heap's very end. A start leaves 2.5 MB in the
    midst of it: PCM of prompts and music, descriptions of tables, sources of generated methods.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
