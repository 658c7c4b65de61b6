"""What a call is to every test, whoever built its phones."""

from collections.abc import Awaitable
from typing import Protocol

from tests.support.audio import Pcm


class Phone(Protocol):
    """What every driver can do."""

    def dial(self, target: str, /) -> Awaitable[None]: ...
    def ringing(self) -> Awaitable[object]: ...
    def answer(self) -> Awaitable[None]: ...
    def established(self) -> Awaitable[None]: ...
    def hang_up(self) -> Awaitable[None]: ...
    def closed(self) -> Awaitable[object]: ...
    def heard(self) -> Pcm: ...


async def call(caller: Phone, callee: Phone, *, number: str = "102") -> None:
    """Call until both sides stand."""
    await caller.dial(number)
    await callee.ringing()
    await callee.answer()
    await caller.established()
    await callee.established()


async def end(first: Phone, other: Phone) -> None:
    await first.hang_up()
    await other.closed()
    await first.closed()
