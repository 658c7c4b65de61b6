"""Runs a command under the seccomp rules that systemd would make of a unit (libseccomp).

`python -m tests.support.sandbox_child RULES COMMAND...`, RULES as `UnitFile.sandbox` makes them.
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
from typing import Final

ALLOW: Final = 0x7FFF0000
ERRNO: Final = 0x00050000
MASKED_EQUAL: Final = 7
EQUAL: Final = 4
UNKNOWN: Final = -1
FAMILIES: Final = 46
"How many the kernel knows."


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class Filter:
    """One seccomp filter; all that are loaded must agree."""

    def __init__(self, default: int) -> None:
        self._lib = ctypes.CDLL("libseccomp.so.2")
        self._lib.seccomp_init.restype = ctypes.c_void_p
        self._lib.seccomp_init.argtypes = (ctypes.c_uint32,)
        self._context = ctypes.c_void_p(self._lib.seccomp_init(default))

    def rule(self, action: int, name: str, *comparisons: Comparison) -> None:
        """Add a rule; names that this machine's kernel doesn't have are passed over."""
        number = self._lib.seccomp_syscall_resolve_name(name.encode())
        if number <= UNKNOWN:
            return
        array = (Comparison * max(1, len(comparisons)))(*comparisons)
        status = self._lib.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, len(comparisons), array
        )
        if status != 0:
            raise OSError(-status, f"{name}: {os.strerror(-status)}")

    def load(self) -> None:
        status = self._lib.seccomp_load(self._context)
        if status != 0:
            raise OSError(-status, os.strerror(-status))


def confine(rules: dict[str, list[str]]) -> None:
    """Load the rules for this process and all that it becomes."""
    families = Filter(ALLOW)
    allowed = {getattr(socket, name).value for name in rules["families"]}
    for family in set(range(1, FAMILIES)) - allowed:
        families.rule(ERRNO | errno.EAFNOSUPPORT, "socket", Comparison(0, EQUAL, family, 0))
    families.load()
    if rules["deny_write_execute"]:
        writable_code = mmap.PROT_WRITE | mmap.PROT_EXEC
        memory = Filter(ALLOW)
        memory.rule(
            ERRNO | errno.EPERM, "mmap", Comparison(2, MASKED_EQUAL, writable_code, writable_code)
        )
        for name in ("mprotect", "pkey_mprotect"):
            memory.rule(
                ERRNO | errno.EPERM,
                name,
                Comparison(2, MASKED_EQUAL, mmap.PROT_EXEC, mmap.PROT_EXEC),
            )
        memory.load()
    calls = Filter(ERRNO | errno.EPERM)
    for name in rules["calls"]:
        calls.rule(ALLOW, name)
    calls.load()


if __name__ == "__main__":
    confine(json.loads(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - what this program is for
