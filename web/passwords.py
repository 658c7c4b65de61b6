"""Passwords of users: Argon2id, in a thread of its own.

A check takes some 150 ms and 64 MB on purpose. Two run at a time, some may wait, the rest is
turned away: logins must not eat the machine that carries the calls.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from web.errors import UnavailableError

MIN_LENGTH = 10
MAX_LENGTH = 200
"Characters; a longer one is not hashed."

MAX_WAITING = 16


def hash_password(password: str) -> str:
    """Return the hash of a new password; blocks for some 150 ms."""
    return PasswordHasher().hash(password)


class Passwords:
    """Checks passwords; an unknown user costs the same as a wrong password."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
        self._waiting = 0
        self._decoy: str | None = None

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether the password is right; `stored` is None for an unknown user."""
        if self._waiting >= MAX_WAITING:
            raise UnavailableError("too many logins at a time")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._verify, stored, password)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        if self._decoy is None:
            self._decoy = self._hasher.hash("nobody's password")
        try:
            self._hasher.verify(self._decoy if stored is None else stored, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None
