"""Two telephones with many extensions, registered with a server: what both call benches share."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.server import Server, ServerError
from bench.sip_call import Account, Call
from bench.sip_client import Phone
from bench.sip_loop import Loop
from bench.sip_text import Address

SETUP_TIMEOUT_S = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A phone that calls, a phone that is called, and the loop that turns both."""

    callers: Phone
    callees: Phone
    loop: Loop
    caller_accounts: list[Account]
    callee_accounts: list[Account]

    def pair(self, number: int) -> tuple[Account, str]:
        """Who calls whom in call `number`: each pair once before any repeats."""
        width = len(self.caller_accounts)
        caller = self.caller_accounts[number % width]
        callee = self.callee_accounts[number // width % len(self.callee_accounts)]
        return caller, callee.user

    def dial(self, number: int) -> Call:
        return self.callers.dial(*self.pair(number))

    def check(self) -> None:
        """Raise where a phone has met what it doesn't understand."""
        if problems := self.callers.problems + self.callees.problems:
            raise ServerError("; ".join(problems[:5]))

    def close(self) -> None:
        self.callers.socket.close()
        self.callees.socket.close()


def open_exchange(
    server: Server, pairs: int, media: tuple[Address, Address], *, record: bool
) -> Exchange:
    """Add extensions for so many different pairs, and register every one."""
    width = max(1, math.isqrt(pairs - 1) + 1)
    numbers = [f"{1001 + i}" for i in range(width)], [f"{2001 + i}" for i in range(width)]
    accounts = server.add_extensions(numbers[0] + numbers[1], record=record)
    callers = Phone("127.0.0.2", server.address, media[0])
    callees = Phone("127.0.0.3", server.address, media[1])
    exchange = Exchange(
        callers=callers,
        callees=callees,
        loop=Loop(callers, callees),
        caller_accounts=accounts[:width],
        callee_accounts=accounts[width:],
    )
    for account in exchange.caller_accounts:
        callers.register(account)
    for account in exchange.callee_accounts:
        callees.register(account)
    _expect(
        exchange,
        lambda: len(callers.registered) + len(callees.registered) == 2 * width,
        "registering",
    )
    return exchange


def set_up(exchange: Exchange, calls: int, rate: float) -> list[tuple[Call, Call]]:
    """Make the calls; return both dialogs of each, the caller's first."""
    paced = exchange.loop.paced(rate, time.monotonic(), calls)
    dialled = [exchange.dial(number) for number, _ in paced]
    _expect(exchange, lambda: all(c.answered_at or c.failure for c in dialled), "call set-up")
    if failed := [call for call in dialled if call.failure]:
        raise ServerError(f"{len(failed)} calls failed, the first: {failed[0].failure}")
    called = {(call.peer, call.account.user): call for call in exchange.callees.calls.values()}
    joined = []
    for call in dialled:
        other = called.get((call.account.user, call.peer))
        if other is None or call.media is None or other.media is None:
            raise ServerError(f"call {call.account.user} to {call.peer} has no other side or media")
        joined.append((call, other))
    return joined


def _expect(exchange: Exchange, done: Callable[[], bool], what: str) -> None:
    if not exchange.loop.run(lambda: done() or bool(_problems(exchange)), SETUP_TIMEOUT_S):
        raise ServerError(f"{what} took more than {SETUP_TIMEOUT_S:.0f} s")
    exchange.check()


def _problems(exchange: Exchange) -> list[str]:
    return exchange.callers.problems or exchange.callees.problems
